"""`python -m tests.sample`: states the sample's pinned evidence anew, each statement on its own day.

To be run, and its outcome read, whenever the made-up telemetry or the method changes.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, time
from pathlib import Path

from ingest.knowledge import read_knowledge_base
from ingest.rules import judged_on
from ingest.story import day_of
from tests.commands import perfkb, succeed

CLOSED = {date(2026, 10, 19): "2026Q3"}
"""The quarters that the sample's company has closed, and when it did."""
ROOT = Path(__file__).parent.parent


def statements(root: Path) -> Iterator[tuple[date, str, list[str]]]:
    """Each day on which something was decided or judged, its story, and the command for it."""
    base = read_knowledge_base(root)
    for story in base.stories:
        for hypothesis in story.front.hypotheses:
            if hypothesis.test and hypothesis.decided:
                yield hypothesis.decided, story.slug, ["decide", story.slug, hypothesis.id]
        for fix in story.front.fixes:
            if fix.shipped and (due := judged_on(day_of(fix.shipped, base.settings.timezone))) <= base.clock.now.date():
                yield due, story.slug, ["pin", story.slug]


def state(root: Path) -> None:
    """Runs every command on its day, on the telemetry that was there on that day."""
    zone = read_knowledge_base(root).settings.timezone
    for folder in (root / "stories").glob("*/pinned"):
        shutil.rmtree(folder)
    for day, slug, command in sorted(statements(root)):
        now = int(datetime.combine(day, time(12), zone).timestamp())
        shutil.rmtree(root / ".snapshots", ignore_errors=True)
        perfkb("-C", root, "refresh", slug, now=now)  # a canary that came later is missing
        sys.stdout.write(f"{day} {' '.join(command)}\n{succeed('-C', root, *command, now=now)}")
    shutil.rmtree(root / "stories/_quarters", ignore_errors=True)
    for day, quarter in CLOSED.items():
        now = int(datetime.combine(day, time(12), zone).timestamp())
        shutil.rmtree(root / ".snapshots", ignore_errors=True)
        perfkb("-C", root, "refresh", now=now)
        sys.stdout.write(f"{day} {succeed('-C', root, 'pin', '--quarter', quarter, now=now)}")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("stories", "site-config"):
            shutil.copytree(ROOT / name, root / name)
        state(root)
        for pinned in (ROOT / "stories").glob("*/pinned"):
            shutil.rmtree(pinned)
        shutil.copytree(root / "stories", ROOT / "stories", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
