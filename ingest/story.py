"""A story: the schema of its front matter, and its loader.

`read_story` never fails: what is wrong with a file is part of what it returns, each
mistake at its line and column. What needs more than one file (an area, another story)
is checked in `ingest.check`, what a stage demands in `ingest.lifecycle`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from ingest.codes import UNREADABLE
from ingest.errors import Problem, Where
from ingest.fields import (
    Amount,
    Day,
    DayOrMoment,
    Duration,
    Identifier,
    Line,
    Link,
    Name,
    Percent,
    Slug,
    Strict,
    Text,
    Title,
    Truth,
    WorkingTime,
)  # fmt: skip
from ingest.marked import Document, read_document
from ingest.prose import overload
from ingest.schema import read_model

Stage = Literal["reported", "investigating", "testing", "confirmed", "fixing", "shipped", "measured", "parked"]
Kind = Literal["histogram", "total", "rate", "gauge", "latency", "ratio"]
Verdict = Literal["open", "confirmed", "disproved", "inconclusive"]
# Each is fetched and drawn: without a limit, one story could keep a build busy for an hour.
MOST_SERIES = 40
MOST_BELIEFS = 100
MOST_WORDS = 100


class Measured(Strict):
    """A figure with what makes it checkable: its unit, its date and its source."""

    value: Line
    """The figure."""
    unit: Line | None = None
    """What is counted."""
    as_of: Day | None = None
    """The day on which the figure held."""
    source: Link | None = None
    """Where the figure can be looked up."""


# Tags of unions stand in angle brackets: a field may have the same name.
def _text_or_mapping(value: Any) -> str:
    return "<mapping>" if isinstance(value, (dict, Measured)) else "<text>"


Answer = Annotated[
    Annotated[Text, Tag("<text>")] | Annotated[Measured, Tag("<mapping>")],
    Discriminator(_text_or_mapping),
]


class Customer(Strict):
    """What the problem means to customers; what is not answered is shown as unknown."""

    impact: Answer | None = None
    """How it affects the customer."""
    affected: Answer | None = None
    """How many customers it affects."""
    revenue: Answer | None = None
    """How much those customers pay."""
    video: Answer | None = None
    """A recording of the problem as a customer sees it."""
    blocks_workflow: Answer | None = None
    """Whether it keeps customers from doing their work."""
    downstream: Answer | None = None
    """Whom else it hurts: the customers' customers."""
    support_toil: Answer | None = None
    """What it costs the support team."""
    churn: Answer | None = None
    """Whether customers left because of it."""


class Said(Strict):
    """One report: somebody noticed the problem."""

    date: Day
    """The day of the report."""
    said: Line
    """What they said, in their own words."""
    customers: Annotated[int, Field(ge=1, le=1_000_000_000)] = 1
    """How many customers this report stands for."""
    link: Link | None = None
    """The report in its own system."""


class Counted(Strict):
    """Reports that are counted in another system by `refresh`."""

    source: Identifier
    """An id of sources.yml."""
    query: Line
    """The query that counts the reports."""

    @property
    def name(self) -> str:
        """The name under which the counts are kept."""
        return "reports_" + hashlib.sha256(json.dumps([self.source, self.query]).encode()).hexdigest()[:12]

    @property
    def series(self) -> "Series":
        """The counts as a series: one row a day."""
        return Series(source=self.source, kind="gauge", query=self.query, unit="reports")


Report = Annotated[
    Annotated[Said, Tag("<said>")] | Annotated[Counted, Tag("<counted>")],
    Discriminator(lambda value: "<counted>" if _has(value, "source") else "<said>"),
]


