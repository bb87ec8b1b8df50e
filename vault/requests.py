"""What may be asked of a vault, by name, with plain JSON values in and out.

The command asks an open vault and the process that has one in the same words.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

from schemas.events import Actor, VaultAccessed
from schemas.wire.jsonform import to_json
from vault.errors import VaultError
from vault.journal import Why
from vault.vault import Vault

PEOPLE_AT_A_TIME: Final = 500
"""Most people of one `register`: it is one transaction, and others wait for its end."""

Arguments = Mapping[str, object]


def perform(vault: Vault, request: str, arguments: Arguments) -> Any:
    """Answer one request; raises VaultError, for a wrong one `bad_request` naming the argument."""
    action = _REQUESTS.get(request)
    if action is None:
        raise VaultError("bad_request", ", ".join(_REQUESTS))
    return action(vault, arguments)


def _register(vault: Vault, arguments: Arguments) -> Any:
    people = arguments.get("people")
    if not isinstance(people, list) or len(people) > PEOPLE_AT_A_TIME:
        raise VaultError("bad_request", f"people: a list of at most {PEOPLE_AT_A_TIME}")
    return [asdict(found) for found in vault.register(people, _actor(arguments))]


def _correct(vault: Vault, arguments: Arguments) -> Any:
    changes, name = arguments.get("changes"), _text(arguments, "volunteer_id")
    return asdict(vault.correct(name, changes, _why(arguments)))


def _show(vault: Vault, arguments: Arguments) -> Any:
    name = _text(arguments, "volunteer_id")
    if arguments.get("unmask") is True:
        return vault.unmask(name, _why(arguments))
    return vault.show(name)


def _name(vault: Vault, arguments: Arguments) -> Any:
    return vault.name(_text(arguments, "volunteer_id"), _why(arguments))


def _export(vault: Vault, arguments: Arguments) -> Any:
    found = vault.export(_text(arguments, "volunteer_id"), _why(arguments))
    return found | {"accesses": [_access(*access) for access in found["accesses"]]}


def _access(event: VaultAccessed, reason: str | None) -> dict[str, Any]:
    said = to_json(event)
    kept = ("entry_no", "occurred_at", "action", "purpose", "opened", "actor")
    return {name: said[name] for name in kept} | {"reason": reason}


def _forget(vault: Vault, arguments: Arguments) -> Any:
    return vault.forget(_text(arguments, "volunteer_id"), _why(arguments))


def _status(vault: Vault, arguments: Arguments) -> Any:
    return vault.status()


def _entries(vault: Vault, arguments: Arguments) -> Any:
    return [value.hex() for value in vault.entries()]


def _rotate(vault: Vault, arguments: Arguments) -> Any:
    return vault.rotate()


def _catch_up(vault: Vault, arguments: Arguments) -> Any:
    try:
        entries = [bytes.fromhex(value) for value in _texts(arguments, "entries")]
    except ValueError:
        raise VaultError("bad_request", "entries") from None
    return vault.catch_up(entries, _texts(arguments, "erased"))


_REQUESTS: Final[Mapping[str, Callable[[Vault, Arguments], Any]]] = {
    "register": _register,
    "correct": _correct,
    "show": _show,
    "name": _name,
    "export": _export,
    "forget": _forget,
    "status": _status,
    "entries": _entries,
    "rotate": _rotate,
    "catch_up": _catch_up,
}


def _why(arguments: Arguments) -> Why:
    reason = arguments.get("reason")
    if reason is not None and not isinstance(reason, str):
        raise VaultError("bad_request", "reason")
    return Why(_actor(arguments), _text(arguments, "purpose"), reason)


def _actor(arguments: Arguments) -> Actor:
    given = arguments.get("actor")
    if not isinstance(given, dict) or not set(given) <= {"id", "role", "org_id"}:
        raise VaultError("bad_request", "actor")
    org_id = None if given.get("org_id") is None else _text(given, "org_id")
    return Actor(_text(given, "id"), _text(given, "role"), org_id)


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    if not isinstance(value, str) or len(value) > 1000:
        raise VaultError("bad_request", name)
    return value


def _texts(arguments: Arguments, name: str) -> list[str]:
    values = arguments.get(name)
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise VaultError("bad_request", name)
    return values
