"""`status --probe`: one cheap question to each source, and what is wrong with those that do not answer it."""

import ssl
import subprocess
from pathlib import Path

import pytest

from tests.commands import perfkb
from tests.servers import FaultServer, Reply, free_port, require

VECTOR = b'{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"1"]]}]}}'
SECRET = "s3cr3t-t0ken"  # noqa: S105  # a canary


def knowledge_base(root: Path, sources: str, telemetry: str = "") -> Path:
    """A small one; `telemetry` is the inside of a story's mapping."""
    (root / "stories").mkdir()
    (root / "site-config").mkdir()
    (root / "site-config/sources.yml").write_text(sources)
    text = f"---\ntitle: Slow\nstatus: reported\ntelemetry: {{{telemetry}}}\n---\n"
    (root / "stories/slow.md").write_text(text if telemetry else "---\ntitle: Slow\nstatus: reported\n---\n")
    return root


def probed(root: Path, **environ: str) -> tuple[int, list[str]]:
    done = perfkb("-C", root, "status", "--probe", now=None, **environ)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout.splitlines()


def prometheus(url: str, **more: str) -> str:
    keys = "".join(f", {key}: {value}" for key, value in more.items())
    return f"prod: {{kind: prometheus, url: '{url}'{keys}}}\n"


def test_all_is_well(tmp_path: Path) -> None:
    """Each source is asked once, whether or not a story needs it; what needs a story to ask waits for one."""
    (tmp_path / "data").mkdir()
    with FaultServer({"/api/v1/query_range": Reply(VECTOR)}) as server:
        sources = f"{prometheus(server.url)}demo: {{kind: demo}}\nfiles: {{kind: csv, path: data}}\n"
        root = knowledge_base(tmp_path, sources, "p95: {source: demo, kind: latency, query: page, unit: s}")
        status, lines = probed(root)
        assert len(server.asked) == 1
        assert server.asked[0].params["query"] == "vector(1)"
    assert status == 0
    assert [" ".join(line.split()) for line in lines] == [
        f"prod ok prod ({server.url[7:]}) answers",
        "demo ok answers a query of a story",
        "files unasked no story asks anything of it",
    ]
    assert not (root / ".snapshots").exists()


@pytest.mark.parametrize(
    ("reply", "told"),
    [
        (Reply(b"", 401), "credentials refused prod (HOST) does not accept our credentials (401); see its headers"),
        (Reply(b"", 403), "credentials refused prod (HOST) does not accept our credentials (403); see its headers"),
        (
            Reply(
                b"", 401, {"WWW-Authenticate": 'Bearer error="invalid_token", error_description="The token expired"'}
            ),
            "credentials refused prod (HOST) says that our credentials have expired (401); see its headers",
        ),
        (Reply(b"<html>Log in", 200), "wrong answer prod (HOST) answers with a web page, perhaps to log in"),
        (Reply(b"", 302, {"Location": "https://sso.example/"}), "no answer prod (HOST) answers with a redirect (302)"),
        (Reply(b"", 503), "no answer prod (HOST) answers with status 503"),
        (Reply(VECTOR, stall=9), "no answer prod (HOST) did not answer in full within 1 s"),
    ],
)
def test_what_is_wrong(tmp_path: Path, reply: Reply, told: str) -> None:
    """Refused and expired credentials, log-in pages and silence each have their words, and the exit status is 1."""
    with FaultServer({"/api/v1/query_range": reply}) as server:
        sources = prometheus(server.url, timeout="1s", headers="{Authorization: 'Bearer ${TOKEN}'}")
        status, lines = probed(knowledge_base(tmp_path, sources), TOKEN=SECRET)
        assert len(server.asked) == 1
    assert status == 1
    assert len(lines) == 1
    assert " ".join(lines[0].split()).startswith(f"prod {told.replace('HOST', server.url[7:])}")
    assert SECRET not in lines[0]


def test_nobody_there(tmp_path: Path) -> None:
    """A port without a server, an unknown host and a missing variable are told apart, and the others still asked."""
    sources = (
        f"gone: {{kind: prometheus, url: 'http://127.0.0.1:{free_port()}'}}\n"
        "nohost: {kind: prometheus, url: 'http://nowhere.invalid'}\n"
        "poor: {kind: prometheus, url: 'http://127.0.0.1:9', headers: {Authorization: '${TOKEN}'}}\n"
        "demo: {kind: demo}\n"
    )
    status, lines = probed(knowledge_base(tmp_path, sources))
    assert status == 1
    told = {line.split()[0]: " ".join(line.split()[1:]) for line in lines}
    assert "cannot be reached" in told["gone"]
    assert "is not known by that name" in told["nohost"]
    assert told["poor"].startswith(
        "cannot be asked site-config/sources.yml: poor.headers.Authorization: the environment"
    )
    assert told["demo"].startswith("unasked")