class Series(Strict):
    """A named series of telemetry: what to ask of which source, and what the numbers are."""

    source: Identifier
    """An id of sources.yml."""
    kind: Kind
    """How the numbers add up: histogram, total, rate, gauge, latency or ratio."""
    metric: Line | None = None
    """The metric's name; the source makes its queries from it."""
    match: dict[str, Line] | None = None
    """Labels that the metric must carry."""
    query: Text | None = None
    """A query in the source's own language, instead of `metric`; for a histogram, its buckets by `le`."""
    sum: Text | None = None
    """The query for the sum of a histogram's values, beside `query`."""
    unit: Line = ""
    """The unit of the values, such as s or ms."""
    title: Title | None = None
    """What the series shows, in words."""
    waiting: Literal["people", "machines"] = "people"
    """Who waits while this takes long; only people's time counts as user-hours."""
    better: Literal["lower", "higher"] = "lower"
    """The direction of an improvement."""
    allow_empty: Truth = False
    """An answer without rows is no fault: nothing happened."""

    def fingerprint(self, step: timedelta, more: Mapping[str, Any] = MappingProxyType({})) -> str:
        """A hash of all that decides which numbers come back, and of `more`; a changed query changes it."""
        asked = {
            "source": self.source, "kind": self.kind, "metric": self.metric, "match": self.match,
            "query": self.query, "sum": self.sum, "step": step.total_seconds(), **more,
        }  # fmt: skip
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


class Use(Strict):
    """A series that knowledge-base.yml declares for several stories."""

    use: Name
    """The name of the shared series."""


Telemetry = Annotated[
    Annotated[Series, Tag("<series>")] | Annotated[Use, Tag("<use>")],
    Discriminator(lambda value: "<use>" if _has(value, "use") else "<series>"),
]
Quantile = Annotated[float, Field(gt=0, lt=1)]


class Goal(Strict):
    """A service level objective: which quantile of a series should be below what."""

    series: Name
    """A series of this story."""
    quantile: Quantile = 0.95
    """The share of requests that must be as fast as the goal."""
    below: Amount
    """The goal, with its unit."""


class Timebox(Strict):
    """A look of an hour or two, with a question: it gauges what a fix would take."""

    date: Day
    """The day of the look."""
    question: Line
    """What it should find out."""
    budget: Duration
    """How long it may take."""
    spent: Duration | None = None
    """How long it took."""
    outcome: Text | None = None
    """What it found."""
    effort: WorkingTime | None = None
    """What a fix would take, as far as is known now."""


class Test(Strict):
    """How telemetry decides a hypothesis; the threshold is written before the data is looked at."""

    share: Name | None = None
    """A component's series, whose part of `of` is tested."""
    of: Name | None = None
    """The whole that `share` is a part of."""
    contrast: Name | None = None
    """A group's series, tested against `against`."""
    against: Name | None = None
    """The group to compare `contrast` with."""
    change: Name | None = None
    """A series that an experiment or canary should change, at `at`."""
    at: DayOrMoment | None = None
    """When the experiment of `change` began."""
    quantile: Quantile | None = None
    """Which quantile is compared; the mean where it is left out."""
    at_least: Percent
    """The threshold that confirms the hypothesis."""
    from_: Annotated[Day, Field(alias="from")]
    """The first day that is looked at."""
    to: Day
    """The last day that is looked at, inclusive."""

    @property
    def kind(self) -> str:
        """`share`, `contrast` or `change`; empty where none or several are given."""
        given = [name for name in ("share", "contrast", "change") if getattr(self, name)]
        return given[0] if len(given) == 1 else ""

    @property
    def is_whole(self) -> bool:
        """Whether it makes one comparison, and has both of its sides."""
        return bool(self.kind and getattr(self, PARTNER[self.kind]))

    @property
    def names(self) -> dict[str, str]:
        """The series that it names, by the key that names them."""
        given = {key: getattr(self, key) for key in ("share", "of", "contrast", "against", "change")}
        return {key: name for key, name in given.items() if name}


PARTNER = {"share": "of", "contrast": "against", "change": "at"}
"""What each kind of test cannot be without."""


