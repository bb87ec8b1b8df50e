"""The witness as a process: answers on loopback."""

import socket
import sys
import time
from collections.abc import Sequence

import typer
import uvicorn

from consumers.seal.witness_server import Witness, build
from consumers.signing import keyring
from consumers.signing.notes import COSIGNATURE, VerifierKey
from deploy.seal.seal_errors import seal_errors
from deploy.settings import Settings


def run_witness(settings: Settings, name: str, logs: Sequence[str], port: int) -> None:
    """Answer until SIGTERM or SIGINT; raises ShiluError."""
    folder = settings.place / "witness"
    with seal_errors():
        known = [VerifierKey.parse(log) for log in logs]
        if not list((folder / "keys").glob("*.vkey")):
            keyring.create(folder / "keys", name, COSIGNATURE)
        signer = keyring.load(folder / "keys")
        state = Witness(folder / "seen", signer, known, time.time)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(("127.0.0.1", port))
            typer.echo(f"http://127.0.0.1:{listener.getsockname()[1]}={signer.verifier}")
            sys.stdout.flush()
            config = uvicorn.Config(build(state), log_config=None, access_log=False, lifespan="off")
            uvicorn.Server(config).run(sockets=[listener])
