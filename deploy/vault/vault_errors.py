"""What goes wrong around the vault, as one sentence with cause and way out. Nothing personal."""

from collections.abc import Iterator
from contextlib import contextmanager

from deploy.errors import ShiluError
from vault.errors import VaultError

_TEXTS = {
    "vault_missing": (
        "还没有保险库({0}):请先运行 shilu vault init,或用 SHILU_VAULT 指定目录。",
        "There is no vault yet ({0}): make one with `shilu vault init`, or name its folder in "
        "SHILU_VAULT.",
    ),
    "vault_exists": (
        "保险库 {0} 已经存在:不会覆盖;如确需重来,请移走整个目录与密钥文件。",
        "The vault {0} exists and is not overwritten: to begin anew, move its folder and its key "
        "file away.",
    ),
    "vault_open": (
        "其他用户可以读取 {0}:请运行 chmod go-rwx 收回权限。",
        "Other users may read {0}: take that back with chmod go-rwx.",
    ),
    "vault_locked": (
        "保险库 {0} 正被另一个进程占用且没有应答:请等它结束,或停止它。",
        "The vault {0} is held by another process that does not answer: wait until it ends, or "
        "stop it.",
    ),
    "vault_form": (
        "{0} 不是这一版本的保险库:请使用建库时的版本,或从备份恢复。",
        "{0} is no vault of this version: use the version that made it, or restore a backup.",
    ),
    "vault_full": (
        "磁盘已满({0}):没有任何改动;请腾出空间后重试。",
        "The disk is full ({0}): nothing was changed; free space and try again.",
    ),
    "vault_silent": (
        "保险库进程没有应答({0}):请查看 shilu vault serve 是否仍在运行。",
        "The vault's process does not answer ({0}): see whether `shilu vault serve` still runs.",
    ),
    "unreadable": (
        "保险库文件无法读写({0}):请检查权限与磁盘,或从备份恢复。",
        "The vault's file cannot be read or written ({0}): check permissions and disk, or restore "
        "a backup.",
    ),
    "key_missing": (
        "找不到主密钥文件 {0}:请放回它,或用 SHILU_VAULT_KEY 指定;没有它谁也打不开保险库。",
        "The master key's file {0} is not there: put it back or name it in SHILU_VAULT_KEY; "
        "without it nobody opens the vault.",
    ),
    "key_exists": (
        "主密钥文件 {0} 已经存在:不会覆盖;它可能属于另一个保险库,请移到别处再试。",
        "The master key's file {0} exists and is not overwritten: it may belong to another vault; "
        "move it elsewhere and try again.",
    ),
    "key_inside": (
        "主密钥文件 {0} 不能放在保险库目录里:备份会把两者一起带走;请用 SHILU_VAULT_KEY 另指一处。",
        "The master key's file {0} must not lie in the vault's folder, where backups would take "
        "both: name another place in SHILU_VAULT_KEY.",
    ),
    "key_open": (
        "其他用户可以读取主密钥文件 {0}:请运行 chmod 600。",
        "Other users may read the master key's file {0}: run chmod 600 on it.",
    ),
    "key_unreadable": (
        "{0} 不是主密钥文件,或已损坏:请从密钥的备份恢复。",
        "{0} is no master key, or is damaged: restore it from the key's own backup.",
    ),
    "wrong_key": (
        "主密钥与保险库不配({0}):保险库要前一个,文件里是后一个;请用 SHILU_VAULT_KEY "
        "指向配套的文件。轮换之前的备份已随旧密钥作废。",
        "The master key does not fit the vault ({0}): it wants the first, the file holds the "
        "second. Name the right file in SHILU_VAULT_KEY; a backup from before a rotation is dead "
        "with the old key.",
    ),
    "tampered": (
        "保险库里的 {0} 被改动过,或放错了位置:未显示任何内容;请停用这份文件,从备份恢复并追查。",
        "{0} in the vault was changed, or put where it does not belong: nothing is shown; stop "
        "using this file, restore a backup and find out who did it.",
    ),
    "unknown_volunteer": (
        "保险库里没有这个编号:请核对 v- 开头的编号;证件在 shilu vault register 中查。",
        "The vault has nobody under this id: check the id, which begins with v-; by a document "
        "`shilu vault register` finds a person.",
    ),
    "erased": (
        "{0} 已被抹除:个人信息不再存在;本人再次登记会得到新的编号。",
        "{0} is forgotten: there are no personal data any more; whoever registers again gets a "
        "new id.",
    ),
    "reason_missing": (
        "没有写理由:请加 --reason,说明为何要看。",
        "There is no reason: add --reason and say why.",
    ),
    "reason_long": (
        "理由太长:请缩到 {0} 个字以内。",
        "The reason is too long: at most {0} characters.",
    ),
    "personal_in_reason": (
        "理由里有 {0} 本人的信息:请改用编号称呼。",
        "The reason says personal data of {0}: call the person by the id.",
    ),
    "purpose": (
        "目的代码不对:请用其中之一:{0}。",
        "There is no such purpose: use one of {0}.",
    ),
    "event_form": (
        "{0} 的写法不对:编号用 [A-Za-z0-9_-],至多 64 个字符;身份用小写代码。",
        "{0} is not well formed: ids are [A-Za-z0-9_-], at most 64 characters, roles lower case.",
    ),
    "chain": (
        "已公布的第 {0} 条接不上保险库的日志:没有接收任何记录;请用 shilu vault verify 查明。",
        "The published entry {0} does not continue the vault's log: nothing was taken over; see "
        "`shilu vault verify`.",
    ),
    "bad_request": (
        "请求的参数不正确({0}):请对照 docs/guide-privacy.md。",
        "The request's arguments are not right ({0}): see docs/guide-privacy.md.",
    ),
    "token": (
        "令牌不对:请读取保险库目录下的 serve.json。",
        "The token is not right: read serve.json in the vault's folder.",
    ),
    "failed": (
        "保险库进程出错({0}):请查看它的日志并报告。",
        "The vault's process failed ({0}): see its log and report it.",
    ),
}

