"""The offsets of a zone say what its civil time says, and no more than is needed."""

from datetime import UTC, datetime, timedelta
from importlib.resources import files
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.errors import UnknownZone
from producers.zones import utc_offsets
from schemas.events import SitePublished, UtcOffset
from schemas.times import SECOND, instant
from schemas.validity import faults

ZONES = (
    "Asia/Shanghai", "Asia/Urumqi", "Asia/Hong_Kong", "Asia/Tokyo", "Asia/Kathmandu",
    "Asia/Pyongyang", "Europe/Paris", "Europe/London", "America/New_York", "America/Noronha",
    "Africa/Casablanca", "Africa/Juba", "Australia/Lord_Howe", "Antarctica/Troll", "Asia/Gaza",
    "Pacific/Apia", "UTC",
)  # fmt: skip
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
SECONDS = 100 * 365 * 86_400
CHANGES = [(zone, offset.from_at // SECOND) for zone in ZONES for offset in utc_offsets(zone)[1:]]


def civil_minutes(zone: str, second: int) -> float:
    with (files("tzdata") / "zoneinfo").joinpath(*zone.split("/")).open("rb") as file:
        info = ZoneInfo.from_file(file)
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=second)
    offset = moment.astimezone(info).utcoffset()
    assert offset is not None
    return offset.total_seconds() / 60


def minutes_by(offsets: tuple[UtcOffset, ...], second: int) -> int:
    minutes = 480
    for offset in offsets:
        if offset.from_at <= second * SECOND:
            minutes = offset.offset_minutes
    return minutes


@given(st.sampled_from(ZONES), st.integers(0, SECONDS))
def test_the_offsets_are_the_civil_time_at_any_second(zone: str, after: int) -> None:
    second = int(FIRST.timestamp()) + after
    assert minutes_by(utc_offsets(zone), second) == civil_minutes(zone, second)


@given(st.sampled_from(CHANGES))
def test_a_change_is_at_its_very_second(change: tuple[str, int]) -> None:
    zone, second = change
    for near in (second - 1, second):
        assert minutes_by(utc_offsets(zone), near) == civil_minutes(zone, near)


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Hong_Kong", "Asia/Taipei", "Etc/GMT-8"])
def test_a_zone_that_is_utc_plus_8_needs_no_offsets(zone: str) -> None:
    assert utc_offsets(zone) == ()


def test_a_zone_with_one_offset_needs_one() -> None:
    first = instant("2000-01-01T00:00:00+00:00")
    assert utc_offsets("Asia/Tokyo") == (UtcOffset(first, 540),)


@pytest.mark.parametrize("zone", ZONES)
def test_no_offset_repeats_the_one_before_it(zone: str) -> None:
    minutes = [offset.offset_minutes for offset in utc_offsets(zone)]
    assert all(a != b for a, b in pairwise(minutes))


@pytest.mark.parametrize("zone", ZONES)
def test_a_site_with_them_is_well_formed(zone: str) -> None:
    site = SitePublished("e", "s", None, None, None, zone, utc_offsets(zone), 10**15, None)
    assert list(faults(site)) == []


@pytest.mark.parametrize("zone", ["Asia/Tokio", "../../etc/passwd", "", "Asia", "asia/tokyo"])
def test_an_unknown_name_is_refused(zone: str) -> None:
    with pytest.raises(UnknownZone):
        utc_offsets(zone)


def test_the_most_similar_name_is_offered() -> None:
    with pytest.raises(UnknownZone) as refused:
        utc_offsets("Asia/Tokio")
    assert refused.value.near == "Asia/Tokyo"
