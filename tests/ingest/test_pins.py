"""Pinned evidence: written whole, read back equal, and believed only where it is what was written."""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest import pins
from ingest.errors import UserError
from ingest.pins import NUMBERS, Change, Judged, pinned_files, read_pins, to_json, write_pin
from tests.commands import files_of
from tests.ingest.evidence.weeks import histograms, judged, levels, named, statement, written

DATA = {"part": b"time,value\n2026-08-03T00:00:00Z,1.0\n", "whole": b"time,value\n2026-08-03T00:00:00Z,2.0\n"}


def evidence(**changed: Any) -> pins.Tested:
    """A hypothesis' pin with the checksums of `DATA`."""
    made = statement(**changed)
    looked = {
        name: made.series[name].model_copy(update={"sha256": hashlib.sha256(raw).hexdigest()})
        for name, raw in DATA.items()
    }
    return made.model_copy(update={"series": looked})


def impact(**written: Any) -> tuple[Judged, dict[str, bytes]]:
    """A fix's pin as `perfkb pin` makes it."""
    pin = judged(named("requests", histograms(levels((28, 1.0), (15, 0.6))), "histogram"), **written)
    raw = b"time,value\n"
    looked = {"requests": pin.series["requests"].model_copy(update={"sha256": hashlib.sha256(raw).hexdigest()})}
    return pin.model_copy(update={"series": looked}), {"requests": raw}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with one pin, of the hypothesis h1."""
    write_pin(tmp_path, "slow", "h1", evidence(), DATA)
    return tmp_path


def pinned(root: Path) -> Path:
    return root / "stories/slow/pinned"


def wrong(root: Path) -> list[str]:
    """What is wrong with the pins, of which none is believed."""
    found = read_pins(root, "slow")
    assert (found.tested, found.judged) == ({}, {})
    assert {each.code for each in found.problems} <= {"PK210"}
    return [str(each) for each in found.problems]


# -- written and read


def test_a_hypothesis_comes_back(root: Path) -> None:
    """What was pinned of a hypothesis is read as it was written."""
    assert read_pins(root, "slow") == pins.Pins({"h1": evidence()}, {}, ())


@pytest.mark.parametrize(
    "test",
    [
        written(contrast="part", against="whole", quantile=0.99, at_least="33.3 %"),
        written(change="part", at="2026-08-09", at_least="-20 %"),
        written(change="part", at="2026-08-09T23:30:00.25+02:00", at_least="-20 %"),
    ],
)
def test_every_test_comes_back(tmp_path: Path, test: Any) -> None:
    """A test is in its pin as it stands in the story, so that the two can be compared."""
    write_pin(tmp_path, "slow", "h1", evidence(test=test), DATA)
    assert read_pins(tmp_path, "slow").tested["h1"].test == test


@pytest.mark.parametrize("shipped", ["2026-08-31", "2026-08-31T12:00Z", "2026-08-31T14:00:07.125+02:00"])
def test_a_fix_comes_back(tmp_path: Path, shipped: str) -> None:
    """A fix's pin is read as it was written, but for digits that say nothing."""
    pin, data = impact(shipped=shipped, quantile=0.95)
    write_pin(tmp_path, "slow", "f", pin, data)
    read = read_pins(tmp_path, "slow")
    found = read.judged["f"]
    assert (read.problems, read.tested) == ((), {})
    assert found.fix == pin.fix
    assert found.change.model_dump() == pytest.approx(pin.change.model_dump(), rel=1e-5)
    assert to_json(found) == to_json(pin)


def test_the_same_bytes() -> None:
    """A pin is the same bytes twice, and has six digits of each number."""
    assert to_json(evidence()) == to_json(evidence())
    stated = json.loads(to_json(evidence(requests=1234567.891, hours_present=1 / 3)))
    assert (stated["requests"], stated["hours_present"]) == (1234570.0, 0.333333)


def test_an_older_pin_is_replaced(root: Path) -> None:
    """A pin that is stated anew leaves nothing of the one before it."""
    one = {"part": DATA["part"]}
    later = evidence(stated=date(2026, 9, 1))
    write_pin(root, "slow", "h1", later.model_copy(update={"series": {"part": later.series["part"]}}), one)
    found = read_pins(root, "slow")
    assert found.problems == ()
    assert found.tested["h1"].stated == date(2026, 9, 1)
    assert sorted(entry.name for entry in pinned(root).rglob("*")) == ["h1", "numbers.json", "part.csv"]


