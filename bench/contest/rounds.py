"""Contestants in turn over one log, A B A B, each a fresh start on empty outputs."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.contest.check import wrong_accounts
from bench.contest.contestants import Contestant, Tools
from bench.contest.ground import Ground
from bench.contest.log import Log, entries, prepared, produce
from bench.output.bars import bar, console
from bench.watching.watch import Measured, Start, watch

_SCHEMAS = Path(__file__).parents[2] / "schemas"
_SAMPLE = 50
"""How many volunteers' accounts are recomputed after a contestant's first run."""

Results = dict[Contestant, list[Measured]]


def write_log(ground: Ground, log: Log) -> Path:
    """Put a log into the fact topics; where it is kept."""
    with bar(f"simulating {log.facts:,} facts") as told:
        path = prepared(log, told)
    with bar(f"producing {log.facts:,} facts") as told:
        produce(ground.bootstrap, entries(path), log.facts, told)
    return path


def run_all(
    ground: Ground,
    log: Log,
    path: Path,
    contestants: Sequence[Contestant],
    tools: Tools,
    *,
    rounds: int,
    seconds_max: Callable[[int], float],
) -> Results:
    """The rounds; `seconds_max` is asked before each run, with how many are left.

    Raises Failed if a contestant ends early, AssertionError if its accounts are wrong.
    """
    results: Results = {contestant: [] for contestant in contestants}
    left = rounds * len(contestants)
    for number in range(rounds):
        for contestant in contestants:
            app_id = f"bench-{contestant.key}-{number}-{'hot' if log.hot else 'even'}"
            with tempfile.TemporaryDirectory(prefix="shilu-bench-") as folder:
                measured = run_one(
                    ground, log.facts, contestant, tools, app_id, Path(folder), seconds_max(left)
                )
            results[contestant].append(measured)
            left -= 1
            console.print(
                f"round {number + 1}/{rounds}  {contestant.title}: "
                f"{measured.events_per_second:,.0f} events/s, "
                f"{measured.events_per_cpu_second:,.0f} per CPU-second, "
                f"{measured.end.events:,} facts in {measured.end.wall_seconds:.1f} s"
            )
            if contestant.checked and number == 0 and measured.end.events == log.facts:
                wrong = wrong_accounts(entries(path), ground, _SAMPLE)
                assert not wrong, f"{contestant.title}: {wrong}"
            if not contestant.ends:
                ground.clear(app_id)
    return results


def run_one(
    ground: Ground,
    facts: int,
    contestant: Contestant,
    tools: Tools,
    app_id: str,
    home: Path,
    seconds_max: float,
) -> Measured:
    """One run of one contestant; its outputs stay."""
    start = start_of(contestant, ground.bootstrap, tools, app_id, facts, home)
    with ground.following(app_id) as done, bar(contestant.title) as told:
        return watch(
            start,
            facts=facts,
            done=None if contestant.ends else done,
            seconds_max=seconds_max,
            told=lambda events: told(events, facts),
        )


def start_of(
    contestant: Contestant, bootstrap: str, tools: Tools, app_id: str, facts: int, home: Path
) -> Start:
    """The process of a contestant, with everything filled in."""
    words = {
        "bootstrap": bootstrap,
        "app_id": app_id,
        "facts": str(facts),
        "home": str(home),
        "schemas": str(_SCHEMAS),
        "java": tools.java.java if tools.java else "",
        "jars": tools.java.jars if tools.java else "",
        "quix_python": tools.quix_python or "",
    }
    return Start(
        tuple(word.format(**words) for word in contestant.command),
        {name: value.format(**words) for name, value in contestant.environment},
        home / "log",
        home,
    )
