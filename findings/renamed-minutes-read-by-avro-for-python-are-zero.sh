#!/usr/bin/env bash
# Believed: a field renamed with an alias keeps its old values; and where a library knows no aliases, its own
#   compatibility check says so.
# Is so: avro for Python keeps "aliases" as an unread property of a field. Old records have no field of the new
#   name, so its default stands in: 90 minutes are read as 0, without a word. Its own checker calls the pair
#   compatible. fastavro gives 90. Without a default avro raises an error instead, so the default that every
#   guide demands for compatibility is what turns an error into a loss.
# Matters: "mins" renamed to "minutes" by the book (alias and default) empties the history for one reader and
#   not for another: two auditors of one topic get two totals.
# Version, date: avro 1.12.2 beside fastavro 1.13.1; seen 2026-11-30.
# Source of the right value: Apache Avro specification, "Aliases": a reader's alias maps the writer's field as
#   if it had been written under the new name (carrying it out is left to the implementation).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install avro==1.12.2 fastavro==1.13.1
"$work/v/bin/python" - <<'PY'
import io, json, sys
from importlib.metadata import version

import avro.errors, avro.io, avro.schema, fastavro
from avro.compatibility import ReaderWriterCompatibilityChecker

print("avro", version("avro"), "fastavro", version("fastavro"))


def schema(**field):
    return {"type": "record", "name": "Hours", "fields": [{"type": "int", **field}]}


old = schema(name="mins")
new = schema(name="minutes", aliases=["mins"], default=0)
bare = schema(name="minutes", aliases=["mins"])
written = io.BytesIO()
fastavro.schemaless_writer(written, fastavro.parse_schema(old), {"mins": 90})


def apache(reader):
    writer, reader = (avro.schema.parse(json.dumps(s)) for s in (old, reader))
    try:
        return avro.io.DatumReader(writer, reader).read(avro.io.BinaryDecoder(io.BytesIO(written.getvalue())))["minutes"]
    except avro.errors.SchemaResolutionException:
        return "refused"


parsed_old, parsed_new = (avro.schema.parse(json.dumps(s)) for s in (old, new))
verdict = ReaderWriterCompatibilityChecker().get_compatibility(parsed_new, parsed_old).compatibility.name
other = fastavro.schemaless_reader(io.BytesIO(written.getvalue()), old, new)["minutes"]
seen, without = apache(new), apache(bare)
print("avro's own check of the renaming:", verdict)
print(f"90 minutes, renamed with a default: expected 90, fastavro {other}, avro {seen}")
print(f"90 minutes, renamed without one: avro {without}")
same = verdict == "compatible" and other == 90 and seen == 0 and without == "refused"
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
