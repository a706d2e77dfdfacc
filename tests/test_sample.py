"""The sample tells the truth: its pins follow from their rows, and its stories say what its telemetry says."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

import perfkb as front_door
from ingest.check import check
from ingest.evidence import Facts, FixFacts, SeriesFacts, Sibling
from ingest.evidence.fixing import judge, subject_of
from ingest.evidence.load import load_facts
from ingest.evidence.testing import evaluate
from ingest.knowledge import KnowledgeBase, read_knowledge_base
from ingest.pins import AnyPin, Judged, read_pins
from ingest.stats import METHOD
from ingest.story import Fix, day_of
from tests.commands import files_of
from tests.ingest.evidence.samples import facts, stored

ROOT = Path(__file__).parent.parent
HOUR = timedelta(hours=1)
HINT = "raise METHOD or run python -m tests.sample"
PINNED = sorted(
    path.parent.relative_to(ROOT / "stories").as_posix() for path in ROOT.glob("stories/*/pinned/*/numbers.json")
)


@pytest.fixture(scope="session")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the sample with its telemetry."""
    made = tmp_path_factory.mktemp("sample") / "kb"
    for name in ("stories", "site-config"):
        shutil.copytree(ROOT / name, made / name)
    done = CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(made), "refresh"])
    assert done.exit_code == 0, done.output
    return made


@pytest.fixture(scope="session")
def base(root: Path) -> KnowledgeBase:
    return read_knowledge_base(root, {})


@pytest.fixture(scope="session")
def sample(base: KnowledgeBase) -> dict[str, Facts]:
    return {each.slug: each for each in load_facts(base, {}, base.stories)}


def the_fix(sample: dict[str, Facts], name: str) -> FixFacts:
    slug, id_ = name.split("/")
    return sample[slug].fixes[id_]


# -- pins


def rows_of(file: Path) -> pd.DataFrame:
    """The rows of a pinned file, read as anybody would who has it and nothing of ours."""
    return pd.read_csv(file, index_col="time", parse_dates=["time"]).astype("float64")


def pinned_series(base: KnowledgeBase, slug: str, folder: Path, pin: AnyPin) -> dict[str, SeriesFacts]:
    """The series of a pin, from the rows beside it alone."""
    story = base.story(slug)
    made = {}
    for name, looked in pin.series.items():
        of = story.series[name]
        frame = rows_of(folder / f"{name}.csv")
        assert (of.kind, of.unit) == (looked.kind, looked.unit)
        found = facts(of, holds=stored(frame, of, HOUR), zone=base.settings.timezone, step=HOUR)
        made[name] = replace(found, slug=slug, name=name)
    return made


def recomputed(base: KnowledgeBase, slug: str, folder: Path, pin: AnyPin) -> AnyPin:
    """The same statement, made today from the pinned rows."""
    zone, series = base.settings.timezone, pinned_series(base, slug, folder, pin)
    if not isinstance(pin, Judged):
        return evaluate(pin.test, series, zone, pin.stated).pin
    written = pin.fix.model_dump(exclude_none=True)
    fix = Fix.model_validate({"id": folder.name, **written})
    subject = subject_of(slug, fix, None, series, list(siblings(base, slug, folder.name, pin)), zone)
    assert subject is not None
    return judge(subject, pin.stated).pin


def siblings(base: KnowledgeBase, slug: str, id_: str, pin: Judged) -> Iterator[Sibling]:
    """The other fixes that had shipped on that day, with the dates of their stories."""
    (found,) = load_facts(base, {}, [base.story(slug)])
    for each in found.fixes[id_].siblings:
        if each.shipped < pin.stated:
            yield each


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """All that is stated, by its place; what is only known on the day is left out."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in ("series", "data_until", "method"):
                yield from numbers(each, f"{path}.{key}")
    else:
        yield path, value


@pytest.mark.parametrize("name", PINNED)
def test_pins_follow_from_their_rows(base: KnowledgeBase, name: str) -> None:
    """Every pin of the sample is what today's code states of its rows, as long as the method is called the same."""
    slug, _, id_ = name.split("/")
    folder = ROOT / "stories" / name
    pins = read_pins(ROOT, slug)
    pin: AnyPin = pins.tested[id_] if id_ in pins.tested else pins.judged[id_]
    if pin.method != METHOD:
        return
    stated = dict(numbers(pin.model_dump()))
    today = dict(numbers(recomputed(base, slug, folder, pin).model_dump()))
    assert stated.keys() == today.keys(), HINT
    for place, value in stated.items():
        expected = pytest.approx(today[place], rel=1e-4, abs=1e-9) if isinstance(value, float) else today[place]
        assert value == expected, f"{name}{place}: {HINT}"


