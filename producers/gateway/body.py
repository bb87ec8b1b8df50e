"""The body of a request -> the events in it, as JSON objects not yet looked at."""

import re
from dataclasses import dataclass
from typing import Any, Final

from schemas.validity import Fault, quiet
from schemas.wire.strictjson import RepeatedField, loads

BODY_BYTES_MAX: Final = 1 << 20
ITEMS_MAX: Final = 500
_DEPTH_MAX: Final = 16
_TEXT_MAX: Final = 16 * 1024

JSON: Final = "application/json"
CLOUD_EVENT: Final = "application/cloudevents+json"
CLOUD_EVENTS: Final = "application/cloudevents-batch+json"
KINDS: Final = (JSON, CLOUD_EVENT, CLOUD_EVENTS)

_CE_TYPE: Final = re.compile(r"(?:shilu\.)?([A-Za-z]+)(?:\.v[0-9]+)?")


class BadBody(Exception):
    """A request that cannot be read at all: HTTP status, code, field, value, what is allowed."""

    def __init__(self, status: int, code: str, field: str, value: str, allowed: str) -> None:
        super().__init__(f"{code} {field}: {allowed}")
        self.status = status
        fault = quiet(Fault(code, field, value, allowed))
        self.code, self.field, self.value, self.allowed = code, fault.field, fault.value, allowed


@dataclass(frozen=True, slots=True)
class Item:
    """One event of a request: what was given, or why it cannot be an event."""

    given: Any
    fault: Fault | None = None


def kind_of(content_type: str | None, encoding: str | None) -> str:
    """The media type; raises BadBody 415 for one that is not read here."""
    kind, *parameters = [part.strip().lower() for part in (content_type or "").split(";")]
    if kind not in KINDS:
        raise BadBody(415, "content_type", "Content-Type", kind[:100], ", ".join(KINDS))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            raise BadBody(415, "content_type", "Content-Type", parameter[:100], "charset=utf-8")
    if encoding and encoding != "identity":
        raise BadBody(415, "content_encoding", "Content-Encoding", encoding[:100], "identity")
    return kind


def items_of(kind: str, body: bytes) -> list[Item]:
    """Every event of a body, in order. Raises BadBody."""
    given = _parsed(body)
    if kind == CLOUD_EVENT and not isinstance(given, dict):
        raise BadBody(400, "not_json", "", "", "one CloudEvent, a JSON object")
    if kind == CLOUD_EVENTS and not isinstance(given, list):
        raise BadBody(400, "not_json", "", "", "a JSON array of CloudEvents")
    if not isinstance(given, dict | list):
        raise BadBody(400, "not_json", "", "", "a JSON object, or an array of them")
    several = given if isinstance(given, list) else [given]
    if not several:
        raise BadBody(400, "no_events", "", "[]", f"1 to {ITEMS_MAX} events")
    if len(several) > ITEMS_MAX:
        raise BadBody(413, "too_many_events", "", str(len(several)), f"1 to {ITEMS_MAX} events")
    return [_item(kind, one) for one in several]


def _parsed(body: bytes) -> Any:
    try:
        given = loads(body.decode("utf-8-sig"))
    except RepeatedField as twice:
        raise BadBody(400, "repeated_field", twice.field, "", "each field once") from None
    except UnicodeDecodeError as error:
        raise BadBody(400, "not_utf8", "", f"byte {error.start}", "UTF-8") from None
    except ValueError as error:
        # What json says of a place in the text, never the text.
        raise BadBody(400, "not_json", "", str(error)[:100], "JSON") from None
    if _deeper_than(given, _DEPTH_MAX):
        raise BadBody(400, "too_deep", "", "", f"at most {_DEPTH_MAX} levels")
    return given


def _deeper_than(given: Any, most: int) -> bool:
    level = [given]
    for _ in range(most + 1):
        inner: list[Any] = []
        for node in level:
            if isinstance(node, dict):
                inner += node.values()
            elif isinstance(node, list):
                inner += node
        if not inner:
            return False
        level = inner
    return True


def _item(kind: str, given: Any) -> Item:
    if not isinstance(given, dict):
        return Item(None, Fault("not_json", "", type(given).__name__, "a JSON object"))
    if fault := _too_long(given):
        return Item(given, fault)
    return Item(given) if kind == JSON else _from_cloud_event(given)


def _too_long(given: dict[str, Any]) -> Fault | None:
    """A text that no event can hold, before anything looks through it."""
    nodes: list[tuple[str, Any]] = [("", given)]
    while nodes:
        way, node = nodes.pop()
        if isinstance(node, dict):
            if any(len(name) > _TEXT_MAX for name in node):
                return quiet(Fault("oversized", way, "", f"at most {_TEXT_MAX} bytes"))
            nodes += [(f"{way}.{name[:64]}" if way else name[:64], v) for name, v in node.items()]
        elif isinstance(node, list):
            nodes += [(f"{way}[{place}]", v) for place, v in enumerate(node)]
        elif isinstance(node, str) and len(node) > _TEXT_MAX:
            return quiet(Fault("oversized", way, "", f"at most {_TEXT_MAX} bytes"))
    return None


def _from_cloud_event(given: dict[str, Any]) -> Item:
    """The event in a structured CloudEvent; where both name a thing they must agree.

    `time`, `source` and extensions are not looked at: the event itself says all that counts.
    """
    if given.get("specversion") != "1.0":
        return _refused(given, "specversion", given.get("specversion"), "1.0")
    data = given.get("data")
    if not isinstance(data, dict):
        return _refused(given, "data", "", "a JSON object, the event")
    if given.get("datacontenttype", JSON) != JSON:
        return _refused(given, "datacontenttype", given["datacontenttype"], JSON)
    form = _CE_TYPE.fullmatch(str(given.get("type"))[:100])
    named: dict[str, Any] = {"event_id": given.get("id"), "type": form[1] if form else None}
    for ours, theirs in (("event_id", "id"), ("type", "type")):
        if not isinstance(named[ours], str):
            return _refused(data, theirs, given.get(theirs), "a name" if ours == "type" else "text")
        if data.get(ours, named[ours]) != named[ours]:
            return _refused(data, theirs, named[ours], f"the same as data.{ours}")
    subject = given.get("subject")
    if subject is not None and data.get("volunteer_id", subject) != subject:
        return _refused(data, "subject", subject, "the same as data.volunteer_id")
    return Item(data | named)


def _refused(given: dict[str, Any], field: str, value: object, allowed: str) -> Item:
    return Item(given, quiet(Fault("value_form", field, str(value)[:200], allowed)))
