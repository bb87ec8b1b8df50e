"""Verify a bundle of shilu without shilu: `verify_bundle.py BUNDLE KEY.vkey [KEPT-CHECKPOINT ...]`.

Needs Python 3.11 and `cryptography`. Every entry's bytes are made again from its columns; their hashes
make an RFC 6962 tree for each folder, whose roots are those signed. Exit 0: all as sealed; 1: not.
"""
import base64, csv, datetime, hashlib, json, pathlib, sys  # noqa: E401
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

bundle, keyfile, *kept = map(pathlib.Path, sys.argv[1:])
faults, sha = [], lambda data: hashlib.sha256(data).digest()
start = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)

def number(n, zigzag=True):  # an Avro int, seven bits at a time
    n = (n << 1) ^ (n >> 63) if zigzag else n
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + number(n >> 7, False)

once = lambda pairs: dict(pairs) if len(dict(pairs)) == len(pairs) else int("a member twice")
parse = lambda text: json.loads(text, object_pairs_hook=once, parse_constant=int)  # one reading
array = lambda items: (number(len(items)) if items else b"") + b"".join(items) + b"\0"

def cell(kind, text):  # a CSV cell -> Avro bytes, as the field's type in the schema says
    if isinstance(kind, list):
        return b"\0" if text in ("", None) else b"\2" + cell(kind[1], text)
    if kind == "string":
        return number(len(raw := text.removeprefix("'").encode())) + raw
    if isinstance(kind, dict) and kind["type"] == "record":
        return b"".join(cell(f["type"], parse(text)[f["name"]]) for f in kind["fields"])
    if isinstance(kind, dict) and kind["type"] == "array":
        return array([cell(kind["items"], item) for item in parse(text)])
    if isinstance(kind, dict) and kind["type"] == "enum":
        return number(kind["symbols"].index(text))
    if "T" in text:  # a time with its offset -> microseconds since 1970
        return number((datetime.datetime.fromisoformat(text) - start) // datetime.timedelta(0, 0, 1))
    if text.count("-") == 2:  # a day -> days since 1970
        return number(datetime.date.fromisoformat(text).toordinal() - start.toordinal())
    return number(int(text))

def entry(row, lines, schema, schema_id):  # a row, and a posting's rows of lines -> the bytes
    out = b"\0" + schema_id.to_bytes(4, "big")
    for field in schema["fields"]:
        if field["name"] == "lines":
            columns = field["type"]["items"]["fields"]
            out += array([b"".join(cell(f["type"], line[f["name"]]) for f in columns) for line in lines])
        else:
            out += cell(field["type"], row[field["name"]])
    return out

def root(leaves):  # RFC 6962, section 2.1
    while len(leaves) > 1:
        leaves = [sha(b"\1" + a + b) for a, b in zip(leaves[::2], leaves[1::2])] + leaves[len(leaves) & -2:]
    return leaves[0] if leaves else sha(b"")

def keys():  # the key you trust, and those that a chain of signed rotations ties to it
    lines = [keyfile.read_text().strip()]
    notes = sorted((bundle / "keys").glob("*.rotation"), key=lambda path: int(path.stem))
    for note in [path.read_text() for path in notes + notes[::-1]]:
        pair = note.split("\n")[1:3]
        for known, other in (pair, pair[::-1]):
            if known in lines and signed(note, known.split("+")[0], [known]):
                lines.append(other)
    return lines

def signed(note, name, lines):  # is the text of a note signed by one of these keys under this name?
    text, _, signatures = note.rpartition("\n\n")
    for line in lines:
        key = base64.b64decode(line.split("+", 2)[2])
        for said in signatures.splitlines():
            raw = base64.b64decode(said.split(" ")[2])
            if said.startswith(f"— {name} ") and raw[:4] == sha(name.encode() + b"\n" + key)[:4]:
                Ed25519PublicKey.from_public_bytes(key[1:]).verify(raw[4:], text.encode() + b"\n")
                return True
    return False

table = lambda path: csv.DictReader(open(path, encoding="utf-8", newline=""))

def log(folder):  # every entry of one folder, then every checkpoint
    leaves, ids = [], parse((bundle / "schemas/ids.json").read_text())
    schemas = {t: parse((bundle / f"schemas/{t}.avsc").read_text()) for t in ids}
    for file in sorted(folder.glob("postings-*.csv")) + sorted(folder.glob("looks-*.csv")):
        lines, looks = {}, file.name.startswith("looks")
        for line in [] if looks else table(folder / file.name.replace("postings", "lines")):
            lines.setdefault(line["posting_index"], []).append(line)
        for at, row in enumerate(table(file), len(leaves)):
            value, title = base64.b64decode(row["value_base64"]), row["schema"]
            own = [] if looks else lines.pop(row["index"], [])
            try:  # a look without a schema is bytes that are no entry, sealed as they came
                right = looks and not title or entry(row, own, schemas[title], ids[title]) == value
            except (KeyError, TypeError, ValueError):
                right = False
            if not right or not looks and (row["partition"], row["index"]) != (folder.name[1:], str(at)):
                faults.append(f"{folder.name} #{at}: columns, bytes or order differ")
            leaves.append(sha(b"\0" + value))
        faults.extend(f"{folder.name} #{index}: lines without a posting" for index in lines)
    notes = [parse(note) for note in (folder / "checkpoints.jsonl").read_text().splitlines()]
    origin = trusted[0].split("+")[0] + "/" + folder.name
    newest = max([int(note.split("\n")[1]) for note in notes], default=0)
    for note in notes + [n for n in map(pathlib.Path.read_text, kept) if n.startswith(origin + "\n")]:
        name, size, said = note.split("\n")[:3]
        right = name == origin and signed(note, origin, trusted) and int(size) <= newest
        if not right or int(size) > len(leaves) or root(leaves[:int(size)]) != base64.b64decode(said):
            faults.append(f"{folder.name}: not the {size} entries that were sealed, or not signed")
    print(folder.name, len(leaves), "entries,", newest, "sealed")

try:
    trusted = keys()
    for folder in sorted([*bundle.glob("p[0-9]*"), *bundle.glob("access")]):
        log(folder)
except Exception as error:  # whatever it cannot read is not as it was sealed
    faults.append(f"unreadable: {error!r}")
print("\n".join(faults) or "all as sealed")
sys.exit(1 if faults else 0)
