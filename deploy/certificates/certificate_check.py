"""Checking what somebody brings: a number, a QR code's text, a PDF or a credential.

A file's signature is checked offline; what has become of the certificate only the ledger knows.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

from consumers.api.trail_client import At, ask
from consumers.certificates.certificate import number_in_qr, number_of, short_digest
from consumers.certificates.credential import BYTES_MAX, Credential, opened, opened_pdf
from consumers.signing import keyring
from consumers.signing.keyring import KeyringError
from consumers.signing.notes import VerifierKey
from consumers.trail.store import TrailError
from deploy.certificates.certificate_errors import certificate_errors, refusal
from deploy.settings import Settings
from schemas.times import iso_date

EXIT_CODES: Mapping[str, int] = {
    "valid": 0,
    "unknown": 1,
    "refused": 1,
    "pending": 3,
    "offline": 3,
    "amended": 4,
    "superseded": 5,
    "revoked": 6,
    "withdrawn": 7,
}
"""State -> exit code. `unknown` is no number of this ledger; `pending` is genuine, and the ledger
has not come so far; `offline` is genuine, and no ledger is here to say what became of it."""

_PDF = b"%PDF-"


def check(settings: Settings, subject: str, keys: Sequence[Path]) -> dict[str, Any]:
    """State, figures and exit code as plain values, never a name; raises ShiluError.

    What is forged or cannot be read is an error, not a state.
    """
    with certificate_errors():
        path = Path(subject)
        if _is_file(path):
            return _about_file(settings, _opened(_content(path), _trusted(settings, keys)))
        scanned = number_in_qr(subject)
        number = scanned[0] if scanned else number_of(subject)
        answer = _ledger_says(settings, number) or {"number": number, "state": "unknown"}
        if scanned and "snapshot_sha256" in answer:
            issued = bytes.fromhex(answer["snapshot_sha256"])
            _require_same(number, scanned[1], short_digest(issued))
    return {"signed": None, **answer, "exit_code": EXIT_CODES[answer["state"]]}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a text too long to be a file's name
        return False


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise refusal("too_big", path.stat().st_size)
        return path.read_bytes()
    except OSError as error:
        raise refusal("unreadable", error) from error


def _opened(content: bytes, keys: Sequence[VerifierKey]) -> Credential:
    if content.startswith(_PDF):
        return opened_pdf(content, keys)
    return opened(content.decode("ascii", "replace").strip(), keys)


def _about_file(settings: Settings, found: Credential) -> dict[str, Any]:
    """A file that is genuine: what it says, and what has become of it."""
    snapshot, digest = found.snapshot, sha256(found.payload).hexdigest()
    said: dict[str, Any] = {
        "number": snapshot.number,
        "issuer_org": asdict(snapshot.org),
        "from_date": iso_date(snapshot.start_on),
        "to_date": iso_date(snapshot.end_on),
        "minutes": snapshot.minutes,
        "attendances": snapshot.attendances,
        "snapshot_sha256": digest,
        "supersedes": snapshot.supersedes,
    }
    try:
        answer = _ledger_says(settings, snapshot.number) or said | {"state": "pending"}
    except TrailError as error:
        if error.code != "trail_missing":
            raise
        answer = said | {"state": "offline"}
    if "snapshot_sha256" in answer:
        _require_same(snapshot.number, digest, answer["snapshot_sha256"])
    return {"signed": True, **answer, "exit_code": EXIT_CODES[answer["state"]]}


def _require_same(number: str, brought: str, issued: str) -> None:
    if brought != issued:
        raise refusal("snapshot_differs", number)


def _ledger_says(settings: Settings, number: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = ask(
        At(settings.place, settings.clickhouse), "certificate", number=number
    )
    return found


def _trusted(settings: Settings, keys: Sequence[Path]) -> list[VerifierKey]:
    """The keys that were named, and those that a rotation here leads to from them."""
    own: tuple[VerifierKey, ...] = ()
    known = [VerifierKey.parse(key.read_text("utf-8", "replace")) for key in keys]
    if not known:
        return list(keyring.public_keys(settings.place / "keys").keys)
    with suppress(KeyringError):
        public = keyring.public_keys(settings.place / "keys")
        own = tuple(k for key in known if key in public.keys for k in public.trusted_from(key))
    return [*known, *own]
