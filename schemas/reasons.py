"""Stable reason codes, each with one sentence in Chinese and English: cause, then way out."""

import json
from dataclasses import dataclass
from importlib.resources import files

import schemas


@dataclass(frozen=True, slots=True)
class Reason:
    """A code and what it says to a person."""

    code: str
    zh: str
    en: str


REASONS = {
    code: Reason(code, **texts)
    for code, texts in json.loads(
        (files(schemas) / "reasons.json").read_text(encoding="utf-8")
    ).items()
}
"""Code -> reason."""
