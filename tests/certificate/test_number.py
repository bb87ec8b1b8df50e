"""Certificate numbers, what is in a QR code, and what a snapshot says: all of it pure."""

import random
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from consumers.certificates.certificate import (
    BadNumber,
    Change,
    Known,
    Named,
    Row,
    changes,
    new_number,
    number_in_qr,
    number_of,
    payload_of,
    qr_text,
    short_digest,
    snapshot_in,
    state_of,
)
from schemas.validity import faults
from tests.certificate.samples import NUMBER, SNAPSHOT, URL
from tests.trail.book import Book

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def test_a_number_reads_back_however_it_is_typed() -> None:
    chance = random.Random(1)
    for _ in range(200):
        number = new_number(chance.randbytes(10))
        assert len(number) == 19
        bare = number.replace("-", "")
        typed = (number, bare, number.lower(), f" {bare[:8]} {bare[8:]} ",
                 bare.replace("0", "O").replace("1", "l"))  # fmt: skip
        assert {number_of(text) for text in typed} == {number}


def test_every_wrong_symbol_and_every_swap_is_noticed() -> None:
    bare = NUMBER.replace("-", "")
    wrong = {bare[:at] + symbol + bare[at + 1 :] for at in range(16) for symbol in SYMBOLS}
    for first in range(16):
        for second in range(first + 1, 16):
            swapped = list(bare)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            wrong.add("".join(swapped))
    wrong.discard(bare)
    assert len(wrong) > 16 * 31
    for text in wrong:
        with pytest.raises(BadNumber) as raised:
            number_of(text)
        assert raised.value.mistyped


@pytest.mark.parametrize("text", ["", "60RK", NUMBER + "0", NUMBER[:-1] + "U", "志" * 16])
def test_what_is_no_number_is_told_from_a_mistyped_one(text: str) -> None:
    with pytest.raises(BadNumber) as raised:
        number_of(text)
    assert not raised.value.mistyped


def test_a_number_is_an_id_of_the_contract() -> None:
    event = replace(Book().check_in("v-1", "s-1"), session_id=NUMBER)
    assert list(faults(event)) == []


def test_a_qr_code_says_number_and_digest_and_nothing_of_the_person() -> None:
    payload = payload_of(SNAPSHOT)
    digest = short_digest(sha256(payload).digest())
    for url, front in (("", "shilu:"), (URL, URL + "/"), (URL + "/", URL + "/")):
        text = qr_text(url, NUMBER, payload)
        assert text == f"{front}{NUMBER}#{digest}"
        assert number_in_qr(f" {text}\n") == (NUMBER, digest)
    assert number_in_qr(NUMBER) is None
    assert number_in_qr("https://example.org/else#x") is None
    with pytest.raises(BadNumber):
        number_in_qr(f"shilu:{NUMBER[:-1]}0#{digest}")


def test_a_snapshot_is_read_back_and_nothing_else_is_taken_for_one() -> None:
    payload = payload_of(SNAPSHOT)
    assert snapshot_in(payload) == SNAPSHOT
    succeeded = replace(SNAPSHOT, successor=Named("sw2"), supersedes=NUMBER)
    assert snapshot_in(payload_of(succeeded)) == succeeded
    for other in (b"", b"[]", b"{}", b"null", b"\xff", payload + b" ", payload[:-1], b"[" * 10**5,
                  payload.replace(b'"sequence":57', b'"sequence":57,"sequence":57'),
                  payload.replace(NUMBER.encode(), b"x")):  # fmt: skip
        with pytest.raises(ValueError):  # noqa: PT011 (its text is the parser's)
            snapshot_in(other)


def test_two_equal_services_have_different_digests() -> None:
    other = payload_of(replace(SNAPSHOT, salt="another"))
    assert sha256(other).digest() != sha256(payload_of(SNAPSHOT)).digest()


def test_an_attendance_is_an_activity_on_a_day() -> None:
    rows = (
        Row("p", "a", 1, "service", 5),
        Row("p", "a", 1, "manual", 5),
        Row("p", "b", 1, "service", 5),
    )
    assert replace(SNAPSHOT, rows=rows).attendances == 2


def test_changes_are_what_differs_by_day() -> None:
    then = [Row("p", "a", 2, "service", 60), Row("p", "a", 1, "service", 30)]
    now = [Row("p", "a", 2, "service", 45), Row("p", "a", 3, "manual", 15)]
    assert changes(then, then) == []
    assert changes(then, now) == [
        Change("p", "a", 1, "service", 30, 0),
        Change("p", "a", 2, "service", 60, 45),
        Change("p", "a", 3, "manual", 0, 15),
    ]


def test_the_gravest_state_is_said() -> None:
    """Each fact in turn is added to those that weigh less."""
    known = Known("posted", erased=False, revoked_for=None, superseded_by=None, changed=False)
    found = [state_of(known)]
    steps: tuple[dict[str, Any], ...] = (
        {"changed": True},
        {"superseded_by": NUMBER},
        {"revoked_for": "mistake"},
        {"outcome": "refused"},
        {"erased": True},
    )
    for more in steps:
        known = replace(known, **more)
        found.append(state_of(known))
    assert found == ["valid", "amended", "superseded", "revoked", "refused", "withdrawn"]
    for outcome in ("", "held"):
        assert state_of(replace(known, outcome=outcome, erased=False)) == "pending"
