"""The configuration in `site-config/`, as typed and frozen objects.

`knowledge-base.yml` is about the company, `sources.yml` about where telemetry comes
from. A source's own keys stay as they were written (`SourceConfig.options`), because only
the source's module knows them; so adding a source changes nothing here. `${NAME}` in
sources.yml is left unexpanded as well: a build needs no credentials.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Annotated, Any, TypeVar, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, WithJsonSchema

from ingest.errors import Problem
from ingest.fields import IDENTIFIER, Amount, Day, Duration, Identifier, Line, Link, Moment, Name, Strict, Title, wrong
from ingest.marked import Marked, read_yaml
from ingest.schema import read_model, read_whole
from ingest.story import Series
from ingest.tickets import matcher
from ingest.units import Quantity

Own = TypeVar("Own", bound=Strict)

KNOWLEDGE_BASE_FILE = "site-config/knowledge-base.yml"
SOURCES_FILE = "site-config/sources.yml"
DEFAULT_STORE = ".snapshots"
CUSTOMER_FIELDS = ("impact", "affected", "revenue", "video", "blocks_workflow", "downstream", "support_toil", "churn")


def _read_zone(value: Any) -> ZoneInfo:
    if isinstance(value, ZoneInfo):
        return value
    try:
        return ZoneInfo(str(value))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise wrong(f"{value!r} is not a time zone", "write UTC or a name such as Europe/Berlin") from None


def _read_ticket_pattern(value: Any) -> str:
    try:
        matcher(str(value))
    except ValueError as error:
        raise wrong(f"{value!r} is not a regular expression: {error}", "write one such as PERF-[0-9]+") from None
    return str(value)


def _read_step(value: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= value <= timedelta(days=1) or timedelta(days=1) % value:
        # A day must be a whole number of steps, or its figures would borrow from its neighbours.
        raise wrong("this does not divide a day", "write 1h, or another part of a day from 1m on")
    return value


def _read_price(value: Quantity) -> Quantity:
    if value.value <= 0 or not re.fullmatch("[A-Z]{3}", value.unit):
        raise wrong(f"{value} is not a price", "write 60 EUR: a number, and the three letters of a currency")
    return value


def _read_store(text: str) -> str:
    if "://" in text and re.search(r"://[^/]*@|[?#]|::", text):
        what = "the address of a store holds no credentials and no query"
        raise wrong(what, "write s3://bucket/folder; credentials come from the environment")
    if re.fullmatch(r"[^:/]*:/*|(file|local)://[^/].*", text):
        # It would be another one for each folder that the command is called from.
        raise wrong("the address of a store names no place", "write s3://bucket/folder or file:///srv/perfkb")
    return text


def _read_webhook(text: str) -> str:
    # Such an address is a credential: who knows it can write there.
    if not re.fullmatch(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}", text):
        raise wrong("the address must come from the environment", "write ${PERFKB_WEBHOOK}, and export that")
    return text


StorePlace = Annotated[Line, AfterValidator(_read_store)]
WebhookPlace = Annotated[Line, AfterValidator(_read_webhook)]
Zone = Annotated[
    ZoneInfo, PlainValidator(_read_zone), WithJsonSchema({"type": "string", "examples": ["Europe/Berlin"]})
]
TicketPattern = Annotated[str, BeforeValidator(_read_ticket_pattern)]
Step = Annotated[Duration, AfterValidator(_read_step)]
Price = Annotated[Amount, AfterValidator(_read_price)]


class Area(Strict):
    """A part of the product, and the team that looks after it."""

    title: Title
    """The area's name."""
    team: Line | None = None
    """The team that owns its stories."""


class Freshness(Strict):
    """How old telemetry may become before a page says so."""

    warn: Duration = timedelta(hours=36)
    """From this age on a series is called stale."""
    error: Duration = timedelta(days=7)
    """From this age on it is called long stale."""


class Rate(Strict):
    """What an hour costs."""

    per_hour: Price
    """The price of an hour, such as 60 EUR."""
    as_of: Day
    """The day on which that was so."""
    source: Link | None = None
    """Where the price can be looked up."""


class Rates(Strict):
    """Prices of hours, for equivalents in money, which stand beside the hours and are never added up."""

    people: Rate | None = None
    """What an hour of the people costs who wait."""
    machines: Rate | None = None
    """What an hour of a machine costs."""


class Settings(Strict):
    """What `site-config/knowledge-base.yml` holds."""

    name: Title = "Performance knowledge base"
    """The site's name."""
    url: Link | None = None
    """The address at which the site is published."""
    timezone: Zone = ZoneInfo("UTC")
    """The zone whose calendar days are the days of all figures."""
    accountable: Line | None = None
    """The performance team."""
    areas: dict[Identifier, Area] = Field(default_factory=dict)
    """The parts of the product."""
    tickets: dict[TicketPattern, Link] = Field(default_factory=dict)
    """A pattern for ticket names, and the address they link to ({} is the name)."""
    report_form: Link | None = None
    """Where a customer's report goes ({title} and {url} are filled in)."""
    freshness: Freshness = Freshness()
    """How old telemetry may become."""
    rates: Rates = Rates()
    """What hours cost, for an equivalent in money."""
    office_hours: Line | None = None
    """When and where anyone can bring a slow thing."""
    series: dict[Name, Series] = Field(default_factory=dict)
    """Series that several stories share through `use`."""
    hide: tuple[Line, ...] = ()
    """Customer fields that are kept out of the site and its data files."""
    store: StorePlace = DEFAULT_STORE
    """Where live telemetry is kept: a folder relative to the knowledge base, or an address such as s3://bucket/perfkb."""
    notify: WebhookPlace | None = None
    """The address that `perfkb notify` tells of faults, from the environment: ${NAME}."""
    now: Moment | None = None
    """Samples and tests only: the clock of this knowledge base; a banner says so."""

    @property
    def store_url(self) -> str | None:
        """The store's address, where it is no folder."""
        return self.store if "://" in self.store else None


