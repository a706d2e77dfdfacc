"""The commands that keep a story's books: new, report, tell, timebox, believe, choose, fix, ship, park, reopen.

Thin, as in `ingest.cli`. What is not given is asked for on a terminal, and never in a pipe.
"""

import os
import sys
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from ingest.context import base_of
from ingest.errors import UserError, did_you_mean, one_line
from ingest.fields import read_day, read_day_or_moment, read_link
from ingest.units import parse_duration, parse_effort, parse_percent

if TYPE_CHECKING:
    from ingest.books import Edit
    from ingest.knowledge import KnowledgeBase
    from ingest.story import Stage, Story


def _written(name: str, read: Callable[[str], object], hint: str) -> Callable[[str], str]:
    """The type of an option that must read as a value of front matter; it is written as it was given."""

    def convert(value: str) -> str:
        try:
            read(value.strip())
        except ValueError as error:
            raise UserError(None, str(error), hint) from None
        return value.strip()

    convert.__name__ = name
    return convert


DAY = _written("day", read_day, "write a day such as 2026-09-01")
MOMENT = _written("moment", read_day_or_moment, "write 2026-09-20, or with an offset 2026-09-20T14:00Z")
TIME = _written("time", parse_duration, "write 2h, 1h30m or 45m")
EFFORT = _written("effort", parse_effort, "write 4h, 3d or a range such as 2d-5d, in working days")
PERCENT = _written("percent", parse_percent, "write a percentage with its sign, such as -60 %")
LINK = _written("link", read_link, "write an address that begins with https://")
WHEN = click.option("--date", "day", type=DAY, help="The day; by default today.")