class Hypothesis(Strict):
    """A belief, `I believe X makes Y slow for Z`, and what became of it."""

    id: Identifier
    """Its name within the story."""
    because: Line
    """What is believed to be the cause."""
    slows: Line | None = None
    """What it makes slow."""
    for_: Annotated[Line | None, Field(alias="for")] = None
    """For whom."""
    written: Day
    """The day on which it was written down, before the data was looked at."""
    test: Test | None = None
    """How telemetry decides it."""
    verdict: Verdict = "open"
    """What the test said."""
    decided: Day | None = None
    """The day of the verdict."""


class Chosen(Strict):
    """The judgement that this is worth fixing now."""

    date: Day
    """The day of the decision."""
    because: Text
    """The reason, in words."""


class Fix(Strict):
    """A change that should help, in a ticket of its own."""

    id: Identifier
    """Its name within the story."""
    ticket: Line | None = None
    """Its ticket."""
    expected: Percent | None = None
    """The expected change; -60 % is 60 % less."""
    series: Name | None = None
    """The series it should change; by default that of `slo`."""
    quantile: Quantile | None = None
    """The quantile it should change; by default that of `slo`."""
    control: Name | None = None
    """A series that the fix does not touch, to compare with."""
    shipped: DayOrMoment | None = None
    """When it went live."""
    change: Link | None = None
    """The change itself, such as a pull request."""
    took: WorkingTime | None = None
    """What it took."""
    accept: Text | None = None
    """Why the measured impact counts although the week before the fix was unusual."""


class Parked(Strict):
    """Stopped on purpose."""

    date: Day
    """The day of the decision."""
    because: Text
    """The reason, in words."""
    revisit: Day | None = None
    """When to look again."""


class Pause(Strict):
    """A time in which the story was parked, which is over."""

    parked: Day
    """The day on which it was parked."""
    because: Text
    """Why it was, in words."""
    reopened: Day
    """The day on which it was taken up again."""


class FrontMatter(Strict):
    """The front matter of a story."""

    title: Title
    """What is slow, in the words of who notices it."""
    status: Stage
    """The stage the story has reached."""
    area: Identifier | None = None
    """An area of knowledge-base.yml."""
    owner: Line | None = None
    """Who is responsible; by default the area's team."""
    opened: Day | None = None
    """When the story began; by default its first report."""
    tickets: Annotated[tuple[Title, ...], Field(max_length=MOST_WORDS)] = ()
    """Tickets in other systems."""
    tags: Annotated[tuple[Title, ...], Field(max_length=MOST_WORDS)] = ()
    """Words to find the story by."""
    endpoints: Annotated[tuple[Line, ...], Field(max_length=MOST_WORDS)] = ()
    """What the story is about; ties stories about the same thing together."""
    symptoms: Annotated[tuple[Line, ...], Field(max_length=MOST_WORDS)] = ()
    """How customers describe the problem."""
    workaround: Text | None = None
    """What customers can do meanwhile."""
    say: Text | None = None
    """A sentence that support may send to a customer."""
    who: Text | None = None
    """Who has the problem."""
    what: Text | None = None
    """What is slow."""
    when: Text | None = None
    """When it is slow: always, or in the mornings?"""
    where: Text | None = None
    """Where it is slow: a page, a job, a region."""
    why: Text | None = None
    """Why it is slow, once that is known."""
    customer: Customer = Customer()
    """What the problem means to customers."""
    reports: tuple[Report, ...] = ()
    """Who noticed it, and what they said."""
    telemetry: Annotated[dict[Name, Telemetry], Field(max_length=MOST_SERIES)] = Field(default_factory=dict)
    """Named series of telemetry."""
    slo: Goal | None = None
    """The goal that the problem misses."""
    profiles: Annotated[tuple[Link, ...], Field(max_length=MOST_WORDS)] = ()
    """Profiles and traces."""
    timeboxes: tuple[Timebox, ...] = ()
    """Looks at the problem, with what they found."""
    hypotheses: Annotated[tuple[Hypothesis, ...], Field(max_length=MOST_BELIEFS)] = ()
    """What is believed to be the cause, and what became of it."""
    chosen: Chosen | None = None
    """Why it was chosen to be fixed."""
    fixes: Annotated[tuple[Fix, ...], Field(max_length=MOST_BELIEFS)] = ()
    """Changes that should help."""
    parked: Parked | None = None
    """Why it was stopped, on purpose."""
    pauses: Annotated[tuple[Pause, ...], Field(max_length=MOST_WORDS)] = ()
    """When it was parked before, and taken up again; `perfkb reopen` writes it."""
    same_as: Slug | None = None
    """The story that this one repeats; the two are counted once."""
    override: dict[Line, Text] = Field(default_factory=dict)
    """Rules that do not hold for this story, each with its reason, which the page shows."""
    draft: Truth = False
    """Shown in the preview only."""


