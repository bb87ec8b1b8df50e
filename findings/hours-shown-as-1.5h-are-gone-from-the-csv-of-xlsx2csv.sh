#!/usr/bin/env bash
# Believed: a cell with 1.5 that shows "1.5h" reaches the CSV as 1.5 or as 1.5h.
# Is so: xlsx2csv takes the h of the quoted unit for an hour of the clock, so the number for a time, and puts the
#   pattern into the cell: 0.0"12" stands there for 1.5, for 2.5 and for 40.5 alike. The value is lost; the exit
#   code is 0. Totals beyond a day in the built-in format [h]:mm:ss (46) lose their days: 30 hours are 06:00.
#   0.0"小时" and [h]:mm come through as numbers.
# Matters: sheets of hours show their unit so. The first converter that a script finds makes every row the same,
#   and a sum of 30 hours into 6. Read cells by a library that gives values, not looks.
# Version, date: xlsx2csv 0.8.6 (file by XlsxWriter 3.3.1); seen 2026-11-30.
# Source of the right value: ECMA-376 part 1, 18.8.31: text in double quotes within a pattern is shown as it is
#   and is no code; [h] counts elapsed hours beyond 24.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip -q --disable-pip-version-check install xlsx2csv==0.8.6 XlsxWriter==3.3.1
v/bin/python - <<'PY'
import csv, subprocess, sys
from importlib.metadata import version

import xlsxwriter

print("xlsx2csv", version("xlsx2csv"))
rows = [
    ('0.0"h"', 1.5, "1.5 or 1.5h", '0.0"12"'),
    ('0.0"h"', 2.5, "2.5 or 2.5h", '0.0"12"'),
    ('0.0"h"', 40.5, "40.5 or 40.5h", '0.0"12"'),
    ('0.0"小时"', 1.5, "1.5", "1.50000"),
    (46, 1.25, "30:00:00 or 1.25", "06:00"),
    ("[h]:mm", 1.25, "30:00 or 1.25", "1.25"),
]
book = xlsxwriter.Workbook("hours.xlsx")
sheet = book.add_worksheet()
for i, (form, value, _, _) in enumerate(rows):
    sheet.write_number(i, 0, value, book.add_format({"num_format": form}))
book.close()
run = subprocess.run(["v/bin/xlsx2csv", "hours.xlsx"], capture_output=True, text=True)
seen = [row[0] for row in csv.reader(run.stdout.splitlines())]
for (form, value, expected, _), cell in zip(rows, seen):
    print(f"{value} as {form}: expected {expected}, seen {cell}")
print("exit code", run.returncode)
same = run.returncode == 0 and seen == [recorded for *_, recorded in rows]
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
