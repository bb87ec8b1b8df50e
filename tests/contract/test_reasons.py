"""Reason codes: each that the code gives is explained, each explained one is given."""

import ast
import re
from pathlib import Path
from typing import get_args

import pytest

from producers.gateway.sentences import GATEWAY_ONLY
from schemas.posting import Outcome, State
from schemas.reasons import REASONS

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("schemas", "ledger", "streams", "consumers", "producers")

_SAID_BEFORE = frozenset((*get_args(Outcome), *get_args(State)))
_GIVERS = frozenset({"Undecodable", "Fault", "_wrong"})


def reasons_given(source: str, folder: str = "schemas") -> set[str]:
    """The string constants of a module that stand where only a reason code can stand."""
    found: set[str] = set()
    tree = ast.parse(source)
    # Elsewhere a class may have the same name and codes of its own.
    givers = _GIVERS if folder == "schemas" else _GIVERS & from_schemas(tree)
    kinds = {id(n.slice) for n in ast.walk(tree) if isinstance(n, ast.Subscript)}
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=giver), args=[first, *_]) if giver in givers:
                found |= texts(first)
            case ast.Call(func=ast.Attribute(attr="_quarantine"), args=[_, reason, *_]):
                found |= texts(reason)
            case ast.Tuple(elts=[first, reason, *_]) if _outcome(first) and id(node) not in kinds:
                found |= texts(reason)
            case ast.Return(value=ast.Tuple(elts=[reason, ast.JoinedStr()])):
                found |= texts(reason)
            case ast.keyword(arg="reason" | "reason_code", value=value):
                found |= texts(value)
            case ast.FunctionDef(returns=ast.BinOp(left=ast.Name(id="str"))):
                for inner in ast.walk(node):
                    if isinstance(inner, ast.Return) and inner.value is not None:
                        found |= {t for t in texts(inner.value) if "_" in t}
    return found


def from_schemas(tree: ast.AST) -> set[str]:
    """The names that a module imports from schemas."""
    return {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("schemas.")
        for alias in node.names
    }


def texts(node: ast.expr) -> set[str]:
    """The strings an expression may evaluate to, as far as it shows them."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=body, orelse=other):
            return texts(body) | texts(other)
    return set()


def _outcome(node: ast.expr) -> bool:
    """Is it an outcome, a state, or None in place of one?"""
    match node:
        case ast.Constant(value=value):
            return value is None or value in _SAID_BEFORE
        case ast.IfExp(body=body):
            return _outcome(body)
    return False


def constants(folder: str) -> set[str]:
    """Every string constant in a folder."""
    return {
        node.value
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def given_in(*folders: str) -> dict[str, set[str]]:
    """Code -> the files that give it."""
    given: dict[str, set[str]] = {}
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for code in reasons_given(path.read_text(encoding="utf-8"), folder):
                given.setdefault(code, set()).add(str(path.relative_to(ROOT)))
    return given


@pytest.mark.parametrize("code", sorted(REASONS))
def test_a_reason_is_a_sentence_in_both_languages(code: str) -> None:
    reason = REASONS[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    assert re.search(r"[\u4e00-\u9fff]", reason.zh)
    assert not re.search(r"[\u4e00-\u9fff]", reason.en)
    assert reason.zh.endswith("。")
    assert reason.en.endswith(".")
    assert reason.en[0].isupper()


def test_a_misspelt_reason_is_found_wherever_one_can_stand() -> None:
    places = {
        "raise Undecodable('a_b', 'x')",
        "yield Fault('a_b', field, value, 'x')",
        "def f():\n    return 'held', 'a_b', ()",
        "def f():\n    return 'posted', 'a_b' if x else None, ()",
        "def f():\n    return ('posted' if x else 'held'), 'a_b', ()",
        "state, reason = None, 'a_b'",
        "def f():\n    return 'a_b', f'found {x}'",
        "def f() -> str | None:\n    return 'a_b'",
        "replace(span, reason='a_b')",
        "self._quarantine(record, 'a_b', 'x')",
    }
    assert [place for place in places if reasons_given(place) != {"a_b"}] == []
    assert reasons_given("Outcome = Literal['posted', 'held', 'a_b']") == set()


def test_every_reason_that_the_code_gives_is_explained() -> None:
    explained = REASONS.keys() | GATEWAY_ONLY.keys()
    unknown = {code: where for code, where in given_in(*FOLDERS).items() if code not in explained}
    assert not unknown, f"add to schemas/reasons.json, or correct: {unknown}"


def test_every_explained_reason_is_given() -> None:
    # This also shows that reasons_given overlooks none of the ways in which our code gives one.
    # deploy gives codes of its own kind too (ShiluError), so there any mention counts.
    unused = set(REASONS) - set(given_in(*FOLDERS)) - constants("deploy")
    assert not unused, f"in schemas/reasons.json, but nothing gives it: {sorted(unused)}"
