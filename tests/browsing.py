"""Built sites in a real Chromium: serving them, and watching for what must not happen."""

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import MappingProxyType
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.servers import require

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run",
]  # fmt: skip


_SETTLED = """() => Promise.allSettled(
    document.getAnimations().filter(each => each.effect.getTiming().iterations < Infinity).map(each => each.finished)
)"""


class _Quiet(SimpleHTTPRequestHandler):
    def __init__(self, *given: Any, headers: Mapping[str, str], **more: Any) -> None:
        self.more_headers = headers
        super().__init__(*given, **more)

    def do_GET(self) -> None:  # the name is http.server's
        if self.path == "/favicon.ico":
            # A browser that opens a drawing by itself may ask the host for one, wherever the site lies.
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def end_headers(self) -> None:
        for name, value in self.more_headers.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def headers_of(site: Path) -> dict[str, str]:
    """The headers that a built site brings along for all of its pages."""
    pattern, *lines = (site / "_headers").read_text(encoding="utf-8").splitlines()
    assert pattern == "/*"
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A Chromium with a fresh profile; skips the test without one."""
    program = require("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield started
        started.close()


@contextmanager
def served(folder: Path, headers: Mapping[str, str] = MappingProxyType({})) -> Iterator[str]:
    """The address at which the files of a folder are served, with these `headers`."""
    handler = functools.partial(_Quiet, directory=str(folder), headers=headers)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@contextmanager
def watched(browser: Browser, address: str, **options: Any) -> Iterator[Page]:
    """A page; fails the test for an error in its console, a dialog, or a request to another host than `address`."""
    context = browser.new_context(**options)
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(dialog.message))
    page.on("request", lambda asked: None if asked.url.startswith((address, "data:")) else faults.append(asked.url))
    yield page
    context.close()
    assert faults == [], faults


def address_of(page: Page) -> str:
    """The address as the page has it now; `page.url` learns of what a script changed a moment later."""
    found: str = page.evaluate("location.href")
    return found


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong with the page as it is shown now."""
    # What fades in is pale until it is there.
    page.evaluate(_SETTLED)
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {each['nodes'][0]['target']} {each['nodes'][0]['failureSummary']}" for each in found]
