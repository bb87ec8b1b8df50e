"""`shilu certificate`: what a recording organisation certifies, and whether it still holds."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deploy.errors import ShiluError
from deploy.lang import text
from deploy.settings import Settings
from deploy.trail.asking import ask, print_json

if TYPE_CHECKING:
    from deploy.certificates.certificate_issue import Name, Wish

_NAME_MAX = 60
_Json = Annotated[bool, typer.Option("--json", help=text("输出 JSON", "answer as JSON"))]
_By = Annotated[
    str | None,
    typer.Option(metavar="ID", help=text("经办人的代号;默认为组织", "who acts; the org if none")),
]
_Successor = Annotated[
    str | None,
    typer.Option(
        metavar="ORG",
        help=text("承接单位:记录单位已撤并时", "who took over, where the recorder has ended"),
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(
        help=text("志愿服务记录证明:签发、核验、撤销", "Certificates of service"),
        no_args_is_help=True,
    )
    group.command(
        help=text(
            "签发证明:PDF、签名凭证、封存证明。只含本单位记录的有效时长。",
            "Issue a certificate as PDF, signed credential and proofs: the organisation's own "
            "effective records alone.",
        )
    )(issue)
    group.command(
        help=text(
            "核验证明。退出码:0 有效;4 时长有更正;5 已换发;6 已撤销;7 本人已申请删除;"
            "3 属实但现状不明;1 不实或无法核验。",
            "Check a certificate. Exit codes: 0 valid, 4 amended, 5 superseded, 6 revoked, 7 "
            "withdrawn; 3 genuine, its state not known here; 1 not genuine, or not to be checked.",
        )
    )(check)
    group.command(help=text("撤销证明", "Revoke a certificate"))(revoke)
    group.command("list", help=text("最近签发的证明", "The newest certificates"))(list_issued)
    app.add_typer(group, name="certificate")


def issue(
    volunteer_id: Annotated[
        str, typer.Argument(metavar="VOLUNTEER", help=text("志愿者编号", "the volunteer's id"))
    ],
    org: Annotated[str, typer.Option(metavar="ORG", help=text("记录单位", "who recorded"))],
    out: Annotated[
        Path,
        typer.Option(
            metavar="FILE.pdf",
            help=text(
                "写到哪里;凭证与封存证明写在旁边", "where to; credential and proofs beside it"
            ),
        ),
    ],
    first: Annotated[
        str | None,
        typer.Option("--from", metavar="D", help=text("首个服务日期", "first service day")),
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="D", help=text("末个服务日期", "last service day"))
    ] = None,
    name_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|-",
            help=text(
                "姓名所在文件的首行;- 为标准输入。只印在证明上,不保存。"
                "省略时在终端询问,否则留空手填。",
                "first line of a file, or - for standard input: the name to be printed. It is not "
                "stored. Asked for at a terminal, else left blank to be written by hand.",
            ),
        ),
    ] = None,
    name_from_vault: Annotated[
        bool,
        typer.Option(
            "--name-from-vault",
            help=text(
                "姓名取自保险库;与 --reason 合用,这次查看会留痕",
                "the name is the vault's; with --reason, and this look is logged",
            ),
        ),
    ] = False,
    reason: Annotated[
        str | None,
        typer.Option(
            help=text(
                "为何从保险库取姓名;只存在保险库里",
                "why the name is taken from the vault; kept in the vault alone",
            )
        ),
    ] = None,
    supersedes: Annotated[
        str | None,
        typer.Option(metavar="NUMBER", help=text("换发:它取代哪一份", "which one it replaces")),
    ] = None,
    with_proofs: Annotated[
        bool,
        typer.Option(
            "--proofs/--no-proofs", help=text("附上封存证明", "attach proofs that it is sealed")
        ),
    ] = True,
    font: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help=text("补充生僻字的字体", "a font with the characters that ours lacks"),
        ),
    ] = None,
    successor: _Successor = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """The name goes on paper only: not into the ledger, the QR code, the credential or a log."""
    from consumers.certificates.certificate import number_of
    from deploy.certificates.certificate_errors import certificate_errors
    from deploy.certificates.certificate_issue import Wish
    from deploy.certificates.certificate_issue import issue as issue_one
    from deploy.terminal.times import days_of

    if name_from_vault != (reason is not None) or (name_from_vault and name_file is not None):
        raise ShiluError(
            "name_source",
            "姓名只能有一个来源:从保险库取用 --name-from-vault --reason 理由;否则用 --name-file。",
            "The name has one source: --name-from-vault with --reason WORDS takes the vault's, "
            "--name-file another.",
        )
    from_date, to_date = days_of(first, last)
    with certificate_errors():
        replaced = None if supersedes is None else number_of(supersedes)
    wish = Wish(volunteer_id, org, from_date, to_date, replaced, successor, by, with_proofs)
    settings = Settings()
    if reason is None:
        typed = _name(name_file)
        done = issue_one(settings, wish, lambda _: typed, out, font)
    else:
        done = issue_one(settings, wish, _from_vault(settings, wish, reason), out, font)
    if as_json:
        print_json(done)
    else:
        from deploy.certificates.certificate_view import show_issued

        show_issued(done)


def check(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="NUMBER|FILE|QR",
            help=text("编号、PDF 或 JWT 文件、二维码内容", "number, PDF, JWT, or a QR code's text"),
        ),
    ],
    keys: Annotated[
        list[Path] | None,
        typer.Option(
            "--key",
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help=text("您保存的台账公钥", "the ledger's public key, as you kept it"),
        ),
    ] = None,
    as_json: _Json = False,
) -> None:
    """Says what the certificate is worth now, without a name."""
    from deploy.certificates.certificate_check import check as check_one

    found = check_one(Settings(), subject, keys or [])
    if as_json:
        print_json(found)
    else:
        from deploy.certificates.certificate_view import show_checked

        show_checked(found)
    raise typer.Exit(found["exit_code"])


def revoke(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help=text("证明编号", "its number"))],
    reason: Annotated[
        str,
        typer.Option(
            metavar="CODE",
            help=text("原因代码,如 issued_by_mistake", "reason code, such as issued_by_mistake"),
        ),
    ],
    successor: _Successor = None,
    by: _By = None,
    as_json: _Json = False,
) -> None:
    """What it said stays readable; a check answers `revoked` from then on."""
    from consumers.certificates.certificate import number_of
    from deploy.certificates.certificate_errors import certificate_errors
    from deploy.certificates.certificate_issue import revoke as revoke_one

    if not re.fullmatch(r"[a-z0-9_]{1,64}", reason):
        raise ShiluError(
            "reason_form",
            f"看不懂原因“{reason}”:请用小写字母、数字和下划线,如 issued_by_mistake。",
            f'"{reason}" is no reason code: use lower-case letters, digits and _, such as '
            "issued_by_mistake.",
        )
    with certificate_errors():
        known = number_of(number)
    done = revoke_one(Settings(), known, reason, successor, by)
    if as_json:
        print_json(done)
    else:
        typer.echo(text(f"✔ 已撤销 {known}", f"✔ revoked {known}"))


def list_issued(
    org: Annotated[
        str | None, typer.Option(metavar="ORG", help=text("只看该组织的", "of this organisation"))
    ] = None,
    volunteer_id: Annotated[
        str | None,
        typer.Option("--volunteer", metavar="ID", help=text("只看此人的", "of this volunteer")),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help=text("最多几份", "at most"))] = 20,
    as_json: _Json = False,
) -> None:
    """For the issuer: numbers with their volunteers' pseudonyms, and what each is worth now."""
    found = ask("certificates", org_id=org, volunteer_id=volunteer_id, limit=limit)
    if as_json:
        print_json(found)
    else:
        from deploy.certificates.certificate_view import show_list

        show_list(found)


