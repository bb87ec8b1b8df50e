"""The data dictionary docs/events.md, written from the Avro files, the examples and meanings.json.

`python -m deploy.describe` (`make docs`) writes it; a test holds the committed page to it.
"""

import ast
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from schemas import events, posting
from schemas.topics import ACCOUNTS, KEY_OF, POSTINGS, QUARANTINE, TOPIC_OF
from schemas.validity import ROLES
from schemas.wire.codec import EVENT_TYPES, LATEST, OUTPUT_TYPES

_MEANINGS: dict[str, dict[str, str]] = json.loads(
    (files("deploy") / "meanings.json").read_text(encoding="utf-8")
)

_OUTPUTS = {
    "Posting": (POSTINGS, "volunteer_id"),
    "Account": (ACCOUNTS, "volunteer_id"),
    "StatePage": (ACCOUNTS, "volunteer_id/page"),
    "PartitionState": (ACCOUNTS, "分区 · the partition"),
    "Quarantined": (
        QUARANTINE,
        "原消息的键,超过 1 KiB 的为其 SHA-256 · the original key; one beyond 1 KiB as its SHA-256",
    ),
}

_CODES = ("reason", "kind", "service_field", "dimension", "source_system", "action",
          "purpose")  # fmt: skip
_TEXTS = (
    "name", "app", "region", "timezone", "comment_ref", "identity_hash", "content_ref", "row_hash",
    "checkpoint_origin",
)  # fmt: skip
_LIMITS = {
    "role": " ".join(f"`{role}`" for role in ROLES),
    "evidence": "至多 16 条,每条 1–256 字符 · at most 16, each 1–256 printable characters",
    "scores": "1–16",
    "score": "1–5",
    "offset_minutes": "-1080 … 1080",
    "version": "1 … 1000000",
    "partner_org_ids": "至多 16 个编号 · at most 16 ids",
    "holidays": "至多 400 天 · at most 400 days",
    "workdays": "至多 64 天 · at most 64 days",
    "birth_month": "YYYY-MM",
    "snapshot_sha256": "64 个小写十六进制字符 · 64 lower-case hex digits",
    "star": "1–16",
    "star_hours": "升序,至多 16 个,各 1 … 1000000 · ascending, at most 16, each 1 … 1000000",
    "year": "2000 … 2199",
    "points": "1 … 1000000",
    "attendances": "0 … 2147483647",
    "source_topic": "service.*",
    "source_partition": "0 … 2147483647",
    "source_offset": "≥ 0",
    "checkpoint_size": "0 … 2147483647",
    "opened": "至多 16 个 · at most 16",
    "reason_hash": "64 个小写十六进制字符 · 64 lower-case hex digits",
    "previous_hash": "64 个小写十六进制字符 · 64 lower-case hex digits",
    "utc_offsets": "`from_at` 升序 · ascending `from_at`",
}

_HEAD = """# 事件与输出 · Events and outputs

本页由 `schemas/` 生成,请勿手改:改 `schemas/` 或 `deploy/meanings.json` 后运行 `make docs`。
Generated from `schemas/`; do not edit by hand: change that or `deploy/meanings.json`, then run
`make docs`.

字节格式:1 字节 0、4 字节模式编号(大端)、Avro 二进制;编号见 `schemas/ids.lock.json`。
JSON 格式用同样的字段名,同一字段不得写两次,有默认值的可以省略。时刻写作带时差的 RFC 3339
(`2025-03-01T08:55:00+08:00`,不接受 ISO 8601 的其他写法),日期写作 `2025-03-01`,字节写作十六进制。
任何地方都没有浮点数。编号、代码、文字里不得有身份证号、手机号,编号里不得有汉字:
这样的事件以 `personal_data` 退回,不复述其值。
On the wire: byte 0, a 4-byte big-endian schema id, Avro binary; ids are in
`schemas/ids.lock.json`. The JSON form has the same field names; none may be given twice, those with
a default may be left out. Instants are RFC 3339 with an offset (`2025-03-01T08:55:00+08:00`; no
other form of ISO 8601), days `2025-03-01`, bytes hex. There is no floating point anywhere. No id,
code or text may hold an identity number or a mobile number, no id a Chinese character: such an
event is refused as `personal_data`, and what was found is not repeated.

每种类型的完整样例(JSON 与字节)在 `schemas/examples/good`,会被退回的在
`schemas/examples/bad`,原因代码在 `schemas/reasons.json`。
Examples of every type, as JSON and as bytes, are in `schemas/examples/good`, what is turned back
and why in `schemas/examples/bad`, the reason codes in `schemas/reasons.json`.

导入(`HoursImported`):`row_hash` 是来源行的哈希。两行读来一样而都是真的,哈希里要连同它在相同行
中的次序(第几行),两行才都算;没有这样做的,台账按 `batch_id` 数:一批的第 n 行就是别批的第 n 行。
重试沿用 `event_id`。
Imports (`HoursImported`): `row_hash` is the hash of the source row. Where two real rows read alike
it covers the row's place among the equal ones (first, second), so that both count; where it does
not, the ledger counts by `batch_id`: the n-th of a batch is the n-th of any other. A second try
keeps its `event_id`.

## 分区 · Partitions

键就是表中的字段,分区是键的 murmur2 散列(Java 客户端、kafka-python、aiokafka 的默认)。
别的分区器也不会丢事件:台账在一个事务里把消息原样转到所属分区,在那里入账,首次记录的时间不变
(消息头 `shilu_origin` 指出原来的位置,以日志中的原消息为准);原处记为 `duplicate`
(`wrong_partition`)。代价是每个事件写两遍,所以请设好分区器:
The key is the field in the table, the partition its murmur2 hash (the default of the Java client,
kafka-python and aiokafka). With another partitioner no event is lost: the ledger sends the record
on as it is, in one transaction, to the partition where it belongs; it counts there, by the time at
which it was recorded first (the header `shilu_origin` says where; what counts is the record found
there), and is a `duplicate` (`wrong_partition`) where it was. Each event is then written twice, so
set the partitioner:

"""

