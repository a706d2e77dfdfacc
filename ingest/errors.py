"""What can be wrong, and where: a leaf that every room may import.

A mistake of a user is never a traceback. One that stops the job is raised as a
`UserError` and caught once, at the front door (`perfkb.main`); one of many that a
check finds is a `Problem`, a value that is collected, sorted and printed.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

Severity = Literal["error", "warning"]
Fault = Literal["query", "source", "credentials", "answer"]


@dataclass(frozen=True, order=True)
class Where:
    """A place in a file of the knowledge base.

    `path` is relative to the knowledge base's root, with forward slashes; `line` and
    `column` count from 1, and 0 means that the whole file is meant.
    """

    path: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}" if self.line else self.path


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a story or the configuration, with a stable code."""

    where: Where
    code: str
    what: str
    hint: str = ""
    severity: Severity = "error"

    def __str__(self) -> str:
        mark = "warning: " if self.severity == "warning" else ""
        hint = f" ({self.hint})" if self.hint else ""
        return one_line(f"{self.where}: {self.code} {mark}{self.what}{hint}")


MOST_PROBLEMS = 50


def at_most(problems: Iterable[Problem], most: int = MOST_PROBLEMS) -> list[Problem]:
    """The problems in order, errors first where there are more than `most`; of the rest how many at least."""
    found = sorted(problems)
    if len(found) <= most:
        return found
    kept = sorted(found, key=lambda each: each.severity != "error")
    last = kept[most]
    return sorted([*kept[:most], replace(last, what=f"and at least {len(found) - most:,} more", hint="")])


class UserError(Exception):
    """Something a user can mend that keeps the command from doing its job (exit status 2)."""

    def __init__(self, where: Where | str | None, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.where = where
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        hint = f" ({self.hint})" if self.hint else ""
        return one_line(f"{place}{self.what}{hint}")


class BusyError(UserError):
    """Another run holds the lock (exit status 75)."""


class FetchError(Exception):
    """A source could not answer a request; the last good snapshot stays.

    `retry` says that the same request may succeed later (a time-out, a 503), `wait` how
    many seconds the server asked for, and `fault` whose it is: the `query`'s (shown with
    the story's file and line), the `source`'s, that of our `credentials`, or of its `answer`.
    """

    def __init__(
        self,
        what: str,
        *,
        retry: bool = False,
        wait: float | None = None,
        fault: Fault = "source",
    ) -> None:
        super().__init__(what)
        self.what = what
        self.retry = retry
        self.wait = wait
        self.fault = fault


def one_line(text: str) -> str:
    """`text` with everything escaped that would break its line, or make a terminal act."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


MOST_NAMES = 20


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint that names the closest of `known`, or those there are where nothing is close."""
    names = sorted(known)
    close = get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return f"known: {', '.join(names[:MOST_NAMES])}{more}" if names else ""
