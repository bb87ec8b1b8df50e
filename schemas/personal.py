"""Does a text hold what a person is known by? Events carry pseudonyms; people are in the vault.

Looked for are numbers that can be told by themselves: a resident identity number (GB 11643-1999,
18 characters with a date and a check character that fit, or 15 digits of before 2013 with a date
that fits) and a mobile number of the mainland. In an id, any Chinese character as well: what makes
ids writes none, so it is a name. docs/decisions/0028 says how often another number is mistaken.
"""

import re
from datetime import date
from typing import Final

PROVINCES: Final = frozenset(
    {*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55)}
    | {*range(61, 66), 71, 81, 82, 83}
)
"""First two digits of a resident identity number; 9 begins that of a foreigner."""

_WEIGHTS: Final = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS: Final = "10X98765432"

_NUMBER: Final = re.compile(
    r"(?<![0-9])(?:[0-9]{17}[0-9Xx]|[0-9]{15}|(?:86)?1[3-9][0-9]{9})(?![0-9])"
)
# As people write them down, in groups; nothing else is grouped like this.
_GROUPED: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:[0-9]{6}[-_ ][0-9]{4}[-_ ]?[0-9]{4}[-_ ][0-9]{3}[0-9Xx]"
    r"|(?:86[-_ ]?)?1[3-9][0-9][-_ ][0-9]{4}[-_ ][0-9]{4})(?![0-9A-Za-z])"
)
_BETWEEN: Final = re.compile(r"[-_ ]")
_WORD: Final = re.compile(r"[0-9A-Za-z]*")
_HEX_LETTER: Final = re.compile(r"[0-9]*[A-Fa-f][0-9A-Fa-f]*")
_FULL_WIDTH: Final = {0xFF10 + digit: str(digit) for digit in range(10)} | {
    0xFF38: "X",
    0xFF58: "x",
}
_HAN: Final = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003347f]")


def check_character(first17: str) -> str:
    """The last character of a GB 11643 number, from the 17 digits before it."""
    total = 0
    for weight, digit in zip(_WEIGHTS, first17, strict=True):
        total += weight * int(digit)
    return _CHECKS[total % 11]


def has_number(text: str) -> bool:
    """Does a text hold a resident identity number, or a mobile number of the mainland?"""
    if not text.isascii():
        text = text.translate(_FULL_WIDTH)
    for found in _NUMBER.finditer(text):
        if _is_number(found.group()) and not _is_hash(text, found.start()):
            return True
    return any(_is_number(_BETWEEN.sub("", found.group())) for found in _GROUPED.finditer(text))


def has_name(text: str) -> bool:
    """Does a text that ought to be an id or a code hold Chinese characters?"""
    return not text.isascii() and _HAN.search(text) is not None


def _is_number(digits: str) -> bool:
    if len(digits) == 18:
        if int(digits[:2]) not in PROVINCES and digits[0] != "9":
            return False
        fits = digits[6:8] in ("19", "20") and _is_date(digits[6:14])
        return fits and check_character(digits[:17]) == digits[17].upper()
    if len(digits) == 15:
        return int(digits[:2]) in PROVINCES and _is_date("19" + digits[6:12])
    return True


def _is_date(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


def _is_hash(text: str, start: int) -> bool:
    """Is it a run of digits in a longer hexadecimal word? Of random ones some have such runs."""
    while start > 0 and text[start - 1].isascii() and text[start - 1].isalnum():
        start -= 1
    word = _WORD.match(text, start)
    return word is not None and _HEX_LETTER.fullmatch(word.group()) is not None
