"""Line charts as SVG by hand: small, and readable on light and dark pages."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _HEIGHT = 720, 380
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 20, 44, 96
_COLOURS = ("#2f7ed8", "#e07b00", "#2a9d5c", "#b5479b")
"""Enough contrast on white and on black."""

_STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600; font-size: 15px } .grid { stroke: #8888; stroke-width: .6 }
  @media (prefers-color-scheme: dark) { text { fill: #e6edf3 } }
"""


@dataclass(frozen=True, slots=True)
class Series:
    """A named line of (size, value) points, sizes ascending."""

    name: str
    points: Sequence[tuple[int, float]]


def chart(title: str, unit: str, lines: Sequence[Series]) -> str:
    """A chart with a logarithmic x axis of sizes and a y axis from 0."""
    sizes = [size for line in lines for size, _ in line.points]
    low, high = math.floor(math.log10(min(sizes))), math.ceil(math.log10(max(sizes)))
    most = max(value for line in lines for _, value in line.points)
    step = 10.0 ** math.floor(math.log10(most))
    top = math.ceil(most / step) * step

    def x(size: float) -> float:
        return _LEFT + float(math.log10(size) - low) / max(high - low, 1) * (
            _WIDTH - _LEFT - _RIGHT
        )

    def y(value: float) -> float:
        return _HEIGHT - _BOTTOM - value / top * (_HEIGHT - _TOP - _BOTTOM)

    parts = [f'<text class="title" x="{_LEFT}" y="22">{escape(title)} ({unit})</text>']
    for n in range(5):
        value = top * n / 4
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y(value):.1f}" '
            f'y2="{y(value):.1f}"/><text x="{_LEFT - 8}" y="{y(value) + 4:.1f}" '
            f'text-anchor="end">{value:g}</text>'
        )
    for power in range(low, high + 1):
        parts.append(
            f'<text x="{x(10**power):.1f}" y="{_HEIGHT - _BOTTOM + 20}" text-anchor="middle">'
            f'10<tspan dy="-5" font-size="10">{power}</tspan></text>'
        )
    for number, line in enumerate(lines):
        parts += _line(line, _COLOURS[number % len(_COLOURS)], number, x, y)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">\n'
        f"<title>{escape(title)}</title><style>{_STYLE}</style>\n" + "\n".join(parts) + "\n</svg>\n"
    )


Scale = Callable[[float], float]


def _line(line: Series, colour: str, number: int, x: Scale, y: Scale) -> list[str]:
    places = [(x(size), y(value)) for size, value in line.points]
    path = " ".join(f"{a:.1f},{b:.1f}" for a, b in places)
    dots = "".join(
        f'<circle cx="{a:.1f}" cy="{b:.1f}" r="3.5" fill="{colour}"/>' for a, b in places
    )
    row = _HEIGHT - 52 + number * 18
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}',
        f'<circle cx="{_LEFT + 4}" cy="{row - 4}" r="4" fill="{colour}"/>'
        f'<text x="{_LEFT + 16}" y="{row}">{escape(line.name)}</text>',
    ]
