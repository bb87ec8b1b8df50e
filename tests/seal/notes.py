"""Checkpoints for tests, as the sealer writes them."""

from consumers.signing.notes import ED25519, Checkpoint, Note, SignerKey

LEDGER = "example.org/hours"
SIGNER = SignerKey(LEDGER, ED25519, b"k" * 32)


def a_note(partition: int = 3, size: int = 7, root: bytes = b"\xff" * 32) -> bytes:
    """A signed checkpoint of a partition's log."""
    key = SIGNER.named(f"{LEDGER}/p{partition}")
    text = Checkpoint(key.name, size, root).text
    return str(Note(text, (key.sign(text),))).encode()
