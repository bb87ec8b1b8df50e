"""Proofs that fit in a file (c2sp.org/tlog-proof): this posting is in the sealed ledger.

The posting's bytes are the proof's extra data, so one file is enough; they are worth what their
leaf hash is worth, which the path ties to the root that was signed.
"""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from consumers.seal.tiles import Tiles
from consumers.signing.notes import Checkpoint, VerifierKey, opened
from ledger.merkle import ProofError, inclusion_proof, leaf_hash, verify_inclusion
from schemas.posting import Posting
from schemas.times import iso_date
from schemas.wire.codec import Undecodable, decode_output
from schemas.wire.jsonform import to_json

_TITLE = "c2sp.org/tlog-proof@v1"
_PATH_MAX = 64

Query = Callable[..., list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Proven:
    """What a proof proves: the posting, in the tree of a checkpoint, seen by some witnesses."""

    posting: Posting
    checkpoint: Checkpoint
    cosigned_by: tuple[str, ...]


class NotSealed(Exception):
    """The posting is newer than the newest checkpoint, or the tiles are not there."""


def sealed_postings(
    query: Query,
    volunteer_id: str | None = None,
    event_id: str | None = None,
    partition: int | None = None,
    index: int | None = None,
    first_day: int | None = None,
    last_day: int | None = None,
) -> list[dict[str, Any]]:
    """The postings of a volunteer or an event, or one by its index: partition, index, bytes as hex.

    With days (since 1970), those that moved minutes of a service day from the first to the last.
    """
    where, values = ["1"], dict[str, object]()
    for column, kind, value in (
        ("volunteer_id", "String", volunteer_id), ("event_id", "String", event_id),
        ("partition", "Int64", partition), ("posting_index", "Int64", index),
    ):  # fmt: skip
        if value is not None:
            where.append(f"{column} = {{{column}:{kind}}}")
            values[column] = value
    if first_day is not None and last_day is not None:
        where.append(
            "(partition, posting_index) IN (SELECT partition, posting_index FROM line "
            "WHERE volunteer_id = {volunteer_id:String} "
            "AND service_date BETWEEN toDate32({first:String}) AND toDate32({last:String}))"
        )
        values |= {"first": iso_date(first_day), "last": iso_date(last_day)}
    rows = query(
        "SELECT partition, posting_index, hex(value) AS value_hex FROM posting "
        f"WHERE {' AND '.join(where)} ORDER BY partition, posting_index",
        **values,
    )
    return [
        {"partition": r["partition"], "index": r["posting_index"], "value_hex": r["value_hex"]}
        for r in rows
    ]


def prove(folder: Path, index: int, value: bytes) -> str:
    """The proof's text for a posting of the log sealed in `folder`.

    It is verified before it is given. Raises NotSealed, ProofError if the posting is not the one
    that was sealed, BadNote, TilesDiffer.
    """
    try:
        written = (folder / "checkpoint").read_text("utf-8")
    except FileNotFoundError:
        raise NotSealed(f"{folder} has no checkpoint") from None
    said = Checkpoint.parse(written.rpartition("\n\n")[0] + "\n")
    if index >= said.size:
        raise NotSealed(f"{said.origin} is sealed up to {said.size}")
    tiles = Tiles(folder)
    try:
        path = inclusion_proof(index, said.size, lambda lvl, n: tiles.node(said.size, lvl, n))
    except FileNotFoundError as error:
        raise NotSealed(f"no tile {error.filename}") from None
    verify_inclusion(index, said.size, leaf_hash(value), said.root, path)
    lines = [_TITLE, f"extra {_base64(value)}", f"index {index}", *map(_base64, path), ""]
    return "\n".join(lines) + f"\n{written}"


def verify_proof(
    text: str, trusted: Sequence[VerifierKey], witnesses: Sequence[VerifierKey]
) -> Proven:
    """Raises BadNote if the checkpoint is not signed, ProofError if it proves nothing of this."""
    head, gap, written = text.partition("\n\n")
    match = re.fullmatch(
        rf"{re.escape(_TITLE)}\nextra (\S+)\nindex (0|[1-9]\d{{0,18}})((?:\n\S+)*)", head
    )
    if not gap or match is None:
        raise ProofError("no tlog-proof with a posting in it")
    value, path = _unbase64(match[1]), [_unbase64(line) for line in match[3].split("\n")[1:]]
    if len(path) > _PATH_MAX:
        raise ProofError("the proof is too long")
    origin = written.partition("\n")[0]
    note, _ = opened(written, [key.named(origin) for key in trusted])
    said, index = Checkpoint.parse(note.text), int(match[2])
    verify_inclusion(index, said.size, leaf_hash(value), said.root, path)
    try:
        posting = decode_output(value)
    except Undecodable as error:
        raise ProofError(f"the sealed bytes are no posting: {error}") from None
    names = {key.name for key in trusted}
    if not isinstance(posting, Posting) or posting.index != index:
        raise ProofError("the sealed bytes are another posting's")
    if origin not in {f"{name}/p{posting.partition}" for name in names}:
        raise ProofError(f"a posting of partition {posting.partition} in the log {origin}")
    friends = opened(written, [*(k.named(origin) for k in trusted), *witnesses])[1]
    return Proven(posting, said, tuple(k.name for k in friends if k in witnesses))


def as_json(proven: Proven) -> dict[str, Any]:
    """For people and machines."""
    return {
        "origin": proven.checkpoint.origin,
        "sealed_at_size": proven.checkpoint.size,
        "cosigned_by": list(proven.cosigned_by),
        "posting": to_json(proven.posting),
    }


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unbase64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ProofError("a line is not base64") from None
