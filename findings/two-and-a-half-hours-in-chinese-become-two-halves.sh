#!/usr/bin/env bash
# Believed: cn2an turns the numerals in a Chinese sentence into digits and leaves the meaning alone.
# Is so: 半 behind a measure word is turned by itself: 两个半小时 (two and a half hours) is written 2个0.5小时, which
#   reads as twice half an hour; whoever takes the number before 小时 gets 0.5 for 1.5, 2.5 and 12.5 alike.
#   点, "o'clock", is taken for the decimal point: 下午三点零五分 (five past three) is written 下午3.05分, and 三点一刻
#   (a quarter past three) 3.1刻. No error, no warning. 三小时四十五分 and 两小时半 keep their meaning.
# Matters: paper records that are typed in say lengths and times in words. An importer that first makes digits
#   of them credits 30 minutes for 150.
# Version, date: cn2an 0.5.24; seen 2026-11-30.
# Source of the right value: the language itself: numeral, measure word, 半, noun is the number and a half
#   (两个半小时 = 2.5 h); numeral, 点, numeral, 分 is a time of day.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install cn2an==0.5.24
"$work/v/bin/python" -W error - <<'PY'
import re, sys
from importlib.metadata import version

import cn2an

print("cn2an", version("cn2an"))
rows = [
    ("服务两个半小时", "服务2.5小时", "服务2个0.5小时"),
    ("服务一个半小时", "服务1.5小时", "服务1个0.5小时"),
    ("服务十二个半小时", "服务12.5小时", "服务12个0.5小时"),
    ("下午三点零五分签退", "下午3点05分签退", "下午3.05分签退"),
    ("三点一刻签退", "3点15分签退", "3.1刻签退"),
    ("三小时四十五分", "3小时45分", "3小时45分"),
]
same = True
for text, expected, recorded in rows:
    seen = cn2an.transform(text, "cn2an")
    hours = re.search(r"([\d.]+)小时", seen)
    print(f"{text}: expected {expected}, seen {seen}" + (f", hours {hours[1]}" if hours else ""))
    same &= seen == recorded
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
