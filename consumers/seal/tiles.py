"""A log's tiles as files (c2sp.org/tlog-tiles): written once, synced, and never with other content.

A folder holds `tile/<level>/<n>` with 256 hashes each and, at the right edge of each size that was
sealed, `tile/<level>/<n>.p/<width>`; those go once the full tile is there.
"""

import shutil
from pathlib import Path

from consumers.signing.lasting import make, sync, write
from ledger.merkle import HASH_BYTES, TILE_HEIGHT, Grown, Range, range_of, subtree_root

TILE_WIDTH = 1 << TILE_HEIGHT


class TilesDiffer(Exception):
    """A file that is there already holds something else, or too little; the text names it."""


class Tiles:
    """The tiles of one log in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, level: int, number: int, width: int = TILE_WIDTH) -> Path:
        """Where a tile is; a width below 256 makes it a partial one."""
        digits = f"{number:03}"
        digits = digits.zfill(-(-len(digits) // 3) * 3)
        parts = [digits[i : i + 3] for i in range(0, len(digits), 3)]
        name = "/".join([f"x{part}" for part in parts[:-1]] + parts[-1:])
        if width < TILE_WIDTH:
            name += f".p/{width}"
        return self.folder / "tile" / str(level) / name

    def read(self, level: int, number: int, width: int) -> list[bytes]:
        """The first `width` hashes of a tile; raises TilesDiffer, or OSError if there is none."""
        path = self.path(level, number, width)
        if not path.exists():
            path = self.path(level, number)
        raw = path.read_bytes()
        if len(raw) < width * HASH_BYTES:
            raise TilesDiffer(f"{path} has {len(raw)} bytes")
        return [raw[i * HASH_BYTES : (i + 1) * HASH_BYTES] for i in range(width)]

    def row(self, level: int, begin: int, end: int, row_size: int) -> list[bytes]:
        """Hashes begin up to, not including, end of a level that has `row_size`."""
        found: list[bytes] = []
        for number in range(begin // TILE_WIDTH, -(-end // TILE_WIDTH)):
            first = number * TILE_WIDTH
            tile = self.read(level, number, min(TILE_WIDTH, row_size - first))
            found += tile[max(begin - first, 0) : end - first]
        return found

    def node(self, size: int, level: int, index: int) -> bytes:
        """The hash of a full subtree of the tree of this size; raises as `read` does."""
        tile_level, height = divmod(level, TILE_HEIGHT)
        begin = index << height
        row_size = size >> tile_level * TILE_HEIGHT
        return subtree_root(self.row(tile_level, begin, begin + (1 << height), row_size))

    def range(self, size: int, stored: int | None = None) -> Range:
        """The range of a tree, from the files alone; those are of `stored`, or of its own size."""
        of = size if stored is None else stored
        return range_of(size, lambda level, index: self.node(of, level, index))

    def write(self, old_size: int, grown: Grown) -> None:
        """Write every tile that a batch has changed; the files are on the disk afterwards.

        Raises TilesDiffer, OSError. After either, the tiles of `old_size` are as they were.
        """
        touched: set[Path] = set()
        for level, added in enumerate(grown.rows):
            at = old_size >> level * TILE_HEIGHT
            first = at // TILE_WIDTH * TILE_WIDTH
            row = [*self.row(level, first, at, at), *added]
            for begin in range(0, len(row), TILE_WIDTH):
                part = row[begin : begin + TILE_WIDTH]
                path = self.path(level, (first + begin) // TILE_WIDTH, len(part))
                if self._is_new(path, b"".join(part)):
                    make(path.parent)
                    write(path, b"".join(part))
                    touched.add(path.parent)
        for folder in touched:
            sync(folder)

    def clean(self, old_size: int, size: int) -> None:
        """Remove the partial tiles of those that have become full since `old_size`."""
        level = 0
        while old_size >> level * TILE_HEIGHT:
            number = (old_size >> level * TILE_HEIGHT) // TILE_WIDTH
            if number < (size >> level * TILE_HEIGHT) // TILE_WIDTH:
                shutil.rmtree(self.path(level, number, 1).parent, ignore_errors=True)
            level += 1

    def _is_new(self, path: Path, content: bytes) -> bool:
        try:
            there = path.read_bytes()
        except FileNotFoundError:
            return True
        if there != content:
            raise TilesDiffer(f"{path} holds something else")
        return False
