"""The one seam to HTTP: a whole answer in time, or a FetchError that says whether to try again.

An HTTP library hands over a body that was cut off as if it were whole, waits for as long as
bytes drip in, follows redirects with our credentials and looks for more of them in ~/.netrc.
So requests are sent through its adapter alone, which knows neither redirects, cookies,
proxies nor netrc, and the body is read and judged here. No error holds a header's value or
more of the address than host and port.
"""

import json
import re
import time
import zlib
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from threading import Thread
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode, urlsplit

import requests
from pydantic import AfterValidator, Field
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, LocationValueError, NameResolutionError, NewConnectionError
from urllib3.exceptions import TimeoutError as SlowError

from ingest.errors import FetchError, UserError
from ingest.fields import Duration, Line, Link, Strict, is_unprintable, wrong
from ingest.settings import SOURCES_FILE
from ingest.sources.base import expand
from ingest.sources.secrets import Secrets

MAX_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
CHUNK = 64 * 1024
CONNECT_SECONDS = 10.0
LONGEST_ADDRESS = 4000
"""Bytes of an address that every proxy lets through; many refuse one of 8,192 with 414."""
RETRIED = frozenset({408, 425, 429, 500, 502, 503, 504})
LONGEST_SAID = 4000
LONGEST_MESSAGE = 300

T = TypeVar("T")


def _read_address(text: str) -> str:
    if urlsplit(text).query or urlsplit(text).fragment:
        raise wrong("the address must not have a query", "a token belongs into `headers`")
    return text.rstrip("/")


def _read_header_name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", text):
        raise wrong(f"{text!r} is not the name of a header", "write one such as Authorization")
    return text


