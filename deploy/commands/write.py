"""`shilu emit` and `shilu catalogue publish`; `shilu simulate` is registered with them."""

import json
from collections import Counter
from typing import Annotated

import typer

from deploy.commands.simulate import simulate_province
from deploy.lang import text
from deploy.local import bootstrap
from deploy.settings import Settings
from deploy.terminal import bar, broker_errors, input_bytes
from producers.connection import require_topics
from producers.delivery import Delivery
from producers.emit import Result, emit, result_json, topics_of
from producers.lines import read_lines
from schemas.reasons import REASONS

_SHOWN_EVERY = 500

_File = Annotated[
    str,
    typer.Argument(
        metavar="FILE|-",
        help=text("JSON Lines 文件;- 为标准输入", "a JSON Lines file; - for standard input"),
    ),
]
_Verbose = Annotated[
    bool,
    typer.Option("--verbose", "-v", help=text("也列出已接收的行", "list the accepted lines too")),
]
_Json = Annotated[
    bool, typer.Option("--json", help=text("每行一个 JSON 结果", "one JSON result a line"))
]


def register(app: typer.Typer) -> None:
    """Add `emit`, `simulate` and the group `catalogue` to the command."""
    app.command(
        "emit", help=text("发送事件(每行一个 JSON)", "Send events, one JSON object a line")
    )(emit_file)
    catalogue = typer.Typer(
        help=text("名册:发布组织、项目、站点、班次和制度", "The catalogue: orgs, projects, sites"),
        no_args_is_help=True,
    )
    catalogue.command("publish", help=text("发送名册事件", "Send catalogue events"))(publish_file)
    # Without a callback a group of one command would swallow that command's name.
    catalogue.callback()(lambda: None)
    app.add_typer(catalogue, name="catalogue")
    app.command("simulate", help=text("模拟一个省的志愿服务", "A province in small, from a seed"))(
        simulate_province
    )


def emit_file(file: _File, verbose: _Verbose = False, as_json: _Json = False) -> None:
    """Exit 0 only if every line was acknowledged by the broker."""
    send_file(bootstrap(Settings()), file, verbose=verbose, as_json=as_json)


def publish_file(file: _File, verbose: _Verbose = False, as_json: _Json = False) -> None:
    """As `shilu emit`, for catalogue events alone."""
    address = bootstrap(Settings())
    send_file(address, file, verbose=verbose, as_json=as_json, catalogue_only=True)


def send_file(
    address: str,
    file: str,
    *,
    verbose: bool = False,
    as_json: bool = False,
    catalogue_only: bool = False,
) -> None:
    """Send the events of a JSON Lines file, say what became of them; exit 1 if one was refused."""
    tally: Counter[str] = Counter()
    shows_lines = verbose or as_json
    with input_bytes(file) as (stream, size), broker_errors():
        topics = require_topics(address, topics_of(catalogue_only=catalogue_only))
        with (
            Delivery(address, topics) as delivery,
            bar(text("发送", "sending"), size, shows_lines=shows_lines) as shown,
        ):
            results = emit(read_lines(stream), delivery, topics, catalogue_only=catalogue_only)
            for result in results:
                tally[result.status] += 1
                tally["ignored"] += result.recorded_at_ignored
                if as_json:
                    shown.say(json.dumps(result_json(result), ensure_ascii=False))
                elif verbose or result.status == "refused":
                    shown.say(_sentence(result))
                if result.line % _SHOWN_EVERY == 0 and size is not None:
                    shown.reach(stream.tell())
    _summary(tally, as_json=as_json)
    if tally["refused"]:
        raise typer.Exit(1)


def _sentence(result: Result) -> str:
    """One line for a person."""
    if result.status == "accepted":
        places = result.positions or ((result.partition, result.offset),)
        where = " ".join(f"{partition}@{offset}" for partition, offset in places)
        verdict = text("已接收", "accepted")
        return f"{result.line}\t{verdict}\t{result.event_id}\t{result.topic} {where}"
    assert result.code is not None
    reason = REASONS[result.code]
    found = f" {result.field}" if result.field else ""
    found += f" = {result.value}" if result.value else ""
    if result.allowed:
        found += text(f"(允许:{result.allowed})", f" (allowed: {result.allowed})")
    verdict = text("拒收", "refused")
    name = result.event_id or "-"
    return f"{result.line}\t{verdict}\t{name}\t[{result.code}]{found} {text(reason.zh, reason.en)}"


def _summary(tally: Counter[str], *, as_json: bool) -> None:
    typer.echo(
        text(
            f"已接收 {tally['accepted']:,} 行,拒收 {tally['refused']:,} 行",
            f"{tally['accepted']:,} lines accepted, {tally['refused']:,} refused",
        ),
        err=as_json,
    )
    if tally["ignored"]:
        typer.echo(
            text(
                f"{tally['ignored']:,} 行的 recorded_at 未采用:主题使用 Kafka 的时间,没有人能倒填;"
                "验收与历史导入请用 shilu topics create --timestamps producer 创建主题。",
                f"recorded_at of {tally['ignored']:,} lines was not used: the topics carry the "
                "broker's time, so that nobody can back-date. For acceptance cases and history "
                "imports create the topics with `shilu topics create --timestamps producer`.",
            ),
            err=True,
        )
