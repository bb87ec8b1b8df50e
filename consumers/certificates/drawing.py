"""Lines of text, rules and QR codes on a PDF page; lengths in millimetres, text in points."""

from io import BytesIO

import segno
from fpdf import FPDF
from fpdf.enums import TextMode

Colour = tuple[int, int, int]
"""Red, green, blue, 0 to 255."""

FAMILY = "body"
"""The name under which a page has its font."""

_SMALLEST_POINTS = 5.5
_MODULE_PIXELS = 8


def qr_code(pdf: FPDF, text: str, left: float, top: float, side: float, colour: Colour) -> None:
    """A QR code without its quiet zone, as a picture: squares side by side show seams."""
    drawn = BytesIO()
    segno.make(text, error="m", micro=False).save(
        drawn, kind="png", scale=_MODULE_PIXELS, border=0, dark=colour
    )
    pdf.image(drawn, left, top, side, side)


def line(
    pdf: FPDF,
    left: float,
    top: float,
    width: float,
    text: str,
    points: float,
    colour: Colour,
    align: str = "L",
    *,
    spacing: float = 0,
    heavy: float = 0,
) -> None:
    """One line, made smaller until it fits; what is too long even then ends in an ellipsis.

    `heavy` is the stroke in millimetres that makes the one weight of the font bolder.
    """
    pdf.set_char_spacing(spacing * 72 / 25.4)
    while True:
        pdf.set_font(FAMILY, size=points)
        if pdf.get_string_width(text) <= width or points <= _SMALLEST_POINTS:
            break
        points -= 0.25
    while pdf.get_string_width(text) > width:
        text = text.removesuffix("…")[:-1] + "…"
    pdf.set_text_color(*colour)
    pdf.set_xy(left, top)
    if heavy:
        pdf.set_draw_color(*colour)
        with pdf.local_context(text_mode=TextMode.FILL_STROKE, line_width=heavy):
            pdf.cell(width, points * 0.46, text, align=align)
    else:
        pdf.cell(width, points * 0.46, text, align=align)
    pdf.set_char_spacing(0)


def rule(pdf: FPDF, left: float, right: float, at: float, colour: Colour, width: float) -> None:
    pdf.set_draw_color(*colour)
    pdf.set_line_width(width)
    pdf.line(left, at, right, at)
