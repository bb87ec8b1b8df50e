"""A certificate of service as one A4 page: a PDF in Chinese with its font, QR code, attachments.

The name is printed and goes nowhere else. Every character has its glyph, or there is no page.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from fontTools.ttLib import TTLibError
from fpdf import FPDF
from fpdf.fonts import TTFFont
from noto_cjk_sans_otc import FONT_PATH

from consumers.certificates.certificate import Row, Snapshot, attendances
from consumers.certificates.drawing import FAMILY, line, qr_code, rule
from schemas.times import iso_date

_SIMPLIFIED = 2
"""Place of the simplified Chinese face in the font collection."""

_INK, _SOFT, _HAIR, _ACCENT = (33, 37, 41), (108, 117, 125), (206, 212, 218), (18, 74, 92)
_LEFT, _RIGHT, _WIDTH = 26.0, 184.0, 158.0
_ROWS_MAX, _ROW = 8, 7.6
_COLUMNS = (
    ("服务项目", "Project", 56.0, "L"),
    ("服务内容", "Field", 28.0, "L"),
    ("服务日期", "Dates", 40.0, "L"),
    ("次数", "Times", 13.0, "R"),
    ("服务时间", "Hours", 21.0, "R"),
)
_FIELDS: Mapping[str, str] = {
    "governance": "社会治理",
    "community": "社区服务",
    "elderly_children": "一老一小",
    "disabled_poor": "一残一困",
    "emergency": "应急救援",
}
_CHECKING = (
    "扫描二维码，或向记录单位报编号，可核验本证明现在的状态：有效、时长有更正、已换发、已撤销。"
    "二维码与编号不含姓名。",
    "电子文件内附签名凭证与台账封存证明，改动任何一个字节都会被发现；核对姓名时，请查验电子文件，"
    "并与持有人的证件比对。",
    "本证明由记录单位依据《志愿服务记录与证明出具办法（试行）》出具，只含本单位的记录，不收取费用。",
)


class BadFont(Exception):
    """A font file that is none; the text says why."""


class NoGlyph(Exception):
    """Characters that no font at hand can print; as text, each once."""

    def __init__(self, characters: str) -> None:
        super().__init__(characters)
        self.characters = characters


@dataclass(frozen=True, slots=True)
class Attached:
    """A file inside the PDF."""

    name: str
    content: bytes
    kind: str
    about: str


@dataclass(frozen=True, slots=True)
class _Entry:
    """A row of the table: a project, or several that did not fit."""

    name: str
    field: str
    first: int
    last: int
    times: int
    minutes: int


def page(
    snapshot: Snapshot,
    name: str,
    qr: str,
    attached: Sequence[Attached],
    font: Path | None = None,
) -> bytes:
    """The PDF; the same arguments give the same bytes. An empty name leaves a line to write on.

    `font` has the characters that the font of the page lacks. Raises NoGlyph, BadFont.
    """
    pdf = blank(font)
    _describe(pdf, snapshot)
    _frame(pdf)
    _heading(pdf, snapshot)
    _person(pdf, snapshot, name)
    _table(pdf, snapshot, 122.0)
    _issuer(pdf, snapshot, qr)
    for one in attached:
        pdf.embed_file(
            bytes=one.content,
            basename=one.name,
            mime_type=one.kind,
            desc=one.about,
            modification_date=pdf.creation_date,
        )
    found = [font for font in pdf.fonts.values() if isinstance(font, TTFFont)]
    lacking = {chr(code) for one in found for code in one.missing_glyphs}
    if lacking:
        raise NoGlyph("".join(sorted(lacking)))
    return bytes(pdf.output())


def hours(minutes: int) -> str:
    """Minutes as a person reads them: the unit of service time is the hour (Order 67, 7)."""
    whole, rest = divmod(minutes, 60)
    parts = (f"{whole} 小时" if whole or not rest else "", f"{rest} 分" if rest else "")
    return " ".join(part for part in parts if part)


def blank(font: Path | None = None) -> FPDF:
    """An empty page with its font, and one for what that lacks; raises BadFont."""
    pdf = FPDF(format="A4")
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    pdf.add_font(FAMILY, fname=str(FONT_PATH), collection_font_number=_SIMPLIFIED)
    if font is not None:
        try:
            pdf.add_font("rare", fname=str(font.absolute()))
        except (TTLibError, OSError, ValueError) as error:
            raise BadFont(f"{font}: {error}") from None
        pdf.set_fallback_fonts(["rare"])
    pdf.add_page()
    return pdf


def _describe(pdf: FPDF, snapshot: Snapshot) -> None:
    """What a viewer shows of the file; the name is not among it."""
    pdf.set_title(f"志愿服务记录证明 {snapshot.number}")
    pdf.set_author(snapshot.org.name or snapshot.org.id)
    pdf.set_lang("zh-CN")
    pdf.set_creator("shilu")
    pdf.set_creation_date(datetime.fromtimestamp(snapshot.issued_at, UTC))


def _frame(pdf: FPDF) -> None:
    pdf.set_draw_color(*_ACCENT)
    for inset, width in ((11.0, 0.7), (13.0, 0.2)):
        pdf.set_line_width(width)
        pdf.rect(inset, inset, 210 - 2 * inset, 297 - 2 * inset)


def _heading(pdf: FPDF, snapshot: Snapshot) -> None:
    line(pdf, 0, 27, 210, "志愿服务记录证明", 27, _ACCENT, "C", spacing=2.2, heavy=0.22)
    line(pdf, 0, 41, 210, "CERTIFICATE OF VOLUNTEER SERVICE", 8, _SOFT, "C", spacing=0.9)
    rule(pdf, 92, 118, 51, _ACCENT, 0.4)
    line(pdf, 0, 55.5, 210, f"编号 No.  {snapshot.number}", 9.5, _SOFT, "C", spacing=0.3)


def _person(pdf: FPDF, snapshot: Snapshot, name: str) -> None:
    line(pdf, 0, 67, 210, "兹证明", 12, _INK, "C")
    line(pdf, 55, 74.5, 100, name, 20, _INK, "C", spacing=1.2 if len(name) < 8 else 0, heavy=0.12)
    rule(pdf, 65, 145, 85.5, _HAIR, 0.3)
    span = f"于 {_day(snapshot.start_on)}至 {_day(snapshot.end_on)}期间"
    times = f"参加本单位组织并记录的志愿服务 {snapshot.attendances} 次，服务时间累计"
    line(pdf, _LEFT, 90, _WIDTH, f"{span}，", 11.5, _INK, "C")
    line(pdf, _LEFT, 97.5, _WIDTH, times, 11.5, _INK, "C")
    line(pdf, 0, 106.5, 210, hours(snapshot.minutes), 21, _ACCENT, "C", spacing=0.6, heavy=0.12)


def _table(pdf: FPDF, snapshot: Snapshot, top: float) -> None:
    entries = _entries(snapshot)
    rule(pdf, _LEFT, _RIGHT, top, _ACCENT, 0.4)
    at = _LEFT
    for title, english, width, align in _COLUMNS:
        line(pdf, at, top + 1.6, width - 2 * (align == "L"), title, 9.5, _ACCENT, align)
        line(pdf, at, top + 6.2, width - 2 * (align == "L"), english, 6.5, _SOFT, align)
        at += width
    at = top + 11
    rule(pdf, _LEFT, _RIGHT, at, _HAIR, 0.3)
    for entry in entries:
        _entry(pdf, entry, at)
        at += _ROW
        rule(pdf, _LEFT, _RIGHT, at, _HAIR, 0.2)
    line(pdf, _LEFT, at + 2, 60, "合计  Total", 9.5, _ACCENT)
    times = str(snapshot.attendances)
    line(pdf, _RIGHT - 34, at + 2, 13, times, 9.5, _ACCENT, "R")
    line(pdf, _RIGHT - 21, at + 2, 21, _clock(snapshot.minutes), 9.5, _ACCENT, "R")
    rule(pdf, _LEFT, _RIGHT, at + 8.5, _ACCENT, 0.4)
    line(pdf, _LEFT, at + 10.5, _WIDTH, _remark(snapshot), 7.5, _SOFT)


def _entry(pdf: FPDF, entry: _Entry, top: float) -> None:
    dates = iso_date(entry.first)
    if entry.last != entry.first:
        dates += f" – {iso_date(entry.last)}"
    said = (entry.name, entry.field, dates, str(entry.times), _clock(entry.minutes))
    at = _LEFT
    for text, (_, _, width, align) in zip(said, _COLUMNS, strict=True):
        line(pdf, at, top + 1.7, width - 2 * (align == "L"), text, 9, _INK, align)
        at += width


def _remark(snapshot: Snapshot) -> str:
    """What part of the hours was not taken down by checking in and out (I9)."""
    parts = [
        f"{said} {hours(minutes)}"
        for said, minutes in (
            ("事后补录", snapshot.minutes_of("manual")),
            ("由其他系统导入", snapshot.minutes_of("import")),
        )
        if minutes
    ]
    return "服务时间以“小时：分”计" + (f"，其中{'、'.join(parts)}。" if parts else "。")


def _entries(snapshot: Snapshot) -> list[_Entry]:
    """One for each project by first day; of too many, the smallest as one, so that all add up."""
    of_project = defaultdict[str, list[Row]](list)
    for row in snapshot.rows:
        of_project[row.project_id].append(row)
    called = {one.id: one for one in snapshot.projects}
    largest = sorted(of_project, key=lambda key: (-sum(r.minutes for r in of_project[key]), key))
    shown = largest if len(largest) <= _ROWS_MAX else largest[: _ROWS_MAX - 1]
    entries = [
        _entry_of(
            called[key].name or key,
            _FIELDS.get(called[key].field, called[key].field),
            of_project[key],
        )
        for key in shown
    ]
    entries.sort(key=lambda entry: (entry.first, entry.last, entry.name))
    rest = [row for key in largest[len(shown) :] for row in of_project[key]]
    if rest:
        said = f"其余 {len(largest) - len(shown)} 个项目（详见电子文件）"
        entries.append(_entry_of(said, "", rest))
    return entries


def _entry_of(name: str, field: str, rows: Sequence[Row]) -> _Entry:
    days = [row.service_date for row in rows]
    minutes = sum(row.minutes for row in rows)
    return _Entry(name, field, min(days), max(days), attendances(rows), minutes)


def _issuer(pdf: FPDF, snapshot: Snapshot, qr: str) -> None:
    qr_code(pdf, qr, _LEFT, 216, 29, _INK)
    line(pdf, _LEFT, 246.4, 29, "扫码核验", 7.5, _SOFT, "C")
    stamped, successor = "（盖章）", snapshot.successor
    label = "记录单位" + (stamped if successor is None else "")
    line(pdf, 62, 217, 60, label, 8.5, _SOFT)
    name = snapshot.org.name or snapshot.org.id
    line(pdf, 62, 222.5, _RIGHT - 62, name, 13, _INK, heavy=0.08)
    if successor is not None:
        name = f"由承接单位{stamped}出具：{successor.name or successor.id}"
        line(pdf, 62, 230, _RIGHT - 62, name, 8.5, _INK)
    for at, label in ((62.0, "经办人"), (104.0, "负责人")):
        line(pdf, at, 236, 14, label, 8.5, _SOFT)
        rule(pdf, at + 12, at + 36, 241, _HAIR, 0.3)
    line(pdf, 146, 236, _RIGHT - 146, f"签发 {_day_of(snapshot.issued_at)}", 9.5, _INK, "R")
    for number, said in enumerate(_CHECKING):
        line(pdf, _LEFT, 256.5 + 4.6 * number, _WIDTH, said, 7, _SOFT)


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _day(day: int) -> str:
    year, month, date = iso_date(day).split("-")
    return f"{year} 年 {int(month)} 月 {int(date)} 日"


def _day_of(seconds: int) -> str:
    """The day in China's civil time."""
    return _day((seconds + 8 * 3600) // 86400)
