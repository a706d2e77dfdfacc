"""The fault table as a report: `python -m tests.faults` runs it, and prints rows by sources, counted."""

import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
import pytest

from tests.faults import databases, postgres
from tests.faults.databases import DatabaseCase
from tests.faults.table import CASES, ELSEWHERE, KINDS

ROOT = Path(__file__).parent.parent.parent
OTHERS = {
    "test_corrupt_stored_snapshot": "corrupt stored snapshot",
    "test_query_edited_since_the_snapshot": "query edited since the snapshot",
    "test_redirects_are_not_followed": "redirect",
}
EVERY = "all"


class Report:
    """Counts what passed and what there was, by row and source."""

    def __init__(self) -> None:
        self.there: Counter[tuple[str, str]] = Counter()
        self.passed: Counter[tuple[str, str]] = Counter()
        self.places: dict[str, tuple[str, str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            place = self._place(item)
            if place:
                self.places[item.nodeid] = place
                self.there[place] += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed and report.nodeid in self.places:
            self.passed[self.places[report.nodeid]] += 1

    def _place(self, item: pytest.Item) -> tuple[str, str] | None:
        params: dict[str, Any] = getattr(getattr(item, "callspec", None), "params", {})
        name = getattr(item, "originalname", item.name)
        case, dialect = params.get("case"), params.get("dialect") or params.get("well")
        if isinstance(case, DatabaseCase):
            return case.row, case.column
        if dialect and (case or name in OTHERS):
            return (case.row if case else OTHERS[name]), dialect.name
        for row, test in ELSEWHERE.items():
            if item.nodeid.partition("[")[0].startswith(test):
                return row, EVERY
        return None

    def lines(self) -> list[str]:
        """The table: how many ways of each fault were held, of how many."""
        kinds = (*KINDS, databases.KIND, postgres.KIND, EVERY)
        cases = [each.row for each in CASES] + [each.row for each in (*databases.CASES, *postgres.CASES)]
        rows = dict.fromkeys([*cases, *OTHERS.values(), *ELSEWHERE])
        made = [f"{'':40}{''.join(f'{kind:>12}' for kind in kinds)}"]
        for row in rows:
            cells = (f"{self.passed[row, kind]}/{there}" if (there := self.there[row, kind]) else "" for kind in kinds)
            made.append(f"{row:40}{''.join(f'{cell:>12}' for cell in cells)}")
        whole = sum(self.there[place] == self.passed[place] for place in self.there)
        held, of = sum(self.passed.values()), sum(self.there.values())
        return [*made, f"{len(rows)} rows, {whole} of {len(self.there)} cells whole: {held} of {of} cases passed"]


def main() -> None:
    """Runs the tests of the table; exit status 1 where one of them does not pass."""
    report = Report()
    status = pytest.main(
        [
            "-q",
            "--no-header",
            str(ROOT / "tests/test_fault_table.py"),
            *sorted({str(ROOT / test) for test in ELSEWHERE.values()}),
        ],
        plugins=[report],
    )
    for line in report.lines():
        click.echo(line)
    sys.exit(1 if status or report.passed != report.there else 0)


if __name__ == "__main__":
    main()
