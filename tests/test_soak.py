"""A short soak, the same in every run; `make soak` tries fifty thousand of each."""

import sys
from pathlib import Path

import pytest

from tests.soak import KINDS, ROOT, SECONDS, soak


@pytest.mark.parametrize("kind", KINDS)
def test_a_short_soak(kind: str) -> None:
    """Random and mutated input raises nothing, takes no two seconds, and ends no interpreter."""
    tally = soak(kind, 1, 400)
    assert tally.failures == []
    assert tally.cases == 400
    assert tally.slowest < SECONDS


def test_what_goes_wrong_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception, a case that takes too long, one that hangs and the end of the interpreter are failures."""
    worker = tmp_path / "worker"
    worker.write_text(f"""#!{sys.executable}
import os, sys, time
from tests import soak
def hurt(number):
    if number == 2: raise ValueError("two")
    if number == 4: os.abort()
    if number == 6: time.sleep(60)
    if number == 8:
        while time.process_time() < 3: pass
soak.KINDS["labels"], soak.SECONDS = hurt, 0.5
soak.work("labels", int(sys.argv[-2]), int(sys.argv[-1]))
""")
    worker.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setattr(sys, "executable", str(worker))
    tally = soak("labels", 1, 9)
    assert tally.cases == 9
    assert [failure.split(":")[0] for failure in tally.failures][:3] == ["labels 2", "labels 4", "labels 6"]
    assert "ValueError: two" in tally.failures[0]
    assert "the interpreter ended with -6" in tally.failures[1]
    assert "the interpreter ended with 1" in tally.failures[2]
