"""Compiles the core with mypyc, where that can be done; the same files run as plain Python, slower.

SHILU_COMPILE=1 insists on it, 0 forbids it; by default it happens where a C compiler is.
"""

import os
import shutil
import sysconfig
from pathlib import Path

from setuptools import Extension, setup

CORE = (
    "schemas/wire/avrotypes.py",
    "schemas/wire/binary.py",
    "schemas/wire/codec.py",
    "schemas/events.py",
    "schemas/personal.py",
    "schemas/posting.py",
    "schemas/times.py",
    "schemas/topics.py",
    "schemas/validity.py",
    *sorted(str(path) for path in Path("ledger").rglob("*.py") if path.name != "__init__.py"),
    "streams/partitions/fold_batch.py",
    "streams/state/page_codec.py",
    "streams/state/account_codec.py",
    "streams/state/accounts.py",
    "streams/state/wakes.py",
)


def has_compiler() -> bool:
    """Is there a C compiler, and the header it needs?"""
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    header = Path(sysconfig.get_paths()["include"]) / "Python.h"
    return shutil.which(compiler) is not None and header.exists()


def extensions() -> list[Extension]:
    """What to compile; nothing where it is not wanted or cannot be done."""
    wanted = os.environ.get("SHILU_COMPILE") or "auto"
    if wanted == "0" or (wanted == "auto" and not has_compiler()):
        return []
    from mypyc.build import mypycify

    found: list[Extension] = mypycify([*CORE], opt_level="3", debug_level="1")
    for extension in found:
        extension.optional = wanted == "auto"
    return found


setup(ext_modules=extensions())
