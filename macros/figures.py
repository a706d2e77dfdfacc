"""A chart on a page: the drawing, what can be read off it, its caption, its numbers and their age."""

from markupsafe import Markup

from ingest.charts import CHARTS
from ingest.evidence import Facts
from macros.html import render
from macros.site import Drawn, Site


def figure(site: Site, facts: Facts, drawn: Drawn, caption: str, folder: str, *, elsewhere: bool = False) -> Markup:
    """A chart with its caption, its numbers and its provenance; of a story `elsewhere`, with its name."""
    kind = CHARTS[drawn.place.kind]
    return render(
        "figure.html",
        site=site,
        facts=facts,
        drawn=drawn,
        id=f"pk-chart-{facts.slug}-{drawn.place.stem}",
        series=facts.series[drawn.place.name] if kind.about == "series" else None,
        parts=_parts(site, facts, drawn) if drawn.place.kind == "series" else [],
        svg=Markup(drawn.chart.svg),  # noqa: S704  # ours: ingest.charts escapes labels
        readings=drawn.chart.readings,
        caption=caption,
        folder=folder,
        elsewhere=elsewhere,
    )


def _parts(site: Site, facts: Facts, drawn: Drawn) -> list[tuple[str, str]]:
    """The parts of this chart's time that are drawn, too: what each is called, and its file."""
    others = [each for each in site.charts[facts.slug].values() if each.place.name == drawn.place.name]
    return [(part, f"{each.place.stem}.svg") for each in others if (part := CHARTS[each.place.kind].part)]
