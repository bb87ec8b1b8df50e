"""JSON as everybody reads it: what two readers could take for two things is refused.

RFC 8259 leaves open which of two members of one name counts; most readers take the last one, some
the first. A record that is read twice must say the same both times, so such a text is no JSON here,
at any depth. The same for NaN and Infinity, which are no JSON at all.
"""

import json
from typing import Any, Final


class RepeatedField(ValueError):
    """An object names a member twice; `field` is the way to it, as `actor.role`, `scores[1].x`."""

    def __init__(self, field: str) -> None:
        super().__init__(f"{field} is given twice")
        self.field = field


def loads(text: str | bytes) -> Any:
    """A JSON text -> its value. Raises RepeatedField, or ValueError for what is no JSON."""
    twice: list[tuple[dict[str, Any], str]] = []

    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.append((found, _repeated(pairs)))
        return found

    try:
        value = json.loads(text, object_pairs_hook=object_of, parse_constant=_no_number)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if twice:
        # The outermost comes last, and nothing that it holds twice is lost on the way to it.
        found, name = twice[-1]
        raise RepeatedField(f"{_way(value, found)}{name}")
    return value


_MOST_NAMED: Final = 64


def _repeated(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            return name[:_MOST_NAMED]
        seen.add(name)
    raise AssertionError("no name twice")


def _way(node: Any, to: dict[str, Any]) -> str:
    """The way from a value to an object in it, ready to put a member's name behind."""
    ways = [("", node)]
    while ways:
        way, node = ways.pop()
        if node is to:
            return f"{way}." if way else ""
        if isinstance(node, dict):
            ways += [(f"{way}.{name[:_MOST_NAMED]}" if way else name[:_MOST_NAMED], part)
                     for name, part in node.items()]  # fmt: skip
        elif isinstance(node, list):
            ways += [(f"{way}[{place}]", part) for place, part in enumerate(node)]
    return ""


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no JSON number")
