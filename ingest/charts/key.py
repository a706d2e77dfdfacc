"""The key below a chart: a swatch and a word for each kind of shape in it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ingest.charts.sheet import NARROW_SIZE, WIDTH, Sheet
from ingest.charts.svg import text_width

ROW = 28.0
_SWATCH = 24.0


@dataclass(frozen=True)
class Item:
    """An entry of the key: how its swatch looks, and the word beside it."""

    shape: Literal["line", "dashed", "outline", "dot", "area", "hatched", "mark"]
    role: str
    text: str
    width: float = 1.0
    opacity: float = 0.2


def draw_key(sheet: Sheet, items: Sequence[Item], top: float) -> float:
    """Draws the items side by side, in as many rows as a narrow screen's text needs; returns where they end."""
    cells = _cells(items)
    for item, (row, x) in zip(items, cells, strict=True):
        y = top + ROW * row + 15
        if item.shape == "line":
            sheet.line([x, x + _SWATCH], [y, y], item.role, item.width)
        elif item.shape == "dashed":
            sheet.line([x, x + _SWATCH], [y, y], item.role, item.width, dashes=(5, 3))
        elif item.shape == "mark":
            sheet.line([x + _SWATCH / 2] * 2, [y - 5, y + 4], item.role, item.width)
        elif item.shape == "outline":
            corners = [x, x, x + _SWATCH, x + _SWATCH], [y + 7, y - 6, y - 6, y + 7]
            sheet.line(*corners, item.role, item.width)
        elif item.shape == "dot":
            sheet.line([x + _SWATCH / 2] * 2, [y, y], item.role, item.width)
        elif item.shape == "area":
            sheet.box(x, y - 7, x + _SWATCH, y + 7, item.role, opacity=item.opacity)
        else:
            sheet.box(x, y - 7, x + _SWATCH, y + 7, item.role, opacity=0.25)
            sheet.hatched(x, y - 7, x + _SWATCH, y + 7, item.role)
        sheet.text(x + _SWATCH + 7, y + 5, item.text, "muted")
    return top + ROW * (cells[-1][0] + 1 if cells else 0)


def _cells(items: Sequence[Item]) -> list[tuple[int, float]]:
    cells, row, x = [], 0, 0.0
    for item in items:
        width = _SWATCH + 7 + text_width(item.text, NARROW_SIZE)
        if x and x + width > WIDTH:
            row, x = row + 1, 0.0
        cells.append((row, x))
        x += width + 20
    return cells
