"""The benches' cache: what nobody uses any more goes, what somebody may still use stays."""

import os
import time
from pathlib import Path

import pytest

from bench.output.cache import bench_cache, forget_older


def test_only_what_is_a_day_old_and_of_the_same_kind_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = bench_cache()
    old = time.time() - 2 * 24 * 3600
    for name in ("log-even-9-aaaa.gz", "log-even-90-bbbb.gz", "log-even-9-cccc.gz"):
        (folder / name).touch()
    (folder / "log-even-9-dddd").mkdir()
    (folder / "log-even-9-dddd" / "jar").touch()
    for name in ("log-even-9-aaaa.gz", "log-even-90-bbbb.gz", "log-even-9-dddd"):
        os.utime(folder / name, (old, old))
    forget_older(folder / "log-even-9-cccc.gz")
    assert sorted(path.name for path in folder.iterdir()) == [
        "log-even-9-cccc.gz", "log-even-90-bbbb.gz",
    ]  # fmt: skip
