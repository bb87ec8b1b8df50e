"""Issuing and revoking: what the trail answers becomes files for the holder and an event."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from consumers.api.trail_client import At, ask
from consumers.certificates.certificate import (
    RANDOM_BYTES,
    Named,
    Row,
    Sealed,
    Snapshot,
    new_number,
    payload_of,
    qr_text,
    short_digest,
)
from consumers.certificates.certificate_page import Attached, BadFont, NoGlyph, page
from consumers.certificates.credential import placeholder, sealed, sign
from consumers.seal.proofs import prove
from consumers.signing import keyring
from consumers.signing.lasting import put
from consumers.signing.notes import Checkpoint, SignerKey
from deploy.certificates.certificate_errors import certificate_errors, refusal
from deploy.errors import ShiluError
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.terminal.console import broker_errors
from producers.client import Client
from producers.connection import require_topics
from producers.errors import ProducerError
from producers.ids import new_event_id
from schemas.events import Actor, CertificateIssued, CertificateRevoked
from schemas.reasons import REASONS
from schemas.times import iso_date
from schemas.topics import RECOGNITION

_APP = "shilu"
_SEAL_FILE = "page.seal"


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks to be certified; days since 1970, both included."""

    volunteer_id: str
    org_id: str
    from_date: int | None
    to_date: int | None
    supersedes: str | None
    successor_id: str | None
    by: str | None
    with_proofs: bool


Name = Callable[[str], str]
"""The certificate's number -> the name to print. Asked for once it is clear that one is issued."""


