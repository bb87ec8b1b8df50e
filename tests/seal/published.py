"""What a cluster has published, and what it should be: read from Kafka, computed by definition."""

from collections import defaultdict

from consumers.kafka.reader import Log
from consumers.signing.notes import Checkpoint, VerifierKey, opened
from ledger.merkle import Range, grow, leaf_hashes
from schemas.topics import ACCESS, CHECKPOINTS, POSTINGS


def values(bootstrap: str, topic: str) -> dict[int, list[bytes]]:
    """Partition -> the committed values of a topic."""
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    with Log(bootstrap) as log:
        ends = log.ends(log.places([topic]))
        for place, records in log.read_all({place: (0, end) for place, end in ends.items()}):
            found[place.partition] += [record.value or b"" for record in records]
    return found


def entries(bootstrap: str) -> dict[str, list[bytes]]:
    """Log -> what is to be sealed of it."""
    found = {f"p{partition}": some for partition, some in values(bootstrap, POSTINGS).items()}
    return found | {"access": values(bootstrap, ACCESS).get(0, [])}


def checkpoints(bootstrap: str, key: VerifierKey) -> dict[str, list[Checkpoint]]:
    """Log -> its published checkpoints in order; fails if one is not signed by the key."""
    found: defaultdict[str, list[Checkpoint]] = defaultdict(list)
    for partition, notes in values(bootstrap, CHECKPOINTS).items():
        for written in notes:
            origin = written.decode().partition("\n")[0]
            note, _ = opened(written.decode(), [key.named(origin)])
            log = origin.removeprefix(f"{key.name}/")
            assert log == f"p{partition}" or (log, partition) == ("access", 0)
            found[log].append(Checkpoint.parse(note.text))
    return found


def root(entries: list[bytes]) -> bytes:
    return grow(Range(), leaf_hashes(entries)).range.root


def must_be_one_truth(bootstrap: str, key: VerifierKey, *, all_sealed: bool = True) -> int:
    """Every published checkpoint is the tree's over the entries there; how many there are."""
    there, published = entries(bootstrap), checkpoints(bootstrap, key)
    for log, said in published.items():
        sizes = [one.size for one in said]
        assert sizes == sorted(sizes)
        for one in said:
            assert one.origin == f"{key.name}/{log}"
            assert one.size <= len(there[log])
            assert one.root == root(there[log][: one.size])
    if all_sealed:
        newest = {log: said[-1].size for log, said in published.items()}
        assert newest == {log: len(rows) for log, rows in there.items() if rows}
    return sum(map(len, published.values()))
