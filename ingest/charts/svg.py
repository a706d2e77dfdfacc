"""A matplotlib figure as an inline SVG: safe in any page, dark or light, and always the same bytes.

matplotlib writes a document of its own: a style sheet that would restyle the whole page,
ids that two charts share, colours that know no dark mode. Here it is read once with an XML
parser and rebuilt from what a chart needs. matplotlib never sees a foreign text: each is
drawn as a token and put in its place afterwards, so no text can be mathematics, lack a
glyph or end an element.
"""

import io
import re
import unicodedata
from contextlib import AbstractContextManager
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.text import Text

from ingest.fields import is_unprintable

# Each colour a chart may use: how it is drawn (and shown where no style sheet is), and the
# CSS variable that a page sets for light, dark and print.
PALETTE: dict[str, tuple[str, str]] = {
    "text": ("#1f2a37", "--pk-chart-text"),
    "muted": ("#566273", "--pk-chart-muted"),
    "axis": ("#8792a2", "--pk-chart-axis"),
    "grid": ("#e3e7ed", "--pk-chart-grid"),
    "line": ("#7493b5", "--pk-chart-line"),
    "day": ("#0b559f", "--pk-chart-day"),
    "band": ("#2f7fd0", "--pk-chart-band"),
    "goal": ("#b0410a", "--pk-chart-goal"),
    "mark": ("#677487", "--pk-chart-mark"),
    "deploy": ("#6d3fa0", "--pk-chart-deploy"),
    "window-before": ("#c27c00", "--pk-chart-window-before"),
    "window-after": ("#00805f", "--pk-chart-window-after"),
    "window-test": ("#b0478a", "--pk-chart-window-test"),
    "excluded": ("#707a88", "--pk-chart-excluded"),
    "gap": ("#a3adba", "--pk-chart-gap"),
    "paper": ("#ffffff", "--pk-chart-paper"),
    "heat-1": ("#dce9f8", "--pk-chart-heat-1"),
    "heat-2": ("#b3d1f0", "--pk-chart-heat-2"),
    "heat-3": ("#82b2e2", "--pk-chart-heat-3"),
    "heat-4": ("#5290cc", "--pk-chart-heat-4"),
    "heat-5": ("#336dac", "--pk-chart-heat-5"),
    "heat-6": ("#224c82", "--pk-chart-heat-6"),
    "heat-7": ("#152d54", "--pk-chart-heat-7"),
}

# All of matplotlib's own settings, so that no matplotlibrc on some machine changes a byte.
_STYLE = {
    **{key: value for key, value in matplotlib.rcParamsDefault.items() if "backend" not in key},
    "svg.fonttype": "none",
    "svg.hashsalt": "perfkb",
    "text.parse_math": False,
    "path.simplify": False,
    "hatch.linewidth": 0.8,
}
_TEXT_ATTRIBUTES = ("font-size", "font-weight", "text-anchor")
_SVG = "{http://www.w3.org/2000/svg}"
_PREFIX = re.compile(r"[A-Za-z0-9_-]+")
_TOKEN = re.compile(r"pk(\d+)")
_REFERENCE = re.compile(r"(?<=url\(#)[^)]+")
_NUMBER = re.compile(r"-?\d+\.\d+(?:e-?\d+)?")
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_VARIABLES = {drawn: f"var({variable}, {drawn})" for drawn, variable in PALETTE.values()}


def fixed_style() -> AbstractContextManager[None]:
    """matplotlib's settings for every chart, whatever the machine's are."""
    return matplotlib.rc_context(_STYLE)


def colour(role: str) -> str:
    """The hex colour to draw a role of `PALETTE` with; KeyError for an unknown one."""
    return PALETTE[role][0]


def plain(text: str, limit: int = 60) -> str:
    """One line without control and direction-changing characters, at most `limit` long."""
    spaced = " ".join(text[: 20 * limit].split())
    clean = "".join(character for character in spaced if not is_unprintable(character)).strip()
    return clean if len(clean) <= limit else clean[: limit - 1].rstrip() + "…"


