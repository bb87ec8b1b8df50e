"""Wrong usage and --help speak the person's language; the exit code is 2 in both."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.usage import usage_error

_EACH = """
import contextlib, io, json, sys
from deploy.cli import main

said = []
for words in json.loads(sys.argv[1]):
    sys.argv, out, err = ["shilu", *words], io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            said.append((end.code, out.getvalue(), err.getvalue()))
print(json.dumps(said))
"""
WRONG = (
    (["totl"], "没有命令 totl,是不是 total?", "shilu --help"),
    (["zzzz"], "没有命令 zzzz", "shilu --help"),
    (["topics", "creat"], "没有命令 creat,是不是 create?", "shilu topics --help"),
    (["total", "--jso"], "没有选项 --jso,是不是 ", "shilu total --help"),
    (["total", "--bananas"], "没有选项 --bananas", "shilu total --help"),
    (["total", "--from"], "选项 --from 后面缺少值", "shilu --help"),
    (["total", "--exact=yes"], "选项 --exact 不带值", "shilu --help"),
    (["total", "v1", "v2"], "多余的参数 v2", "shilu total --help"),
    (["emit"], "缺少参数 FILE", "shilu emit --help"),
    (["topics", "create", "--partitions", "x"], "--partitions 的值不对:须是整数", "create --help"),
    (["topics", "create", "--timestamps", "x"], "x 不在其中:broker、producer", "create --help"),
    (["total", "--by", "sitee"], "是不是 site?", "shilu total --help"),
)


def say(language: str, *command_lines: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of each, in a process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", _EACH, json.dumps(command_lines)],
        env={**os.environ, "SHILU_LANG": language, "COLUMNS": "100", "PYTHONUTF8": "1"},
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: list[tuple[int, str, str]] = json.loads(done.stdout)
    assert len(found) == len(command_lines)
    return found


def test_every_kind_of_wrong_usage_is_one_chinese_sentence_with_its_way_out() -> None:
    for (words, cause, fix), (code, out, err) in zip(
        WRONG, say("zh", *(words for words, _, _ in WRONG)), strict=True
    ):
        assert (code, out) == (2, ""), words
        assert cause in err, err
        assert fix in err, err
        assert err.count("\n") == 1
        assert not re.search(r"No such|[Mm]issing|Invalid|unexpected|requires|should", err), err


def test_wrong_usage_under_json_and_in_english_stays_as_it_was() -> None:
    (code, out, err), (english, _, told) = say("en", ["total", "--jsn", "--json"], ["totl"])
    error = json.loads(out)
    assert (code, err) == (2, "")
    assert (error["code"], error["fix"]) == ("usage", "see shilu total --help.")
    assert "没有选项 --jsn" in error["zh"]
    assert english == 2
    assert "No such command 'totl'. Did you mean 'total'?" in told


@pytest.mark.parametrize("words", [["topics"], ["topics", "create", "--help"], ["--help"]])
def test_help_has_chinese_headings(words: list[str]) -> None:
    ((code, out, err),) = say("zh", words)
    assert code == (0 if "--help" in words else 2)
    shown = out + err
    assert "用法:shilu" in shown
    assert "选项" in shown
    assert not re.search(r"Usage|Options|Commands|Arguments|Show this|default:", shown), shown


def test_what_typer_says_in_a_way_unknown_to_us_is_kept_whole() -> None:
    from typer._click.exceptions import UsageError

    error = usage_error(UsageError("Something new."))
    assert (error.zh, error.exit_code) == ("用法不对(Something new.):请看 shilu --help。", 2)
