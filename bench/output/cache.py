"""What benches keep in the user's cache, named by a hash of what it was made from."""

import shutil
import time
from pathlib import Path

from deploy.broker.jars import cache_dir

_KEPT_SECONDS = 24 * 3600


def bench_cache() -> Path:
    """The folder, made if it isn't there."""
    folder = cache_dir() / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def forget_older(made: Path) -> None:
    """Remove what has the same name up to the hash and is a day old: nobody runs it any more."""
    prefix = made.name.rpartition("-")[0] + "-"
    for other in made.parent.glob(f"{prefix}*"):
        if time.time() - other.stat().st_mtime > _KEPT_SECONDS:
            if other.is_dir():
                shutil.rmtree(other, ignore_errors=True)
            else:
                other.unlink(missing_ok=True)