def is_terminal() -> bool:
    """Whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _asked(given: str | None, option: str, question: str, kind: Any = None) -> str:
    """What was given, or what is answered on a terminal."""
    if given:
        return given
    if not is_terminal():
        raise UserError(None, f"{option} is missing", f"it says: {question[:1].lower()}{question[1:]}")
    while True:
        try:
            return str(click.prompt(question, type=kind))
        except UserError as error:
            click.echo(str(error))


def _today(base: "KnowledgeBase", day: str | None = None) -> str:
    return day or base.clock.today(base.settings.timezone).isoformat()


def _kept(
    base: "KnowledgeBase",
    story: "Story",
    edits: "Iterable[Edit]",
    stage: "Stage | None" = None,
    *,
    told: str = "",
    **how: Any,
) -> "Story":
    """Writes the edits, and says what was `told`, what is written, what to mind, and what comes next."""
    from ingest.books import keep

    kept = keep(base, story, edits, stage, **how)
    click.echo(told + "\n" * bool(told) + f"wrote {story.path}: status {kept.story.front.status}")
    for warning in kept.warnings:
        hint = f" ({warning.hint})" if warning.hint else ""
        click.echo(f"warning: {warning.what}{hint}", err=True)
    click.echo(f"next: {kept.next}")
    return kept.story


@click.command()
@click.argument("slug")
@click.argument("said")
@click.option("--customers", type=click.IntRange(min=1), default=1, show_default=True, help="How many reported it.")
@click.option("--link", type=LINK, help="The report in its own system.")
@WHEN
@click.pass_context
def report(context: click.Context, slug: str, said: str, customers: int, link: str | None, day: str | None) -> None:
    """Add a report to a story: what somebody SAID, in their own words."""
    from ingest.books import add_report, assert_writable

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "reports")
    _kept(base, story, [lambda text: add_report(text, _today(base, day), said, customers, link)], moves=False)


def _words(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Options for the words of a story."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for name in reversed(names):
            command = click.option(f"--{name}", help=_SAYS[name])(command)
        return command

    return decorate


_SAYS = {
    "area": "The area that it belongs to.",
    "owner": "Who is responsible; by default the area's team.",
    "who": "Who has the problem.",
    "what": "What is slow.",
    "when": "When it is slow: always, or in the mornings?",
    "where": "Where it is slow: a page, a job, a region.",
    "why": "Why it is slow, once that is known.",
    "workaround": "What customers can do meanwhile.",
    "say": "A sentence that support may send to a customer.",
}


def _lists(command: Callable[..., None]) -> Callable[..., None]:
    """Options for the lists of a story, each to be given as often as you like."""
    helps = {
        "ticket": "A ticket in another system.",
        "tag": "A word to find it by.",
        "endpoint": "What the story is about.",
        "symptom": "How customers describe it.",
    }
    for name in reversed(helps):
        command = click.option(f"--{name}", multiple=True, help=f"{helps[name]} May be repeated.")(command)
    return command


@click.command()
@click.argument("slug")
@_words(*_SAYS)
@_lists
@click.pass_context
def tell(context: click.Context, /, slug: str, **words: Any) -> None:
    """Write down what is known by now: for whom, what, when, where and why it is slow.

    Without options it asks for what the next stage needs. A text replaces the one before it.
    """
    from ingest.books import LISTS, assert_writable
    from ingest.books import tell as write_words

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, *(LISTS.get(name, name) for name, said in words.items() if said))
    if not any(words.values()):
        words = _ask_words(base, story, ("area", "what", "who", "when", "where", "why"))
        if not words:
            known = ", ".join(f"--{name}" for name in (*_SAYS, *LISTS))
            raise UserError(story.path, "nothing was told", f"known: {known}")
    _kept(base, story, [lambda text: write_words(text, words)])


def _ask_words(base: "KnowledgeBase", story: "Story", names: Iterable[str]) -> dict[str, Any]:
    """Answers to those of `names` that the story does not have; none where nobody can be asked."""
    if not is_terminal():
        return {}
    answers = {}
    for name in names:
        if not getattr(story.front, name):
            answers[name] = _ask_area(base) if name == "area" else _ask_word(name)
    return {name: answer for name, answer in answers.items() if answer}


def _ask_word(name: str) -> str:
    return str(click.prompt(f"{_SAYS[name].rstrip('.')} (empty: not known yet)", default="", show_default=False))


def _ask_area(base: "KnowledgeBase") -> str:
    areas = base.settings.areas
    question = f"Area: {', '.join(areas)} (empty: not sorted yet)"
    while areas:
        answer = str(click.prompt(question, default="", show_default=False)).strip()
        if not answer or answer in areas:
            return answer
        click.echo(f"{answer!r} is not an area ({did_you_mean(answer, areas)})")
    return ""


@click.group()
def timebox() -> None:
    """Start and stop looks of an hour or two, each with one question."""


@timebox.command()
@click.argument("slug")
@click.argument("question")
@click.option("--budget", type=TIME, default="2h", show_default=True, help="How long it may take.")
@_words("area", "what")
@WHEN
@click.pass_context
def start(
    context: click.Context, /, slug: str, question: str, budget: str, day: str | None, **words: str | None
) -> None:
    """Start a look at a story that answers QUESTION; a reported story is `investigating` from then on."""
    from ingest.books import assert_in_work, assert_writable, open_timebox, start_timebox, tell

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "timeboxes", *words)
    assert_in_work(story)
    if (index := open_timebox(story)) is not None:
        asks = story.front.timeboxes[index].question
        where = story.where("timeboxes", index)
        raise UserError(where, f"a timebox is still open: {asks!r}", f"perfkb timebox stop {slug} --spent TIME")
    asked = [name for name, said in words.items() if not said]
    answers = _ask_words(base, story, asked) if story.front.status == "reported" else {}
    _kept(
        base,
        story,
        [
            lambda text: tell(text, {**words, **answers}),
            lambda text: start_timebox(text, _today(base, day), question, budget),
        ],
        minds=("status", "timeboxes"),
    )


@timebox.command()
@click.argument("slug")
@click.option("--spent", type=TIME, help="How long it took.")
@click.option("--outcome", help="What it found.")
@click.option("--effort", type=EFFORT, help="What a fix would take, such as 2d-5d.")
@click.pass_context
def stop(context: click.Context, slug: str, spent: str | None, outcome: str | None, effort: str | None) -> None:
    """Complete the newest open look with what it took and found, and what a fix would take."""
    from ingest.books import assert_writable, open_timebox, stop_timebox

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "timeboxes")
    index = open_timebox(story)
    if index is None:
        raise UserError(story.path, "no timebox is open", f'perfkb timebox start {slug} "QUESTION"')
    took = _asked(spent, "--spent", "How long did it take?", TIME)
    if is_terminal():
        outcome = outcome or click.prompt("What did it find?", default="", show_default=False)
        effort = effort or click.prompt("What would a fix take? (empty: not known)", default="", show_default=False)
    _kept(base, story, [lambda text: stop_timebox(text, index, took, outcome, effort)], minds=("timeboxes",))


@click.command()
@click.argument("slug")
@click.argument("because")
@click.option("--test", "whole", help="The whole test, such as 'share=a of=b at_least=\"50 %\" from=DAY to=DAY'.")
@click.option("--share", help="A component's series, whose part of --of is tested.")
@click.option("--of", help="The whole that --share is a part of.")
@click.option("--contrast", help="A group's series, tested against --against.")
@click.option("--against", help="The group to compare --contrast with.")
@click.option("--change", help="A series that an experiment or canary should change, --at a moment.")
@click.option("--at", help="When the experiment of --change began.")
@click.option("--quantile", help="Which quantile is compared; by default the mean.")
@click.option("--at-least", help="The threshold that would confirm it, such as '50 %' or '-20 %'.")
@click.option("--from", help="The first day of the window; by default tomorrow, or 14 days before --at.")
@click.option("--to", help="Its last day, inclusive; by default two weeks later, or 14 days after --at.")
@click.option("--slows", help="What it makes slow.")
@click.option("--for", "for_", help="For whom.")
@_words("who", "when", "where")
@click.pass_context
def believe(context: click.Context, /, slug: str, because: str, whole: str | None, **rest: Any) -> None:
    """Write a hypothesis with the test that would confirm it, before its data is looked at.

    The series that it names are the story's, or shared in knowledge-base.yml.
    """
    from ingest.beliefs import parts_of, test_of
    from ingest.books import add, assert_in_work, assert_writable, fresh_id, given, tell, use_shared
    from ingest.edit import Flow
    from ingest.pins import NO_PINS

    base = base_of(context)
    story = base.story(slug)
    words = {name: rest.pop(name) for name in ("who", "when", "where")}
    subject = {name: rest.pop(name) for name in ("slows", "for_")}
    assert_writable(story, "hypotheses", "telemetry", *words)
    assert_in_work(story)
    zone = base.settings.timezone
    test, written = test_of({**parts_of(whole or ""), **given(**rest)}, base.clock.today(zone), zone)
    name = fresh_id(story, base.pins.get(slug, NO_PINS))
    hypothesis = given(id=name, because=because, **subject, written=_today(base))
    asked = [word for word, said in words.items() if not said]
    answers = _ask_words(base, story, asked)
    if test.kind != "change" and test.from_ < base.clock.today(zone):
        told = f"the window begins on {test.from_}, before its threshold was written"
        click.echo(f"warning: {told} (a threshold that is chosen afterwards is always met)", err=True)
    _kept(
        base,
        story,
        [
            lambda text: tell(text, {**words, **answers}),
            lambda text: use_shared(text, base, story, test.names.values()),
            lambda text: add(text, "hypotheses", {**hypothesis, "test": Flow(written)}),
        ],
        told=f"hypothesis {name}: {because}",
        minds=("status", "hypotheses", "telemetry"),
    )


@click.command()
@click.argument("slug")
@click.argument("because")
@WHEN
@click.pass_context
def choose(context: click.Context, slug: str, because: str, day: str | None) -> None:
    """Record the judgement that a story is worth fixing now, and BECAUSE of what."""
    from ingest.books import assert_in_work, assert_writable
    from ingest.books import choose as write_choice

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "chosen")
    assert_in_work(story)
    if chosen := story.front.chosen:
        raise UserError(story.where("chosen"), f"it was chosen on {chosen.date}", f"because: {chosen.because}")
    _kept(
        base,
        story,
        [lambda text: write_choice(text, _today(base, day), because)],
        minds=("status", "chosen"),
    )


@click.command()
@click.argument("slug")
@click.argument("name", metavar="ID")
@click.option("--ticket", help="Its ticket.")
@click.option("--expected", type=PERCENT, help="The expected change, such as '-60 %'.")
@click.option("--series", help="The series it should change; by default the goal's.")
@click.option("--quantile", help="The quantile it should change; by default the goal's.")
@click.option("--control", help="A series that it does not touch, to compare with.")
@click.pass_context
def fix(context: click.Context, /, slug: str, name: str, **details: str | None) -> None:
    """Plan the fix ID with its ticket and the change that is expected, or say more of one that is planned.

    The series that it names are the story's, or shared in knowledge-base.yml.
    """
    from ingest.books import assert_in_work, assert_writable, fix_of, given, use_shared, write_fix

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "fixes", "telemetry")
    assert_in_work(story)
    known = fix_of(story, name)
    if known and known[1].shipped:
        raise UserError(story.where("fixes", known[0]), f"{name} shipped on {known[1].shipped}", "plan another one")
    if not known:
        details["ticket"] = _asked(details["ticket"], "--ticket", "Which ticket is the fix?")
        details["expected"] = _asked(details["expected"], "--expected", "What change do you expect?", PERCENT)
    named = [each for each in (details["series"], details["control"]) if each]
    # Work on a second fix leads back from what the first one brought.
    stage: Stage | None = "fixing" if story.front.status == "measured" else None
    _kept(
        base,
        story,
        [
            lambda text: use_shared(text, base, story, named),
            lambda text: write_fix(
                text, known[0] if known else None, given(**({} if known else {"id": name}), **details)
            ),
        ],
        stage,
        minds=("status", "fixes", "telemetry"),
    )


@click.command()
@click.argument("slug")
@click.argument("name", metavar="FIX")
@click.option("--at", "moment", type=MOMENT, help="When it went live, best with the time; by default today.")
@click.option("--change", type=LINK, help="The change itself, such as a pull request.")
@click.option("--took", type=EFFORT, help="What it took, in working days such as 4d.")
@click.pass_context
def ship(
    context: click.Context, slug: str, name: str, moment: str | None, change: str | None, took: str | None
) -> None:
    """Record that a fix went live; it is judged once, on the fifteenth day after."""
    from ingest.books import assert_in_work, assert_writable, given, known_fix, write_fix
    from ingest.rules import judged_on
    from ingest.story import day_of

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "fixes")
    assert_in_work(story)
    index, known = known_fix(story, name)
    if known.shipped:
        where = story.where("fixes", index, "shipped")
        raise UserError(where, f"{name} shipped on {known.shipped}", "a wrong date is mended in the file")
    shipped = moment or _today(base)
    stage: Stage | None = "shipped" if story.front.status == "measured" else None
    _kept(
        base,
        story,
        [lambda text: write_fix(text, index, given(shipped=shipped, change=change, took=took))],
        stage,
        told=f"fix {name}: judged on {judged_on(day_of(read_day_or_moment(shipped), base.settings.timezone))}",
        minds=("status", "fixes"),
    )


@click.command()
@click.argument("slug")
@click.argument("because")
@click.option("--revisit", type=DAY, help="The day to look again.")
@WHEN
@click.pass_context
def park(context: click.Context, slug: str, because: str, revisit: str | None, day: str | None) -> None:
    """Stop a story on purpose, BECAUSE of what, with a day to look again if you like."""
    from ingest.books import assert_in_work, assert_writable
    from ingest.books import park as write_parked

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "parked")
    assert_in_work(story)
    if parked := story.front.parked:
        raise UserError(story.where("parked"), f"it was parked on {parked.date}", f"perfkb reopen {slug} records that")
    _kept(
        base,
        story,
        [lambda text: write_parked(text, _today(base, day), because, revisit)],
        "parked",
        minds=("status", "parked"),
    )


@click.command()
@click.argument("slug")
@WHEN
@click.pass_context
def reopen(context: click.Context, slug: str, day: str | None) -> None:
    """Take up a parked story again, at the stage that it has earned."""
    from ingest.books import assert_writable
    from ingest.books import reopen as write_reopened

    base = base_of(context)
    story = base.story(slug)
    assert_writable(story, "parked", "pauses")
    parked = story.front.parked
    if story.front.status != "parked" and not parked:
        raise UserError(story.where("status"), f"it is not parked, but {story.front.status}", "")
    _kept(
        base,
        story,
        [lambda text: write_reopened(text, story, _today(base, day))],
        told=f"was parked on {parked.date}: {parked.because}" if parked else "",
        minds=("status", "parked"),
    )


@click.command()
@click.argument("title", required=False)
@click.option("--from", "origin", metavar="TICKET", help="Start from a ticket, which is recorded with the story.")
@click.option("--slug", help="The story's name in addresses; by default made from the title.")
@click.option("--said", help="What was reported, in the reporter's words; by default the title.")
@click.option("--customers", type=click.IntRange(min=1), help="How many reported it; by default 1.")
@click.option("--link", help="The report in its own system.")
@_words("area", "owner", "what")
@_lists
@click.option("--edit/--no-edit", default=None, help="Open the editor ($VISUAL, $EDITOR), or not; on a terminal only.")
@click.pass_context
def new(context: click.Context, /, title: str | None, origin: str | None, edit: bool | None, **details: Any) -> None:
    """Start a story from a vague sentence, or from a ticket; stories with similar symptoms are shown first."""
    from ingest.scaffold import similar_stories, ticket_link, write_story

    base = base_of(context)
    if origin:
        address = ticket_link(base.settings, origin)
        click.echo(f"{origin}: {address or 'no address (declare a pattern under tickets: in knowledge-base.yml)'}")
        details["ticket"] = (origin, *(each for each in details["ticket"] if each != origin))
    title = _asked(title and title.strip(), "TITLE", "What is slow, in the words of who notices it?")
    words = " ".join([title, details["said"] or "", *details["symptom"]])
    if not _is_new(similar_stories(base.stories, words, tickets=details["ticket"])):
        return
    if is_terminal():
        details["area"] = details["area"] or _ask_area(base)
        details["customers"] = details["customers"] or click.prompt(
            "How many customers reported it?", type=click.IntRange(min=1), default=1
        )
    path = write_story(
        base,
        title,
        **{name: details.pop(name) for name in ("slug", "said", "link")},
        customers=details.pop("customers") or 1,
        words=details,
    )
    click.echo(f"wrote {path.relative_to(base.root)}: status reported")
    if is_terminal() and (edit or edit is None):
        _edit(os.path.relpath(path), always=bool(edit))
    _say_next(context, path.stem)


def _is_new(similar: "list[tuple[Story, list[str]]]") -> bool:
    """Shows stories that sound alike; on a terminal, whether it is none of them."""
    for story, words in similar:
        click.echo(f"similar: stories/{story.slug}.md  {story.front.title}  (both say {', '.join(words)})")
    if not similar:
        return True
    add = f'perfkb report {similar[0][0].slug} "WHAT THEY SAID"'
    if not is_terminal():
        click.echo(f"if it is one of these, add a report there instead ({add}), and remove the new file")
        return True
    if click.confirm("Is it none of these?", default=True):
        return True
    click.echo(f"next: {add}")
    return False


def _edit(path: str, *, always: bool) -> None:
    """Opens the author's editor on a file; without one of their own only if they ask for it."""
    if always or os.environ.get("VISUAL") or os.environ.get("EDITOR"):
        try:
            click.edit(filename=path)
        except click.ClickException as error:
            # The story is there, whatever the editor makes of it.
            click.echo(f"warning: the editor failed: {one_line(error.message)} (open {path} by hand)", err=True)


def _say_next(context: click.Context, slug: str) -> None:
    """What comes next for a story as it stands in its file, after what is wrong with it by now."""
    from ingest.check import check_story

    base = base_of(context)
    for problem in check_story(base.story(slug), base):
        click.echo(str(problem), err=True)
    click.echo(f"next: {next_of(base, slug)}")


def next_of(base: "KnowledgeBase", slug: str) -> str:
    """What comes next for a story."""
    from ingest.books import next_step
    from ingest.pins import NO_PINS

    zone = base.settings.timezone
    return next_step(base.story(slug), base.pins.get(slug, NO_PINS), base.clock.today(zone), zone)


commands = (new, report, tell, timebox, believe, choose, fix, ship, park, reopen)
