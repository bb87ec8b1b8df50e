"""Identity documents: one normal form for each, so that one document is one person.

GB 11643-1999 numbers (18 characters: six of the place, eight of the birth date, three of the
sequence, an ISO 7064 MOD 11-2 check character) are on the resident identity card, on the residence
permit of people from Hong Kong, Macau and Taiwan, and on the permanent residence card of
foreigners. The numbers of 15 digits ended with 2012 and are refused.

A foreigner's permanent residence card of the form of 2017 (three letters, twelve digits) holds
until it expires, after ten years at the latest; since December 2023 none is given out.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Final

from schemas.personal import PROVINCES, check_character
from vault.errors import Refused

RESIDENT_ID: Final = "resident_id"
RESIDENCE_2017: Final = "permanent_residence_2017"
TYPES: Final = (RESIDENT_ID, "passport", "hk_macau_permit", "taiwan_permit", RESIDENCE_2017)
LAST_DAYS: Final = {RESIDENCE_2017: date(2033, 11, 30)}
"""Older forms -> the day on which the last document of that form expires."""

_FORMS: Final = {
    RESIDENT_ID: re.compile(r"[0-9]{17}[0-9X]"),
    "passport": re.compile(r"[A-Z0-9]{5,17}"),
    # The ninth character ends the number of the person; two more count the cards.
    "hk_macau_permit": re.compile(r"([HM][0-9]{8})(?:[0-9]{2})?"),
    "taiwan_permit": re.compile(r"([0-9]{8})(?:[0-9]{2})?"),
    RESIDENCE_2017: re.compile(r"[A-Z]{3}[0-9]{12}"),
}
_COUNTRY: Final = re.compile(r"[A-Z]{3}")
_BETWEEN: Final = re.compile(r"[\s\-‐-―·]+")


@dataclass(frozen=True, slots=True, repr=False)
class Document:
    """A document in its normal form; `country` (ISO 3166 alpha-3) for passports alone."""

    type: str
    number: str
    country: str | None

    @property
    def normal(self) -> str:
        """What is hashed: equal for the same document however it was typed."""
        return f"{self.type}|{self.country or ''}|{self.number}"

    @property
    def born_on(self) -> date | None:
        """The birth date in the number, where there is one."""
        return _born_on(self.number) if self.type == RESIDENT_ID else None


def document(type_: object, number: object, country: object = None) -> Document:
    """A document as somebody wrote it -> its normal form; raises Refused."""
    if type_ not in TYPES or not isinstance(type_, str):
        raise Refused("document_type", "document.type")
    if not isinstance(number, str) or len(number) > 64:
        raise Refused("document_number", "document.number")
    found = _FORMS[type_].fullmatch(_BETWEEN.sub("", unicodedata.normalize("NFKC", number)).upper())
    if found is None:
        raise Refused("document_number", "document.number")
    written = found[found.lastindex or 0]
    if type_ == RESIDENT_ID:
        _require_resident(written)
    if type_ != "passport":
        if country is not None:
            raise Refused("document_country", "document.country")
        return Document(type_, written, None)
    if not isinstance(country, str) or _COUNTRY.fullmatch(country) is None:
        raise Refused("document_country", "document.country")
    return Document(type_, written, country)


def require_current(paper: Document, today: date) -> None:
    """Raises Refused for a document of a form of which every one has expired.

    Asked of new registrations: what is held was right when it was taken down.
    """
    last = LAST_DAYS.get(paper.type)
    if last is not None and today > last:
        raise Refused("document_expired", "document.type")


def _require_resident(number: str) -> None:
    if check_character(number[:17]) != number[17]:
        raise Refused("document_check", "document.number")
    if int(number[:2]) not in PROVINCES and number[0] != "9":
        raise Refused("document_number", "document.number")
    if _born_on(number) is None:
        raise Refused("document_date", "document.number")


def _born_on(number: str) -> date | None:
    try:
        return date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return None
