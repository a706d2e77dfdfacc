"""One cheap question to each source, and to the store: can they be reached, and do they still let us in?"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ingest.clock import floor
from ingest.errors import FetchError, UserError
from ingest.health import HEALTH_FILE
from ingest.knowledge import KnowledgeBase
from ingest.lanes import asked, options_of, refuse_unfit
from ingest.refresh import Wish, wishes
from ingest.remote import Remote
from ingest.settings import SourceConfig
from ingest.sources import SOURCES, Source, Window
from ingest.sources.base import Probing

AT_ONCE = 8
WORDS = {
    "credentials": "credentials refused",
    "query": "query refused",
    "answer": "wrong answer",
    "source": "no answer",
}


@dataclass(frozen=True)
class Answered:
    """What a source said: `state` is ok, unasked (no story says what to ask), or what is wrong."""

    name: str
    state: str
    told: str = ""

    @property
    def failed(self) -> bool:
        return self.state not in ("ok", "unasked")


def probe(base: KnowledgeBase, environ: Mapping[str, str]) -> Iterator[Answered]:
    """Asks the store, if it lies elsewhere, and every source of sources.yml; in that order."""
    first: dict[str, Wish] = {}
    for wish in wishes(base):
        first.setdefault(wish.config.id, wish)
    if base.settings.store_url:
        yield _of_store(base.settings.store_url)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        sources = base.config.sources.values()
        yield from pool.map(lambda config: _of_source(base, config, environ, first.get(config.id)), sources)


def _of_store(url: str) -> Answered:
    try:
        remote = Remote(url)
        # Some kinds list nothing where they find nobody.
        remote.names()
        remote.get([HEALTH_FILE])
    except PermissionError as error:
        return Answered("store", WORDS["credentials"], str(error.strerror))
    except OSError as error:
        return Answered("store", WORDS["source"], str(error.strerror))
    except UserError as error:
        return Answered("store", "cannot be asked", str(error))
    return Answered("store", "ok", url)


def _of_source(base: KnowledgeBase, config: SourceConfig, environ: Mapping[str, str], wish: Wish | None) -> Answered:
    try:
        options = options_of(config)
        source = SOURCES[config.kind](config.id, options, environ, base.root)
    except UserError as error:
        return Answered(config.id, "cannot be asked", str(error))
    try:
        return Answered(config.id, *_ask(base, source, wish))
    except FetchError as error:
        return Answered(config.id, WORDS[error.fault], error.what)
    except Exception as error:  # its words could quote a credential
        return Answered(config.id, "cannot be asked", f"a bug in perfkb: {type(error).__name__}")
    finally:
        source.close()


def _ask(base: KnowledgeBase, source: Source, wish: Wish | None) -> tuple[str, str]:
    """The source's own question, or else the last step of a series that a story asks of it; raises FetchError."""
    if isinstance(source, Probing):
        return "ok", source.probe()
    if wish is None:
        return "unasked", "no story asks anything of it"
    refuse_unfit(wish.series, wish.config)
    end = floor(base.clock.now, wish.config.step)
    asked(source, wish.series, Window(end - wish.config.step, end, wish.config.step), counts=wish.config.counts)
    return "ok", "answers a query of a story"
