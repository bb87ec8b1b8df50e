"""Parts of shilu that can be left out of an installation, and the error where one is wanted."""

import re
from importlib.metadata import PackageNotFoundError, requires
from typing import Final

from deploy.errors import ShiluError

_OWNERS: Final = {
    "aiohttp": "faust-streaming",
    "faust": "faust-streaming",
    "fpdf": "fpdf2",
    "mode": "faust-streaming",
}
"""Name that is imported -> the requirement that brings it, where they differ."""

_EXTRA: Final = re.compile(r"([\w.-]+).*;.*extra == ['\"]([\w-]+)")


def parts_with(package: str) -> list[str]:
    """The extras of shilu that bring a package which is imported by this name."""
    wanted = _OWNERS.get(package, package).lower().replace("_", "-")
    try:
        lines = requires("shilu") or []
    except PackageNotFoundError:
        lines = []
    pairs = [found.groups() for found in map(_EXTRA.match, lines) if found]
    return [extra for name, extra in pairs if name == wanted and extra != "dev"]


def missing_part(error: ImportError) -> ShiluError | None:
    """`part_missing` where an extra that is not installed made an import fail; otherwise None."""
    named: BaseException | None = error
    while isinstance(named, ImportError) and not named.name:
        # clickhouse-connect says it in its own words, on top of Python's.
        named = named.__cause__ or named.__context__
    package = str(getattr(named, "name", None) or "").partition(".")[0]
    parts = parts_with(package)
    if not parts:
        return None
    zh, en = (
        word.join(f"pip install 'shilu[{part}]'" for part in parts) for word in ("或", " or ")
    )
    return ShiluError(
        "part_missing",
        f"这里没有装这个命令需要的 {package}:请运行 {zh}",
        f"{package}, which this command needs, is not installed here: run {en}",
    )
