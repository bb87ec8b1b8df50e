"""One text, one meaning: what two readers of JSON could take for two things is refused."""

import json
import random
from typing import Any

import pytest

from schemas.times import day, instant, rfc3339
from schemas.wire.strictjson import RepeatedField, loads


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"a": 1, "a": 2}', "a"),
        ('{"a": 1, "a": 1}', "a"),
        ('{"a": 1, "\\u0061": 2}', "a"),
        ('{"actor": {"id": "u", "role": "admin", "id": "v"}}', "actor.id"),
        ('{"scores": [{"score": 1}, {"score": 2, "score": 5}]}', "scores[1].score"),
        ('[[{"a": {"b": {"c": 1, "c": 2}}}]]', "[0][0].a.b.c"),
        ('{"a": {"b": 1, "b": 2}, "a": 3}', "a"),
        ('{"a": 1, "b": {}, "c": {}, "b": {}}', "b"),
    ],
)
def test_a_field_given_twice_is_named_with_the_way_to_it(text: str, field: str) -> None:
    with pytest.raises(RepeatedField) as found:
        loads(text)
    assert found.value.field == field


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": Infinity}', "[" * 100_000, "{'a': 1}", ""])
def test_what_is_no_json_is_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        loads(text)


def test_everything_else_is_read_as_ever() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)

    def value(depth: int) -> Any:
        kinds: list[Any] = [1, -5, "x", "实录", True, None, ""]
        if depth == 0 or rng.random() < 0.4:
            return rng.choice(kinds)
        if rng.random() < 0.5:
            return [value(depth - 1) for _ in range(rng.randrange(4))]
        return {f"k{n}": value(depth - 1) for n in range(rng.randrange(4))}

    for _ in range(500):
        made = value(5)
        assert loads(json.dumps(made)) == made


@pytest.mark.parametrize(
    "text",
    ["2025-W10-2T20:00+08:00", "20250304T200000+0800", "2025-03-04 20+08:00",
     "2025-03-04T20:00+08:00", "2025-03-04T20:00:00", "2025-03-04 20:00:00+08:00",
     "2025-03-04T20:00:00+08", "2025-03-04T20:00:00+0800", "2025-03-04T24:00:00+08:00",
     "2025-03-04T20:00:00,5+08:00", "2025-03-04T20:00:00+08:00:30", "2025-03-04", "",
     "٢٠٢٥-03-04T20:00:00+08:00", "2025-063T20:00:00+08:00", "2025-03-04T20:00:60+08:00",
     "2025-02-30T20:00:00+08:00", " 2025-03-04T20:00:00+08:00", "2025-03-04T20:00:00+08:00\n"],
)  # fmt: skip
def test_a_time_that_is_not_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        instant(text)


@pytest.mark.parametrize("text", ["20250304", "2025-W10-2", "2025-3-4", "2025-03", "2025-02-30"])
def test_a_date_that_is_not_year_month_day_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        day(text)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2025-03-04T12:00:00Z", "2025-03-04T20:00:00+08:00"),
        ("2025-03-04t12:00:00z", "2025-03-04T20:00:00+08:00"),
        ("2025-03-04T12:00:00-00:00", "2025-03-04T20:00:00+08:00"),
        ("2025-03-04T20:00:00.5+08:00", "2025-03-04T20:00:00.500000+08:00"),
        ("2025-03-04T20:00:00.123456789+08:00", "2025-03-04T20:00:00.123456+08:00"),
        ("2025-03-04T17:30:00+05:30", "2025-03-04T20:00:00+08:00"),
    ],
)
def test_every_form_of_rfc_3339_is_the_same_instant(text: str, same: str) -> None:
    assert rfc3339(instant(text)) == same
