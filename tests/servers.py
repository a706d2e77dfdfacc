"""Servers to test against: one of ours that fails on command, a real Prometheus, a real VictoriaMetrics."""

import os
import shutil
import socket
import struct
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import numpy.typing as npt
import pytest

BOUNDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


def require(program: str) -> str:
    """The path of a program; skips the test without it, or fails where services are demanded."""
    found = shutil.which(program)
    if found:
        return found
    if os.environ.get("PERFKB_REQUIRE_SERVICES") == "1":
        pytest.fail(f"{program} is not installed, and PERFKB_REQUIRE_SERVICES=1 demands it", pytrace=False)
    pytest.skip(f"{program} is not installed")


@dataclass(frozen=True)
class Asked:
    """A request that the fault server got; `params` are those of the address and of a form."""

    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    method: str = "GET"


@dataclass(frozen=True)
class Reply:
    """An answer of the fault server, and how it goes wrong.

    `length` announces Content-Length, `chunked` sends the body in two chunks instead; only
    the first `cut` bytes are sent (of a chunked body, without its end); `drip` waits so many
    seconds before every byte, `drip_headers` does so before the body begins; `stall` seconds
    pass before anything is sent; `reset` ends the connection with an RST after what was sent.
    """

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    length: bool = True
    chunked: bool = False
    cut: int | None = None
    drip: float = 0.0
    drip_headers: float = 0.0
    stall: float = 0.0
    reset: bool = False


Script = Reply | Sequence[Reply] | Callable[[Asked], Reply]


class FaultServer:
    """`with FaultServer({"/path": Reply(...)}) as server`: listens at `server.url`, logs in `server.asked`.

    A sequence of replies is used up one a request, the last one stays; a function sees the
    request. Other paths answer with 404. A function in place of the mapping answers on all paths.
    """

    def __init__(self, replies: Mapping[str, Script] | Callable[[Asked], Reply]) -> None:
        self.any_path = replies if callable(replies) else None
        self.replies = {} if callable(replies) else dict(replies)
        self.asked: list[Asked] = []
        self.over = Event()

    def __enter__(self) -> "FaultServer":
        owner = self

        class Handler(_Handler):
            fault_server = owner

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # So that a handler that is still busy is waited for, and its socket closed.
        self.server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def reply_to(self, asked: Asked) -> Reply:
        self.asked.append(asked)
        if self.any_path:
            return self.any_path(asked)
        script = self.replies.get(asked.path, Reply(b"nothing here", 404))
        if isinstance(script, Reply):
            return script
        if callable(script):
            return script(asked)
        before = sum(each.path == asked.path for each in self.asked) - 1
        return script[min(before, len(script) - 1)]


