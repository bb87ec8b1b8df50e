"""The sealer as a process, its keys made when there are none, and how far it is behind."""

import logging
import signal
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

import typer

from consumers.kafka.reader import Log
from consumers.seal.published import unsealed
from consumers.seal.sealed_log import SealError
from consumers.seal.sealer import Sealer, Terms, holding
from consumers.seal.witness_client import Witness
from consumers.signing import keyring
from consumers.signing.notes import VerifierKey
from consumers.watchdog import Watchdog
from deploy.errors import ShiluError
from deploy.host.repeats import leave_out_repeats
from deploy.lang import text
from deploy.seal.seal_errors import seal_errors
from deploy.services.local import bootstrap, forget_process, note_process
from deploy.services.running import SEALER
from deploy.settings import Settings
from schemas.topics import CHECKPOINTS

LEDGER = "shilu.local/hours"
"""The ledger's name unless `shilu keys init --name` gave another one before."""

_PATIENCE_SECONDS = 60.0
_POLL_SECONDS = 0.5


def keys_of(settings: Settings) -> Path:
    """The folder of the seal's keys."""
    return settings.place / "keys"


def has_keys(settings: Settings) -> bool:
    """Is there a key to seal with, or was there one?"""
    return any(keys_of(settings).glob("*.vkey"))


def ensure_keys(settings: Settings, address: str) -> VerifierKey | None:
    """Make the key where there is none: the new public key. Raises ShiluError.

    `keys_elsewhere` where this ledger has been sealed already: another key under the same name
    would make every earlier checkpoint look forged.
    """
    if has_keys(settings):
        return None
    with seal_errors():
        with Log(address) as log:
            published = any(log.ends(log.places([CHECKPOINTS])).values())
        if published:
            raise ShiluError(
                "keys_elsewhere",
                f"台账已用别处的密钥封存过,{keys_of(settings)} 中没有密钥:没有启动封存。"
                "请从备份恢复密钥目录;封存在别的机器上时,这里不需要。",
                f"This ledger has been sealed with a key that is not in {keys_of(settings)}: "
                "nothing is sealed here. Restore the keys from a backup; where another machine "
                "seals, nothing is needed.",
            )
        return keyring.create(keys_of(settings), LEDGER)


def run_sealer(
    settings: Settings, every_seconds: float, *, once: bool, witnesses: Sequence[tuple[str, str]]
) -> None:
    """Run until SIGTERM or SIGINT, or with `once` until all is sealed; raises ShiluError."""
    level = logging.WARNING if once else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    leave_out_repeats()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    address, folder = bootstrap(settings), settings.place / "seal"
    with seal_errors(), ExitStack() as stack:
        asked = [Witness(url, VerifierKey.parse(key)) for url, key in witnesses]
        terms = _terms(settings, every_seconds, asked)
        try:
            stack.enter_context(holding(folder))
        except SealError:
            if not once:
                raise
            _await_other(settings, terms, address)
            return
        watchdog = stack.enter_context(Watchdog())
        log = stack.enter_context(Log(address, follows=True))
        again = stack.enter_context(Log(address))
        if not once:
            note = note_process(settings, SEALER)
            stack.callback(forget_process, note)
            typer.echo(text(f"正在封存到 {folder}", f"sealing into {folder}"))
            sys.stdout.flush()
        while True:
            with closing(Sealer(log, again, address, folder, terms)) as sealer:
                known = len(terms.trusted)
                changed = partial(_keys_changed, settings, known)
                sealer.run(stop, once=once, retired=changed, alive=watchdog.alive)
            if once or stop.is_set():
                break
            terms = _terms(settings, every_seconds, asked)
        if once:
            for name, size in sealer.sizes.items():
                typer.echo(f"{terms.signer.name}/{name} {size}")


def _terms(settings: Settings, every_seconds: float, witnesses: Sequence[Witness]) -> Terms:
    keys = keys_of(settings)
    return Terms(keyring.load(keys), keyring.public_keys(keys).keys, every_seconds, witnesses)


def _count(settings: Settings) -> int:
    """How many keys there have been; one more after a rotation."""
    return sum(1 for _ in keys_of(settings).glob("*.vkey"))


def _keys_changed(settings: Settings, known: int) -> bool:
    return _count(settings) != known


def _await_other(settings: Settings, terms: Terms, address: str) -> None:
    """Another sealer is at work here: wait until it has sealed everything.

    Raises SealError `seal_locked` if it does not come to it.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with Log(address) as log:
        while any(unsealed(log, terms.signer.name, terms.trusted).values()):
            if time.monotonic() > deadline:
                raise SealError("seal_locked", str(settings.place / "seal"))
            time.sleep(_POLL_SECONDS)
    typer.echo(text("封存进程在运行,已全部封存", "a sealer is at work: everything is sealed"))