def test_every_judgement_is_pinned() -> None:
    """The sample has pins of both sorts, or the test above would test nothing."""
    assert len(PINNED) >= 15
    assert {"slow-campaign-list/pinned/h1", "campaign-report-slow-to-open/pinned/roll-up"} <= set(PINNED)


# -- a pure function of the repository


def test_check_needs_no_store(root: Path, base: KnowledgeBase, tmp_path: Path) -> None:
    """`check` says the same with the live store and in a clone that has none, and writes nothing."""
    clone = tmp_path / "clone"
    shutil.copytree(root, clone, ignore=shutil.ignore_patterns(".snapshots"))
    assert base.store.is_dir()

    def checked(where: Path) -> tuple[int, str]:
        before = files_of(where / "stories"), files_of(where / "site-config")
        done = CliRunner(env={"SOURCE_DATE_EPOCH": ""}).invoke(front_door.perfkb, ["-C", str(where), "check"])
        assert (files_of(where / "stories"), files_of(where / "site-config")) == before
        return done.exit_code, done.output

    assert checked(clone) == checked(root)
    assert not (clone / ".snapshots").exists()
    assert check(base).errors == []


# -- what the stories say


def test_a_gain_that_holds(sample: dict[str, Facts]) -> None:
    """The roll-up of the campaign report helped, and still does."""
    found = the_fix(sample, "campaign-report-slow-to-open/roll-up")
    assert found.pin is not None
    assert (found.pin.verdict, found.standing) == ("improved", "held")
    assert found.hours is not None
    assert (found.hours.unit, found.hours.value > 0) == ("user-hours", True)


def test_a_gain_that_was_lost(sample: dict[str, Facts]) -> None:
    """The index of the audience overview helped, until another deploy on 8 October undid it."""
    found = the_fix(sample, "audience-overview-sorts-everyone/index")
    assert found.pin is not None
    assert found.pin.verdict == "improved"
    assert found.standing in ("eroded", "regressed")
    assert found.since in (date(2026, 10, 8), date(2026, 10, 9))
    assert found.lost is not None
    assert date(2026, 10, 9) <= found.lost <= date(2026, 10, 20)


def test_a_fix_that_did_nothing(sample: dict[str, Facts]) -> None:
    """The shorter lock shipped amid an incident that healed by itself: nothing is claimed for it."""
    found = the_fix(sample, "welcome-e-mails-come-late/shorter-lock")
    assert found.pin is not None
    assert found.pin.verdict != "improved"
    assert not found.counts
    assert found.hours is None


def test_two_fixes_of_one_series(sample: dict[str, Facts]) -> None:
    """Both fixes of checking a file helped, each by what it changed itself."""
    first, second = (the_fix(sample, f"checking-a-csv-file-takes-long/{each}") for each in ("seen-set", "first-64k"))
    for found, truth in ((first, -0.39), (second, -0.25)):
        assert found.pin is not None
        assert found.pin.verdict == "improved"
        assert found.pin.change.low - 0.03 < truth < found.pin.change.high
        assert found.hours is not None
    assert [each.name for each in second.siblings] == ["checking-a-csv-file-takes-long/seen-set"]


def test_hours_of_machines(sample: dict[str, Facts]) -> None:
    """The rating of usage saves hours of machines, and none of people."""
    found = the_fix(sample, "usage-rating-waits-for-commits/batches")
    assert found.hours is not None
    assert found.hours.unit == "machine-hours"
    assert found.hours.low > 0


def test_a_preliminary_fix(sample: dict[str, Facts]) -> None:
    """The newest fix is preliminary until the fifteenth day after it, and counts nowhere."""
    found = the_fix(sample, "slow-campaign-list/totals")
    assert (found.state, found.due, found.pin, found.hours) == ("preliminary", date(2026, 11, 4), None, None)
    assert found.due == day_of(found.fix.shipped or date.min, sample["slow-campaign-list"].zone) + timedelta(days=15)
    assert found.live is not None
    assert not found.counts


def test_every_decision_is_borne_out(sample: dict[str, Facts]) -> None:
    """Every decided hypothesis of the sample with a test has its pin, and the verdict that follows from it."""
    decided = [
        found
        for each in sample.values()
        for found in each.tests.values()
        if found.hypothesis.test and found.hypothesis.verdict != "open"
    ]
    assert {found.hypothesis.verdict for found in decided} >= {"confirmed", "disproved"}
    for found in decided:
        assert found.pin is not None
        assert found.pin.verdict == found.hypothesis.verdict