_PARTITIONERS = (
    ("客户端 Client", "默认 Default", "设为 Set"),
    ("---", "---", "---"),
    ("Java, kafka-python, aiokafka", "murmur2", "–"),
    ("librdkafka; confluent-kafka (Python, Go, .NET), node-rdkafka, php-rdkafka",
     "CRC32 (`consistent_random`)", "`partitioner=murmur2_random`"),
    ("sarama (Go)", "FNV-1a (`NewHashPartitioner`)", "`NewCustomHashPartitioner` + murmur2"),
    ("franz-go (Go)", "murmur2 (`StickyKeyPartitioner(nil)`)", "–"),
    ("KafkaJS", "随版本 by version", "`Partitioners.JavaCompatiblePartitioner`"),
)  # fmt: skip

_FOOT = """
librdkafka 2.16 与 Python 客户端由测试核对;其余依各自源码与文档。
librdkafka 2.16 and the Python clients are held by a test; the others are as their sources say.
"""


def topic_of(name: str) -> str:
    """The topic on which a message type travels; raises KeyError for an unknown one."""
    return TOPIC_OF[name] if name in TOPIC_OF else _OUTPUTS[name][0]


def page() -> str:
    """The whole of docs/events.md."""
    schemas = {name: json.loads(LATEST[name].text) for name in (*EVENT_TYPES, *OUTPUT_TYPES)}
    parts: dict[str, Any] = {}
    for schema in schemas.values():
        for field in schema["fields"]:
            parts |= _records(field["type"])
    return "\n".join((
        _HEAD + "\n".join(f"| {' | '.join(row)} |" for row in _PARTITIONERS) + "\n" + _FOOT,
        *_contents("事件 · Events", EVENT_TYPES),
        *_contents("输出 · Outputs", OUTPUT_TYPES),
        *(line for name, schema in schemas.items() for line in _section(name, schema)),
        "## 组成部分 · Parts",
        "",
        *(line for name, record in parts.items() for line in _part(name, record)),
    ))  # fmt: skip


def _contents(title: str, names: dict[str, type]) -> list[str]:
    rows = [f"## {title}", "", "| 类型 Type | 编号 Id | 主题 Topic | 键 Key | 含义 Meaning |",
            "|---|---|---|---|---|"]  # fmt: skip
    for name in names:
        schema = LATEST[name]
        rows.append(f"| [{name}](#{name.lower()}) v{schema.version} | {schema.id} "
                    f"| `{topic_of(name)}` | {_key(name)} | {_MEANINGS['types'][name]} "
                    f"{json.loads(schema.text)['doc']} |")  # fmt: skip
    return [*rows, ""]


def _key(name: str) -> str:
    if name in _OUTPUTS:
        return _OUTPUTS[name][1]
    if name == "ClockTicked":
        return "无,每个分区一条 · none, one for each partition"
    return KEY_OF.get(name, "volunteer_id")


def _section(name: str, schema: Any) -> list[str]:
    sample = _sample(name)
    return [
        f"## {name}", "", _MEANINGS["types"][name], schema["doc"], "",
        f"主题 topic `{topic_of(name)}` · 键 key {_key(name)} · 编号 id {LATEST[name].id} · "
        f"版本 version {LATEST[name].version}", "",
        *_table(name, schema, event=name in EVENT_TYPES),
        "```json", json.dumps(sample, ensure_ascii=False, indent=1), "```", "",
    ]  # fmt: skip


