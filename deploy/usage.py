"""Wrong usage and the frame of --help in the person's language; typer itself speaks English."""

import re
from typing import Any, Final

from typer._click.core import Command
from typer._click.formatting import HelpFormatter
from typer.exceptions import TyperException

from deploy.errors import ShiluError
from deploy.lang import language

_ZH: Final = tuple(
    (re.compile(pattern, re.DOTALL), zh)
    for pattern, zh in (
        (r"No such command '(.+?)'\. Did you mean (.+)\?", r"没有命令 \1,是不是 \2?"),
        (r"No such command '(.+)'\.", r"没有命令 \1"),
        (r"Missing command\.", "缺少命令"),
        (r"No such option: (\S+) \(Possible options: (.+)\)", r"没有选项 \1,是不是 \2?"),
        (r"No such option: (.+)", r"没有选项 \1"),
        (r"Option '(.+)' requires an argument\.", r"选项 \1 后面缺少值"),
        (r"Option '(.+)' requires (\d+) arguments\.", r"选项 \1 后面要有 \2 个值"),
        (r"Option '(.+)' does not take a value\.", r"选项 \1 不带值"),
        (r"Argument '(.+)' takes (\d+) values\.", r"参数 \1 要有 \2 个值"),
        (r"Missing argument '(.+?)'\.", r"缺少参数 \1"),
        (r"Missing option '(.+?)'\.", r"缺少选项 \1"),
        (r"Missing argument '(.+?)'\. Choose from:\s+(.+)", r"缺少参数 \1,可以是:\2"),
        (r"Missing option '(.+?)'\. Choose from:\s+(.+)", r"缺少选项 \1,可以是:\2"),
        (r"Got unexpected extra argument\(s\) \((.+)\)", r"多余的参数 \1"),
    )
)
_VALUES_ZH: Final = tuple(
    (re.compile(pattern, re.DOTALL), zh)
    for pattern, zh in (
        (r"Input should be a valid integer.*", "须是整数"),
        (r"Input should be a valid number.*", "须是数字"),
        (r"Input should be a valid boolean.*", "须是 true 或 false"),
        (r"Input should be greater than or equal to (\S+)", r"须不小于 \1"),
        (r"Input should be less than or equal to (\S+)", r"须不大于 \1"),
        (r"Input should be greater than (\S+)", r"须大于 \1"),
        (r"Input should be less than (\S+)", r"须小于 \1"),
        (r"'(.*)' is not one of (.+)\.", r"\1 不在其中:\2"),
        (r"(?:File|Path|Directory) '?(.+?)'? does not exist\.", r"\1 不存在"),
        (r"(?:File|Path) '?(.+?)'? is a directory\.", r"\1 是文件夹"),
        (r"(?:Directory|Path) '?(.+?)'? is a file\.", r"\1 是文件"),
        (r"(?:File|Path|Directory) '?(.+?)'? is not readable\.", r"\1 不可读"),
        (r"(?:File|Path|Directory) '?(.+?)'? is not writable\.", r"\1 不可写"),
    )
)
_HEADINGS: Final = {
    "ARGUMENTS_PANEL_TITLE": "参数",
    "OPTIONS_PANEL_TITLE": "选项",
    "COMMANDS_PANEL_TITLE": "命令",
    "ERRORS_PANEL_TITLE": "错误",
    "ABORTED_TEXT": "已中止。",
    "DEFAULT_STRING": "[默认:{}]",
    "REQUIRED_LONG_STRING": "[必填]",
    "ENVVAR_STRING": "[环境变量:{}]",
}


def usage_error(error: TyperException) -> ShiluError:
    """What typer found wrong with a command line, as every other error: one sentence."""
    context = getattr(error, "ctx", None)
    path = "shilu" if context is None else context.command_path
    said = re.sub(r"\bValue error, ", "", error.format_message())
    param = getattr(error, "param", None)
    return ShiluError(
        "usage",
        f"用法不对({_in_chinese(said)}):请看 {path} --help。",
        f"Wrong usage ({said}): see {path} --help.",
        field=None if param is None else param.name,
        exit_code=error.exit_code,
    )


def _in_chinese(said: str) -> str:
    if found := re.fullmatch(r"Invalid value(?: for (.+?))?: (.+)", said, re.DOTALL):
        where = "" if found[1] is None else f"{_bare(found[1])} 的"
        return f"{where}值不对:{_first(_VALUES_ZH, found[2])}"
    return _first(_ZH, said)


def _first(table: tuple[tuple[re.Pattern[str], str], ...], said: str) -> str:
    for pattern, zh in table:
        if found := pattern.fullmatch(said):
            return re.sub(r",\s+", "、", _bare(found.expand(zh)))
    return said


def _bare(names: str) -> str:
    return names.replace("'", "")


def speak() -> None:
    """Let `--help` speak the person's language from here on, in this process."""
    if language() != "zh":
        return
    writes, gives_help = HelpFormatter.write_usage, Command.get_help_option

    def write_usage(
        self: HelpFormatter, prog: str, args: str = "", prefix: str | None = None
    ) -> None:
        # Here, because loading it takes a tenth of a second and only help needs it.
        from typer import rich_utils

        for name, zh in _HEADINGS.items():
            setattr(rich_utils, name, zh)
        args = args.replace("[OPTIONS]", "[选项]").replace("COMMAND [ARGS]...", "命令 [参数]...")
        writes(self, prog, args, prefix or "用法:")

    def get_help_option(self: Command, ctx: Any) -> Any:
        option = gives_help(self, ctx)
        if option is not None:
            option.help = "显示这份说明"
        return option

    changed: Any = HelpFormatter
    changed.write_usage = write_usage
    changed = Command
    changed.get_help_option = get_help_option
