"""A file of events to the broker: what became of each line, and one sentence if it broke off."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.sending.outcomes import Found, Outcomes, Position
from deploy.terminal.console import Bar, bar, broker_errors, input_bytes
from deploy.terminal.wording import coded, in_words_of, word
from deploy.trail.quarantine_words import detail_in_words
from producers.connection import require_topics
from producers.sending.delivery import Delivery
from producers.sending.emit import Result, emit, result_json, topics_of
from producers.sending.lines import read_lines
from schemas.reasons import REASONS
from schemas.topics import CATALOGUE

WAIT_SECONDS: Final = 60.0
"""How long to wait for one more outcome."""

EXIT_REFUSED, EXIT_HELD, EXIT_UNKNOWN, EXIT_STOPPED = 1, 3, 4, 130
_SHOWN_EVERY = 500


@dataclass(slots=True)
class _Sent:
    """What is known so far; `answers` only where outcomes are waited for."""

    tally: Counter[str] = field(default_factory=Counter)
    accepted: list[Result] = field(default_factory=list)
    answers: dict[Position, Found] = field(default_factory=dict)


def send_file(
    address: str,
    file: str,
    *,
    verbose: bool = False,
    as_json: bool = False,
    catalogue_only: bool = False,
    wait_seconds: float | None = None,
    accepted: list[Result] | None = None,
) -> int:
    """Send the events of a file and say what became of them; the exit code of that.

    1 if a line was refused, 4 if of one nobody knows whether it arrived. With `wait_seconds` the
    ledger's own outcome is waited for: 3 if something is held, 4 if an outcome did not come in
    time. What was accepted is added to `accepted`. Raises ShiluError.
    """
    sent = _Sent(accepted=[] if accepted is None else accepted)
    said = _Said(verbose=verbose, as_json=as_json, waits=wait_seconds is not None)
    if wait_seconds is None:
        _send(address, file, sent, said, catalogue_only)
    else:
        from deploy.trail.trail_errors import trail_errors

        with trail_errors(), Outcomes(address) as outcomes:
            _send(address, file, sent, said, catalogue_only)
            if not sent.tally["stopped"]:
                # Nobody answers where the broker is lost.
                _await(outcomes, sent, said, 0.0 if sent.tally["unknown"] else wait_seconds)
    if not sent.tally.total():
        raise ShiluError(
            "empty_input",
            "没有任何事件:输入是空的。请检查文件,或产生它的程序。",
            "There is no event in the input: it is empty. Check the file, or what makes it.",
        )
    _summary(sent, as_json=as_json)
    return _exit_code(sent)


@dataclass(frozen=True, slots=True)
class _Said:
    """Which lines are told, and how."""

    verbose: bool
    as_json: bool
    waits: bool

    def line(self, shown: Bar, result: Result, found: Found | None = None) -> None:
        """Tell what became of a line, if it is one to be told."""
        if self.as_json:
            told = result_json(result)
            shown.say(json.dumps(told | _outcome_json(found) if self.waits else told,
                                 ensure_ascii=False))  # fmt: skip
        elif (
            self.verbose
            or result.status == "refused"
            or (found is not None and found.outcome not in ("posted", "duplicate"))
        ):
            shown.say(_sentence(result, found))


def _send(address: str, file: str, sent: _Sent, said: _Said, catalogue_only: bool) -> None:
    with input_bytes(file) as (stream, size), broker_errors():
        topics = require_topics(address, topics_of(catalogue_only=catalogue_only))
        shows_lines = said.verbose or said.as_json
        with (
            Delivery(address, topics) as delivery,
            bar(text("发送", "sending"), size, shows_lines=shows_lines) as shown,
        ):
            results = emit(read_lines(stream), delivery, topics, catalogue_only=catalogue_only)
            try:
                for number, result in enumerate(_told(results, sent), 1):
                    if result.status == "accepted":
                        sent.accepted.append(result)
                    if not said.waits or result.status != "accepted":
                        said.line(shown, result)
                    if number % _SHOWN_EVERY == 0 and size is not None:
                        shown.reach(stream.tell())
            except KeyboardInterrupt:
                there, unknown = delivery.standing()
                sent.tally["accepted"] += there
                sent.tally["unknown"] += unknown
                sent.tally["stopped"] = 1


def _told(results: Iterator[Result], sent: _Sent) -> Iterator[Result]:
    for result in results:
        sent.tally[result.status] += 1
        sent.tally["ignored"] += result.recorded_at_ignored
        yield result


def _await(outcomes: Outcomes, sent: _Sent, said: _Said, seconds: float) -> None:
    """The outcomes of what was accepted; facts have one each, the catalogue and ticks have none."""
    awaited = {
        (result.topic or "", result.partition, result.offset or 0): result.event_id or ""
        for result in sent.accepted
        if result.partition is not None and result.topic != CATALOGUE
    }
    shows_lines = said.verbose or said.as_json
    with bar(text("入账", "posting"), len(awaited), shows_lines=shows_lines) as shown:
        try:
            for position, found in outcomes.of(awaited, seconds):
                sent.answers[position] = found
                shown.reach(len(sent.answers))
        except KeyboardInterrupt:
            sent.tally["stopped"] = 1
        for result in sent.accepted:
            position = (result.topic or "", result.partition or 0, result.offset or 0)
            answer = sent.answers.get(position)
            if position in awaited:
                sent.tally["without" if answer is None else f"is_{answer.outcome}"] += 1
            said.line(shown, result, answer)


def _exit_code(sent: _Sent) -> int:
    tally = sent.tally
    if tally["stopped"]:
        return EXIT_STOPPED
    if tally["refused"] or tally["is_refused"] or tally["is_quarantined"]:
        return EXIT_REFUSED
    if tally["unknown"] or tally["without"]:
        return EXIT_UNKNOWN
    return EXIT_HELD if tally["is_held"] else 0


def _outcome_json(found: Found | None) -> dict[str, Any]:
    """What --wait adds; all null where there is no outcome (yet)."""
    if found is None:
        return dict.fromkeys(("outcome", "reason", "detail", "minutes"))
    reason = REASONS.get(found.reason or "")
    said = {"outcome": found.outcome, "reason": found.reason, "detail": found.detail or None,
            "minutes": found.minutes}  # fmt: skip
    return said | ({"zh": reason.zh, "en": reason.en} if reason else {})


def _sentence(result: Result, found: Found | None) -> str:
    """One line for a person."""
    head = f"{result.line}\t{word(found.outcome if found else result.status)}\t"
    head += result.event_id or "-"
    if found is not None:
        told = f"{detail_in_words(found.detail)} " if found.detail else ""
        if found.reason is None:
            return head + text(f"\t{found.minutes:+} 分钟", f"\t{found.minutes:+} min")
        return f"{head}\t{coded(found.reason)}{told}{_reason(found.reason)}"
    if result.code is None:
        places = result.positions or ((result.partition, result.offset),)
        where = " ".join(f"{partition}@{offset}" for partition, offset in places)
        return f"{head}\t{result.topic} {where}"
    told = result.field or ""
    if result.value:
        told += f"{' = ' if told else ''}{in_words_of(result.value)}"
    if result.allowed:
        allowed = in_words_of(result.allowed)
        asks = allowed.endswith("?")
        told += text(f"({'' if asks else '允许:'}{allowed})",
                     f" ({'' if asks else 'allowed: '}{allowed})")  # fmt: skip
    told = f"{told.strip()} " if told else ""
    return f"{head}\t{coded(result.code)}{told}{_reason(result.code)}"


def _reason(code: str) -> str:
    return text(REASONS[code].zh, REASONS[code].en) if code in REASONS else ""


def _summary(sent: _Sent, *, as_json: bool) -> None:
    tally = sent.tally
    zh = [f"已接收 {tally['accepted']:,} 行", f"退回 {tally['refused']:,} 行"]
    en = [f"{tally['accepted']:,} lines accepted", f"{tally['refused']:,} refused"]
    if tally["unknown"]:
        zh.append(f"未知 {tally['unknown']:,} 行")
        en.append(f"{tally['unknown']:,} unknown")
    typer.echo(text(",".join(zh), ", ".join(en)), err=as_json)
    counts = [(code, tally[f"is_{code}"])
              for code in ("posted", "held", "duplicate", "refused", "quarantined")]  # fmt: skip
    if any(count for _, count in counts):
        said = " · ".join(f"{word(code)} {count:,}" for code, count in counts)
        typer.echo(text(f"台账:{said}", f"the ledger: {said}"), err=as_json)
    for zh_line, en_line in _notes(tally):
        typer.echo(text(zh_line, en_line), err=True)


def _notes(tally: Counter[str]) -> Iterator[tuple[str, str]]:
    if tally["stopped"]:
        yield (
            "已按 Ctrl-C 停止,其余的行没有发送。可以整个重发:已入账的不会重复计。",
            "Stopped by Ctrl-C; the other lines were not sent. Send the whole file again: what is "
            "in counts once.",
        )
    elif tally["unknown"]:
        yield (
            f"Kafka 停止应答,{tally['unknown']:,} 行不知是否送达。恢复后整个重发即可:"
            "已入账的不会重复计。",
            f"Kafka stopped answering: of {tally['unknown']:,} lines nobody knows whether they "
            "arrived. When it is back send the whole file again: what is in counts once.",
        )
    if tally["without"] and not (tally["stopped"] or tally["unknown"]):
        yield (
            f"{tally['without']:,} 行还没有结果:已经送达,不必重发。"
            "请用 shilu status 看台账进程是否在运行,稍后用 shilu trace 事件编号 查看。",
            f"{tally['without']:,} lines have no outcome yet: they arrived and need not be sent "
            "again. See with `shilu status` whether a worker runs, and later with "
            "`shilu trace EVENT_ID`.",
        )
    if tally["ignored"]:
        yield (
            f"{tally['ignored']:,} 行的 recorded_at 未采用:主题使用 Kafka 的时间,没有人能倒填;"
            "验收与历史导入请用 shilu topics create --timestamps producer 创建主题。",
            f"recorded_at of {tally['ignored']:,} lines was not used: the topics carry the "
            "broker's time, so that nobody can back-date. For acceptance cases and history "
            "imports create the topics with `shilu topics create --timestamps producer`.",
        )