REFUSALS = {
    "not_json": ("这一行不是 UTF-8 的 JSON 对象", "the line is no JSON object in UTF-8"),
    "oversized": ("这一行太长", "the line is too long"),
    "not_an_object": ("缺少或不是对象", "is missing, or no object"),
    "unknown_field": (
        "有不认识的字段;允许:name、document、born_on、phone、region、guardian",
        "has a field that is not known; allowed: name, document, born_on, phone, region, guardian",
    ),
    "name": ("缺少,或有不可见字符,或超过 64 个字", "is missing, invisible or over 64 characters"),
    "repeated_field": ("写了两次,请只保留一个", "is given twice: keep one"),
    "document_type": (
        "证件类型须为 resident_id、passport、hk_macau_permit、taiwan_permit、"
        "permanent_residence_2017 之一",
        "must be resident_id, passport, hk_macau_permit, taiwan_permit or permanent_residence_2017",
    ),
    "document_expired": (
        "这种旧版证件都已到期:请登记现在的证件",
        "is an older form of which every document has expired: register the present one",
    ),
    "document_number": ("号码的写法与证件类型不符", "is not written as this type of document is"),
    "document_check": (
        "校验码不符(GB 11643):请对照证件重录",
        "fails its check character (GB 11643): copy it from the card again",
    ),
    "document_date": ("号码中的出生日期不存在", "holds a birth date that does not exist"),
    "document_taken": (
        "这一证件已登记在另一个编号下:请先核对是否同一个人",
        "is registered under another id: find out first whether they are one person",
    ),
    "document_country": (
        "护照须写签发国三字母代码,其他证件不写",
        "is the three-letter country of a passport, and of nothing else",
    ),
    "born_on": ("缺少,或不是 YYYY-MM-DD,或不可能", "is missing, no YYYY-MM-DD, or impossible"),
    "born_differs": ("与身份证号中的出生日期不同", "differs from the birth date in the number"),
    "phone": (
        "不是大陆手机号,也不是 + 开头的国际号码",
        "is neither a mobile number of China nor an international one with +",
    ),
    "region": ("须为六位行政区划代码", "must be a region code of six digits"),
    "guardian_missing": (
        "未满 14 周岁:须有监护人及其同意,否则不保存任何信息",
        "is needed under 14: without a guardian's consent nothing is stored",
    ),
    "guardian_not_needed": (
        "已满 14 周岁:不收集监护人信息",
        "is not asked for from 14 on, so it is not stored",
    ),
    "relation": (
        "须为 parent、grandparent、sibling、other 之一",
        "must be parent, grandparent, sibling or other",
    ),
    "consent_missing": (
        "缺少监护人同意的日期,或在将来",
        "the day of the guardian's consent is missing or yet to come",
    ),
    "day": ("须为 YYYY-MM-DD", "must be YYYY-MM-DD"),
}
"""Why a person is not registered; the field stands before it, the value never."""


@contextmanager
def vault_errors() -> Iterator[None]:
    """Turns the vault's errors into sentences, and drops their causes: those may quote people."""
    try:
        yield
    except VaultError as error:
        zh, en = _TEXTS[error.code]
        raise ShiluError(error.code, zh.format(error.detail), en.format(error.detail)) from None