class _Handler(BaseHTTPRequestHandler):
    fault_server: FaultServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # the name is http.server's
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        params = dict(parse_qsl(parts.query))
        if self.headers.get("Content-Type") == "application/x-www-form-urlencoded":
            params |= parse_qsl(body.decode())
        asked = Asked(parts.path, params, dict(self.headers.items()), body, self.command)
        reply = self.fault_server.reply_to(asked)
        self.close_connection = True
        with suppress(OSError):  # a client may go, and often should
            self._answer(reply)
        if reply.reset:
            # Closing with a linger of 0 s sends an RST instead of a FIN.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    do_POST = do_GET  # noqa: N815  # the name is http.server's

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name is http.server's
        pass

    def _answer(self, reply: Reply) -> None:
        self.fault_server.over.wait(reply.stall)
        if reply.reset and reply.cut is None:
            return
        self._drip(self._head(reply), reply.drip_headers)
        if reply.chunked:
            half = len(reply.body) // 2
            parts = [reply.body[:half], reply.body[half:], b""]
            whole = b"".join(b"%x\r\n%s\r\n" % (len(each), each) for each in parts if each or each is parts[2])
        else:
            whole = reply.body
        self._drip(whole[: reply.cut], reply.drip)

    def _head(self, reply: Reply) -> bytes:
        headers = {"Date": self.date_time_string(), "Connection": "close", **reply.headers}
        if reply.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif reply.length:
            headers.setdefault("Content-Length", str(len(reply.body)))
        lines = [f"HTTP/1.1 {reply.status} Status", *(f"{key}: {value}" for key, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def _drip(self, data: bytes, pause: float) -> None:
        if not pause:
            self.wfile.write(data)
            return
        for index in range(len(data)):
            if self.fault_server.over.wait(pause):
                return
            self.wfile.write(data[index : index + 1])


def free_port() -> int:
    """A port of 127.0.0.1 that nobody listened at a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_prometheus(openmetrics: str, folder: Path, *flags: str) -> Iterator[str]:
    """The address of a real Prometheus, kept in `folder`, whose history is the given text."""
    promtool, program = require("promtool"), require("prometheus")
    history, data = folder / "history.om", folder / "data"
    history.write_text(openmetrics)
    # One block for the whole history: a block every two hours takes minutes.
    backfill = [promtool, "tsdb", "create-blocks-from", "openmetrics", "-q", "--max-block-duration=10000h"]
    subprocess.run([*backfill, str(history), str(data)], check=True, capture_output=True, timeout=120)
    history.unlink()
    (folder / "prometheus.yml").write_text("global: {scrape_interval: 1h}\n")
    port = free_port()
    command = [
        program, f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=10y", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error", *flags,
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}", "/-/ready", folder / "prometheus.log") as url:
        yield url


@contextmanager
def running_victoria_metrics(openmetrics: str, folder: Path, *flags: str) -> Iterator[str]:
    """The address of a real VictoriaMetrics, kept in `folder`, whose history is the given text."""
    program, port = require("victoria-metrics"), free_port()
    command = [
        program, f"-storageDataPath={folder / 'data'}", f"-httpListenAddr=127.0.0.1:{port}", "-retentionPeriod=100y",
        "-loggerLevel=ERROR", "-selfScrapeInterval=0", *flags,
    ]  # fmt: skip
    with _running(command, f"http://127.0.0.1:{port}", "/health", folder / "victoria-metrics.log") as url:
        # It takes the same text with times in milliseconds.
        lines = (line for line in openmetrics.splitlines() if line and not line.startswith("#"))
        post(f"{url}/api/v1/import/prometheus", "".join(f"{line}000\n" for line in lines).encode())
        with urllib.request.urlopen(f"{url}/internal/force_flush", timeout=60):
            yield url


@contextmanager
def running_influxdb(folder: Path) -> Iterator[str]:
    """The address of a real InfluxDB 1, kept in `folder`."""
    program, port = require("influxd"), free_port()
    folder.mkdir(exist_ok=True)
    config = folder / "influxdb.conf"
    config.write_text(
        f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n[meta]\ndir = "{folder}/meta"\n'
        f'[data]\ndir = "{folder}/data"\nwal-dir = "{folder}/wal"\n[monitor]\nstore-enabled = false\n'
        f'[http]\nbind-address = "127.0.0.1:{port}"\nlog-enabled = false\n'
    )
    with _running(
        [program, "-config", str(config)], f"http://127.0.0.1:{port}", "/query?q=SHOW+DATABASES", folder / "influxd.log"
    ) as url:
        yield url


def post(url: str, body: bytes, **headers: str) -> None:
    """Sends a body; raises HTTPError where it is not taken."""
    request = urllib.request.Request(url, body, {key.replace("_", "-"): value for key, value in headers.items()})
    with urllib.request.urlopen(request, timeout=120) as answer:
        answer.read()


@contextmanager
def _running(command: Sequence[str], url: str, ready: str, log: Path) -> Iterator[str]:
    """The address of a server that is ready, for as long as it is needed."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        _wait_until_ready(process, url + ready, log)
        yield url
    finally:
        _stop(process)


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(600):
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()
        time.sleep(0.05)
    raise RuntimeError(f"{log.stem} did not start: {log.read_text()[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Load:
    """Requests of one set of labels: how many, and how long they take (lognormal, in seconds)."""

    labels: Mapping[str, str]
    a_second: float = 0.05
    median: float = 0.2
    sigma: float = 0.8
    begins: datetime | None = None
    """When the first request comes; its series is not there before."""
    faster_from: datetime | None = None
    """When a fix ships, from which on requests take `factor` of their time."""
    factor: float = 0.5


HISTORY_END = datetime(2026, 10, 31, tzinfo=UTC)
"""The end of the `prometheus` fixture's six weeks."""
LOADS = (
    Load({"route": "/campaigns", "pod": "a"}),
    Load({"route": "/campaigns", "pod": "b"}, begins=HISTORY_END - timedelta(weeks=3)),
    Load({"route": "/other"}, a_second=0.02, median=0.1),
    Load({"route": 'it\'s "odd"\\{}|*'}, a_second=0.005),
)


def openmetrics_histogram(
    metric: str,
    loads: Sequence[Load],
    end: datetime,
    span: timedelta = timedelta(weeks=6),
    scrape: timedelta = timedelta(minutes=5),
    seed: int = 1,
) -> str:
    """The history of a classic histogram up to `end`, as scraped from a service.

    Traffic follows the day; counters start at zero again every nine days, as a restart of
    the service makes them do.
    """
    random = np.random.default_rng(seed)
    every = int(scrape.total_seconds())
    last = int(end.timestamp()) // every * every
    times = np.arange(last - int(span.total_seconds()), last + 1, every)
    lines = [f"# TYPE {metric} histogram", f"# UNIT {metric} seconds" if metric.endswith("_seconds") else ""]
    for load in loads:
        lines += _history(metric, load, times, every, random)
    return "\n".join([*filter(None, lines), "# EOF", ""])


def _history(
    metric: str, load: Load, times: npt.NDArray[np.int64], every: int, random: np.random.Generator
) -> Iterator[str]:
    if load.begins:
        times = times[times >= load.begins.timestamp()]
    hour = times % 86_400 / 3600
    count = random.poisson(load.a_second * every * (1 + 0.8 * np.sin((hour - 8) / 24 * 2 * np.pi)))
    scrape = np.repeat(np.arange(len(times)), count)
    took = load.median * np.exp(load.sigma * random.standard_normal(len(scrape)))
    if load.faster_from:
        took[times[scrape] > load.faster_from.timestamp()] *= load.factor
    added = np.zeros((len(times), len(BOUNDS) + 1))
    np.add.at(added, (scrape, np.searchsorted(BOUNDS, took)), 1)
    total = np.bincount(scrape, took, len(times))
    counters = np.column_stack([added.cumsum(axis=1), total])
    for life in np.split(np.arange(len(times)), np.arange(0, len(times), 9 * 86_400 // every)[1:]):
        counters[life] = counters[life].cumsum(axis=0)
    names = _sample_names(metric, load.labels)
    for at, row in zip(times.tolist(), counters.tolist(), strict=True):
        for name, value in zip(names, row, strict=True):
            yield f"{name} {value!r} {at}"
        yield f"{metric}_count{_label_text(load.labels)} {row[-2]!r} {at}"


def _sample_names(metric: str, labels: Mapping[str, str]) -> list[str]:
    """The buckets and the sum, in the order of the counters' columns."""
    bounds = [*(repr(bound) for bound in BOUNDS), "+Inf"]
    buckets = [f"{metric}_bucket{_label_text({**labels, 'le': bound})}" for bound in bounds]
    return [*buckets, f"{metric}_sum{_label_text(labels)}"]


def _label_text(labels: Mapping[str, str]) -> str:
    def quoted(text: str) -> str:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'"{escaped}"'

    return "{" + ",".join(f"{name}={quoted(value)}" for name, value in labels.items()) + "}"
