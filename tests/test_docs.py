"""The documentation says what is there: settings, commands, the two commands of the README."""

import importlib
import re
from pathlib import Path

import pytest
import typer.main
from rich.cells import cell_len

from deploy.cli import COMMANDS, build
from deploy.settings import Settings
from schemas.reasons import REASONS

ROOT = Path(__file__).parents[1]
CLI = (ROOT / "docs" / "cli.md").read_text("utf-8")


def commands() -> list[str]:
    """Every command of shilu, groups spelled out."""
    top = typer.main.get_command(build())
    assert hasattr(top, "commands")
    names = []
    for name, command in sorted(top.commands.items()):
        inner = getattr(command, "commands", None)
        names += [f"{name} {sub}" for sub in sorted(inner)] if inner else [name]
    return names


@pytest.mark.parametrize("field", sorted(Settings.model_fields))
def test_every_setting_is_documented_with_its_default(field: str) -> None:
    page = (ROOT / "docs" / "operators.md").read_text("utf-8")
    row = next((r for r in page.splitlines() if r.startswith(f"| `SHILU_{field.upper()}` |")), None)
    assert row is not None, f"docs/operators.md does not list SHILU_{field.upper()}"
    default = Settings.model_fields[field].default
    assert (str(default) or "empty") in row


@pytest.mark.parametrize("command", commands())
def test_every_command_is_shown_in_the_command_page(command: str) -> None:
    shown = re.search(rf"^\$ (.*\| )?shilu {command}\b", CLI, re.M)
    assert shown, f"docs/cli.md has no example of shilu {command}"


@pytest.mark.parametrize("command", commands())
def test_every_command_explains_itself_in_both_languages(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {}
    for language in ("zh", "en"):
        monkeypatch.setenv("SHILU_LANG", language)
        group = typer.main.get_command(build())
        for name in command.split():
            assert hasattr(group, "commands")
            group = group.commands[name]
        texts[language] = group.help or ""
    assert texts["zh"] != texts["en"]
    assert re.search(r"[\u4e00-\u9fff]", texts["zh"])


@pytest.mark.parametrize("command", [name for name in commands() if " " not in name])
def test_each_command_is_one_line_of_the_list_of_commands_in_chinese(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHILU_LANG", "zh")
    top = typer.main.get_command(build())
    assert hasattr(top, "commands")
    first = (top.commands[command].help or "").partition("\n\n")[0]
    # 80 columns without the frame and the column of names.
    assert cell_len(first) <= 64, first


def test_the_first_screen_of_the_readme_has_exactly_two_commands() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    first = readme.split("```")[1].strip().splitlines()
    assert [line.split("#")[0].strip() for line in first] == ["make demo", "make test"]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^demo:", makefile, re.M)
    assert re.search(r"^test:", makefile, re.M)


def test_every_link_of_the_readme_and_the_docs_leads_somewhere() -> None:
    for page in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_reason_code_of_the_rules_exists() -> None:
    page = (ROOT / "docs" / "rules.md").read_text("utf-8")
    codes = set(re.findall(r"`([a-z]+(?:_[a-z]+)+)`", page))
    named = {code for code in codes if code in REASONS}
    assert {"duplicate_event", "overlap_counted_once", "too_late", "unknown_activity"} <= named


@pytest.mark.parametrize("module", COMMANDS)
def test_a_module_adds_the_commands_under_which_it_is_found(module: str) -> None:
    app = typer.Typer()
    importlib.import_module(f"deploy.commands.{module}").register(app)
    groups = [group.name for group in app.registered_groups]
    names = [c.name or getattr(c.callback, "__name__", "") for c in app.registered_commands]
    assert sorted(COMMANDS[module]) == sorted([*names, *map(str, groups)])
