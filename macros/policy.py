"""What the built site may do in a browser, as HTTP headers in a file that static hosts read.

A second line of defence: should something of a story ever become a script, browsers would
refuse to run it. The theme has scripts inside its pages, which are allowed by their hashes;
these are taken from the page "not found", which no story has a word on.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

HEADERS = "_headers"
_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_ROOT = re.compile(r'(?<=new URL\(")[^"]*')


def write_headers(site: Path, *, wasm: bool = False) -> None:
    """Writes the headers for the site in the folder `site`, in the form of Netlify and Cloudflare Pages.

    With `wasm`, scripts of the site may compile WebAssembly, which its search is made of.
    """
    if (site / HEADERS).exists():
        # The company's own, from content/.
        return
    lost = site / "404.html"
    own = _INLINE.findall(lost.read_text(encoding="utf-8")) if lost.is_file() else []
    depths = {len(page.relative_to(site).parts) - 1 for page in site.rglob("*.html")}
    lines = [f"  {name}: {value}\n" for name, value in headers(_everywhere(own, depths), wasm=wasm).items()]
    (site / HEADERS).write_text("".join(["/*\n", *lines]), encoding="utf-8")


def headers(scripts: Iterable[str], *, wasm: bool = False) -> dict[str, str]:
    """The headers by their names, for pages that hold these `scripts`, and may run WebAssembly or not."""
    hashes = sorted(
        {f"'sha256-{base64.b64encode(hashlib.sha256(each.encode()).digest()).decode()}'" for each in scripts}
    )
    policy = {
        "default-src": "'none'",
        "script-src": " ".join(["'self'", *(["'wasm-unsafe-eval'"] if wasm else []), *hashes]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": "'self'",
        "worker-src": "'self'",
        "manifest-src": "'self'",
        "form-action": "'self'",
        "base-uri": "'none'",
        "frame-ancestors": "'self'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _everywhere(scripts: Iterable[str], depths: Iterable[int]) -> Iterator[str]:
    """The scripts as they stand on that page, and at every depth, where the way to the site's root is another."""
    roots = [".", *("/".join([".."] * depth) for depth in depths if depth)]
    for script in scripts:
        yield script
        for root in roots:
            yield _ROOT.sub(root, script)
