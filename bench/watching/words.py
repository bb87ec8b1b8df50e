"""What processes say last: the end of their logs, and /health of those that still answer."""

import json
from collections.abc import Iterator
from pathlib import Path

import httpx

_LOG_CHARACTERS = 2_000
_ASK_SECONDS = 5.0


def last_words(log: Path, home: Path | None = None) -> str:
    """The end of a log, and what the processes noted under a SHILU_HOME answer, if any do."""
    lines = log.read_text("utf-8", "replace").splitlines() if log.exists() else []
    # Faust draws tables of its topics.
    said = "\n".join(line for line in lines if not line.startswith(("|", "+--")))
    return "\n".join([said[-_LOG_CHARACTERS:], *(health(home) if home else ())])


def health(home: Path) -> Iterator[str]:
    """A line for each noted process that has an address: its name and what it answers there.

    One that does not answer in five seconds is named with why.
    """
    for note in sorted((home / "run").glob("*.json")):
        try:
            port = json.loads(note.read_text("utf-8"))["facts"]["port"]
        except (OSError, ValueError, KeyError):
            continue
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{port}/health", timeout=_ASK_SECONDS, trust_env=False
            )
            yield f"{note.stem} /health {answer.status_code}: {answer.text}"
        except httpx.HTTPError as error:
            yield f"{note.stem} /health: {error!r}"
