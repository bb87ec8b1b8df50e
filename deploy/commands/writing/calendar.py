"""`shilu calendar list|show|publish`: the working days that come with the product."""

import json
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from schemas.events import HolidaysPublished
from schemas.wire.jsonform import event_from_json, to_json

_Name = Annotated[
    str, typer.Argument(metavar="NAME", help=text("日历名,如 cn", "a calendar, such as cn"))
]
_Json = Annotated[bool, typer.Option("--json", help=text("机器可读", "machine-readable"))]


def register(app: typer.Typer) -> None:
    """Add the group `calendar` to the command."""
    group = typer.Typer(
        help=text(
            "工作日日历:查看自带的,发布到名册",
            "Calendars of working days: those that come along, published in the catalogue",
        ),
        no_args_is_help=True,
    )
    group.command(
        "list", help=text("自带的日历、年份与出处", "Calendars that come along, years and sources")
    )(list_all)
    group.command(
        "show", help=text("一份日历,逐年一个事件", "A calendar as events, one for each year")
    )(show)
    group.command("publish", help=text("把一份日历发布到名册", "Publish a calendar"))(publish)
    app.add_typer(group, name="calendar")


def list_all(as_json: _Json = False) -> None:
    """With the source of every year, so that anybody can check it."""
    found = _calendars()
    if as_json:
        typer.echo(json.dumps(found, ensure_ascii=False))
        return
    for name, calendar in found.items():
        typer.echo(f"{name}  {text(calendar['zh'], calendar['en'])}")
        for year, days in calendar["years"].items():
            off, on = len(days["holidays"]), len(days["workdays"])
            counted = text(
                f"放假 {off} 个工作日,调休上班 {on} 天",
                f"{off} weekdays off, {on} make-up working days",
            )
            typer.echo(f"  {year}  {counted}  {days['source']} ({days['announced_on']})")


def show(name: _Name) -> None:
    """JSON Lines, as `shilu catalogue publish -` takes them."""
    for event in events_of(name):
        typer.echo(json.dumps(to_json(event), ensure_ascii=False))


def publish(name: _Name) -> None:
    """To publish it again changes nothing; exit 0 only if all of it was acknowledged."""
    from deploy.sending.sending import send_file
    from deploy.services.local import bootstrap
    from deploy.settings import Settings

    lines = [json.dumps(to_json(event), ensure_ascii=False) + "\n" for event in events_of(name)]
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.jsonl"
        path.write_text("".join(lines), encoding="utf-8")
        raise typer.Exit(send_file(bootstrap(Settings()), str(path), catalogue_only=True))


def events_of(name: str) -> list[HolidaysPublished]:
    """A calendar as events, one for each year; raises ShiluError for one that there is not."""
    calendar = _calendars().get(name)
    if calendar is None:
        names = ", ".join(_calendars())
        raise ShiluError(
            "no_calendar",
            f"没有名为 {name} 的日历(有:{names}):请换一个,或用 shilu catalogue publish 发布"
            "自己的 HolidaysPublished。",
            f"There is no calendar {name} (there is: {names}): name another one, or publish "
            "HolidaysPublished events of your own with `shilu catalogue publish`.",
        )
    found = []
    for year, days in calendar["years"].items():
        event = event_from_json({
            "type": "HolidaysPublished",
            "event_id": f"calendar-{name}-{year}-{days['announced_on']}",
            "calendar_id": name,
            "holidays": days["holidays"],
            "workdays": days["workdays"],
            "occurred_at": f"{days['announced_on']}T00:00:00+08:00",
        })  # fmt: skip
        assert isinstance(event, HolidaysPublished)
        found.append(event)
    return found


def _calendars() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        (files("deploy") / "calendars.json").read_text(encoding="utf-8")
    )
    return found
