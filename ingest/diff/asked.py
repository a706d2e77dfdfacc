"""What a change will make `refresh` ask with production credentials, so that somebody reads it first.

Whatever a story, the shared series or sources.yml newly ask for is told with its full text, and
where the credentials go. Values of headers are never told, only the variables that they name.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import unified_diff
from typing import Any

from ingest.diff.posted import LONGEST_BLOCK, Section, block, code, listed
from ingest.knowledge import KnowledgeBase
from ingest.settings import SOURCES_FILE, SourceConfig
from ingest.sources import SOURCES, objections_to, words_for
from ingest.story import Counted, Series, Story, Use
from ingest.units import format_duration

_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")
_WHERE_IT_GOES = ("kind", "url", "headers")
_UNSEEN = "(not shown)"


@dataclass
class _Request:
    """One request, with the places that ask for it."""

    source: str
    text: str
    before: str | None
    """What the first of the places asked before."""
    places: list[str] = field(default_factory=list)


def newly_asked(before: KnowledgeBase, after: KnowledgeBase, origins: Mapping[str, Story]) -> Section:
    """Every request that nobody sent before, and every change of sources.yml.

    `origins` are the stories that were there before, by the names that they have now.
    """
    requests: dict[str, _Request] = {}
    for key, request, place in (*_shared(before, after), *_of_stories(before, after, origins), *_counts(before, after)):
        requests.setdefault(key, request).places.append(place)
    entries = [*_sources(before, after), *(_told(each) for each in requests.values())]
    note = "The next refresh sends them, with the rights of its account. Read them before you merge."
    return Section("New queries that will run with production credentials", tuple(entries), note, apart=True)


def _told(request: _Request) -> str:
    what = "New" if request.before is None else "Changed"
    more = f" and {len(request.places) - 10:,} more places" if len(request.places) > 10 else ""
    head = f"**{what}**, asks {code(request.source)}: {', '.join(request.places[:10])}{more}"
    return f"{head}\n\n{_compared(request.before, request.text)}"


def _compared(before: str | None, after: str) -> str:
    """What is asked as a block, with the changed lines marked where there was something before."""
    if before is None or len(before) + len(after) > LONGEST_BLOCK:
        return block(after)
    lines = unified_diff(before.split("\n"), after.split("\n"), n=LONGEST_BLOCK, lineterm="")
    # Above the text stand two names of files and a range, which are of no use here.
    return block("\n".join([*lines][3:]), "diff")


def key_of(series: Series) -> str:
    """The same for series that ask for the same."""
    return series.fingerprint(timedelta())


def sent_by(base: KnowledgeBase) -> set[str]:
    """The keys of all that a refresh of `base` asks for."""
    return {key_of(series) for story in base.stories for series in story.series.values()}


def users_of(base: KnowledgeBase, shared: str) -> list[str]:
    """The stories that use a shared series."""
    return [
        story.slug
        for story in base.stories
        if any(isinstance(each, Use) and each.use == shared for each in story.front.telemetry.values())
    ]


def _shared(before: KnowledgeBase, after: KnowledgeBase) -> Iterator[tuple[str, _Request, str]]:
    sent = sent_by(before)
    for name, series in after.settings.series.items():
        old = before.settings.series.get(name)
        same, users = old is not None and key_of(old) == key_of(series), users_of(after, name)
        if key_of(series) in sent or (same and not users):
            continue
        where = after.settings_marks.where(("series", name))
        used = f"used by {listed(users)}" if users else "used by no story yet"
        request = _Request(
            series.source, _written(series, after), None if old is None or same else _written(old, before)
        )
        yield key_of(series), request, f"{code(f'series.{name}')} at {code(str(where))}, {used}"


def _of_stories(
    before: KnowledgeBase, after: KnowledgeBase, origins: Mapping[str, Story]
) -> Iterator[tuple[str, _Request, str]]:
    sent = sent_by(before)
    for story in after.stories:
        origin = origins.get(story.slug)
        for name, series in story.front.telemetry.items():
            if isinstance(series, Series) and key_of(series) not in sent:
                old = origin.series.get(name) if origin else None
                request = _Request(series.source, _written(series, after), _written(old, before) if old else None)
                where = story.where("telemetry", name)
                yield key_of(series), request, f"{code(f'{story.slug}/{name}')} at {code(str(where))}"


def _counts(before: KnowledgeBase, after: KnowledgeBase) -> Iterator[tuple[str, _Request, str]]:
    """Reports that are counted in another system."""
    known = {name for story in before.stories for name in story.counted}
    for story in after.stories:
        for index, report in enumerate(story.front.reports):
            if isinstance(report, Counted) and report.name not in known:
                where = story.where("reports", index)
                place = f"{code(f'{story.slug}: reports')} at {code(str(where))}"
                yield report.name, _Request(report.source, f"query: {report.query}", None), place


def _written(series: Series, base: KnowledgeBase) -> str:
    """All that decides what is asked, a key a line, and the request that a source makes of it."""
    lines = [f"source: {series.source}", f"kind: {series.kind}"]
    if series.metric:
        lines.append(f"metric: {series.metric}")
    lines += [f"match: {name}={value}" for name, value in sorted((series.match or {}).items())]
    for key in ("query", "sum"):
        if text := getattr(series, key):
            lines.append(f"{key}: " + text.replace("\n", "\n  "))
    source = base.config.sources.get(series.source)
    if source and source.kind in SOURCES and series.metric and not objections_to(series, source):
        lines += ["sent as:", *(f"  {line}" for line in words_for(series, source).split("\n"))]
    return "\n".join(lines)


def _sources(before: KnowledgeBase, after: KnowledgeBase) -> Iterator[str]:
    """Changes of sources.yml: what is asked where, and which variables of the environment go there."""
    for name, source in after.config.sources.items():
        old = before.config.sources.get(name)
        was, now = _flat(old) if old else {}, _flat(source)
        if was == now:
            continue
        users = sum(
            each.source == name
            for story in after.stories
            for each in (*story.series.values(), *(report.series for report in story.counted.values()))
        )
        asked = f"{users:,} series of stories {'ask' if users != 1 else 'asks'} it" if users else "no story asks it"
        variables = dict.fromkeys(found for key in now if _is_header(key) for found in _VARIABLE.findall(now[key][0]))
        reads = f"; a refresh sends it the value of {listed(variables)}" if variables else ""
        what = "Changed" if old else "New"
        head = f"**{what} source** {code(name)} at {code(str(source.options.where(())))}: {asked}{reads}"
        yield f"{head}\n\n{block(_changed_lines(was, now), 'diff' if old else 'text')}"
    if not any(each.where.path == SOURCES_FILE for each in after.config.problems):
        for name in sorted(before.config.sources.keys() - after.config.sources.keys()):
            yield f"**Removed source** {code(name)}"


def _changed_lines(was: "_Flat", now: "_Flat") -> str:
    """What is new of a source; of a changed one the lines that differ, and always where requests go."""
    if not was:
        return "\n".join(f"{key}: {told}" for key, (told, _) in now.items())
    lines = []
    for key in dict.fromkeys([*now, *was]):
        old, new = was.get(key), now.get(key)
        if old == new and new and key.split(".")[0] in _WHERE_IT_GOES:
            lines.append(f" {key}: {new[0]}")
        if old != new:
            lines += [f"-{key}: {old[0]}"] if old else []
            lines += [f"+{key}: {new[0]}"] if new else []
    return "\n".join(lines)


_Flat = dict[str, tuple[str, str]]
"""Of every key of a source what may be told, and its value, which only tells whether it was changed."""


def _flat(source: SourceConfig) -> _Flat:
    basics = {key: _plain(value) for key, value in source.basics.model_dump(exclude_defaults=True).items()}
    found = dict(_leaves({**basics, **source.options.data}, ""))
    first = sorted(found, key=lambda key: key.split(".")[0] not in _WHERE_IT_GOES)
    return {key: (_shown(key, found[key]), found[key]) for key in first}


def _plain(value: Any) -> str:
    return format_duration(value) if isinstance(value, timedelta) else str(value)


def _leaves(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _leaves(inner, f"{place}.{key}" if place else str(key))
    elif isinstance(value, list) and any(isinstance(inner, (dict, list)) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{place}[{index}]")
    else:
        yield place, ", ".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)


def _shown(key: str, value: str) -> str:
    """A value, unless it may be a secret: of a header only the variables that it names."""
    return " ".join([_UNSEEN, *_VARIABLE.findall(value)]) if _is_header(key) else value


def _is_header(key: str) -> bool:
    return key.split(".")[0] == "headers"
