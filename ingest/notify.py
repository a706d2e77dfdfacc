"""What needs a person, told once: by the health file, and by what became of gains."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from ingest.errors import FetchError, UserError
from ingest.evidence import Facts
from ingest.evidence.load import load_facts
from ingest.fields import is_unprintable, read_link
from ingest.health import Outcome, read_health, read_told, write_told
from ingest.knowledge import KnowledgeBase
from ingest.refresh import open_store
from ingest.settings import KNOWLEDGE_BASE_FILE
from ingest.sources.base import expand
from ingest.sources.http import Client, HttpOptions

IN_A_ROW = 2
"""A single failure is what retries and the next run are for."""
LONGEST = timedelta(minutes=5)


@dataclass(frozen=True)
class Event:
    """Something to tell; as long as it goes on, its `key` stays the same."""

    key: str
    text: str


@dataclass(frozen=True)
class News:
    """All that goes on, and what of it nobody was told yet."""

    all: tuple[Event, ...]
    new: tuple[Event, ...]


def news(base: KnowledgeBase, say: str | None = None) -> News:
    """What goes on as of the last refresh, and `say`, which is another's."""
    outcomes = list(read_health(base.store).values())
    facts = load_facts(base, {}, [story for story in base.stories if not story.front.draft])
    said = [Event(f"said {say}", plain(say))] if say else []
    found = (*_sources(outcomes, base), *_series(outcomes, base), *_gains(facts), *said)
    told = read_told(base.store)
    return News(found, tuple(event for event in found if event.key not in told))


def _sources(outcomes: list[Outcome], base: KnowledgeBase) -> Iterator[Event]:
    """Sources that refuse our credentials, and those that failed in a row."""
    for source, members in groupby(sorted(outcomes, key=lambda each: each.source), lambda each: each.source):
        failed = [each for each in members if each.fault in ("source", "credentials")]
        refused = [each for each in failed if each.fault == "credentials"]
        if refused:
            yield Event(f"credentials {source}", f"Credentials of {source} are refused: {plain(refused[0].reason)}")
        elif lasting := [each for each in failed if each.failures >= IN_A_ROW]:
            most = max(each.failures for each in lasting)
            what = f"{source} failed {most} times in a row, {_count(lasting, base)}: {plain(lasting[0].reason)}"
            yield Event(f"source {source}", what)


def _series(outcomes: list[Outcome], base: KnowledgeBase) -> Iterator[Event]:
    """Series whose query or answer stays wrong while their source is there."""
    for each in outcomes:
        if each.fault in ("query", "answer") and each.failures >= IN_A_ROW:
            name = base.called(each.story, each.series)
            yield Event(
                f"series {each.story}/{each.series}",
                f"{name} failed {each.failures} times in a row: {plain(each.reason)}",
            )


def _gains(every: list[Facts]) -> Iterator[Event]:
    """Fixes whose gain is smaller than it was, or gone."""
    words = {"eroded": "is smaller than it was", "regressed": "is gone"}
    for facts in every:
        for fix in facts.fixes.values():
            if fix.standing in words:
                key = f"gain {facts.slug}/{fix.fix.id} {fix.standing}"
                yield Event(key, f"The gain of {facts.slug}/{fix.fix.id} {words[fix.standing]} since {fix.since}")


def _count(outcomes: list[Outcome], base: KnowledgeBase) -> str:
    first, *more = outcomes
    return f"{len(outcomes):,} series" if more else base.called(first.story, first.series)


def plain(text: str) -> str:
    """Words of others that notify nobody and link nowhere, in whatever a chat reads into a text."""
    line = " ".join("".join(" " if is_unprintable(each) else each for each in text).split())
    inert = line.replace("<", "\u2039").replace(">", "\u203a").replace("`", "\u2032").replace("@", "@\u2060")
    return re.sub(r"\[(?=[^\]]*\]\()", "[\u2060", inert)


def tell(base: KnowledgeBase, say: str | None, environ: Mapping[str, str], show: Callable[[Event], None]) -> str:
    """Shows and sends what is new, as one message; why that failed, or nothing. What was told is kept in the store.

    Raises UserError where the address is missing from the environment, and BusyError while a refresh runs.
    """
    with open_store(base, LONGEST) as store:
        # Not before: the folder of a machine that is new has nothing of a store that lies elsewhere.
        found, told, why = news(base, say), read_told(store.root), ""
        for event in found.new:
            show(event)
        if found.new:
            why = _send(base, found.new, environ)
        if not why:
            now = base.clock.now.isoformat()
            # What is over is forgotten, so that it is told when it happens again.
            write_told(store, {event.key: told.get(event.key, now) for event in found.all})
    return why


def _send(base: KnowledgeBase, events: tuple[Event, ...], environ: Mapping[str, str]) -> str:
    where = f"{KNOWLEDGE_BASE_FILE}: notify"
    address = expand(base.settings.notify or "", environ, where).strip()
    with suppress(ValueError):
        return _posted(read_link(address), base, events, environ)
    raise UserError(where, "what the environment has there is not a web address", "it begins with https://")


def _posted(address: str, base: KnowledgeBase, events: tuple[Event, ...], environ: Mapping[str, str]) -> str:
    title = f"{plain(base.settings.name)}: {len(events)} to look at"
    link = [f"{base.settings.url.rstrip('/')}/data/"] if base.settings.url else []
    text = "\n".join([title, *(f"- {event.text}" for event in events), *link])
    client = Client("the webhook", address, HttpOptions(), environ)
    try:
        client.post({"text": text}, client.deadline())
    except FetchError as error:
        return error.what
    finally:
        client.close()
    return ""
