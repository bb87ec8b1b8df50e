"""The page as a picture: extracted text looks right even where every glyph is an empty box.

The golden picture is compared with a tolerance: edges may differ between versions of the drawing
engine, so pictures are blurred, and in no part of one may more than a trace of the pixels be off.
After a change that is meant: `python -m tests.certificate.test_page` writes it anew; look at it
before you commit.
"""

import re
from dataclasses import replace
from pathlib import Path

import pypdfium2
import pypdfium2.raw as pdfium
import pytest
import zxingcpp
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageChops, ImageFilter

from consumers.certificates.certificate import Named, Row, payload_of, qr_text
from consumers.certificates.certificate_page import BadFont, NoGlyph, blank, hours, page
from consumers.certificates.drawing import line
from tests.certificate.samples import NAME, SCALE, SNAPSHOT, URL, made, picture, usual

GOLDEN = Path(__file__).parent / "golden.png"
_MM = SCALE * 72 / 25.4
_NAME_BOX = (55, 72, 155, 85)
"""Left, top, right, bottom in millimetres."""
_TOLERANCE = 0.03


def box(drawn: Image.Image, millimetres: tuple[float, float, float, float]) -> Image.Image:
    left, top, right, bottom = (round(edge * _MM) for edge in millimetres)
    return drawn.crop((left, top, right, bottom))


def ink(drawn: Image.Image) -> int:
    """How many pixels are darker than paper."""
    return sum(drawn.histogram()[:200])


