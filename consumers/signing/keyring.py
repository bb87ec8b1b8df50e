"""The seal's keys in a folder: one private file, the public keys, the statements of each rotation.

1.key            the secret, readable for this user alone; older ones are removed by a rotation
1.vkey, 2.vkey   the public keys, oldest first
2.rotation       a note: key 2 follows key 1, signed by both
retired          names of the ledger before this one, where sealed entries were lost
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from consumers.signing.notes import ED25519, BadNote, Note, SignerKey, VerifierKey, opened

_ROTATION = "shilu key rotation"
_RETIRED = "retired"


class KeyringError(Exception):
    """No keys, keys already, keys that others can read, or files that are no keys."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """Every key that has ever signed, oldest first, and the notes by which each follows another.

    `retired` are names under which this ledger was sealed before some of what was sealed got lost.
    """

    keys: tuple[VerifierKey, ...]
    rotations: tuple[str, ...]
    retired: tuple[str, ...] = ()

    def trusted_from(self, known: VerifierKey | None) -> tuple[VerifierKey, ...]:
        """The keys that a known one leads to, itself among them; all if none is known.

        A rotation leads on if the key on this side of it has signed it. Raises BadNote if the
        known key is not among them.
        """
        if known is None:
            return self.keys
        if known not in self.keys:
            raise BadNote(f"the key {known} is not one of this ledger's")
        trusted = [known]
        for written in self.rotations:
            old, new = _said(written)
            if old == trusted[-1] and opened(written, (old,)):
                trusted.append(new)
        for written in reversed(self.rotations):
            old, new = _said(written)
            if new == trusted[0] and opened(written, (new,)):
                trusted.insert(0, old)
        return tuple(trusted)


def create(folder: Path, name: str, kind: int = ED25519) -> VerifierKey:
    """Make the first key; raises KeyringError `keys_exist`, BadNote for what is no name."""
    if _numbers(folder):
        raise KeyringError("keys_exist", str(folder))
    key = SignerKey(name, kind, os.urandom(32))
    VerifierKey.parse(str(key.verifier))
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _write(folder, 1, key)


def rotate(folder: Path) -> VerifierKey:
    """Replace the key by a new one which the old one has vouched for; the old secret is removed."""
    old, number = load(folder), _numbers(folder)[-1]
    new = SignerKey(old.name, ED25519, os.urandom(32))
    text = f"{_ROTATION}\n{old.verifier}\n{new.verifier}\n"
    note = Note(text, (old.sign(text), new.sign(text)))
    _put(folder / f"{number + 1}.rotation", str(note), 0o644)
    made = _write(folder, number + 1, new)
    (folder / f"{number}.key").unlink()
    return made


def load(folder: Path) -> SignerKey:
    """The key that signs now; raises KeyringError `no_keys`, `keys_open`, `keys_unreadable`."""
    numbers = _numbers(folder)
    secret = folder / f"{numbers[-1]}.key" if numbers else folder / "1.key"
    try:
        if secret.stat().st_mode & 0o077:
            raise KeyringError("keys_open", str(secret))
        return SignerKey.parse(secret.read_text("utf-8"))
    except FileNotFoundError:
        raise KeyringError("no_keys", str(folder)) from None
    except (BadNote, OSError, UnicodeDecodeError) as error:
        raise KeyringError("keys_unreadable", f"{secret}: {error}") from None


def public_keys(folder: Path) -> PublicKeys:
    """What everybody may know; raises KeyringError."""
    numbers = _numbers(folder)
    if not numbers:
        raise KeyringError("no_keys", str(folder))
    try:
        return PublicKeys(
            tuple(VerifierKey.parse(_read(folder / f"{n}.vkey")) for n in numbers),
            tuple(_read(folder / f"{n}.rotation") for n in numbers[1:]),
            retired(folder),
        )
    except (BadNote, OSError, UnicodeDecodeError) as error:
        raise KeyringError("keys_unreadable", f"{folder}: {error}") from None


def retired(folder: Path) -> tuple[str, ...]:
    """The names that the ledger had before; none where nothing was lost. Raises OSError."""
    file = folder / _RETIRED
    return tuple(_read(file).split()) if file.exists() else ()


def succeed(folder: Path, name: str, former: Sequence[str]) -> VerifierKey:
    """Make the first key of a ledger that had other names before; raises as `create` does."""
    key = create(folder, name)
    _put(folder / _RETIRED, "".join(f"{one}\n" for one in former), 0o644)
    return key


def _said(written: str) -> tuple[VerifierKey, VerifierKey]:
    """The old and the new key that a rotation names; raises BadNote."""
    title, *keys = Note.parse(written).text.rstrip("\n").split("\n")
    if title != _ROTATION or len(keys) != 2:
        raise BadNote("no statement of a rotation")
    return VerifierKey.parse(keys[0]), VerifierKey.parse(keys[1])


def _numbers(folder: Path) -> list[int]:
    found = (re.fullmatch(r"([1-9]\d*)\.vkey", path.name) for path in folder.glob("*.vkey"))
    return sorted(int(match[1]) for match in found if match)


def _write(folder: Path, number: int, key: SignerKey) -> VerifierKey:
    """The secret first: a public key without it would stop the sealer."""
    _put(folder / f"{number}.key", key.secret + "\n", 0o600)
    _put(folder / f"{number}.vkey", f"{key.verifier}\n", 0o644)
    return key.verifier


def _put(path: Path, text: str, mode: int) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, mode), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path) -> str:
    return path.read_text("utf-8")
