"""What a chart says at each place of it: for a pointer, for keys, and as a table without either."""

import json
from dataclasses import dataclass
from html import escape

from ingest.units import format_percent


@dataclass(frozen=True)
class Reading:
    """A place of a chart as it is called, and what stands there.

    `x` and `y` are where that is, in units of the drawing; without a `y` it is no single point.
    `story` is the slug of the story that it tells of, where a chart has many.
    """

    x: float
    place: str
    values: tuple[str, ...]
    y: float | None = None
    story: str = ""


@dataclass(frozen=True)
class Readings:
    """All that can be read off a chart, from left to right, between `top` and `bottom` of the drawing.

    `heading` says what the places are, `columns` what the values are. Of a grid, `levels` are
    the `y` of the columns. Where the places are `points` that lie anywhere, each has its `y`, and
    they are in the order in which they should be read.
    """

    heading: str
    columns: tuple[str, ...]
    rows: tuple[Reading, ...]
    top: float
    bottom: float
    levels: tuple[float, ...] = ()
    points: bool = False


def with_readings(svg: str, readings: Readings | None) -> str:
    """The drawing with what can be read off it as JSON in an attribute, for a page that loads it later."""
    if readings is None:
        return svg
    kept = {
        "heading": readings.heading,
        "columns": readings.columns,
        "top": round(readings.top, 1),
        "bottom": round(readings.bottom, 1),
        "rows": [[round(row.x, 1), row.y and round(row.y, 1), row.place, *row.values] for row in readings.rows],
    }
    text = escape(json.dumps(kept, ensure_ascii=False, separators=(",", ":")))
    return svg.replace("<svg ", f'<svg data-readings="{text}" ', 1)


def share_text(share: float) -> str:
    """A share of one, to two digits."""
    if share != share:
        return "no data"
    return format_percent(float(f"{share:.2g}")) if share > 0 else "none"
