import gzip
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from ingest.errors import FetchError, UserError
from ingest.sources import csv as csv_source
from ingest.sources.base import Window, tidy
from ingest.sources.csv import CsvOptions, CsvSource
from ingest.story import Series
from tests.servers import FaultServer, Reply

HOUR = timedelta(hours=1)
START = datetime(2026, 9, 1, tzinfo=UTC)
WINDOW = Window(START, START + 4 * HOUR, HOUR)


def series(kind: str = "latency", query: str | None = "checkout.csv", **more: Any) -> Series:
    return Series.model_validate({"source": "files", "kind": kind, "query": query, **more})


def source(root: Path, environ: dict[str, str] | None = None, **options: Any) -> CsvSource:
    return CsvSource("files", CsvOptions.model_validate(options or {"path": "data"}), environ or {}, root)


def rows(root: Path, text: str | bytes, kind: str = "latency") -> pd.DataFrame:
    """What comes of a file with this content."""
    (root / "data").mkdir(exist_ok=True)
    (root / "data/checkout.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return source(root).fetch(series(kind), WINDOW).rows


def failure(root: Path, text: str | bytes, kind: str = "latency") -> FetchError:
    with pytest.raises(FetchError) as caught:
        rows(root, text, kind)
    return caught.value


def test_values(tmp_path: Path) -> None:
    """Rows of the window come with their times in UTC; empty cells and NaN are gaps."""
    found = rows(
        tmp_path,
        "time,value\r\n2026-08-31T23:00Z,9\r\n2026-09-01T00:00Z,1.5\r\n2026-09-01T03:00+02:00,\r\n"
        "\r\n2026-09-01T02:00:00Z,NaN\r\n2026-09-01T03:00Z,3e0\r\n2026-09-01T04:00Z,9\r\n",
    )
    assert found.index.tolist() == [START + n * HOUR for n in range(4)]
    assert found["value"].fillna(-1).tolist() == [1.5, -1, -1, 3]


def test_a_histogram(tmp_path: Path) -> None:
    """Buckets come in the order of their bounds, spelled as snapshots spell them, with the sum last."""
    text = "time,sum,le=+Inf,le=1.0,le=0.5\n2026-09-01T00:00Z,3.25,4,3,\n"
    found = rows(tmp_path, text, "histogram")
    assert found.columns.tolist() == ["le=0.5", "le=1", "le=+Inf", "sum"]
    assert found.fillna(-1).iloc[0].tolist() == [-1, 3, 4, 3.25]


def test_a_byte_order_mark(tmp_path: Path) -> None:
    """A file that a spreadsheet wrote is read."""
    assert len(rows(tmp_path, "\ufefftime,value\n2026-09-01T00:00Z,1\n")) == 1


def test_no_rows(tmp_path: Path) -> None:
    """A file with a header alone is an empty answer."""
    found = rows(tmp_path, "time,value\n")
    assert found.empty
    assert found.columns.tolist() == ["value"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("time,value\n2026-09-01T00:00,1\n", "checkout.csv:2: '2026-09-01T00:00' has no offset from UTC"),
        ("time,value\n\n2026-09-01,1\n", "checkout.csv:3: '2026-09-01' has no offset"),
        ("time,value\nyesterday,1\n", "checkout.csv:2: 'yesterday' is not a date and time"),
        ("time,value\n0001-01-01T00:00+23:00,1\n", "checkout.csv:2: "),
        ("time,value\n2026-09-01T00:00Z,fast\n", "checkout.csv:2: 'fast' is not a number"),
        ("time,value\n2026-09-01T00:00Z,1_000\n", "checkout.csv:2: '1_000' is not a number"),
        ("time,value\n2026-09-01T00:00Z\n", "checkout.csv:2: this line has 1 cells instead of 2"),
        ("time,value\n2026-09-01T00:00Z,1,2\n", "checkout.csv:2: this line has 3 cells"),
        ('time,value\n2026-09-01T00:00Z,"1"x\n', "checkout.csv:2: this is not CSV"),
        ('time,value\n2026-09-01T00:00Z,"1\n', "checkout.csv:2: this is not CSV"),
        ("value,time\n", "checkout.csv:1: the columns must be time and value"),
        ("time,value,note\n", "checkout.csv:1: the columns must be"),
        ("<html>Log in</html>", "checkout.csv:1: the columns must be"),
        ("", "checkout.csv:1: the columns must be"),
        (b"time,value\n\xff", "checkout.csv:2: this is not UTF-8"),
        (b"time,value\n2026-09-01T00:00Z,\x00\n", "checkout.csv:2: "),
    ],
)
def test_what_is_wrong(tmp_path: Path, text: str | bytes, said: str) -> None:
    """An error names the file and the line."""
    error = failure(tmp_path, text)
    assert error.what.startswith(said)
    assert (error.retry, error.fault) == (False, "answer")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("time,value", "the columns of a histogram must be"),
        ("time,le=1,le=+Inf", "the columns of a histogram must be"),
        ("time,le=1,le=+Inf,sum,value", "the columns of a histogram must be"),
        ("le=+Inf,time,sum", "the columns of a histogram must be"),
        ("time,le=1,sum", "le=+Inf is missing"),
        ("time,le=1,le=1.0,le=+Inf,sum", "two buckets have the bound 1"),
        ("time,le=fast,le=+Inf,sum", "'fast' is not a number"),
    ],
)
def test_wrong_columns_of_a_histogram(tmp_path: Path, header: str, said: str) -> None:
    """A histogram has every bound once, the count of all values, and the sum."""
    error = failure(tmp_path, header + "\n", "histogram")
    assert error.what.startswith("checkout.csv:1: ")
    assert said in error.what


