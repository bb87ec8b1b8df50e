"""How answers say times and reasons."""

from typing import Any

from schemas.reasons import REASONS
from schemas.times import rfc3339


def moment(micros: int | None) -> str | None:
    """Microseconds since 1970 UTC -> RFC 3339 in China's civil time; None stays None."""
    return None if micros is None else rfc3339(micros)


def reason_texts(code: str) -> dict[str, Any]:
    """A reason code's sentences as `zh` and `en`; empty where there is no reason."""
    known = REASONS.get(code)
    return {"zh": known.zh, "en": known.en} if known else {"zh": code, "en": code}
