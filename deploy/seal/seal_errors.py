"""What goes wrong around seals, keys and proofs, as one sentence with cause and way out."""

from collections.abc import Iterator
from contextlib import contextmanager

from consumers.seal.proofs import NotSealed
from consumers.seal.sealed_log import SealError
from consumers.seal.tiles import TilesDiffer
from consumers.signing.keyring import KeyringError
from consumers.signing.notes import BadNote
from deploy.errors import ShiluError
from deploy.trail.trail_errors import trail_errors
from ledger.merkle import ProofError

_TEXTS = {
    "keys_exist": (
        "{0} 中已有密钥:如需更换,请用 shilu keys rotate。",
        "There are keys in {0} already: to replace them use `shilu keys rotate`.",
    ),
    "no_keys": (
        "{0} 中没有密钥:请先运行 shilu keys init。",
        "There are no keys in {0}: make them with `shilu keys init`.",
    ),
    "keys_open": (
        "密钥文件 {0} 可被其他用户读取:请执行 chmod 600,并考虑更换密钥。",
        "Others can read the key file {0}: set its mode to 600, and consider rotating the key.",
    ),
    "keys_unreadable": (
        "密钥无法读取({0}):请从备份恢复。",
        "The keys cannot be read ({0}): restore them from a backup.",
    ),
    "bad_note": (
        "密钥、检查点或证明的内容不对({0}):请核对文件来源。",
        "A key, checkpoint or proof is not right ({0}): see where the file comes from.",
    ),
    "seal_locked": (
        "目录 {0} 正由另一个封存进程使用:请先停止它。",
        "Another sealer uses the folder {0}: stop it first.",
    ),
    "stored_differs": (
        "封存目录与已签署的内容不符({0}):没有签署任何新内容。"
        "请检查磁盘,移走该目录后重新运行,它会从 Kafka 重新计算。",
        "What is stored is not what was signed ({0}): nothing new was signed. Check the disk, move "
        "the folder away and run again; it is computed anew from Kafka.",
    ),
    "two_truths": (
        "台账与已公布的检查点矛盾({0}):没有签署任何新内容。请保留一切现场并通知审计人员。",
        "The ledger contradicts a published checkpoint ({0}): nothing new was signed. Keep "
        "everything as it is and tell the auditors.",
    ),
    "index_gap": (
        "台账的序号不连续({0}):没有签署任何新内容。请运行 shilu reconcile 查明原因。",
        "The ledger's indexes are not dense ({0}): nothing new was signed. Find out with "
        "`shilu reconcile`.",
    ),
    "log_shrunk": (
        "Kafka 中的台账比已封存的短({0}):没有签署任何新内容。"
        "请从备份恢复主题;无法恢复时见 shilu set-aside。",
        "The ledger in Kafka is shorter than what is sealed ({0}): nothing new was signed. Restore "
        "the topic from a backup, or see `shilu set-aside`.",
    ),
    "not_sealed": (
        "还没有封存到这一条({0}):请稍后重试,或运行 shilu seal --once。",
        "The seal has not come so far yet ({0}): try again later, or run `shilu seal --once`.",
    ),
    "bad_proof": (
        "证明不成立({0}):请保留文件并运行 shilu verify 核对整个台账。",
        "The proof does not hold ({0}): keep the file, and check the ledger with `shilu verify`.",
    ),
    "disk": (
        "无法读写封存目录({0}):没有签署任何新内容。请检查磁盘空间和权限后重新运行。",
        "The seal's folder cannot be read or written ({0}): nothing new was signed. Check disk "
        "space and permissions and run again.",
    ),
}


@contextmanager
def seal_errors() -> Iterator[None]:
    """Turns the errors of keys, notes, seals, and of trail and log, into sentences."""
    with trail_errors():
        try:
            yield
        except (KeyringError, SealError) as error:
            raise _sentence(error.code, error.detail) from error
        except NotSealed as error:
            raise _sentence("not_sealed", str(error)) from error
        except ProofError as error:
            raise _sentence("bad_proof", str(error)) from error
        except BadNote as error:
            raise _sentence("bad_note", str(error)) from error
        except TilesDiffer as error:
            raise _sentence("stored_differs", str(error)) from error
        except OSError as error:
            raise _sentence("disk", str(error)) from error


def _sentence(code: str, detail: str) -> ShiluError:
    zh, en = _TEXTS[code]
    return ShiluError(code, zh.format(detail), en.format(detail))
