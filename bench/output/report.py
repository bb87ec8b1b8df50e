"""Where results go: one JSON file a bench, and a table of it in docs/performance.md."""

import datetime
import json
import os
import platform
import re
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "performance.md"
_BUSY_LOAD = 0.5


def machine(*packages: str) -> dict[str, Any]:
    """What the figures are taken on; to be asked before the work begins: is the machine quiet?"""
    load = os.getloadavg()[0]
    return {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in packages},
        "load_before": round(load, 1),
        "quiet": load < _BUSY_LOAD,
    }


def _cpu() -> str:
    found = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def write(name: str, result: dict[str, Any], title: str, body: str) -> None:
    """Save a bench's result, and put its section into the page between its own markers."""
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    (RESULTS / f"{name}.json").write_text(text, "utf-8")
    section = f"<!-- {name}: begin -->\n## {title}\n\n{body.strip()}\n\n"
    section += f"{_taken_on(result['machine'])}\n<!-- {name}: end -->\n"
    page = PAGE.read_text("utf-8")
    marked = re.compile(rf"<!-- {name}: begin -->\n.*?<!-- {name}: end -->\n", re.DOTALL)
    if marked.search(page):
        page = marked.sub(lambda _: section, page)
    else:
        page = page.rstrip("\n") + "\n\n" + section
    PAGE.write_text(page, "utf-8")


def _taken_on(where: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in where["versions"].items())
    load = f" **忙碌的机器,仅供参考 · Busy machine** (load {where['load_before']:g} at the start)."
    quiet = "" if where["quiet"] else load
    return (
        f"*{where['date']}, {where['cpu']}, {where['cores']} cores, {where['memory_gb']} GiB, "
        f"Python {where['python']}, {versions}.*{quiet}"
    )


def table(heads: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [heads, ["---"] + ["---:"] * (len(heads) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
