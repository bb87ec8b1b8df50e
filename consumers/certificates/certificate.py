"""A certificate of service: its number, what it says, what it is worth today. Pure.

It says what one organisation has recorded of one volunteer over a span of days (Order 67, articles
14 to 17), as the ledger was at one moment. That never changes; whether it still holds may.
"""

import json
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Literal

from schemas.wire.strictjson import loads

State = Literal["valid", "amended", "superseded", "revoked", "withdrawn", "refused", "pending"]

RANDOM_BYTES = 10
"""How many random bytes a number takes: nobody can guess one, and none is drawn twice."""

_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_LOOK_ALIKE = str.maketrans("OIL", "011")
_NUMBER_SYMBOLS = 16
_SHORT = 22
_SCHEME = "shilu:"
_QR = re.compile(r"(?:.*[/:])?([0-9A-Za-z-]{16,19})#([A-Za-z0-9_-]{22})")


class BadNumber(Exception):
    """Text that is no certificate number; `mistyped` where only the check symbol is wrong."""

    def __init__(self, text: str, *, mistyped: bool) -> None:
        super().__init__(text[:80])
        self.mistyped = mistyped


@dataclass(frozen=True, slots=True)
class Row:
    """Effective minutes of one activity on one local day (days since 1970); more than none."""

    project_id: str
    activity_id: str
    service_date: int
    kind: str
    minutes: int


@dataclass(frozen=True, slots=True)
class Named:
    """An organisation or a project as the catalogue calls it; `name` and `field` may be empty."""

    id: str
    name: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The signed tree head that covers the certified postings of a log."""

    origin: str
    size: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What is certified: `rows` as the ledger had them after the volunteer's posting `sequence`.

    `successor` certifies for an `org` that has ended. `issued_at` in seconds since 1970; `salt`
    keeps the digest from being guessed.
    """

    number: str
    issuer: str
    issued_at: int
    volunteer_id: str
    org: Named
    successor: Named | None
    start_on: int
    end_on: int
    sequence: int
    rows: tuple[Row, ...]
    projects: tuple[Named, ...]
    sealed: tuple[Sealed, ...]
    supersedes: str | None
    salt: str

    @property
    def minutes(self) -> int:
        """All that is certified."""
        return sum(row.minutes for row in self.rows)

    @property
    def attendances(self) -> int:
        """Distinct activities and local days."""
        return attendances(self.rows)

    def minutes_of(self, kind: str) -> int:
        """The part of one kind: manual and imported minutes are always told apart (I9)."""
        return sum(row.minutes for row in self.rows if row.kind == kind)


def attendances(rows: Iterable[Row]) -> int:
    """Distinct pairs of activity and local day that have minutes."""
    return len({(row.activity_id, row.service_date) for row in rows})


def new_number(random: bytes) -> str:
    """A certificate number from RANDOM_BYTES random bytes, with its check symbol."""
    drawn = int.from_bytes(random, "big") >> 5
    data = [drawn >> 5 * place & 31 for place in reversed(range(_NUMBER_SYMBOLS - 1))]
    return _written([*data, _check(data)])


def number_of(text: str) -> str:
    """A number as a person types it, in the form in which it is kept; raises BadNumber.

    Case, blanks and dashes do not matter, nor O for 0, I and L for 1. Any one wrong symbol and any
    two that are swapped are noticed.
    """
    bare = re.sub(r"[\s-]", "", text).upper().translate(_LOOK_ALIKE)
    if len(bare) != _NUMBER_SYMBOLS or any(symbol not in _SYMBOLS for symbol in bare):
        raise BadNumber(text, mistyped=False)
    values = [_SYMBOLS.index(symbol) for symbol in bare]
    if _check(values[:-1]) != values[-1]:
        raise BadNumber(text, mistyped=True)
    return _written(values)


def _check(values: Sequence[int]) -> int:
    """Damm's scheme over the field of 32 elements: every place weighs differently."""
    check = 0
    for value in values:
        check = (check ^ value) << 1
        check ^= 0b100101 if check & 32 else 0
    return check


