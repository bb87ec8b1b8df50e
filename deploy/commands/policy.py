"""`shilu policy show|diff|what-if`: the rules of an hour as data, and what others would change."""

import json
from collections import Counter
from collections.abc import Iterable
from importlib.resources import files
from typing import Annotated, Any

import typer

from deploy.describe import meaning
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.terminal.console import input_bytes
from ledger.account.record import Record
from ledger.whatif import what_if
from producers.sending.lines import read_lines
from schemas.events import ClockTicked, PolicyPublished
from schemas.topics import KEY_OF, TOPIC_OF
from schemas.wire.codec import LATEST
from schemas.wire.jsonform import event_from_json, to_json

_HEADS = ("event_id", "policy_id", "version", "effective_from", "occurred_at", "actor")

_Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME",
        help=text(
            "预设名,或文件(JSON Lines,取其中最后一个 PolicyPublished)",
            "a preset, or a file of JSON Lines, of which the last PolicyPublished counts",
        ),
    ),
]
_Json = Annotated[bool, typer.Option("--json", help=text("机器可读", "machine-readable"))]


def register(app: typer.Typer) -> None:
    """Add the group `policy` to the command."""
    group = typer.Typer(
        help=text("制度:查看、比较、试算", "Policies: show, compare, try out"),
        no_args_is_help=True,
    )
    group.command("show", help=text("一项制度的全部参数", "Every parameter of a policy"))(show)
    group.command("diff", help=text("两项制度的不同", "What differs between two policies"))(diff)
    group.command(
        "what-if",
        help=text("若按另一制度重放,谁多谁少", "Who would gain or lose under another policy"),
    )(try_out)
    app.add_typer(group, name="policy")


def show(name: _Name = "", as_json: _Json = False) -> None:
    """Without a name: the presets. `--json` is an event that `shilu emit` takes."""
    if not name:
        for preset, said in _presets().items():
            typer.echo(f"{preset}  {text(said['zh'], said['en'])}")
        return
    policy = load(name)
    if as_json:
        typer.echo(json.dumps(to_json(policy), ensure_ascii=False))
        return
    for field, value in _parameters(policy).items():
        zh, en = meaning("PolicyPublished", _FIELDS[field])
        typer.echo(f"{field} = {json.dumps(value)}  {text(zh, en)}")


def diff(one: _Name, other: _Name, as_json: _Json = False) -> None:
    """Exit code 0 whether they differ or not."""
    left, right = _parameters(load(one)), _parameters(load(other))
    changed = {name: [left[name], right[name]] for name in left if left[name] != right[name]}
    if as_json:
        typer.echo(json.dumps(changed))
        return
    for name, (was, now) in changed.items():
        typer.echo(f"{name}  {json.dumps(was)} → {json.dumps(now)}")
    if not changed:
        typer.echo(text("没有不同。", "No difference."))


def try_out(
    file: Annotated[
        str,
        typer.Argument(
            help=text(
                "事件文件(JSON Lines,带 recorded_at),- 为标准输入",
                "a file of events (JSON Lines with recorded_at), - for standard input",
            )
        ),
    ],
    policy: Annotated[str, typer.Option(help=text("预设名或文件", "a preset or a file"))],
    as_json: _Json = False,
) -> None:
    """Nothing is sent anywhere: the log is replayed twice in memory."""
    found = what_if(records_of(file), load(policy))
    if as_json:
        typer.echo(json.dumps([
            {"volunteer_id": each.volunteer_id, "minutes": each.minutes,
             "minutes_then": each.minutes_then, "change_minutes": each.minutes_then - each.minutes}
            for each in found
        ]))  # fmt: skip
        return
    for each in found:
        change = each.minutes_then - each.minutes
        typer.echo(f"{each.volunteer_id}  {each.minutes} → {each.minutes_then}  {change:+d}")
    gain = sum(each.minutes_then > each.minutes for each in found)
    typer.echo(
        text(
            f"{gain} 人增加,{len(found) - gain} 人减少。",
            f"{gain} would gain, {len(found) - gain} would lose.",
        )
    )


_FIELDS: dict[str, Any] = {
    field["name"]: field for field in json.loads(LATEST["PolicyPublished"].text)["fields"]
}


def _presets() -> dict[str, Any]:
    presets: dict[str, Any] = json.loads(
        (files("deploy") / "presets.json").read_text(encoding="utf-8")
    )
    return presets


def _parameters(policy: PolicyPublished) -> dict[str, Any]:
    return {name: value for name, value in to_json(policy).items()
            if name in _FIELDS and name not in _HEADS}  # fmt: skip


def load(name: str) -> PolicyPublished:
    """A preset as an event, or the last PolicyPublished of a file; raises ShiluError."""
    preset = _presets().get(name)
    if preset is not None:
        event = event_from_json({
            "type": "PolicyPublished", "event_id": f"policy-{name}-1", "policy_id": name,
            "version": 1, "effective_from": "2000-01-01",
            "occurred_at": "2000-01-01T08:00:00+08:00", **preset["parameters"],
        })  # fmt: skip
        assert isinstance(event, PolicyPublished)
        return event
    published = [r.event for r in records_of(name) if isinstance(r.event, PolicyPublished)]
    if not published:
        raise ShiluError(
            "no_policy",
            f"{name} 里没有 PolicyPublished:请给出预设名({', '.join(_presets())})"
            "或含有制度的文件。",
            f"{name} has no PolicyPublished: name a preset ({', '.join(_presets())}) or a file "
            "with a policy.",
        )
    return published[-1]


def records_of(file: str) -> Iterable[Record]:
    """The events of a file as the records of one partition; raises ShiluError for a bad line."""
    offsets: Counter[str] = Counter()
    records = []
    with input_bytes(file) as (stream, _):
        for line in read_lines(stream):
            if line.event is None or line.fault is not None:
                code = line.fault.code if line.fault is not None else "not_json"
                raise ShiluError(
                    "bad_line",
                    f"{file} 第 {line.number} 行不是有效事件({code}):请用 shilu emit 查看原因。",
                    f"{file} line {line.number} is no valid event ({code}): see why with "
                    "shilu emit.",
                )
            event = line.event
            name = type(event).__name__
            topic = TOPIC_OF[name]
            named = getattr(event, KEY_OF.get(name, "volunteer_id"), None)
            key = None if isinstance(event, ClockTicked) else named
            recorded_at = event.occurred_at if line.recorded_at is None else line.recorded_at
            records.append(Record(topic, 0, offsets[topic], recorded_at, key, event))
            offsets[topic] += 1
    return records