def difference(one: Image.Image, other: Image.Image) -> float:
    """The share of pixels that differ for the eye, where two pictures of one size differ most."""
    assert one.size == other.size
    soft = [drawn.filter(ImageFilter.GaussianBlur(1.5)) for drawn in (one, other)]
    apart = ImageChops.difference(*soft).point(lambda level: 255 if level >= 48 else 0)
    tiles = apart.resize((one.width // 32, one.height // 32), Image.Resampling.BOX)
    return max(level for level, count in enumerate(tiles.histogram()) if count) / 255


def test_the_page_is_the_golden_one() -> None:
    """A tolerance that lets another name or organisation pass would be no test."""
    with Image.open(GOLDEN) as file:
        golden = file.convert("L")
    assert difference(picture(usual()[0]), golden) < _TOLERANCE
    other_org = Named("sw1", "秋风社会工作服务中心")
    for changed in (made(name="张王"), made(org=other_org), made(end_on=SNAPSHOT.end_on + 1)):
        assert difference(picture(changed[0]), golden) > 2 * _TOLERANCE


def test_the_same_certificate_is_the_same_bytes() -> None:
    payload = payload_of(SNAPSHOT)
    assert len({page(SNAPSHOT, NAME, qr_text(URL, "x", payload), []) for _ in range(2)}) == 1


def test_every_character_has_a_shape_of_its_own() -> None:
    """Drawn each in its own square: none is empty, and no two different ones look alike."""
    texts = (
        "张三李四王五某欧阳若水阿卜杜热依木·买提江㐱䶮喆龘靐齉臺灣張國榮玥垚甪圳峣LiMng'éü-",
        "于至期间年月日共次参加本单位组织并记录的志愿服务时间累计小分项目内容日期数合编号签发",
        "0123456789ABCDEFGHJKPQRSTVWXYZ:–\uff0c\u3002\u3001\uff1b\uff1a\uff08\uff09\u300a\u300b",
    )
    characters = list(dict.fromkeys("".join(texts)))
    pdf = blank()
    for number, character in enumerate(characters):
        line(pdf, 10 + number % 15 * 12, 10 + number // 15 * 12, 12, character, 20, (0, 0, 0))
    drawn = picture(bytes(pdf.output()))
    shapes: dict[bytes, list[str]] = {}
    for number, character in enumerate(characters):
        left, top = 10 + number % 15 * 12, 10 + number // 15 * 12
        cell = box(drawn, (left, top - 1, left + 12, top + 11))
        assert ink(cell) > 2, f"nothing is drawn for {character}"
        shapes.setdefault(cell.tobytes(), []).append(character)
    assert [alike for alike in shapes.values() if len(alike) > 1] == []


def test_a_character_that_no_font_has_is_an_error_not_a_box() -> None:
    with pytest.raises(NoGlyph) as raised:
        _plain("陈\U0002ebf0\u1234满")
    assert set(raised.value.characters) == {"\U0002ebf0", "\u1234"}


def test_a_font_that_has_the_character_helps(tmp_path: Path) -> None:
    own = tmp_path / "rare.ttf"
    _block_font("\u1234", own)
    drawn = box(picture(_plain("陈\u1234", own)), _NAME_BOX)
    assert ink(drawn) > ink(box(picture(_plain("陈")), _NAME_BOX)) + 300
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    with pytest.raises(BadFont):
        _plain("陈", broken)


def _block_font(character: str, file: Path) -> None:
    """A font with one character: a black block."""
    pen = TTGlyphPen(None)
    for number, corner in enumerate(((100, 0), (100, 700), (900, 700), (900, 0))):
        (pen.lineTo if number else pen.moveTo)(corner)
    pen.closePath()
    names = [".notdef", "block"]
    font = FontBuilder(1000)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({ord(character): "block"})
    font.setupGlyf({".notdef": TTGlyphPen(None).glyph(), "block": pen.glyph()})
    font.setupHorizontalMetrics(dict.fromkeys(names, (1000, 0)))
    font.setupHorizontalHeader(ascent=800, descent=-200)
    font.setupNameTable({"familyName": "Block", "styleName": "Regular"})
    font.setupOS2()
    font.setupPost()
    font.save(file)


def test_a_name_changes_its_own_box_alone_and_may_be_left_blank() -> None:
    one, other, blank = (picture(_plain(name)) for name in ("张三", "李四", ""))
    apart = ImageChops.difference(one, other).getbbox()
    assert apart is not None
    left, top, right, bottom = (edge / _MM for edge in apart)
    assert left >= _NAME_BOX[0]
    assert right <= _NAME_BOX[2]
    assert top >= _NAME_BOX[1]
    assert bottom <= _NAME_BOX[3]
    assert ink(box(blank, _NAME_BOX)) == 0


def test_the_qr_code_reads_from_paper() -> None:
    """Also small, grey and a little blurred, as from a photo of a print."""
    expected = qr_text(URL, SNAPSHOT.number, payload_of(SNAPSHOT))
    drawn = picture(usual()[0])
    for seen in (drawn, drawn.filter(ImageFilter.GaussianBlur(1.5)), drawn.rotate(7, fillcolor=255),
                 drawn.point(lambda level: 90 + level // 2)):  # fmt: skip
        assert [code.text for code in zxingcpp.read_barcodes(seen)] == [expected]


@pytest.mark.parametrize("projects", [1, 7, 8, 9, 60])
def test_however_many_projects_the_page_holds_them_and_they_add_up(projects: int) -> None:
    long = "为社区独居长者提供的春夏秋冬四季上门探访与陪伴服务项目" * 2
    rows = tuple(
        Row(f"p-{n}", "a-1", SNAPSHOT.start_on + n, "service", 61 + n) for n in range(projects)
    )
    named = tuple(Named(f"p-{n}", f"{n}{long}", "community") for n in range(projects))
    changed = replace(SNAPSHOT, rows=rows, projects=named, org=Named("sw1", long * 2))
    pdf = page(changed, NAME, qr_text(URL, changed.number, payload_of(changed)), [])
    drawn = picture(pdf)
    assert len(zxingcpp.read_barcodes(drawn)) == 1
    # Nothing is outside the frame, or between the table and what is below it.
    for empty in ((0, 0, 210, 10), (0, 287, 210, 297), (0, 0, 10, 297), (200, 0, 210, 297),
                  (14, 100, 25, 280), (185, 100, 196, 280), (14, 212, 196, 215)):  # fmt: skip
        assert ink(box(drawn, empty)) == 0, empty
    with pypdfium2.PdfDocument(pdf) as document:
        text = document[0].get_textpage().get_text_bounded()
    times = [int(h) * 60 + int(m) for h, m in re.findall(r"\b(\d+):(\d\d)\b", text)]
    assert sum(times[:-1]) == times[-1] == changed.minutes
    assert len(times) - 1 == min(projects, 8)
    assert ("其余" in text) == (projects > 8)


def test_hours_are_said_in_whole_minutes() -> None:
    assert [hours(m) for m in (0, 59, 60, 61, 6000)] == [
        "0 小时", "59 分", "1 小时", "1 小时 1 分", "100 小时"
    ]  # fmt: skip


def test_backfilled_and_imported_minutes_are_told_apart() -> None:
    rows = (Row("p-1", "a", 1, "service", 60), Row("p-1", "a", 2, "manual", 90),
            Row("p-1", "a", 3, "import", 30))  # fmt: skip
    with pypdfium2.PdfDocument(made(rows=rows)[0]) as document:
        text = document[0].get_textpage().get_text_bounded()
    assert "事后补录 1 小时 30 分、由其他系统导入 30 分" in text


def test_a_successor_stamps_for_an_organisation_that_has_ended() -> None:
    with pypdfium2.PdfDocument(made(successor=Named("sw2", "秋风社工中心"))[0]) as document:
        text = document[0].get_textpage().get_text_bounded()
    assert "春风社会工作服务中心" in text
    assert "由承接单位（盖章）出具：秋风社工中心" in text
    assert "记录单位（盖章）" not in text


def test_credential_proofs_and_seal_are_attached_and_the_font_is_inside() -> None:
    pdf, token = usual()
    with pypdfium2.PdfDocument(pdf) as document:
        files = [document.get_attachment(n) for n in range(document.count_attachments())]
        found = {one.get_name(): bytes(one.get_data()) for one in files}
        objects = document[0].get_objects([pdfium.FPDF_PAGEOBJ_TEXT])
        fonts = [pdfium.FPDFTextObj_GetFont(one.raw) for one in objects]
        assert fonts
        assert all(pdfium.FPDFFont_GetIsEmbedded(font) == 1 for font in fonts)
    assert found["certificate.jwt"] == token.encode()
    assert found["p2-0000000004.tlog-proof"] == b"a proof\n"
    assert found["page.seal"].count(b".") == 2
    assert len(pdf) < 200_000


def _plain(name: str, font: Path | None = None) -> bytes:
    return page(SNAPSHOT, name, qr_text(URL, SNAPSHOT.number, b""), [], font)


if __name__ == "__main__":
    picture(usual()[0]).save(GOLDEN, optimize=True)
