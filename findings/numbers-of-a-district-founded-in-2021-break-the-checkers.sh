#!/usr/bin/env bash
# Believed: the well-known checkers of resident identity numbers agree on a number with a right date and a right
#   check character; is_valid() says yes or no, and the place is that of the first six digits.
# Is so: for a number of Linping District, Hangzhou (330113, founded in 2021) python-stdnum's is_valid(), which is
#   documented to give a Boolean, raises KeyError, and id-validator for Python says valid but calls the district
#   abolished. The residence card of a foreigner by the rules of 2023 (first character 9, nationality at 4-6) is
#   refused by both, while id-validator for JavaScript, which looks up no place, calls it a resident identity
#   number of the place 944840.
# Matters: the district's children have such numbers. In one system the whole batch stops at their row, in
#   another their region is marked dead; a foreigner's hours are refused here and given to a place that does not
#   exist there. Check form, date and check character, and take the place as text.
# Version, date: python-stdnum 2.2, id-validator 1.0.20 (Python), id-validator 1.3.0 (npm); seen 2026-11-30.
# Source of the right value: GB 11643-1999 (check by ISO 7064 MOD 11-2, worked out below); the Zhejiang
#   government's notice of 2021 on Hangzhou's districts (Linping founded); the machine-readable rules of the
#   foreigners' permanent residence card, edition 2023. All numbers are made up.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
python3 -m venv v
v/bin/pip -q --disable-pip-version-check install id-validator==1.0.20 python-stdnum==2.2
npm init -y >/dev/null
npm install --silent --no-audit --no-fund id-validator@1.3.0
cat >check.cjs <<'JS'
const Validator = require("id-validator");
const v = new Validator();
console.log(JSON.stringify(process.argv.slice(2).map((id) => {
  const valid = v.isValid(id);
  return [valid, valid ? v.getInfo(id).addrCode : null];
})));
JS
v/bin/python - <<'PY'
import json, subprocess, sys
from importlib.metadata import version
from pathlib import Path

from id_validator import validator
from stdnum.cn import ric

node = json.loads(Path("node_modules/id-validator/package.json").read_text())["version"]
print("id-validator for Python", version("id-validator"), "for JavaScript", node, "python-stdnum", version("python-stdnum"))
WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def complete(body: str) -> str:
    return body + "10X98765432"[sum(int(c) * w for c, w in zip(body, WEIGHTS)) % 11]


def by_stdnum(number):
    try:
        return ric.is_valid(number)
    except KeyError as error:
        return f"KeyError {error}"


def by_python(number):
    info = validator.get_info(number)
    return [bool(info), info["abandoned"] if info else None]


rows = [
    ("Tianhe, Guangzhou", complete("44010619900307002"), [True, 0], [True, "440106"], True),
    ("Linping, Hangzhou, born 2021", complete("33011320210601002"), [True, 1], [True, "330113"], "KeyError 'county'"),
    ("foreigner's card of 2023", complete("94484019850412002"), [False, None], [True, "944840"], False),
]
answers = json.loads(
    subprocess.run(["node", "check.cjs", *(r[1] for r in rows)], check=True, capture_output=True, text=True).stdout
)
same = True
for (name, number, *recorded), by_js in zip(rows, answers):
    seen = [by_python(number), by_js, by_stdnum(number)]
    print(f"{name} {number}: Python [valid, abolished] {seen[0]}, JavaScript [valid, place] {seen[1]}, stdnum {seen[2]}")
    same &= seen == recorded
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
