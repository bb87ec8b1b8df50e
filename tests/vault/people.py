"""Made-up people, and every form in which somebody might write what they are known by."""

import base64
import json
import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from schemas.personal import check_character

ADULT = {
    "name": "欧阳测试甲",
    "document": {"type": "resident_id", "number": "11010519491231002X"},
    "phone": "138 0013 8000",
    "region": "110105",
}
"""The number is an example of GB 11643-1999 itself."""

TRAVELLER = {
    "name": "Perpetua Exemplaria",
    "document": {"type": "passport", "number": "X9Z8Y7W6V", "country": "UTO"},
    "born_on": "1974-08-12",
    "phone": "+85291234567",
}
"""UTO is the issuing state of ICAO's own examples."""


def numbered(first17: str) -> str:
    """A resident's number with its check character."""
    return first17 + check_character(first17)


CHILD = {
    "name": "司马测试乙",
    "document": {"type": "resident_id", "number": numbered("44052420180101001")},
    "guardian": {
        "name": "司马测试丙",
        "phone": "13912345678",
        "relation": "parent",
        "consented_on": "2025-01-02",
    },
}


def somebody(rng: random.Random) -> dict[str, Any]:
    """A grown-up with a number of their own."""
    year, serial = rng.randrange(1940, 2005), rng.randrange(1000)
    number = numbered(f"440104{year}0{rng.randrange(1, 10)}1{rng.randrange(10)}{serial:03d}")
    given = "".join(rng.choices("安柏川德恩方谷和嘉可", k=3))
    phone = f"13{rng.randrange(10**9):09d}"
    document = {"type": "resident_id", "number": number}
    return {"name": f"测试{given}", "document": document, "phone": phone}


def secrets_of(person: dict[str, Any]) -> list[str]:
    """Every text of a registration by which somebody is known, bare and as it was typed."""
    guardian = person.get("guardian", {})
    said = [person["name"], person["document"]["number"], person.get("phone"),
            guardian.get("name"), guardian.get("phone")]  # fmt: skip
    number = person["document"]["number"]
    if person["document"]["type"] == "resident_id":
        said.append(f"{number[6:10]}-{number[10:12]}-{number[12:14]}")
    else:
        said.append(person["born_on"])
    found = [text for text in said if text]
    return [*found, *(text.replace(" ", "") for text in found if " " in text and text.isascii()
                      and any(c.isdigit() for c in text))]  # fmt: skip


def forms(secret: str) -> Iterator[bytes]:
    """The bytes of a text in the encodings that hide it from a plain search; lower case."""
    for encoding in ("utf-8", "utf-16-le", "utf-16-be", "gb18030"):
        raw = secret.encode(encoding)
        yield raw.lower()
        yield raw.hex().encode()
        for alphabet in (base64.b64encode, base64.urlsafe_b64encode):
            for shift in range(3):
                # What comes before decides where the text lies in the groups of three bytes.
                coded = alphabet(bytes(shift) + raw)
                first, whole = (0, 2, 3)[shift], (shift + len(raw)) * 8 // 6
                yield coded[first:whole].lower()
    yield quote(secret).lower().encode()
    yield json.dumps(secret)[1:-1].lower().encode()


def leaks(secrets: Iterable[str], haystacks: Iterable[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """(place, secret) of every secret found in any form, letters' case aside."""
    wanted = [(secret, set(forms(secret))) for secret in secrets]
    found = []
    for place, haystack in haystacks:
        low = haystack.lower()
        found += [(place, secret) for secret, all_ in wanted if any(f in low for f in all_)]
    return found


def files_of(*folders: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below some folders; of Kafka's, not the preallocated indexes of numbers."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.suffix not in (".index", ".timeindex"):
                yield str(path), path.read_bytes()
