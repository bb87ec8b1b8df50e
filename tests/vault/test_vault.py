"""The vault by itself: one document one person, every look an entry, forgotten for good."""

import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from schemas.events import (
    Event,
    GuardianConsentRecorded,
    VaultAccessed,
    VolunteerErased,
    VolunteerRegistered,
)
from schemas.times import instant
from schemas.wire.codec import decode_event
from schemas.wire.jsonform import to_json
from tests.vault.conftest import ASKED, CALL, CLERK
from tests.vault.people import ADULT, CHILD, TRAVELLER, files_of, leaks, secrets_of, somebody
from vault.chain import Head, check, hash_of
from vault.errors import VaultError
from vault.journal import Why
from vault.store import Place, create
from vault.vault import Vault


def register(vault: Vault, *people: dict[str, Any]) -> list[str]:
    found = vault.register(people, CLERK)
    names = [one.volunteer_id for one in found if one.volunteer_id is not None]
    assert len(names) == len(people), found
    return names


def sent(vault: Vault) -> list[Event]:
    """What the vault announces."""
    events: list[Event] = []

    def send(some: Sequence[Event]) -> int:
        events.extend(some)
        return len(some)

    assert vault.announce(send) == 0
    return events


def code_of(place: Place) -> str:
    with pytest.raises(VaultError) as raised:
        Vault(place).close()
    return raised.value.code


def edit(place: Place, sql: str, *values: object) -> None:
    """What somebody with the file does."""
    with closing(sqlite3.connect(place.database)) as db:
        db.execute(sql, values)
        db.commit()


def test_one_document_is_one_person(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        typed = ADULT | {"document": {"type": "resident_id", "number": "110105-19491231-002x"}}
        (again,) = vault.register([typed], CLERK)
        assert (again.status, again.volunteer_id) == ("known", name)
        assert len(set(register(vault, ADULT, TRAVELLER, CHILD))) == 3
    with Vault(place) as vault:
        assert register(vault, ADULT) == [name]


def test_registration_tells_the_ledger_month_and_region_and_nothing_else(place: Place) -> None:
    with Vault(place) as vault:
        adult, child = register(vault, ADULT, CHILD)
        events = sent(vault)
        one, two, consent = events
        assert isinstance(one, VolunteerRegistered)
        assert (one.volunteer_id, one.birth_month, one.region) == (adult, "1949-12", "110105")
        assert one.identity_hash is None
        assert isinstance(two, VolunteerRegistered)
        assert (two.volunteer_id, two.birth_month) == (child, "2018-01")
        assert isinstance(consent, GuardianConsentRecorded)
        said = repr([to_json(event) for event in events]).encode()
        assert not leaks([*secrets_of(ADULT), *secrets_of(CHILD)], [("events", said)])
        assert sent(vault) == []


def test_one_who_is_refused_hinders_nobody_else(place: Place) -> None:
    with Vault(place) as vault:
        found = vault.register([ADULT, ADULT | {"phone": "1"}, TRAVELLER], CLERK)
        assert [one.status for one in found] == ["registered", "refused", "registered"]
        assert (found[1].code, found[1].field) == ("phone", "phone")
        assert vault.status()["people"] == 2


def test_every_look_is_an_entry_of_a_whole_chain(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        assert vault.show(name)["phone"] == "138****8000"
        assert vault.head() == Head()
        assert vault.unmask(name, CALL)["phone"] == "13800138000"
        assert vault.name(name, Why(CLERK, "certificate", "2026-0001")) == ADULT["name"]
        register(vault, ADULT)
        exported = vault.export(name, ASKED)
        values = vault.entries()
        events = [event for event in sent(vault) if isinstance(event, VaultAccessed)]
    assert [event.action for event in events] == ["unmask", "name", "lookup", "export"]
    assert [event.entry_no for event in events] == [1, 2, 3, 4]
    assert events == [decode_event(value) for value in values]
    assert events[1].opened == ("name",)
    assert check(values) == (Head(4, hash_of(values[3])), [])
    assert exported["personal"]["document"]["number"] == "11010519491231002X"
    assert [reason for _, reason in exported["accesses"]] == [
        CALL.reason, "2026-0001", None, ASKED.reason,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"reason": None}, "reason_missing"),
        ({"reason": "  "}, "reason_missing"),
        ({"reason": "x" * 257}, "reason_long"),
        ({"reason": "she is 欧阳测试甲"}, "personal_in_reason"),
        ({"purpose": "curiosity"}, "purpose"),
    ],
)
def test_without_a_good_reason_nothing_is_shown_or_entered(
    place: Place, change: dict[str, Any], code: str
) -> None:
    why = replace(CALL, **change)
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        looks: list[Callable[[str, Why], object]] = [
            vault.unmask, vault.name, vault.export, vault.forget,
            lambda name, why: vault.correct(name, {"phone": None}, why),
        ]  # fmt: skip
        for look in looks:
            with pytest.raises(VaultError) as raised:
                look(name, why)
            assert raised.value.code == code
            assert not leaks(secrets_of(ADULT), [("error", str(raised.value).encode())])
        assert vault.head() == Head()


