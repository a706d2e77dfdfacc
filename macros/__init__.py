"""What pages show; the only room that knows MkDocs.

`define_env` is the entry that mkdocs-macros-plugin calls: it gives content/ pages the
macros of `macros.tables`, bound to the page on which they are called.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any

from mkdocs.exceptions import PluginError

from ingest.errors import UserError

log = logging.getLogger("mkdocs.plugins.perfkb")


def define_env(env: Any) -> None:
    """Registers our macros with mkdocs-macros-plugin."""
    from macros.tables import MACROS

    for name, make in MACROS.items():
        env.macro(_bound(env, make), name)


def _bound(env: Any, make: Callable[..., Any]) -> Callable[..., Any]:
    """The macro `make(site, root, ...)` with the site of this build and the way to its root."""

    @wraps(make)
    def macro(*arguments: Any, **options: Any) -> Any:
        plugin = env.conf.plugins.get("perfkb")
        if plugin is None or plugin.site is None:
            raise PluginError(f"{make.__name__}() needs the plugin `perfkb` in mkdocs.yml")
        depth = env.page.url.count("/") if env.page.url not in ("", ".", "./") else 0
        try:
            return make(plugin.site, "../" * depth or "./", *arguments, **options)
        except UserError as error:
            # mkdocs-macros would print a traceback; a warning fails a strict build as well.
            from macros.html import render  # what draws pages is heavy, and `perfkb --help` needs none of it

            log.warning("content/%s: %s: %s", env.page.file.src_uri, make.__name__, error)
            return render("mistake.html", text=f"{make.__name__}: {error}")

    return macro