def test_a_missing_file(tmp_path: Path) -> None:
    """A file that is not there is a mistake in the story."""
    with pytest.raises(FetchError, match=r"checkout\.csv is not a file") as caught:
        source(tmp_path).fetch(series(), WINDOW)
    assert caught.value.fault == "query"


def test_a_huge_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file beyond the cap is not read."""
    monkeypatch.setattr(csv_source, "MAX_BYTES", 100)
    assert "more than 100 bytes" in failure(tmp_path, "x" * 101).what


@pytest.mark.parametrize("name", ["../secret.csv", "/etc/passwd", "a/../../b", ".", "..\\b", "a\nb"])
def test_names_that_lead_out(tmp_path: Path, name: str) -> None:
    """A file is named by a path that stays in the folder, in the story's check and in the fetch."""
    (tmp_path / "data").mkdir()
    (tmp_path / "secret.csv").write_text("time,value\n")
    assert [each.key for each in CsvSource.objections(series(query=name), HOUR)] == ["query"]
    with pytest.raises(FetchError, match="is not a file of the source's folder"):
        source(tmp_path).fetch(series(query=name), WINDOW)


def test_a_symlink_that_leads_out(tmp_path: Path) -> None:
    """A symlink does not lead out of the folder, and the folder is none that leads out."""
    root, outside = tmp_path / "kb", tmp_path / "outside"
    for folder in (root / "data", outside):
        folder.mkdir(parents=True)
    (outside / "checkout.csv").write_text("time,value\n")
    (root / "data/checkout.csv").symlink_to(outside / "checkout.csv")
    (root / "linked").symlink_to(outside)
    with pytest.raises(FetchError, match="outside of the folder"):
        source(root).fetch(series(), WINDOW)
    with pytest.raises(FetchError, match="outside of the knowledge base"):
        source(root, path="linked").fetch(series(), WINDOW)


def test_a_knowledge_base_behind_a_symlink(tmp_path: Path) -> None:
    """The knowledge base itself may be reached through a symlink."""
    (tmp_path / "kb/data").mkdir(parents=True)
    (tmp_path / "kb/data/checkout.csv").write_text("time,value\n2026-09-01T00:00Z,1\n")
    (tmp_path / "link").symlink_to(tmp_path / "kb")
    assert len(source(tmp_path / "link").fetch(series(), WINDOW).rows) == 1


@pytest.mark.parametrize("options", [{"path": "data", "url": "http://h"}, {"timeout": "3s"}, {"path": "../data"}])
def test_where_the_files_are(tmp_path: Path, options: dict[str, Any]) -> None:
    """A source has a folder inside the knowledge base, or an address."""
    with pytest.raises(UserError, match=r"site-config/sources\.yml: files: "):
        source(tmp_path, **options)


