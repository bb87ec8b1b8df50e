#!/usr/bin/env bash
# Believed: the JavaScript readers of ZKTeco terminals give the person's number as the terminal holds it.
# Is so: in a record of 16 bytes the number fills four bytes, and both readers take two of them: person 70001
#   is reported as 4465. In a record of 40 bytes it fills 24 characters, and both take nine: 2025000010001 and
#   2025000010002 both become 202500001. In an 18-byte event of the moment one byte is left: 300 becomes 44.
#   No error, no mark.
# Matters: the cut number is somebody else's. A ledger that trusts it credits a stranger, or two people as one,
#   and nothing in the record shows it.
# Version, date: zklib-js 1.3.5, zkteco-js 1.7.2; seen 2026-11-30.
# Source of the right value: the public description of the terminals' protocol (adrobinoga/zk-protocol,
#   sections/data-record.md: 40 bytes = slot u16, number 24 characters, verify u8, time u32, in/out u8) and the
#   layout that pyzk reads (16 bytes = number u32, time u32, verify u8, in/out u8, 2, work code u32).
# The functions called are those that getAttendances() and getRealTimeLogs() of both packages call.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT; cd "$work"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund zklib-js@1.3.5 zkteco-js@1.7.2
cat >read.cjs <<'JS'
const readers = {
  "zklib-js": [require("zklib-js/utils.js"), "deviceUserId"],
  "zkteco-js": [require("zkteco-js/src/helper/utils.js"), "user_id"],
};
const packed = (y, m, d, h, n) => ((((y - 2000) * 12 + m - 1) * 31 + d - 1) * 24 + h) * 3600 + n * 60;
function record16(id) {
  const b = Buffer.alloc(16);
  b.writeUInt32LE(id, 0); b.writeUInt32LE(packed(2025, 3, 1, 8, 30), 4); b.writeUInt8(1, 8);
  return b;
}
function record40(id) {
  const b = Buffer.alloc(40);
  b.writeUInt16LE(7, 0); b.write(id, 2, "ascii"); b.writeUInt8(1, 26);
  b.writeUInt32LE(packed(2025, 3, 1, 8, 30), 27);
  return b;
}
function moment18(id) {
  const b = Buffer.alloc(18);
  b.writeUInt32LE(id, 8); Buffer.from([25, 3, 1, 8, 30, 0]).copy(b, 12);
  return b;
}
let as = true;
function show(what, expected, seen, recorded) {
  console.log(`${what}: expected ${expected}, seen ${seen}`);
  as = as && String(seen) === String(recorded);
}
for (const [name, [u, key]] of Object.entries(readers)) {
  console.log(name, require(`${name}/package.json`).version);
  show("16 bytes", 1234, u.decodeRecordData16(record16(1234))[key], 1234);
  show("16 bytes", 70001, u.decodeRecordData16(record16(70001))[key], 4465);
  for (const id of ["2025000010001", "2025000010002"])
    show("40 bytes", id, u.decodeRecordData40(record40(id))[key], "202500001");
  show("event of the moment", 300, u.decodeRecordRealTimeLog18(moment18(300)).userId, 44);
}
console.log(as ? "as recorded" : "CHANGED");
process.exit(as ? 0 : 1);
JS
node read.cjs
