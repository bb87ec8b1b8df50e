"""One partition's sealed log in a folder: its tree, its tiles, its latest signed checkpoint.

What makes two truths impossible: a checkpoint is signed only for a size above every one signed
before, only after the postings were read and hashed a second time and the tiles were read back from
the disk, and it is on the disk before anybody else sees it. A size already published is never
signed again: the tree must come to the published root, or the sealer stops.

The folder is worth nothing by itself: without it, everything is computed again from the log and
must come to what is published.
"""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from consumers.seal.tiles import Tiles, TilesDiffer
from consumers.signing.lasting import put
from consumers.signing.notes import (
    BadNote,
    Checkpoint,
    Note,
    Signature,
    SignerKey,
    VerifierKey,
    opened,
)
from ledger.merkle import Range, consistency_proof, grow, leaf_hashes


class SealError(Exception):
    """The sealer must not go on: `stored_differs`, `two_truths`, `index_gap`, `log_shrunk`."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail


class SealedLog:
    """The log of one ledger partition, `folder/checkpoint`, `folder/tile`, `folder/position`."""

    def __init__(self, folder: Path, signer: SignerKey, trusted: Sequence[VerifierKey]) -> None:
        """Opens what is there; `signer` and `trusted` bear the log's origin as their name.

        Raises SealError `stored_differs` if the folder does not hold what was signed.
        """
        self.folder = folder
        self.tiles = Tiles(folder)
        self.origin = signer.name
        self._signer = signer
        self._trusted = tuple(trusted)
        self._leaves: list[bytes] = []
        self.note = self._read_note()
        self.tree = self._read_tree()
        self.next_offset = self._read_position()

    @property
    def size(self) -> int:
        """Postings taken, sealed or not."""
        return self.tree.size + len(self._leaves)

    @property
    def pending(self) -> int:
        """Postings taken and not sealed yet."""
        return len(self._leaves)

    def take(self, entries: Iterable[bytes]) -> None:
        """Append postings' bytes in the order of their indexes."""
        self._leaves += leaf_hashes(entries)

    def seal(self, stored: Iterable[bytes], next_offset: int) -> Note:
        """Sign everything taken; `stored` are the same postings, read from the log once more.

        Raises SealError `stored_differs`, TilesDiffer, OSError; then nothing has been signed.
        """
        tree = self._write(stored)
        assert tree.size > self.tree.size
        text = Checkpoint(self.origin, tree.size, tree.root).text
        return self._keep(Note(text, (self._signer.sign(text),)), tree, next_offset)

    def absorb(self, stored: Sequence[bytes]) -> None:
        """Grow by postings that are sealed already, without signing; `adopt` comes after it."""
        self.take(stored)
        self.tree, self._leaves = self._write(stored), []

    def adopt(self, published: Note, next_offset: int) -> None:
        """What was absorbed comes to a checkpoint that is published already: keep that one.

        Raises SealError `two_truths` if it comes to another root.
        """
        self._must_be(Checkpoint.parse(published.text), self.tree)
        self._keep(published, self.tree, next_offset)

    def continues(self, published: Note) -> bool:
        """Does what is sealed here agree with a published checkpoint? False if that is ahead.

        Raises SealError `two_truths` if both cannot be true.
        """
        said = Checkpoint.parse(published.text)
        if said.size > self.tree.size:
            return False
        self._must_be(said, self.tiles.range(said.size, self.tree.size))
        return True

    def open_note(self, written: str) -> Note:
        """A note that one of our keys has signed for this log; raises BadNote."""
        note, _ = opened(written, self._trusted)
        if Checkpoint.parse(note.text).origin != self.origin:
            raise BadNote(f"a checkpoint of another log than {self.origin}")
        return note

    def add(self, signatures: Iterable[Signature]) -> Note:
        """The latest checkpoint with cosignatures."""
        assert self.note is not None
        self.note = self.note.adding(*signatures)
        put(self.folder / "checkpoint", str(self.note).encode())
        return self.note

    def proof_since(self, old_size: int) -> list[bytes]:
        """That the latest checkpoint continues an earlier size."""
        size = self.tree.size
        return consistency_proof(old_size, size, lambda level, n: self.tiles.node(size, level, n))

    def _write(self, stored: Iterable[bytes]) -> Range:
        """Write the tiles, then look: at what the log has stored, and at what the disk has."""
        if leaf_hashes(stored) != self._leaves:
            raise SealError("stored_differs", f"{self.origin}: the postings read again differ")
        grown = grow(self.tree, self._leaves)
        self.tiles.write(self.tree.size, grown)
        size = grown.range.size
        for level, added in enumerate(grown.rows):
            row_size = size >> level * 8
            if self.tiles.row(level, row_size - len(added), row_size, row_size) != added:
                raise SealError("stored_differs", f"{self.origin}: tiles of level {level}")
        if self.tiles.range(size) != grown.range:
            raise SealError("stored_differs", f"{self.origin}: the tiles have another root")
        self.tiles.clean(self.tree.size, size)
        return grown.range

    def _keep(self, note: Note, tree: Range, next_offset: int) -> Note:
        put(self.folder / "checkpoint", str(note).encode())
        self.note, self.tree, self._leaves = note, tree, []
        self.next_offset = next_offset
        said = {"size": tree.size, "next_offset": next_offset}
        put(self.folder / "position", json.dumps(said).encode())
        return note

    def _must_be(self, said: Checkpoint, found: Range) -> None:
        if (said.size, said.root) != (found.size, found.root):
            what = f"{self.origin} at {said.size}: published {said.root.hex()}"
            raise SealError("two_truths", f"{what}, the log comes to {found.root.hex()}")

    def _read_note(self) -> Note | None:
        try:
            return self.open_note((self.folder / "checkpoint").read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (BadNote, UnicodeDecodeError) as error:
            raise SealError("stored_differs", f"{self.folder}/checkpoint: {error}") from None

    def _read_tree(self) -> Range:
        if self.note is None:
            return Range()
        said = Checkpoint.parse(self.note.text)
        try:
            found = self.tiles.range(said.size)
        except (TilesDiffer, OSError) as error:
            raise SealError("stored_differs", str(error)) from None
        if found.root != said.root:
            raise SealError("stored_differs", f"{self.folder}/tile: not what was signed")
        return found

    def _read_position(self) -> int:
        """Where in the log the first posting that is not sealed is looked for; 0 if not known."""
        try:
            said = json.loads((self.folder / "position").read_text("utf-8"))
            return int(said["next_offset"]) if said["size"] == self.tree.size else 0
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return 0
