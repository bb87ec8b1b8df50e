"""Sealer and witness as processes."""

import logging
import signal
import socket
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing

import typer
import uvicorn

from consumers import keyring
from consumers.log import Log
from consumers.notes import COSIGNATURE, VerifierKey
from consumers.sealer import Sealer, Terms, holding
from consumers.witness import Witness as WitnessState
from consumers.witness import build
from consumers.witnesses import Witness
from deploy.lang import text
from deploy.local import bootstrap
from deploy.seal_errors import seal_errors
from deploy.settings import Settings


def run_sealer(
    settings: Settings, every_seconds: float, *, once: bool, witnesses: Sequence[tuple[str, str]]
) -> None:
    """Run until SIGTERM or SIGINT, or with `once` until all is sealed; raises ShiluError."""
    level = logging.WARNING if once else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    keys, folder = settings.place / "keys", settings.place / "seal"
    with seal_errors(), ExitStack() as stack:
        terms = Terms(
            keyring.load(keys),
            keyring.public_keys(keys).keys,
            every_seconds,
            [Witness(url, VerifierKey.parse(key)) for url, key in witnesses],
        )
        address = bootstrap(settings)
        stack.enter_context(holding(folder))
        log = stack.enter_context(Log(address, follows=True))
        again = stack.enter_context(Log(address))
        sealer = stack.enter_context(closing(Sealer(log, again, address, folder, terms)))
        if not once:
            typer.echo(text(f"正在封存到 {folder}", f"sealing into {folder}"))
            sys.stdout.flush()
        sealer.run(stop, once=once)
        if once:
            for partition, size in sealer.sizes.items():
                typer.echo(f"{terms.signer.name}/p{partition} {size}")


def run_witness(settings: Settings, name: str, logs: Sequence[str], port: int) -> None:
    """Answer on loopback until SIGTERM or SIGINT; raises ShiluError."""
    folder = settings.place / "witness"
    with seal_errors():
        known = [VerifierKey.parse(log) for log in logs]
        if not list((folder / "keys").glob("*.vkey")):
            keyring.create(folder / "keys", name, COSIGNATURE)
        signer = keyring.load(folder / "keys")
        state = WitnessState(folder / "seen", signer, known, time.time)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            typer.echo(f"http://127.0.0.1:{listener.getsockname()[1]}={signer.verifier}")
            sys.stdout.flush()
            config = uvicorn.Config(build(state), log_config=None, access_log=False, lifespan="off")
            uvicorn.Server(config).run(sockets=[listener])
