"""The compiled core, built once for each state of its sources and kept for the next clone.

`python -m deploy.building.compiling` (from `make`) installs the project in place; `make demo` does
not wait for a compiler. What mypyc and the C
compiler make takes minutes, so it lies in the user's cache under a digest of everything that it
comes from: sources, builder, Python, platform. A digest that is there is copied.
"""

import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from deploy.broker.jars import cache_dir
from deploy.building.compiled import FOLDERS, ROOT
from deploy.lang import text

_SOURCES: Final = (
    "schemas/**/*.py",
    "ledger/**/*.py",
    "streams/partitions/fold_batch.py",
    "streams/state/page_codec.py",
    "streams/state/account_codec.py",
    "streams/state/accounts.py",
    "streams/state/wakes.py",
)
_SHARED: Final = "*__mypyc*.so"
_BUILT: Final = (_SHARED, *(f"{folder}/**/*.so" for folder in FOLDERS))
_KEPT_MAX: Final = 4
_TOLD_SECONDS: Final = 10.0


def core_key(root: Path = ROOT) -> str:
    """What the compiled core comes from, as hex digits: equal for equal results."""
    said = [sys.version, platform.machine(), str(sysconfig.get_config_var("SOABI")),
            str(sysconfig.get_config_var("CC")), *platform.libc_ver()]  # fmt: skip
    digest = sha256("\n".join(said).encode())
    for path in [*sources(root), root / "setup.py", root / "pyproject.toml"]:
        digest.update(f"\n{path.relative_to(root)} {path.stat().st_size}\n".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:24]


def sources(root: Path = ROOT) -> list[Path]:
    """What is compiled, and what stands beside it and may be imported by it."""
    return sorted({path for pattern in _SOURCES for path in root.glob(pattern)})


def built(root: Path) -> list[Path]:
    """The compiled modules under a folder, relative to it."""
    return sorted(path.relative_to(root) for pattern in _BUILT for path in root.glob(pattern))


def restore(kept: Path, root: Path = ROOT) -> bool:
    """Copy what was kept into the tree; False where nothing was."""
    modules = built(kept) if kept.is_dir() else []
    for module in modules:
        # Not its old time: it must not look older than the source it was made of.
        shutil.copyfile(kept / module, root / module)
    return bool(modules)


def share(root: Path, packages: Path) -> None:
    """Put the library that all compiled modules load where it is found from any folder.

    An installation in place that compiles says where it is; one that finds it compiled does not.
    Its name is a digest of its sources, and other packages have their own beside it.
    """
    for library in root.glob(_SHARED):
        shutil.copyfile(library, packages / library.name)


def keep(kept: Path, root: Path = ROOT) -> None:
    """Put what was compiled into the cache, whole or not at all, and drop the oldest of many."""
    modules = built(root)
    if not modules:
        return
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent, prefix=".core-") as folder:
        made = Path(folder) / "core"
        for module in modules:
            (made / module).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / module, made / module)
        shutil.rmtree(kept, ignore_errors=True)
        made.rename(kept)
    all_kept = sorted(kept.parent.glob("core-*"), key=lambda path: path.stat().st_mtime)
    for old in all_kept[:-_KEPT_MAX]:
        shutil.rmtree(old, ignore_errors=True)


def main(arguments: Sequence[str] = ()) -> None:
    """Install in place, compiled where that is wanted and can be done.

    With `--kept` nothing is compiled: the core is what was kept, else plain Python.
    """
    wanted = os.environ.get("SHILU_COMPILE") or "auto"
    kept = cache_dir() / f"core-{core_key()}"
    if wanted != "0" and restore(kept):
        print(text(f"已编译的核心取自 {kept}", f"the compiled core is from {kept}"))
        _install(compiled="0")
        share(ROOT, Path(sysconfig.get_paths()["purelib"]))
        return
    if wanted == "0" or "--kept" in arguments:
        print(text("核心以纯 Python 运行,结果相同;要快几倍请运行 make compile(编译 1 至 3 分钟)",
                   "the core runs as plain Python, with the same results; for several times the "
                   "speed run `make compile` (1 to 3 minutes)"))  # fmt: skip
        _install(compiled="0")
        return
    print(text("编译核心,只需一次:通常 1 至 3 分钟(SHILU_COMPILE=0 则不编译)",
               "compiling the core, once: usually 1 to 3 minutes (SHILU_COMPILE=0 does without)"),
          flush=True)  # fmt: skip
    _install(compiled=wanted)
    if built(ROOT):
        keep(kept)
    else:
        print(text("没有编译(找不到 C 编译器或 Python.h):结果相同,速度慢几倍。",
                   "Not compiled (no C compiler or Python.h): the same results, several times "
                   "slower."))  # fmt: skip


def _install(compiled: str) -> None:
    uv = Path(sys.executable).with_name("uv")
    began = time.monotonic()
    process = subprocess.Popen(
        [uv, "pip", "install", "--python", sys.executable, "--quiet", "--no-deps", "-e", "."],
        cwd=ROOT,
        env={**os.environ, "SHILU_COMPILE": compiled},
    )
    for _ in _while(process):
        if compiled != "0":
            _tell(time.monotonic() - began)
    if process.returncode:
        raise SystemExit(process.returncode)
    if sys.stderr.isatty() and compiled != "0":
        print(file=sys.stderr)


def _while(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Now and then while a process runs: each second for a person, seldom for a log."""
    pause = 1.0 if sys.stderr.isatty() else _TOLD_SECONDS
    while True:
        try:
            process.wait(pause)
            return
        except subprocess.TimeoutExpired:
            yield


def _tell(seconds: float) -> None:
    stage = _stage()
    said = text(f"  {stage}… 已用 {seconds:.0f} 秒", f"  {stage}… {seconds:.0f} s")
    if sys.stderr.isatty():
        # Slower and slower towards the end: nobody knows how long this machine takes.
        filled = int(30 * seconds / (seconds + 60))
        drawn = "#" * filled + "." * (30 - filled)
        print(f"\r  [{drawn}]{said}  ", end="", file=sys.stderr, flush=True)
    else:
        print(said, file=sys.stderr, flush=True)


def _stage() -> str:
    """What is being done, told by what lies there already."""
    if any(ROOT.glob("build/temp*/**/*.o")):
        return text("链接", "linking")
    if any(ROOT.glob("build/*.c")):
        return text("编译 C", "compiling C")
    return text("检查类型,生成 C", "checking types, writing C")


if __name__ == "__main__":
    main(sys.argv[1:])
