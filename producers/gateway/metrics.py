"""The gateway's Prometheus metrics: every name with its meaning in one place."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

REGISTRY = CollectorRegistry()
"""Of this process; served at /metrics."""

EVENTS = Counter(
    "shilu_gateway_events", "events by what became of them", ["path", "status"], registry=REGISTRY
)
REQUESTS = Counter(
    "shilu_gateway_requests", "requests by HTTP status", ["path", "status"], registry=REGISTRY
)
UNDER_WAY = Gauge("shilu_gateway_under_way", "requests under way", registry=REGISTRY)
SECONDS = Histogram(
    "shilu_gateway_request_seconds", "from the body to the answer", ["path"], registry=REGISTRY
)
