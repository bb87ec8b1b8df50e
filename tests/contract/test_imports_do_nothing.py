"""Importing any module of ours opens nothing, starts nothing and is quick."""

import ast
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
FOLDERS = ("schemas", "ledger", "producers", "streams", "consumers", "deploy")

_IMPORT = """
import json, os, sys, threading, time
ROOT, first, modules = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
BUSY = {"socket.bind", "socket.sendto", "socket.getaddrinfo", "subprocess.Popen", "os.system"}
BUSY |= {"os.exec", "os.posix_spawn", "os.mkdir", "os.remove", "os.rename", "sqlite3.connect"}
seen = []
def ours():
    # A library may probe the machine (urllib3 binds a socket to see whether there is IPv6);
    # what counts is what we do ourselves, and whatever leaves a file or a connection.
    frame = sys._getframe(2)
    while frame and "site-packages" not in frame.f_code.co_filename:
        if frame.f_code.co_filename.startswith(ROOT):
            return True
        frame = frame.f_back
    return False
def hook(event, arguments):
    if event == "open":
        path, mode, flags = arguments
        if isinstance(flags, int) and flags & 3 and path != "/dev/null":
            seen.append(f"opens {path} for writing")
    elif event == "socket.connect" or event in BUSY and ours():
        seen.append(f"{event} {arguments!r:.80}")
sys.path.insert(0, ROOT)
sys.addaudithook(hook)
for name in first:
    __import__(name)
# Each module in a process of its own, which has the libraries already and none of our modules.
for module in modules:
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            start = time.process_time()
            threads = threading.active_count()
            __import__(module)
            if threading.active_count() > threads:
                seen.append("starts a thread")
            answer = {"seen": list(seen), "modules": sorted(sys.modules)}
            answer["seconds"] = time.process_time() - start
        except BaseException as error:
            answer = {"seen": [f"raises {error!r}"], "modules": [], "seconds": 0}
        with open(writing, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:
        print(module, pipe.read())
    os.wait()
"""


def importing(modules: list[str], libraries: set[str], root: Path = ROOT) -> dict[str, Any]:
    """Module -> what importing it does: acts seen, CPU seconds, modules loaded."""
    arguments = (str(root) + "/", json.dumps(sorted(libraries)), json.dumps(modules))
    ran = subprocess.run(
        [sys.executable, "-B", "-P", "-c", _IMPORT, *arguments],
        capture_output=True, text=True, check=False, cwd=root,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answers = dict(line.split(" ", 1) for line in ran.stdout.splitlines())
    assert sorted(answers) == sorted(modules)
    return {module: json.loads(answer) for module, answer in answers.items()}


def modules_in(folder: str) -> list[str]:
    """The modules of a folder by their full names."""
    files = (path.relative_to(ROOT).with_suffix("") for path in (ROOT / folder).rglob("*.py"))
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in files)


def libraries_of(folder: str) -> set[str]:
    """The third-party packages that a folder imports; for deploy, which uses all others, theirs."""
    found = set()
    for part in FOLDERS if folder == "deploy" else (folder, "schemas"):
        for path in (ROOT / part).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module:
                    found.add(node.module.split(".")[0])
    return found - set(FOLDERS) - sys.stdlib_module_names


CPU_SECONDS_MAX = 3
"""Five times what our slowest takes; CPU time, which other processes do not lengthen."""

NEVER_IN_THE_CORE = {"faust", "aiokafka", "kafka", "chdb", "pyarrow", "clickhouse_connect", "typer"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_an_import_opens_nothing_and_is_quick(folder: str) -> None:
    for module, found in importing(modules_in(folder), libraries_of(folder)).items():
        assert found["seen"] == [], module
        assert found["seconds"] < CPU_SECONDS_MAX, module
        if folder in ("schemas", "ledger"):
            assert not NEVER_IN_THE_CORE & set(found["modules"]), module


@pytest.mark.parametrize(
    ("source", "act"),
    [
        ("open('left_behind', 'w')", "opens left_behind for writing"),
        ("import socket\nsocket.create_server(('127.0.0.1', 0))", "socket.bind"),
        ("import subprocess\nsubprocess.Popen(['true'])", "subprocess.Popen"),
        ("import os\nos.mkdir('left_behind')", "os.mkdir"),
        ("import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()",
         "starts a thread"),
        ("import offender_that_is_not_there", "raises ModuleNotFoundError"),
    ],
)  # fmt: skip
def test_an_import_that_acts_is_found(tmp_path: Path, source: str, act: str) -> None:
    (tmp_path / "offender.py").write_text(source, encoding="utf-8")
    (line,) = importing(["offender"], set(), tmp_path)["offender"]["seen"]
    assert line.startswith(act)
