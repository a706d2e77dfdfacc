"""A sheet to draw a chart on: lines, areas and texts in the units of the SVG, y downwards.

There are no axes of matplotlib: charts are few shapes and few words, and placing them
ourselves costs a tenth of the time, needs no layout engine and measures no font.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch, Polygon, Rectangle
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from ingest.charts.svg import colour, fixed_style, plain, to_svg

Numbers = NDArray[np.float64]
Box = tuple[float, float, float, float]

WIDTH = 720.0
SIZE = 14.0
"""The font size of every text."""
NARROW_SIZE = 22.0
"""What the style sheet makes of it on a narrow screen; room is kept for that."""
_BOX_CODES = [Path.MOVETO, Path.LINETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY]
_ANCHORS = {"start": "left", "middle": "center", "end": "right"}


class Sheet:
    """A drawing `WIDTH` wide, as high as it turns out; later shapes lie on earlier ones, texts on top.

    `name` becomes a shape's class, with pk-chart- before it.
    """

    def __init__(self) -> None:
        self._shapes: list[tuple[Callable[[], Artist], str]] = []
        self._texts: list[tuple[Callable[[], Artist], str]] = []

    def line(
        self,
        x: Numbers | list[float],
        y: Numbers | list[float],
        role: str,
        width: float,
        *,
        name: str = "",
        dashes: tuple[float, float] | None = None,
    ) -> None:
        """A line through the points, broken at NaN; dashes are in units of its width."""
        style: dict[str, Any] = {"dashes": dashes} if dashes else {"solid_capstyle": "round"}
        style |= {"color": colour(role), "linewidth": width, "solid_joinstyle": "round"}
        self._shapes.append((partial(Line2D, x, y, **style), name))

    def area(self, x: Numbers, low: Numbers, high: Numbers, role: str, *, opacity: float, name: str = "") -> None:
        """The area between two lines over the same x."""
        around = np.column_stack([np.concatenate([x, x[::-1]]), np.concatenate([low, high[::-1]])])
        self._shapes.append((partial(Polygon, around, facecolor=colour(role), linewidth=0, alpha=opacity), name))

    def box(
        self, left: float, top: float, right: float, bottom: float, role: str, *, opacity: float = 1, name: str = ""
    ) -> None:
        """A filled rectangle."""
        style: dict[str, Any] = {"facecolor": colour(role), "linewidth": 0, "alpha": opacity}
        self._shapes.append((partial(Rectangle, (left, top), right - left, bottom - top, **style), name))

    def boxes(self, boxes: Sequence[Box], role: str, *, name: str = "") -> None:
        """Filled rectangles (left, top, right, bottom) of one colour, as one shape: a grid has hundreds."""
        corners = [((x, y), (u, y), (u, v), (x, v), (x, y)) for x, y, u, v in boxes]
        path = Path(np.array(corners).reshape(-1, 2), _BOX_CODES * len(boxes))
        self._shapes.append((partial(PathPatch, path, facecolor=colour(role), linewidth=0), name))

    def hatched(self, left: float, top: float, right: float, bottom: float, role: str, *, name: str = "") -> None:
        """A rectangle of thin slanted lines."""
        style: dict[str, Any] = {"facecolor": "none", "edgecolor": colour(role), "linewidth": 0, "hatch": "//"}
        self._shapes.append((partial(Rectangle, (left, top), right - left, bottom - top, **style), name))

    def text(
        self, x: float, y: float, text: str, role: str = "text", *, anchor: str = "start", bold: bool = False
    ) -> None:
        """One line of text on the baseline `y`, whose `anchor` (start, middle or end) is at `x`."""
        style: dict[str, Any] = {"color": colour(role), "fontsize": SIZE, "ha": _ANCHORS[anchor], "va": "baseline"}
        style |= {"fontweight": "bold"} if bold else {}
        self._texts.append((partial(Text, x, y, plain(text), **style), ""))

    def svg(self, height: float, prefix: str, title: str, description: str) -> str:
        """The uppermost `height` of the drawing as SVG; see `to_svg`."""
        # matplotlib looks at its settings when a shape is made, too.
        with fixed_style():
            # At 72 dots an inch a unit of the SVG is a unit of the sheet.
            figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, frameon=False)
            down = Affine2D.from_values(1, 0, 0, -1, 0, height)
            for order, (make, name) in enumerate([*self._shapes, *self._texts]):
                shape = make()
                shape.set_zorder(order)
                shape.set_transform(down)
                shape.set_gid(f"pk-chart-{name}" if name else None)
                figure.add_artist(shape)
            return to_svg(figure, prefix, title, description)
