"""The picture beside links: the same bytes everywhere, whatever the site is called."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from macros.card import SIZE, card


def test_the_same_bytes_everywhere(tmp_path: Path) -> None:
    """Another process, with settings of its own for matplotlib, draws the same bytes."""
    (tmp_path / "matplotlibrc").write_text("font.size: 30\nfigure.dpi: 50\nsavefig.dpi: 70\nlines.linewidth: 9\n")
    script = "import hashlib; from macros.card import card; print(hashlib.sha256(card('Acme')).hexdigest())"
    environ = {**os.environ, "MATPLOTLIBRC": str(tmp_path / "matplotlibrc"), "PYTHONHASHSEED": "7"}
    done = subprocess.run([sys.executable, "-P", "-c", script], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(card("Acme")).hexdigest()


@pytest.mark.parametrize(
    "name",
    ["Acme", "", "$\\frac{$ _x ^^", "A" * 300, "word " * 60, "表演 🔥 قاعدة", "a\x00b\u202ec", '<svg> & "quotes"'],
)
def test_any_name(name: str) -> None:
    """Whatever the site is called, the picture is a PNG of its size, and small enough for a chat."""
    drawn = card(name)
    assert drawn[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(drawn[16:20]), int.from_bytes(drawn[20:24])) == SIZE
    assert len(drawn) < 150_000


def test_names_differ() -> None:
    """The name is on it."""
    assert card("Acme") != card("Emca")
