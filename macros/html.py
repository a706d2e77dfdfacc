"""Escaping, in one place: our templates, and the narrative's own HTML.

Every value that a template prints is escaped, and loses the characters that would make it
show what it does not say. A narrative is HTML that Markdown made of somebody's text: it is
cleaned to what prose needs, and nothing in it can run.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any

import nh3
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from macros import verdicts, words

_TAGS = nh3.ALLOWED_TAGS | {"input", "label", "details", "summary", "figure", "figcaption", "section"}
_ATTRIBUTES: dict[str, set[str]] = {
    **nh3.ALLOWED_ATTRIBUTES,
    "*": {"class", "id"},
    "a": {"href", "title", "name", "aria-label"},
    "input": {"type", "checked", "disabled", "name"},
    "label": {"for"},
    "img": {"src", "alt", "title", "width", "height", "loading"},
    "details": {"open"},
    "td": {"style", "align", "colspan", "rowspan"},
    "th": {"style", "align", "colspan", "rowspan", "scope"},
    "ol": {"start"},
    "div": {"data-tabs"},
}
_INPUT_TYPES = {"checkbox", "radio"}
# Ids of the theme's own controls: a narrative that took one over could open or close them.
_RESERVED_ID = re.compile(r"__(?!tabbed_|codelineno|span)")
# What Markdown and its extensions write themselves. Any other class could be one of the theme's or
# our own parts, which a narrative must not imitate, or make the theme load a script from elsewhere.
_CLASS = re.compile(
    r"admonition(-title)?|inline|end|note|abstract|summary|tldr|info|todo|tip|hint|important|success|check|done"
    r"|question|help|faq|warning|caution|attention|failure|fail|missing|danger|error|bug|example|quote|cite"
    r"|tabbed-[a-z]+|task-list(-[a-z]+)?|footnote(-[a-z]+)?|headerlink"
    r"|highlight(table)?|linenos|linenodiv|filename|code|language-[\w+#.-]+"
    r"|[a-z][a-z0-9]{0,2}"  # the names that Pygments gives to words of code
)


# Where nh3 has been, < and > stand around elements alone.
_FIELD = re.compile(r"""<input\b(?![^>]* type="(?:checkbox|radio)")[^>]*>""")


def clean_narrative(html: str) -> str:
    """The narrative's HTML without anything that runs, frames, or loads from another host."""
    cleaned = nh3.clean(
        html,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        attribute_filter=_allowed,
        filter_style_properties={"text-align"},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer",
        strip_comments=True,
    )
    # What is no box of a task and no switch of a tab would be a field to write into.
    cleaned = _FIELD.sub("", cleaned)
    # The page has its title; a second one would compete with it.
    return re.sub(r"<(/?)h1\b", r"<\1h2", cleaned)


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    if attribute in ("id", "for", "name") and _RESERVED_ID.match(value):
        return None
    if tag == "input" and attribute == "type" and value not in _INPUT_TYPES:
        return None
    if tag == "img" and attribute == "src" and not re.fullmatch(r"(?!//)[\w./%~-]+", value):
        # A picture of another host would tell that host who reads the page; browsers take many
        # spellings for one.
        return None
    if attribute == "class":
        return " ".join(name for name in value.split() if _CLASS.fullmatch(name)) or None
    if attribute in ("id", "name", "for") and "pk-" in value:
        # Anchors of our own parts must not be taken.
        return None
    return value


@cache
def environment() -> Environment:
    """Our templates: everything printed is escaped, everything unknown is an error."""
    folder = Path(__file__).parent / "templates"
    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=words.unbroken,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(words.FILTERS | verdicts.FILTERS)
    return made


def render(template: str, **values: Any) -> Markup:
    """A template of `macros/templates/`, filled in."""
    return Markup(environment().get_template(template).render(**values))  # noqa: S704  # autoescaped