def test_a_certificate_that_nobody_signed(tmp_path: Path) -> None:
    """A TLS fault is named as one."""
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = [
        require("openssl"),
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    subprocess.run([*command, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    with FaultServer({}) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.server.socket = context.wrap_socket(server.server.socket, server_side=True)
        (tmp_path / "kb").mkdir()
        status, lines = probed(knowledge_base(tmp_path / "kb", prometheus(server.url.replace("http:", "https:"))))
    assert status == 1
    assert "offers no safe connection: its certificate is not trusted" in lines[0]


def test_a_source_without_a_question_of_its_own(tmp_path: Path) -> None:
    """It is asked for the last step of a series that a story names."""
    with FaultServer({"/a.csv": Reply(b"", 403)}) as server:
        sources = f"files: {{kind: csv, url: '{server.url}'}}\n"
        status, lines = probed(
            knowledge_base(tmp_path, sources, "a: {source: files, kind: latency, query: a.csv, unit: s}")
        )
    assert status == 1
    assert "files                credentials refused" in lines[0]


COUNTING = "helpdesk: {kind: http-json, url: '%s', count: {path: /count, params: {q: '{query}'}, value: n}}\n"


@pytest.mark.parametrize(
    ("report", "reply", "told"),
    [
        ("{source: helpdesk, query: slow}", Reply(b'{"n": 3}'), "ok answers a query of a story"),
        ("{source: helpdesk, query: slow}", Reply(b"", 401), "credentials refused helpdesk (HOST) does not accept"),
        ("{source: helpdesk, query: slow}", Reply(b"{}"), "wrong answer helpdesk (HOST) answers without a count"),
    ],
)
def test_a_source_that_only_counts_reports(tmp_path: Path, report: str, reply: Reply, told: str) -> None:
    """It is asked to count, as a story does."""
    with FaultServer({"/count": reply}) as server:
        root = knowledge_base(tmp_path, COUNTING % server.url)
        (root / "stories/slow.md").write_text(f"---\ntitle: Slow\nstatus: reported\nreports: [{report}]\n---\n")
        status, lines = probed(root)
        assert [each.params for each in server.asked] == [{"q": "slow"}]
    assert status == (0 if told.startswith("ok") else 1)
    assert " ".join(lines[0].split()).startswith(f"helpdesk {told.replace('HOST', server.url[7:])}")


def test_a_series_that_cannot_be_asked(tmp_path: Path) -> None:
    """It is told as its story's mistake, and the source is not asked."""
    sources = "api: {kind: http-json, url: 'http://127.0.0.1:9'}\n"
    status, lines = probed(knowledge_base(tmp_path, sources, "a: {source: api, kind: total, metric: x}"))
    assert status == 1
    assert " ".join(lines[0].split()) == "api query refused metric: 'x' is not a query of the source"


def test_a_store_that_lies_elsewhere(tmp_path: Path) -> None:
    """The store is asked first, and refuses like a source."""
    root = knowledge_base(tmp_path, "demo: {kind: demo}\n")
    (root / "site-config/knowledge-base.yml").write_text("store: s3://kb/perf\n")
    environ = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_DEFAULT_REGION": "us-east-1"}
    status, lines = probed(root, AWS_ENDPOINT_URL=f"http://127.0.0.1:{free_port()}", **environ)
    assert status == 1
    assert " ".join(lines[0].split()) == "store no answer s3://kb/perf cannot be reached"
    denied = Reply(b"<Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>", 400)
    with FaultServer(lambda _: denied) as server:
        status, lines = probed(root, AWS_ENDPOINT_URL=server.url, **environ)
    assert status == 1
    told = "store credentials refused s3://kb/perf does not accept our credentials; they have expired"
    assert " ".join(lines[0].split()) == told
    assert SECRET not in "".join(lines)


def test_a_store_that_lists_nothing(tmp_path: Path) -> None:
    """An address at which nobody answers is not called well because a library finds nothing in it."""
    (tmp_path / "stories").mkdir()
    (tmp_path / "site-config").mkdir()
    (tmp_path / "site-config/knowledge-base.yml").write_text(f"store: http://127.0.0.1:{free_port()}/kb\n")
    done = perfkb("-C", tmp_path, "status", "--probe")
    assert done.returncode == 1
    assert "no answer" in done.stdout.splitlines()[0]
