#!/usr/bin/env bash
# Believed: a time that Babel wrote in a Chinese locale is the same time when Babel reads it in that locale.
# Is so: parse_time knows the afternoon by the Latin letters "pm" alone. In zh_TW and zh_HK the short form is
#   written with 上午, 下午 or 凌晨 before the digits; the word is passed over: 15:30 comes back as 03:30, and a
#   quarter past midnight (凌晨12:15, 上午12:15) as a quarter past noon. No error. In zh_CN the short form has 24 hours and comes back right,
#   but 下午3:30 typed by a person is read as 03:30 there too.
# Matters: sheets of exchange visits from Taiwan and Hong Kong print times so. A check-out at 下午3:30 after a
#   check-in at 上午9:00 lies before it (hours refused), and a whole afternoon is moved into the night.
# Version, date: Babel 2.19.0; seen 2026-11-30.
# Source of the right value: Unicode CLDR, dayPeriods of zh: am is 上午, pm is 下午 (Babel ships the same table,
#   printed below).
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install Babel==2.19.0
"$work/v/bin/python" - <<'PY'
import sys
from datetime import time
from importlib.metadata import version

from babel.dates import format_time, get_period_names, parse_time

print("Babel", version("Babel"))
same = True
for locale in ("zh_TW", "zh_HK"):
    periods = get_period_names(width="abbreviated", context="format", locale=locale)
    print(locale, "am", periods["am"], "pm", periods["pm"])
    for meant, recorded in ((time(15, 30), time(3, 30)), (time(0, 15), time(12, 15)), (time(9, 5), time(9, 5))):
        text = format_time(meant, "short", locale=locale)
        seen = parse_time(text, locale=locale)
        print(f"{locale} {text}: expected {meant}, seen {seen}")
        same &= seen == recorded
english = parse_time(format_time(time(15, 30), "short", locale="en_US"), locale="en_US")
print("en_US 3:30 PM: seen", english)
typed = parse_time("下午3:30", locale="zh_CN")
print("zh_CN 下午3:30: expected 15:30:00, seen", typed)
same &= english == time(15, 30) and typed == time(3, 30)
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
