"""Where the trail stands, as the trail itself says."""

import httpx

from consumers.api.trail_client import At, reader
from consumers.trail.store import TrailError
from deploy.settings import Settings


def trail_heads(settings: Settings) -> tuple[dict[str, int] | None, bool]:
    """Where the trail stands, None where nobody can tell; and whether there is one at all."""
    at = At(settings.place, settings.clickhouse)
    if not at.dsn and not at.folder.exists():
        return {}, False
    try:
        with reader(at) as someone:
            return someone.ask("heads"), True
    except TrailError as error:
        return ({}, False) if error.code == "trail_missing" else (None, True)
    except httpx.HTTPError:
        return None, True
