"""Every setting, read once from SHILU_* variables; nothing else reads the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one deployment; every field is the variable SHILU_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="SHILU_", frozen=True)

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
    lang: str = Field(default="", description="zh or en; empty: by locale")
    app_id: str = Field(default="shilu-worker", description="consumer group of the workers")
    tick_seconds: float = Field(
        default=60.0, ge=0.1, le=3600, description="how often the worker writes a tick of time"
    )
    partitions: int = Field(default=8, description="partitions of service.* and ledger.* topics")
    check_url: str = Field(
        default="", description="https address where certificates are checked; empty: none"
    )
    witnesses: str = Field(
        default="", description="who cosigns the seal: URL=VKEY, several with blanks between"
    )
    kafka_port: int = Field(default=0, description="port of the local broker; 0: a free one")

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
