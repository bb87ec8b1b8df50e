"""What sealing costs a posting: leaf and tree, batch by batch, as the sealer does it.

`python -m bench.seal [POSTINGS] [BYTES]`; prints microseconds a posting for several batch sizes.
"""

import sys
import time

from ledger.merkle import Range, grow, leaf_hashes


def microseconds(entries: list[bytes], batch: int) -> float:
    """CPU time a posting, in microseconds."""
    began = time.process_time()
    tree = Range()
    for at in range(0, len(entries), batch):
        tree = grow(tree, leaf_hashes(entries[at : at + batch])).range
    assert tree.root
    return (time.process_time() - began) / len(entries) * 1e6


def main() -> None:
    """Measure."""
    count, size = (int(a) for a in (sys.argv[1:] + ["500000", "300"][len(sys.argv) - 1 :])[:2])
    entries = [i.to_bytes(8, "big") * (size // 8) for i in range(count)]
    for batch in (16, 256, 1_024, 8_192, 65_536):
        best = min(microseconds(entries, batch) for _ in range(3))
        print(f"batch {batch:6}: {best:.2f} us a posting of {size} bytes")


if __name__ == "__main__":
    main()
