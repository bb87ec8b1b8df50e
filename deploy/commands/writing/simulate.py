"""`shilu simulate`: a seeded history, sent to Kafka or written to a file."""

import json
import time
from collections import Counter
from dataclasses import replace
from typing import Annotated

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.services.local import bootstrap
from deploy.settings import Settings
from deploy.terminal.console import bar, broker_errors, output_text
from producers.connection import TopicState, require_topics
from producers.record import Record
from producers.sending.delivery import Delivery
from producers.sending.emit import topics_of
from producers.simulator.simulate import ARRIVAL_DAYS_MAX, Plan, Sending, simulate
from schemas.events import ClockTicked
from schemas.times import DAY, HOUR, day, iso_date, rfc3339
from schemas.topics import CHECKINS, FACTS
from schemas.wire.headers import ce_headers
from schemas.wire.jsonform import to_json

_SHOWN_EVERY = 500
_FIRST_DAY = "2025-03-01"


def simulate_province(
    events: Annotated[
        int, typer.Option(min=1, help=text("记录总数", "how many records, exactly"))
    ] = 20_000,
    volunteers: Annotated[int, typer.Option(min=1, help=text("志愿者人数", "volunteers"))] = 2_000,
    days: Annotated[int, typer.Option(min=1, max=3650, help=text("天数", "days"))] = 30,
    seed: Annotated[
        int, typer.Option(help=text("随机种子,相同则字节相同", "same seed, same bytes"))
    ] = 1,
    start: Annotated[
        str, typer.Option(metavar="YYYY-MM-DD", help=text("第一天", "the first day"))
    ] = _FIRST_DAY,
    send: Annotated[
        bool, typer.Option("--send", help=text("发送到 Kafka", "send to Kafka"))
    ] = False,
    out: Annotated[
        str,
        typer.Option(
            metavar="FILE|-",
            help=text(
                "写成 JSON Lines(不含损坏的记录,每次打点一行)",
                "write JSON Lines, without the broken records, each tick once",
            ),
        ),
    ] = "",
    hourly_ticks: Annotated[
        bool, typer.Option("--hourly-ticks", help=text("每小时打点", "a tick every hour"))
    ] = False,
) -> None:
    """Send a simulated history, or write it to a file; exit 1 if a record was not acknowledged."""
    if send == bool(out):
        raise ShiluError(
            "nothing_to_do",
            "请选择其一:--send 发送到 Kafka,或 --out 写到文件。",
            "Choose one: --send to Kafka, or --out to a file.",
        )
    try:
        start_on = day(start)
    except ValueError:
        raise ShiluError(
            "bad_date",
            f"--start {start} 不是日期:请写成 2025-03-01。",
            f"--start {start} is no date: write it as 2025-03-01.",
        ) from None
    plan = Plan(events, volunteers, days, seed, start_on, hourly_ticks=hourly_ticks)
    if send:
        send_plan(bootstrap(Settings()), plan)
    else:
        _write(plan, out)


def send_plan(address: str, plan: Plan) -> None:
    """Send a simulated history with a progress bar; exit 1 if a record was not acknowledged."""
    with broker_errors():
        topics = require_topics(address, topics_of(catalogue_only=False))
        plan = _fitted(plan, topics)
        begun = time.monotonic()
        errors: Counter[str] = Counter()
        with (
            Delivery(address, topics) as delivery,
            bar(text("发送", "sending"), plan.events, shows_lines=False) as shown,
        ):
            parcels = ((sending, [_record(sending, topics)]) for sending in simulate(plan))
            for count, (_, outcomes) in enumerate(delivery.deliver(parcels), start=1):
                if outcomes[0].error is not None:
                    errors[outcomes[0].error] += 1
                if count % _SHOWN_EVERY == 0 or count == plan.events:
                    shown.reach(count)
    sent = plan.events - errors.total()
    rate = sent / (time.monotonic() - begun)
    typer.echo(
        text(
            f"已确认 {sent:,} 条(每秒 {rate:,.0f} 条),未确认 {errors.total():,} 条",
            f"{sent:,} records acknowledged ({rate:,.0f}/s), {errors.total():,} not",
        )
    )
    for error, count in errors.most_common(3):
        typer.echo(f"{count:,} × {error}", err=True)
    if errors:
        raise typer.Exit(1)


def _fitted(plan: Plan, topics: dict[str, TopicState]) -> Plan:
    """The plan for these topics: their partitions, and a history that lies in the past."""
    plan = replace(plan, partitions=topics[CHECKINS].partitions)
    today = (time.time_ns() // 1000 + 8 * HOUR) // DAY
    if not all(state.producer_time for topic, state in topics.items() if topic in FACTS):
        typer.echo(
            text(
                "主题使用 Kafka 的时间:不采用模拟的到达时间,迟到按现在计算;历史平移到昨天为止。"
                "要按模拟时间入账,请用 shilu topics create --timestamps producer 创建主题。",
                "The topics carry the broker's time: simulated arrival times are not used, "
                "lateness is judged against now, and the history is moved to end yesterday. For "
                "the simulated times create the topics with `shilu topics create --timestamps "
                "producer`.",
            ),
            err=True,
        )
        # The last day's clock ticks at four of the next morning, which must have been.
        ended = (time.time_ns() // 1000 + 4 * HOUR) // DAY
        return replace(plan, start_on=ended - plan.days)
    latest = today - plan.days - ARRIVAL_DAYS_MAX
    if plan.start_on > latest:
        raise ShiluError(
            "history_in_the_future",
            f"历史会延伸到将来,Kafka 不收:请把 --start 提前到 {iso_date(latest)} 或更早。",
            "The history would reach into the future, which Kafka refuses: choose --start "
            f"{iso_date(latest)} or earlier.",
        )
    return plan


def _record(sending: Sending, topics: dict[str, TopicState]) -> Record:
    own_time = topics[sending.topic].producer_time
    return Record(
        sending.topic,
        sending.key,
        sending.value,
        ce_headers(sending.event) if sending.event is not None else [],
        sending.partition,
        sending.recorded_at // 1000 if own_time else None,
    )


def _write(plan: Plan, out: str) -> None:
    lines = 0
    with (
        output_text(out) as file,
        bar(text("写入", "writing"), plan.events, shows_lines=out == "-") as shown,
    ):
        for count, sending in enumerate(simulate(plan), start=1):
            again = isinstance(sending.event, ClockTicked) and sending.partition != 0
            if sending.event is not None and not again:
                line = to_json(sending.event) | {"recorded_at": rfc3339(sending.recorded_at)}
                file.write(json.dumps(line, ensure_ascii=False) + "\n")
                lines += 1
            if count % _SHOWN_EVERY == 0:
                shown.reach(count)
    typer.echo(
        text(
            f"{plan.events:,} 条记录,写出 {lines:,} 行", f"{plan.events:,} records, {lines:,} lines"
        ),
        err=True,
    )
