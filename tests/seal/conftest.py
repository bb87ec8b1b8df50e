"""A real broker with all topics empty, and an empty trail: those of the trail's tests."""

from tests.trail.conftest import cluster, folder, trail, trail_broker

__all__ = ["cluster", "folder", "trail", "trail_broker"]
