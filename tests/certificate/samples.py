"""A certificate made by hand, and keys to sign it with."""

from dataclasses import replace
from functools import cache
from typing import Any

import pypdfium2
from PIL import Image

from consumers.certificates.certificate import (
    Named,
    Row,
    Sealed,
    Snapshot,
    new_number,
    payload_of,
    qr_text,
)
from consumers.certificates.certificate_page import Attached, page
from consumers.certificates.credential import placeholder, sealed, sign
from consumers.signing.notes import ED25519, SignerKey
from schemas.times import day

KEY = SignerKey("example.org/hours", ED25519, b"k" * 32)
STRANGER = SignerKey("example.org/hours", ED25519, b"s" * 32)
NUMBER = new_number(b"0123456789")
NAME = "张三"
URL = "https://hours.example.org/v"
SCALE = 2
"""Pixels of a point in the pictures that are compared."""

_FIRST = day("2025-03-01")
SNAPSHOT = Snapshot(
    number=NUMBER,
    issuer="example.org/hours",
    issued_at=1_763_800_000,
    volunteer_id="v-8f3a",
    org=Named("sw1", "春风社会工作服务中心", "social_work"),
    successor=None,
    start_on=_FIRST,
    end_on=day("2025-06-30"),
    sequence=57,
    rows=(
        *(Row("p-1", "a-1", _FIRST + 7 * week, "service", 180 + week) for week in range(9)),
        Row("p-2", "a-2", day("2025-04-12"), "manual", 120),
        Row("p-3", "a-3", day("2025-05-12"), "service", 95),
    ),
    projects=(
        Named("p-1", "稻草人计划·社区长者探访", "elderly_children"),
        Named("p-2", "健康同行义诊", "community"),
        Named("p-3", "", "made_up_field"),
    ),
    sealed=(Sealed("example.org/hours/p2", 10),),
    supersedes=None,
    salt="c2FsdHNhbHRzYWx0c2FsdA",
)


def made(name: str = NAME, key: SignerKey = KEY, **changes: Any) -> tuple[bytes, str]:
    """A PDF as it is issued, and its credential."""
    snapshot = replace(SNAPSHOT, **changes)
    payload = payload_of(snapshot)
    token = sign(payload, key)
    attached = [
        Attached("certificate.jwt", token.encode(), "application/jwt", "credential"),
        Attached("p2-0000000004.tlog-proof", b"a proof\n", "text/plain", "proof"),
        Attached("page.seal", placeholder(snapshot.number, key), "application/jwt", "seal"),
    ]
    qr = qr_text(URL, snapshot.number, payload)
    return sealed(page(snapshot, name, qr, attached), snapshot.number, key), token


@cache
def usual() -> tuple[bytes, str]:
    """The PDF and the credential of the sample."""
    return made()


def picture(pdf: bytes, scale: float = SCALE) -> Image.Image:
    """The first page as a grey picture, drawn by the engine of Chrome."""
    with pypdfium2.PdfDocument(pdf) as document:
        assert len(document) == 1
        drawn: Image.Image = document[0].render(scale=scale).to_pil().convert("L")
        return drawn
