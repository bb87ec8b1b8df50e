"""The job of the raw peers: decode each event, count per key, report."""

import io
import json
import resource
import time

from fastavro import schemaless_reader

from schemas.codec import BY_ID


class Tally:
    """Counts per key of what decodes; what does not is only counted as seen."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._counts: dict[bytes | None, int] = {}
        self.seen = 0

    def take(self, key: bytes | None, value: bytes | None) -> None:
        """One record."""
        self.seen += 1
        if value is None or len(value) < 5 or len(value) > 16_384:
            return
        schema = BY_ID.get(int.from_bytes(value[1:5], "big"))
        if schema is None:
            return
        try:
            schemaless_reader(io.BytesIO(value[5:]), schema.parsed, None)
        except Exception:  # simulated garbage among the events
            return
        self._counts[key] = self._counts.get(key, 0) + 1

    def report(self) -> None:
        """Print events, wall and CPU seconds and peak MB as JSON."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        result = {
            "events": self.seen,
            "wall_seconds": time.monotonic() - self._began,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "peak_mb": used.ru_maxrss // 1024,
        }
        print(json.dumps(result))