def test_an_actor_that_is_no_pseudonym_is_refused(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        bad = Why(type(CLERK)("王 小明", "admin", None), "contact", "calls")
        with pytest.raises(VaultError) as raised:
            vault.unmask(name, bad)
        assert (raised.value.code, raised.value.detail) == ("event_form", "actor.id")
        assert vault.head() == Head()


def test_a_correction_replaces_what_is_held_and_says_which_fields(place: Place) -> None:
    why = Why(CLERK, "correction", "new telephone, at the counter")
    with Vault(place) as vault:
        name, other = register(vault, ADULT, TRAVELLER)
        sent(vault)
        assert vault.correct(name, {"phone": "139 0000 1111"}, why).status == "corrected"
        assert vault.show(name)["phone"] == "139****1111"
        (entry,) = sent(vault)
        assert isinstance(entry, VaultAccessed)
        assert (entry.action, entry.opened) == ("correct", ("phone",))
        assert vault.correct(name, {"phone": None, "region": "440103"}, why).status == "corrected"
        assert "phone" not in vault.show(name)
        assert [getattr(event, "region", None) for event in sent(vault)] == [None, "440103"]
        renewed = {"document": {"type": "passport", "number": "X1111111", "country": "UTO"}}
        assert vault.correct(other, renewed, why).status == "corrected"
        (again,) = vault.register([TRAVELLER | renewed], CLERK)
        assert (again.status, again.volunteer_id) == ("known", other)
        head = vault.head()
        for changes, code in (
            ({"document": ADULT["document"], "born_on": None}, "document_taken"),
            ({"phone": "110"}, "phone"),
            ({"name": None}, "name"),
            ({"secret": 1}, "unknown_field"),
            ("x", "not_an_object"),
        ):
            found = vault.correct(other, changes, why)
            assert (found.status, found.code) == ("refused", code)
        assert vault.head() == head
        assert not leaks(["139 0000 1111", "13900001111"], files_of(place.folder))


def test_who_has_grown_up_keeps_no_guardian(place: Place) -> None:
    now = [1_790_000_000_000_000]
    with Vault(place, lambda: now[0]) as vault:
        (name,) = register(vault, CHILD)
        now[0] += 8 * 366 * 86_400_000_000
        why = Why(CLERK, "correction", "new telephone")
        assert vault.correct(name, {"phone": "13900001111"}, why).status == "corrected"
        assert "guardian" not in vault.show(name)


def test_the_words_of_a_reason_cannot_be_tried_out(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        for _ in range(2):
            vault.unmask(name, CALL)
        one, two = (event for event in sent(vault) if isinstance(event, VaultAccessed))
    bare = hashlib.sha256(str(CALL.reason).encode()).hexdigest()
    assert len({one.reason_hash, two.reason_hash, bare}) == 3


def test_a_changed_removed_or_inserted_entry_breaks_the_chain(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        for number in range(5):
            vault.unmask(name, Why(CLERK, "contact", f"call {number}"))
        values, head = vault.entries(), vault.head()
    forged = values[2].replace(b"contact", b"contacT")
    assert [one.code for one in check([*values[:2], forged, *values[3:]])[1]] == ["changed"]
    assert [one.code for one in check([*values[:2], *values[3:]])[1]] == ["missing"]
    assert [one.code for one in check([*values[:3], forged, *values[3:]])[1]] == ["forked"]
    assert check([*values[:3], *values[1:]])[1] == []
    assert check(values[:4])[1] == []
    assert [one.code for one in check(values[:4], head)[1]] == ["unknown_head"]
    assert [one.code for one in check([b"", *values])[1]] == ["unreadable"]
    with pytest.raises(sqlite3.IntegrityError):
        edit(place, "DELETE FROM log WHERE entry_no = 5")
    with pytest.raises(sqlite3.IntegrityError):
        edit(place, "UPDATE log SET value = x'00' WHERE entry_no = 1")


def test_forgetting_destroys_key_and_data_and_says_so_once(place: Place) -> None:
    with Vault(place) as vault:
        name, other = register(vault, ADULT, TRAVELLER)
        vault.unmask(name, CALL)
        sent(vault)
        key = vault._key(name)
        with closing(sqlite3.connect(place.database)) as db:
            kept = [
                blob
                for table, column in (("person", "wrapped_key"), ("person", "document_hash"),
                                      ("field", "sealed"), ("reason", "sealed"))
                for (blob,) in db.execute(
                    f"SELECT {column} FROM {table} WHERE volunteer_id = ?", (name,)
                )
            ]  # fmt: skip
        assert len(kept) == 1 + 1 + 5 + 1
        there = dict(files_of(place.folder))
        assert all(any(blob in content for content in there.values()) for blob in kept)

        assert vault.forget(name, ASKED)
        now = dict(files_of(place.folder))
        assert set(now) >= {str(place.database), f"{place.database}-wal"}
        for content in now.values():
            assert not any(blob in content for blob in (key, *kept))
        assert not leaks(secrets_of(ADULT), now.items())
        access, erased = sent(vault)
        assert isinstance(access, VaultAccessed)
        assert (access.action, access.volunteer_id) == ("erase", name)
        assert isinstance(erased, VolunteerErased)
        assert erased.volunteer_id == name

        assert not vault.forget(name, ASKED)
        assert sent(vault) == []
        for look in (vault.unmask, vault.export):
            with pytest.raises(VaultError) as raised:
                look(name, CALL)
            assert raised.value.code == "erased"
        assert vault.show(other)["name"].startswith("P*")
        assert check(vault.entries())[1] == []
        (again,) = register(vault, ADULT)
        assert again != name


def test_nothing_readable_is_ever_in_the_files(place: Place) -> None:
    seed = random.randrange(10**6)
    print(f"seed {seed}")
    rng = random.Random(seed)
    people = [ADULT, CHILD, TRAVELLER, *(somebody(rng) for _ in range(50))]
    with Vault(place) as vault:
        found = vault.register(people, CLERK)
        vault.unmask(str(found[0].volunteer_id), CALL)
        secrets = [secret for one in people for secret in secrets_of(one)]
        assert not leaks([*secrets, str(CALL.reason)], files_of(place.folder))


_DIES = """
import os, sys
from pathlib import Path
from schemas.events import Actor
from vault.store import Place, Store
from vault.journal import Why
from vault.vault import Vault

class Dies(Store):
    def scrub(self):
        if sys.argv[4] == "before":
            os._exit(9)
        super().scrub()
        os._exit(9)

import vault.vault
vault.vault.Store = Dies
held = Vault(Place(Path(sys.argv[1]), Path(sys.argv[2])))
if sys.argv[4] == "wiping":
    held._finish_erasures = lambda: os._exit(9)
held.forget(sys.argv[3], Why(Actor("u-1", "admin", None), "subject_request", "asked"))
"""


@pytest.mark.parametrize("moment", ["wiping", "before", "after"])
def test_a_crash_while_forgetting_is_finished_at_the_next_start(place: Place, moment: str) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        key = vault._key(name)
        sent(vault)
    arguments = [str(place.folder), str(place.key_file), name, moment]
    done = subprocess.run(
        [sys.executable, "-c", _DIES, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 9, done.stderr
    with Vault(place) as vault:
        assert [type(event).__name__ for event in sent(vault)] == [
            "VaultAccessed", "VolunteerErased",
        ]  # fmt: skip
        assert not any(key in content for _, content in files_of(place.folder))
        assert vault.status()["people"] == 0
        assert not vault.forget(name, ASKED)


def test_what_was_not_acknowledged_is_sent_again_in_its_order(place: Place) -> None:
    with Vault(place) as vault:
        names = register(vault, ADULT, TRAVELLER)
        events: list[Event] = []

        def one_at_most(some: Sequence[Event]) -> int:
            events.extend(some[:1])
            return 1

        assert vault.announce(one_at_most) == 1
        assert vault.announce(lambda some: 0) == 1
        events += sent(vault)
    assert [getattr(event, "volunteer_id", "") for event in events] == names


def test_a_new_master_key_kills_old_copies(place: Place, tmp_path: Path) -> None:
    with Vault(place) as vault:
        gone, stays = register(vault, ADULT, TRAVELLER)
    backup = Place(tmp_path / "backup", place.key_file)
    shutil.copytree(place.folder, backup.folder)
    with Vault(place) as vault:
        vault.forget(gone, ASKED)
        old = place.key_file.read_bytes()
        vault.rotate()
        assert vault.show(stays)["document"]["country"] == "UTO"
        assert register(vault, TRAVELLER) == [stays]
    with Vault(place) as vault:
        assert register(vault, TRAVELLER) == [stays]
    assert code_of(backup) == "wrong_key"
    assert not any(old[-65:-1] in content for _, content in files_of(tmp_path))


def test_a_restored_copy_forgets_again_and_goes_on_with_the_log(
    place: Place, tmp_path: Path
) -> None:
    with Vault(place) as vault:
        gone, stays = register(vault, ADULT, TRAVELLER)
        vault.unmask(stays, CALL)
    old = Place(tmp_path / "old", place.key_file)
    shutil.copytree(place.folder, old.folder)
    with Vault(place) as vault:
        vault.forget(gone, ASKED)
        vault.unmask(stays, CALL)
        published, head = vault.entries(), vault.head()
    with Vault(old) as vault:
        with pytest.raises(VaultError) as raised:
            vault.catch_up(published[2:], [gone])
        assert (raised.value.code, raised.value.detail) == ("chain", "2")
        assert vault.show(gone)
        assert vault.catch_up(published[1:], [gone, "v-unknown"]) == (2, 1)
        assert vault.head() == head
        assert vault.catch_up([], [gone]) == (0, 0)
        assert not vault.forget(gone, ASKED)
        vault.unmask(stays, CALL)
        assert check(vault.entries(), head)[1] == []


@pytest.mark.parametrize("moment", ["half written", "written", "committed"])
def test_a_crash_while_the_master_key_is_replaced_ends_on_one_side(
    place: Place, moment: str
) -> None:
    committed = moment == "committed"
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
        before = place.key_file.read_bytes()
        vault.rotate()
        after = place.key_file.read_bytes()
    place.new_key_file.touch(mode=0o600)
    half = before[:20] if moment == "half written" else before
    place.new_key_file.write_bytes(after if committed else half)
    place.key_file.write_bytes(before if committed else after)
    with Vault(place) as vault:
        assert vault.show(name)["phone"] == "138****8000"
    assert place.key_file.read_bytes() == after
    assert not place.new_key_file.exists()


def test_rows_put_where_they_do_not_belong_do_not_open(place: Place) -> None:
    with Vault(place) as vault:
        one, two = register(vault, ADULT, TRAVELLER)

    def swap(table: str, column: str, where: str) -> None:
        with closing(sqlite3.connect(place.database)) as db:
            both = [db.execute(f"SELECT {column} FROM {table} {where}", (name,)).fetchone()[0]
                    for name in (one, two)]  # fmt: skip
            if column == "document_hash":
                db.execute(f"UPDATE {table} SET {column} = x'00' {where}", (one,))
            db.execute(f"UPDATE {table} SET {column} = ? {where}", (both[0], two))
            db.execute(f"UPDATE {table} SET {column} = ? {where}", (both[1], one))
            db.commit()

    for table, column, where, said in (
        ("field", "sealed", "WHERE volunteer_id = ? AND name = 'name'", f"{one}/name"),
        ("person", "wrapped_key", "WHERE volunteer_id = ?", f"{one}/key"),
    ):
        swap(table, column, where)
        with Vault(place) as vault:
            for look in (vault.show, lambda name, vault=vault: vault.unmask(name, CALL)):
                with pytest.raises(VaultError) as raised:
                    look(one)
                assert (raised.value.code, raised.value.detail) == ("tampered", said)
            assert vault.head() == Head()
        swap(table, column, where)
    swap("person", "document_hash", "WHERE volunteer_id = ?")
    with Vault(place) as vault, pytest.raises(VaultError) as raised:
        vault.register([ADULT], CLERK)
    assert (raised.value.code, raised.value.detail) == ("tampered", f"{two}/document_hash")


def test_who_cannot_be_read_any_more_can_still_be_forgotten(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
    edit(place, "UPDATE person SET wrapped_key = x'00'")
    with Vault(place) as vault:
        with pytest.raises(VaultError) as raised:
            vault.forget(name, Why(CLERK, "subject_request", ""))
        assert raised.value.code == "reason_missing"
        assert vault.forget(name, ASKED)
        assert isinstance(sent(vault)[-1], VolunteerErased)
        assert vault.status()["people"] == 0


def test_a_flipped_bit_anywhere_in_a_sealed_value_is_noticed(place: Place) -> None:
    with Vault(place) as vault:
        (name,) = register(vault, ADULT)
    where = "WHERE volunteer_id = ? AND name = 'phone'"
    with closing(sqlite3.connect(place.database)) as db:
        (sealed,) = db.execute(f"SELECT sealed FROM field {where}", (name,)).fetchone()
    for at in range(len(sealed)):
        flipped = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        edit(place, f"UPDATE field SET sealed = ? {where}", flipped, name)
        with Vault(place) as vault, pytest.raises(VaultError) as raised:
            vault.show(name)
        assert raised.value.code == "tampered"


def test_what_does_not_fit_or_is_open_to_others_is_refused(place: Place, tmp_path: Path) -> None:
    other = Place(tmp_path / "other", tmp_path / "other-key" / "master.key")
    create(other)
    assert code_of(Place(place.folder, other.key_file)) == "wrong_key"
    assert code_of(Place(tmp_path / "nowhere", place.key_file)) == "vault_missing"
    assert code_of(Place(place.folder, tmp_path / "nowhere")) == "key_missing"
    place.key_file.chmod(0o640)
    assert code_of(place) == "key_open"
    place.key_file.chmod(0o600)
    place.folder.chmod(0o750)
    assert code_of(place) == "vault_open"
    place.folder.chmod(0o700)
    with Vault(place):
        assert code_of(place) == "vault_locked"
    for changed, code in (
        (place, "vault_exists"),
        (Place(tmp_path / "new", place.key_file), "key_exists"),
        (Place(tmp_path / "new", tmp_path / "new" / "master.key"), "key_inside"),
    ):
        with pytest.raises(VaultError) as raised:
            create(changed)
        assert raised.value.code == code
    place.key_file.write_text("not a key")
    assert code_of(place) == "key_unreadable"


def test_the_files_are_for_this_user_alone(place: Place) -> None:
    with Vault(place) as vault:
        register(vault, ADULT)
        for path in (place.folder, place.key_file.parent):
            assert path.stat().st_mode & 0o777 == 0o700
            for file in path.iterdir():
                assert file.stat().st_mode & 0o777 == 0o600, file


def test_the_residence_card_of_2017_is_taken_until_the_last_of_them_has_expired(
    place: Place,
) -> None:
    foreigner = TRAVELLER | {
        "document": {"type": "permanent_residence_2017", "number": "UTO440174081201"}
    }

    def on(day: str) -> Callable[[], int]:
        return lambda: instant(f"{day}T23:59:59+08:00")

    with Vault(place, clock=on("2033-11-30")) as vault:
        [name] = register(vault, foreigner)
    with Vault(place, clock=on("2033-12-01")) as vault:
        [refused] = vault.register([foreigner], CLERK)
        assert (refused.code, refused.field) == ("document_expired", "document.type")
        # What is held was right when it was taken down, and can still be corrected.
        assert vault.correct(name, {"phone": "13800138000"}, ASKED).status == "corrected"
