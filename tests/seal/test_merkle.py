"""The tree against the public vectors, against a tree by the RFC's definition."""

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.merkle import (
    EMPTY_ROOT,
    ProofError,
    Range,
    consistency_proof,
    grow,
    inclusion_proof,
    joined,
    leaf_hash,
    leaf_hashes,
    node_hash,
    range_of,
    subtree_root,
    verify_consistency,
    verify_inclusion,
)

VECTORS = json.loads((Path(__file__).parent / "rfc6962.json").read_text("utf-8"))


def unpacked(text: str | None) -> bytes:
    return base64.b64decode(text or "")


def judged(vector: dict[str, Any]) -> bool:
    """Does our verifier take the proof?"""
    proof = [unpacked(part) for part in vector["proof"] or ()]
    try:
        if "leafIdx" in vector:
            leaf, root = unpacked(vector["leafHash"]), unpacked(vector["root"])
            verify_inclusion(vector["leafIdx"], vector["treeSize"], leaf, root, proof)
        else:
            roots = unpacked(vector["root1"]), unpacked(vector["root2"])
            verify_consistency(vector["size1"], vector["size2"], *roots, proof)
    except ProofError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(VECTORS))
def test_the_public_vectors(name: str) -> None:
    assert judged(VECTORS[name]) is not VECTORS[name]["wantErr"]


def test_all_196_vectors_are_there() -> None:
    assert len(VECTORS) == 196
    assert {bool(v["wantErr"]) for v in VECTORS.values()} == {True, False}


def test_the_constants_of_the_reference_implementation() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    l123456 = "395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56"
    assert leaf_hash(b"L123456").hex() == l123456
    n123_n456 = "aa217fe888e47007fa15edab33c2b492a722cb106c64667fc2b044444de66bbb"
    assert node_hash(b"N123", b"N456").hex() == n123_n456


def defined(leaves: list[bytes]) -> bytes:
    """The root as RFC 6962, 2.1 defines it, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\1" + defined(leaves[:k]) + defined(leaves[k:])).digest()


def entries(n: int) -> list[bytes]:
    return [b"entry %d" % i for i in range(n)]


def node_of(leaves: list[bytes]):  # type: ignore[no-untyped-def]
    return lambda level, index: defined(leaves[index << level : (index + 1) << level])


@given(st.lists(st.integers(0, 40), max_size=12))
@settings(deadline=None)
def test_any_split_into_batches_gives_the_defined_root(batches: list[int]) -> None:
    leaves = entries(sum(batches))
    found, at = Range(), 0
    for n in batches:
        found = grow(found, leaf_hashes(leaves[at : at + n])).range
        at += n
        assert found.root == defined(leaves[:at])
    assert found == range_of(len(leaves), node_of(leaves))


@given(st.integers(0, 700), st.integers(0, 700))
@settings(max_examples=50, deadline=None)
def test_the_rows_are_what_the_tiles_hold(first: int, second: int) -> None:
    leaves = leaf_hashes(entries(first + second))
    one = grow(Range(), leaves[:first])
    two = grow(one.range, leaves[first:])
    for level in (0, 1):
        row = [h for grown in (one, two) for h in (grown.rows[level : level + 1] or ([],))[0]]
        wide = 256**level
        whole = range(0, len(leaves) // wide * wide, wide)
        assert row == [subtree_root(leaves[i : i + wide]) for i in whole]


@pytest.mark.parametrize("new", [*range(1, 34), 63, 64, 65, 100])
def test_every_proof_proves_and_no_other(new: int) -> None:
    leaves = entries(new)
    node, root = node_of(leaves), defined(leaves)
    for index in range(new):
        proof = inclusion_proof(index, new, node)
        verify_inclusion(index, new, leaf_hash(leaves[index]), root, proof)
        for wrong in (leaf_hash(b"x"), leaf_hash(leaves[index - 1]) if new > 1 else b"x" * 32):
            with pytest.raises(ProofError):
                verify_inclusion(index, new, wrong, root, proof)
    for old in range(1, new + 1):
        proof = consistency_proof(old, new, node)
        verify_consistency(old, new, defined(leaves[:old]), root, proof)
        with pytest.raises(ProofError):
            verify_consistency(old, new, defined([b"x", *leaves[1:old]]), root, proof)


@pytest.mark.parametrize("size", [0, 64, 128, 192, 4096])
def test_ranges_are_joined(size: int) -> None:
    hashes = leaf_hashes(entries(size + 64))
    left = grow(Range(), hashes[:size]).range
    for more in (0, 1, 5, 63, 64):
        right = grow(Range(), hashes[size : size + more]).range
        assert joined(left, right) == grow(Range(), hashes[: size + more]).range


def test_ranges_that_do_not_fit_are_not_joined() -> None:
    hashes = leaf_hashes(entries(5))
    with pytest.raises(ValueError, match="cannot begin"):
        joined(grow(Range(), hashes[:3]).range, grow(Range(), hashes[3:]).range)
