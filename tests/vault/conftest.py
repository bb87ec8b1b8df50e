"""A vault of the test's own."""

from pathlib import Path

import pytest

from schemas.events import Actor
from vault.journal import Why
from vault.store import Place, create

CLERK = Actor("u-clerk-1", "admin", "sw1")
CALL = Why(CLERK, "contact", "the shift of tomorrow is moved")
ASKED = Why(CLERK, "subject_request", "asked at the counter")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(tmp_path / "vault", tmp_path / "apart" / "master.key")
    create(made)
    return made
