"""A worker has back what the log says, with its shelf or without, and reads what it must."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE

import psutil
import pytest
from kafka.admin import KafkaAdminClient, NewTopic

from deploy.broker.broker import Broker
from ledger.catalogue.catalogue import Catalogue
from schemas.topics import ACCOUNTS, ALL, CHECKINS, PARTITIONS, broker_config
from schemas.wire.codec import encode
from streams.partitions.fold_batch import partition_of
from streams.partitions.partition import Partition, open_partition
from streams.state import restore
from streams.state.accounts import Store, state_key
from streams.state.restore import Filling, Restoring
from streams.state.restore_pool import Fillers
from tests.conftest import create_topics
from tests.drawn.histories import served, when
from tests.faults.harness import wait_until
from tests.streams.test_batches import Raw

pytestmark = pytest.mark.kafka

SESSIONS = 40


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker with the topics; every test takes a partition of its own."""
    with Broker(tmp_path_factory.mktemp("restore"), tied_to_parent=True) as running:
        create_topics(running.bootstrap)
        yield running


class Ledger:
    """One partition of a ledger, and the folders of those who may own it."""

    def __init__(self, bootstrap: str, partition: int, home: Path) -> None:
        self.bootstrap = bootstrap
        self.partition = partition
        self.home = home
        self.read = 0
        self.sessions = 0
        self.machines = 0
        everybody = (f"v{number}" for number in range(1_000))
        self.names = [v for v in everybody if partition_of(v, PARTITIONS) == partition][:5]

    @asynccontextmanager
    async def opened(self, machine: str = "here") -> AsyncIterator[Partition]:
        """The partition, owned by a worker of this machine; `read` says what it had to read."""
        owned = await self.open(machine)
        yield owned
        await owned.close()

    async def open(self, machine: str, filling: Filling | None = None) -> Partition:
        """The same, not closed again."""

        def told(partition: int, done: int, total: int) -> None:
            self.read = total

        return await open_partition(
            self.partition,
            bootstrap=self.bootstrap,
            app_id="restore",
            shelves=self.home / machine,
            restoring=told,
            filling=filling,
        )

    async def fold(self, owned: Partition, sessions: int = 1) -> None:
        """So many sessions more, one transaction each."""
        for _ in range(sessions):
            number = self.sessions = self.sessions + 1
            arrived, left = served(self.names[number % 5], f"s{number}")
            at, recorded = owned.position(CHECKINS), when("20:00") // 1000
            chunk = [
                Raw(at, recorded, arrived.volunteer_id.encode(), encode(arrived)),
                Raw(at + 1, recorded, left.volunteer_id.encode(), encode(left)),
            ]
            await owned.apply(CHECKINS, chunk, Catalogue(), PARTITIONS)


