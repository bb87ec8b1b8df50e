"""Who may be registered, and what is shown of whom."""

import random
from datetime import date
from typing import Any

import pytest

from schemas.personal import check_character
from tests.vault.people import ADULT, CHILD, TRAVELLER, forms, leaks, numbered, secrets_of, somebody
from vault.documents import document
from vault.errors import Refused
from vault.people import guarded, mask_name, mask_number, mask_phone, masked, person, plain, says_of

TODAY = date(2026, 11, 22)
NUMBER = "11010519491231002X"


@pytest.mark.parametrize("number", ["11010519491231002X", "440524188001010014"])
def test_the_examples_of_gb_11643_have_their_check_character(number: str) -> None:
    assert check_character(number[:17]) == number[17]
    assert document("resident_id", number).number == number


def test_every_other_check_character_is_refused() -> None:
    for wrong in "0123456789":
        with pytest.raises(Refused) as refused:
            document("resident_id", "11010519491231002" + wrong)
        assert refused.value.code == "document_check"


def test_two_neighbours_in_a_wrong_order_are_always_noticed() -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    for _ in range(300):
        number = somebody(rng)["document"]["number"]
        at = rng.randrange(16)
        twisted = number[:at] + number[at + 1] + number[at] + number[at + 2 :]
        if twisted != number:
            with pytest.raises(Refused):
                document("resident_id", twisted)


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (("resident_id", "110105 19491231 002x"), "resident_id||" + NUMBER),
        (
            ("resident_id", "１１０１０５１９４９１２３１００２Ｘ"),
            "resident_id||" + NUMBER,
        ),
        (("passport", "e-1234 5678", "CHN"), "passport|CHN|E12345678"),
        (("hk_macau_permit", "h0123456701"), "hk_macau_permit||H01234567"),
        (("hk_macau_permit", "H01234567 02"), "hk_macau_permit||H01234567"),
        (("taiwan_permit", "12345678"), "taiwan_permit||12345678"),
        (
            ("permanent_residence_2017", "uto 4401 851212 0 1"),
            "permanent_residence_2017||UTO440185121201",
        ),
    ],
)
def test_one_document_has_one_normal_form_however_it_is_typed(
    typed: tuple[str, ...], normal: str
) -> None:
    assert document(*typed).normal == normal


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"name": None}, "name", "name"),
        ({"name": "a\u202eb"}, "name", "name"),
        ({"name": "x" * 65}, "name", "name"),
        ({"document": None}, "not_an_object", "document"),
        ({"document": {"type": "library_card", "number": "1"}}, "document_type", "document.type"),
        ({"document": {"type": "resident_id", "number": 11}}, "document_number", "document.number"),
        ({"document": {"type": "resident_id", "number": numbered("11010519491331002")}},
         "document_date", "document.number"),
        ({"document": {"type": "resident_id", "number": numbered("19010519491231002")}},
         "document_number", "document.number"),
        ({"document": {"type": "resident_id", "number": "110105491231002"}},
         "document_number", "document.number"),
        ({"document": {"type": "passport", "number": "E12345678"}},
         "document_country", "document.country"),
        ({"document": {"type": "resident_id", "number": "11010519491231002X", "country": "CHN"}},
         "document_country", "document.country"),
        ({"born_on": "1949-12-30"}, "born_differs", "born_on"),
        ({"born_on": "31.12.1949"}, "born_on", "born_on"),
        ({"document": {"type": "resident_id", "number": numbered("11010520991231002")}},
         "born_on", "born_on"),
        ({"phone": "12345"}, "phone", "phone"),
        ({"region": "Beijing, Chaoyang"}, "region", "region"),
        ({"guardian": CHILD["guardian"]}, "guardian_not_needed", "guardian"),
        ({"张三": 1}, "unknown_field", ""),
        ({"document": ADULT["document"] | {"address": "x"}}, "unknown_field", "document"),  # type: ignore[operator]
    ],
)  # fmt: skip
def test_a_refusal_says_code_and_field_and_never_the_value(
    change: dict[str, Any], code: str, field: str
) -> None:
    with pytest.raises(Refused) as refused:
        person(ADULT | change, TODAY)
    assert (refused.value.code, refused.value.field) == (code, field)
    assert str(refused.value) == f"{code}: {field}"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (None, "guardian_missing"),
        ({"consented_on": None}, "consent_missing"),
        ({"consented_on": "2026-11-23"}, "consent_missing"),
        ({"relation": "friend"}, "relation"),
        ({"phone": None}, "phone"),
    ],
)
def test_under_fourteen_nothing_is_taken_without_a_guardians_consent(
    change: dict[str, Any] | None, code: str
) -> None:
    guardian = None if change is None else CHILD["guardian"] | change  # type: ignore[operator]
    with pytest.raises(Refused) as refused:
        person(CHILD | {"guardian": guardian}, TODAY)
    assert refused.value.code == code
    assert person(CHILD, TODAY).guardian is not None


@pytest.mark.parametrize(
    ("born_on", "today", "expected"),
    [
        (date(2012, 11, 21), TODAY, False),
        (date(2012, 11, 22), TODAY, True),
        (date(2012, 11, 23), TODAY, True),
        (date(2012, 2, 29), date(2026, 3, 1), True),
        (date(2012, 2, 29), date(2026, 3, 2), False),
    ],
)
def test_fourteen_begins_the_day_after_the_birthday(
    born_on: date, today: date, expected: bool
) -> None:
    assert guarded(born_on, today) == expected


def test_what_is_masked_says_too_little() -> None:
    assert mask_name("张三") == "张*"
    assert mask_number("110105194912311234") == "110***********1234"
    assert mask_phone("13812345678") == "138****5678"
    for someone in (ADULT, CHILD, TRAVELLER):
        shown = masked(plain(person(someone, TODAY).fields()))
        assert not leaks(secrets_of(someone), [("shown", repr(shown).encode())])


def test_a_person_has_no_repr() -> None:
    for someone in (ADULT, CHILD, TRAVELLER):
        made = person(someone, TODAY)
        said = f"{made!r} {made.document!r} {made.guardian!r} {made}"
        assert not leaks(secrets_of(someone), [("repr", said.encode())])


@pytest.mark.parametrize(
    "text", ["call 欧阳测试甲 back", "1380013-8000 rang", "id 110105 19491231 002x", "欧 阳 测试甲"]
)
def test_a_reason_that_names_the_person_is_noticed(text: str) -> None:
    fields = plain(person(ADULT, TODAY).fields())
    assert says_of(fields, text)
    assert not says_of(fields, "the shift of tomorrow is moved, 2026-11-23")


def test_the_search_finds_a_secret_in_every_form() -> None:
    import base64
    from urllib.parse import quote

    secret = "欧阳测试甲"
    for before in ("", "a", "ab", "abc", "录"):
        whole = f"{before}{secret}{before}x"
        for hidden in (
            whole.encode(), whole.encode("utf-16-le"), whole.encode("utf-16-be"),
            whole.encode("gb18030"), base64.b64encode(whole.encode()),
            base64.urlsafe_b64encode(whole.encode()), base64.b64encode(whole.encode("utf-16-le")),
            quote(whole).encode(), whole.encode().hex().upper().encode(),
            whole.encode("unicode_escape"),
        ):  # fmt: skip
            assert leaks([secret], [("x", b"\x01" + hidden + b"\x02")]), hidden
    assert not leaks([secret], [("x", "欧阳测试乙".encode())])
    assert all(len(form) >= 6 for form in forms(secret))
