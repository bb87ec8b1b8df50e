"""Proofs from the command line: writing them, and checking those that somebody brings."""

import calendar
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from consumers.api.trail_client import At, ask
from consumers.seal.proofs import as_json, prove, verify_proof
from consumers.signing import keyring
from consumers.signing.lasting import put
from consumers.signing.notes import VerifierKey
from deploy.errors import ShiluError
from deploy.seal.seal_errors import seal_errors
from deploy.settings import Settings
from schemas.times import day

_ENDING = ".tlog-proof"


def write_proofs(
    settings: Settings,
    volunteer_id: str | None,
    month: str | None,
    event_id: str | None,
    posting: str | None,
    out: Path,
) -> Iterator[Path]:
    """One file for each posting asked for; raises ShiluError, `nothing_to_prove` among others."""
    asked: dict[str, Any] = {"volunteer_id": volunteer_id, "event_id": event_id}
    asked = {name: value for name, value in asked.items() if value is not None}
    asked |= _place(posting) | _days(month, volunteer_id)
    if not asked:
        raise ShiluError(
            "prove_what",
            "证明什么?请给出志愿者编号、--event 或 --posting。",
            "Prove what? Name a volunteer, --event or --posting.",
        )
    with seal_errors():
        at = At(settings.place, settings.clickhouse)
        found = ask(at, "sealed_postings", **asked)
        for one in found:
            folder = settings.place / "seal" / f"p{one['partition']}"
            text = prove(folder, one["index"], bytes.fromhex(one["value_hex"]))
            path = out / f"p{one['partition']}-{one['index']:010}{_ENDING}"
            put(path.absolute(), text.encode())
            yield path
    if not found:
        raise ShiluError(
            "nothing_to_prove",
            "审计库中没有这样的入账:请核对编号和月份。",
            "There is no such posting in the trail: check the ids and the month.",
        )


def has_proofs(path: Path) -> bool:
    """Is this a proof, or a folder of some?"""
    return path.suffix == _ENDING or any(path.glob(f"*{_ENDING}"))


def verified_proofs(
    settings: Settings, path: Path, keys: Sequence[Path], witnesses: Sequence[Path]
) -> Iterator[dict[str, Any]]:
    """What each proof proves, as plain values; raises ShiluError at the first that does not."""
    with seal_errors():
        known = [VerifierKey.parse(key.read_text("utf-8")) for key in keys]
        friends = [VerifierKey.parse(key.read_text("utf-8")) for key in witnesses]
        trusted = known or list(keyring.public_keys(settings.place / "keys").keys)
        for file in [path] if path.is_file() else sorted(path.glob(f"*{_ENDING}")):
            yield {"file": file.name} | as_json(
                verify_proof(file.read_text("utf-8"), trusted, friends)
            )


def _place(posting: str | None) -> dict[str, Any]:
    if posting is None:
        return {}
    match = re.fullmatch(r"(\d+)/(\d+)", posting)
    if match is None:
        raise ShiluError(
            "posting_form",
            f"看不懂“{posting}”:请写成 分区/序号,如 3/42。",
            f'"{posting}" is no posting: write partition/index, such as 3/42.',
        )
    return {"partition": int(match[1]), "index": int(match[2])}


def _days(month: str | None, volunteer_id: str | None) -> dict[str, Any]:
    if month is None:
        return {}
    match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", month)
    if match is None or volunteer_id is None:
        raise ShiluError(
            "month_form",
            f"看不懂月份“{month}”:请写成 2025-03,并给出志愿者编号。",
            f'"{month}" is no month: write 2025-03, and name a volunteer.',
        )
    last = calendar.monthrange(int(match[1]), int(match[2]))[1]
    return {"first_day": day(f"{month}-01"), "last_day": day(f"{month}-{last:02}")}
