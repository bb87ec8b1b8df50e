"""Keys: one master key in a file of its own, one key for each person, wrapped by it.

AES-256-GCM everywhere, with a fresh nonce and with whose and what it is as associated data: a
sealed value that is changed, or put where another one belongs, does not open. Whoever destroys a
person's key destroys what it sealed, in every copy; whoever replaces the master key and destroys
the old one does so to every wrapped key in every old copy.
"""

import hashlib
import hmac
import os
import re
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from vault.documents import Document
from vault.errors import VaultError

KEY_BYTES: Final = 32
_NONCE_BYTES: Final = 12
_WRITTEN: Final = re.compile(r"shilu-vault-key ([0-9a-f]{64})\n?")


def new_key() -> bytes:
    """256 random bits."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, plain: bytes, what: str) -> bytes:
    """Nonce and ciphertext; `what` names the place and must be the same to open it."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, plain, what.encode())


def unseal(key: bytes, sealed: bytes, what: str) -> bytes:
    """The plain bytes; raises VaultError `tampered` naming `what`."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], what.encode())
    except (InvalidTag, ValueError):
        raise VaultError("tampered", what) from None


def key_id(key: bytes) -> str:
    """By which a key is told apart from others without being known."""
    return hashlib.sha256(b"shilu vault key id\0" + key).hexdigest()[:16]


def document_hash(key: bytes, document: Document) -> bytes:
    """HMAC-SHA-256 of a document's normal form: without the key nobody can try numbers out."""
    return hmac.digest(key, document.normal.encode(), "sha256")


def create_master(path: Path) -> bytes:
    """Write a new master key, readable for this user alone; raises VaultError `key_exists`."""
    key = new_key()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    except FileExistsError:
        raise VaultError("key_exists", str(path)) from None
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"shilu-vault-key {key.hex()}\n")
        file.flush()
        os.fsync(file.fileno())
    _sync(path.parent)
    return key


def load_master(path: Path) -> bytes:
    """The master key; raises VaultError `key_missing`, `key_open`, `key_unreadable`."""
    try:
        if path.stat().st_mode & 0o077:
            raise VaultError("key_open", str(path))
        found = _WRITTEN.fullmatch(path.read_text("ascii"))
    except FileNotFoundError:
        raise VaultError("key_missing", str(path)) from None
    except (OSError, UnicodeDecodeError):
        raise VaultError("key_unreadable", str(path)) from None
    if found is None:
        raise VaultError("key_unreadable", str(path))
    return bytes.fromhex(found[1])


def destroy(path: Path) -> None:
    """Overwrite a key file, then remove it: some file systems keep what is only removed."""
    with path.open("r+b") as file:
        file.write(os.urandom(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())
    path.unlink()
    _sync(path.parent)


def replace(old: Path, new: Path) -> None:
    """Destroy the old key file and put the new one in its place."""
    if old.exists():
        destroy(old)
    new.replace(old)
    _sync(old.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
