"""`shilu set-aside`: trail and seal that hold more than the log does are put aside, as evidence.

A log may be shorter than it was: a power cut took what the disk had not got, or an old backup was
restored. Trail and seal then refuse to go on, and nothing here mends that by itself. Somebody says
why; both are moved, never deleted, with a record of what each of them held and where the log ended.
"""

import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from consumers.kafka.reader import Log
from consumers.reconcile.lag import measure
from consumers.seal.sealer import holding
from consumers.signing import keyring
from consumers.trail.sink import TOPICS
from deploy.errors import ShiluError
from deploy.seal.seal_ahead import entries_lost, seal_ahead
from deploy.seal.seal_errors import seal_errors
from deploy.seal.seal_process import keys_of
from deploy.services.local import bootstrap
from deploy.services.running import SEALER, TRAIL, running
from deploy.settings import Settings
from deploy.trail.trail_heads import trail_heads

_PATIENCE_SECONDS = 15.0
_POLL_SECONDS = 0.1


def set_aside(settings: Settings, reason: str, actor: str) -> dict[str, Any]:
    """Move what is ahead of the log into SHILU_HOME/set-aside: the record that is left there.

    Where entries are lost that were sealed, the ledger goes on under a new name with a new key: to
    sign other entries under the old one would make two truths of it. Raises ShiluError:
    `nothing_ahead`, `still_running` while sink or sealer hold the folders.
    """
    address, seal = bootstrap(settings), settings.place / "seal"
    with seal_errors(), Log(address) as log:
        _await_free(settings)
        heads = trail_heads(settings)[0] or {}
        lags = measure(log, {place: heads.get(str(place), 0) for place in log.places(TOPICS)})
        trail = {str(lag.place): lag.ahead for lag in lags if lag.ahead is not None}
        sealed, name = entries_lost(settings, log)
        shifted = {str(place): to for place, (_, to) in seal_ahead(settings, log).items()}
    if settings.clickhouse and trail:
        raise ShiluError(
            "trail_on_server",
            "审计库在 ClickHouse 服务器上:请在服务器上改名保存该数据库,再运行 shilu sink。",
            "The trail is on a ClickHouse server: rename its database there, then start "
            "`shilu sink`.",
        )
    if not (trail or sealed or shifted):
        raise ShiluError(
            "nothing_ahead",
            "审计库与封存都没有超出 Kafka:没有移动任何内容。",
            "Neither trail nor seal hold more than Kafka has: nothing was moved.",
        )
    with seal_errors(), holding(seal):
        return _move(settings, reason, actor, trail, sealed, shifted, name)


def _await_free(settings: Settings) -> None:
    """Wait until neither sink nor sealer hold their folders; they end by themselves, again and
    again, where they cannot go on."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while held := [name for name in running(settings) if name in (TRAIL, SEALER)]:
        if time.monotonic() > deadline:
            raise ShiluError(
                "still_running",
                f"{'、'.join(held)} 仍在运行:请先停止它(SIGTERM),保留 Kafka。",
                f"{', '.join(held)} still run(s): stop it (SIGTERM), and leave Kafka running.",
            )
        time.sleep(_POLL_SECONDS)


def _move(
    settings: Settings, reason: str, actor: str, trail: Mapping[str, tuple[int, int]],
    sealed: Mapping[str, int], shifted: Mapping[str, int], name: str,
) -> dict[str, Any]:  # fmt: skip
    place, now = settings.place, datetime.now(UTC)
    folder = place / "set-aside" / now.strftime("%Y%m%dT%H%M%S.%fZ")
    moved = ["trail"] * bool(trail) + ["seal"] * bool(sealed or shifted) + ["keys"] * bool(sealed)
    new_name = _next(name) if sealed else name
    record = {
        "at": now.isoformat(), "by": actor, "reason": reason, "folder": str(folder),
        "moved": [part for part in moved if (place / part).exists()],
        "trail": {at: {"log_ends_at": end, "trail_up_to": held}
                  for at, (end, held) in trail.items()},
        "seal": {"entries_lost": dict(sealed), "positions_beyond_the_log": dict(shifted)},
        "ledger": {"was": name, "is": new_name},
    }  # fmt: skip
    folder.mkdir(parents=True, mode=0o700)
    # What is about to be done is written down before it is: half of it done is found there.
    _put(folder / "why.json", json.dumps(record, ensure_ascii=False, indent=1))
    for part in record["moved"]:
        (place / str(part)).rename(folder / str(part))
    if sealed:
        former = [*keyring.retired(folder / "keys"), name]
        keyring.succeed(keys_of(settings), new_name, former)
    return record


def _next(name: str) -> str:
    """The next name of a ledger: NAME-2 after NAME, NAME-3 after NAME-2."""
    stem, dash, number = name.rpartition("-")
    return f"{stem}-{int(number) + 1}" if dash and number.isdecimal() else f"{name}-2"


def _put(path: Path, content: str) -> None:
    with path.open("x", encoding="utf-8") as file:
        file.write(content + "\n")
        file.flush()
        os.fsync(file.fileno())
