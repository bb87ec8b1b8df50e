"""Whom to ask: the process that has the vault open, or the vault itself, opened for a moment."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx
import psutil

from vault.errors import VaultError
from vault.journal import Announce
from vault.service import LOOPBACK, Desk
from vault.store import Place
from vault.vault import Vault

_WAIT_SECONDS: Final = 10.0
_POLL_SECONDS: Final = 0.1
_CLOCK_SECONDS: Final = 2.0
_ANSWER_SECONDS: Final = 120.0


class Asked(Protocol):
    """Somebody who answers the requests of `vault.requests`."""

    def ask(self, request: str, arguments: dict[str, object]) -> dict[str, Any]:
        """`answer` and `pending`, see `Desk.ask`; raises VaultError."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The process that has the vault open, over HTTP on loopback."""

    client: httpx.Client

    def ask(self, request: str, arguments: dict[str, object]) -> dict[str, Any]:
        try:
            response = self.client.post(f"/v1/{request}", json=arguments)
            said: dict[str, Any] = response.json()
        except (httpx.HTTPError, ValueError):
            raise VaultError("vault_silent", str(self.client.base_url)) from None
        if response.status_code != 200:
            raise VaultError(said["code"], said["detail"])
        return said


@contextmanager
def asked(place: Place, send: Announce) -> Iterator[Asked]:
    """Whoever answers for this vault while the block lasts.

    `send` is used where the vault is opened here. Raises VaultError, `vault_locked` after 10 s if
    the process that has it open does not answer.
    """
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        owner = find_owner(place)
        if owner is not None:
            with owner.client:
                yield owner
            return
        try:
            vault = Vault(place)
        except VaultError as error:
            # Somebody else's command, gone in a moment, or a process that is about to answer.
            if error.code != "vault_locked" or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        with vault:
            yield Desk(vault, send)
        return


def find_owner(place: Place) -> Owner | None:
    """The process that says it has the vault open; None where it has ended without saying so."""
    try:
        said = json.loads(place.owner_file.read_text("utf-8"))
        # Another process may have got its pid. (The start time is told by a clock that is set.)
        if abs(psutil.Process(said["pid"]).create_time() - said["created"]) > _CLOCK_SECONDS:
            return None
        client = httpx.Client(
            base_url=f"http://{LOOPBACK}:{said['port']}",
            headers={"Authorization": f"Bearer {said['token']}"},
            timeout=_ANSWER_SECONDS,
            trust_env=False,
        )
    except (OSError, ValueError, KeyError, TypeError, OverflowError, psutil.Error):
        return None
    return Owner(client)
