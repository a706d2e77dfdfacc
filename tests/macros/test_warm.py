"""A preview makes anew what a save changed, and nothing else: the same site as one made from scratch."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from ingest.snapshots import Store
from macros.scaffold import make_knowledge_base
from macros.site import Site, load_site
from macros.warm import Warm
from tests.commands import succeed

OTHER = """---
title: The basket is slow
status: reported
reports:
  - {date: 2026-01-01, said: slow}
telemetry:
  requests: {source: demo, kind: histogram, metric: basket, unit: s}
---
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A knowledge base of two stories with telemetry, whose clock stands still."""
    made = tmp_path / "kb"
    make_knowledge_base(made)
    (made / "stories/slow-basket.md").write_text(OTHER)
    succeed("-C", made, "refresh", now=1_800_000_000)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1800000000")
    return made


def load(root: Path, warm: Warm) -> Site:
    """The site, which must be what it would be without anything warm."""
    site, cold = load_site(root, drafts=True, warm=warm), load_site(root, drafts=True)
    assert site.charts == cold.charts
    assert [str(each) for each in site.report.problems] == [str(each) for each in cold.report.problems]
    return site


def same(one: Site, other: Site) -> set[str]:
    """The stories whose facts and charts were not made again."""
    return {
        slug
        for slug, facts in other.facts.items()
        if one.facts.get(slug) is facts
        and all(drawn.chart is one.charts[slug][stem].chart for stem, drawn in other.charts[slug].items())
    }


def test_only_what_a_save_changed_is_made(root: Path) -> None:
    """A saved story is made anew, the other is not."""
    warm = Warm()
    first = load(root, warm)
    assert same(first, load(root, warm)) == {"checkout-spins", "slow-basket"}
    story = root / "stories/slow-basket.md"
    story.write_text(OTHER.replace("unit: s", "unit: s, title: All of it"))
    assert same(first, load(root, warm)) == {"checkout-spins"}
    story.unlink()
    assert same(first, load(root, warm)) == {"checkout-spins"}
    assert not any("slow-basket" in name for name in warm.kept)


def test_new_telemetry_is_seen(root: Path) -> None:
    """A snapshot that a refresh wrote is taken up with the next save."""
    warm, store = Warm(), Store(root / ".snapshots")
    first = load(root, warm)
    snapshot = store.read("slow-basket", "requests")
    assert snapshot is not None
    store.write("slow-basket", "requests", replace(snapshot, rows=snapshot.rows * 2))
    assert same(first, load(root, warm)) == {"checkout-spins"}


def test_configuration_changes_everything(root: Path) -> None:
    """Another time zone is another meaning of every day."""
    warm = Warm()
    first = load(root, warm)
    settings = root / "site-config/knowledge-base.yml"
    settings.write_text(settings.read_text().replace("timezone: UTC", "timezone: Asia/Tokyo"))
    assert same(first, load(root, warm)) == set()


def test_the_clock_moves_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Facts stay for a quarter of an hour at most."""
    warm = Warm()
    first = load(root, warm)
    later = 1_800_000_000 + int(timedelta(minutes=15).total_seconds())
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(later - 1))
    assert same(first, load_site(root, drafts=True, warm=warm)) == {"checkout-spins", "slow-basket"}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(later))
    assert same(first, load_site(root, drafts=True, warm=warm)) == set()
