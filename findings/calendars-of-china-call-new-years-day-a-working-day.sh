#!/usr/bin/env bash
# Believed: a package of China's working days that says which years it covers is right in them.
# Is so: chinese-workday, which names 2011 to 2026 as its span, calls 1 January 2018 a working day, and the two
#   days off of September 2015; it knows none of the lengthening of the Spring Festival of 2020, nor does
#   workalendar for 2018-2023: for both 31 January and 1 February 2020 are worked. workalendar raises an error
#   for a weekday of a year that it lacks, but answers "not worked" for a weekend day of it, also where that is
#   a make-up day (26 January 2025). lunar_python lacks a make-up Sunday and a make-up Saturday of 2013.
# Matters: an hour must be recorded within ten working days. For an activity of 20 January 2020 workalendar
#   ends the term on 7 February instead of 11 February: records of four days are called late that are not.
# Version, date: chinese-workday 1.16.1, workalendar 17.0.0, lunar_python 1.4.8; seen 2026-11-30.
# Source of the right value: Regulation on public holidays (1 January is one); notices of the General Office of
#   the State Council on the holidays of 2013, 2015 (3 and 4 September off), 2020 (lengthened to 2 February,
#   work from 3 February) and 2025; chinesecalendar 1.11.0 carries the same days and is printed beside.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip -q --disable-pip-version-check install chinesecalendar==1.11.0 workalendar==17.0.0 lunar_python==1.4.8
npm init -y >/dev/null
npm install --silent --no-audit --no-fund chinese-workday@1.16.1
cat >days.mjs <<'JS'
import { isWorkday } from "chinese-workday";
console.log(JSON.stringify(process.argv.slice(2).map((day) => isWorkday(day))));
JS
v/bin/python -W ignore - <<'PY'
import json, subprocess, sys
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path

import chinese_calendar
from lunar_python.util import HolidayUtil
from workalendar.asia import China
from workalendar.exceptions import CalendarError

node = json.loads(Path("node_modules/chinese-workday/package.json").read_text())["version"]
print("chinese-workday", node, *(f"{p} {version(p)}" for p in ("workalendar", "lunar_python", "chinesecalendar")))
china, same = China(), True


def by_workalendar(day):
    try:
        return china.is_working_day(day)
    except CalendarError:
        return "no data"


def by_lunar(day):
    found = HolidayUtil.getHoliday(day.isoformat())
    return found.isWork() if found else day.weekday() < 5


def by_node(days):
    run = ["node", "days.mjs", *(day.isoformat() for day in days)]
    return json.loads(subprocess.run(run, check=True, capture_output=True, text=True).stdout)


# day, worked by the notice, chinese-workday, workalendar, lunar_python
rows = [
    ((2018, 1, 1), False, True, False, False),
    ((2015, 9, 3), False, True, "no data", False),
    ((2015, 9, 4), False, True, "no data", False),
    ((2020, 1, 31), False, True, True, False),
    ((2020, 2, 1), False, True, True, False),
    ((2023, 1, 3), True, False, True, True),
    ((2013, 4, 7), True, False, False, False),
    ((2013, 10, 12), True, False, False, False),
    ((2025, 1, 26), True, True, False, True),
    ((2025, 1, 27), True, True, "no data", True),
]
answers = by_node([date(*row[0]) for row in rows])
for (day, right, *recorded), by_js in zip(rows, answers):
    day = date(*day)
    seen = [by_js, by_workalendar(day), by_lunar(day)]
    print(f"{day} {day:%a}: expected {right}, chinese-workday {seen[0]}, workalendar {seen[1]}, lunar_python {seen[2]}")
    same &= seen == recorded and chinese_calendar.is_workday(day) == right

last, left = date(2020, 1, 20), 10
while left:
    last += timedelta(days=1)
    left -= chinese_calendar.is_workday(last)
seen = china.add_working_days(date(2020, 1, 20), 10)
print(f"tenth working day after 2020-01-20: expected {last}, workalendar {seen}")
same &= last == date(2020, 2, 11) and seen == date(2020, 2, 7)
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
