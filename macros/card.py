"""The picture that chats and mailers show beside a link to the site (Open Graph).

One for the whole site, drawn at each build from its name alone: such pictures are kept for
months by whoever shows them, where a number would go stale unseen. The letters are those that
matplotlib brings along, so nothing is loaded from elsewhere and the bytes are always the same.
"""

import io
import textwrap
import warnings
from functools import cache

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ingest.charts.svg import fixed_style
from macros.words import printable

CARD = "assets/images/perfkb-card.png"
SIZE = (1200, 630)
TAGLINE = "Every performance problem that we know of, as a story"
_GROUND, _INK, _QUIET, _LINE = "#163a47", "#ffffff", "#b8d4de", "#7fe0bd"


@cache
def card(name: str) -> bytes:
    """The picture as PNG, with the site's `name` on it."""
    with fixed_style(), warnings.catch_warnings():
        # Of a script that the font lacks, boxes are drawn.
        warnings.simplefilter("ignore")
        figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100, facecolor=_GROUND)
        FigureCanvasAgg(figure)
        _draw_latency(figure)
        lines = textwrap.wrap(str(printable(name)), 26, max_lines=3, placeholder=" …") or [""]
        figure.text(0.07, 0.86, "\n".join(lines), color=_INK, size=44, weight="bold", va="top")
        figure.text(0.07, 0.1, TAGLINE, color=_QUIET, size=21)
        written = io.BytesIO()
        figure.savefig(written, format="png", facecolor=_GROUND, metadata={"Software": None})
    return written.getvalue()


def _draw_latency(figure: Figure) -> None:
    """A latency that falls on the day of a fix: what the whole site is about."""
    axes = figure.add_axes((0, 0.2, 1, 0.36))
    axes.set_axis_off()
    days = np.arange(0, 84, 0.25)
    usual = np.where(days < 50, 1.0, 0.34)
    values = usual * (1 + 0.16 * np.sin(days * 2 * np.pi / 7) + 0.05 * np.sin(days * 2 * np.pi / 1.7))
    axes.fill_between(days, values, color=_LINE, alpha=0.12, linewidth=0)
    axes.plot(days, values, color=_LINE, linewidth=3.5)
    axes.axvline(50, color=_QUIET, linewidth=1.5, linestyle=(0, (4, 4)))
    axes.set_xlim(days[0], days[-1])
    axes.set_ylim(0, 1.5)