@pytest.mark.parametrize(
    ("given", "keys"),
    [
        (series(), []),
        (series("histogram", "web/checkout.csv"), []),
        (series(query=None), ["query"]),
        (series(metric="x", match={"a": "b"}, sum="y"), ["metric", "match", "sum"]),
    ],
)
def test_objections(given: Series, keys: list[str]) -> None:
    """A series is its file, and nothing of another kind of source."""
    assert [each.key for each in CsvSource.objections(given, HOUR)] == keys


TEXT = b"time,value\n2026-09-01T00:00Z,12\n2026-09-01T01:00Z,13\n"


def test_over_http(tmp_path: Path) -> None:
    """A file below an address is read with the source's headers."""
    with FaultServer({"/files/web%20a/b%23.csv": Reply(TEXT)}) as server:
        options = {"url": f"{server.url}/files/", "headers": {"Authorization": "Bearer ${T}"}}
        files = source(tmp_path, {"T": "tok"}, **options)
        found = files.fetch(series(query="web a/b#.csv"), WINDOW).rows
        files.close()
    assert found["value"].tolist() == [12, 13]
    assert server.asked[0].headers["Authorization"] == "Bearer tok"


@pytest.mark.parametrize(
    ("reply", "retry", "fault"),
    [
        (Reply(TEXT, cut=40), True, "source"),
        (Reply(TEXT, length=False, cut=len(TEXT) - 2), True, "source"),
        (Reply(b"", 404), False, "query"),
        (Reply(b"", 503), True, "source"),
        (Reply(b"<html>Log in</html>\n"), False, "answer"),
    ],
)
def test_faults_over_http(tmp_path: Path, reply: Reply, retry: bool, fault: str) -> None:
    """A cut file is fetched again, a missing one is the story's mistake."""
    with FaultServer({"/checkout.csv": reply}) as server:
        files = source(tmp_path, url=server.url)
        with pytest.raises(FetchError) as caught:
            files.fetch(series(), WINDOW)
        files.close()
    assert (caught.value.retry, caught.value.fault) == (retry, fault)


def test_a_file_that_is_being_written(tmp_path: Path) -> None:
    """Cut at any byte, a file is refused or lacks rows: half of the number 12 never becomes a value."""
    for end in range(len(TEXT) + 1):
        path = tmp_path / "data/checkout.csv"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(TEXT[:end])
        with suppress(FetchError):
            found = source(tmp_path).fetch(series(), WINDOW).rows["value"].tolist()
            assert found == [12.0, 13.0][: len(found)]
            assert TEXT[:end].endswith(b"\n")
    with FaultServer({"/checkout.csv": Reply(TEXT.rstrip())}) as server:
        files = source(tmp_path, url=server.url)
        with pytest.raises(FetchError, match=r"checkout\.csv: the last line has no line break: is") as caught:
            files.fetch(series(), WINDOW)
        files.close()
    assert (caught.value.retry, caught.value.fault) == (False, "answer")


def test_a_whole_file_over_http(tmp_path: Path) -> None:
    """A last line break is enough to know that a file is whole."""
    with FaultServer({"/checkout.csv": Reply(TEXT, length=False)}) as server:
        files = source(tmp_path, url=server.url)
        assert len(files.fetch(series(), WINDOW).rows) == 2
        files.close()


def test_query() -> None:
    """The request in words is the file's name."""
    assert CsvSource.query(series(query="web/checkout.csv"), HOUR) == "web/checkout.csv"


