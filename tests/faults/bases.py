"""A small knowledge base that asks one server: refreshed through the front door, its pages read as text."""

import html
import json
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

import perfkb
from ingest.check import check
from ingest.evidence.load import load_facts
from ingest.health import Outcome, read_health
from ingest.knowledge import read_knowledge_base
from ingest.snapshots import Snapshot, Store
from macros.pages import story_page
from macros.site import Site
from tests.commands import files_of
from tests.faults.dialects import Dialect

SERIES = "level"
NOW = datetime(2026, 9, 10, 12, 30, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)


@dataclass(frozen=True)
class Base:
    """The folder of a knowledge base with a source of one dialect."""

    root: Path
    dialect: Dialect

    @property
    def store(self) -> Path:
        return self.root / ".snapshots"

    def source(self, url: str | None, timeout: str = "20s", **more: Any) -> None:
        """Writes sources.yml."""
        options = {"kind": self.dialect.kind, "url": url, "history": "2d", "timeout": timeout}
        self._write("site-config/sources.yml", _json({"it": {**options, **self.dialect.options, **more}}))

    def stories(self, numbers: Iterable[int], **more: Any) -> None:
        """Writes a story for each number, which asks for the series of that number."""
        for number in numbers:
            series = {"source": "it", "kind": "gauge", "query": self.dialect.query.format(number)}
            telemetry = _json({SERIES: {**series, **self.dialect.series, **more}})
            self._write(
                f"stories/{slug(number)}.md",
                f"---\ntitle: Nr. {number}\nstatus: reported\ntelemetry: {telemetry}\n---\n",
            )

    def _write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def snapshot(self, number: int) -> Snapshot | None:
        return Store(self.store).read(slug(number), SERIES)

    def values(self, number: int) -> dict[int, float]:
        """The stored values, by the start of their step; none where there is no snapshot."""
        found = self.snapshot(number)
        if found is None:
            return {}
        starts = found.rows.index.to_numpy("datetime64[s]").astype("int64").tolist()
        return dict(zip(starts, found.rows["value"].tolist(), strict=True))

    def files(self, number: int) -> dict[str, bytes]:
        """The bytes of a series' snapshot."""
        folder = self.store / slug(number)
        return files_of(folder) if folder.exists() else {}

    def health(self, number: int) -> Outcome:
        return read_health(self.store)[slug(number), SERIES]

    def page(self, number: int, now: datetime) -> str:
        """The text of a story's page, as a build at `now` makes it."""
        base = read_knowledge_base(self.root, {"SOURCE_DATE_EPOCH": str(int(now.timestamp()))})
        report = check(base)
        (facts,) = load_facts(base, report.of_story, [base.story(slug(number))])
        site = Site(base, report, {facts.slug: facts}, {facts.slug: {}})
        made = story_page(site, facts, Markup(), f"stories/{facts.slug}/", "").html
        return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", made)))


def _json(named: dict[str, dict[str, Any]]) -> str:
    """As JSON, which is YAML; what is None is left out."""
    return json.dumps({
        name: {key: value for key, value in keys.items() if value is not None} for name, keys in named.items()
    })  # fmt: skip


def slug(number: int) -> str:
    return f"nr-{number}"


def command(
    patch: pytest.MonkeyPatch, root: Path, *arguments: str, now: datetime, environ: Mapping[str, str] | None = None
) -> int:
    """The exit status of `perfkb` with these arguments, run in this process through its front door."""
    with patch.context() as inner:
        inner.setattr(sys, "argv", ["perfkb", "-C", str(root), *arguments])
        for key, value in {**(environ or {}), "SOURCE_DATE_EPOCH": str(int(now.timestamp()))}.items():
            inner.setenv(key, value)
        with pytest.raises(SystemExit) as ended:
            perfkb.main()
    status = ended.value.code
    return status if isinstance(status, int) else 0