def _read_timeout(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise wrong("no answer comes in no time", "write 30s or more")
    return value


Address = Annotated[Link, AfterValidator(_read_address)]
HeaderName = Annotated[Line, AfterValidator(_read_header_name)]
Timeout = Annotated[Duration, AfterValidator(_read_timeout)]


class HttpOptions(Strict):
    """The keys of every source that is asked over HTTP."""

    headers: dict[HeaderName, Line] = Field(default_factory=dict)
    """Headers of every request, such as Authorization; ${NAME} comes from the environment."""
    timeout: Timeout = timedelta(seconds=30)
    """How long one attempt may take, from connecting to the last byte."""


@dataclass(frozen=True)
class Answer:
    """A decoded body; `ended` says that its end is certain, `date` is the server's clock.

    `headers` are found in whatever case.
    """

    body: bytes
    ended: bool
    date: datetime | None
    headers: Mapping[str, str] = field(default_factory=dict)


class Client:
    """Requests to one server, from any number of threads."""

    def __init__(
        self,
        name: str,
        url: str,
        options: HttpOptions,
        environ: Mapping[str, str],
        query_faults: Collection[int] = (400, 422),
    ) -> None:
        """Opens nothing; `query_faults` are the statuses that the story's query is to blame for.

        Raises UserError where a header's variable is missing or its value cannot be sent.
        """
        self.url = url
        self.place = f"{name} ({urlsplit(url).netloc})"
        self.timeout = options.timeout.total_seconds()
        self.query_faults = query_faults
        self._headers = {key: _header(name, key, text, environ) for key, text in options.headers.items()}
        self._secrets = Secrets.of_headers(self._headers)
        # The variable that other programs read for a company's own certificates.
        self._certificates: str | bool = environ.get("REQUESTS_CA_BUNDLE") or True
        self._adapter = HTTPAdapter()

    def close(self) -> None:
        self._adapter.close()

    def deadline(self) -> float:
        """The end of an attempt that begins now, on the monotonic clock."""
        return time.monotonic() + self.timeout

    def get(self, path: str, params: Mapping[str, str], deadline: float) -> Answer:
        """The whole answer to a GET of `path` below the address; raises FetchError."""
        return self._within(deadline, self._ask, "GET", self.url + path, self._asking, params=dict(params))

    def get_or_post(self, path: str, params: Mapping[str, str], deadline: float) -> Answer:
        """The same for an API that reads forms as well: a POST where the address would be too long for proxies."""
        form = urlencode(params).encode()
        if len(self.url) + len(path) + 1 + len(form) <= LONGEST_ADDRESS:
            return self.get(path, params, deadline)
        headers = {**self._asking, "Content-Type": "application/x-www-form-urlencoded"}
        return self._within(deadline, self._ask, "POST", self.url + path, headers, data=form)

    def search(self, path: str, params: Mapping[str, str], body: object, deadline: float) -> Answer:
        """The whole answer to a POST, for an API that reads its questions as JSON; raises FetchError."""
        headers = {**self._asking, "Content-Type": "application/json"}
        question = json.dumps(body, ensure_ascii=False).encode()
        return self._within(deadline, self._ask, "POST", self.url + path, headers, params=dict(params), data=question)

    def post(self, body: Mapping[str, object], deadline: float) -> None:
        """Sends JSON to the address itself, whose words do not matter; raises FetchError."""
        headers = {"User-Agent": "perfkb", "Content-Type": "application/json", **self._headers}
        self._within(deadline, self._tell, "POST", self.url, headers, data=json.dumps(body).encode())

    def _within(
        self, deadline: float, send: Callable[[requests.PreparedRequest, float], T], method: str, url: str,
        headers: Mapping[str, str], **parts: Any,
    ) -> T:  # fmt: skip
        """What `send` makes of a request; raises FetchError."""
        try:
            request = requests.Request(method, url, dict(headers), **parts).prepare()
            return _within(deadline, lambda: send(request, deadline))
        except (requests.RequestException, HTTPError, OSError, ValueError) as error:
            # The library's own texts quote addresses and headers.
            raise self._failure(error) from None

    @property
    def _asking(self) -> dict[str, str]:
        # What is asked for last is what can be decoded here.
        return {"User-Agent": "perfkb", **self._headers, "Accept-Encoding": "gzip"}

    def clean(self, text: str) -> str:
        """A server's words, fit for a page: one short line, without our credentials."""
        # What no terminal shows must not stand between two halves of a credential.
        text = self._secrets.hide(
            "".join(each for each in text[:LONGEST_SAID] if each.isspace() or not is_unprintable(each))
        )
        line = " ".join("".join(" " if is_unprintable(each) else each for each in text).split())
        return line if len(line) <= LONGEST_MESSAGE else f"{line[:LONGEST_MESSAGE]}..."

    def _send(self, request: requests.PreparedRequest, deadline: float) -> requests.Response:
        left = max(0.001, deadline - time.monotonic())
        timeout = (min(CONNECT_SECONDS, left), left)
        return self._adapter.send(request, stream=True, timeout=timeout, verify=self._certificates)

    def _tell(self, request: requests.PreparedRequest, deadline: float) -> None:
        with self._send(request, deadline) as response:
            if not 200 <= response.status_code < 300:
                # Its own words could quote the address, which is a credential where it is told something.
                raise FetchError(f"{self.place} answers with status {response.status_code}")

    def _ask(self, request: requests.PreparedRequest, deadline: float) -> Answer:
        with self._send(request, deadline) as response:
            if response.status_code != 200:
                raise self._refusal(response, deadline)
            ended = _has_an_end(response)
            body = self._body(response, MAX_BYTES, deadline)
            return Answer(body, ended, _date(response.headers.get("Date")), response.headers)

    def _body(self, response: requests.Response, limit: int, deadline: float) -> bytes:
        """The decoded body; raises FetchError where it is cut off or longer than `limit`."""
        encoding = response.headers.get("Content-Encoding", "identity").lower()
        if encoding not in ("identity", "gzip", "x-gzip"):
            raise FetchError(f"{self.place} answers in an encoding that was not asked for", fault="answer")
        body, received = bytearray(), 0
        gzip = None if encoding == "identity" else zlib.decompressobj(zlib.MAX_WBITS | 16)
        # A read that waits for a full chunk would outlast the deadline.
        while chunk := response.raw.read1(CHUNK, decode_content=False):
            received += len(chunk)
            body += chunk if gzip is None else self._unpack(gzip, chunk, limit + 1 - len(body))
            if max(len(body), received) > limit:
                raise FetchError(f"{self.place} answers with more than {limit:,} bytes", fault="answer")
            if time.monotonic() > deadline:
                raise TimeoutError
        if gzip and not gzip.eof:
            raise self._cut_off()
        return bytes(body)

    def _unpack(self, gzip: Any, chunk: bytes, most: int) -> bytes:
        try:
            unpacked: bytes = gzip.decompress(chunk, most)
        except zlib.error:
            raise FetchError(f"{self.place} answers with damaged gzip", retry=True, fault="answer") from None
        if gzip.unused_data:
            raise FetchError(f"{self.place} answers with more after the end of its gzip", fault="answer")
        return unpacked

    def _refusal(self, response: requests.Response, deadline: float) -> FetchError:
        """The error for any status but 200."""
        status = response.status_code
        if 300 <= status < 400:
            what = f"{self.place} answers with a redirect ({status}); redirects are refused, write the final address"
            return FetchError(what)
        if status in (403, 429) and (limited := _limited(response.headers)) is not None:
            what = f"{self.place} answers no more requests for now ({status}): its limit is reached"
            return FetchError(what, retry=True, wait=limited)
        if status in (401, 403):
            # Such a body may quote the credentials that it refuses.
            expired = "expired" in response.headers.get("WWW-Authenticate", "").lower()
            what = "says that our credentials have expired" if expired else "does not accept our credentials"
            return FetchError(f"{self.place} {what} ({status}); see its headers", fault="credentials")
        said = self._message(response, deadline)
        return FetchError(
            f"{self.place} answers with status {status}{said and ': '}{said}",
            retry=status in RETRIED,
            wait=_wait(response.headers) if status in (429, 503) else None,
            fault="query" if status in self.query_faults else "source",
        )

    def _message(self, response: requests.Response, deadline: float) -> str:
        """The server's own words, where its answer is JSON that says what is wrong."""
        try:
            said = json.loads(self._body(response, MAX_ERROR_BYTES, deadline))
        except (FetchError, HTTPError, OSError, ValueError, RecursionError):
            return ""
        return self.clean(_words(said))

    def _cut_off(self) -> FetchError:
        return FetchError(f"{self.place} broke off in the middle of its answer", retry=True)

    def _failure(self, error: Exception) -> FetchError:
        """The error for a request without an answer."""
        reason = getattr(error.args[0], "reason", None) if error.args else None
        if isinstance(reason, NameResolutionError):
            return FetchError(f"{self.place} is not known by that name", retry=True)
        if isinstance(error, requests.exceptions.SSLError):
            # A certificate stays wrong; a handshake that breaks off may work the next time.
            wrong_certificate = "CERTIFICATE" in str(error)
            why = "its certificate is not trusted" if wrong_certificate else "the handshake failed"
            return FetchError(f"{self.place} offers no safe connection: {why}", retry=not wrong_certificate)
        if isinstance(error, requests.ConnectTimeout) or isinstance(reason, NewConnectionError):
            return FetchError(f"{self.place} cannot be reached", retry=True)
        if isinstance(error, (requests.Timeout, SlowError, TimeoutError)):
            return FetchError(f"{self.place} did not answer in full within {self.timeout:g} s", retry=True)
        no_address = isinstance(error, LocationValueError)
        if isinstance(error, (requests.ConnectionError, HTTPError)) and not no_address:
            return self._cut_off()
        kind = type(error).__name__
        return FetchError(f"{self.place} cannot be asked ({kind}); look at its address and certificates")


def _within(deadline: float, work: Callable[[], T]) -> T:
    """What `work` returns; TimeoutError at `deadline`, whatever it is waiting for.

    Headers can drip as well, and a name server can stall, which no socket's time-out ends.
    Work that is given up ends by itself at its next byte or with the process.
    """
    future: Future[T] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(max(0.0, deadline - time.monotonic()))


def _header(name: str, key: str, text: str, environ: Mapping[str, str]) -> str:
    where = f"{SOURCES_FILE}: {name}.headers.{key}"
    # `export TOKEN="$(cat file)"` and its relatives leave blanks at the ends.
    value = expand(text, environ, where).strip()
    if any(is_unprintable(each) or ord(each) > 255 for each in value):
        raise UserError(where, "the value has a character that no header can carry", "look for a line break in it")
    return value


def _has_an_end(response: requests.Response) -> bool:
    """Whether the answer says where it ends; one that ends with its connection may be cut."""
    raw: Any = response.raw
    return raw.chunked or raw.length_remaining is not None or "gzip" in response.headers.get("Content-Encoding", "")


def _words(said: Any, depth: int = 4) -> str:
    """What an answer in JSON says is wrong, by the names that APIs have for it; empty where nothing does."""
    if isinstance(said, list):
        said = said[0] if said else None
    if isinstance(said, str):
        return said
    if not isinstance(said, dict) or not depth:
        return ""
    keys = ("error", "errors", "errorMessages", "message", "description", "title", "detail")
    return next((words for key in keys if (words := _words(said.get(key), depth - 1))), "")


def _limited(headers: Mapping[str, str]) -> float | None:
    """The seconds until a used-up limit of requests is renewed; None where none is told to be used up."""
    if (wait := _wait(headers)) is not None:
        return wait
    left, reset = (headers.get(f"X-RateLimit-{key}", "").strip() for key in ("Remaining", "Reset"))
    if left != "0" or not re.fullmatch("[0-9]{1,12}", reset):
        return None
    # Some tell the moment, and some the seconds until then.
    now = _date(headers.get("Date")) or datetime.now(UTC)
    return max(0.0, float(reset) - now.timestamp()) if float(reset) > 1e9 else float(reset)


def _wait(headers: Mapping[str, str]) -> float | None:
    """The seconds of Retry-After; None where it is missing or makes no sense."""
    text = headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]+", text):
        return float(text)
    until = _date(text)
    # Both dates are of the server's clock, whatever ours says.
    now = _date(headers.get("Date")) or datetime.now(UTC)
    return max(0.0, (until - now).total_seconds()) if until else None


def _date(text: str | None) -> datetime | None:
    """The moment of an HTTP date, in UTC; None where it is none."""
    try:
        moment = parsedate_to_datetime(text or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
