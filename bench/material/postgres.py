"""A private PostgreSQL on a free port of loopback, in a folder of its own, not as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from deploy.host.ports import free_port

_PLACES = (Path("/usr/lib/postgresql/15/bin"), Path("/usr/lib/postgresql/17/bin"))
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "shared_buffers=1GB",
    "work_mem=256MB",
    "maintenance_work_mem=512MB",
    "max_wal_size=8GB",
)


def find() -> Path | None:
    """The folder of PostgreSQL's programs, None where it is not installed."""
    found = next((place for place in _PLACES if (place / "initdb").exists()), None)
    on_path = shutil.which("initdb")
    return found or (Path(on_path).parent if on_path else None)


@contextmanager
def running(programs: Path, folder: Path) -> Iterator[str]:
    """A new empty server while the block lasts; gives what psycopg connects to."""
    user = _unprivileged()
    folder.mkdir(parents=True)
    if user is not None:
        shutil.chown(folder, user)
        for parent in folder.parents:
            if parent.stat().st_uid == os.getuid() and parent.is_relative_to("/tmp"):
                parent.chmod(parent.stat().st_mode | 0o011)
    data, port = folder / "data", free_port()

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, "-D", str(data), *arguments], check=True, user=user,
            cwd=folder, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    run("initdb", "--auth=trust", "--username=bench", "--encoding=UTF8", "--locale=C")
    options = " ".join(f"-c {setting}" for setting in (*_SETTINGS, f"port={port}"))
    run("pg_ctl", "start", "--wait", "--log", str(folder / "log"), "-o", options)
    try:
        yield f"host=127.0.0.1 port={port} user=bench dbname=postgres"
    finally:
        run("pg_ctl", "stop", "--wait", "--mode=immediate")


def _unprivileged() -> str | None:
    """Who the server is to be: it refuses to be root."""
    if os.getuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
