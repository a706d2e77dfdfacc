import gzip
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import ValidationError

from ingest.errors import FetchError, UserError
from ingest.sources import http
from ingest.sources.http import Answer, Client, HttpOptions
from tests.servers import Asked, FaultServer, Reply, Script, free_port

BODY = b'{"status": "success"}' * 40
TOKEN = "s3cr3t-t0ken"  # noqa: S105  # a made-up one, to look for in errors


def options(timeout: str = "20s", **headers: str) -> HttpOptions:
    return HttpOptions.model_validate({"timeout": timeout, "headers": headers})


def get(reply: Script, timeout: str = "20s") -> Answer:
    """The answer of a server that replies so, asked with a secret header."""
    with FaultServer({"/data": reply}) as server:
        return ask(server.url, timeout)


def ask(url: str, timeout: str = "20s", path: str = "/data") -> Answer:
    client = Client("prod", url, options(timeout, Authorization="Bearer ${TOKEN}"), {"TOKEN": TOKEN})
    try:
        return client.get(path, {"query": "up"}, client.deadline())
    finally:
        client.close()


def failure(reply: Script, timeout: str = "20s") -> FetchError:
    with pytest.raises(FetchError) as caught:
        get(reply, timeout)
    assert TOKEN not in str(caught.value)
    return caught.value


@pytest.mark.parametrize(
    "reply",
    [
        Reply(BODY),
        Reply(BODY, length=False),
        Reply(BODY, chunked=True),
        Reply(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}, chunked=True),
        Reply(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}, length=False),
    ],
)
def test_a_whole_body(reply: Reply) -> None:
    """A body arrives as it was sent, however it is framed and packed."""
    assert get(reply).body == BODY


def test_a_certain_end() -> None:
    """Only a body that ends with its connection may have been cut without a trace."""
    assert get(Reply(BODY)).ended
    assert get(Reply(BODY, chunked=True)).ended
    assert not get(Reply(BODY, length=False)).ended


@pytest.mark.parametrize(
    "reply",
    [
        Reply(BODY, cut=100),
        Reply(BODY, cut=0),
        Reply(BODY, chunked=True, cut=100),
        Reply(BODY, chunked=True, cut=len(BODY) + 14),
        Reply(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}, cut=20),
        Reply(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}, length=False, cut=20),
        Reply(gzip.compress(BODY)[:-4], headers={"Content-Encoding": "gzip"}),
        Reply(BODY, cut=100, reset=True),
        Reply(reset=True),
        Reply(b"", length=False, headers={"Content-Encoding": "gzip"}),
    ],
)
def test_a_cut_body(reply: Reply) -> None:
    """A body that breaks off is no answer, and is worth another try."""
    error = failure(reply)
    assert error.retry
    assert "broke off in the middle" in error.what


def test_damaged_gzip() -> None:
    """A body whose checksum is wrong is no answer."""
    packed = bytearray(gzip.compress(BODY))
    packed[-6] ^= 0xFF
    error = failure(Reply(bytes(packed), headers={"Content-Encoding": "gzip"}))
    assert (error.retry, error.fault) == (True, "answer")


def test_an_encoding_that_was_not_asked_for() -> None:
    """A body in an encoding that cannot be decoded is not taken for text."""
    assert failure(Reply(b"\x0b", headers={"Content-Encoding": "br"})).fault == "answer"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(b"x" * 200_001),
        Reply(b"x" * 200_001, length=False),
        Reply(gzip.compress(b"x" * 50_000_000), headers={"Content-Encoding": "gzip"}),
        Reply(gzip.compress(b"") * 10_001, headers={"Content-Encoding": "gzip"}),
    ],
)
def test_a_huge_body(reply: Reply, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body is counted as it is unpacked, and not read beyond the cap."""
    monkeypatch.setattr(http, "MAX_BYTES", 200_000)
    error = failure(reply)
    assert not error.retry
    assert error.fault == "answer"


def test_a_body_of_just_the_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    """A body as long as the cap is read."""
    monkeypatch.setattr(http, "MAX_BYTES", 200_000)
    body = b"x" * 200_000
    assert get(Reply(body)).body == body
    assert get(Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"})).body == body


@pytest.mark.parametrize(
    "reply",
    [
        Reply(BODY, drip=0.05),
        Reply(BODY, drip=0.05, chunked=True),
        Reply(gzip.compress(BODY), headers={"Content-Encoding": "gzip"}, drip=0.05),
        Reply(BODY, drip_headers=0.05),
        Reply(BODY, stall=30),
    ],
)
def test_a_slow_answer(reply: Reply) -> None:
    """An answer that drips or stalls ends at the deadline, wherever it is slow."""
    began = time.monotonic()
    error = failure(reply, timeout="500ms")
    assert time.monotonic() - began < 10
    assert error.retry
    assert "within 0.5 s" in error.what


def test_nobody_listens() -> None:
    """A refused connection is worth another try."""
    with pytest.raises(FetchError, match="cannot be reached") as caught:
        ask(f"http://127.0.0.1:{free_port()}")
    assert caught.value.retry


def test_an_unknown_host() -> None:
    """A host without an address is worth another try: name servers fail as well."""
    with pytest.raises(FetchError, match=r"prod \(prometheus\.invalid:9090\) is not known") as caught:
        ask("http://prometheus.invalid:9090")
    assert caught.value.retry


@pytest.mark.parametrize("host", ["a..b", f"{'a' * 64}.example", "\u2603.\u00fc"])
def test_a_host_that_cannot_be_one(host: str) -> None:
    """A name that no name server could know is told as that, once: trying again mends no slip."""
    with pytest.raises(FetchError, match=r"cannot be asked \(.*\); look at its address") as caught:
        ask(f"http://{host}:9090")
    assert not caught.value.retry


def test_no_tls() -> None:
    """A server that does not speak TLS gives an error, and no page of library text."""
    with FaultServer({}) as server, pytest.raises(FetchError, match="no safe connection"):
        ask(server.url.replace("http:", "https:"))


@pytest.mark.parametrize(
    ("status", "retry", "fault"),
    [
        (204, False, "source"),
        (400, False, "query"),
        (401, False, "credentials"),
        (403, False, "credentials"),
        (404, False, "source"),
        (422, False, "query"),
        (429, True, "source"),
        (500, True, "source"),
        (502, True, "source"),
        (503, True, "source"),
        (504, True, "source"),
    ],
)
def test_statuses(status: int, retry: bool, fault: str) -> None:
    """Each status says whether to try again, and whose fault it is."""
    error = failure(Reply(b"" if status == 204 else b"no", status))
    assert (error.retry, error.fault) == (retry, fault)
    assert str(status) in error.what


def test_the_servers_own_words() -> None:
    """A refused query comes with the server's reason, on one line and without our token."""
    said = f'{{"status": "error", "error": "parse error:\\n unexpected \\u202e end, {TOKEN}"}}'.encode()
    assert failure(Reply(said, 400)).what.endswith("answers with status 400: parse error: unexpected end, ***")
    packed = Reply(gzip.compress(said), 422, {"Content-Encoding": "gzip"})
    assert failure(packed).what.endswith("unexpected end, ***")


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"error": 7}', b"[" * 50_000, b"x" * 100_000, b"\xff"])
def test_an_error_without_words(body: bytes) -> None:
    """An error that is no JSON, or too long, counts by its status alone."""
    assert failure(Reply(body, 400)).what.endswith("answers with status 400")


