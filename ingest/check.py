"""Every problem of a knowledge base: a pure function of what people wrote and the date.

A story's own mistakes come from its reader; what is added here needs more than one
story's file: areas, sources, other stories, and what its stage demands.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from ingest.claims import unproven
from ingest.codes import OVERRIDABLE, UNREADABLE
from ingest.errors import Problem, at_most, did_you_mean
from ingest.knowledge import KnowledgeBase
from ingest.lifecycle import impossible_dates, lagging, overruns, unmet
from ingest.links import Targets, broken_links, targets
from ingest.marked import Marked, Path, spell
from ingest.pins import NO_PINS
from ingest.rules import too_short
from ingest.schema import read_whole
from ingest.settings import KNOWLEDGE_BASE_FILE, SOURCES_FILE, Configuration, SourceBasics, SourceConfig
from ingest.sources import SOURCES, objections_to
from ingest.story import PARTNER, Counted, Series, Story, Use
from ingest.tickets import address_of


@dataclass(frozen=True)
class Report:
    """What `check` found: problems of the whole, and of each story by its slug."""

    general: tuple[Problem, ...]
    of_story: dict[str, tuple[Problem, ...]]

    @property
    def problems(self) -> list[Problem]:
        """All problems, in the order of files and lines."""
        return sorted([*self.general, *(each for found in self.of_story.values() for each in found)])

    @property
    def errors(self) -> list[Problem]:
        """The problems that keep a strict build from publishing."""
        return [each for each in self.problems if each.severity == "error"]

    def bad(self, slug: str) -> bool:
        """Whether this story has an error, and so is quarantined by a build that is not strict."""
        return any(each.severity == "error" for each in self.of_story.get(slug, ()))


def check(base: KnowledgeBase) -> Report:
    """Every problem of `base`, whose store is not looked at."""
    follow = _follow_ups(base.config)
    series = [each for each in _shared_series(base) if each.code not in follow]
    general = [*base.config.problems, *base.problems, *check_sources(base.config), *series]
    known = targets({story.slug: story for story in base.stories}, base.pages)
    return Report(tuple(sorted(general)), {story.slug: _check_story(story, base, known) for story in base.stories})


def check_story(story: Story, base: KnowledgeBase) -> tuple[Problem, ...]:
    """The problems of one story, which `base` may hold in an earlier form, or not yet."""
    stories = {each.slug: each for each in base.stories} | {story.slug: story}
    return _check_story(story, base, targets(stories, base.pages))


def _check_story(story: Story, base: KnowledgeBase, known: Targets) -> tuple[Problem, ...]:
    zone, pins = base.settings.timezone, base.pins.get(story.slug, NO_PINS)
    today = base.clock.today(zone)
    found = [
        *story.problems,
        *_ids(story),
        *_references(story, base, known.stories),
        *_telemetry(story, base.config),
        *broken_links(story, known),
        *unmet(story),
        *impossible_dates(story, base.clock.now),
        *overruns(story),
        *pins.problems,
        *unproven(story, pins, today, zone),
        *lagging(story, pins, today),
        *_overrides(story),
    ]
    set_aside = story.front.override.keys() & OVERRIDABLE | _follow_ups(base.config)
    return tuple(at_most({each for each in found if each.code not in set_aside}))


def _follow_ups(config: Configuration) -> set[str]:
    """Problems that every story would have because a file of the configuration cannot be read."""
    unread = {each.where.path for each in config.problems if each.code in UNREADABLE}
    declared = {KNOWLEDGE_BASE_FILE: {"PK201", "PK203"}, SOURCES_FILE: {"PK202"}}
    return {code for path, codes in declared.items() if path in unread for code in codes}


def check_sources(config: Configuration) -> Iterator[Problem]:
    """Problems of sources.yml that only the kinds of sources know."""
    for source in config.sources.values():
        if source.kind in SOURCES:
            yield from read_whole(SOURCES[source.kind].Options, source.options, SourceBasics.model_fields)[1]
        else:
            where = source.options.where(("kind",))
            hint = did_you_mean(source.kind, SOURCES)
            yield Problem(where, "PK104", f"kind: {source.kind!r} is not a kind of source", hint)


def _shared_series(base: KnowledgeBase) -> Iterator[Problem]:
    for name, series in base.settings.series.items():
        yield from _series_problems(series, ("series", name), base.settings_marks, base.config)


def _ids(story: Story) -> Iterator[Problem]:
    # Hypotheses and fixes share the folder of pinned evidence, so no two of them share an id.
    seen: set[str] = set()
    for field in ("hypotheses", "fixes"):
        for index, entry in enumerate(getattr(story.front, field)):
            if entry.id in seen:
                yield Problem(
                    story.where(field, index, "id"), "PK106", f"{field}: {entry.id!r} is used twice", "rename it"
                )
            seen.add(entry.id)


def _references(story: Story, base: KnowledgeBase, stories: Mapping[str, Story]) -> Iterator[Problem]:
    front, settings, slugs = story.front, base.settings, stories.keys()
    if front.area and front.area not in settings.areas:
        hint = did_you_mean(front.area, settings.areas) or "declare it under areas: in knowledge-base.yml"
        yield Problem(story.where("area"), "PK201", f"area: {front.area!r} is not an area", hint)
    if front.same_as and (front.same_as not in slugs or front.same_as == story.slug):
        hint = did_you_mean(front.same_as, slugs - {story.slug})
        yield Problem(story.where("same_as"), "PK204", f"same_as: {front.same_as!r} is not another story", hint)
    elif front.same_as and stories[front.same_as].front.draft and not front.draft:
        what = f"same_as: {front.same_as!r} is a draft, which no reader sees"
        yield Problem(story.where("same_as"), "PK204", what, "make this one a draft too, or that one none")
    for index, report in enumerate(front.reports):
        if (source := getattr(report, "source", None)) and source not in base.config.sources:
            hint = did_you_mean(source, base.config.sources)
            where = story.where("reports", index, "source")
            yield Problem(where, "PK202", f"reports[{index}].source: {source!r} is not a source", hint)
        elif isinstance(report, Counted) and (config := base.config.sources[report.source].for_counts).kind in SOURCES:
            yield from _objections(report.series, ("reports", index), story.document, config)
    for path, ticket in _tickets(story):
        if settings.tickets and address_of(ticket, settings.tickets) is None:
            what = f"{ticket!r} matches no pattern of `tickets` in knowledge-base.yml, so it has no link"
            yield Problem(story.where(*path), "PK208", what, "", "warning")


def _tickets(story: Story) -> Iterator[tuple[Path, str]]:
    for index, ticket in enumerate(story.front.tickets):
        yield ("tickets", index), ticket
    for index, fix in enumerate(story.front.fixes):
        if fix.ticket:
            yield ("fixes", index, "ticket"), fix.ticket


def _telemetry(story: Story, config: Configuration) -> Iterator[Problem]:
    for name, entry in story.front.telemetry.items():
        path: Path = ("telemetry", name)
        if isinstance(entry, Use):
            if entry.use not in config.settings.series:
                hint = did_you_mean(entry.use, config.settings.series) or "declare it in knowledge-base.yml"
                what = f"telemetry.{name}.use: {entry.use!r} is not a shared series"
                yield Problem(story.where(*path, "use"), "PK203", what, hint)
        else:
            yield from _series_problems(entry, path, story.document, config)
    for place, wanted in _series_names(story):
        # A series that is there and wrong has been named already.
        if wanted not in story.front.telemetry and "telemetry" not in story.mistaken:
            what = f"{spell(place)}: {wanted!r} is not a series of this story"
            hint = did_you_mean(wanted, story.front.telemetry) or "declare it under `telemetry:`"
            yield Problem(story.where(*place), "PK203", what, hint)
    yield from _goal_unit(story)
    yield from _tests(story, config.settings.timezone)


def _series_problems(series: Series, path: Path, marked: Marked, config: Configuration) -> Iterator[Problem]:
    """What is wrong with a series beyond its form: an unknown source, or one that cannot be asked this."""
    source = config.sources.get(series.source)
    if source is None:
        place = (*path, "source")
        what = f"{spell(place)}: {series.source!r} is not a source"
        yield Problem(marked.where(place), "PK202", what, did_you_mean(series.source, config.sources))
    elif source.kind in SOURCES:
        yield from _objections(series, path, marked, source)


def _objections(series: Series, path: Path, marked: Marked, source: SourceConfig) -> Iterator[Problem]:
    for objection in objections_to(series, source):
        place = (*path, objection.key)
        yield Problem(marked.where(place), "PK205", f"{spell(place)}: {objection.what}", objection.hint)


def _series_names(story: Story) -> Iterator[tuple[Path, str]]:
    """Every place in which a story names one of its series."""
    front = story.front
    if front.slo:
        yield ("slo", "series"), front.slo.series
    for index, fix in enumerate(front.fixes):
        for key in ("series", "control"):
            if name := getattr(fix, key):
                yield ("fixes", index, key), name
    for index, hypothesis in enumerate(front.hypotheses):
        for key, name in hypothesis.test.names.items() if hypothesis.test else ():
            yield ("hypotheses", index, "test", key), name


def _goal_unit(story: Story) -> Iterator[Problem]:
    goal = story.front.slo
    series = story.series.get(goal.series) if goal else None
    if goal and series:
        try:
            goal.below.to(series.unit)
        except ValueError as error:
            hint = f"the series {goal.series} is in {series.unit or 'plain numbers'}"
            yield Problem(story.where("slo", "below"), "PK207", f"slo.below: {error}", hint)


def _tests(story: Story, zone: ZoneInfo) -> Iterator[Problem]:
    """Tests that do not say which comparison they make."""
    for index, hypothesis in enumerate(story.front.hypotheses):
        if not hypothesis.test:
            continue
        where = story.where("hypotheses", index, "test")
        kind = hypothesis.test.kind
        if not kind:
            hint = "write {share, of}, {contrast, against} or {change, at}"
            yield Problem(where, "PK209", f"hypotheses[{index}].test must have one of share, contrast, change", hint)
        elif not hypothesis.test.is_whole:
            what = f"hypotheses[{index}].test: {kind} needs {PARTNER[kind]}"
            yield Problem(where, "PK209", what, f"add `{PARTNER[kind]}:`")
        elif hypothesis.verdict == "open" and (rule := too_short(hypothesis.test, zone)):
            yield Problem(where, "PK209", f"hypotheses[{index}].test: {rule}", "one observation proves nothing")


def _overrides(story: Story) -> Iterator[Problem]:
    for code in story.front.override:
        if code not in OVERRIDABLE:
            hint = did_you_mean(code, OVERRIDABLE)
            yield Problem(story.where("override", code), "PK104", f"override: {code} cannot be set aside", hint)


def only(problems: Iterable[Problem], paths: Iterable[str]) -> list[Problem]:
    """The problems of files at or below one of `paths`; all of them where `paths` is empty."""
    wanted = list(paths)
    return [
        each
        for each in problems
        if not wanted or any(PurePosixPath(each.where.path).is_relative_to(path) for path in wanted)
    ]
