"""One person as somebody registers them: what is asked for, what is refused, what is shown.

Asked for is what a certificate and a telephone call need (PIPL articles 6 and 19), nothing more.
Under 14 the data themselves are sensitive: they are not even stored without a guardian's consent
(PIPL articles 28, 29 and 31).
"""

import json
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from vault.documents import RESIDENT_ID, Document, document
from vault.errors import Refused

GUARDED_BELOW_YEARS: Final = 14
_OLDEST_YEARS: Final = 130
_RELATIONS: Final = ("parent", "grandparent", "sibling", "other")

# As schemas.validity: no control characters, line separators, bidi marks, halves of pairs.
_NAME: Final = re.compile(
    r"[^\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]{1,64}"
)
_MOBILE: Final = re.compile(r"(?:\+?86)?(1[3-9][0-9]{9})")
_ABROAD: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_REGION: Final = re.compile(r"[1-9][0-9]{5}")
_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BETWEEN: Final = re.compile(r"[\s\-()‐-―]+")

_FIELDS: Final = ("name", "document", "born_on", "phone", "region", "guardian")


@dataclass(frozen=True, slots=True, repr=False)
class Guardian:
    """Who consents for a person under 14."""

    name: str
    phone: str
    relation: str
    consented_on: date


@dataclass(frozen=True, slots=True, repr=False)
class Person:
    """What the vault holds of a person. Has no repr: nothing of it may get into a message."""

    name: str
    document: Document
    born_on: date
    phone: str | None
    region: str | None
    guardian: Guardian | None

    def fields(self) -> dict[str, str]:
        """Field -> its text, as it is sealed; empty ones are left out."""
        guardian, paper = self.guardian, self.document
        said = {
            "name": self.name,
            "document": _json({"type": paper.type, "number": paper.number,
                               "country": paper.country}),
            "born_on": self.born_on.isoformat(),
            "phone": self.phone,
            "region": self.region,
            "guardian": None if guardian is None else _json(
                {"name": guardian.name, "phone": guardian.phone, "relation": guardian.relation,
                 "consented_on": guardian.consented_on.isoformat()}),
        }  # fmt: skip
        return {name: text for name, text in said.items() if text is not None}


@dataclass(frozen=True, slots=True)
class Registration:
    """What became of one person: `registered`, `known`, `corrected`, or `refused` with code and
    field."""

    status: str
    volunteer_id: str | None = None
    code: str | None = None
    field: str | None = None


def plain(fields: Mapping[str, str]) -> dict[str, Any]:
    """The sealed texts of a person -> values as they are exported."""
    return {
        name: json.loads(text) if name in ("document", "guardian") else text
        for name, text in fields.items()
    }


def person(raw: object, today: date) -> Person:
    """A registration as JSON gave it -> a person; raises Refused, which never says the value."""
    if not isinstance(raw, dict):
        raise Refused("not_an_object", "")
    _require_known(raw, _FIELDS, "")
    paper = _document(raw.get("document"))
    born_on = paper.born_on
    if raw.get("born_on") is not None or born_on is None:
        said = _day(raw.get("born_on"), "born_on")
        if born_on is not None and born_on != said:
            raise Refused("born_differs", "born_on")
        born_on = said
    if not date(today.year - _OLDEST_YEARS, 1, 1) <= born_on <= today:
        raise Refused("born_on", "born_on")
    phone, region = raw.get("phone"), raw.get("region")
    if region is not None and (not isinstance(region, str) or not _REGION.fullmatch(region)):
        raise Refused("region", "region")
    return Person(
        _name(raw.get("name"), "name"),
        paper,
        born_on,
        None if phone is None else _phone(phone, "phone"),
        region,
        _guardian(raw.get("guardian"), guarded(born_on, today), today),
    )


def corrected(held: Mapping[str, Any], changes: object, today: date) -> dict[str, Any]:
    """A registration with some of its values replaced, as `person` takes it; raises Refused.

    A resident's number brings its own birth date; who has grown up needs no guardian any more.
    """
    if not isinstance(changes, dict):
        raise Refused("not_an_object", "")
    raw = dict(held) | changes
    paper = raw.get("document")
    if "born_on" not in changes and isinstance(paper, dict) and paper.get("type") == RESIDENT_ID:
        raw.pop("born_on", None)
    if "guardian" not in changes and not guarded(date.fromisoformat(held["born_on"]), today):
        raw.pop("guardian", None)
    return raw


