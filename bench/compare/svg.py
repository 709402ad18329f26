# SPDX-License-Identifier: MIT
"""
svg - bars, one for each server, with the lowest and the highest round as a line across the end; and
curves, one for each server, on a logarithmic scale

Bars far longer than most are broken, so that the others can be told apart; the numbers are whole.
Dark on light with a background of its own, so that it can be read on pages of any colour.
"""

import dataclasses
import math
from html import escape

WIDTH = 720
LABEL_WIDTH = 130
VALUE_WIDTH = 130
BAR_HEIGHT = 18
ROW_HEIGHT = 26
TOP_HEIGHT = 58

OURS, FLOOR, OTHERS = "#c2410c", "#9ca3af", "#3b6ea5"
INK, FAINT, PAPER = "#1f2937", "#6b7280", "#ffffff"


@dataclasses.dataclass
class Bar:
    label: str
    value: float
    lowest: float
    highest: float
    text: str
    colour: str = OTHERS


def bars(title: str, subtitle: str, rows: list[Bar]) -> str:
    height = TOP_HEIGHT + ROW_HEIGHT * len(rows) + 14
    most = longest(rows)
    scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="{PAPER}"/>',
        text(14, 25, title, INK, 16, weight="bold"),
        text(14, 44, subtitle, FAINT, 12),
    ]
    for index, bar in enumerate(rows):
        lines += row(bar, TOP_HEIGHT + ROW_HEIGHT * index, scale, most)
    return "\n".join(lines + ["</svg>", ""])


def longest(rows: list[Bar]) -> float:
    """What fills the width. A round that went wrong is not to make all others short, nor one server."""
    values = sorted(bar.value for bar in rows)
    highest = max((min(bar.highest, 1.5 * bar.value) for bar in rows), default=0)
    return min(highest, 4 * values[(len(values) - 1) // 2]) if highest else 1


def row(bar: Bar, top: int, scale: float, most: float) -> list[str]:
    middle = top + BAR_HEIGHT / 2
    lowest, highest = (LABEL_WIDTH + min(value, most) * scale for value in (bar.lowest, bar.highest))
    end = LABEL_WIDTH + min(bar.value, most) * scale
    return [
        text(LABEL_WIDTH - 8, middle + 4, bar.label, INK, 13, anchor="end",
             weight="bold" if bar.colour == OURS else "normal"),
        f'<rect x="{LABEL_WIDTH}" y="{top}" width="{end - LABEL_WIDTH:.1f}" height="{BAR_HEIGHT}" fill="{bar.colour}"/>',
        f'<path d="M{lowest:.1f} {middle:.1f}H{highest:.1f}M{lowest:.1f} {middle - 4:.1f}v8M{highest:.1f} '
        f'{middle - 4:.1f}v8" stroke="{INK}" fill="none"/>',
        *([broken(end - 24, top)] if bar.value > most else []),
        text(max(end, highest) + 8, middle + 4, bar.text, INK, 12),
    ]


CURVES_HEIGHT = 340
CURVES_BOTTOM = 40
LINE_HEIGHT = 13


@dataclasses.dataclass
class Curve:
    label: str
    points: list[tuple[float, float]]  # to the right, upwards: both above 0
    colour: str = OTHERS


def curves(title: str, subtitle: str, x_format: str, rows: list[Curve]) -> str:
    """Labels are at the right ends, moved apart where these meet."""
    xs = sorted({x for row in rows for x, _ in row.points})
    ys = [math.log10(y) for row in rows for _, y in row.points]
    bottom, top = math.floor(min(ys)), max(math.ceil(max(ys)), math.floor(min(ys)) + 1)
    left, right = 60, WIDTH - LABEL_WIDTH

    def place(x: float, y: float) -> tuple[float, float]:
        across = (x - xs[0]) / (xs[-1] - xs[0]) if len(xs) > 1 else 0
        up = (math.log10(y) - bottom) / (top - bottom)
        return left + across * (right - left), CURVES_HEIGHT - CURVES_BOTTOM - up * (CURVES_HEIGHT - CURVES_BOTTOM - TOP_HEIGHT)

    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {CURVES_HEIGHT}" width="{WIDTH}" '
        f'height="{CURVES_HEIGHT}" font-family="sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{CURVES_HEIGHT}" fill="{PAPER}"/>',
        text(14, 25, title, INK, 16, weight="bold"),
        text(14, 44, subtitle, FAINT, 12),
    ]
    for power in range(bottom, top + 1):
        _, y = place(xs[0], 10.0 ** power)
        lines += [f'<path d="M{left} {y:.1f}H{right}" stroke="#e5e7eb"/>',
                  text(left - 8, y + 4, f"{10 ** power:,g}", FAINT, 12, anchor="end")]
    for x in xs:
        lines.append(text(place(x, 10.0 ** bottom)[0], CURVES_HEIGHT - CURVES_BOTTOM + 18, format(x, x_format), FAINT, 12,
                          anchor="middle"))
    ends = sorted((place(*row.points[-1])[1], index) for index, row in enumerate(rows))
    for (end, index), label_y in zip(ends, moved_apart([end for end, _ in ends])):
        row = rows[index]
        spots = [place(x, y) for x, y in row.points]
        width = 2.5 if row.colour == OURS else 1.5
        lines += ['<path d="M' + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots) +
                  f'" stroke="{row.colour}" stroke-width="{width}" fill="none"/>',
                  f'<path d="M{spots[-1][0]:.1f} {end:.1f}L{right + 8} {label_y:.1f}" stroke="{row.colour}" stroke-width="0.5" '
                  'stroke-dasharray="2 3" fill="none"/>',
                  text(right + 10, label_y + 4, row.label, INK, 12, weight="bold" if row.colour == OURS else "normal")]
    return "\n".join(lines + ["</svg>", ""])


def moved_apart(ys: list[float]) -> list[float]:
    """Each at least a line below the one before; all within the picture."""
    placed: list[float] = []
    for y in ys:
        placed.append(max(y, placed[-1] + LINE_HEIGHT) if placed else y)
    beyond = max(0.0, placed[-1] - (CURVES_HEIGHT - LINE_HEIGHT / 2)) if placed else 0
    return [y - beyond for y in placed]


def broken(x: float, top: int) -> str:
    return f'<path d="M{x:.1f} {top + BAR_HEIGHT}l6 {-BAR_HEIGHT}" stroke="{PAPER}" stroke-width="4"/>'


def text(x: float, y: float, words: str, colour: str, size: int, anchor: str = "start", weight: str = "normal") -> str:
    return (f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{escape(words)}</text>')
