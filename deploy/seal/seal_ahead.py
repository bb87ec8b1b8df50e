"""Is more sealed than the log has? Told by the seal's own folder and by what was published.

Published checkpoints are in the log themselves: what makes it shorter may take them as well.
"""

import json
from pathlib import Path

from consumers.kafka.reader import Log
from consumers.kafka.records import Place
from consumers.seal.log_names import SEALED, log_of
from consumers.seal.published import entries, unsealed
from consumers.signing import keyring
from deploy.seal.seal_process import has_keys, keys_of
from deploy.settings import Settings


def seal_ahead(settings: Settings, log: Log) -> dict[Place, tuple[int, int]]:
    """Where the folder stands beyond the end of a log: offsets, from the end up to there."""
    places = log.places(SEALED)
    ends = log.ends(places)
    stands = {place: _noted(settings.place / "seal", place)[1] for place in places}
    return {place: (ends[place], at) for place, at in stands.items() if at > ends[place]}


def entries_lost(settings: Settings, log: Log) -> tuple[dict[str, int], str]:
    """Log -> entries that were sealed and are not there; the ledger's name, empty without a key."""
    if not has_keys(settings):
        return {}, ""
    keys = keyring.public_keys(keys_of(settings)).keys
    there, late = entries(log), unsealed(log, keys[0].name, keys)
    lost = {}
    for place in log.places(SEALED):
        name = log_of(place)
        sealed = max(there[name] - late[name], _noted(settings.place / "seal", place)[0])
        if sealed > there[name]:
            lost[name] = sealed - there[name]
    return lost, keys[0].name


def _noted(folder: Path, place: Place) -> tuple[int, int]:
    """How many entries the folder has sealed of a log, and the offset after them; 0 if unknown."""
    try:
        said = json.loads((folder / log_of(place) / "position").read_bytes())
        return int(said["size"]), int(said["next_offset"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, 0