def guarded(born_on: date, today: date) -> bool:
    """Is somebody under 14? On the birthday itself still, as courts count (法释〔2006〕1号, 2)."""
    year = born_on.year + GUARDED_BELOW_YEARS
    try:
        birthday = born_on.replace(year=year)
    except ValueError:  # 29 February
        birthday = date(year, 3, 1)
    return today <= birthday


def masked(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The values of `plain` as they are shown to whoever has no reason to see more."""
    shown = dict(fields)
    shown["name"] = mask_name(fields["name"])
    shown["document"] = fields["document"] | {"number": mask_number(fields["document"]["number"])}
    shown["born_on"] = fields["born_on"][:8] + "**"
    if "phone" in fields:
        shown["phone"] = mask_phone(fields["phone"])
    if "guardian" in fields:
        guardian = fields["guardian"]
        shown["guardian"] = guardian | {
            "name": mask_name(guardian["name"]),
            "phone": mask_phone(guardian["phone"]),
        }
    return shown


def mask_name(name: str) -> str:
    """张三 -> 张*."""
    return name[:1] + "*" * max(1, len(name) - 1)


def mask_number(number: str) -> str:
    """110***********1234; of a short number only the first and the last two characters."""
    head, tail = (3, 4) if len(number) >= 15 else (1, 2)
    return number[:head] + "*" * (len(number) - head - tail) + number[-tail:]


def mask_phone(phone: str) -> str:
    """138****5678."""
    return phone[:3] + "*" * (len(phone) - 7) + phone[-4:]


def says_of(fields: Mapping[str, Any], text: str) -> bool:
    """Does a text say anything by which this person, or their guardian, is known?"""
    guardian = fields.get("guardian") or {}
    known = (fields["name"], fields["document"]["number"], fields.get("phone"),
             guardian.get("name"), guardian.get("phone"))  # fmt: skip
    words = [_bare(word) for word in known if word]
    # Two Latin letters are in half of all sentences; two characters are a name.
    return any(word in _bare(text) for word in words if len(word.encode()) > 3)


def _bare(text: str) -> str:
    return _BETWEEN.sub("", unicodedata.normalize("NFKC", text)).upper()


def _guardian(raw: object, needed: bool, today: date) -> Guardian | None:
    if raw is None:
        if needed:
            raise Refused("guardian_missing", "guardian")
        return None
    if not needed:
        # Of a grown-up nobody else's data are needed, so they are not taken.
        raise Refused("guardian_not_needed", "guardian")
    if not isinstance(raw, dict):
        raise Refused("not_an_object", "guardian")
    _require_known(raw, ("name", "phone", "relation", "consented_on"), "guardian")
    if raw.get("relation") not in _RELATIONS:
        raise Refused("relation", "guardian.relation")
    if raw.get("consented_on") is None:
        raise Refused("consent_missing", "guardian.consented_on")
    consented_on = _day(raw["consented_on"], "guardian.consented_on")
    if consented_on > today:
        raise Refused("consent_missing", "guardian.consented_on")
    name, phone = raw.get("name"), raw.get("phone")
    return Guardian(_name(name, "guardian.name"), _phone(phone, "guardian.phone"),
                    raw["relation"], consented_on)  # fmt: skip


def _document(raw: object) -> Document:
    if not isinstance(raw, dict):
        raise Refused("not_an_object", "document")
    _require_known(raw, ("type", "number", "country"), "document")
    return document(raw.get("type"), raw.get("number"), raw.get("country"))


def _require_known(raw: Mapping[str, object], allowed: tuple[str, ...], field: str) -> None:
    if not set(raw) <= set(allowed):
        # Not which one: a name may stand where a field's name should.
        raise Refused("unknown_field", field)


def _name(raw: object, field: str) -> str:
    if not isinstance(raw, str):
        raise Refused("name", field)
    name = " ".join(unicodedata.normalize("NFC", raw).split())
    if _NAME.fullmatch(name) is None:
        raise Refused("name", field)
    return name


def _phone(raw: object, field: str) -> str:
    if not isinstance(raw, str) or len(raw) > 32:
        raise Refused("phone", field)
    bare = _bare(raw)
    mobile = _MOBILE.fullmatch(bare)
    if mobile is None and _ABROAD.fullmatch(bare) is None:
        raise Refused("phone", field)
    return mobile[1] if mobile else bare


def _day(raw: object, field: str) -> date:
    try:
        if isinstance(raw, str) and _DAY.fullmatch(raw):
            return date.fromisoformat(raw)
    except ValueError:
        pass
    raise Refused("born_on" if field == "born_on" else "day", field) from None


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps({k: v for k, v in value.items() if v is not None}, ensure_ascii=False)
