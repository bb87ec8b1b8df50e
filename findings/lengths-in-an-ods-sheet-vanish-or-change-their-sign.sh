#!/usr/bin/env bash
# Believed: a cell with a length of time in an OpenDocument sheet is read as that length, or an error is raised.
# Is so: pyexcel-ods3 gives an empty cell (None), without an error, when the length has a fraction of a second,
#   is written in minutes alone, or is negative. SheetJS reads the negative length as a positive one, with the
#   text "-1:00" beside it, and cuts the fraction. 30:15:00 is read right by both (1 day 6:15, 1.2604 days).
# Matters: lengths that a sheet works out itself seldom end on a whole second, so the computed rows are the ones
#   that vanish; and a correction of -1 hour turns into one hour more, two hours of difference.
# Version, date: pyexcel-ods3 0.6.1 (pyexcel-io 0.6.8), xlsx 0.18.5 of the npm registry; seen 2026-11-30.
# Source of the right value: OpenDocument 1.2, office:time-value is a duration of XML Schema part 2, 3.2.6:
#   -PnYnMnDTnHnMnS, sign and decimal fraction of the seconds allowed, every part optional.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip -q --disable-pip-version-check install pyexcel-ods3==0.6.1 pyexcel-io==0.6.8 setuptools==80.9.0
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xlsx@0.18.5
cat >read.cjs <<'JS'
const X = require("xlsx");
const sheet = X.readFile("hours.ods").Sheets.hours;
const rows = [];
for (let i = 1; sheet[`B${i}`]; i++) rows.push([Math.round(sheet[`B${i}`].v * 864000) / 10, sheet[`B${i}`].w]);
console.log(JSON.stringify({ version: X.version, rows }));
JS
v/bin/python -W ignore - <<'PY'
import json, subprocess, sys, zipfile
from datetime import time, timedelta
from importlib.metadata import version

# office:time-value, what the cell shows, seconds that are right, pyexcel-ods3's row after the name, SheetJS's seconds
rows = [
    ("PT30H15M00S", "30:15:00", 108900, [timedelta(hours=30, minutes=15), "site-1"], 108900),
    ("PT01H30M00S", "1:30:00", 5400, [time(1, 30), "site-1"], 5400),
    ("PT01H29M59.5S", "1:29:59.5", 5399.5, [None, "site-1"], 5399),
    ("PT90M", "1:30", 5400, [None, "site-1"], 5400),
    ("-PT01H00M00S", "-1:00", -3600, [None, "site-1"], 3600),
]


def cell(text, value=None):
    kind = f'office:value-type="time" office:time-value="{value}"' if value else 'office:value-type="string"'
    return f"<table:table-cell {kind}><text:p>{text}</text:p></table:table-cell>"


space = " ".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0"' for n in ("office", "table", "text"))
body = "".join(f"<table:table-row>{cell(v)}{cell(shown, v)}{cell('site-1')}</table:table-row>" for v, shown, *_ in rows)
mime = "application/vnd.oasis.opendocument.spreadsheet"
files = {
    "mimetype": mime,
    "META-INF/manifest.xml": '<manifest:manifest xmlns:manifest="urn:oasis:names:tc:opendocument:xmlns:manifest:1.0" '
    f'manifest:version="1.2"><manifest:file-entry manifest:full-path="/" manifest:media-type="{mime}"/>'
    '<manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/></manifest:manifest>',
    "content.xml": f'<office:document-content {space} office:version="1.2"><office:body><office:spreadsheet>'
    f'<table:table table:name="hours">{body}</table:table></office:spreadsheet></office:body></office:document-content>',
}
with zipfile.ZipFile("hours.ods", "w") as book:
    for name, text in files.items():
        book.writestr(name, text)

from pyexcel_ods3 import get_data

python = get_data("hours.ods")["hours"]
javascript = json.loads(subprocess.run(["node", "read.cjs"], check=True, capture_output=True, text=True).stdout)
print("pyexcel-ods3", version("pyexcel-ods3"), "pyexcel-io", version("pyexcel-io"), "xlsx", javascript["version"])
same = len(python) == len(javascript["rows"]) == len(rows)
for (value, shown, right, by_python, by_js), row, (seconds, text) in zip(rows, python, javascript["rows"]):
    print(f"{value}: expected {right} s, pyexcel-ods3 row {[str(c) for c in row]}, SheetJS {seconds} s shown as {text}")
    same &= row[1:] == by_python and seconds == by_js and text == shown
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
