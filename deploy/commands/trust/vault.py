"""`shilu vault …` and `shilu forget`: personal data, apart from the ledger.

Nothing personal is ever an argument: lists of processes and the shell's history would keep it.
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TextIO

import typer

from deploy.commands.trust import vault_keeping
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.settings import Settings
from deploy.terminal.console import bar, input_bytes

_Volunteer = Annotated[
    str, typer.Argument(metavar="ID", help=text("志愿者编号(v-…)", "the pseudonym, v-…"))
]
_Reason = Annotated[
    str,
    typer.Option(
        help=text("理由;留在保险库,勿写个人信息", "why; stays in the vault, no personal data")
    ),
]
_Purpose = Annotated[
    str,
    typer.Option(
        help=text(
            "目的:contact certificate correction complaint inspection legal_order "
            "subject_request consent_withdrawn retention_over",
            "contact, certificate, correction, complaint, inspection, legal_order, "
            "subject_request, consent_withdrawn or retention_over",
        )
    ),
]
_Actor = Annotated[
    str,
    typer.Option(
        help=text("操作者的代号;省略为 uid-数字", "who does it, a pseudonym; uid-N if left out")
    ),
]
_Role = Annotated[str, typer.Option(help=text("操作者的身份", "in which role"))]
_Org = Annotated[str | None, typer.Option(help=text("代表的组织", "for which organisation"))]
_Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]


def register(app: typer.Typer) -> None:
    """Add the group `vault` and the command `forget`."""
    group = typer.Typer(
        help=text("保险库:个人信息,与台账分开", "The vault: personal data, apart from the ledger"),
        no_args_is_help=True,
    )
    for name, command, zh, en in (
        ("register", register_people, "登记志愿者(JSON Lines)", "Register people, JSON Lines"),
        ("correct", correct, "更正一个人的信息", "Correct what is held of a person"),
        ("show", show, "一个人的信息,默认打码", "What is held of a person, masked"),
        ("export", export, "交给本人的全部信息", "Everything about a person, for that person"),
    ):
        group.command(name, help=text(zh, en))(command)
    vault_keeping.add_to(group)
    app.add_typer(group, name="vault")
    app.command(
        help=text(
            "抹除一个人:销毁密钥与个人信息,台账只剩代号。",
            "Forget a person: destroy key and data; the ledger keeps a pseudonym.",
        )
    )(forget)


def register_people(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help=text("JSON Lines 文件;- 为标准输入", "a JSON Lines file; - for standard input"),
        ),
    ],
    actor: _Actor = "",
    role: _Role = "admin",
    org: _Org = None,
    as_json: _Json = False,
) -> None:
    """One result a line, never with what was sent; exit 0 only if nobody was refused."""
    from deploy.vault.vault_lines import batches, sentence
    from deploy.vault.vault_process import actor_of, at_vault
    from vault.requests import PEOPLE_AT_A_TIME

    tally: Counter[str] = Counter()
    with (
        input_bytes(file) as (stream, size),
        at_vault(Settings()) as answered,
        bar(text("登记", "registering"), size, shows_lines=True) as shown,
    ):
        for numbers, people, faults in batches(stream, PEOPLE_AT_A_TIME):
            found = answered.ask("register", people=people, actor=actor_of(actor, role, org))
            results = dict(zip(numbers, found, strict=True)) | faults
            for number, result in sorted(results.items()):
                tally[result["status"]] += 1
                line = {"line": number} | result
                shown.say(json.dumps(line) if as_json else sentence(line))
            if size is not None:
                shown.reach(stream.tell())
        typer.echo(
            text(
                f"新登记 {tally['registered']:,} 人,已登记 {tally['known']:,} 人,"
                f"退回 {tally['refused']:,} 人",
                f"{tally['registered']:,} registered, {tally['known']:,} known, "
                f"{tally['refused']:,} refused",
            ),
            err=as_json,
        )
    if tally["refused"]:
        raise typer.Exit(1)


def correct(
    volunteer_id: _Volunteer,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE|-",
            help=text(
                "要改的字段(一个 JSON 对象);- 为标准输入", "a JSON object of what changes; - stdin"
            ),
        ),
    ],
    reason: _Reason = "",
    purpose: _Purpose = "correction",
    actor: _Actor = "",
    role: _Role = "admin",
    org: _Org = None,
) -> None:
    """Old values are overwritten; exit 1 if the new ones are refused."""
    from deploy.vault.vault_lines import parsed, refusal
    from deploy.vault.vault_process import actor_of, at_vault

    with input_bytes(file) as (stream, _):
        changes, code, field = parsed(stream.read())
    if code:
        raise refusal(code, field)
    with at_vault(Settings()) as answered:
        found = answered.ask(
            "correct", volunteer_id=volunteer_id, changes=changes, reason=reason or None,
            purpose=purpose, actor=actor_of(actor, role, org),
        )  # fmt: skip
        if found["status"] == "refused":
            raise refusal(found["code"], found["field"])
        typer.echo(text(f"{volunteer_id} 已更正", f"{volunteer_id} is corrected"))


def show(
    volunteer_id: _Volunteer,
    unmask: Annotated[
        bool, typer.Option("--unmask", help=text("不打码;记入日志", "in full; logged"))
    ] = False,
    reason: _Reason = "",
    purpose: _Purpose = "contact",
    actor: _Actor = "",
    role: _Role = "admin",
    org: _Org = None,
) -> None:
    """JSON; with --unmask one entry in the access log before anything is shown."""
    from deploy.vault.vault_process import actor_of, at_vault

    with at_vault(Settings(), only_reads=not unmask) as answered:
        found = answered.ask(
            "show", volunteer_id=volunteer_id, unmask=unmask, reason=reason or None,
            purpose=purpose, actor=actor_of(actor, role, org),
        )  # fmt: skip
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))


def export(
    volunteer_id: _Volunteer,
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE|-", help=text("写入的新文件(权限 600)", "a new file, mode 0600")
        ),
    ],
    reason: _Reason = "",
    purpose: _Purpose = "subject_request",
    actor: _Actor = "",
    role: _Role = "admin",
    org: _Org = None,
    without_ledger: Annotated[
        bool,
        typer.Option("--without-ledger", help=text("不含工时", "without the hours")),
    ] = False,
) -> None:
    """Personal data, who looked at them and why, and the person's hours, as JSON."""
    from deploy.vault.vault_process import actor_of, at_vault

    # First what may fail: a look that shows nothing should leave no entry.
    history = None if without_ledger else _ledger_of(volunteer_id)
    with _new_file(out) as file, at_vault(Settings()) as answered:
        found = answered.ask(
            "export", volunteer_id=volunteer_id, reason=reason or None, purpose=purpose,
            actor=actor_of(actor, role, org),
        )  # fmt: skip
        whole = json.dumps(found | {"ledger": history}, ensure_ascii=False, indent=1)
        file.write(whole + "\n")


