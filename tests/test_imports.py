"""The rooms, and which of them never import which: also within functions, and through others of ours."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PATHS = (ROOT / "perfkb.py", *ROOT.glob("ingest/**/*.py"), *ROOT.glob("macros/**/*.py"))


def imports_of(path: Path) -> Iterator[str]:
    """Every module that a file imports, with the packages that hold it."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for parts in (name.split(".") for name in names):
            yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def within(name: str, package: str) -> bool:
    return f"{name}.".startswith(f"{package}.")


NAMES = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for path in PATHS}
DIRECT = {name: set(imports_of(path)) for path, name in NAMES.items()}


def reached(package: str) -> dict[str, str]:
    """All that a package imports, itself or through others of ours, and by whom."""
    found: dict[str, str] = {}
    waiting = [name for name in DIRECT if within(name, package)]
    while waiting:
        name = waiting.pop()
        new = DIRECT[name] - found.keys()
        found.update(dict.fromkeys(new, name))
        waiting += new & DIRECT.keys()
    return found


def assert_apart(package: str, *others: str) -> None:
    meetings = [f"{by} imports {name}" for name, by in reached(package).items() if any(within(name, o) for o in others)]
    assert meetings == []


def importers(*modules: str) -> set[str]:
    return {name for name, found in DIRECT.items() if found & {*modules}}


def test_imports_are_seen() -> None:
    """An import within a function, and one through other modules, are found."""
    assert {"ingest.check", "ingest.sources.http", "requests"} <= reached("ingest.cli").keys()


def test_ingest_knows_nothing_of_the_site() -> None:
    """ingest never imports macros, and only macros imports MkDocs."""
    assert_apart("ingest", "macros", "mkdocs", "mkdocs_macros", "perfkb")
    assert {name.split(".")[0] for name in importers("mkdocs")} == {"macros"}


@pytest.mark.parametrize("leaf", ["ingest.errors", "ingest.units", "ingest.codes", "ingest.stats"])
def test_leaves(leaf: str) -> None:
    """A leaf imports nothing of ours but itself."""
    assert {name for name in reached(leaf) if name in DIRECT and not within(name, leaf)} <= {"ingest"}


def test_sources_and_evidence_never_meet() -> None:
    """What was fetched reaches a page through the store alone."""
    assert_apart("ingest.sources", "ingest.evidence", "ingest.snapshots", "ingest.charts")
    assert_apart("ingest.evidence", "ingest.sources", "ingest.refresh")


def test_only_sources_use_the_network() -> None:
    """One module speaks HTTP, and evidence does not reach it."""
    assert importers("requests") == {"ingest.sources.http"}
    assert_apart("ingest.evidence", "requests", "urllib3")


def test_a_build_never_reads_a_store_that_lies_elsewhere() -> None:
    """One module reaches object stores, for a refresh; what a page says comes from the copy."""
    assert importers("fsspec") == {"ingest.remote"}
    assert_apart("ingest.evidence", "ingest.remote", "fsspec", "s3fs")
    assert {name for name in importers("ingest.remote") if not within(name, "ingest")} == set()


def test_charts_only_draw() -> None:
    """Charts reach no knowledge base on disk and no network; of the store they know what evidence hands them."""
    assert_apart(
        "ingest.charts", "ingest.sources", "ingest.refresh", "ingest.knowledge", "ingest.evidence.load", "requests"
    )
    assert not [name for name in importers("ingest.snapshots") if within(name, "ingest.charts")]


def test_no_pyplot() -> None:
    """Nothing imports pyplot, whose figures outlive their drawing."""
    assert importers("matplotlib.pyplot", "pylab") == set()
