"""What the trail itself says of how far it goes, and of faults that it has kept."""

from consumers.kafka.records import Place
from consumers.trail.progress import Fault
from consumers.trail.rows import TABLES, tables_of
from consumers.trail.store import Trail
from schemas.topics import ACCESS, CATALOGUE, CHECKPOINTS, POSTINGS, QUARANTINE

_TOPICS = {
    "catalogue": CATALOGUE,
    "quarantine": QUARANTINE,
    "checkpoint": CHECKPOINTS,
    "access_log": ACCESS,
}
"""Table -> the topic that its rows come from; the others' come from ledger.postings."""

Heads = dict[tuple[str, Place], int]
"""For a table and a place: the offset after the highest one that the table holds."""


def heads(trail: Trail) -> Heads:
    """The heads of all tables; a table and place without rows is left out."""
    found = {}
    for table in TABLES:
        topic = _TOPICS.get(table, POSTINGS)
        named = "topic" if table == "event" else "{topic:String}"
        # Questions asked of the trail itself are in there, too, without a place.
        where = "WHERE partition >= 0 " if table == "access_log" else ""
        for row in trail.query(
            f"SELECT {named} AS of_topic, partition, max(offset) + 1 AS head "
            f"FROM {table} {where}GROUP BY of_topic, partition",
            topic=topic,
        ):
            found[table, Place(row["of_topic"], row["partition"])] = row["head"]
    return found


def head_of(held: Heads, place: Place) -> int:
    """The offset to go on from: that of the table of the topic which is written last."""
    return held.get((tables_of(place.topic)[-1], place), 0)


def next_indexes(trail: Trail) -> tuple[dict[int, int], list[Fault]]:
    """The index that each partition's next posting must have, and where they are not dense.

    Count, sum and ends are compared, which costs no memory; `reconcile` looks at each one.
    """
    rows = trail.query(
        "SELECT partition, count() AS n, sum(posting_index) AS total, "
        "min(posting_index) AS lowest, argMax(posting_index, offset) AS newest "
        "FROM posting GROUP BY partition ORDER BY partition"
    )
    faults = []
    for row in rows:
        n = row["n"]
        if (row["lowest"], row["newest"], row["total"]) != (0, n - 1, n * (n - 1) // 2):
            found = f"{n} postings, indexes {row['lowest']} to {row['newest']}"
            faults.append(Fault("index_not_dense", f"{POSTINGS}/{row['partition']}", found))
    return {row["partition"]: row["newest"] + 1 for row in rows}, faults


def unreadable_outputs(trail: Trail) -> list[Fault]:
    """Records of ledger.* topics that are in the trail only as bytes: the worker's fault."""
    rows = trail.query(
        "SELECT topic, partition, offset, fault FROM event "
        "WHERE topic IN ({postings:String}, {quarantine:String}, {checkpoints:String})",
        postings=POSTINGS, quarantine=QUARANTINE, checkpoints=CHECKPOINTS,
    )  # fmt: skip
    return [unreadable(Place(r["topic"], r["partition"]), r["offset"], r["fault"]) for r in rows]


def unreadable(place: Place, offset: int, code: str) -> Fault:
    """The fault of one such record."""
    return Fault("unreadable_output", str(place), f"offset {offset}: {code}")
