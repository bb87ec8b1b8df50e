"""Every example of docs/cli.md prints what the page says, on a fresh machine's data."""

from pathlib import Path

import pytest

from tests.cli_page import PAGE, blanked, run


@pytest.mark.kafka
def test_the_command_page_is_what_the_commands_print(tmp_path: Path) -> None:
    unlike = [
        f"$ {step.command}\n--- the page says\n{blanked(step.shown)}\n--- printed\n{blanked(text)}"
        for step, text in run(PAGE.read_text("utf-8"), tmp_path)
        if blanked(step.shown) != blanked(text)
    ]
    assert not unlike, "\n\n".join(unlike) + "\n\nmend, or run: python -m tests.cli_page"
