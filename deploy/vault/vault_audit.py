"""The access log checked: the vault's own, and its copy in the trail, by the same lines."""

import re
from collections.abc import Iterator
from typing import Any

from consumers.api.trail_client import At, reader
from deploy.errors import ShiluError
from deploy.lang import text
from deploy.settings import Settings
from deploy.trail.trail_errors import trail_errors
from deploy.vault.vault_process import at_vault
from schemas.topics import ACCESS, CATALOGUE
from vault.chain import Broken, Head, check, hash_of

_EVERYTHING = 1 << 62
_AT_A_TIME = 2_000

_FAULTS = {
    "unreadable": ("第 {0} 条无法解码", "entry {0} cannot be read"),
    "missing": ("缺第 {0} 条", "entry {0} is missing"),
    "changed": ("第 {0} 条被改动", "entry {0} was changed"),
    "forked": ("第 {0} 条有两个版本", "there are two different entries {0}"),
    "unknown_head": ("不经过所给的日志头(第 {0} 条)", "it does not lead through the head at {0}"),
    "differs": ("第 {0} 条与保险库的不同", "entry {0} is not the vault's"),
    "vault_short": (
        "保险库里没有第 {0} 条以后的记录:它是旧的备份",
        "the vault has nothing after entry {0}: it is an old copy",
    ),
}


def verified(settings: Settings, noted: str, *, without_vault: bool) -> dict[str, Any]:
    """`entries`, `head`, `behind` (entries not in the trail yet) and `faults`, each with the
    `place` it was found in. Raises ShiluError."""
    known = _head(noted)
    values = _published(settings)
    if without_vault:
        head, broken = check(values, known)
        return _found(head, 0, [("trail", one) for one in broken])
    with at_vault(settings, only_reads=True) as answered:
        own = [bytes.fromhex(value) for value in answered.ask("entries")]
    head, broken = check(own, known)
    copied, broken_copy = check(values)
    faults = [("vault", one) for one in broken] + [("trail", one) for one in broken_copy]
    if copied.entry_no > head.entry_no:
        faults.append(("vault", Broken("vault_short", head.entry_no)))
    elif copied.entry_no and not broken_copy and hash_of(own[copied.entry_no - 1]) != copied.hash:
        faults.append(("trail", Broken("differs", copied.entry_no)))
    return _found(head, max(0, head.entry_no - copied.entry_no), faults)


def catch_up(settings: Settings) -> tuple[int, int]:
    """Let a restored vault take over what was published since its copy was made: how many entries,
    and how many people who were forgotten and are so again. Raises ShiluError."""
    published, erased = _published(settings), _erased(settings)
    taken = gone = 0
    with at_vault(settings) as answered:
        first = int(answered.ask("status")["head"].partition(":")[0])
        # What was not acknowledged has been sent twice: each entry once, in order.
        entries = list(dict.fromkeys(published))[first:]
        for start in range(0, max(1, len(entries)), _AT_A_TIME):
            some = [value.hex() for value in entries[start : start + _AT_A_TIME]]
            took, went = answered.ask("catch_up", entries=some, erased=erased)
            taken, gone = taken + took, gone + went
    return taken, gone


def _erased(settings: Settings) -> list[str]:
    """Everybody of whom the catalogue says that they are forgotten."""
    at = At(settings.place, settings.clickhouse)
    with trail_errors(), reader(at) as someone:
        batches = someone.stream(
            "rows", table="event", topic=CATALOGUE, partition=0, below=_EVERYTHING
        )
        return [
            name.decode()
            for batch in batches
            for kind, name in zip(
                batch["type"].to_pylist(), batch["volunteer_id"].to_pylist(), strict=True
            )
            if kind == b"VolunteerErased"
        ]


def in_words(found: dict[str, Any]) -> Iterator[str]:
    """What was found, a line each."""
    for fault in found["faults"]:
        zh, en = _FAULTS[fault["code"]]
        place = {"vault": text("保险库", "vault"), "trail": text("审计库", "trail")}[fault["place"]]
        yield f"✘ {place}: {text(zh, en).format(fault['entry_no'])}"
    if found["behind"]:
        n = found["behind"]
        yield text(f"… {n} 条还没有进入审计库", f"… {n} entries are not in the trail yet")
    if not found["faults"]:
        n = found["entries"]
        yield text(f"✔ {n} 条,链完整;日志头 ", f"✔ {n} entries, the chain is whole; head ") + str(
            found["head"]
        )


def _found(head: Head, behind: int, faults: list[tuple[str, Broken]]) -> dict[str, Any]:
    return {
        "entries": head.entry_no,
        "head": str(head),
        "behind": behind,
        "faults": [{"place": place, "code": one.code, "entry_no": one.entry_no}
                   for place, one in faults],
    }  # fmt: skip


def _published(settings: Settings) -> list[bytes]:
    """The records of the access topic as the trail holds them, in their order."""
    at = At(settings.place, settings.clickhouse)
    with trail_errors(), reader(at) as someone:
        batches = someone.stream(
            "rows", table="event", topic=ACCESS, partition=0, below=_EVERYTHING
        )
        return [value or b"" for batch in batches for value in batch["value"].to_pylist()]


def _head(noted: str) -> Head | None:
    if not noted:
        return None
    if not re.fullmatch(r"[0-9]{1,9}:[0-9a-f]{64}", noted):
        raise ShiluError(
            "head_form",
            "看不懂 --head:请写成 序号:哈希,如 shilu vault status 所示。",
            "--head is not understood: write N:HASH as `shilu vault status` shows it.",
        )
    entry_no, _, found = noted.partition(":")
    return Head(int(entry_no), found)
