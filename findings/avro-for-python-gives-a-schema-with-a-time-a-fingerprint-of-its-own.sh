#!/usr/bin/env bash
# Believed: the CRC-64-AVRO fingerprint of one schema is one number, whichever library works it out; that is
#   what the single-object encoding and fingerprint allow-lists rest upon.
# Is so: Apache's own avro for Python leaves {"type":"long"} in the canonical form where a logical type was
#   taken off; the rule [PRIMITIVES] wants "long". So every schema with a timestamp, date or decimal has
#   another fingerprint there than in fastavro and in Java. Without a logical type all agree.
# Matters: events carry times. A reader that finds schemas by fingerprint does not know any event's schema
#   when the writer used the other library, though both were given the same file.
# Version, date: avro 1.12.2 beside fastavro 1.13.1; seen 2026-11-30.
# Source of the right value: Apache Avro specification, "Parsing Canonical Form for Schemas" ([STRIP],
#   [PRIMITIVES]) and "Schema Fingerprints" (the 64-bit Rabin fingerprint, empty = c15d213aa4d7a795), worked
#   out below from the canonical text by hand; bytes little-endian as in the single-object encoding.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install avro==1.12.2 fastavro==1.13.1
"$work/v/bin/python" - <<'PY'
import json, sys
from importlib.metadata import version

import avro.schema
from fastavro.schema import fingerprint, to_parsing_canonical_form

print("avro", version("avro"), "fastavro", version("fastavro"))
EMPTY = 0xC15D213AA4D7A795


def rabin(text: str) -> str:
    value = EMPTY
    for byte in text.encode():
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (EMPTY if value & 1 else 0)
    return value.to_bytes(8, "little").hex()


def schema(moment):
    fields = [{"name": "minutes", "type": "int"}, {"name": "at", "type": moment}]
    return {"type": "record", "name": "Hours", "namespace": "org.example", "doc": "x", "fields": fields}


def canonical(moment: str) -> str:
    return (
        '{"name":"org.example.Hours","type":"record","fields":['
        '{"name":"minutes","type":"int"},{"name":"at","type":%s}]}' % moment
    )


same = True
right = rabin(canonical('"long"'))
for moment, recorded in (
    ("long", right),
    ({"type": "long", "logicalType": "timestamp-millis"}, rabin(canonical('{"type":"long"}'))),
):
    apache = avro.schema.parse(json.dumps(schema(moment))).fingerprint("CRC-64-AVRO").hex()
    other = fingerprint(to_parsing_canonical_form(schema(moment)), "CRC-64-AVRO")
    print(f"at: {moment}\n  expected {right}, fastavro {other}, avro {apache}")
    same &= apache == recorded and other == right
same &= rabin(canonical('{"type":"long"}')) != right
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
