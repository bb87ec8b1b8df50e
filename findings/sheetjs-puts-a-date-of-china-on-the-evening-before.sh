#!/usr/bin/env bash
# Believed: with cellDates the day in the cell is the day of the Date, read with getDate() where it was typed.
# Is so: on a machine that keeps China's time, the SheetJS of the npm registry gives 1 March as 28 February
#   23:59:17. It takes the offset of 1899, when Shanghai's clocks showed local mean time (+8:05:43, given to
#   JavaScript in whole minutes), and is 43 seconds short; each midnight, the usual value of a date cell, falls
#   on the day before. In UTC the day is right, so a test server shows nothing.
# Matters: every service date of an imported sheet slips by a day, the first of a month into the month before,
#   1 January into the year before; times of day end in :17 and lose a minute when floored.
# Version, date: xlsx 0.18.5 (the newest that the registry has; file by ExcelJS 4.4.0); seen 2026-11-30.
# Source of the right value: ECMA-376 part 1, 18.17.4: serial 45717 of the 1900 system is 2025-03-01 and names
#   no zone; the time zone database, Asia/Shanghai: LMT +8:05:43 until 1901.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund xlsx@0.18.5 exceljs@4.4.0
cat >make.cjs <<'JS'
const E = require("exceljs");
const book = new E.Workbook();
const sheet = book.addWorksheet("hours");
for (const [i, serial] of [45717, 45658, 45717.375].entries()) {
  const cell = sheet.getCell(i + 1, 1);
  cell.value = serial;
  cell.numFmt = "yyyy-mm-dd hh:mm";
}
book.xlsx.writeFile("dates.xlsx");
JS
cat >read.cjs <<'JS'
const X = require("xlsx");
const sheet = X.readFile("dates.xlsx", { cellDates: true }).Sheets.hours;
const two = (n) => String(n).padStart(2, "0");
console.log(["A1", "A2", "A3"].map((a) => {
  const d = sheet[a].v;
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())}T${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}).join(" "));
JS
node make.cjs
echo "xlsx $(node -p 'require("xlsx/package.json").version')"
right="2025-03-01T00:00:00 2025-01-01T00:00:00 2025-03-01T09:00:00"
recorded="2025-02-28T23:59:17 2024-12-31T23:59:17 2025-03-01T08:59:17"
ok=0
for zone in Asia/Shanghai UTC; do
  seen=$(TZ=$zone node read.cjs)
  echo "$zone: expected $right"
  echo "$zone: seen     $seen"
  if [ "$zone" = UTC ]; then want=$right; else want=$recorded; fi
  [ "$seen" = "$want" ] || ok=1
done
[ $ok = 0 ] && echo "as recorded" || echo "CHANGED"
exit $ok
