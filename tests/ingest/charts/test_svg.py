import re
from itertools import pairwise
from pathlib import Path

import matplotlib
import pytest
from matplotlib.figure import Figure

from ingest.charts.sheet import Sheet
from ingest.charts.svg import PALETTE, plain, to_svg
from tests.ingest.charts.samples import HOSTILE, parsed

STYLESHEET = Path(__file__).parents[3] / "macros/theme/assets/stylesheets/perfkb-charts.css"
PAPER = {"light": "#ffffff", "dark": "#1e2129"}  # Material's pages
READ = ("text", "muted", "goal", "deploy")
SEEN = ("line", "day", "axis", "mark", "window-before", "window-after", "window-test", "excluded")


def drawing(*labels: str, prefix: str = "a-b-") -> str:
    sheet = Sheet()
    sheet.line([0, 10, 20], [5, 1.23456, 5], "line", 1, name="points")
    sheet.hatched(0, 0, 9, 9, "gap")
    for number, label in enumerate(labels):
        sheet.text(0, 20 * number, label)
    return sheet.svg(300, prefix, "A title", "What it shows")


@pytest.mark.parametrize("label", HOSTILE)
def test_hostile_label(label: str) -> None:
    """Whatever a label says, it is text in well-formed XML, and stays on one short line."""
    svg = drawing(label)
    (text,) = parsed(svg).iter("text")
    assert text.text == plain(label)
    assert len(text.text or "") <= 60
    assert set(text.attrib) <= {"x", "y", "style", "font-size"}
    assert not [element for element in parsed(svg).iter() if element.tag in ("script", "style", "metadata", "image")]


def test_hostile_title() -> None:
    """A title and a description are escaped and stripped like labels."""
    svg = Sheet().svg(10, "x-", "".join(HOSTILE[:5]), HOSTILE[3])
    root = parsed(svg)
    assert (root.findtext("desc"), "\0" in svg, "<script>" in svg) == (HOSTILE[3], False, False)


def test_plain_text() -> None:
    """Labels that matplotlib would hide or typeset come through as they are."""
    assert [plain(label) for label in (r"$\frac{$", "_x", "a\n\tb", "\u202eab")] == [r"$\frac{$", "_x", "a b", "ab"]


def test_truncated_text() -> None:
    """A long text ends in an ellipsis, which counts."""
    assert plain("x" * 61) == "x" * 59 + "…"


def test_text_of_any_figure() -> None:
    """A figure with axes of its own keeps its labels, with characters that no font of matplotlib has."""
    figure = Figure(frameon=False)
    axes = figure.add_subplot()
    axes.set_axis_off()
    axes.set_title(r"$\frac{$ 漢", color=PALETTE["text"][0])
    svg = to_svg(figure, "x-", "t", "d")
    assert [text.text for text in parsed(svg).iter("text")] == [r"$\frac{$ 漢"]


def test_ids_and_references() -> None:
    """Every id begins with the prefix, and every reference leads to one."""
    svg = drawing()
    ids = re.findall(r'\bid="([^"]+)"', svg)
    referred = re.findall(r"url\(#([^)]+)\)", svg)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("a-b-") for name in ids)
    assert referred
    assert set(referred) <= set(ids)
    assert "xlink" not in svg


def test_two_charts_on_a_page() -> None:
    """Two charts share no id."""
    first, second = (set(re.findall(r'\bid="([^"]+)"', drawing(prefix=prefix))) for prefix in ("a-", "b-"))
    assert first.isdisjoint(second)


@pytest.mark.parametrize("prefix", ["", 'x" onload="', "a b", "a)"])
def test_prefix_that_is_no_id(prefix: str) -> None:
    """A prefix that could not begin an id is refused."""
    with pytest.raises(ValueError, match="cannot begin an id"):
        Sheet().svg(10, prefix, "t", "d")


def test_unknown_colour() -> None:
    """A colour that has no value for dark pages is refused."""
    figure = Figure(frameon=False)
    figure.text(0, 0, "x", color="#123456")
    with pytest.raises(ValueError, match="#123456"):
        to_svg(figure, "x-", "t", "d")


def test_size_and_name_of_the_image() -> None:
    """The drawing takes the width it is given, and is an image with a name and a description."""
    root = parsed(drawing())
    assert (root.get("viewBox"), root.get("width"), root.get("height")) == ("0 0 720 300", None, None)
    assert (root.get("role"), root.get("aria-labelledby")) == ("img", "a-b-title a-b-desc")
    assert [(element.tag, element.get("id"), element.text) for element in root[:2]] == [
        ("title", "a-b-title", "A title"),
        ("desc", "a-b-desc", "What it shows"),
    ]


def test_numbers_are_short() -> None:
    """Coordinates keep a tenth of a pixel."""
    assert 'd="M0 5 10 1.2 20 5"' in drawing()


def test_own_settings_of_matplotlib() -> None:
    """What a machine's matplotlibrc says changes nothing."""
    expected = drawing("x")
    with matplotlib.rc_context({"lines.marker": "o", "font.size": 30, "svg.fonttype": "path", "figure.dpi": 200}):
        assert drawing("x") == expected


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    """In both colour schemes text has a contrast of 4.5 on the page, and lines and bars of 3."""
    colours = declared(scheme)
    assert set(colours) == set(PALETTE)
    assert [role for role in READ if contrast(colours[role], PAPER[scheme]) < 4.5] == []
    assert [role for role in SEEN if contrast(colours[role], PAPER[scheme]) < 3] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_steps_of_heat(scheme: str) -> None:
    """Each step of heat is further from the page's lightness than the one before, by as much as an eye can tell."""
    colours = declared(scheme)
    away = [contrast(colours[f"heat-{step}"], PAPER[scheme]) for step in range(1, 8)]
    assert away[0] > 1.15
    assert all(further / nearer > 1.2 for nearer, further in pairwise(away))


def test_fallback_colours() -> None:
    """Without a style sheet a chart looks as on a light page."""
    assert {role: drawn for role, (drawn, _) in PALETTE.items()} == declared("light")


def declared(scheme: str) -> dict[str, str]:
    light, dark = STYLESHEET.read_text("utf-8").split('[data-md-color-scheme="slate"]')
    colour = r"--pk-chart-([a-z0-9-]+): (?:var\([a-z-]+, )?(#[0-9a-f]{6})\)?;"
    return dict(re.findall(colour, light if scheme == "light" else dark))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
