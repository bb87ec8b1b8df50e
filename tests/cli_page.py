"""docs/cli.md is one session at the terminal, from `shilu up` to `shilu down`, and is run as such.

`python -m tests.cli_page` runs it and writes what the commands printed into the page;
`tests/test_cli_page.py` runs it and compares. What differs from run to run is blanked in both.
"""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "cli.md"
_BLOCK = re.compile(r"```console\n(.*?)```", re.S)
_BLANKS = (
    (re.compile(r"127\.0\.0\.1:\d+"), "127.0.0.1:PORT"),
    (re.compile(r"\d+(\.\d+)? s\b"), "N s"),
    (re.compile(r"\(\d[\d,]*/s\)"), "(N/s)"),
    (re.compile(r"logs in \S+"), "logs in DIR"),
    (re.compile(r"(ledger\.postings/\d+)/\d+( #\d+)?"), r"\1/N"),
    (re.compile(r"\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}"), "+KEY"),
    (re.compile(r"\b(checkpoints?:?) \d+"), r"\1 N"),
    (re.compile(r"(as of ledger\.postings)( \d+:\d+)+"), r"\1 N"),
    (re.compile(r'"positions": \{[^}]*\}'), '"positions": N'),
    (re.compile(r"\b[0-9a-f]{64}\b"), "ROOT"),
    (re.compile(r"\bv-[a-z2-7]{26}\b"), "v-RANDOM"),
    (re.compile(r"\b[0-9A-Z]{4}(-[0-9A-Z]{4}){3}\b"), "NUMBER"),
    (re.compile(r'"(index|posting_index|postings_offset|catalogue_offset)": \d+'), r'"\1": N'),
)


@dataclass(slots=True)
class Step:
    """One command of the page, and what the page says it prints."""

    command: str
    shown: str


def steps(page: str) -> list[Step]:
    """The commands of the page in order."""
    found = []
    for block in _BLOCK.findall(page):
        for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
            command, _, shown = part.partition("\n")
            found.append(Step(command, shown))
    return found


def blanked(text: str) -> str:
    """The text without what differs from run to run, and without trailing blanks."""
    for pattern, blank in _BLANKS:
        text = pattern.sub(blank, text)
    return "\n".join(line.rstrip() for line in text.splitlines()).strip()


def run(page: str, home: Path) -> Iterator[tuple[Step, str]]:
    """Run every command in order; each with everything it printed."""
    environment = {
        **os.environ,
        "SHILU_HOME": str(home),
        "SHILU_LANG": "en",
        "COLUMNS": "100",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    environment.pop("SHILU_BOOTSTRAP", None)
    try:
        for step in steps(page):
            done = subprocess.run(
                ["bash", "-c", step.command],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=240,
                check=False,
            )
            yield step, done.stdout
    finally:
        subprocess.run(["shilu", "down"], env=environment, capture_output=True, check=False)


def main() -> None:
    """Write the page anew with what its commands print."""
    page = PAGE.read_text("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        printed = iter([text for _, text in run(page, Path(folder))])

    def written(block: re.Match[str]) -> str:
        parts = [part.partition("\n") for part in re.split(r"^\$ ", block[1], flags=re.M)[1:]]
        texts = [f"$ {command}\n{_kept(shown, next(printed))}" for command, _, shown in parts]
        return "```console\n" + "".join(texts) + "```"

    PAGE.write_text(_BLOCK.sub(written, page), "utf-8")


def _kept(shown: str, printed: str) -> str:
    """What the page says, where that is still so; else what was printed, without its folder."""
    return shown if blanked(shown) == blanked(printed) else _tidy(printed)


def _tidy(text: str) -> str:
    text = re.sub(r"logs in \S+", "logs in DIR", text)
    body = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
    return f"{body}\n" if body else ""


if __name__ == "__main__":
    main()
