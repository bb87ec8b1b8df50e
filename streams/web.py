"""What a worker says of itself, on loopback: /health for people, /metrics for Prometheus."""

from collections.abc import Callable
from typing import Any

from aiohttp import web
from faust import Service
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from streams.ownership import Figures, Ownership


class FiguresCollector:
    """The worker's figures as Prometheus metrics."""

    def __init__(self, ownership: Ownership) -> None:
        self._ownership = ownership

    def collect(self) -> list[Metric]:
        """One family for each figure."""
        figures: Figures = self._ownership.figures
        events = CounterMetricFamily("shilu_events", "Input records brought into the ledger")
        events.add_metric([], figures.events)
        transactions = CounterMetricFamily("shilu_transactions", "Kafka transactions committed")
        transactions.add_metric([], figures.transactions)
        failures = CounterMetricFamily("shilu_transaction_failures", "Batches read again")
        failures.add_metric([], figures.failures)
        outcomes = CounterMetricFamily("shilu_outcomes", "Records by outcome", labels=["outcome"])
        for outcome, count in sorted(figures.outcomes.items()):
            outcomes.add_metric([outcome], count)
        partitions = GaugeMetricFamily("shilu_partitions", "Partitions open in this worker")
        partitions.add_metric([], len(self._ownership.open))
        return [events, transactions, failures, outcomes, partitions]


class Web(Service):
    """The two pages, on 127.0.0.1 only; port 0 takes a free one, told to `announce`."""

    def __init__(
        self,
        ownership: Ownership,
        health: Callable[[], dict[str, Any]],
        port: int,
        announce: Callable[[int], None],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._health = health
        self._port = port
        self._announce = announce
        self._registry = CollectorRegistry()
        self._registry.register(FiguresCollector(ownership))

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
        health = self._health()
        return web.json_response(health, status=200 if health["ready"] else 503)

    async def _say_metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), content_type="text/plain")
