"""What a cluster has published, and what it should be: read from Kafka, computed by definition."""

from collections import defaultdict

from consumers.log import Log
from consumers.notes import Checkpoint, VerifierKey, opened
from ledger.merkle import Range, grow, leaf_hashes
from schemas.topics import CHECKPOINTS, POSTINGS


def values(bootstrap: str, topic: str) -> dict[int, list[bytes]]:
    """Partition -> the committed values of a topic."""
    found: defaultdict[int, list[bytes]] = defaultdict(list)
    with Log(bootstrap) as log:
        ends = log.ends(log.places([topic]))
        for place, records in log.read_all({place: (0, end) for place, end in ends.items()}):
            found[place.partition] += [record.value or b"" for record in records]
    return found


def checkpoints(bootstrap: str, key: VerifierKey) -> dict[int, list[Checkpoint]]:
    """Partition -> its published checkpoints in order; fails if one is not signed by the key."""
    found: defaultdict[int, list[Checkpoint]] = defaultdict(list)
    for partition, notes in values(bootstrap, CHECKPOINTS).items():
        for written in notes:
            own = key.named(f"{key.name}/p{partition}")
            note, _ = opened(written.decode(), [own])
            found[partition].append(Checkpoint.parse(note.text))
    return found


def root(entries: list[bytes]) -> bytes:
    return grow(Range(), leaf_hashes(entries)).range.root


def must_be_one_truth(bootstrap: str, key: VerifierKey, *, all_sealed: bool = True) -> int:
    """Every published checkpoint is the tree's over the postings there; how many there are."""
    postings, published = values(bootstrap, POSTINGS), checkpoints(bootstrap, key)
    for partition, said in published.items():
        sizes = [one.size for one in said]
        assert sizes == sorted(sizes)
        for one in said:
            assert one.origin == f"{key.name}/p{partition}"
            assert one.size <= len(postings[partition])
            assert one.root == root(postings[partition][: one.size])
    if all_sealed:
        newest = {partition: said[-1].size for partition, said in published.items()}
        assert newest == {partition: len(rows) for partition, rows in postings.items() if rows}
    return sum(map(len, published.values()))