def _from_vault(settings: Settings, wish: "Wish", reason: str) -> "Name":
    """The vault is asked last, so that a look is logged only for a certificate that is issued."""
    from deploy.vault.vault_process import actor_of, name_for_certificate

    actor = actor_of(wish.by or "", "organiser", wish.successor_id or wish.org_id)
    return lambda number: name_for_certificate(
        settings, wish.volunteer_id, actor=actor, certificate=f"{number}: {reason}"
    )


def _name(file: str | None) -> str:
    """The name to be printed; never an argument, since every user of the machine sees those."""
    from deploy.terminal.console import input_bytes

    if file is None:
        if not sys.stdin.isatty():
            return ""
        asked = text("姓名(只印在证明上,可留空)", "name (printed only; may be empty)")
        said: str = typer.prompt(asked, default="", show_default=False)
    else:
        with input_bytes(file) as (stream, _):
            said = stream.readline(4 * _NAME_MAX + 2).decode("utf-8", "replace")
    name = said.strip().lstrip("\ufeff")
    if len(name) > _NAME_MAX or not all(c.isprintable() and c != "\ufffd" for c in name):
        raise ShiluError(
            "name_form",
            f"姓名无法打印:请给出一行 UTF-8 文字,最多 {_NAME_MAX} 字。",
            f"The name cannot be printed: give one line of UTF-8, at most {_NAME_MAX} characters.",
        )
    return name
