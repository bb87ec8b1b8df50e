"""Logs have a bound: what is too large is put aside, what repeats is left out."""

import logging
from pathlib import Path

from deploy.host.repeats import ALIKE_MAX, EVERY_SECONDS, Repeats
from deploy.host.rotation import rotate, tail


def test_a_log_is_put_aside_and_its_writer_goes_on(tmp_path: Path) -> None:
    log = tmp_path / "worker-1.log"
    with log.open("ab", buffering=0) as writer:
        writer.write(b"x" * 99 + b"\n")
        assert not rotate(log, 101)
        assert rotate(log, 100)
        writer.write(b"after\n")
        assert log.read_bytes() == b"after\n"
        assert (tmp_path / "worker-1.log.1").read_bytes() == b"x" * 99 + b"\n"
        writer.write(b"y" * 200)
        assert rotate(log, 100)
    assert (tmp_path / "worker-1.log.1").read_bytes() == b"after\n" + b"y" * 200
    assert not rotate(tmp_path / "missing.log", 1)


def test_the_last_lines_of_a_large_log_are_read_without_the_rest(tmp_path: Path) -> None:
    log = tmp_path / "up.log"
    log.write_text("first\n" * 100_000 + "last\n")
    assert tail(log, 100)[-1] == "last"
    assert len(tail(log, 100)) < 20
    assert tail(tmp_path / "missing.log") == []


def test_lines_that_read_alike_come_through_now_and_then_and_are_counted() -> None:
    now = [0.0]
    repeats, seen = Repeats(lambda: now[0]), list[str]()

    class Keeping(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    logger = logging.Logger("aiokafka.client")
    logger.addHandler(Keeping())
    logger.addFilter(repeats)
    for n in range(10_000):
        logger.error("Unable connect to node with id %s: [Errno 111] at 127.0.0.1:%d", n % 3, n)
    assert len(seen) == ALIKE_MAX
    logger.error("something else")
    logger.warning("Unable connect to node with id %s: [Errno 111] at 127.0.0.1:%d", 1, 1)
    assert len(seen) == ALIKE_MAX + 2
    now[0] = EVERY_SECONDS
    logger.error("Unable connect to node with id 1: [Errno 111] at 127.0.0.1:9")
    assert seen[-1].endswith(f"(and {10_000 - ALIKE_MAX} alike before)")
