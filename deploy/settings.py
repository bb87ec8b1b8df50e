"""Every setting, read once from SHILU_* variables; nothing else reads the environment."""

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.errors import ShiluError

PREFIX = "SHILU_"

_OTHERS = frozenset(
    {"SHILU_COMPILE", "SHILU_PLAIN", "SHILU_SEED", "SHILU_FAULTS", "SHILU_LAW_EXAMPLES"}
)
"""Variables of the build and the tests."""


class Settings(BaseSettings):
    """Settings of one deployment; every field is the variable SHILU_<NAME>.

    Raises ShiluError: `bad_setting` for a value that is none, `unknown_setting` for a variable that
    begins with SHILU_ and is none of them, naming the one that is meant.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True)

    def __init__(self, **given: Any) -> None:
        require_known(os.environ)
        try:
            super().__init__(**given)
        except ValidationError as error:
            raise _not_right(error) from None

    home: Path = Field(
        default=Path("~/.local/share/shilu"), description="where local data, logs and state live"
    )
    bootstrap: str = Field(
        default="", description="host:port of a Kafka cluster; empty: the local one of `shilu up`"
    )
    java: str = Field(default="", description="a java >= 17 to use instead of the bundled one")
    clickhouse: str = Field(
        default="", description="clickhouse://… of a server; empty: the embedded engine"
    )
    lang: str = Field(default="", pattern="^(?i:zh|en|$)", description="zh or en; empty: by locale")
    app_id: str = Field(default="shilu-worker", description="consumer group of the workers")
    tick_seconds: float = Field(
        default=60.0, ge=0.1, le=3600, description="how often the worker writes a tick of time"
    )
    partitions: int = Field(
        default=8, ge=1, description="partitions of service.* and ledger.* topics"
    )
    check_url: str = Field(
        default="", description="https address where certificates are checked; empty: none"
    )
    witnesses: str = Field(
        default="", description="who cosigns the seal: URL=VKEY, several with blanks between"
    )
    kafka_port: int = Field(
        default=0, ge=0, le=65535,
        description="port of the local broker; 0: the one it had before, at first a free one",
    )  # fmt: skip

    gateway_port: int = Field(
        default=0, ge=0, le=65535,
        description="port of `shilu gateway` on loopback; 0: a free one",
    )  # fmt: skip
    vault: str = Field(
        default="", description="folder of the personal data; empty: vault in SHILU_HOME"
    )
    vault_key: str = Field(
        default="", description="the vault's master key file; empty: in vault-key in SHILU_HOME"
    )

    @property
    def place(self) -> Path:
        """The home folder as an absolute path."""
        return self.home.expanduser().resolve()


def require_known(environment: Mapping[str, str]) -> None:
    """Raises ShiluError `unknown_setting` for the first SHILU_ variable that nobody reads."""
    names = {f"{PREFIX}{field.upper()}" for field in Settings.model_fields}
    for name in sorted(environment):
        if not name.startswith(PREFIX) or name in names or name in _OTHERS:
            continue
        stems = sorted(known.removeprefix(PREFIX) for known in names)
        near = get_close_matches(name.removeprefix(PREFIX), stems, 1)
        raise ShiluError(
            "unknown_setting",
            f"没有名为 {name} 的设置:"
            + (f"是不是 {PREFIX}{near[0]}?" if near
               else "全部设置见 docs/operators.md,请改正或取消它。"),
            f"There is no setting {name}: "
            + (f"did you mean {PREFIX}{near[0]}?" if near
               else "docs/operators.md lists them all; correct or unset it."),
        )  # fmt: skip


_NOT_RIGHT = {
    "int_parsing": ("要整数", "a whole number is wanted"),
    "greater_than_equal": ("不得小于 {ge}", "at least {ge} is wanted"),
    "less_than_equal": ("不得大于 {le}", "at most {le} is wanted"),
    "string_pattern_mismatch": ("要 zh 或 en", "zh or en is wanted"),
}


def _not_right(error: ValidationError) -> ShiluError:
    first = error.errors()[0]
    name = f"{PREFIX}{str(first['loc'][0]).upper()}"
    zh, en = _NOT_RIGHT.get(first["type"], (first["msg"], first["msg"]))
    limits = first.get("ctx", {})
    return ShiluError(
        "bad_setting",
        f"设置 {name} 的值“{first['input']}”不能用({zh.format(**limits)}):请改正或取消它。",
        f'{name} cannot be "{first["input"]}" ({en.format(**limits)}): correct or unset it.',
    )
