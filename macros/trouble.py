"""What kept a preview from being built, as lines that name the file and the place in it."""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from traceback import walk_tb

import jinja2
import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import Abort, MkDocsException

from ingest.errors import Problem, Where
from ingest.marked import decode

_NAMED = re.compile(r"Error (?:reading|building) page '(.+?)'")
_IN_PAGE = "<template>"
"""What Jinja calls a text that comes from no file: the Markdown of a page."""


def explain(error: BaseException, root: Path, config: MkDocsConfig | None, said: Sequence[str]) -> list[str]:
    """Why a build came to its end: by the `error`, and by the errors that MkDocs `said` before."""
    if isinstance(error, (MkDocsException, SystemExit)) and isinstance(error.__context__, Exception):
        # MkDocs and its plugins end with "aborted"; what it was about comes first.
        error = error.__context__
    if isinstance(error, Abort):
        lines = [f"mkdocs.yml: {line}" if line.startswith("Config value") else line for line in said] or [str(error)]
    elif problem := _problem(error, root, config, said):
        lines = [str(problem)]
    else:
        clear = isinstance(error, (MkDocsException, jinja2.TemplateSyntaxError, jinja2.UndefinedError))
        what = getattr(error, "message", None) or str(error) if clear else f"{type(error).__name__}: {error}"
        where = _place(error, root, config)
        lines = [f"{where}: {what}"] if where else [what, *said]
    return list(dict.fromkeys(" ".join(line.split()) for line in lines))


def _problem(error: BaseException, root: Path, config: MkDocsConfig | None, said: Sequence[str]) -> Problem | None:
    """The error as one of the problems that have a code."""
    if isinstance(error, yaml.MarkedYAMLError) and (mark := error.problem_mark or error.context_mark):
        where = Where(_inside(mark.name, root), mark.line + 1, mark.column + 1)
        hint = "look at the indentation and the quotes just before this place"
        return Problem(where, "PK002", f"this is not YAML: {error.problem or error.context}", hint)
    page = next((found[1] for line in said if (found := _NAMED.match(line))), None)
    if isinstance(error, UnicodeDecodeError) and config and page:
        path = Path(config.docs_dir) / page
        return next(iter(_not_text(path, root)), None)
    return None


def _not_text(path: Path, root: Path) -> list[Problem]:
    raw = path.read_bytes()
    return decode(_inside(str(path), root), raw, len(raw))[1]


def _place(error: BaseException, root: Path, config: MkDocsConfig | None) -> Where | None:
    """Where in a page or a template it happened, if that can be told."""
    if isinstance(error, jinja2.TemplateSyntaxError):
        file, line = error.filename or _IN_PAGE, error.lineno
    else:
        frames = ((frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__))
        templates = [each for each in frames if not each[0].endswith(".py") and not each[0].startswith("<frozen")]
        if not templates:
            return None
        file, line = templates[-1]
    if file != _IN_PAGE:
        return Where(_inside(file, root), line, 1)
    page = getattr(config.plugins.get("macros"), "page", None) if config else None
    if page is None:
        return None
    # MkDocs takes the front matter off before a template sees the text.
    above = page.file.content_string.count("\n") - (page.markdown or "").count("\n")
    return Where(_inside(page.file.abs_src_path or page.file.src_uri, root), line + above, 1)


def _inside(path: str, root: Path) -> str:
    """A path as problems name it: relative to the knowledge base, where it is in it."""
    full = Path(os.path.abspath(path))  # noqa: PTH100  # resolve() would follow links
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else path
