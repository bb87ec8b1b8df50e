"""What a worker says of itself, on loopback: /health for people, /metrics for Prometheus."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from faust import Service
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streams.partitions.lifecycle import State
from streams.partitions.partition_task import WorkerMetrics
from streams.worker.health import Health


class MetricsCollector:
    """The worker's figures as Prometheus metrics."""

    def __init__(self, metrics: WorkerMetrics, health: Health) -> None:
        self._metrics = metrics
        self._health = health

    def collect(self) -> list[Metric]:
        """One family for each figure."""
        found, report = self._metrics, self._health.report()
        outcomes = CounterMetricFamily("shilu_outcomes", "Records by outcome", labels=["outcome"])
        for outcome, count in sorted(found.outcomes.items()):
            outcomes.add_metric([outcome], count)
        states = GaugeMetricFamily(
            "shilu_partition_states", "Partitions of this worker by state", labels=["state"]
        )
        for state in State:
            states.add_metric([state.value], list(report["states"].values()).count(state.value))
        counters = [
            _counter("shilu_events", "Input records brought into the ledger", found.events),
            _counter("shilu_transactions", "Kafka transactions committed", found.transactions),
            _counter("shilu_transaction_failures", "Partitions opened anew", found.failures),
            _counter("shilu_abandoned_waits", "Waits that were given up", report["abandoned"]),
        ]
        return [
            *counters,
            outcomes,
            _gauge("shilu_partitions", "Partitions open in this worker", len(report["partitions"])),
            states,
            _gauge("shilu_ready", "1 if this worker is ready", int(report["ready"])),
        ]


def _counter(name: str, text: str, value: int) -> Metric:
    family = CounterMetricFamily(name, text)
    family.add_metric([], value)
    return family


def _gauge(name: str, text: str, value: int) -> Metric:
    family = GaugeMetricFamily(name, text)
    family.add_metric([], value)
    return family


class Web(Service):
    """The two pages, on 127.0.0.1 only; port 0 takes a free one, told to `announce`."""

    def __init__(
        self,
        metrics: WorkerMetrics,
        health: Health,
        port: int,
        announce: Callable[[int], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._health = health
        self._port = port
        self._announce = announce
        self._registry = CollectorRegistry()
        self._registry.register(MetricsCollector(metrics, health))

    async def on_start(self) -> None:
        """Open the port."""
        app = web.Application()
        app.router.add_get("/health", self._say_health)
        app.router.add_get("/metrics", self._say_metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port, shutdown_timeout=1).start()
        self._announce(self._runner.addresses[0][1])

    async def on_stop(self) -> None:
        """Close the port."""
        await self._runner.cleanup()

    async def _say_health(self, _: web.Request) -> web.Response:
        health = self._health.report()
        return web.json_response(health, status=200 if health["ready"] else 503)

    async def _say_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), content_type="text/plain")
