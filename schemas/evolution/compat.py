"""May this schema version follow its predecessors? BACKWARD_TRANSITIVE, and the same meaning.

Apache Avro gives the verdict; the sentences come from our own walk, because its locations and
messages are two unordered sets that cannot be matched. The walk is stricter: what Avro can read
but would read as something else (units, defaults, renamed fields) does not pass either.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import avro.errors
import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType

from schemas.evolution import avrorules
from schemas.evolution.avrorules import Finding, named, optional, resolved, say, value_type

_TITLE = re.compile(r"([A-Z][A-Za-z]+)\.v([1-9][0-9]*)")
_UNIT = re.compile(r"_(?:minutes|hours|seconds|days|bytes|at|on|date|from|id)$")


@dataclass(frozen=True, slots=True)
class Problem:
    """What stands against a schema file: where (JSON pointer), which field, why, and the way out.

    `against` are the older versions it fails for, empty where the file breaks a rule by itself.
    """

    title: str
    against: tuple[int, ...]
    code: str
    where: str
    field: str
    zh: str
    en: str
    fix_zh: str
    fix_en: str


_TEXTS: dict[str, dict[str, str]] = json.loads(
    (files("schemas") / "compat.json").read_text(encoding="utf-8")
)


def _problem(title: str, finding: Finding, against: tuple[int, ...] = ()) -> Problem:
    said = finding.said | {"field": finding.field.rsplit(".", 1)[-1]}
    texts = {key: text.format_map(said) for key, text in _TEXTS[finding.code].items()}
    return Problem(title, against, finding.code, finding.where, finding.field, **texts)


def split(title: str) -> tuple[str, int]:
    """`CheckedIn.v2` -> (`CheckedIn`, 2); raises ValueError when it is no such title."""
    match = _TITLE.fullmatch(title)
    if match is None:
        raise ValueError(title)
    return match[1], int(match[2])


def is_title(text: str) -> bool:
    """Is it a type and a version, as in `CheckedIn.v2`?"""
    return _TITLE.fullmatch(text) is not None


def check(title: str, text: str, predecessors: Mapping[int, str]) -> list[Problem]:
    """Everything that stands against the file `<title>.avsc`; empty when it may be released.

    `predecessors` maps each older version to its text. A finding that several of them share is
    one problem.
    """
    try:
        node = json.loads(text)
        avro.schema.parse(text)
        name, version = split(title)
    except (json.JSONDecodeError, avro.errors.AvroException) as error:
        return [_problem(title, Finding("unreadable", "/", "", {"found": str(error)[:200]}))]
    except ValueError:
        return [_problem(title, Finding("file_name", "/", "", {"found": f"{title}.avsc"}))]
    found = [_problem(title, finding) for finding in avrorules.broken(name, node)]
    if missing := set(range(1, version)) - set(predecessors):
        said = {
            "found": ", ".join(f"v{v}" for v in sorted(predecessors)) or "-",
            "suggestion": f"{name}.v{min(missing)}.avsc",
        }
        found.append(_problem(title, Finding("version_gap", "/", "", said)))
    if any(problem.code == "recursive" for problem in found):
        return found  # the walk below would not end
    merged: dict[Problem, tuple[int, ...]] = {}
    for version, old in sorted(predecessors.items()):
        for finding in _changes(old, text):
            problem = _problem(title, finding)
            merged[problem] = (*merged.get(problem, ()), version)
    return found + [replace(problem, against=against) for problem, against in merged.items()]


def _changes(old: str, new: str) -> list[Finding]:
    """What hinders a reader with `new` from reading data written with `old`, or from meaning it."""
    before, after = json.loads(old), json.loads(new)
    found = list(_Walk(named(before), named(after)).compare(before, after, "", ""))
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    verdict = checker.get_compatibility(avro.schema.parse(new), avro.schema.parse(old))
    if verdict.compatibility is not SchemaCompatibilityType.compatible and not found:
        places = ", ".join(sorted(verdict.locations))
        found.append(Finding("incompatible", "/", "", {"found": places}))
    return found


@dataclass(frozen=True, slots=True)
class _Walk:
    """Two schemas side by side, each with its own named types."""

    old_names: dict[str, Any]
    new_names: dict[str, Any]

    def compare(self, old: Any, new: Any, where: str, field: str) -> Iterator[Finding]:
        old, new = resolved(old, self.old_names), resolved(new, self.new_names)
        said = {"old": say(old), "new": say(new)}
        if isinstance(old, list) and "null" in old:
            if not (isinstance(new, list) and "null" in new):
                yield Finding("null_removed", where, field, said)
            old = resolved(value_type(old), self.old_names)
        if isinstance(new, list):
            new = resolved(value_type(new), self.new_names)
        match old, new:
            case {"type": "record"}, {"type": "record"}:
                yield from self._renamed_type(old, new, where, field)
                yield from self._fields(old, new, where, f"{field}." if field else "")
            case {"type": "enum"}, {"type": "enum"}:
                yield from self._renamed_type(old, new, where, field)
                gone = [symbol for symbol in old["symbols"] if symbol not in new["symbols"]]
                if gone:
                    yield Finding("symbol_removed", where, field, {"found": ", ".join(gone)})
            case {"type": "array"}, {"type": "array"}:
                yield from self.compare(old["items"], new["items"], f"{where}/items", field)
            case _ if _bare(old) != _bare(new):
                if (_bare(old), _bare(new)) != ("int", "long"):
                    narrow = (_bare(old), _bare(new)) == ("long", "int")
                    code = "narrowed" if narrow else "type_changed"
                    yield Finding(code, where, field, said)
            case _ if _logical(old) != _logical(new):
                yield Finding("meaning_changed", where, field, said)

    def _renamed_type(self, old: Any, new: Any, where: str, field: str) -> Iterator[Finding]:
        if old["name"] != new["name"]:
            yield Finding("name_changed", where or "/", field, {"old": say(old), "new": say(new)})

    def _fields(self, old: Any, new: Any, where: str, prefix: str) -> Iterator[Finding]:
        before = {f["name"]: (i, f) for i, f in enumerate(old["fields"])}
        after = {f["name"]: (i, f) for i, f in enumerate(new["fields"])}
        gone = {name: before[name] for name in before if name not in after}
        for name, (i, now) in after.items():
            place = f"{where}/fields/{i}"
            if name in before:
                was = before[name][1]
                found = list(self.compare(was["type"], now["type"], f"{place}/type", prefix + name))
                yield from found
                if all(finding.code != "null_removed" for finding in found):
                    yield from _default_changes(was, now, place, prefix + name)
                continue
            ancestor = self._ancestor(i, now, gone)
            if ancestor is not None:
                del gone[ancestor]
                unit = _UNIT.search(ancestor)
                kept = unit is None or name.endswith(unit[0])
                code = "field_renamed" if kept else "unit_dropped"
                yield Finding(code, place, prefix + name, {"found": ancestor})
            elif "default" not in now:
                yield Finding("field_added", place, prefix + name, {"suggestion": optional(now)})
        for name in gone:
            yield Finding("field_removed", f"{where}/fields", prefix + name, {})

    def _ancestor(self, i: int, now: Any, gone: dict[str, Any]) -> str | None:
        """The vanished field that an added one probably is under a new name."""
        for name, (place, was) in gone.items():
            if name in now.get("aliases", ()) or _stem(name) == _stem(now["name"]):
                return name
            kinds = (resolved(was["type"], self.old_names), resolved(now["type"], self.new_names))
            alike = difflib.SequenceMatcher(None, name, now["name"]).ratio() >= 0.6
            if kinds[0] == kinds[1] and (alike or place == i):
                return name
        return None


def _stem(name: str) -> str:
    return _UNIT.sub("", name)


def _bare(node: Any) -> Any:
    return node["type"] if isinstance(node, dict) else node


def _logical(node: Any) -> Any:
    return node.get("logicalType") if isinstance(node, dict) else None


def _default_changes(was: Any, now: Any, where: str, field: str) -> Iterator[Finding]:
    if "default" not in was:
        return
    old = json.dumps(was["default"], ensure_ascii=False)
    if "default" not in now:
        yield Finding("default_dropped", where, field, {"found": old})
    elif was["default"] != now["default"]:
        new = json.dumps(now["default"], ensure_ascii=False)
        yield Finding("default_changed", where, field, {"old": old, "new": new})


def candidate(title: str, text: str, locked: Mapping[str, str]) -> list[Problem]:
    """Everything that stands against a new or edited file; `locked` maps title -> released text."""
    predecessors = older(title, locked)
    released = locked.get(title, text)
    if released == text:
        return check(title, text, predecessors)
    name, version = split(title)
    edited = _problem(title, Finding("edited", "/", "", {"suggestion": _next(name, locked)}))
    return [edited, *check(title, text, predecessors | {version: released})]


def older(title: str, texts: Mapping[str, str]) -> dict[int, str]:
    """Version -> text of the predecessors of `title`; none if that is no title."""
    if not is_title(title):
        return {}
    name, version = split(title)
    history = {split(other): text for other, text in texts.items()}
    return {v: history[n, v] for n, v in sorted(history) if n == name and v < version}


def _next(name: str, titles: Iterable[str]) -> str:
    return f"{name}.v{1 + max(v for n, v in map(split, titles) if n == name)}.avsc"


def texts_in(folder: Traversable) -> dict[str, str]:
    """Title -> text of the schema files of a folder; other files are passed over."""
    texts = {}
    for file in sorted(folder.iterdir(), key=lambda f: f.name):
        title = file.name.removesuffix(".avsc")
        if file.name.endswith(".avsc") and is_title(title):
            texts[title] = file.read_text(encoding="utf-8")
    return texts


def tree(folder: Traversable) -> list[Problem]:
    """Everything that stands against a schemas/ folder: its lock, its files, their history."""
    texts = texts_in(folder / "avro")
    lock: dict[str, dict[str, Any]] = json.loads(
        (folder / "ids.lock.json").read_text(encoding="utf-8")
    )
    found = [
        _problem(file.name, Finding("stray_file", "/", "", {}))
        for file in (folder / "avro").iterdir()
        if file.name.removesuffix(".avsc") not in texts
    ]
    found += _lock_problems(lock, texts)
    for title, text in texts.items():
        found += check(title, text, older(title, texts))
    return found


def _lock_problems(lock: dict[str, Any], texts: dict[str, str]) -> Iterator[Problem]:
    ids = [entry["id"] for entry in lock.values()]
    for title, entry in lock.items():
        if ids.count(entry["id"]) > 1:
            yield _problem(title, Finding("id_reused", "/", "", {"found": str(entry["id"])}))
        if title not in texts:
            yield _problem(title, Finding("file_missing", "/", "", {}))
        elif _sha256(texts[title]) != entry["sha256"]:
            said = {"suggestion": _next(split(title)[0], texts)}
            yield _problem(title, Finding("edited", "/", "", said))
    for title, text in texts.items():
        if title not in lock:
            entry = {"id": max(ids, default=0) + 1, "sha256": _sha256(text)}
            said = {"suggestion": json.dumps({title: entry})}
            yield _problem(title, Finding("not_locked", "/", "", said))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
