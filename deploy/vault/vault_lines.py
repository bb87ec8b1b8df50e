"""Registrations as JSON Lines: in batches to the vault, one result a line back."""

from collections.abc import Iterator
from typing import Any, BinaryIO

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.terminal.wording import coded
from deploy.vault.vault_errors import REFUSALS
from schemas.wire.strictjson import RepeatedField, loads

LINE_BYTES_MAX = 16 * 1024

_NAMES = frozenset(
    {"name", "document", "born_on", "phone", "region", "guardian", "type", "number", "country"}
    | {"relation", "consented_on"}
)

Batch = tuple[list[int], list[object], dict[int, dict[str, Any]]]
"""Numbers of lines, the JSON values on them, and the results of lines that have none."""


def batches(stream: BinaryIO, people_max: int) -> Iterator[Batch]:
    """The lines of a stream in batches of at most so many people."""
    numbers, people, faults = list[int](), list[object](), dict[int, dict[str, Any]]()
    for number, raw in enumerate(_lines(stream), 1):
        if not raw.strip():
            continue
        given, code, field = parsed(raw)
        if code:
            faults[number] = {"status": "refused", "volunteer_id": None, "code": code,
                              "field": field}  # fmt: skip
        else:
            numbers.append(number)
            people.append(given)
        if len(people) == people_max:
            yield numbers, people, faults
            numbers, people, faults = [], [], {}
    if people or faults:
        yield numbers, people, faults


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Every line, the first bytes of one that is too long."""
    while raw := stream.readline(LINE_BYTES_MAX + 1):
        rest = raw
        while len(rest) > LINE_BYTES_MAX and not rest.endswith(b"\n"):
            rest = stream.readline(LINE_BYTES_MAX + 1)
        yield raw


def parsed(raw: bytes) -> tuple[object, str, str]:
    """The JSON value of some bytes, or why there is none: a code, and the field it is about."""
    if len(raw) > LINE_BYTES_MAX:
        return None, "oversized", ""
    try:
        # utf-8-sig: editors on Windows put a byte order mark before the first line.
        return loads(raw.decode("utf-8-sig")), "", ""
    except RepeatedField as twice:
        # Only where every name on the way is one of ours: another may be that of a person.
        known = set(twice.field.split(".")) <= _NAMES
        return None, "repeated_field", twice.field if known else ""
    except ValueError:
        return None, "not_json", ""


def refusal(code: str, field: str) -> ShiluError:
    """A refused registration as the error of a command."""
    zh, en = REFUSALS[code]
    return ShiluError(code, f"退回:{field} {zh}。", f"Refused: {field} {en}.")


def sentence(result: dict[str, Any]) -> str:
    """What became of one line, for a person; never what was on it."""
    if result["status"] == "refused":
        why = text(*REFUSALS[result["code"]])
        field = f"{result['field']} " if result["field"] else ""
        head = f"{result['line']}\t{text('退回', 'refused')}\t-\t"
        return f"{head}{coded(result['code'])}{field}{why}"
    said = ("新登记", "registered") if result["status"] == "registered" else ("已登记", "known")
    return f"{result['line']}\t{text(*said)}\t{result['volunteer_id']}"
