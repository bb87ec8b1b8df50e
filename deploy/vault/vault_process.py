"""The vault put together: where it is, how its events reach Kafka, how it runs as a process."""

import logging
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.vault.vault_errors import vault_errors
from producers.connection import require_topics
from producers.record import record_of
from producers.sending.delivery import Delivery
from schemas.events import Event
from schemas.topics import ACCESS, CATALOGUE
from vault.ask import asked
from vault.journal import Announce
from vault.service import Desk, serving
from vault.store import Place
from vault.vault import Vault

_RETRY_SECONDS = 5.0
_GIVE_UP_SECONDS = 15.0


def place_of(settings: Settings) -> Place:
    """Where the vault and its master key are: side by side unless settings say otherwise."""
    folder, key = settings.vault, settings.vault_key
    return Place(
        Path(folder).expanduser().resolve() if folder else settings.place / "vault",
        Path(key).expanduser().resolve() if key else settings.place / "vault-key" / "master.key",
    )


def announcer(settings: Settings) -> Announce:
    """How the vault's events reach Kafka, each acknowledged before it counts as sent.

    Raises ShiluError `no_broker` and the errors of producers.
    """

    def send(events: Sequence[Event]) -> int:
        logging.getLogger("kafka").setLevel(logging.CRITICAL)
        address = bootstrap(settings)
        topics = require_topics(address, (CATALOGUE, ACCESS))
        done = 0
        with Delivery(address, topics, give_up_seconds=_GIVE_UP_SECONDS) as delivery:
            for _, outcomes in delivery.deliver((None, [record_of(event)]) for event in events):
                if any(outcome.error is not None for outcome in outcomes):
                    break
                done += 1
        return done

    return send


class Answered:
    """Requests to the vault of a deployment, and how many events still wait after the last one."""

    def __init__(self, someone: Any) -> None:
        self._someone = someone
        self.pending = 0

    def ask(self, request: str, **arguments: object) -> Any:
        """The answer to one request of `vault.requests`; raises ShiluError."""
        with vault_errors():
            said = self._someone.ask(request, arguments)
        self.pending = said["pending"]
        return said["answer"]


@contextmanager
def at_vault(settings: Settings, *, only_reads: bool = False) -> Iterator[Answered]:
    """Ask the vault: the process that has it open, or the file itself.

    Raises ShiluError; `vault_unannounced` at the end where the ledger has not heard of everything,
    unless whoever asks `only_reads` what is no entry.
    """
    with vault_errors(), asked(place_of(settings), announcer(settings)) as someone:
        answered = Answered(someone)
        yield answered
    if answered.pending and not only_reads:
        raise ShiluError(
            "vault_unannounced",
            f"保险库已经办完,但有 {answered.pending} 个事件还没有送到 Kafka:它们留在保险库里;"
            "Kafka 恢复后运行 shilu vault status 即会送出。",
            f"The vault has done it, but {answered.pending} events have not reached Kafka: they "
            "are kept, and sent by `shilu vault status` once Kafka answers.",
            answered=True,
        )


def actor_of(actor: str, role: str, org: str | None) -> dict[str, object]:
    """Who asks, as it is written down: the user's number where no id is given, never a name."""
    return {"id": actor or f"uid-{os.getuid()}", "role": role, "org_id": org}


def name_for_certificate(
    settings: Settings, volunteer_id: str, *, actor: dict[str, object], certificate: str
) -> str:
    """The name to print on a certificate; one entry in the access log, `certificate` its reason.

    Other processes get it from the vault's address: POST /v1/name with `volunteer_id`, `purpose`
    ("certificate"), `reason` and `actor`. Raises ShiluError, `erased` for a forgotten person.
    """
    with at_vault(settings) as answered:
        name: str = answered.ask(
            "name", volunteer_id=volunteer_id, purpose="certificate", reason=certificate,
            actor=actor,
        )  # fmt: skip
    return name


def run_vault(settings: Settings, port: int) -> None:
    """Run until SIGTERM or SIGINT; raises ShiluError for what a person can mend."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    place = place_of(settings)
    with vault_errors(), Vault(place) as vault:
        desk = Desk(vault, announcer(settings))
        with serving(desk, place.owner_file, port=port) as url:
            Console(highlight=False, soft_wrap=True).print(
                text(
                    f"保险库 {place.folder} 已打开:{url}",
                    f"The vault {place.folder} is open: {url}",
                ),
                markup=False,
            )
            desk.retry()
            while not stop.wait(_RETRY_SECONDS):
                desk.retry()
