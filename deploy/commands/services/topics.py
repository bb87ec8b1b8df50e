"""`shilu topics create` and `shilu topics list`: the topics as they must be, and as they are."""

import json
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from deploy.broker.topics_admin import (
    Difference,
    Found,
    Wanted,
    create,
    describe,
    differences,
    fix,
    in_words,
    replicas_allowed,
)
from deploy.lang import text
from deploy.services.local import bootstrap
from deploy.settings import Settings
from producers.connection import TIMESTAMP_TYPE
from producers.errors import ProducerError
from schemas.topics import ALL, Topic, broker_config


def register(app: typer.Typer) -> None:
    """Add the group `topics` to the command."""
    group = typer.Typer(help=text("主题:创建、查看", "Topics: create, list"), no_args_is_help=True)
    group.command(
        "create", help=text("创建全部主题;已有的只核对", "Create every topic, or check it")
    )(create_topics)
    group.command("list", help=text("列出全部主题", "Every topic and what it carries"))(list_topics)
    app.add_typer(group, name="topics")


def create_topics(
    partitions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=text(
                "service.* 与 ledger.* 的分区数;默认 SHILU_PARTITIONS",
                "partitions of service.* and ledger.*; default SHILU_PARTITIONS",
            ),
        ),
    ] = None,
    timestamps: Annotated[
        Literal["broker", "producer"],
        typer.Option(
            help=text(
                "事实主题以谁的时间为准;producer 只用于模拟、验收和历史导入",
                "whose time facts carry; producer only for simulations, acceptance, imports",
            )
        ),
    ] = "broker",
    replication: Annotated[
        int | None,
        typer.Option(
            min=1,
            help=text(
                "副本数;默认按集群的节点数,最多 3",
                "replicas of each partition; default: as many as there are brokers, 3 at most",
            ),
        ),
    ] = None,
) -> None:
    """Create what is missing; exit 1 and change nothing if an existing topic differs."""
    settings = Settings()
    address = bootstrap(settings)
    try:
        wanted = Wanted(
            partitions or settings.partitions,
            timestamps == "producer",
            replication or replicas_allowed(address),
            replication is None,
        )
        found = describe(address)
        unlike = differences(found, wanted)
        if unlike:
            _say_differences(unlike)
            raise typer.Exit(1)
        missing = [topic for topic in ALL if topic.name not in found]
        if missing:
            create(address, wanted, missing)
    except ProducerError as error:
        raise in_words(error) from error
    for topic in ALL:
        there = topic.name in found
        made = text(
            f"已创建({wanted.replication} 个副本)", f"created ({wanted.replication} replica(s))"
        )
        typer.echo(f"{topic.name}  {text('已存在', 'exists') if there else made}")


def _say_differences(unlike: list[Difference]) -> None:
    for difference in unlike:
        d = difference
        zh, en = fix(d)
        typer.echo(
            text(
                f"主题 {d.topic} 的 {d.setting} 是 {d.found},要求是 {d.wanted}:{zh}",
                f"Topic {d.topic} has {d.setting} {d.found}, asked for is {d.wanted}: {en}",
            ),
            err=True,
        )


def list_topics(
    as_json: Annotated[
        bool, typer.Option("--json", help=text("机器可读", "machine-readable"))
    ] = False,
) -> None:
    """Every topic of the contract; those that do not exist are marked."""
    try:
        found = describe(bootstrap(Settings()))
    except ProducerError as error:
        raise in_words(error) from error
    if as_json:
        rows = [_row(topic, found.get(topic.name)) for topic in ALL]
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    console = Console(soft_wrap=True, highlight=False)
    for topic in ALL:
        for line in _lines(topic, found.get(topic.name)):
            console.print(line)


def _row(topic: Topic, found: Found | None) -> dict[str, Any]:
    return {
        "name": topic.name,
        "exists": found is not None,
        "key": topic.key,
        "partitions": found.partitions if found else None,
        "replication": found.replication if found else None,
        "cleanup": found.config["cleanup.policy"] if found else topic.cleanup,
        "timestamps": _clock(topic, found),
        "carries": topic.carries.split(", "),
        "flow": topic.flow,
    }


def _lines(topic: Topic, found: Found | None) -> tuple[str, ...]:
    row = _row(topic, found)
    kept = text("压缩", "compacted") if row["cleanup"] == "compact" else text("永久", "kept")
    clock = (
        text("写入方时间", "producer's time")
        if row["timestamps"] == "producer"
        else text("Kafka 时间", "broker's time")
    )
    count = text(f"{row['partitions']} 个分区", f"{row['partitions']} partitions")
    if found is None:
        count = f"[bold red]{text('不存在', 'missing')}[/]"
    key = text("键", "key")
    return (
        f"[bold]{topic.name:<20}[/] {count}  {kept}  {clock}  {key}: {topic.key}",
        f"    {topic.carries}",
        f"    {topic.flow}",
    )


def _clock(topic: Topic, found: Found | None) -> str:
    """Whose time the records carry: `broker`, or `producer`."""
    config = found.config if found else broker_config(topic)
    return "producer" if config[TIMESTAMP_TYPE] == "CreateTime" else "broker"