@dataclass(frozen=True)
class Story:
    """A story as it was read: what is usable of it, and every problem with its place.

    `series` holds its telemetry with shared series resolved; one that names an unknown
    shared series is left out (and is a problem). `mistaken` are the fields that hold a mistake.
    The `body` is empty where its Markdown is more than can be rendered (PK008).
    """

    slug: str
    path: str
    front: FrontMatter
    series: dict[str, Series]
    body: str
    document: Document
    mistaken: frozenset[str] = frozenset()
    problems: tuple[Problem, ...] = ()

    def where(self, *path: str | int) -> Where:
        """The place of a part of the front matter: `story.where("timeboxes", 0)`."""
        return self.document.where(path)

    @property
    def opened(self) -> date | None:
        """The day on which the story began: as written, else its first report."""
        return self.front.opened or min((each.date for each in self.said), default=None)

    @property
    def said(self) -> tuple[Said, ...]:
        """The reports that are written in the story."""
        return tuple(each for each in self.front.reports if isinstance(each, Said))

    @property
    def counted(self) -> dict[str, Counted]:
        """The reports that are counted elsewhere, by the names of their counts."""
        return {each.name: each for each in self.front.reports if isinstance(each, Counted)}


def read_story(slug: str, path: str, raw: bytes, shared: dict[str, Series]) -> Story:
    """The story in the file at `path`, whose bytes are `raw`; `shared` are the series that `use` names."""
    document = read_document(path, raw)
    front, usable, problems = read_model(FrontMatter, document, {"title": slug, "status": "reported"})
    series = {}
    for name, entry in front.telemetry.items():
        if isinstance(entry, Series):
            series[name] = entry
        elif entry.use in shared:
            series[name] = shared[entry.use]
    mistaken = frozenset(key for key, value in document.data.items() if usable.data.get(key) != value)
    if any(each.code in UNREADABLE for each in document.problems):
        # A file that cannot be read lacks every field; saying so again would bury the cause.
        problems, mistaken = [], frozenset(FrontMatter.model_fields)
    refused = list(overload(path, document.body, document.body_line))
    found = tuple(sorted(document.problems + problems + refused))
    return Story(slug, path, front, series, "" if refused else document.body, usable, mistaken, found)


def json_schema() -> dict[str, Any]:
    """The front matter's JSON Schema for editors: every field's description, and examples where they help.

    Of draft 7, which editors know best.
    """
    made = _without_null(FrontMatter.model_json_schema(by_alias=True))
    for name, examples in EXAMPLES.items():
        owner, _, field = name.rpartition(".")
        properties = (made["$defs"][owner] if owner else made)["properties"]
        properties[field]["examples"] = list(examples)
    return {"$schema": "http://json-schema.org/draft-07/schema#", **made}