def text_width(text: str, size: float) -> float:
    """About how wide a text is at a font size; rather too much, for the page chooses the font."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return size * (0.55 * (len(text) - wide) + wide)


def to_svg(figure: Figure, prefix: str, title: str, description: str) -> str:
    """The figure as an `<svg>` element without fixed size; one unit is one point of the figure.

    Every id begins with `prefix`; an artist's gid that begins with pk-chart- becomes its
    class. The figure's texts are used up. Raises ValueError for a prefix that is no id, and
    for a colour outside `PALETTE`.
    """
    if not _PREFIX.fullmatch(prefix):
        raise ValueError(f"{prefix!r} cannot begin an id")
    texts = _take_texts(figure)
    # matplotlib wrote this a moment ago, and holds no foreign text.
    drawn = ElementTree.fromstring(_print(figure))  # noqa: S314
    names = _referenced(drawn, prefix)
    root = _root(drawn.get("viewBox", ""), prefix, title, description)
    for child in drawn:
        root.extend(_rebuild(child, names, texts))
    return ElementTree.tostring(root, encoding="unicode")


def _take_texts(figure: Figure) -> list[str]:
    texts: list[str] = []
    for artist in figure.findobj(Text):
        if isinstance(artist, Text) and (text := plain(artist.get_text(), 200)):
            artist.set_text(f"pk{len(texts)}")
            texts.append(text)
    return texts


def _print(figure: Figure) -> str:
    written = io.StringIO()
    with fixed_style():
        FigureCanvasSVG(figure).print_svg(written, metadata={"Date": None})  # type: ignore[no-untyped-call]
    return written.getvalue()


def _referenced(drawn: Element, prefix: str) -> dict[str, str]:
    """The ids that something refers to, each with its name on the page."""
    found: list[str] = []
    for element in drawn.iter():
        for key, value in element.attrib.items():
            found += [value[1:]] if key.endswith("href") else _REFERENCE.findall(value)
    return {name: f"{prefix}{number}" for number, name in enumerate(dict.fromkeys(found), 1)}


def _root(view_box: str, prefix: str, title: str, description: str) -> Element:
    root = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "pk-chart-svg",
            "viewBox": _shorten(view_box),
            "role": "img",
            "aria-labelledby": f"{prefix}title {prefix}desc",
            "style": "width:100%;height:auto;font-family:var(--md-text-font-family, sans-serif)",
        },
    )
    SubElement(root, "title", id=f"{prefix}title").text = plain(title, 400)
    SubElement(root, "desc", id=f"{prefix}desc").text = plain(description, 2000)
    return root


def _rebuild(element: Element, names: dict[str, str], texts: list[str]) -> list[Element]:
    """What takes the element's place: itself, its children, or nothing."""
    tag = element.tag.removeprefix(_SVG)
    if tag in ("metadata", "style") or (tag == "path" and not element.get("d")):
        return []
    children = [kept for child in element for kept in _rebuild(child, names, texts)]
    attributes = _attributes(tag, element.attrib, names)
    if tag in ("g", "defs") and (not children or (not attributes and tag == "g")):
        return children
    if tag == "g" and len(children) == 1 and set(attributes) == {"class"}:
        children[0].set("class", attributes["class"])
        return children
    rebuilt = Element(tag, attributes)
    rebuilt.extend(children)
    if tag == "text" and element.text:
        token = _TOKEN.fullmatch(element.text)
        rebuilt.text = texts[int(token[1])] if token else element.text
    return [rebuilt]


def _attributes(tag: str, given: dict[str, str], names: dict[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for qualified, value in given.items():
        # xlink:href has long been plain href.
        key = qualified.rpartition("}")[2]
        if key == "id":
            kept |= _identity(value, names)
        elif key == "style":
            kept |= _styled(tag, value, names)
        elif key == "d":
            kept[key] = _path(value)
        elif key == "href":
            kept[key] = f"#{names[value[1:]]}"
        elif not (key == "transform" and value.startswith("rotate(-0 ")):
            kept[key] = _shorten(_renamed(value, names))
    return kept


def _identity(value: str, names: dict[str, str]) -> dict[str, str]:
    if value in names:
        return {"id": names[value]}
    return {"class": value} if value.startswith("pk-chart-") else {}


def _styled(tag: str, style: str, names: dict[str, str]) -> dict[str, str]:
    """A style attribute without what the page decides; a text's size is left for style sheets to change."""
    declared = dict(each.split(": ", 1) for each in style.split("; ") if each)
    for needless in ("font-family", "stroke-dashoffset"):
        declared.pop(needless, None)
    attributes = {}
    if tag == "text":
        attributes = {key: value for key in _TEXT_ATTRIBUTES if (value := declared.pop(key, "start")) != "start"}
    joined = ";".join(f"{key}:{_coloured(_shorten(_renamed(value, names), 2))}" for key, value in declared.items())
    return attributes | ({"style": joined} if joined else {})


def _coloured(value: str) -> str:
    return _COLOUR.sub(lambda match: _variable(match[0]), value)


def _variable(drawn: str) -> str:
    if drawn not in _VARIABLES:
        raise ValueError(f"{drawn} is no colour of the charts' palette")
    return _VARIABLES[drawn]


def _renamed(value: str, names: dict[str, str]) -> str:
    return _REFERENCE.sub(lambda match: names[match[0]], value)


def _shorten(value: str, decimals: int = 1) -> str:
    """Numbers to a tenth of a pixel, or finer."""
    return _NUMBER.sub(lambda match: f"{round(float(match[0]), decimals) + 0.0:g}", value)


def _path(value: str) -> str:
    tight = re.sub(r"\s*([A-Za-z])\s*", r"\1", _shorten(value)).strip()
    # What follows a move is a line, unless something else is said.
    return tight.replace("L", " ") if set("CQ").isdisjoint(tight) else tight
