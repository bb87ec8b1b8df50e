"""Is the core compiled, and of what is in the files now?"""

from pathlib import Path

from deploy.errors import ShiluError

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "ledger", "streams")


def modules(root: Path = ROOT) -> dict[Path, Path]:
    """Source -> compiled module, for those that are compiled."""
    found = {}
    for folder in FOLDERS:
        for module in (root / folder).rglob("*.so"):
            found[module.with_name(module.name.partition(".")[0] + ".py")] = module
    return found


def require_fresh(root: Path = ROOT) -> None:
    """Raises ShiluError `stale_core` when a source is newer than what was compiled of it.

    Python would silently run the older code.
    """
    for source, module in modules(root).items():
        if source.exists() and source.stat().st_mtime > module.stat().st_mtime:
            raise ShiluError(
                "stale_core",
                f"{source.name} 比编译后的核心新；请运行 make compile,或用 make plain 运行源码",
                f"{source.name} is newer than the compiled core: "
                "run `make compile`, or `make plain` to run the sources",
            )