def forget(
    volunteer_id: _Volunteer,
    reason: _Reason,
    purpose: _Purpose = "subject_request",
    actor: _Actor = "",
    role: _Role = "admin",
    org: _Org = None,
    as_json: _Json = False,
) -> None:
    """Cannot be undone. Again for somebody forgotten: changes nothing, exit 0."""
    from deploy.vault.vault_process import actor_of, at_vault

    with at_vault(Settings()) as answered:
        now = answered.ask(
            "forget", volunteer_id=volunteer_id, reason=reason, purpose=purpose,
            actor=actor_of(actor, role, org),
        )  # fmt: skip
        if as_json:
            typer.echo(json.dumps({"volunteer_id": volunteer_id, "forgotten_now": now}))
        elif now:
            typer.echo(text(f"{volunteer_id} 已抹除", f"{volunteer_id} is forgotten"))
        else:
            said = f"{volunteer_id} 早已抹除", f"{volunteer_id} was forgotten before"
            typer.echo(text(*said))


def _ledger_of(volunteer_id: str) -> dict[str, Any]:
    from consumers.api.trail_client import At, reader
    from deploy.trail.trail_errors import trail_errors

    settings = Settings()
    with trail_errors(), reader(At(settings.place, settings.clickhouse)) as someone:
        return {
            "total": someone.ask("total", volunteer_id=volunteer_id),
            "history": someone.ask("explain", volunteer_id=volunteer_id),
        }


@contextmanager
def _new_file(out: str) -> Iterator[TextIO]:
    """A file that did not exist, for this user alone; standard output for `-`."""
    if out == "-":
        yield sys.stdout
        return
    try:
        descriptor = os.open(out, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    except OSError as error:
        why = error.strerror or type(error).__name__
        raise ShiluError(
            "no_file",
            f"不能新建文件 {out}({why}):请换一个不存在的文件名。",
            f"The file {out} cannot be made ({why}): name one that does not exist.",
        ) from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yield file
