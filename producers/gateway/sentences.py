"""What the gateway says in Chinese and English: cause, then way out."""

from typing import Final

from schemas.reasons import REASONS

GATEWAY_ONLY: Final = {  # what no ledger gives: code -> Chinese, English
    "wrong_path": (
        "这类事件不走这个入口:请按 allowed 所说的方式发送。",
        "Events of this type do not come this way: send them as `allowed` says.",
    ),
    "not_entitled": (
        "应用无权代表该组织:请用为该组织登记的应用发送,或写明本应用的组织(actor.org_id)。",
        "The app may not speak for that organisation: send with an app that is registered for it, "
        "or name an organisation of this app (actor.org_id).",
    ),
    "not_json": (
        "不是所要的 JSON:请发送 allowed 所列的形式。",
        "This is not the JSON that is wanted: send what `allowed` says.",
    ),
    "too_deep": (
        "JSON 嵌套过深:事件没有这么多层,请检查生成它的程序。",
        "The JSON is nested too deeply: no event has so many levels; check what makes it.",
    ),
    "not_utf8": (
        "正文不是 UTF-8:请以 UTF-8 编码后重发。",
        "The body is not UTF-8: encode it as UTF-8 and send again.",
    ),
    "content_type": (
        "Content-Type 不对:请用 allowed 所列的一种。",
        "The Content-Type is not read here: use one that `allowed` lists.",
    ),
    "content_encoding": (
        "不接受压缩的正文:请不压缩发送。",
        "A compressed body is not read: send it uncompressed.",
    ),
    "no_events": ("没有任何事件:请至少放一个。", "There is no event: send at least one."),
    "too_many_events": (
        "一次的事件太多:请分批发送,每批至多 500 个。",
        "Too many events at a time: send batches of at most 500.",
    ),
    "too_large": (
        "正文超过 1 MiB:请分成较小的批次。",
        "The body exceeds 1 MiB: send smaller batches.",
    ),
    "too_slow": (
        "正文没有在时限内到达:请在网络较好时分小批重发,event_id 不变就只计一次。",
        "The body did not arrive in time: send it again in smaller batches; with the same "
        "event_ids it counts once.",
    ),
    "no_key": (
        "没有有效的密钥:请用 shilu app register 登记,并以 Authorization: Bearer 密钥 发送。",
        "There is no valid key: register with `shilu app register` and send "
        "`Authorization: Bearer KEY`.",
    ),
    "no_scope": (
        "应用没有这个范围的权限:请登记带有该范围的应用。",
        "The app does not have this scope: register one that has it.",
    ),
    "busy": (
        "正在处理的请求太多:请按 Retry-After 稍后原样重发。",
        "Too many requests are under way: send the same one again after Retry-After.",
    ),
    "kafka_away": (
        "Kafka 没有确认收到全部事件:请按 Retry-After 稍后原样重发,event_id 不变就只计一次。",
        "Kafka has not acknowledged everything: send the same request again after Retry-After; "
        "with the same event_ids it counts once.",
    ),
    "gateway_fault": (
        "网关自己出了问题:请稍后原样重发,并请运维查看网关日志。",
        "The gateway itself has a fault: send the same request again later, and let an operator "
        "look into its log.",
    ),
    "no_such_path": (
        "没有这个地址或方法:请看 GET /openapi.json。",
        "There is no such path or method: see GET /openapi.json.",
    ),
}


def fix_of(code: str) -> dict[str, str]:
    """The sentence of a code, `zh` and `en`."""
    if code in GATEWAY_ONLY:
        zh, en = GATEWAY_ONLY[code]
    else:
        zh, en = REASONS[code].zh, REASONS[code].en
    return {"zh": zh, "en": en}
