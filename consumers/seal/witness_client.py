"""Asking witnesses to cosign a checkpoint (c2sp.org/tlog-witness), from the log's side."""

import base64
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from consumers.seal.sealed_log import SealedLog
from consumers.signing.notes import BadNote, Note, Signature, VerifierKey, cosignatures

_SECONDS = 3.0
_SIZE_TYPE = "text/x.tlog.size"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Witness:
    """Where a witness is asked, and the key that its answers must be signed with."""

    url: str
    key: VerifierKey


def cosigned(log: SealedLog, witnesses: Sequence[Witness], known: int) -> Note:
    """The log's latest checkpoint with the cosignatures that could be had.

    `known` is the size that the witnesses have probably seen. One that does not answer, or that
    refuses, is left out with a word in the log: a ledger must not stop because somebody else has.
    """
    assert log.note is not None
    added: list[Signature] = []
    for witness in witnesses:
        try:
            added += _ask(log, witness, known)
        except (httpx.HTTPError, BadNote, ValueError) as error:
            _logger.warning("witness %s: %s", witness.key.name, error)
    return log.add(added) if added else log.note


def _ask(log: SealedLog, witness: Witness, known: int) -> list[Signature]:
    assert log.note is not None
    with httpx.Client(timeout=_SECONDS, trust_env=False) as client:
        url = f"{witness.url.rstrip('/')}/add-checkpoint"
        answer = client.post(url, content=request(log, known))
        if answer.status_code == 409 and answer.headers.get("content-type") == _SIZE_TYPE:
            seen = int(answer.text)
            if seen > log.tree.size:
                raise BadNote(f"it has seen {seen} postings of {log.origin}, there are fewer")
            answer = client.post(url, content=request(log, seen))
    if answer.status_code != 200:
        raise BadNote(f"refuses {log.origin} at {log.tree.size}: HTTP {answer.status_code}")
    given = [s for s in cosignatures(answer.text) if witness.key.made(s)]
    for signature in given:
        witness.key.check(signature, log.note.text)
    return given


def request(log: SealedLog, old_size: int) -> bytes:
    """The body of add-checkpoint: what the witness knows, the proof from there, the checkpoint."""
    proof = log.proof_since(old_size)
    lines = [f"old {old_size}", *(base64.b64encode(part).decode() for part in proof), ""]
    return ("\n".join(lines) + f"\n{log.note}").encode()
