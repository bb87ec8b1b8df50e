"""A witness (c2sp.org/tlog-witness): cosigns a checkpoint only if it continues the last one seen.

Run by somebody else than the ledger's operator, it makes a roll-back or a second history visible:
for each log it remembers one size and root, and never signs anything that does not continue them.
"""

import base64
import binascii
import hashlib
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fastapi import FastAPI, Request, Response

from consumers.seal.log_names import kind_of
from consumers.signing.lasting import put
from consumers.signing.notes import BadNote, Checkpoint, Note, SignerKey, VerifierKey, opened
from ledger.merkle import ProofError, verify_consistency

_PROOF_LINES_MAX = 63
_BODY_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an HTTP answer."""

    status: int
    body: str = ""
    kind: str = "text/plain; charset=utf-8"


class Witness:
    """What has been seen of each log, in `folder`; safe to call from any thread."""

    def __init__(
        self,
        folder: Path,
        signer: SignerKey,
        logs: Sequence[VerifierKey],
        clock: Callable[[], float],
    ) -> None:
        """`logs` are the ledgers' keys; a log `<name>/<log>` belongs to the key `<name>`."""
        self._folder = folder
        self._signer = signer
        self._logs = logs
        self._clock = clock
        self._guard = threading.Lock()

    def add_checkpoint(self, body: str) -> Answer:
        """The answer to one request; what was seen is on the disk before it is signed."""
        try:
            old_size, proof, written = _parsed(body)
            said = Checkpoint.parse(Note.parse(written).text)
        except (BadNote, ValueError) as error:
            return Answer(400, f"{error}\n")
        keys = self._keys_of(said.origin)
        if not keys:
            return Answer(404, f"unknown log {said.origin}\n")
        try:
            note, _ = opened(written, keys)
        except BadNote as error:
            return Answer(403, f"{error}\n")
        if old_size > said.size:
            return Answer(400, "the old size is above the new one\n")
        # Looking and writing down are one step: no request may undo a later one's size.
        with self._guard:
            return self._judge(note, said, old_size, proof)

    def seen(self, origin: str) -> Checkpoint | None:
        """The latest checkpoint cosigned of a log."""
        try:
            return Checkpoint.parse(json.loads(self._path(origin).read_text("utf-8"))["text"])
        except FileNotFoundError:
            return None

    def _judge(self, note: Note, said: Checkpoint, old_size: int, proof: list[bytes]) -> Answer:
        seen = self.seen(said.origin)
        seen_size = seen.size if seen else 0
        if old_size != seen_size:
            return Answer(409, f"{seen_size}\n", "text/x.tlog.size")
        if seen and said.size == seen.size and said.root != seen.root:
            self._keep_evidence(note)
            return Answer(409, "two trees of one size\n")
        try:
            if seen and seen.size:
                verify_consistency(seen.size, said.size, seen.root, said.root, proof)
            elif proof:
                raise ProofError("a proof from nothing must be empty")
        except ProofError as error:
            self._keep_evidence(note)
            return Answer(422, f"{error}\n")
        kept = json.dumps({"text": note.text, "note": str(note)})
        put(self._path(said.origin), kept.encode())
        return Answer(200, self._signer.sign(note.text, int(self._clock())).line)

    def _keys_of(self, origin: str) -> list[VerifierKey]:
        ledger, slash, log = origin.rpartition("/")
        if not slash or kind_of(log) is None:
            return []
        return [key.named(origin) for key in self._logs if key.name == ledger]

    def _path(self, origin: str) -> Path:
        """Named by a hash: an origin is somebody else's text."""
        return self._folder / f"{hashlib.sha256(origin.encode()).hexdigest()}.json"

    def _keep_evidence(self, note: Note) -> None:
        """A signed checkpoint that does not continue the last one proves misbehaviour."""
        name = hashlib.sha256(str(note).encode()).hexdigest()
        put(self._folder / "refused" / f"{name}.note", str(note).encode())


def build(witness: Witness) -> FastAPI:
    """The witness over HTTP."""
    app = FastAPI(title="shilu witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> Response:
        raw = bytearray()
        async for part in request.stream():
            raw += part
            if len(raw) > _BODY_BYTES_MAX:
                return Response("too long\n", 413)
        answer = witness.add_checkpoint(raw.decode("utf-8", "replace"))
        return Response(answer.body, answer.status, {"content-type": answer.kind})

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"state": "green"}

    return app


def _parsed(body: str) -> tuple[int, list[bytes], str]:
    """Old size, proof, checkpoint; raises ValueError."""
    head, gap, written = body.partition("\n\n")
    first, *lines = head.split("\n")
    match = re.fullmatch(r"old (0|[1-9][0-9]{0,18})", first)
    if not gap or match is None or len(lines) > _PROOF_LINES_MAX:
        raise ValueError("the request has no old size, or too many lines")
    try:
        proof = [base64.b64decode(line, validate=True) for line in lines]
    except binascii.Error:
        raise ValueError("a line of the proof is not base64") from None
    return int(match[1]), proof, written
