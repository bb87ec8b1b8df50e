"""Whatever the bytes, decoding ends in an event that encodes to them again, or in Undecodable."""

import resource
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from schemas.reasons import REASONS
from schemas.topics import VALUE_BYTES_MAX
from schemas.validity import faults
from schemas.wire.codec import BY_ID, EVENT_TYPES, Undecodable, decode_event, encode

EXAMPLES = Path(__file__).parent.parent.parent / "schemas" / "examples"
GOLDEN = [
    bytes.fromhex(path.read_text(encoding="ascii"))
    for path in sorted((EXAMPLES / "good").glob("*/*.hex"))
    if path.parent.name in EVENT_TYPES
]
EVENT_IDS = sorted(schema.id for schema in BY_ID.values() if schema.name in EVENT_TYPES)


def zigzag(number: int) -> bytes:
    """An Avro long."""
    left = number << 1 if number >= 0 else (-number << 1) - 1
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes(out) + bytes([left])


def outcome(value: bytes) -> str:
    """`event`, or the code of the refusal; anything else raised is a fault of ours."""
    try:
        event = decode_event(value)
    except Undecodable as refusal:
        return REASONS[refusal.code].code
    assert encode(event) == value
    assert all(fault.code in REASONS for fault in faults(event))
    return "event"


fuzzed = settings(max_examples=400, deadline=None, print_blob=True)


@fuzzed
@given(st.binary(max_size=200))
def test_random_bytes(value: bytes) -> None:
    outcome(value)


@fuzzed
@given(st.sampled_from(EVENT_IDS), st.binary(max_size=400))
def test_random_bytes_in_a_right_frame(schema_id: int, body: bytes) -> None:
    assert outcome(b"\0" + struct.pack(">I", schema_id) + body) != "bad_framing"


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A golden message with a few bytes changed, cut out, put in, or another one's tail."""
    value = draw(st.sampled_from(GOLDEN))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(5, max(5, len(value) - 1)))
        match draw(st.sampled_from(("change", "cut", "insert", "number", "tail"))):
            case "change":
                value = value[:at] + bytes([draw(st.integers(0, 255))]) + value[at + 1 :]
            case "cut":
                value = value[:at] + value[at + draw(st.integers(1, 9)) :]
            case "insert":
                value = value[:at] + draw(st.binary(min_size=1, max_size=9)) + value[at:]
            case "number":
                extreme = zigzag(draw(st.integers(-(2**63), 2**63 - 1)))
                value = value[:at] + extreme + value[at + 1 :]
            case _:
                other = draw(st.sampled_from(GOLDEN))
                value = value[:at] + other[min(at, len(other)) :]
    return value


@fuzzed
@given(mutated())
def test_mutated_golden_bytes(value: bytes) -> None:
    note(value.hex())
    outcome(value)


@pytest.mark.parametrize("value", GOLDEN, ids=range(len(GOLDEN)))
def test_every_single_byte_replaced_by_the_worst_numbers(value: bytes) -> None:
    worst = [zigzag(n) for n in (-1, -2, 2, 127, 2**31, 2**40, 2**63 - 1, -(2**63))]
    for at in range(5, len(value)):
        for number in (*worst, b"\xff" * 11, b""):
            outcome(value[:at] + number + value[at + 1 :])


@pytest.mark.parametrize("value", GOLDEN, ids=range(len(GOLDEN)))
def test_every_prefix_is_refused(value: bytes) -> None:
    for length in range(len(value)):
        assert outcome(value[:length]) in ("bad_framing", "undecodable", "not_canonical")


_KIB_MAX = 50 * 1024
_BOMBER = """
import resource, sys
from schemas.wire.codec import decode_event
def peak_kib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak_kib()
for line in sys.stdin:
    try:
        decode_event(bytes.fromhex(line))
    except Exception:
        pass  # which exceptions are allowed is the other tests' matter
    if peak_kib() - before > int(sys.argv[1]):
        sys.exit(f"{peak_kib() - before} KiB more after {line}")
print(peak_kib() - before)
"""


def bombs() -> list[bytes]:
    """At every place of every golden message: an array, string or block of a huge length."""
    counts = [zigzag(n) for n in (10**6, 10**8, 2**31 - 1, 2**40, 2**62, -(10**8), -(2**40))]
    fills = (b"", b"\0" * 64, b"\2" * 64, b"\0" * (VALUE_BYTES_MAX - 600))
    return [
        value[:at] + count + fill
        for value in GOLDEN
        for at in range(5, len(value) + 1, 1 if len(value) < 100 else 7)
        for count in counts
        for fill in fills[: 4 if at == len(value) - 1 else 2]
    ] + [value[:-1] + count + fill for value in GOLDEN for count in counts for fill in fills]


def test_no_message_makes_the_decoder_take_much_memory() -> None:
    everything = bombs()
    lines = "\n".join(bomb.hex() for bomb in everything)
    ran = subprocess.run(
        [sys.executable, "-c", _BOMBER, str(_KIB_MAX)],
        input=lines, capture_output=True, text=True, check=False,
        # A bomb that goes off must not eat the machine it is tried on.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**31, 2**31)),
    )  # fmt: skip
    assert len(everything) > 1_000
    assert ran.returncode == 0, ran.stderr
    assert 0 <= int(ran.stdout) <= _KIB_MAX
