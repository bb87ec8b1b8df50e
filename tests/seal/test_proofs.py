"""A proof file proves its posting to whoever has the key, and nothing else."""

import random
from pathlib import Path

import pytest

from consumers.api.questions_by_name import answer
from consumers.seal.proofs import NotSealed, prove, sealed_postings, verify_proof
from consumers.signing.notes import BadNote, SignerKey
from consumers.trail.store import Trail
from ledger.merkle import ProofError
from schemas.times import DAY
from schemas.wire.codec import encode
from tests.seal.audited import Audited
from tests.trail.book import MORNING, Book, line, random_book


@pytest.fixture
def book() -> Book:
    return random_book(random.Random(11), 200)


@pytest.fixture
def ledger(tmp_path: Path, trail: Trail, book: Book) -> Audited:
    found = Audited(tmp_path / "home", trail)
    found.take(book, None)
    return found


def test_every_posting_of_a_volunteer_is_proven(ledger: Audited, book: Book) -> None:
    trusted = ledger.keys.keys
    name = next(p.volunteer_id for p in book.postings if p.volunteer_id)
    found = answer(ledger.trail, "sealed_postings", {"volunteer_id": name}, asker="test")
    own = [p for p in book.postings if p.volunteer_id == name]
    assert [bytes.fromhex(one["value_hex"]) for one in found] == [encode(p) for p in own]
    for one, posting in zip(found, own, strict=True):
        folder = ledger.home / "seal" / f"p{one['partition']}"
        text = prove(folder, one["index"], bytes.fromhex(one["value_hex"]))
        assert verify_proof(text, trusted, ()).posting == posting


def test_a_month_is_every_posting_that_moved_its_minutes(tmp_path: Path, trail: Trail) -> None:
    book, ledger = Book(), Audited(tmp_path / "home", trail)
    for n, days in enumerate((0, 3, 40)):
        book.serve("v-1", f"s-{n}", line(30, at=MORNING + days * DAY))
    book.serve("v-2", "s-9", line(30))
    ledger.take(book, None)
    first = MORNING // DAY
    found = sealed_postings(trail.query, volunteer_id="v-1", first_day=first, last_day=first + 30)
    moved = [p.index for p in book.postings if p.volunteer_id == "v-1" and p.lines]
    assert [one["index"] for one in found] == moved[:2]


def test_a_proof_with_anything_changed_proves_nothing(ledger: Audited, book: Book) -> None:
    trusted, posting = ledger.keys.keys, book.postings[50]
    text = prove(ledger.home / "seal" / f"p{posting.partition}", posting.index, encode(posting))
    chance = random.Random(3)
    for _ in range(200):
        at = chance.randrange(len(text))
        other = text[:at] + chance.choice("AB1\n ") + text[at + 1 :]
        if other != text:
            with pytest.raises((BadNote, ProofError)):
                verify_proof(other, trusted, ())
    stranger = SignerKey("example.org/hours", 1, b"s" * 32).verifier
    with pytest.raises(BadNote):
        verify_proof(text, [stranger], ())


def test_what_is_not_sealed_or_not_so_is_not_proven(ledger: Audited, book: Book) -> None:
    posting = book.postings[50]
    folder = ledger.home / "seal" / f"p{posting.partition}"
    with pytest.raises(NotSealed):
        prove(folder, 10**6, encode(posting))
    with pytest.raises(NotSealed):
        prove(folder.parent / "p99", 0, encode(posting))
    with pytest.raises(ProofError):
        prove(folder, posting.index, encode(posting) + b"x")
