"""The job of the raw peers: decode each event, count per key."""

import io

from fastavro import schemaless_reader

from schemas.wire.codec import BY_ID


class Tally:
    """Counts per key of what decodes; what does not is only counted as seen."""

    def __init__(self) -> None:
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
