"""`shilu gateway` and `shilu app …`: the HTTP way in, and who may use it."""

import json
import time
from enum import StrEnum
from typing import Annotated

import typer

from deploy.lang import text
from deploy.settings import Settings
from producers.gateway.apps import SCOPES, App
from schemas.times import rfc3339


class _Scope(StrEnum):
    """As `producers.gateway.apps.Scope`, in the form that the command line needs."""

    events = "events"
    catalogue = "catalogue"


_Name = Annotated[str, typer.Argument(metavar="NAME", help=text("应用名", "the app's name"))]
_Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]


def register(app: typer.Typer) -> None:
    """Add `gateway` and the group `app` to the command."""
    app.command(
        "gateway",
        help=text(
            "HTTP 网关:在本机接收事件,交给 Kafka。",
            "The HTTP gateway: takes events in on loopback and hands them to Kafka.",
        ),
    )(gateway)
    group = typer.Typer(
        help=text("应用:谁可以经网关发送", "Apps: who may send through the gateway"),
        no_args_is_help=True,
    )
    for name, command, zh, en in (
        (
            "register",
            register_app,
            "登记应用,密钥只显示一次",
            "Register an app; shows its key once",
        ),
        ("list", list_apps, "已登记的应用", "The registered apps"),
        ("rotate", rotate_key, "换新密钥,旧的立即失效", "A new key; the old one ends at once"),
        ("revoke", revoke_app, "撤销应用,立即生效", "Revoke an app, at once and for good"),
    ):
        group.command(name, help=text(zh, en))(command)
    app.add_typer(group, name="app")


def gateway() -> None:
    """Run until SIGTERM or Ctrl-C; the port is SHILU_GATEWAY_PORT, noted in run/gateway.json."""
    # Only here: FastAPI takes half a second to import, and every command imports this module.
    from deploy.services.gateway_process import run_gateway

    run_gateway(Settings())


def register_app(
    name: Annotated[
        str, typer.Option(help=text("应用名:小写字母、数字、连字符", "a-z, 0-9 and hyphens"))
    ],
    org: Annotated[
        list[str],
        typer.Option(help=text("可代表的组织,可多次;* 为全部", "speaks for it; several; *: all")),
    ],
    scope: Annotated[
        list[_Scope], typer.Option(help=text("权限范围,可多次", "what it may send; several"))
    ],
) -> None:
    """Prints the key alone; it is kept nowhere, only its hash is."""
    from deploy.services.gateway_process import apps_errors, apps_of

    with apps_errors():
        orgs = tuple(dict.fromkeys(org))
        scopes = tuple(one for one in SCOPES if _Scope(one) in scope)
        _, key = apps_of(Settings()).register(name, orgs, scopes, _now())
    _say_key(key)


def list_apps(as_json: _Json = False) -> None:
    """Never a key, nor the hash of one."""
    from deploy.services.gateway_process import apps_errors, apps_of

    with apps_errors():
        apps = apps_of(Settings()).all()
    if as_json:
        typer.echo(json.dumps([_told(app) for app in apps], ensure_ascii=False))
        return
    if not apps:
        typer.echo(text("没有登记任何应用", "no app is registered"))
    for app in apps:
        state = text("已撤销", "revoked") if app.revoked_at else text("可用", "active")
        typer.echo(f"{app.name}  {','.join(app.scopes)}  {','.join(app.org_ids)}  {state}")


def rotate_key(name: _Name) -> None:
    """Prints the new key alone; a running gateway knows it at once."""
    from deploy.services.gateway_process import apps_errors, apps_of

    with apps_errors():
        _, key = apps_of(Settings()).rotate(name, _now())
    _say_key(key)


def revoke_app(name: _Name) -> None:
    """From the next request on its key opens nothing."""
    from deploy.services.gateway_process import apps_errors, apps_of

    with apps_errors():
        apps_of(Settings()).revoke(name, _now())
    typer.echo(text(f"✔ 已撤销 {name}", f"✔ revoked {name}"))


def _say_key(key: str) -> None:
    typer.echo(key)
    typer.echo(
        text(
            "密钥只显示这一次,请立即妥善保存",
            "this key is shown once: keep it now, in a safe place",
        ),
        err=True,
    )


def _told(app: App) -> dict[str, object]:
    return {
        "name": app.name, "org_ids": app.org_ids, "scopes": app.scopes, "key_id": app.key_id,
        "registered_at": app.registered_at, "rotated_at": app.rotated_at,
        "revoked_at": app.revoked_at,
    }  # fmt: skip


def _now() -> str:
    return rfc3339(time.time_ns() // 1000)
