"""The sink's Prometheus metrics: every name with its meaning in one place."""

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from consumers.kafka.records import Place

REGISTRY = CollectorRegistry()
"""Of this process; served at /metrics."""

ROWS = Counter("shilu_trail_rows", "rows written to the trail", ["table"], registry=REGISTRY)
FAULTS = Counter("shilu_trail_faults", "things that must not be", ["code"], registry=REGISTRY)
BEHIND = Gauge(
    "shilu_trail_behind_offsets",
    "offsets of the log that are not in the trail yet",
    ["topic", "partition"],
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "shilu_trail_batch_seconds", "writing one batch, all tables", registry=REGISTRY
)
VISIBLE_AFTER_SECONDS = Histogram(
    "shilu_trail_visible_after_seconds",
    "from a record's Kafka timestamp to its row, the oldest record of each batch",
    buckets=(0.1, 0.25, 0.5, 1, 2, 5, 10, 60, 600),
    registry=REGISTRY,
)


def show_behind(places: Iterable[Place], behind: Mapping[Place, int]) -> None:
    """Set the gauge of every place; 0 where nothing is waiting."""
    for place in places:
        BEHIND.labels(place.topic, str(place.partition)).set(behind.get(place, 0))