def _without_null(schema: Any) -> Any:
    """A schema without its alternatives of null, which would bury what is wrong with a value that is there."""
    if isinstance(schema, list):
        return [_without_null(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _without_null(each) for key, each in schema.items() if not (key == "default" and each is None)}
    some = [each for each in made.get("anyOf", ()) if each != {"type": "null"}]
    if len(some) != 1:
        return made
    del made["anyOf"]
    # Beside a reference, editors of draft 7 read nothing else.
    return {**made, "allOf": some} if "$ref" in some[0] else {**some[0], **made}


EXAMPLES: dict[str, tuple[Any, ...]] = {
    "title": ("Campaign list is slow for accounts with many lists",),
    "status": ("reported",),
    "area": ("campaigns",),
    "owner": ("@growth-web",),
    "opened": ("2026-09-01",),
    "tickets": (["PERF-212"],),
    "tags": (["mysql", "n-plus-one"],),
    "endpoints": (["GET /campaigns"],),
    "symptoms": (["campaigns page spins", "campaign list won't load"],),
    "workaround": ("Filter by folder first",),
    "say": ("We know why the campaign list is slow for accounts with many lists and are working on it.",),
    "who": ("Accounts with more than 50 lists, 2 % of accounts",),
    "what": ("The campaign list loads slowly",),
    "when": ("Always, worst on Tuesday mornings",),
    "where": ("web, CampaignList.index",),
    "why": ("One COUNT query per list",),
    "reports": ([{"date": "2026-09-01", "said": "page spins", "customers": 1}],),
    "telemetry": ({"requests": {"use": "other_pages"}},),
    "slo": ({"series": "requests", "quantile": 0.95, "below": "1 s"},),
    "profiles": (["https://profiles.example/77"],),
    "chosen": ({"date": "2026-09-12", "because": "It blocks our largest accounts"},),
    "parked": ({"date": "2026-09-12", "because": "The page is being replaced", "revisit": "2027-03-01"},),
    "pauses": ([{"parked": "2026-09-12", "because": "The page is being replaced", "reopened": "2027-03-01"}],),
    "same_as": ("slow-campaign-list",),
    "override": ({"PK303": "The vendor was on the call"},),
    "Customer.impact": ("They wait on every visit",),
    "Customer.affected": ({"value": 1200, "unit": "accounts", "as_of": "2026-09-05"},),
    "Customer.revenue": ({"value": "18 %", "as_of": "2026-09-05"},),
    "Customer.blocks_workflow": ("partly",),
    "Customer.support_toil": ("41 tickets a quarter",),
    "Said.said": ("page spins",),
    "Counted.query": ("tag:slow-campaigns",),
    "Series.source": ("prod",),
    "Series.metric": ("http_request_duration_seconds",),
    "Series.match": ({"route": "/campaigns"},),
    "Series.query": ('sum(increase(db_query_seconds_sum{query="list_count"}[1h]))',),
    "Series.unit": ("s", "ms"),
    "Goal.quantile": (0.95,),
    "Timebox.question": ("What makes it slow for one account?",),
    "Timebox.outcome": ("Reproduced with 80 lists",),
    "Hypothesis.id": ("h1",),
    "Hypothesis.because": ("One COUNT query per list",),
    "Hypothesis.slows": ("GET /campaigns",),
    "Hypothesis.for": ("accounts with more than 50 lists",),
    "Hypothesis.test": (
        {"share": "count_query", "of": "requests", "at_least": "50 %", "from": "2026-09-04", "to": "2026-09-10"},
        {"contrast": "shared_hosts", "against": "own_hosts", "at_least": "15 %", "from": "2026-09-04",
         "to": "2026-09-10"},
        {"change": "canary", "at": "2026-10-12T09:00Z", "at_least": "-20 %", "from": "2026-09-28", "to": "2026-10-26"},
    ),
    "Fix.id": ("batch",),
    "Fix.ticket": ("PERF-240",),
    "Fix.change": ("https://code.example/pull/881",),
}  # fmt: skip
"""What a field may hold, by its name: `area`, or `Fix.ticket` within another mapping."""


def moment_of(when: date | datetime, zone: tzinfo) -> datetime:
    """The moment at which a day begins in `zone`, or the moment itself."""
    return when if isinstance(when, datetime) else datetime.combine(when, time(), zone)


def day_of(when: date | datetime, zone: tzinfo) -> date:
    """The calendar day of `when` in `zone`."""
    return when.astimezone(zone).date() if isinstance(when, datetime) else when


def _has(value: Any, key: str) -> bool:
    return key in value if isinstance(value, dict) else hasattr(value, key)
