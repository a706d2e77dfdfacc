"""Narratives are cleaned to what prose needs; templates escape everything."""

import markdown
import pytest
from markupsafe import Markup

from macros.html import clean_narrative, environment
from macros.words import printable

EXTENSIONS = [
    "admonition", "attr_list", "def_list", "footnotes", "md_in_html", "tables", "toc", "pymdownx.details",
    "pymdownx.highlight", "pymdownx.superfences", "pymdownx.tabbed", "pymdownx.tasklist",
]  # fmt: skip


def rendered(text: str) -> str:
    html = markdown.markdown(
        text, extensions=EXTENSIONS, extension_configs={"pymdownx.tabbed": {"alternate_style": True}}
    )
    return clean_narrative(html)


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[a](javascript:alert(1))",
        "[a](  JaVaScRiPt:alert(1))",
        "[a](data:text/html,<script>alert(1)</script>)",
        "[a](https://example.org){: onclick=alert(1) }",
        "<iframe src=https://example.org></iframe>",
        "<svg><script>alert(1)</script></svg>",
        "<svg onload=alert(1)></svg>",
        "<math><mtext><script>alert(1)</script></mtext></math>",
        "<form action=https://example.org><input name=q></form>",
        "<object data=x></object><embed src=x>",
        '<div style="background:url(https://example.org/x)">x</div>',
        "<style>*{display:none}</style>",
        '<base href="https://example.org/">',
        '<meta http-equiv=refresh content="0;url=https://example.org">',
        '<link rel=stylesheet href="https://example.org/x.css">',
        "<noscript><p title='</noscript><script>alert(1)</script>'></noscript>",
        "<template><script>alert(1)</script></template>",
        '<a href="https://example.org" target=_blank ping=https://example.org>x</a>',
        "<details open ontoggle=alert(1)>x</details>",
        '<video src="https://example.org/v"></video>',
        "![p](https://example.org/pixel.png)",
        "![p](//example.org/pixel.png)",
        '<img srcset="https://example.org/x 2x">',
        '<input type=image src="https://example.org/x">',
    ],
)
def test_nothing_runs_or_loads(attack: str) -> None:
    """No script, handler, frame, form, foreign picture or style survives in a narrative."""
    html = rendered(f"before\n\n{attack}\n\nafter").lower()
    for trace in ("<script", "onerror", "onload", "onclick", "ontoggle", "javascript:", "<iframe", "<form", "<object",
                  "<embed", "<style", "<base", "<meta", "<link", "url(", "data:", "ping=", "<video", "<svg", "srcset",
                  'src="http', 'src="//', 'type="image'):  # fmt: skip
        assert trace not in html, html
    assert "before" in html
    assert "after" in html


def test_material_markup_survives() -> None:
    """Admonitions, tabs, tasks, footnotes, tables with alignment, highlighting and details stay whole."""
    html = rendered(
        '!!! note "Title"\n\n    Text[^1]\n\n=== "One"\n\n    a\n\n=== "Two"\n\n    b\n\n- [x] done\n\n'
        "| a | b |\n|---|--:|\n| 1 | 2 |\n\n```sql\nSELECT 1;\n```\n\n??? tip\n\n    more\n\n[^1]: The note.\n"
    )
    for part in (
        'class="admonition note"', 'class="admonition-title"', 'class="tabbed-set', '"radio"', 'for="__tabbed_1_1"',
        'class="task-list-item"', 'type="checkbox"', "checked", 'id="fn:1"', 'class="footnote-ref"',
        "text-align:right", '<span class="k">SELECT</span>', '<details class="tip">',
    ):  # fmt: skip
        assert part in html, part


def test_our_own_parts_cannot_be_imitated() -> None:
    """A narrative takes neither our classes, nor our anchors, nor the theme's switches."""
    html = rendered(
        '<p class="pk-banner" id="pk-data">x</p>\n\n<label for="__drawer">y</label>\n\n<p id="__search">z</p>\n\n'
        '<label for="pk-filter">x</label>'
    )
    assert "pk-" not in html
    assert "__drawer" not in html
    assert "__search" not in html


@pytest.mark.parametrize(
    "kind", ["", "type=text", "type=password", "type=image", "TYPE=Checkbox2", "name=' type=\"x\" '", "name=' type='"]
)
def test_nothing_to_write_into(kind: str) -> None:
    """Of the fields of forms those alone stay that Markdown makes, boxes of tasks and switches of tabs."""
    assert rendered(f'<p>a<input {kind} name="b>c"><b title="<input>">d</b></p>') == "<p>a<b>d</b></p>"
    assert "checkbox" in rendered("- [ ] a task")


def test_angle_brackets_stand_around_elements_alone() -> None:
    """Who looks for an element in a cleaned narrative finds no attribute's text that looks like one."""
    html = rendered("""<a title='"<img src=x>' href="https://a.example/?<img>">x</a> [y](https://a.example "<img>")""")
    assert "<img" not in html
    assert html.count(">") == html.count("<")


@pytest.mark.parametrize(
    "name", ["md-button", "md-overlay", "pk-card", "mermaid", "grid", "no-print", "arithmatex", "note-x", "Md-nav"]
)
def test_classes_of_others(name: str) -> None:
    """Of a list of classes those stay that Markdown writes itself; the theme's, ours and any other go."""
    assert rendered(f'<p class="{name}\nnote {name}">x</p>') == '<p class="note">x</p>'
    assert rendered(f"x\n{{: .{name} }}") == "<p>x</p>"


def test_a_second_title_becomes_a_section() -> None:
    """The page has one first-level heading, the story's title."""
    assert "<h2" in rendered("# Mine")
    assert "<h1" not in rendered("# Mine")


def test_templates_escape() -> None:
    """A value that is not HTML of ours is escaped, in text and in attributes."""
    template = environment().from_string('<p title="{{ value }}">{{ value }}</p>')
    assert template.render(value='"><script>') == (
        '<p title="&#34;&gt;&lt;script&gt;">&#34;&gt;&lt;script&gt;</p>'
    )  # fmt: skip
    assert template.render(value=Markup("&amp;")) == '<p title="&amp;">&amp;</p>'


def test_direction_marks_are_dropped() -> None:
    """A value cannot show what it does not say."""
    assert printable("a\u202eb\x00c\u2066d\n") == "abcd\n"