@cache
def _said() -> dict[str, str]:
    """Class -> first line of its docstring; read from the source, a compiled class has none."""
    found = {}
    for module in (events, posting):
        source = files("schemas") / f"{module.__name__.rpartition('.')[2]}.py"
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found[node.name] = (ast.get_docstring(node) or "").partition("\n")[0]
    return found


def _part(name: str, record: Any) -> list[str]:
    # Actor, Score and UtcOffset come from outside; the other parts only from the ledger itself.
    event = name in ("Actor", "Score", "UtcOffset")
    english = _said()[name]
    return [f"### {name}", "", _MEANINGS["types"][name], english, "",
            *_table(name, record, event=event)]  # fmt: skip


def _table(owner: str, record: Any, *, event: bool) -> list[str]:
    rows = ["| 字段 Field | 类型 Type | 单位 Unit | 必填 Required | 含义 Meaning | 允许 Allowed |",
            "|---|---|---|---|---|---|"]  # fmt: skip
    for field in record["fields"]:
        zh, en = meaning(owner, field)
        cells = (f"`{field['name']}`", _type(field["type"]), _unit(field), _required(field),
                 f"{zh} · {en}", allowed(field) if event else _symbols(field["type"]))  # fmt: skip
        rows.append(f"| {' | '.join(cells)} |")
    return [*rows, ""]


def meaning(owner: str, field: Any) -> tuple[str, str]:
    """What a field of a record means, in Chinese and English; raises KeyError where nobody says."""
    name, own = field["name"], f"{owner}.{field['name']}"
    fields, undocumented = _MEANINGS["fields"], _MEANINGS["undocumented"]
    zh = fields[own] if own in fields else fields[name]
    en = field.get("doc") or undocumented.get(own) or undocumented[name]
    return zh, en


def value_type(node: Any) -> Any:
    """T of ["null", T]; any other type itself."""
    return node[1] if isinstance(node, list) else node


def _type(node: Any) -> str:
    null = " \\| null" if isinstance(node, list) else ""
    match value_type(node):
        case {"type": "record", "name": name}:
            said = f"[{name}](#{name.lower()})"
        case {"type": "array", "items": items}:
            said = f"array of {_type(items)}"
        case {"type": "enum"}:
            said = "enum"
        case {"type": kind, **rest}:
            said = f"{kind} ({rest['logicalType']})" if "logicalType" in rest else str(kind)
        case "Actor":
            said = "[Actor](#actor)"
        case kind:
            said = str(kind)
    return said + null


def _unit(field: Any) -> str:
    name = field["name"]
    if name == "minutes" or name.endswith("_minutes"):
        return "分钟 minutes"
    if name == "at" or name.endswith("_at"):
        return "UTC 微秒 microseconds"
    if name == "value_size":
        return "字节 bytes"
    kind = value_type(field["type"])
    date = isinstance(kind, dict) and kind.get("logicalType") == "date"
    return "1970 年起的天数 days since 1970" if date else ""


def _required(field: Any) -> str:
    if "default" not in field:
        return "是 yes"
    return f"默认 default `{json.dumps(field['default'])}`"


def allowed(field: Any) -> str:
    """What `schemas.validity` admits in a field of an event; empty where the type says it all."""
    name = field["name"]
    if name in _LIMITS:
        return _LIMITS[name]
    if name == "id" or name.endswith("_id"):
        return "`[A-Za-z0-9_-]{1,64}`"
    if name in _CODES:
        return "`[a-z0-9_]{1,64}`"
    if name in _TEXTS:
        return "至多 256 个可显示字符 · at most 256 printable characters"
    kind = value_type(field["type"])
    if isinstance(kind, dict) and "logicalType" in kind and name != "from_at":
        return "2000-01-01 … 2199-12-31"
    if kind == "int":
        return "32 位整数 · a 32-bit whole number"
    return _symbols(field["type"])


def _symbols(node: Any) -> str:
    kind = value_type(node)
    symbols = kind.get("symbols", []) if isinstance(kind, dict) else []
    return " ".join(f"`{symbol}`" for symbol in symbols)


def _records(node: Any) -> dict[str, Any]:
    """Name -> record of every record inside a type."""
    match value_type(node):
        case {"type": "array", "items": items}:
            return _records(items)
        case {"type": "record", "name": name, "fields": fields} as record:
            inner = {k: v for field in fields for k, v in _records(field["type"]).items()}
            return {name: record} | inner
    return {}


def _sample(name: str) -> Any:
    """The example with the most to see."""
    folder = files("schemas") / "examples" / "good" / name
    texts = [f.read_text(encoding="utf-8") for f in folder.iterdir() if f.name.endswith(".json")]
    return json.loads(max(texts, key=lambda text: (len(text), text)))


if __name__ == "__main__":
    Path("docs/events.md").write_text(page(), encoding="utf-8")