def issue(
    settings: Settings, wish: Wish, name: Name, out: Path, font: Path | None
) -> dict[str, Any]:
    """Write the files and send the event; what was issued as plain values. Raises ShiluError.

    The files come first: an event without them would be a certificate that nobody has.
    """
    if out.suffix != ".pdf":
        raise refusal("out_form", out)
    for path in (out, *_beside(out)):
        if path.exists():
            raise refusal("out_exists", path)
    with certificate_errors(), broker_errors():
        key = keyring.load(settings.place / "keys")
        address = bootstrap(settings)
        require_topics(address, [RECOGNITION])
        found = _certifiable(settings, wish)
        proofs = _proofs(settings, found["postings"]) if wish.with_proofs else {}
        now = time.time_ns()
        snapshot = _snapshot(found, wish, key, _heads(proofs), now // 10**9)
        payload = payload_of(snapshot)
        qr = qr_text(settings.check_url, snapshot.number, payload)
        printed = name(snapshot.number)
        pdf, token = _signed(snapshot, payload, printed, qr, proofs, key, font)
        event = _event(snapshot, payload, wish, now // 1000)
        with _client(settings, address) as client:
            files = _write(out, pdf, token, proofs)
            _send(client, event)
    return {
        "number": snapshot.number,
        "volunteer_id": snapshot.volunteer_id,
        "issuer_org": found["org"],
        "from_date": iso_date(snapshot.start_on),
        "to_date": iso_date(snapshot.end_on),
        "minutes": snapshot.minutes,
        "attendances": snapshot.attendances,
        "supersedes": snapshot.supersedes,
        "snapshot_sha256": event.snapshot_sha256,
        "qr": qr,
        "proofs": len(proofs),
        "files": [str(file) for file in files],
        "event_id": event.event_id,
    }


def revoke(
    settings: Settings, number: str, reason: str, successor_id: str | None, by: str | None
) -> dict[str, Any]:
    """Send the revocation of a certificate; raises ShiluError."""
    at = At(settings.place, settings.clickhouse)
    with certificate_errors(), broker_errors():
        address = bootstrap(settings)
        require_topics(address, [RECOGNITION])
        holder = ask(at, "certificate_holder", number=number)
        if holder is None:
            raise refusal("certificate_unknown", number)
        org_id = holder["issuer_org_id"]
        refused = ask(
            at, "certificate_refusal", volunteer_id=holder["volunteer_id"], org_id=org_id,
            successor_id=successor_id, actor_id=by,
        )  # fmt: skip
        _require_accepted(refused, org_id, successor_id)
        event = CertificateRevoked(
            new_event_id(), holder["volunteer_id"], number, org_id, reason,
            time.time_ns() // 1000, None, "admin", None, _APP, False,
            _actor(org_id, successor_id, by), (),
        )  # fmt: skip
        with _client(settings, address) as client:
            _send(client, event)
    return {"number": number, "reason": reason, "event_id": event.event_id}


def _certifiable(settings: Settings, wish: Wish) -> dict[str, Any]:
    at = At(settings.place, settings.clickhouse)
    found: dict[str, Any] = ask(
        at, "certifiable", volunteer_id=wish.volunteer_id, org_id=wish.org_id,
        from_date=wish.from_date, to_date=wish.to_date, successor_id=wish.successor_id,
        actor_id=wish.by,
    )  # fmt: skip
    if found["erased"]:
        raise refusal("holder_erased", wish.volunteer_id)
    if found["merged_into"] is not None:
        raise refusal("holder_merged", wish.volunteer_id, found["merged_into"])
    if not found["sequence"]:
        raise refusal("holder_unknown", wish.volunteer_id)
    _require_accepted(found["refused"], wish.org_id, wish.successor_id)
    if not found["rows"]:
        raise refusal("nothing_to_certify", wish.volunteer_id, wish.org_id)
    if wish.supersedes is not None:
        _require_own(at, wish)
    return found


def _require_accepted(code: str | None, org_id: str, successor_id: str | None) -> None:
    """Nothing is signed or sent that the ledger would refuse."""
    if code == "not_for_org" and successor_id is not None:
        raise refusal("no_successor", successor_id, org_id)
    if code is not None:
        said = REASONS[code]
        raise ShiluError(code, said.zh, said.en)


def _require_own(at: At, wish: Wish) -> None:
    """A certificate replaces one of the same volunteer and the same organisation."""
    assert wish.supersedes is not None
    holder = ask(at, "certificate_holder", number=wish.supersedes)
    if holder is None:
        raise refusal("certificate_unknown", wish.supersedes)
    if holder != {"volunteer_id": wish.volunteer_id, "issuer_org_id": wish.org_id}:
        raise refusal("another_certificate", wish.supersedes)


def _proofs(settings: Settings, postings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """File name -> proof, of each posting that moved the minutes."""
    return {
        f"p{one['partition']}-{one['index']:010}.tlog-proof": prove(
            settings.place / "seal" / f"p{one['partition']}",
            one["index"],
            bytes.fromhex(one["value_hex"]),
        )
        for one in postings
    }


def _heads(proofs: Mapping[str, str]) -> tuple[Sealed, ...]:
    """The newest tree head of each log that the proofs lead to."""
    heads = dict[str, int]()
    for text in proofs.values():
        note = text.partition("\n\n")[2]
        said = Checkpoint.parse(note.rpartition("\n\n")[0] + "\n")
        heads[said.origin] = max(said.size, heads.get(said.origin, 0))
    return tuple(Sealed(origin, size) for origin, size in sorted(heads.items()))


def _snapshot(
    found: Mapping[str, Any], wish: Wish, key: SignerKey, heads: tuple[Sealed, ...], now: int
) -> Snapshot:
    rows = tuple(Row(**row) for row in found["rows"])
    days = [row.service_date for row in rows]
    return Snapshot(
        number=new_number(os.urandom(RANDOM_BYTES)),
        issuer=key.name,
        issued_at=now,
        volunteer_id=wish.volunteer_id,
        org=Named(**found["org"]),
        successor=None if found["successor"] is None else Named(**found["successor"]),
        start_on=min(days) if wish.from_date is None else wish.from_date,
        end_on=max(days) if wish.to_date is None else wish.to_date,
        sequence=found["sequence"],
        rows=rows,
        projects=tuple(Named(**one) for one in found["projects"]),
        sealed=heads,
        supersedes=wish.supersedes,
        salt=short_digest(os.urandom(32)),
    )


def _signed(
    snapshot: Snapshot,
    payload: bytes,
    name: str,
    qr: str,
    proofs: Mapping[str, str],
    key: SignerKey,
    font: Path | None,
) -> tuple[bytes, str]:
    """The PDF with everything in it, and the credential."""
    token = sign(payload, key)
    gap = placeholder(snapshot.number, key)
    attached = [
        Attached("certificate.jwt", token.encode(), "application/jwt", "签名凭证"),
        *(
            Attached(file, text.encode(), "text/plain", "台账封存证明")
            for file, text in proofs.items()
        ),
        Attached("page.seal", gap, "application/jwt", "整个文件的封印"),
    ]
    try:
        pdf = page(snapshot, name, qr, attached, font)
    except BadFont as error:
        raise refusal("bad_font", error) from error
    except NoGlyph as error:
        found = " ".join(f"{c} (U+{ord(c):04X})" for c in error.characters)
        raise refusal("no_glyph", found) from error
    return sealed(pdf, snapshot.number, key), token


def _beside(out: Path) -> tuple[Path, Path]:
    """Where the credential and the folder of proofs go."""
    return out.with_suffix(".jwt"), out.with_suffix(".proofs")


def _write(out: Path, pdf: bytes, token: str, proofs: Mapping[str, str]) -> list[Path]:
    """The PDF, the credential and a folder of proofs beside it; what was written."""
    credential, folder = _beside(out)
    try:
        for file, text in proofs.items():
            put((folder / file).absolute(), text.encode())
        put(credential.absolute(), token.encode())
        put(out.absolute(), pdf)
    except OSError as error:
        raise refusal("not_written", error) from error
    return [out, credential, *([folder] if proofs else [])]


def _event(snapshot: Snapshot, payload: bytes, wish: Wish, now: int) -> CertificateIssued:
    head = snapshot.sealed[0] if snapshot.sealed else None
    return CertificateIssued(
        event_id=new_event_id(),
        volunteer_id=snapshot.volunteer_id,
        certificate_id=snapshot.number,
        issuer_org_id=wish.org_id,
        start_on=snapshot.start_on,
        end_on=snapshot.end_on,
        minutes=snapshot.minutes,
        attendances=snapshot.attendances,
        snapshot_sha256=sha256(payload).hexdigest(),
        supersedes_id=snapshot.supersedes,
        checkpoint_origin=head.origin if head else None,
        checkpoint_size=head.size if head else None,
        occurred_at=now,
        sent_at=None,
        channel="admin",
        device_id=None,
        app=_APP,
        offline=False,
        actor=_actor(wish.org_id, wish.successor_id, wish.by),
        evidence=(),
    )


def _actor(org_id: str, successor_id: str | None, by: str | None) -> Actor:
    """Who acts for the recording organisation; for one that has ended, its successor."""
    acting = successor_id or org_id
    return Actor(by or acting, "organiser", acting)


def _client(settings: Settings, address: str) -> Client:
    """Raises OutboxInUse while another command issues or revokes."""
    folder = settings.place / "certificates"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return Client(address, folder / "outbox.db")


def _send(client: Client, event: CertificateIssued | CertificateRevoked) -> None:
    client.send(event)
    try:
        client.flush()
    except ProducerError as error:
        raise refusal("not_in_the_log", event.certificate_id, error) from error