@pytest.mark.parametrize(
    ("reply", "retry", "said"),
    [
        (Reply(b"\n <!doctype html>\n"), False, "a web page, perhaps to log in"),
        (Reply(b'{"error": "busy"}\n'), False, "checkout.csv:1: the columns must be time and value"),
        (Reply(TEXT, length=False, chunked=True, cut=30), True, "broke off in the middle"),
        (Reply(gzip.compress(TEXT)[:-5], headers={"Content-Encoding": "gzip"}), True, "broke off in the middle"),
        (Reply(gzip.compress(TEXT), headers={"Content-Encoding": "gzip"}, length=False, cut=30), True, "broke off"),
        (Reply(TEXT, reset=True, cut=30), True, "broke off"),
        (Reply(b"", 500), True, "status 500"),
        (Reply(b"", 429, {"Retry-After": "5"}), True, "its limit is reached"),
        (Reply(b"", 401), False, "does not accept our credentials"),
        (Reply(b"", 301, {"Location": "http://elsewhere.example"}), False, "redirects are refused"),
        (Reply(TEXT, stall=30), True, "did not answer in full within 0.5 s"),
        (Reply(TEXT, drip=0.05), True, "did not answer in full within 0.5 s"),
        (Reply(b"time,value\n2026-09-01T00:00Z,1\n2026-09-01T00:00Z,2\n"), False, "two different values"),
        (Reply(b"time,value\n2026-09-01T00:30Z,1\n"), False, "does not begin a step"),
    ],
)
def test_more_faults_over_http(tmp_path: Path, reply: Reply, retry: bool, said: str) -> None:
    """Whatever goes wrong on the way is told from a file, and says whether another try is worth it."""
    timeout = "500ms" if reply.stall or reply.drip else "20s"
    with FaultServer({"/checkout.csv": reply}) as server:
        files = source(tmp_path, url=server.url, timeout=timeout)
        with pytest.raises(FetchError) as caught:
            tidy(files.fetch(series(), WINDOW), WINDOW)
        files.close()
    assert said in caught.value.what
    assert caught.value.retry == retry


def test_order_gaps_and_repetition(tmp_path: Path) -> None:
    """Rows out of order are sorted, equal ones are dropped, and what is no number is a gap."""
    text = "time,value\n2026-09-01T02:00Z,3\n2026-09-01T00:00Z,1\n2026-09-01T01:00Z,NaN\n2026-09-01T03:00Z,inf\n"
    with FaultServer({"/checkout.csv": Reply(f"{text}2026-09-01T00:00Z,1.0\n".encode())}) as server:
        files = source(tmp_path, url=server.url)
        found = tidy(files.fetch(series(), WINDOW), WINDOW).rows["value"]
        files.close()
    assert found.to_dict() == {START: 1, START + 2 * HOUR: 3}


def test_samples_of_the_future(tmp_path: Path) -> None:
    """A step that the server's clock has not ended is left out."""
    now = format_datetime(START + 2 * HOUR - timedelta(seconds=1), usegmt=True)
    with FaultServer({"/checkout.csv": Reply(TEXT, headers={"Date": now})}) as server:
        files = source(tmp_path, url=server.url)
        assert files.fetch(series(), WINDOW).rows["value"].tolist() == [12]
        files.close()


SECRET = "s3cr3t-t0ken"  # noqa: S105  # a canary, to be looked for where it must not be


@pytest.mark.parametrize("column", ["2026-09-01T00:00Z,{}", "{},1"])
@pytest.mark.parametrize(
    "cell", [SECRET, f"you sent {SECRET}", f"t={SECRET[3:]}", "x" * 500, "\u202e\x1b[31mred", "a\u0000b"]
)
def test_cells_in_errors(tmp_path: Path, column: str, cell: str) -> None:
    """Of a cell an error shows its beginning at most, on one line, and nothing of our credentials."""
    with FaultServer({"/checkout.csv": Reply(f"time,value\n{column.format(cell)}\n".encode())}) as server:
        files = source(tmp_path, {"T": SECRET}, url=server.url, headers={"Authorization": "Bearer ${T}"})
        with pytest.raises(FetchError) as caught:
            files.fetch(series(), WINDOW)
        files.close()
    said = caught.value.what
    assert said.startswith("checkout.csv:2: ")
    assert len(said) < 120
    assert said.isprintable()
    assert not [start for start in range(len(SECRET) - 3) if SECRET[start : start + 4] in said]


def test_hidden_files(tmp_path: Path) -> None:
    """A file such as .env is no telemetry, and its cells are in no error."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/.env").write_text(f"time,value\n2026-09-01T00:00Z,{SECRET}\n")
    asked = series(query=".env")
    assert [each.key for each in CsvSource.objections(asked, HOUR)] == ["query"]
    with pytest.raises(FetchError, match="not a file of the source's folder"):
        source(tmp_path).fetch(asked, WINDOW)