@pytest.fixture
def ledger(ground: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> Ledger:
    """A partition that nobody has written to."""
    names = [item.name for item in request.session.items if item.path == request.path]
    return Ledger(ground.bootstrap, names.index(request.node.name), tmp_path)


def said(ledger: Ledger, store: Store) -> object:
    """Everything that a store says."""
    keys = [state_key(store.partition)]
    for name in ledger.names:
        keys += [name, *(f"{name}/{page}" for page in ("d20147", "d20148", "b0", "b1", "b2"))]
    values = [store.records.get(key) for key in keys]
    assert values[1] is not None or store.next_index == 0
    return store.wakes, store.lent, store.next_index, store.positions, values


async def same_as_from_nothing(ledger: Ledger, machine: str = "here") -> int:
    """This machine's shelf comes to what the whole log comes to; how much it read for that."""
    async with ledger.opened(machine) as owned:
        read, found = ledger.read, said(ledger, owned.store)
    ledger.machines += 1
    async with ledger.opened(f"a new machine, number {ledger.machines}") as owned:
        assert said(ledger, owned.store) == found
        assert ledger.read > read
    return read


def test_a_restart_reads_the_last_transaction_alone(ledger: Ledger) -> None:
    async def run() -> None:
        async with ledger.opened() as owned:
            await ledger.fold(owned, SESSIONS)
        assert await same_as_from_nothing(ledger) < 5

    asyncio.run(run())


def test_a_killed_worker_reads_on_from_where_its_shelf_was(ledger: Ledger) -> None:
    async def run() -> None:
        owned = await ledger.open("here")
        await ledger.fold(owned, SESSIONS)
        # Its last transaction is in the log, and the shelf never heard of it.
        owned._shelf.put = lambda *_: None  # type: ignore[method-assign]
        await ledger.fold(owned)
        owned._shelf._env.close()
        await owned._producer.stop()
        assert await same_as_from_nothing(ledger) < 10

    asyncio.run(run())


def test_what_another_machine_did_meanwhile_is_read(ledger: Ledger) -> None:
    async def run() -> None:
        async with ledger.opened() as owned:
            await ledger.fold(owned, SESSIONS)
        async with ledger.opened("elsewhere") as owned:
            await ledger.fold(owned, 3)
        assert await same_as_from_nothing(ledger) < 20
        # And once more, after a time in which it only followed.
        async with ledger.opened("elsewhere") as owned:
            await ledger.fold(owned)
        assert await same_as_from_nothing(ledger) < 20

    asyncio.run(run())


def test_the_shelf_of_another_log_is_thrown_away(ledger: Ledger) -> None:
    async def run() -> None:
        async with ledger.opened() as owned:
            await ledger.fold(owned, SESSIONS)
        recreate_accounts(ledger.bootstrap)
        # A ledger begun anew, and longer by now than the one that the shelf has followed.
        async with ledger.opened("elsewhere") as owned:
            assert owned.store.next_index == 0
            await ledger.fold(owned, SESSIONS * 2)
        async with ledger.opened() as owned:
            found = said(ledger, owned.store)
            assert owned.store.next_index == SESSIONS * 4
        async with ledger.opened("elsewhere") as owned:
            assert said(ledger, owned.store) == found

    asyncio.run(run())


def test_the_shelf_of_a_log_that_is_no_more_is_thrown_away(ledger: Ledger) -> None:
    async def run() -> None:
        async with ledger.opened() as owned:
            await ledger.fold(owned, SESSIONS)
        recreate_accounts(ledger.bootstrap)
        async with ledger.opened() as owned:
            assert owned.store.next_index == 0
            assert owned.store.records.get(ledger.names[1]) is None

    asyncio.run(run())


def test_a_log_from_before_it_had_a_name_gets_one(ledger: Ledger) -> None:
    async def run() -> None:
        async with ledger.opened() as owned:
            owned._born = ""
            await ledger.fold(owned, SESSIONS)
        # Nobody has written a name yet, so nobody's shelf is believed.
        async with ledger.opened() as owned:
            assert ledger.read > SESSIONS
            await ledger.fold(owned)
        assert await same_as_from_nothing(ledger) < 10

    asyncio.run(run())


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few records are many."""
    monkeypatch.setattr(restore, "MANY_RECORDS", SESSIONS)


@pytest.mark.usefixtures("many")
def test_many_records_are_read_by_a_process_of_its_own(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        fillers = Fillers(ledger.bootstrap, 1)
        told: list[tuple[int, int, int]] = []

        async def filling(folder: Path, partition: int, restoring: Restoring) -> None:
            await fillers.fill(folder, partition, lambda *at: told.append(at))

        async with ledger.opened() as owned:
            await ledger.fold(owned, SESSIONS)
            found = said(ledger, owned.store)
        filled = await ledger.open("a new machine", filling)
        assert said(ledger, filled.store) == found
        assert ledger.read < 5
        assert told[0][1] == 0
        assert told[-1][1] == told[-1][2] > SESSIONS
        await ledger.fold(filled)
        await filled.close()
        # One after the other, by the same process, which then ends.
        await asyncio.gather(
            *(
                fillers.fill(ledger.home / name / str(ledger.partition), ledger.partition, nothing)
                for name in ("one", "another")
            )
        )
        assert fillings() == []
        assert await same_as_from_nothing(ledger, "one") < 5
        assert await same_as_from_nothing(ledger, "another") < 5
        assert "ended early" not in caplog.text

    asyncio.run(run())


@pytest.mark.usefixtures("many")
def test_what_a_killed_filling_did_not_read_is_read_by_the_worker(ledger: Ledger) -> None:
    async def run() -> None:
        fillers = Fillers(ledger.bootstrap, 1)

        async def filling(folder: Path, partition: int, restoring: Restoring) -> None:
            def told(*_: int) -> None:
                for process in fillings():
                    process.kill()

            await fillers.fill(folder, partition, told)

        async with ledger.opened() as owned:
            await ledger.fold(owned, SESSIONS)
            found = said(ledger, owned.store)
        for attempt in range(50):
            filled = await ledger.open(f"new machine {attempt}", filling)
            assert said(ledger, filled.store) == found
            await filled.close()
            # A filling may be done before it is killed.
            if ledger.read > SESSIONS:
                return
        raise AssertionError("no filling was killed in time")

    asyncio.run(run())


def test_a_filling_ends_with_its_worker(ground: Broker, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "streams.state.restore_pool", ground.bootstrap]
    for told_off, code in ((False, 0), (True, 1)):
        with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            assert process.stderr is not None
            if told_off:
                # Nobody is left to say to how far it is.
                process.stdout.close()
                process.stdin.write(f"0 {tmp_path / 'p'}\n".encode())
                process.stdin.flush()
                assert process.wait(20) == code
            process.stdin.close()
            assert process.wait(20) == code
            assert process.stderr.read() == b""


def nothing(partition: int, done: int, total: int) -> None:
    pass


def fillings() -> list[psutil.Process]:
    """The processes of ours that fill shelves."""
    living = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
    return [process for process in living if "streams.state.restore_pool" in process.cmdline()]


def recreate_accounts(bootstrap: str) -> None:
    """Take ledger.accounts away and make it anew, as nobody should."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.delete_topics([ACCOUNTS])
        wait_until(lambda: ACCOUNTS not in admin.list_topics(), "the topic is gone")
        accounts = next(topic for topic in ALL if topic.name == ACCOUNTS)
        admin.create_topics(
            [NewTopic(ACCOUNTS, PARTITIONS, 1, topic_configs=broker_config(accounts))]
        )
    finally:
        admin.close()
