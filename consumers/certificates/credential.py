"""A certificate as a signed credential (JWT, EdDSA) and as a PDF that shows any change of a byte.

The PDF carries the credential as an attachment in plain bytes, so that whoever checks needs no PDF
reader; and a seal of always the same length, which is put in last: it signs the digest of all other
bytes, the printed name among them. A signature as PDF readers know it wants an authority.
"""

import json
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from joserfc import jws
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import OKPKey
from joserfc.util import urlsafe_b64encode

from consumers.certificates.certificate import Snapshot, snapshot_in
from consumers.signing.notes import ED25519, SignerKey, VerifierKey
from schemas.wire.strictjson import loads

CREDENTIAL = "JWT"
_SEAL = "shilu-seal+jwt"
BYTES_MAX = 32 * 1024 * 1024
"""No file of ours is bigger."""
_CURVE = {"kty": "OKP", "crv": "Ed25519"}
_ALGORITHMS = ["EdDSA"]
_TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]+\.eyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}(?![A-Za-z0-9_-])")


class BadCredential(Exception):
    """Not a certificate of this ledger, or not as it was issued; the code says which."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Credential:
    """A credential whose signature holds: its exact claims, and the snapshot that they are."""

    payload: bytes
    snapshot: Snapshot


def sign(payload: bytes, key: SignerKey, kind: str = CREDENTIAL) -> str:
    """A compact JWS over these bytes."""
    header = {"alg": "EdDSA", "typ": kind, "kid": _key_id(key.verifier)}
    public = _text(key.verifier.public)
    secret: dict[str, str | list[str]] = {"d": _text(key.seed), "x": public, **_CURVE}
    with _eddsa():
        return jws.serialize_compact(
            header, payload, OKPKey.import_key(secret), algorithms=_ALGORITHMS
        )


def opened(token: str, keys: Sequence[VerifierKey]) -> Credential:
    """The credential in a token that one of the keys has signed; raises BadCredential."""
    payload = _signed(token, keys, CREDENTIAL)
    try:
        return Credential(payload, snapshot_in(payload))
    except ValueError as error:
        raise BadCredential("no_certificate", str(error)) from None


def placeholder(number: str, key: SignerKey) -> bytes:
    """Bytes to be attached in place of the seal until all others are there."""
    return b"." * len(_seal_of(number, b"", key))


def sealed(pdf: bytes, number: str, key: SignerKey) -> bytes:
    """The PDF with the seal where its placeholder is."""
    gap = placeholder(number, key)
    if pdf.count(gap) != 1:
        raise ValueError("a PDF with one placeholder is wanted")
    return pdf.replace(gap, _seal_of(number, pdf, key))


def opened_pdf(pdf: bytes, keys: Sequence[VerifierKey]) -> Credential:
    """The credential of a PDF of which no byte has been changed; raises BadCredential."""
    seal = next(_tokens(pdf, _SEAL), None)
    if seal is None:
        raise BadCredential("not_whole", "no seal")
    said = loads(_signed(seal, keys, _SEAL))
    bare = pdf.replace(seal.encode(), b"." * len(seal))
    if said.get("pdf_sha256") != sha256(bare).hexdigest():
        raise BadCredential("changed", str(said.get("jti")))
    for token in _tokens(pdf, CREDENTIAL):
        found = opened(token, keys)
        if found.snapshot.number == said.get("jti"):
            return found
    raise BadCredential("no_certificate", "no credential in the PDF")


@contextmanager
def _eddsa() -> Iterator[None]:
    """RFC 9864 wants Ed25519 to be named so; verifiers know it as EdDSA, and we take no other."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SecurityWarning)
        yield


def _seal_of(number: str, pdf: bytes, key: SignerKey) -> bytes:
    said = {"jti": number, "pdf_sha256": sha256(pdf).hexdigest()}
    return sign(json.dumps(said).encode(), key, _SEAL).encode()


def _signed(token: str, keys: Sequence[VerifierKey], kind: str) -> bytes:
    """The payload of a token; the key is chosen by us, the token only says which of ours it was."""
    try:
        header = jws.extract_compact(token.encode()).headers()
    except (JoseError, ValueError) as error:
        raise BadCredential("no_certificate", str(error)) from None
    known = {_key_id(key): key for key in keys if key.kind == ED25519}
    key = known.get(str(header.get("kid")))
    if key is None:
        raise BadCredential("unknown_key", str(header.get("kid"))[:120])
    public = OKPKey.import_key({"x": _text(key.public), **_CURVE})
    try:
        with _eddsa():
            found = jws.deserialize_compact(token, public, algorithms=_ALGORITHMS)
    except (JoseError, ValueError) as error:
        raise BadCredential("bad_signature", str(error)) from None
    if found.headers().get("typ") != kind:
        raise BadCredential("no_certificate", f"typ {found.headers().get('typ')}")
    return found.payload


def _tokens(data: bytes, kind: str) -> Iterator[str]:
    """The tokens in some bytes that say they are of a kind; none of them is verified here."""
    for match in _TOKEN.finditer(data):
        token = match[0].decode()
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError):
            continue
        if header.get("typ") == kind:
            yield token


def _key_id(key: VerifierKey) -> str:
    """As in a signed note: name and key id."""
    return f"{key.name}+{key.id.hex()}"


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode()
