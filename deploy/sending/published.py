"""What became of the catalogue events that a command has sent: in force, or refused and why."""

import json
from collections.abc import Sequence

import typer

from consumers.kafka.reader import Log
from consumers.questions.facts.catalogued import Outcome, outcomes_until
from deploy.lang import text
from deploy.seal.seal_errors import seal_errors
from deploy.terminal.wording import coded
from producers.sending.emit import Result
from schemas.reasons import REASONS


def say_what_became(address: str, sent: Sequence[Result], *, as_json: bool) -> int:
    """Fold the catalogue up to the last event sent, and say what it refuses; how many that are.

    Raises ShiluError.
    """
    with seal_errors(), Log(address) as log:
        end = 1 + max(result.offset or 0 for result in sent)
        found = {one.offset: one for one in outcomes_until(log, end)}
    judged = [(result, found.get(result.offset or 0)) for result in sent]
    refused = [(result, one) for result, one in judged if one is not None and one.reason]
    for result, one in refused:
        typer.echo(_json(result, one) if as_json else _sentence(result, one))
    typer.echo(
        text(
            f"生效 {len(sent) - len(refused):,} 条,名册拒绝 {len(refused):,} 条",
            f"{len(sent) - len(refused):,} in force, {len(refused):,} refused by the catalogue",
        ),
        err=as_json,
    )
    return len(refused)


def _sentence(result: Result, one: Outcome) -> str:
    reason = REASONS[one.reason or ""]
    return (
        f"{result.line}\t{text('名册拒绝', 'refused by the catalogue')}\t{result.event_id}\t"
        f"{coded(reason.code)}{text(reason.zh, reason.en)}"
    )


def _json(result: Result, one: Outcome) -> str:
    reason = REASONS[one.reason or ""]
    said = {
        "line": result.line, "event_id": result.event_id, "outcome": "refused",
        "reason": reason.code, "zh": reason.zh, "en": reason.en,
    }  # fmt: skip
    return json.dumps(said, ensure_ascii=False)
