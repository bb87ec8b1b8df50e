"""The gateway as a process: answers on loopback until it is told to stop."""

import logging
import signal
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import uvicorn
from rich.console import Console

from deploy.errors import ShiluError
from deploy.host.ports import LOOPBACK, require_free
from deploy.host.repeats import leave_out_repeats
from deploy.lang import text
from deploy.services.local import bootstrap, forget_process, note_process
from deploy.settings import Settings
from producers.connection import answers
from producers.gateway.apps import Apps, AppsError
from producers.gateway.intake import Intake
from producers.gateway.memory import Memory, MemoryInUse
from producers.gateway.sender import Sender
from producers.gateway.service import Gateway, Limits, build

GATEWAY = "gateway"
"""The name of the process: of its note and its folder."""

_CONNECTIONS_MAX = 256
_STOP_SECONDS = 8


def apps_of(settings: Settings) -> Apps:
    """The register of apps of this deployment."""
    return Apps(settings.place / GATEWAY / "apps.json")


@contextmanager
def apps_errors() -> Iterator[None]:
    """Turns what is wrong with the register into sentences."""
    try:
        yield
    except AppsError as error:
        zh, en = _SENTENCES[error.code]
        raise ShiluError(
            error.code if error.code != "damaged" else "apps_damaged",
            zh.format(error.about),
            en.format(error.about),
        ) from error


_SENTENCES = {
    "open_to_others": (
        "应用登记文件 {0} 其他用户也能读写:请先运行 chmod 600 {0},并逐个轮换密钥。",
        "Others may read or write the register of apps, {0}: run `chmod 600 {0}` and rotate "
        "every key.",
    ),
    "damaged": (
        "应用登记文件 {0} 已损坏:请从备份恢复,或删除后重新登记应用。",
        "The register of apps {0} is damaged: restore it, or remove it and register the apps anew.",
    ),
    "bad_name": (
        "应用名“{0}”不合规:请用 1 至 32 个小写字母、数字、连字符,以字母开头。",
        'The app name "{0}" will not do: 1 to 32 lower-case letters, digits and hyphens, the '
        "first one a letter.",
    ),
    "bad_org": (
        "组织编号“{0}”不合规:请用 1 至 64 个字母、数字、下划线、连字符,或 * 表示全部。",
        'The organisation "{0}" is no id: 1 to 64 letters, digits, _ or -, or * for all of them.',
    ),
    "name_taken": (
        "应用名 {0} 已经用过(撤销的也不再给别人):请换一个名称,或轮换它的密钥。",
        "The app name {0} was given before, and is never given twice: choose another, or rotate "
        "its key.",
    ),
    "unknown_app": (
        "没有名为 {0} 的应用:请用 shilu app list 查看。",
        "There is no app {0}: see `shilu app list`.",
    ),
    "revoked": (
        "应用 {0} 已撤销,不能恢复:请以新名称登记。",
        "The app {0} is revoked for good: register one under a new name.",
    ),
}


def run_gateway(settings: Settings) -> None:
    """Answer until SIGTERM or SIGINT; raises ShiluError for what a person can mend."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    leave_out_repeats()
    for number in (signal.SIGTERM, signal.SIGINT):
        # uvicorn stops in order and then sends itself the signal once more, as it found it.
        signal.signal(number, lambda *_: None)
    address = bootstrap(settings)
    apps = apps_of(settings)
    with apps_errors():
        registered = len([app for app in apps.all() if app.revoked_at is None])
    with (
        closing(_memory(settings.place / GATEWAY / "memory.sqlite")) as memory,
        closing(Sender(address)) as sender,
        _listening(settings.gateway_port) as listener,
    ):
        gateway = Gateway(apps, Intake(sender, memory), Limits())
        config = uvicorn.Config(
            build(gateway, lambda: answers(address)), log_config=None, access_log=False,
            lifespan="off", server_header=False, limit_concurrency=_CONNECTIONS_MAX,
            timeout_graceful_shutdown=_STOP_SECONDS,
        )  # fmt: skip
        port = listener.getsockname()[1]
        note = note_process(settings, GATEWAY, port=port)
        Console(highlight=False, soft_wrap=True).print(
            text(
                f"网关已打开:http://{LOOPBACK}:{port},已登记应用 {registered} 个",
                f"The gateway is open: http://{LOOPBACK}:{port}, {registered} app(s) registered",
            ),
            markup=False,
        )
        try:
            uvicorn.Server(config).run(sockets=[listener])
        finally:
            forget_process(note)


def _memory(file: Path) -> Memory:
    try:
        return Memory(file)
    except MemoryInUse:
        raise ShiluError(
            "gateway_running",
            "这里已有一个网关在运行:请使用它,或先运行 shilu down。",
            "A gateway runs here already: use it, or run `shilu down` first.",
        ) from None
    except sqlite3.Error as error:
        raise ShiluError(
            "gateway_memory",
            f"打不开网关的记忆 {file}({error}):它只供快速识别重发,删除后重试即可。",
            f"The gateway's memory {file} cannot be opened ({error}): it only tells re-sent "
            "events apart at once; remove it and try again.",
        ) from error


@contextmanager
def _listening(port: int) -> Iterator[socket.socket]:
    if port:
        require_free(port)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((LOOPBACK, port))
        # Before the address is written down: who reads it at once waits instead of being refused.
        listener.listen()
        yield listener