def test_refused_credentials() -> None:
    """What a server says about our credentials is not repeated."""
    error = failure(Reply(f'{{"error": "bad token {TOKEN}"}}'.encode(), 401))
    assert "does not accept our credentials (401)" in error.what
    assert "bad token" not in error.what


def http_date(ahead: timedelta) -> str:
    return format_datetime(datetime(2026, 1, 1, tzinfo=UTC) + ahead, usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wait"),
    [
        ({"Retry-After": "7"}, 7),
        ({"Retry-After": "86400"}, 86_400),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "-3"}, None),
        ({"Retry-After": "1.5"}, None),
        ({}, None),
        ({"Retry-After": http_date(timedelta(seconds=90)), "Date": http_date(timedelta(0))}, 90),
        ({"Retry-After": http_date(timedelta(0)), "Date": http_date(timedelta(hours=1))}, 0),
    ],
)
def test_retry_after(headers: Mapping[str, str], wait: float | None) -> None:
    """A server's wish to be left alone is read in seconds and as a date of its own clock."""
    assert failure(Reply(b"", 429, headers)).wait == wait
    assert failure(Reply(b"", 503, headers)).wait == wait
    assert failure(Reply(b"", 500, headers)).wait is None


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect(status: int) -> None:
    """A redirect is refused, and our headers go nowhere else."""
    with FaultServer({"/elsewhere": Reply(BODY)}) as other:
        bomb = gzip.compress(b"x" * 10_000_000)
        headers = {"Location": f"{other.url}/elsewhere?token={TOKEN}", "Content-Encoding": "gzip"}
        error = failure(Reply(bomb, status, headers))
        assert other.asked == []
    assert "redirects are refused" in error.what
    assert not error.retry


def test_what_is_sent(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Our headers and parameters are sent, and neither cookies nor what the environment would add."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login someone password else")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    with FaultServer({"/base/data": Reply(BODY, headers={"Set-Cookie": "a=b"})}) as server:
        client = Client("prod", f"{server.url}/base", options(**{"X-Org": "one"}), {})
        for _ in range(2):
            client.get("/data", {"query": "a+b &c"}, client.deadline())
        client.close()
    for asked in server.asked:
        assert asked == Asked(
            "/base/data",
            {"query": "a+b &c"},
            {
                "Host": server.url.removeprefix("http://"),
                "User-Agent": "perfkb",
                "X-Org": "one",
                "Accept-Encoding": "gzip",
            },
        )


@pytest.mark.parametrize("value", ["one\r\nX-Evil: two", "a\nb", "€", "\0"])
def test_a_header_that_cannot_be_sent(value: str) -> None:
    """A variable that does not fit into a header is named, and its value is not."""
    with pytest.raises(UserError) as caught:
        Client("prod", "http://h", options(Authorization="Bearer ${T}"), {"T": f"{TOKEN}{value}x"})
    assert str(caught.value).startswith("site-config/sources.yml: prod.headers.Authorization: ")
    assert TOKEN not in str(caught.value)


def test_a_missing_variable() -> None:
    """A variable that is not set is a mistake of the user, named with its header."""
    with pytest.raises(UserError, match=r"prod\.headers\.Authorization: the environment has no PROM_TOKEN"):
        Client("prod", "http://h", options(Authorization="Bearer ${PROM_TOKEN}"), {})


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"timeout": "0s"}, "no answer comes in no time"),
        ({"headers": {"X Y": "1"}}, "is not the name of a header"),
        ({"header": {}}, "Extra inputs"),
    ],
)
def test_wrong_options(given: dict[str, Any], said: str) -> None:
    """Options that cannot work are refused."""
    with pytest.raises(ValidationError, match=said):
        HttpOptions.model_validate(given)