@pytest.mark.parametrize("failing", ["whole.csv", NUMBERS])
def test_whole_or_not_at_all(root: Path, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a file cannot be written, the older pin stays as it is, and the user is told."""
    before = files_of(pinned(root) / "h1")

    def write(path: Path, data: bytes) -> None:
        if path.name == failing:
            raise OSError(28, "No space left on device")
        path.write_bytes(data)

    monkeypatch.setattr(pins, "write_atomically", write)
    with pytest.raises(UserError, match="No space left"):
        write_pin(root, "slow", "h1", evidence(requests=9.0), DATA)
    assert files_of(pinned(root) / "h1") == before
    assert read_pins(root, "slow").tested == {"h1": evidence()}
    monkeypatch.undo()
    write_pin(root, "slow", "h1", evidence(requests=9.0), DATA)
    assert read_pins(root, "slow").tested["h1"].requests == 9


def test_what_would_be_too_large_is_not_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that could not be read back are refused before anything is written."""
    monkeypatch.setattr(pins, "LARGEST_DATA", 20)
    with pytest.raises(UserError, match="the rows of part, whole are more than"):
        write_pin(root, "slow", "h2", evidence(), DATA)
    assert [entry.name for entry in pinned(root).iterdir()] == ["h1"]


def test_the_files_of_pins(root: Path) -> None:
    """The files that a site may publish are those of pins that can be believed."""
    write_pin(root, "slow", "h2", evidence(), DATA)
    (pinned(root) / "h2/part.csv").write_bytes(b"")
    names = [file.relative_to(pinned(root)).as_posix() for file in pinned_files(root, "slow", read_pins(root, "slow"))]
    assert names == ["h1/numbers.json", "h1/part.csv", "h1/whole.csv"]


def test_no_pins(tmp_path: Path) -> None:
    """A story without pins has none, and no problem."""
    assert read_pins(tmp_path, "slow") == pins.NO_PINS


# -- damaged


def changed(**keys: Any) -> Callable[[Path], object]:
    """Numbers with other values."""

    def damage(folder: Path) -> None:
        file = folder / NUMBERS
        file.write_text(json.dumps({**json.loads(file.read_text()), **keys}))

    return damage


def without(key: str) -> Callable[[Path], object]:
    def damage(folder: Path) -> None:
        file = folder / NUMBERS
        file.write_text(
            json.dumps({name: value for name, value in json.loads(file.read_text()).items() if name != key})
        )

    return damage


def holding(text: str | bytes) -> Callable[[Path], object]:
    raw = text.encode() if isinstance(text, str) else text
    return lambda folder: (folder / NUMBERS).write_bytes(raw)


def folded(folder: Path) -> None:
    (folder / NUMBERS).unlink()
    (folder / NUMBERS).mkdir()


def linked(file: Path, to: str) -> None:
    """A link in place of a file, to where its bytes are, or to nowhere."""
    raw = file.read_bytes()
    file.unlink()
    if (file.parent / to).parent.is_dir():
        (file.parent / to).write_bytes(raw)
    file.symlink_to(to)


def pinning(raw: bytes) -> Callable[[Path], object]:
    """Other data under its right checksum, as somebody who means it would pin it."""

    def damage(folder: Path) -> None:
        file = folder / NUMBERS
        said = json.loads(file.read_text())
        said["series"]["part"]["sha256"] = hashlib.sha256(raw).hexdigest()
        file.write_text(json.dumps(said))
        (folder / "part.csv").write_bytes(raw)

    return damage


def piped(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no numbers": lambda folder: (folder / NUMBERS).unlink(),
    "numbers are a folder": folded,
    "numbers are a link": lambda folder: linked(folder / NUMBERS, "a"),
    "a link to nowhere": lambda folder: linked(folder / NUMBERS, "b/c"),
    "empty": holding(""),
    "cut": lambda folder: (folder / NUMBERS).write_bytes((folder / NUMBERS).read_bytes()[:300]),
    "no JSON": holding("a: b"),
    "no UTF-8": holding(b"\xff\xfe{}"),
    "a list": holding("[]"),
    "a number": holding("1"),
    "null": holding("null"),
    "deep": holding("[" * 200_000),
    "long number": holding('{"format": ' + "9" * 5000 + "}"),
    "another format": changed(format=2),
    "another kind": changed(about="quarter"),
    "a fix that is none": changed(about="fix"),
    "no test": without("test"),
    "no series": without("series"),
    "a key too many": changed(extra=1),
    "a verdict too many": changed(verdict="sure"),
    "no number": changed(days="many"),
    "not finite": changed(effect={"value": float("nan"), "low": 0, "high": 1}),
    "infinite": changed(requests=float("inf")),
    "more than all hours": changed(hours_present=1.5),
    "no hours": changed(hours_present=float("nan")),
    "no day": changed(stated="today"),
    "no offset": changed(data_until="2026-08-17T00:00:00"),
    "a series that leads out": changed(series={"../../slow": {}}),
    "a series without data": lambda folder: (folder / "part.csv").unlink(),
    "other data": lambda folder: (folder / "part.csv").write_bytes(DATA["part"] + b"\n"),
    "data that is a link": lambda folder: linked(folder / "part.csv", ".a"),
    "numbers are a pipe": lambda folder: piped(folder / NUMBERS),
    "data is a pipe": lambda folder: piped(folder / "part.csv"),
    "data is a formula": pinning(b"time,value\n2026-08-03T00:00:00Z,=HYPERLINK(1)\n"),
    "data is a command": pinning(b"time,value\n2026-08-03T00:00:00Z,-1+cmd|' /C calc'!A0\n"),
    "a header is a formula": pinning(b"time,=1+1\n2026-08-03T00:00:00Z,1.0\n"),
    "data is a page": pinning(b"<script>window.pwned=1</script>"),
    "data has no last line": pinning(b"time,value\n2026-08-03T00:00:00Z,1.0"),
    "no data": pinning(b""),
    "endless data": pinning(b"time,value\n" + b"2026-08-03T00:00:00Z,1e1\n" * 200_000 + b"1"),
    "a long reason": changed(**{"x" * 9_000: 1}),
    "a file too many": lambda folder: (folder / "notes.txt").touch(),
    "a folder too many": lambda folder: (folder / "more").mkdir(),
    "too large": lambda folder: (folder / NUMBERS).write_bytes(b" " * (pins.LARGEST_NUMBERS + 1)),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage(root: Path, damage: str) -> None:
    """A pin that is damaged, in whatever way, is one problem at the file that is wrong, and is not believed."""
    DAMAGES[damage](pinned(root) / "h1")
    begun = time.monotonic()
    (problem,) = wrong(root)
    assert time.monotonic() - begun < 2
    assert problem.startswith("stories/slow/pinned/h1")
    assert len(problem) < 1000


def test_data_that_is_too_large(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data beyond what a pin holds is not read."""
    monkeypatch.setattr(pins, "LARGEST_DATA", 10)
    assert "is larger than" in wrong(root)[0]


@pytest.mark.parametrize("name", ["H1", "h 1", "-h", "ü", "a" * 61])
def test_names_that_are_no_ids(root: Path, name: str) -> None:
    """A folder that no hypothesis could be called like is a problem."""
    (pinned(root) / "h1").rename(pinned(root) / name)
    assert "a folder named like its hypothesis or fix" in wrong(root)[0]


def test_a_name_that_cannot_be_printed(root: Path) -> None:
    """A name that is not UTF-8 is told as far as it can be."""
    (pinned(root) / "h1").rename(Path(str(pinned(root))) / b"h\xff".decode("utf-8", "surrogateescape"))
    (problem,) = read_pins(root, "slow").problems
    problem.where.path.encode()


def test_files_and_links_beside_pins(root: Path) -> None:
    """A file or a link is no pin; what is hidden is that of editors, and of a pin that was being written."""
    (pinned(root) / "notes.txt").touch()
    (pinned(root) / "link").symlink_to("h1")
    shutil.copytree(pinned(root) / "h1", pinned(root) / ".h1")
    (pinned(root) / ".DS_Store").touch()
    found = read_pins(root, "slow")
    assert list(found.tested) == ["h1"]
    assert [each.where.path for each in found.problems] == ["stories/slow/pinned/link", "stories/slow/pinned/notes.txt"]


@pytest.mark.parametrize("linked", ["stories/slow/pinned", "stories/slow"])
def test_links_are_not_followed(root: Path, linked: str) -> None:
    """Pins behind a link are none: they could lie anywhere."""
    (root / linked).rename(root / "elsewhere")
    (root / linked).symlink_to(root / "elsewhere")
    assert read_pins(root, "slow").tested == {}


@pytest.mark.parametrize("linked", ["stories/slow/pinned/h1", "stories/slow/pinned", "stories/slow"])
def test_nothing_is_written_through_links(root: Path, linked: str) -> None:
    """A pin does not take the place of a folder somewhere else that a link leads to."""
    (root / linked).rename(root / "elsewhere")
    (root / linked).symlink_to(root / "elsewhere")
    before = files_of(root / "elsewhere")
    with pytest.raises(UserError, match="links are not followed"):
        write_pin(root, "slow", "h1", evidence(days=8), DATA)
    assert files_of(root / "elsewhere") == before


def test_one_damaged_pin_harms_no_other(root: Path) -> None:
    """What can be believed of a story's pins is believed."""
    write_pin(root, "slow", "h2", evidence(), DATA)
    (pinned(root) / "h1" / NUMBERS).unlink()
    found = read_pins(root, "slow")
    assert list(found.tested) == ["h2"]
    assert len(found.problems) == 1


@pytest.mark.parametrize(
    "damage",
    [{"low": -1.0}, {"effect": -2.0}, {"high": float("inf")}, {"p": None}, {"days_before": "many"}],
)
def test_changes_that_nothing_can_have(tmp_path: Path, damage: dict[str, Any]) -> None:
    """A change by which nothing would be left, or less, is no pin's number: hours could not be reckoned from it."""
    pin, data = impact()
    folder = write_pin(tmp_path, "slow", "f", pin, data)
    stated = json.loads((folder / NUMBERS).read_text())
    for name in ("change", "mean", "guard"):
        (folder / NUMBERS).write_text(json.dumps({**stated, name: {**stated[name], **damage}}))
        assert f"{name}." in wrong(tmp_path)[0]


def test_a_fix_of_a_series_that_it_did_not_look_at(tmp_path: Path) -> None:
    """A fix's pin holds the series that it is about."""
    pin, data = impact()
    folder = write_pin(tmp_path, "slow", "f", pin, data)
    stated = json.loads((folder / NUMBERS).read_text())
    (folder / NUMBERS).write_text(json.dumps({**stated, "fix": {**stated["fix"], "series": "other"}}))
    assert "its series other is not among those that were looked at" in wrong(tmp_path)[0]


def test_what_moved() -> None:
    """A change has moved where its whole interval is on one side of nothing."""

    def moved(low: float, high: float) -> bool:
        return Change(effect=low, low=low, high=high, p=0, detectable=0, days_before=28, days_after=14).moved

    assert [moved(-0.2, -0.1), moved(0.1, 0.2), moved(-0.1, 0.1), moved(-0.1, 0.0), moved(0.0, 0.1)] == [
        True, True, False, False, False,
    ]  # fmt: skip


@given(st.binary(max_size=200))
@example(b"\x00")
def test_random_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    """No bytes in place of the numbers make anything but a problem."""
    root = tmp_path_factory.getbasetemp() / "random-bytes"
    folder = pinned(root) / "h1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NUMBERS).write_bytes(raw)
    assert len(wrong(root)) == 1


NUMBERS_OF_BOTH = [to_json(evidence()), to_json(impact()[0])]
ODD: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(st.sampled_from(NUMBERS_OF_BOTH), st.data())
def test_random_values(tmp_path_factory: pytest.TempPathFactory, raw: bytes, data: st.DataObject) -> None:
    """Any value in place of any other is a problem, or is read: never an error of ours, here or where it is told."""
    stated = json.loads(raw)
    place = stated
    while isinstance(place[key := data.draw(st.sampled_from(sorted(place)))], dict) and data.draw(st.booleans()):
        place = place[key]
    place[key] = data.draw(ODD)
    root = tmp_path_factory.getbasetemp() / "random-values"
    folder = pinned(root) / "h1"
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {**DATA, "requests": b"time,value\n"}.items():
        (folder / f"{name}.csv").unlink(missing_ok=True)
        if name in json.loads(raw)["series"]:
            (folder / f"{name}.csv").write_bytes(rows)
    (folder / NUMBERS).write_text(json.dumps(stated))
    found = read_pins(root, "slow")
    assert len(found.tested) + len(found.judged) + len(found.problems) == 1
    assert all(str(each).isprintable() for each in found.problems)
