"""Signed notes (c2sp.org/signed-note) with Ed25519, checkpoints in them, cosignatures of witnesses.

A verifier key is the text `<name>+<key id>+<base64 of type and key>`, as Go's note package has it.
"""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from ledger.merkle import HASH_BYTES

ED25519 = 0x01
COSIGNATURE = 0x04
"""Types of signatures: of a note's text, and of a checkpoint seen at a time."""

_NAME = re.compile(r"[^\s+\x00-\x1f]+")
_SECRET = "PRIVATE+KEY+"
_BYTES_MAX = 64 * 1024


class BadNote(Exception):
    """Text that is no note, key or checkpoint, or a signature that is not its key's."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: key name, key id (4 bytes), what was signed with it."""

    name: str
    key_id: bytes
    value: bytes

    @property
    def line(self) -> str:
        """As in a note, with its newline."""
        return f"— {self.name} {_base64(self.key_id + self.value)}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signatures."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, written: str) -> Self:
        """Raises BadNote."""
        if len(written) > _BYTES_MAX or re.search(r"[\x00-\x09\x0b-\x1f]", written):
            raise BadNote("no signed note: too long, or control characters")
        text, gap, lines = written.rpartition("\n\n")
        if not gap or not lines.endswith("\n"):
            raise BadNote("no signed note: no signatures after an empty line")
        return cls(text + "\n", tuple(map(_signature, lines[:-1].split("\n"))))

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def adding(self, *signatures: Signature) -> "Note":
        """With these signatures, too; one that is there already is not doubled."""
        return Note(self.text, tuple(dict.fromkeys((*self.signatures, *signatures))))


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """A public key with its name; `kind` is the type of its signatures."""

    name: str
    kind: int
    public: bytes

    @classmethod
    def parse(cls, written: str) -> Self:
        """Raises BadNote for text that is no Ed25519 key, or whose key id is not its own."""
        name, _, rest = written.strip().partition("+")
        key_id, _, encoded = rest.partition("+")
        raw = _unbase64(encoded)
        if len(raw) != 33 or raw[0] not in (ED25519, COSIGNATURE) or not _NAME.fullmatch(name):
            raise BadNote(f"no Ed25519 verifier key: {written.strip()[:80]}")
        key = cls(name, raw[0], raw[1:])
        if key.id.hex() != key_id:
            raise BadNote(f"the key id of {name} is {key.id.hex()}, not {key_id[:16]}")
        return key

    @property
    def id(self) -> bytes:
        """The first four bytes of SHA-256 over name, newline, type and key."""
        return sha256(self.name.encode() + b"\n" + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{_base64(bytes([self.kind]) + self.public)}"

    def named(self, name: str) -> "VerifierKey":
        """The same key under another name: each partition's log has its own."""
        return VerifierKey(name, self.kind, self.public)

    def made(self, signature: Signature) -> bool:
        """Does the signature say that it is of this key?"""
        return signature.name == self.name and signature.key_id == self.id

    def check(self, signature: Signature, text: str) -> int:
        """Raises BadNote unless it is this key's; the time of a cosignature in seconds, else 0."""
        value, message, at = signature.value, text.encode(), 0
        if self.kind == COSIGNATURE:
            at = int.from_bytes(value[:8], "big")
            message, value = _cosigned(text, at), value[8:]
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(value, message)
        except InvalidSignature:
            raise BadNote(f"the signature of {self.name} is not its own") from None
        return at


@dataclass(frozen=True, slots=True)
class SignerKey:
    """A private key with its name; `seed` are the 32 secret bytes."""

    name: str
    kind: int
    seed: bytes

    @classmethod
    def parse(cls, written: str) -> Self:
        """From the text that `str(key.secret)` gives; raises BadNote, without the text."""
        name, _, rest = written.strip().removeprefix(_SECRET).partition("+")
        raw = _unbase64(rest.partition("+")[2])
        if not written.startswith(_SECRET) or len(raw) != 33:
            raise BadNote("no private key of a note signer")
        return cls(name, raw[0], raw[1:])

    def __repr__(self) -> str:
        return f"SignerKey({self.name})"

    @property
    def secret(self) -> str:
        """The text to be kept secret, as Go's note package has it."""
        inner = _base64(bytes([self.kind]) + self.seed)
        return f"{_SECRET}{self.name}+{self.verifier.id.hex()}+{inner}"

    @property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = Ed25519PrivateKey.from_private_bytes(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    def named(self, name: str) -> "SignerKey":
        """The same key under another name."""
        return SignerKey(name, self.kind, self.seed)

    def sign(self, text: str, at: int = 0) -> Signature:
        """Sign a note's text; a cosignature says that it was seen `at` seconds since 1970."""
        message = _cosigned(text, at) if self.kind == COSIGNATURE else text.encode()
        value = Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)
        if self.kind == COSIGNATURE:
            value = at.to_bytes(8, "big") + value
        return Signature(self.name, self.verifier.id, value)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree of the log `origin` at `size` entries (c2sp.org/tlog-checkpoint)."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a note's text; raises BadNote, also for extension lines, which we never write."""
        origin, size, root = [*text.split("\n"), "", ""][:3]
        if not origin or not re.fullmatch(r"[0-9]{1,19}", size):
            raise BadNote("no checkpoint")
        found = cls(origin, int(size), _unbase64(root))
        if len(found.root) != HASH_BYTES or found.text != text:
            raise BadNote("no checkpoint")
        return found

    @property
    def text(self) -> str:
        """The text to be signed."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


def opened(written: str, keys: Iterable[VerifierKey]) -> tuple[Note, list[VerifierKey]]:
    """A note, and which of the keys have signed it.

    Raises BadNote if none has, or if a line under the name and id of one is not its signature.
    """
    note = Note.parse(written)
    signed = []
    for key in keys:
        for signature in note.signatures:
            if key.made(signature):
                key.check(signature, note.text)
                signed.append(key)
    if not signed:
        names = ", ".join(signature.name for signature in note.signatures)
        raise BadNote(f"signed by none of the known keys, but by {names[:200]}")
    return note, signed


def cosignatures(lines: str) -> tuple[Signature, ...]:
    """The signature lines that a witness answers with; raises BadNote."""
    return tuple(_signature(line) for line in lines.split("\n") if line)


def _signature(line: str) -> Signature:
    dash, _, rest = line.partition(" ")
    name, _, encoded = rest.partition(" ")
    raw = _unbase64(encoded)
    if dash != "—" or not _NAME.fullmatch(name) or len(raw) < 5:
        raise BadNote("no signed note: a signature line is malformed")
    return Signature(name, raw[:4], raw[4:])


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unbase64(text: str) -> bytes:
    """The bytes; none for text that is not the one base64 form of them."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if _base64(raw) == text else b""
