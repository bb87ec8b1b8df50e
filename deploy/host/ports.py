"""TCP ports on loopback: choosing free ones, and naming who holds a taken one."""

import random
import socket

import psutil

from deploy.errors import ShiluError

LOOPBACK = "127.0.0.1"

# Below the range from which systems pick the ports of outgoing connections: there, a client that
# retries a broker that is down can get that very port as its own, connect to itself and keep it.
_LOWEST, _HIGHEST = 20_000, 32_767


def is_free(port: int) -> bool:
    """Can a server listen on this port of loopback at this moment?"""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As Java does it: a closed connection still in TIME_WAIT is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
            probe.listen()
        except OSError:
            return False
    return True


def free_port(*, besides: int = 0) -> int:
    """A port of loopback that was free a moment ago and is not `besides`.

    Raises ShiluError `no_free_port` when 1,000 random ones are all taken.
    """
    for _ in range(1_000):
        port = random.randint(_LOWEST, _HIGHEST)
        if port != besides and is_free(port):
            return port
    raise ShiluError(
        "no_free_port",
        f"{_LOWEST} 到 {_HIGHEST} 之间找不到空闲端口:请关闭一些程序后重试。",
        f"No free port between {_LOWEST} and {_HIGHEST}: close some programs and try again.",
    )


def listens(process: psutil.Process, port: int) -> bool:
    """Does this process listen on the port? False if it has ended."""
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return False
    return any(
        connection.status == psutil.CONN_LISTEN
        and bool(connection.laddr)
        and connection.laddr.port == port
        for connection in connections
    )


def holder(port: int) -> psutil.Process | None:
    """The process that listens on the port; None if there is none or we may not see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return None
    for connection in connections:
        if connection.status != psutil.CONN_LISTEN or connection.pid is None:
            continue
        if connection.laddr and connection.laddr.port == port:
            try:
                return psutil.Process(connection.pid)
            except psutil.NoSuchProcess:
                return None
    return None


def require_free(port: int) -> None:
    """Raises ShiluError `port_taken`, naming the process that holds the port."""
    if is_free(port):
        return
    process = holder(port)
    if process is None:
        zh, en = "另一个进程(无权查看是哪一个)", "a process that we may not look at"
    else:
        zh = en = f"{_name(process)} (pid {process.pid})"
    raise ShiluError(
        "port_taken",
        f"端口 {port} 已被 {zh} 占用:请先停止它,或换一个端口。",
        f"Port {port} is held by {en}: stop it, or choose another port.",
    )


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "?"
