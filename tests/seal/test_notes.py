"""Notes, keys and cosignatures against the examples of their specifications."""

from pathlib import Path

import pytest

from consumers.signing import keyring
from consumers.signing.keyring import KeyringError
from consumers.signing.notes import (
    COSIGNATURE,
    ED25519,
    BadNote,
    Checkpoint,
    Note,
    SignerKey,
    VerifierKey,
    cosignatures,
    opened,
)

# The example of Go's package golang.org/x/mod/sumdb/note (BSD-3-Clause): an independent signer's.
SKEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VKEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotp"
    "RZb6KE6RyyBwJnAM=\n"
)


def a_key(name: str = "example.org/hours/p0", kind: int = ED25519) -> SignerKey:
    return SignerKey(name, kind, bytes(range(32)))


def test_the_example_of_another_implementation_verifies_and_signs_the_same() -> None:
    key = VerifierKey.parse(VKEY)
    note, signed = opened(f"{TEXT}\n{SIGNED}", [key])
    assert (note.text, signed) == (TEXT, [key])
    signer = SignerKey.parse(SKEY)
    assert str(signer.verifier) == VKEY
    assert signer.secret == SKEY
    assert signer.sign(TEXT).line == SIGNED


def test_one_changed_character_anywhere_is_found() -> None:
    written = f"{TEXT}\n{SIGNED}"
    for at in range(0, len(written)):
        other = written[:at] + ("X" if written[at] != "X" else "Y") + written[at + 1 :]
        with pytest.raises(BadNote):
            opened(other, [VerifierKey.parse(VKEY)])


def test_unknown_keys_are_ignored_and_false_signatures_of_known_ones_are_not() -> None:
    text = Checkpoint(a_key().name, 3, b"r" * 32).text
    other = SignerKey("other", ED25519, b"o" * 32)
    note = Note(text, (other.sign(text), a_key().sign(text)))
    assert opened(str(note), [a_key().verifier])[1] == [a_key().verifier]
    with pytest.raises(BadNote, match="none of the known keys"):
        opened(str(Note(text, (other.sign(text),))), [a_key().verifier])
    false = Note(text, (a_key().sign("another text\n"), other.sign(text)))
    with pytest.raises(BadNote, match="not its own"):
        opened(str(false), [a_key().verifier, other.verifier])


def test_a_note_says_the_same_when_written_again() -> None:
    text = Checkpoint(a_key().name, 3, b"r" * 32).text
    note = Note(text, (a_key().sign(text),))
    assert Note.parse(str(note)) == note
    assert note.adding(a_key().sign(text)) == note


def test_a_cosignature_says_when() -> None:
    witness = a_key("witness.example/w1", COSIGNATURE)
    text = Checkpoint(a_key().name, 3, b"r" * 32).text
    line = witness.sign(text, at=1_679_315_147).line
    (found,) = cosignatures(line)
    assert VerifierKey.parse(str(witness.verifier)).check(found, text) == 1_679_315_147
    with pytest.raises(BadNote):
        witness.verifier.check(found, text.replace("3", "4"))
    late = type(found)(found.name, found.key_id, b"\0" * 8 + found.value[8:])
    with pytest.raises(BadNote):
        witness.verifier.check(late, text)


def test_a_checkpoint_has_one_form() -> None:
    good = Checkpoint("example.org/hours/p0", 42, b"r" * 32)
    assert Checkpoint.parse(good.text) == good
    origin, size, root, _ = good.text.split("\n")
    for bad in (
        "", origin, f"{origin}\n{size}\n", f"{origin}\n{size}\n{root}", f"{good.text}x\n",
        f"{good.text}\n", f"\n{size}\n{root}\n", f"{origin}\n042\n{root}\n",
        f"{origin}\n-1\n{root}\n", f"{origin}\n{size}\n{root[:-4]}\n", f"{origin}\n{size}\n!\n",
    ):  # fmt: skip
        with pytest.raises(BadNote):
            Checkpoint.parse(bad)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a",
        "a+b",
        "a+00000000+AAAA",
        VKEY.replace("c7", "c8"),
        VKEY[:-4],
        VKEY.replace("P", "Q"),
    ],
)
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(BadNote):
        VerifierKey.parse(written)
    with pytest.raises(BadNote):
        SignerKey.parse(written)


def test_keys_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    with pytest.raises(KeyringError, match="no_keys"):
        keyring.load(folder)
    made = keyring.create(folder, "example.org/hours")
    assert keyring.load(folder).verifier == made
    assert (folder / "1.key").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(KeyringError, match="keys_exist"):
        keyring.create(folder, "example.org/hours")
    (folder / "1.key").chmod(0o640)
    with pytest.raises(KeyringError, match="keys_open"):
        keyring.load(folder)
    assert "PRIVATE" not in repr(made)


def test_a_known_key_leads_to_those_before_and_after_it(tmp_path: Path) -> None:
    first = keyring.create(tmp_path, "example.org/hours")
    second, third = keyring.rotate(tmp_path), keyring.rotate(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("*.key")) == ["3.key"]
    keys = keyring.public_keys(tmp_path)
    for known in (first, second, third, None):
        assert keys.trusted_from(known) == (first, second, third)


def test_a_key_that_none_vouched_for_is_not_trusted(tmp_path: Path) -> None:
    first = keyring.create(tmp_path, "example.org/hours")
    keyring.rotate(tmp_path)
    foreign = SignerKey("example.org/hours", ED25519, b"f" * 32)
    text = f"shilu key rotation\n{first}\n{foreign.verifier}\n"
    (tmp_path / "2.vkey").write_text(f"{foreign.verifier}\n")
    (tmp_path / "2.rotation").write_text(str(Note(text, (foreign.sign(text),))))
    with pytest.raises(BadNote):
        keyring.public_keys(tmp_path).trusted_from(first)
    stranger = SignerKey("example.org/hours", ED25519, b"s" * 32).verifier
    with pytest.raises(BadNote, match="not one of this ledger's"):
        keyring.public_keys(tmp_path).trusted_from(stranger)