class SourceBasics(Strict):
    """What every source of `site-config/sources.yml` has; `kind` decides the rest."""

    kind: Line
    """The kind of source."""
    title: Title | None = None
    """The source's name, in words."""
    step: Step = timedelta(hours=1)
    """The time that one row covers."""
    history: Duration = timedelta(days=90)
    """How far back a first fetch reaches."""
    settle: Duration = timedelta(0)
    """How long after its end a step may still change; until then it is not fetched."""
    parallel: Annotated[int, Field(ge=1, le=64)] = 8
    """How many requests its host gets at a time; of several sources on one host, the smallest holds."""
    budget: Duration = timedelta(minutes=15)
    """How long one refresh may be busy with it; what is not fetched by then keeps its last good data."""
    explore: Link | None = None
    """An address that opens a query in the company's own tools ({query}, {json}, {from} and {to} are filled in)."""


@dataclass(frozen=True)
class SourceConfig:
    """One source: what all kinds share, and the kind's own keys as they were written.

    As it is asked how many reports there are (`counts`), once a day, a source is one of these as well.
    """

    id: str
    basics: SourceBasics
    options: Marked
    counts: bool = False
    _own: dict[type[Strict], Strict | None] = field(default_factory=dict, init=False, compare=False, repr=False)

    @property
    def kind(self) -> str:
        return self.basics.kind

    @property
    def title(self) -> str:
        return self.basics.title or self.id

    @property
    def step(self) -> timedelta:
        return self.basics.step

    @property
    def for_counts(self) -> "SourceConfig":
        """The source as it is asked for counts: one row a day, and none of the past."""
        day = {"step": timedelta(days=1), "history": timedelta(days=1)}
        return replace(self, basics=self.basics.model_copy(update=day), counts=True)

    def own(self, model: type[Own]) -> Own | None:
        """The kind's own keys as its `model`, read once; None where they hold a mistake."""
        if model not in self._own:
            self._own[model] = read_whole(model, self.options)[0]
        return cast("Own | None", self._own[model])

    def fingerprint(self, series: Series) -> str:
        """A hash of all that decides which numbers come back for `series`, with what sources.yml says of it."""
        named = self.options.data.get("queries") or self.options.data.get("measures")
        # A report names what counts it as its query, if there is more than one thing that does.
        name = series.query if self.counts else series.metric
        recipe = named.get(name) if isinstance(named, dict) else None
        if isinstance(recipe, dict):
            # What may be asked besides changes no number.
            recipe = {key: value for key, value in recipe.items() if key not in ("match", "unit")}
        if self.counts:
            return series.fingerprint(self.step, {"counts": self.options.data.get("count", recipe or True)})
        return series.fingerprint(self.step, {"recipe": recipe} if recipe else {})


def unknown_source(name: str) -> SourceConfig:
    """What stands in for a source that sources.yml does not have; it has no kind and answers nothing."""
    return SourceConfig(name, SourceBasics(kind="unknown"), Marked(SOURCES_FILE))


@dataclass(frozen=True)
class Configuration:
    """Both files of `site-config/`, and what is wrong with them."""

    settings: Settings
    sources: dict[str, SourceConfig]
    problems: tuple[Problem, ...] = ()

    def source_of(self, series: Series) -> SourceConfig:
        """The source of `series`, or what stands in for one that is unknown."""
        return self.sources.get(series.source) or unknown_source(series.source)


def read_settings(raw: bytes | None) -> tuple[Settings, Marked, list[Problem]]:
    """The knowledge base's settings; all defaults where there is no file."""
    marked = read_yaml(KNOWLEDGE_BASE_FILE, raw or b"")
    settings, usable, problems = read_model(Settings, marked, {})
    found = [*marked.problems, *problems]
    for index, name in enumerate(settings.hide):
        if name not in CUSTOMER_FIELDS:
            what = f"hide[{index}]: {name!r} is not a customer field"
            found.append(Problem(usable.where(("hide", index)), "PK104", what, f"known: {', '.join(CUSTOMER_FIELDS)}"))
    return settings, usable, found


def read_sources(raw: bytes | None) -> tuple[dict[str, SourceConfig], list[Problem]]:
    """The sources by id; the built-in `demo` alone where there is no file."""
    marked = read_yaml(SOURCES_FILE, raw if raw is not None else b"demo: {kind: demo}\n")
    problems = list(marked.problems)
    sources: dict[str, SourceConfig] = {}
    for name in marked.data:
        source, found = _read_source(name, marked)
        problems += found
        if source:
            sources[name] = source
    return sources, problems


def _read_source(name: str, marked: Marked) -> tuple[SourceConfig | None, list[Problem]]:
    where = marked.where((name,))
    if not IDENTIFIER.fullmatch(name):
        return None, [Problem(where, "PK103", f"{name!r} is not an id", "lower-case letters, digits, - and _")]
    entry = marked.below(name)
    if entry is None:
        return None, [Problem(where, "PK103", f"{name}: must be a mapping", "write `kind: prometheus` below it")]
    options = {key: value for key, value in entry.data.items() if key not in SourceBasics.model_fields}
    shared = {key: value for key, value in entry.data.items() if key in SourceBasics.model_fields}
    basics, usable, problems = read_model(SourceBasics, replace(entry, data=shared), {"kind": "unknown"})
    if usable.data.get("kind") is None:
        return None, problems
    return SourceConfig(name, basics, replace(entry, data=options)), problems
