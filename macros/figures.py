"""A chart on a page: the drawing, what can be read off it, its caption, its numbers and their age."""

from markupsafe import Markup, escape

from ingest.charts import CHARTS
from ingest.charts.readings import Readings
from ingest.evidence import Facts
from macros.html import render
from macros.site import Drawn, Site


def figure(site: Site, facts: Facts, drawn: Drawn, caption: str, folder: str, *, elsewhere: bool = False) -> Markup:
    """A chart with its caption, its numbers and its provenance; of a story `elsewhere`, with its name."""
    kind, readings = CHARTS[drawn.place.kind], drawn.chart.readings
    return render(
        "figure.html",
        site=site,
        facts=facts,
        drawn=drawn,
        id=f"pk-chart-{facts.slug}-{drawn.place.stem}",
        series=facts.series[drawn.place.name] if kind.about == "series" else None,
        parts=_parts(site, facts, drawn) if drawn.place.kind == "series" else [],
        svg=Markup(drawn.chart.svg),  # noqa: S704  # ours: ingest.charts escapes labels
        readings=readings,
        rows=_rows(readings) if readings else "",
        caption=caption,
        folder=folder,
        elsewhere=elsewhere,
    )


def _parts(site: Site, facts: Facts, drawn: Drawn) -> list[tuple[str, str]]:
    """The parts of this chart's time that are drawn, too: what each is called, and its file."""
    others = [each for each in site.charts[facts.slug].values() if each.place.name == drawn.place.name]
    return [(part, f"{each.place.stem}.svg") for each in others if (part := CHARTS[each.place.kind].part)]


def _rows(readings: Readings) -> Markup:
    """The rows of the table; a template would take half a minute for those of a thousand stories."""
    made = []
    for row in readings.rows:
        y = "" if row.y is None else f' data-y="{row.y:.1f}"'
        cells = "".join(f"<td>{escape(value)}</td>" for value in row.values)
        made.append(f'<tr data-x="{row.x:.1f}"{y}><th scope="row">{escape(row.place)}</th>{cells}</tr>\n')
    return Markup("".join(made))  # noqa: S704  # escaped one by one
