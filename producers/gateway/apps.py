"""Who may speak to the gateway: registered apps, each with its organisations, scopes and a key.

A key is 256 random bits, so a plain hash of it is as good as a slow one. It is shown once and kept
nowhere; the file holds hashes and is readable for its user alone.
"""

import fcntl
import hashlib
import json
import os
import re
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Literal

Scope = Literal["events", "catalogue"]
SCOPES: Final[tuple[Scope, ...]] = ("events", "catalogue")
EVERY_ORG: Final = "*"
"""In place of an organisation: all of them, for the office that keeps the catalogue."""

_KEY: Final = re.compile(r"shilu_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_NAME: Final = re.compile(r"[a-z][a-z0-9-]{0,31}")
_ORG: Final = re.compile(r"[A-Za-z0-9_-]{1,64}|\*")
_APPS_MAX: Final = 10_000


@dataclass(frozen=True, slots=True)
class App:
    """One registered app; `revoked_at` None while it may speak. Times are RFC 3339."""

    name: str
    org_ids: tuple[str, ...]
    scopes: tuple[Scope, ...]
    key_id: str
    key_hash: str
    registered_at: str
    rotated_at: str | None = None
    revoked_at: str | None = None

    @property
    def principal(self) -> str:
        """Who spoke, as it travels with an event: the app, and which of its keys."""
        return f"app/{self.name}/{self.key_id}"

    def speaks_for(self, org_id: str) -> bool:
        """Is this one of the app's organisations?"""
        return org_id in self.org_ids or EVERY_ORG in self.org_ids


class AppsError(Exception):
    """What is wrong with the register or a request to it: a code, and what it is about."""

    def __init__(self, code: str, about: str) -> None:
        super().__init__(f"{code}: {about}")
        self.code = code
        self.about = about


class Apps:
    """The register in a file, read again whenever the file has changed.

    Safe for any thread, and for several processes. Raises AppsError: `open_to_others` for a file
    that others may read, `damaged`, `bad_name`, `bad_org`, `name_taken`, `unknown_app`, `revoked`.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seen: tuple[tuple[int, int, int], dict[str, App]] | None = None
        self._by_key: tuple[dict[str, App], dict[str, App]] = ({}, {})

    def all(self) -> list[App]:
        """Every app that was ever registered, by name."""
        return sorted(self._apps().values(), key=lambda app: app.name)

    def known_by(self, key: str) -> App | None:
        """The app that holds this key and is not revoked; None if there is none."""
        form = _KEY.fullmatch(key)
        given = _hash(key)
        # A comparison for every key that has the form of one, also where no app has its id.
        found = self._by_key_id().get(form[1]) if form else None
        same = secrets.compare_digest(given, found.key_hash if found else _hash(""))
        return found if found is not None and same and found.revoked_at is None else None

    def register(
        self, name: str, org_ids: Sequence[str], scopes: Sequence[Scope], now: str
    ) -> tuple[App, str]:
        """A new app and its key, which nobody can see again. A name is never given twice."""
        if not _NAME.fullmatch(name):
            raise AppsError("bad_name", name)
        for org_id in org_ids:
            if not _ORG.fullmatch(org_id):
                raise AppsError("bad_org", org_id)
        key_id, key = _new_key()
        app = App(name, tuple(org_ids), tuple(scopes), key_id, _hash(key), now)

        def add(apps: dict[str, App]) -> App:
            if name in apps or len(apps) >= _APPS_MAX:
                raise AppsError("name_taken", name)
            return app

        return self._change(add), key

    def rotate(self, name: str, now: str) -> tuple[App, str]:
        """A new key for an app; the one before is worth nothing from now on."""
        key_id, key = _new_key()

        def change(apps: dict[str, App]) -> App:
            app = _standing(apps, name)
            return replace(app, key_id=key_id, key_hash=_hash(key), rotated_at=now)

        return self._change(change), key

    def revoke(self, name: str, now: str) -> App:
        """The app may not speak any more, from the next request on."""
        return self._change(lambda apps: replace(_standing(apps, name), revoked_at=now))

    def _by_key_id(self) -> dict[str, App]:
        apps = self._apps()
        if self._by_key[0] is not apps:
            self._by_key = (apps, {app.key_id: app for app in apps.values()})
        return self._by_key[1]

    def _apps(self) -> dict[str, App]:
        try:
            with self._file.open("rb") as stream:
                state = os.fstat(stream.fileno())
                mark = (state.st_ino, state.st_mtime_ns, state.st_size)
                seen = self._seen
                if seen is not None and seen[0] == mark:
                    return seen[1]
                if state.st_mode & 0o077:
                    raise AppsError("open_to_others", str(self._file))
                apps = {given["name"]: _app(given) for given in json.load(stream)["apps"]}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError) as error:
            raise AppsError("damaged", str(self._file)) from error
        self._seen = (mark, apps)
        return apps

    def _change(self, changed: Callable[[dict[str, App]], App]) -> App:
        with _locked(self._file.with_suffix(".lock")):
            apps = dict(self._apps())
            app = changed(apps)
            apps[app.name] = app
            _write(self._file, apps)
        return app


def _standing(apps: dict[str, App], name: str) -> App:
    app = apps.get(name)
    if app is None:
        raise AppsError("unknown_app", name)
    if app.revoked_at is not None:
        raise AppsError("revoked", name)
    return app


def _new_key() -> tuple[str, str]:
    key_id = secrets.token_hex(8)
    return key_id, f"shilu_{key_id}_{secrets.token_urlsafe(32)}"


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def _app(given: dict[str, object]) -> App:
    lists = {"org_ids", "scopes"}
    return App(**{k: tuple(v) if k in lists else v for k, v in given.items()})  # type: ignore[arg-type]


@contextmanager
def _locked(file: Path) -> Iterator[None]:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _write(file: Path, apps: dict[str, App]) -> None:
    """In one step that a power cut does not tear."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as stream:
        json.dump({"apps": [asdict(app) for app in apps.values()]}, stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(file)
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
