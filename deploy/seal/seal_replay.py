"""Replay from the command line."""

from dataclasses import asdict
from typing import Any

from rich.console import Console

from consumers.reconcile.replay import Manner, replay
from deploy.lang import text
from deploy.seal.seal_errors import seal_errors
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.terminal.console import bar


def replayed(settings: Settings, poll: int, jobs: int, shuffle: int | None) -> dict[str, Any]:
    """The report as plain values with its `state` and `exit_code`; raises ShiluError."""
    partitions = []
    with seal_errors(), bar(text("重算", "replaying"), None, shows_lines=False) as shown:
        for found in replay(bootstrap(settings), Manner(poll, jobs, shuffle)):
            partitions.append(asdict(found))
            shown.reach(len(partitions))
    wrong = any(one["difference_count"] for one in partitions)
    return {
        "state": "red" if wrong else "green",
        "partitions": partitions,
        "exit_code": 1 if wrong else 0,
    }


def show_replayed(found: dict[str, Any]) -> None:
    """The verdict, then each partition, then what differs."""
    out = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    if found["exit_code"]:
        out.print(text("✘ 重算结果与台账不同", "✘ the facts give another ledger"))
    else:
        out.print(text("✔ 重算结果与台账相同", "✔ the facts give the same ledger"))
    for one in found["partitions"]:
        if one["postings"]:
            out.print(f"  p{one['partition']} {one['postings']} {one['root']}".rstrip())
        for difference in one["differences"]:
            out.print(f"  p{one['partition']} {difference}")
