#!/usr/bin/env bash
# Believed: a number that an "int" cannot hold is refused by the writer, as Avro's other libraries do.
# Is so: fastavro's compiled writer cuts the fraction: 1.5 and Decimal("1.9") are written as 1, -0.5 as 0, no
#   error. In a union with null the same value is refused, so the same producer behaves in two ways after a
#   field became optional. Text is refused in both. Apache's avro refuses every one of them.
# Matters: a client that counts hours fills the integer field of a schema: 1.5 becomes 1 and 0.75 becomes 0, in
#   well-formed records, and nobody ever learns it. Check with fastavro.validate before writing.
# Version, date: fastavro 1.13.1 beside avro 1.12.2; seen 2026-11-30.
# Source of the right value: Apache Avro specification, "Primitive Types": int is a 32-bit signed integer; a
#   float is none, and promotion goes from int to float only.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install fastavro==1.13.1 avro==1.12.2
"$work/v/bin/python" - <<'PY'
import io, json, sys
from decimal import Decimal
from importlib.metadata import version

import avro.errors, avro.io, avro.schema, fastavro

print("fastavro", version("fastavro"), "avro", version("avro"))


def hours(kind):
    return {"type": "record", "name": "Hours", "fields": [{"name": "given", "type": kind}]}


def by_fastavro(kind, value):
    schema, out = fastavro.parse_schema(hours(kind)), io.BytesIO()
    try:
        fastavro.schemaless_writer(out, schema, {"given": value})
    except (TypeError, ValueError):
        return "refused"
    return fastavro.schemaless_reader(io.BytesIO(out.getvalue()), schema)["given"]


def by_apache(kind, value):
    writer = avro.io.DatumWriter(avro.schema.parse(json.dumps(hours(kind))))
    try:
        writer.write({"given": value}, avro.io.BinaryEncoder(io.BytesIO()))
    except avro.errors.AvroTypeException:
        return "refused"
    return "written"


same = True
for kind, value, recorded in (
    ("int", 1.5, 1),
    ("int", 0.75, 0),
    ("long", Decimal("1.9"), 1),
    ("int", -0.5, 0),
    ("int", "1", "refused"),
    (["null", "int"], 1.5, "refused"),
):
    seen, other = by_fastavro(kind, value), by_apache(kind, value)
    print(f"{kind} {value!r}: expected refused, seen {seen} (avro: {other})")
    same &= seen == recorded and other == "refused"
said = fastavro.validate({"given": 1.5}, hours("int"), raise_errors=False)
print("fastavro.validate of 1.5 as int:", said)
same &= said is False
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
