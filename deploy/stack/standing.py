"""What `shilu status` says: everything judged from outside, so that no light is green by itself.

How far ledger, seal and trail are is read from the cluster and from the trail; which processes
ought to run, from the notes they leave. One that does not answer, or says red, is no green light.
"""

from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from consumers.kafka.gaps import Gap, accepted
from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.reconcile.lag import Lag, ledger_positions, measure, open_transactions, total
from consumers.seal.published import unsealed
from consumers.trail.sink import TOPICS
from deploy.errors import ShiluError
from deploy.seal.seal_ahead import seal_ahead
from deploy.seal.seal_errors import seal_errors
from deploy.services.local import bootstrap
from deploy.services.running import TRAIL, health, is_starting, noted, started
from deploy.settings import Settings
from deploy.trail.trail_heads import trail_heads
from schemas.topics import ACCESS, ALL, CHECKPOINTS, FACTS, POSTINGS

_ASK_SECONDS = 2.0
_GROUP_MS = 5_000


def standing(settings: Settings) -> dict[str, Any]:
    """The whole answer of `shilu status` as plain values; raises ShiluError `no_broker`.

    `in_step` is true only where nothing is behind, missing, red or gone. `trail_behind` is null
    where nobody can tell, `seal_behind` where nothing is sealed from here.
    """
    address = bootstrap(settings)
    services = {name: health(settings, name) for name in _expected(settings)}
    states = {name: _state(name, said) for name, said in services.items()}
    with seal_errors(), Log(address, start_seconds=_ASK_SECONDS) as log:
        missing = log.absent(topic.name for topic in ALL)
        ledger = measure(log, ledger_positions(log, [t for t in FACTS if t not in missing]))
        sealed = _sealed(settings, log, missing)
        sealed_ahead = {} if {POSTINGS, ACCESS} & set(missing) else seal_ahead(settings, log)
        # Last, for the others' outputs are to be in it.
        heads, has_trail = trail_heads(settings)
        held = heads or {}
        places = log.places([topic for topic in TOPICS if topic not in missing])
        trail = measure(log, {place: held.get(str(place), 0) for place in places})
        gaps = _gaps(log, ledger, trail if has_trail else [])
        transactions = open_transactions(address, trail)
    late = None if heads is None else total(trail)
    behind = total(ledger) + (late or 0) + sum(abs(n) for n in (sealed or {}).values())
    ahead = [*_ahead("ledger", ledger), *_ahead("trail", trail), *_sealed_too_far(sealed or {})]
    ahead += [_span("seal", place, *span) for place, span in sealed_ahead.items()]
    without_worker = _is_group_empty(address, settings.app_id)
    at_rest = all(state == "running" for state in states.values()) and not without_worker
    return {
        "kafka": address,
        "services": services,
        "worker_behind": total(ledger),
        "seal_behind": None if sealed is None else sum(map(abs, sealed.values())),
        "trail_behind": late,
        "behind": behind,
        "in_step": (not behind and late is not None and at_rest
                    and not (missing or gaps or ahead)),
        "partitions": [
            {"topic": lag.place.topic, "partition": lag.place.partition, "behind": lag.records}
            for lag in ledger
            if lag.records
        ],
        "states": states,
        "has_trail": has_trail,
        "has_key": sealed is not None,
        "without_worker": without_worker,
        "missing_topics": missing,
        "open_transactions": _held_up(trail, {one.place: one for one in reversed(transactions)}),
        "gaps": gaps,
        "ahead": ahead,
    }  # fmt: skip


def _expected(settings: Settings) -> list[str]:
    """The processes that ought to run: what a running `up` started, and whoever left a note."""
    return [n for n in dict.fromkeys([*started(settings), *noted(settings)]) if n != "up"]


def _state(name: str, said: dict[str, Any] | None) -> str:
    """`running`, or what is wrong with a process."""
    if said is None:
        return "gone"
    if name == TRAIL:
        if is_starting(said):
            return "starting"
        return "running" if said["state"] in ("green", "behind") else str(said["state"])
    return "running" if said.get("ready", True) else "not_ready"


def _sealed(settings: Settings, log: Log, missing: Sequence[str]) -> dict[str, int] | None:
    """Log -> entries that no checkpoint covers; None where there is no key to seal with."""
    from consumers.signing import keyring
    from deploy.seal.seal_process import has_keys, keys_of

    if not has_keys(settings):
        return None
    if {POSTINGS, ACCESS, CHECKPOINTS} & set(missing):
        return {}
    keys = keyring.public_keys(keys_of(settings)).keys
    return unsealed(log, keys[0].name, keys)


def _gaps(log: Log, ledger: Sequence[Lag], trail: Sequence[Lag]) -> list[dict[str, Any]]:
    """What the log has lost before it was taken over, unless somebody has accepted it."""
    found = [
        (holder, Gap(lag.place, *lag.gap))
        for holder, lags in (("ledger", ledger), ("trail", trail))
        for lag in lags
        if lag.gap is not None
    ]
    known = accepted(log, {gap for _, gap in found})
    return [_span(holder, gap.place, gap.first, gap.end)
            for holder, gap in found if gap not in known]  # fmt: skip


def _ahead(holder: str, lags: Iterable[Lag]) -> list[dict[str, Any]]:
    return [_span(holder, lag.place, *lag.ahead) for lag in lags if lag.ahead is not None]


def _sealed_too_far(sealed: dict[str, int]) -> list[dict[str, Any]]:
    """Logs of which more is sealed than there is; counted in entries."""
    return [{"holder": "seal", "log": name, "entries": -n} for name, n in sealed.items() if n < 0]


def _held_up(trail: Sequence[Lag], named: dict[Place, Any]) -> list[dict[str, Any]]:
    """The places that wait for an open transaction, and whose it is."""
    found = []
    for lag in trail:
        if lag.open is not None:
            one = named.get(lag.place)
            found.append(
                {"topic": lag.place.topic, "partition": lag.place.partition,
                 "from": lag.open[0], "to": lag.open[1],
                 "transactional_id": "" if one is None else one.transactional_id,
                 "producer_id": None if one is None else one.producer_id}
            )  # fmt: skip
    return found


def _span(holder: str, place: Place, first: int, end: int) -> dict[str, Any]:
    return {"holder": holder, "topic": place.topic, "partition": place.partition,
            "from": first, "to": end}  # fmt: skip


def _is_group_empty(address: str, app_id: str) -> bool:
    """Did workers belong to the group once, and none does now?

    False where the cluster does not tell: whether anything is behind is asked elsewhere.
    """
    try:
        with closing(
            KafkaAdminClient(bootstrap_servers=address.split(","), bootstrap_timeout_ms=_GROUP_MS)
        ) as admin:
            groups = admin.describe_groups([app_id])
    except (KafkaError, ShiluError):
        return False
    return any(str(group.get("group_state", "")) == "Empty" for group in groups.values())
