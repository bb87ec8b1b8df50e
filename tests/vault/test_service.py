"""The vault as a process: a token, loopback, and errors that say nothing of anybody."""

import json
import logging
import socket
from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import psutil
import pytest

from schemas.events import Event, VaultAccessed
from tests.vault.people import ADULT, leaks, secrets_of
from vault.ask import Owner, asked, find_owner
from vault.errors import VaultError
from vault.service import Desk, serving
from vault.store import Place
from vault.vault import Vault

ACTOR = {"id": "u-clerk-1", "role": "admin", "org_id": None}
WHY = {"purpose": "contact", "reason": "calls", "actor": ACTOR}


class Broker:
    """What takes the events: all, or none while it is down."""

    def __init__(self) -> None:
        self.taken: list[Event] = []
        self.is_down = False

    def send(self, events: Sequence[Event]) -> int:
        if self.is_down:
            raise ConnectionError(f"down, with {events!r} in hand")
        self.taken.extend(events)
        return len(events)


@pytest.fixture
def broker() -> Broker:
    return Broker()


@pytest.fixture
def url(place: Place, broker: Broker) -> Iterator[str]:
    with Vault(place) as vault, serving(Desk(vault, broker.send), place.owner_file) as address:
        yield address


@pytest.fixture
def owner(place: Place, url: str) -> Iterator[Owner]:
    found = find_owner(place)
    assert found is not None
    with found.client:
        yield found


def test_it_answers_the_same_as_the_file_opened_here(
    place: Place, broker: Broker, owner: Owner
) -> None:
    (found,) = owner.ask("register", {"people": [ADULT], "actor": ACTOR})["answer"]
    name = found["volunteer_id"]
    assert owner.ask("show", {"volunteer_id": name})["answer"]["name"] == "欧****"
    given = {"volunteer_id": name, "unmask": True, **WHY}
    assert owner.ask("show", given)["answer"]["name"] == ADULT["name"]
    assert owner.ask("name", {"volunteer_id": name, **WHY})["answer"] == ADULT["name"]
    said = owner.ask("status", {})
    assert (said["answer"]["people"], said["pending"]) == (1, 0)
    assert [e.action for e in broker.taken if isinstance(e, VaultAccessed)] == ["unmask", "name"]
    with asked(place, broker.send) as someone:
        assert isinstance(someone, Owner)


def test_without_the_token_nobody_learns_anything(url: str, owner: Owner) -> None:
    (found,) = owner.ask("register", {"people": [ADULT], "actor": ACTOR})["answer"]
    for headers in ({}, {"Authorization": "Bearer"}, {"Authorization": "Bearer x"},
                    {"Authorization": "Basic Og=="}):  # fmt: skip
        for request in ("show", "export", "nonsense"):
            said = httpx.post(f"{url}/v1/{request}", json={"volunteer_id": found["volunteer_id"]},
                              headers=headers, trust_env=False)  # fmt: skip
            assert said.status_code == 401
            assert said.json() == {"code": "token", "detail": ""}


def test_port_and_token_are_for_this_user_alone_and_loopback(place: Place, url: str) -> None:
    assert place.owner_file.stat().st_mode & 0o777 == 0o600
    said = json.loads(place.owner_file.read_text())
    assert len(said["token"]) >= 40
    bound = [
        one.laddr.ip
        for one in psutil.Process().net_connections("tcp")
        if one.status == psutil.CONN_LISTEN and one.laddr.port == said["port"]
    ]
    assert bound == ["127.0.0.1"]


def test_the_token_is_another_one_each_time_and_goes_at_the_end(
    place: Place, broker: Broker
) -> None:
    tokens = set()
    for _ in range(2):
        with Vault(place) as vault, serving(Desk(vault, broker.send), place.owner_file):
            tokens.add(json.loads(place.owner_file.read_text())["token"])
        assert not place.owner_file.exists()
    assert len(tokens) == 2


def test_a_file_left_by_a_dead_process_is_not_believed(place: Place, broker: Broker) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    said = {"pid": psutil.Process().pid, "created": 1.0, "port": port, "token": "x"}
    place.owner_file.write_text(json.dumps(said))
    with asked(place, broker.send) as someone:
        assert isinstance(someone, Desk)


HOSTILE: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("nonsense", {}, "bad_request"),
    ("show", {}, "bad_request"),
    ("show", {"volunteer_id": ADULT["name"]}, "unknown_volunteer"),
    ("show", {"volunteer_id": ["欧阳测试甲"]}, "bad_request"),
    ("name", {"volunteer_id": "v-1", "purpose": "contact", "actor": "欧阳测试甲"}, "bad_request"),
    ("name", {"volunteer_id": "v-1", "purpose": ADULT["name"], "actor": ACTOR},
     "unknown_volunteer"),
    ("register", {"people": "欧阳测试甲", "actor": ACTOR}, "bad_request"),
    ("register", {"people": [ADULT] * 501, "actor": ACTOR}, "bad_request"),
    ("register", {"people": [ADULT], "actor": {"id": "欧阳测试甲", "role": "admin"}},
     "event_form"),
    ("catch_up", {"entries": ["欧阳测试甲"], "erased": []}, "bad_request"),
    ("catch_up", {"entries": [ADULT], "erased": []}, "bad_request"),
    ("catch_up", {"entries": ["00"], "erased": []}, "chain"),
)  # fmt: skip


def test_no_error_repeats_what_was_sent(owner: Owner, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for request, body, code in HOSTILE:
        with pytest.raises(VaultError) as raised:
            owner.ask(request, body)
        assert raised.value.code == code, request
        said = [("error", str(raised.value).encode()), ("log", caplog.text.encode())]
        assert not leaks(secrets_of(ADULT), said)
    assert owner.ask("status", {})["answer"]["people"] == 0


def test_bytes_that_are_no_request_are_told_so(owner: Owner) -> None:
    for body in (b"", b"[]", b'"x"', b"{", b"\xff", b"[" * 100_000, b'{"x": "' + b"x" * (5 << 20)):
        said = owner.client.post("/v1/show", content=body)
        assert (said.status_code, said.json()["code"]) == (422, "bad_request"), body[:9]


def test_while_the_broker_is_down_events_wait(
    owner: Owner, broker: Broker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    broker.is_down = True
    said = owner.ask("register", {"people": [ADULT], "actor": ACTOR})
    assert said["answer"][0]["status"] == "registered"
    assert said["pending"] == 1
    assert "ConnectionError" in caplog.text
    assert "in hand" not in caplog.text
    broker.is_down = False
    assert owner.ask("status", {})["pending"] == 0
    assert len(broker.taken) == 1
