"""What goes wrong around certificates, as one sentence with cause and way out."""

from collections.abc import Iterator
from contextlib import contextmanager

from consumers.certificates.certificate import BadNumber
from consumers.certificates.credential import BadCredential
from deploy.errors import ShiluError
from deploy.seal.seal_errors import seal_errors

_TEXTS = {
    "out_exists": (
        "{0} 已存在:请换一个文件名。",
        "{0} is there already: name another file.",
    ),
    "out_form": (
        "{0} 不是 .pdf 文件名:请写成 证明.pdf,其余文件写在它旁边。",
        "{0} does not end in .pdf: name a PDF file; the others are written beside it.",
    ),
    "unreadable": (
        "文件无法读取({0}):请检查权限。",
        "The file cannot be read ({0}): check its permissions.",
    ),
    "not_written": (
        "证明文件无法写出({0}):没有签发。请检查目录、权限和磁盘空间。",
        "The certificate cannot be written ({0}): nothing was issued. Check folder, permissions "
        "and disk space.",
    ),
    "holder_unknown": (
        "审计库中没有志愿者 {0}:请核对编号。",
        "There is no volunteer {0} in the trail: check the id.",
    ),
    "holder_erased": (
        "志愿者 {0} 已申请删除:不能再出具证明。",
        "The volunteer {0} asked to be forgotten: no certificate can be issued any more.",
    ),
    "holder_merged": (
        "志愿者 {0} 已并入 {1}:请为 {1} 出具证明。",
        "The volunteer {0} was merged into {1}: issue the certificate for {1}.",
    ),
    "no_successor": (
        "名册里没有 {0} 承继 {1} 的记录(OrgSucceeded):台账不会接受,什么也没有签名。"
        "请先发布承继,再出具或撤销。",
        "The catalogue has no OrgSucceeded by which {0} took over {1}: the ledger would refuse it, "
        "so nothing was signed. Publish the succession first.",
    ),
    "nothing_to_certify": (
        "组织 {1} 在这段日期内没有记录志愿者 {0} 的有效时长:证明只含本单位的有效记录,"
        "请核对组织和日期。",
        "The organisation {1} has recorded no effective hours of {0} on those days: a certificate "
        "has the issuer's own effective records alone; check organisation and days.",
    ),
    "another_certificate": (
        "证明 {0} 属于另一位志愿者或另一个组织:只能换发本单位为同一人出具的证明。",
        "The certificate {0} is another volunteer's or another organisation's: only one's own for "
        "the same person can be replaced.",
    ),
    "certificate_unknown": (
        "审计库中没有编号 {0}:请核对编号;刚签发的,请等审计库追平。",
        "The trail has no certificate {0}: check the number; if it was issued just now, wait until "
        "the trail has it.",
    ),
    "not_in_the_log": (
        "{0} 尚未得到 Kafka 的确认({1}):事件已存入发件箱,下一次签发或撤销时会先送出。",
        "{0} is not acknowledged by Kafka yet ({1}): the event is in the outbox, and the next "
        "`shilu certificate issue` or `revoke` sends it first.",
    ),
    "no_glyph": (
        "字体中没有这些字:{0}。请用 --font 指定含有它们的字体文件。",
        "The font has no glyph for: {0}. Name a font file that has them with --font.",
    ),
    "bad_font": (
        "字体文件无法使用({0}):请给出 TrueType 或 OpenType 文件。",
        "The font cannot be used ({0}): name a TrueType or OpenType file.",
    ),
    "number_mistyped": (
        "编号“{0}”有误(校验位不符):请对照证明重新输入。",
        'The number "{0}" is mistyped (its check symbol is wrong): compare it with the paper.',
    ),
    "number_form": (
        "“{0}”既不是证明编号,也不是文件:编号形如 60RK-4CSM-6MV3-EE1P。",
        '"{0}" is no certificate number and no file: a number looks like 60RK-4CSM-6MV3-EE1P.',
    ),
    "no_certificate": (
        "这不是志愿服务证明,或已被改动({0})。",
        "This is no certificate of service, or it was changed ({0}).",
    ),
    "not_whole": (
        "PDF 不完整或经过另存({0}):请索取签发时的原文件。",
        "The PDF is not whole, or was saved anew by another program ({0}): ask for the file as it "
        "was issued.",
    ),
    "changed": (
        "PDF 在签发之后被改动({0}):不可采信。",
        "The PDF was changed after it was issued ({0}): do not rely on it.",
    ),
    "bad_signature": (
        "签名不成立({0}):不可采信。",
        "The signature does not hold ({0}): do not rely on it.",
    ),
    "unknown_key": (
        "签名所用的密钥 {0} 不是您认可的:请用 --key 指定签发台账的公钥,或视为伪造。",
        "It is signed with the key {0}, which you do not know: name the ledger's public key with "
        "--key, or take it as forged.",
    ),
    "too_big": (
        "文件太大({0} 字节):不是本系统签发的证明。",
        "The file is too big ({0} bytes): no certificate of ours.",
    ),
    "snapshot_differs": (
        "编号 {0} 登记的内容与此不同:不可采信。",
        "What was issued under the number {0} is not this: do not rely on it.",
    ),
}


def refusal(code: str, *details: object) -> ShiluError:
    """The error of a code, with what was found."""
    zh, en = _TEXTS[code]
    return ShiluError(code, zh.format(*details), en.format(*details))


@contextmanager
def certificate_errors() -> Iterator[None]:
    """Turns the errors of numbers and credentials, and those of seal and trail, into sentences."""
    with seal_errors():
        try:
            yield
        except BadCredential as error:
            raise refusal(error.code, error.detail) from error
        except BadNumber as error:
            code = "number_mistyped" if error.mistyped else "number_form"
            raise refusal(code, error) from error
