"""Nobody but the ledger makes a certificate, and nobody changes one, by a single byte."""

import base64
import io
import json
import random
from collections.abc import Sequence

import pypdfium2
import pytest
from joserfc import jws
from joserfc.jwk import OctKey

from consumers.certificates.certificate import payload_of
from consumers.certificates.credential import BadCredential, opened, opened_pdf, sign
from consumers.signing.notes import COSIGNATURE, SignerKey, VerifierKey
from tests.certificate.samples import KEY, SNAPSHOT, STRANGER, made, usual

TRUSTED = [KEY.verifier]


def refused(content: bytes | str, keys: Sequence[VerifierKey] = TRUSTED) -> str:
    """The code under which it is refused."""
    try:
        opened(content, keys) if isinstance(content, str) else opened_pdf(content, keys)
    except BadCredential as error:
        return error.code
    pytest.fail("it is taken for genuine")


def test_a_credential_gives_back_its_snapshot() -> None:
    token = usual()[1]
    found = opened(token, [STRANGER.verifier, *TRUSTED])
    assert (found.snapshot, found.payload) == (SNAPSHOT, payload_of(SNAPSHOT))


def test_any_changed_symbol_of_a_credential_is_noticed() -> None:
    token = usual()[1]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=+ "
    chance = random.Random(5)
    for _ in range(400):
        at = chance.randrange(len(token))
        other = token[:at] + chance.choice(alphabet) + token[at + 1 :]
        if other != token:
            assert refused(other) in ("no_certificate", "bad_signature", "unknown_key")
    # The last symbols of its parts have bits to spare.
    for at in (token.index(".") - 1, token.rindex(".") - 1, len(token) - 1):
        for symbol in alphabet:
            if symbol != token[at]:
                refused(token[:at] + symbol + token[at + 1 :])
    for cut in (0, 1, len(token) // 2, len(token) - 1):
        refused(token[:cut])


def test_only_the_ledgers_key_counts_and_only_as_eddsa() -> None:
    payload = payload_of(SNAPSHOT)
    assert refused(sign(payload, STRANGER)) == "unknown_key"
    assert refused(usual()[1], [STRANGER.verifier]) == "unknown_key"
    assert refused(usual()[1], []) == "unknown_key"
    cosigner = SignerKey(KEY.name, COSIGNATURE, KEY.seed).verifier
    assert refused(usual()[1], [cosigner]) == "unknown_key"
    header = jws.extract_compact(usual()[1].encode()).headers()
    # A known key's id over another key's signature.
    forged = sign(payload, STRANGER).split(".")
    assert refused(".".join([usual()[1].split(".")[0], *forged[1:]])) == "bad_signature"
    # The public key as a shared secret, and no signature at all.
    secret = OctKey.import_key(KEY.verifier.public)
    shared = jws.serialize_compact(header | {"alg": "HS256"}, payload, secret, algorithms=["HS256"])
    assert refused(shared) == "bad_signature"
    bare = base64.urlsafe_b64encode(json.dumps(header | {"alg": "none"}).encode()).rstrip(b"=")
    assert refused(f"{bare.decode()}.{usual()[1].split('.')[1]}.") == "bad_signature"


def test_a_seal_is_no_credential_and_another_document_no_certificate() -> None:
    assert refused(sign(payload_of(SNAPSHOT), KEY, "shilu-seal+jwt")) == "no_certificate"
    assert refused(sign(b'{"iss":"example.org/hours"}', KEY)) == "no_certificate"


def test_any_changed_byte_of_a_pdf_is_noticed() -> None:
    pdf = usual()[0]
    assert opened_pdf(pdf, TRUSTED).snapshot == SNAPSHOT
    chance = random.Random(6)
    places = {0, len(pdf) - 1, pdf.index(b"eyJ"), pdf.rindex(b"eyJ")}
    places |= {chance.randrange(len(pdf)) for _ in range(300)}
    for at in places:
        other = bytearray(pdf)
        other[at] ^= 1 << chance.randrange(8)
        refused(bytes(other))


def test_a_pdf_cut_short_or_added_to_is_noticed() -> None:
    pdf = usual()[0]
    for other in (b"", pdf[:100], pdf[: len(pdf) // 2], pdf[:-1], pdf + b"\n", pdf + pdf, b"%PDF-"):
        assert refused(other) in ("not_whole", "changed")


def test_a_pdf_saved_anew_or_printed_again_is_not_the_one_issued() -> None:
    again = io.BytesIO()
    with pypdfium2.PdfDocument(usual()[0]) as document:
        document.save(again)
    assert refused(again.getvalue()) in ("not_whole", "changed")


def test_the_page_of_one_certificate_with_the_credential_of_another_is_noticed() -> None:
    pdf, token = usual()
    other = made(supersedes=None, salt="b3RoZXJvdGhlcm90aGVyMQ")[1]
    assert len(other) == len(token)
    assert refused(pdf.replace(token.encode(), other.encode())) == "changed"


def test_a_pdf_of_another_ledger_is_not_taken() -> None:
    assert refused(made(key=STRANGER)[0]) == "unknown_key"
    assert opened_pdf(made(key=STRANGER)[0], [STRANGER.verifier]).snapshot == SNAPSHOT


def test_the_name_is_on_the_page_alone() -> None:
    pdf, token = made(name="李四")
    payload = base64.urlsafe_b64decode(token.split(".")[1] + "==")
    with pypdfium2.PdfDocument(pdf) as document:
        about = document.get_metadata_dict()
    assert about["Title"].startswith("志愿服务记录证明")
    assert "李四" not in str(about)
    for text in (token.encode(), payload, pdf):
        assert "李四".encode() not in text
        assert "李四".encode("utf-16-be") not in text
