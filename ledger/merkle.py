"""RFC 6962 Merkle trees: hashes, a tree's compact range, proofs and their verification.

A leaf is SHA-256(0x00 || entry), a node SHA-256(0x01 || left || right). A range keeps the roots of
the largest full subtrees, at most 64 hashes, and grows by batches. Proofs are built from any
`node(level, index)`: the root of the full subtree over leaves [index << level, index+1 << level).
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

HASH_BYTES = 32
TILE_HEIGHT = 8
"""Levels of the tree in one tile, see c2sp.org/tlog-tiles."""

EMPTY_ROOT = sha256(b"").digest()

Node = Callable[[int, int], bytes]
"""(level, index) -> the hash of a full subtree."""

# A copy of a hash that has taken the prefix is faster than joining prefix and data.
_LEAF = sha256(b"\0")
_NODE = sha256(b"\1")


class ProofError(Exception):
    """A proof that does not prove what it should; the text says why."""


def leaf_hash(entry: bytes) -> bytes:
    """The hash of one entry's bytes."""
    return sha256(b"\0" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of two children."""
    return sha256(b"\1" + left + right).digest()


def leaf_hashes(entries: Iterable[bytes]) -> list[bytes]:
    """The hashes of many entries."""
    hashes = []
    copy = _LEAF.copy
    for entry in entries:
        state = copy()
        state.update(entry)
        hashes.append(state.digest())
    return hashes


class Range(NamedTuple):
    """The first `size` leaves: the roots of its full subtrees, the largest first.

    A tuple, so that it can go from one process to another, compiled or not.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    @property
    def root(self) -> bytes:
        """The tree's root hash."""
        if not self.peaks:
            return EMPTY_ROOT
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


class Grown(NamedTuple):
    """A range after a batch; `rows[t]` are the new hashes of tile level t, in order."""

    range: Range
    rows: tuple[list[bytes], ...]


def grow(old: Range, leaves: Sequence[bytes]) -> Grown:
    """Append leaf hashes."""
    peaks = dict(zip(_levels(old.size), old.peaks, strict=True))
    rows: list[list[bytes]] = []
    row, at, level = list(leaves), old.size, 0
    while row:
        if level % TILE_HEIGHT == 0:
            rows.append(row[:])
        if at & 1:
            row.insert(0, peaks.pop(level))
        if len(row) & 1:
            peaks[level] = row.pop()
        row, at, level = _parents(row), at >> 1, level + 1
    found = tuple(peaks[at_level] for at_level in sorted(peaks, reverse=True))
    return Grown(Range(old.size + len(leaves), found), tuple(rows))


def subtree_root(leaves: Sequence[bytes]) -> bytes:
    """The root over some leaf hashes (or any equally high nodes)."""
    return grow(Range(), leaves).range.root


def range_of(size: int, node: Node) -> Range:
    """The range of a tree of this size."""
    peaks, begin = [], 0
    for level in _levels(size):
        peaks.append(node(level, begin >> level))
        begin += 1 << level
    return Range(size, tuple(peaks))


def joined(left: Range, right: Range) -> Range:
    """The range over `left` and, after it, `right`, which began at left's size.

    Left's size must be a multiple of a power of two that is not below right's size.
    """
    if not right.size:
        return left
    if left.size % (1 << (right.size - 1).bit_length()):
        raise ValueError(f"a range of {right.size} cannot begin at {left.size}")
    whole = dict(zip(_levels(left.size), left.peaks, strict=True))
    for level, peak in zip(_levels(right.size), right.peaks, strict=True):
        while level in whole:
            peak, level = node_hash(whole.pop(level), peak), level + 1
        whole[level] = peak
    peaks = tuple(whole[level] for level in sorted(whole, reverse=True))
    return Range(left.size + right.size, peaks)


def _levels(size: int) -> list[int]:
    """The levels of a range's peaks, the highest first: the bits of its size."""
    return [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]


def _parents(row: Sequence[bytes]) -> list[bytes]:
    parents = []
    copy = _NODE.copy
    for left, right in zip(row[::2], row[1::2], strict=True):
        state = copy()
        state.update(left + right)
        parents.append(state.digest())
    return parents


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """The siblings of a leaf up to the root (RFC 6962, 2.1.1); ValueError if it is not there."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    return _path(index, 0, size, node)


def _path(index: int, begin: int, end: int, node: Node) -> list[bytes]:
    if end - begin == 1:
        return []
    split = begin + _split(end - begin)
    if index < split:
        return [*_path(index, begin, split, node), _hash_of(split, end, node)]
    return [*_path(index, split, end, node), _hash_of(begin, split, node)]


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """That the tree of `old` leaves is the beginning of that of `new` (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not continue one of {old}")
    return [] if old in (0, new) else _subproof(old, 0, new, True, node)


def _subproof(old: int, begin: int, end: int, is_whole: bool, node: Node) -> list[bytes]:
    if old == end:
        return [] if is_whole else [_hash_of(begin, end, node)]
    split = begin + _split(end - begin)
    if old <= split:
        return [*_subproof(old, begin, split, is_whole, node), _hash_of(split, end, node)]
    return [*_subproof(old, split, end, False, node), _hash_of(begin, split, node)]


def _hash_of(begin: int, end: int, node: Node) -> bytes:
    """The hash over leaves [begin, end); begin is a multiple of the power of two above."""
    found = None
    for level in reversed(_levels(end - begin)):
        end -= 1 << level
        peak = node(level, end >> level)
        found = peak if found is None else node_hash(peak, found)
    assert found is not None
    return found


def _split(size: int) -> int:
    """The largest power of two below the size."""
    return 1 << (size - 1).bit_length() - 1


def verify_inclusion(
    index: int, size: int, leaf: bytes, root: bytes, proof: Sequence[bytes]
) -> None:
    """Raises ProofError unless the leaf hash is at `index` of the tree with this root."""
    if not 0 <= index < size:
        raise ProofError(f"no leaf {index} in a tree of {size}")
    _hashes((leaf, root))
    last, found = size - 1, leaf
    for sibling in _hashes(proof):
        if not last:
            raise ProofError("the proof is too long")
        if index & 1 or index == last:
            found = node_hash(sibling, found)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            found = node_hash(found, sibling)
        index, last = index >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if found != root:
        raise ProofError("the leaf does not lead to the root")


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Raises ProofError unless the old tree is the beginning of the new one.

    An empty old tree proves nothing and is refused, as by the public test vectors.
    """
    if not 0 < old <= new:
        raise ProofError(f"a tree of {new} cannot be shown to continue one of {old}")
    hashes = _hashes(proof)
    if old == new:
        if hashes or old_root != new_root:
            raise ProofError("two trees of one size differ" if not hashes else "too long")
        return
    if not hashes:
        raise ProofError("the proof is empty")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    # Where the old tree is one full subtree its root is where the way begins.
    first, rest = (hashes[0], hashes[1:]) if at else (old_root, hashes)
    found_old = found_new = first
    for sibling in rest:
        if not last:
            raise ProofError("the proof is too long")
        if at & 1 or at == last:
            found_old, found_new = node_hash(sibling, found_old), node_hash(sibling, found_new)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found_new = node_hash(found_new, sibling)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the proof is too short")
    if found_old != old_root:
        raise ProofError("the proof does not lead to the old root")
    if found_new != new_root:
        raise ProofError("the proof does not lead to the new root")


def _hashes(proof: Sequence[bytes]) -> Sequence[bytes]:
    if any(len(part) != HASH_BYTES for part in proof):
        raise ProofError("a hash has not 32 bytes")
    return proof
