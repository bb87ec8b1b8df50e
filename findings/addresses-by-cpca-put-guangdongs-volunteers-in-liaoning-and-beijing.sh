#!/usr/bin/env bash
# Believed: cpca finds province, city and district that stand in a text, and leaves open what does not.
# Is so: any word that is the short name of a place is one. The programme 朝阳行动 of Guangdong lies in Chaoyang,
#   Liaoning; the pedestrian street 北京路 of Guangzhou in Beijing; 中山大学 (seat: Guangzhou) in the city Zhongshan.
#   A district's name that several cities have is given to one of them without a mark: 朝阳区望京街道 (Beijing) to
#   Changchun, 鼓楼区湖南路街道 (Nanjing) to Kaifeng. 光明区 of Shenzhen, founded in 2018, is left in the address.
#   Each answer has a full six-digit code that looks as sure as a right one.
# Matters: hours are rolled up by region. Filling the region of organisations from their names moves whole
#   programmes to other provinces; ask for the code, or take only what begins with a province.
# Version, date: cpca 0.5.5 (pandas 3.1.1); seen 2026-11-30.
# Source of the right value: GB/T 2260 with the Ministry of Civil Affairs' yearly tables: 110105 Chaoyang of
#   Beijing, 320106 Gulou of Nanjing, 440311 Guangming of Shenzhen; the programme and its province as in the
#   public report of 2013 on Guangdong's linkage of social workers and volunteers.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/v"
"$work/v/bin/pip" -q --disable-pip-version-check install cpca==0.5.5 pandas==3.1.1
"$work/v/bin/python" -W ignore - <<'PY'
import sys
from importlib.metadata import version

import cpca

print("cpca", version("cpca"))
rows = [
    ("朝阳行动志愿服务队", "nothing, or 440000", "211300"),
    ("北京路步行街志愿服务队", "nothing, or 440104", "110000"),
    ("中山大学青年志愿者协会", "nothing, or 440100", "442000"),
    ("朝阳区望京街道志愿服务队", "nothing, or 110105", "220104"),
    ("鼓楼区湖南路街道", "nothing, or 320106", "410204"),
    ("深圳市光明区", "440311", "440300"),
    ("广州市越秀区北京街道", "440104", "440104"),
]
same = True
table = cpca.transform([text for text, *_ in rows])
for (text, expected, recorded), found in zip(rows, table.to_dict("records")):
    place = "".join(str(found[part]) for part in ("省", "市", "区") if isinstance(found[part], str))
    print(f"{text}: expected {expected}, seen {found['adcode']} {place}")
    same &= found["adcode"] == recorded
print("as recorded" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
