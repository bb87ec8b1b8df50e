#!/usr/bin/env bash
# Believed: a cell that shows 2025年3月1日 is read as a date by every reader of XLSX.
# Is so: the number formats 27-36 and 50-58 belong to East Asian editions of the spreadsheet program and are
#   named in the file by number alone, without their pattern. openpyxl and exceljs do not know them: the date is
#   the number 45717, the time 13时30分 the number 0.5625, as if somebody had typed an amount. python-calamine
#   reads them as date and time. The same look with the pattern written out is read right by all.
# Matters: in a column of service dates one cell formatted from the Chinese menu gives a number; in a column of
#   lengths a time of day of 0.5625 passes for half an hour. An importer must look at the format's number.
# Version, date: openpyxl 3.1.5, exceljs 4.4.0 beside python-calamine 0.9.1 (file by XlsxWriter 3.3.1);
#   seen 2026-11-30.
# Source of the right value: ECMA-376 part 1, 18.8.30 numFmt, table for language zh-cn: 31 is a date of year,
#   month, day; 32 an hour and minute; 57 year and month; 58 month and day.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip -q --disable-pip-version-check install openpyxl==3.1.5 python-calamine==0.9.1 XlsxWriter==3.3.1
npm init -y >/dev/null
npm install --silent --no-audit --no-fund exceljs@4.4.0
cat >js.cjs <<'JS'
const E = require("exceljs");
const book = new E.Workbook();
book.xlsx.readFile("sheet.xlsx").then(() => {
  const values = [];
  book.worksheets[0].eachRow((row) => {
    const v = row.getCell(2).value;
    values.push(v instanceof Date ? v.toISOString().slice(0, 16) : v);
  });
  console.log(JSON.stringify({ version: require("exceljs/package.json").version, values }));
});
JS
v/bin/python - <<'PY'
import json, subprocess, sys
from datetime import date, datetime, time
from importlib.metadata import version

import openpyxl, xlsxwriter
from python_calamine import CalamineWorkbook

DAY, HALF_PAST_ONE = 45717, 0.5625
rows = [(31, DAY), (32, HALF_PAST_ONE), (57, DAY), (58, DAY), (14, DAY), ('yyyy"年"m"月"d"日"', DAY)]
book = xlsxwriter.Workbook("sheet.xlsx")
sheet = book.add_worksheet()
for i, (form, value) in enumerate(rows):
    sheet.write(i, 0, str(form))
    sheet.write_number(i, 1, value, book.add_format({"num_format": form}))
book.close()

by_openpyxl = [row[1].value for row in openpyxl.load_workbook("sheet.xlsx").active.iter_rows()]
by_calamine = [row[1] for row in CalamineWorkbook.from_path("sheet.xlsx").get_sheet_by_index(0).to_python()]
javascript = json.loads(subprocess.run(["node", "js.cjs"], check=True, capture_output=True, text=True).stdout)
print("openpyxl", version("openpyxl"), "python-calamine", version("python-calamine"), "exceljs", javascript["version"])
expected = [date(2025, 3, 1), time(13, 30), *[date(2025, 3, 1)] * 4]
for (form, _), right, a, b, c in zip(rows, expected, by_openpyxl, javascript["values"], by_calamine):
    print(f"format {form}: expected {right}, openpyxl {a}, exceljs {b}, calamine {c}")
known = datetime(2025, 3, 1)
same = (
    by_openpyxl == [DAY, HALF_PAST_ONE, DAY, DAY, known, known]
    and javascript["values"] == [DAY, HALF_PAST_ONE, DAY, DAY, "2025-03-01T00:00", "2025-03-01T00:00"]
    and by_calamine == expected
)
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