def _written(values: Sequence[int]) -> str:
    symbols = "".join(_SYMBOLS[value] for value in values)
    return "-".join(symbols[at : at + 4] for at in range(0, _NUMBER_SYMBOLS, 4))


def qr_text(check_url: str, number: str, payload: bytes) -> str:
    """What the QR code says: where to ask, the number and a short digest; nothing of the person.

    The digest comes after `#`, so that no web server is told of it.
    """
    front = f"{check_url.rstrip('/')}/" if check_url else _SCHEME
    return f"{front}{number}#{short_digest(sha256(payload).digest())}"


def number_in_qr(text: str) -> tuple[str, str] | None:
    """Number and short digest in a QR code's text, None for other text; raises BadNumber."""
    match = _QR.fullmatch(text.strip())
    return None if match is None else (number_of(match[1]), match[2])


def short_digest(digest: bytes) -> str:
    """132 bits of a digest, for people and QR codes."""
    return urlsafe_b64encode(digest).decode()[:_SHORT]


def payload_of(snapshot: Snapshot) -> bytes:
    """The snapshot as the claims of a JWT: the bytes whose digest the ledger keeps."""
    said = asdict(snapshot)
    claims = {
        "jti": said.pop("number"),
        "iss": said.pop("issuer"),
        "iat": said.pop("issued_at"),
        "sub": said.pop("volunteer_id"),
        "service": said,
    }
    return json.dumps(claims, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def snapshot_in(payload: bytes) -> Snapshot:
    """The snapshot of a payload; raises ValueError for any other bytes."""
    try:
        claims = loads(payload)
        said = claims["service"]
        found = Snapshot(
            number=number_of(claims["jti"]),
            issuer=claims["iss"],
            issued_at=claims["iat"],
            volunteer_id=claims["sub"],
            **said
            | {
                "org": Named(**said["org"]),
                "successor": said["successor"] and Named(**said["successor"]),
                "rows": tuple(Row(**row) for row in said["rows"]),
                "projects": tuple(Named(**one) for one in said["projects"]),
                "sealed": tuple(Sealed(**one) for one in said["sealed"]),
            },
        )
    except (BadNumber, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"no certificate: {error}") from None
    if payload_of(found) != payload:
        raise ValueError("no certificate: not written as we write it")
    return found


@dataclass(frozen=True, slots=True)
class Change:
    """What a day's minutes of an activity were when it was certified, and what they are now."""

    project_id: str
    activity_id: str
    service_date: int
    kind: str
    minutes: int
    minutes_now: int


def changes(then: Iterable[Row], now: Iterable[Row]) -> list[Change]:
    """Where the ledger now says otherwise than a certificate, in the order of the days."""
    before = {_place(row): row.minutes for row in then}
    after = {_place(row): row.minutes for row in now}
    return [
        Change(*place, before.get(place, 0), after.get(place, 0))
        for place in sorted(before.keys() | after.keys(), key=lambda p: (p[2], p))
        if before.get(place, 0) != after.get(place, 0)
    ]


def _place(row: Row) -> tuple[str, str, int, str]:
    return row.project_id, row.activity_id, row.service_date, row.kind


@dataclass(frozen=True, slots=True)
class Known:
    """What the ledger knows of a certificate. `outcome` is '' while the worker has not judged it.

    `superseded_by` is the number of a posted certificate that replaces it, `revoked_for` the
    reason of a posted revocation.
    """

    outcome: str
    erased: bool
    revoked_for: str | None
    superseded_by: str | None
    changed: bool


def state_of(known: Known) -> State:
    """The gravest that can be said of a certificate; what was certified stays as it is (I11)."""
    if known.erased:
        return "withdrawn"
    if known.outcome in ("", "held"):
        return "pending"
    if known.outcome != "posted":
        return "refused"
    if known.revoked_for is not None:
        return "revoked"
    if known.superseded_by is not None:
        return "superseded"
    return "amended" if known.changed else "valid"
