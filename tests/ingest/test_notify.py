"""`perfkb notify`: what needs a person is told once."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ingest import notify
from ingest.health import Outcome, read_told, write_health
from ingest.knowledge import read_knowledge_base
from ingest.notify import news, plain
from ingest.snapshots import Store
from tests.commands import perfkb
from tests.servers import FaultServer, Reply, free_port

NOW = datetime(2026, 11, 1, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
DOWN = Outcome("slow", "p95", "prod", "kept", "", "prod cannot be reached", fault="source")
FINE = Outcome("slow", "p95", "prod", "fresh", "")


class Base:
    """A knowledge base whose health a test writes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.runs = 0
        (root / "stories").mkdir(parents=True)
        (root / "site-config").mkdir()
        (root / ".snapshots").mkdir()
        settings = "name: Acme\nurl: https://perf.example/\nnotify: ${HOOK}\n"
        (root / "site-config/knowledge-base.yml").write_text(settings)
        (root / "stories/slow.md").write_text("---\ntitle: Slow\nstatus: reported\n---\n")

    def ran(self, *outcomes: Outcome) -> None:
        """A refresh that ended like this, an hour after the last one."""
        self.runs += 1
        at = (NOW + self.runs * HOUR).isoformat()
        known = {(each.story, each.series) for each in outcomes}
        write_health(Store(self.root / ".snapshots"), [replace(each, at=at) for each in outcomes], NOW, 1, known)

    def news(self, say: str | None = None) -> list[str]:
        return [event.text for event in news(read_knowledge_base(self.root, {}), say).new]

    def notify(self, *options: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return perfkb("-C", self.root, "notify", *options, now=None, **environ)


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path / "kb")


def texts(server: FaultServer) -> list[str]:
    found: list[str] = [json.loads(each.body)["text"] for each in server.asked]
    return found


def test_a_source_that_failed_twice(base: Base) -> None:
    """One failure is no news; the second in a row is, with how many series and why, and a success ends it."""
    other = replace(DOWN, series="p50")
    base.ran(DOWN, other)
    assert base.news() == []
    base.ran(DOWN, other)
    assert base.news() == ["prod failed 2 times in a row, 2 series: prod cannot be reached"]
    base.ran(FINE, replace(FINE, series="p50"))
    assert base.news() == []


def test_refused_credentials(base: Base) -> None:
    """Credentials that are refused stay so: that is told at once."""
    base.ran(replace(DOWN, reason="prod says that our credentials have expired (401)", fault="credentials"))
    assert base.news() == ["Credentials of prod are refused: prod says that our credentials have expired (401)"]


@pytest.mark.parametrize("fault", ["query", "answer"])
def test_one_series(base: Base, fault: str) -> None:
    """A series that fails while its source is there is told by its name."""
    for _ in range(3):
        base.ran(replace(DOWN, fault=fault, reason="the answer has no rows"))
    assert base.news() == ["slow/p95 failed 3 times in a row: the answer has no rows"]


@pytest.mark.parametrize(
    ("standing", "told"), [("held", []), (None, []), ("eroded", ["is smaller than it was"]), ("regressed", ["is gone"])]
)
def test_a_gain(base: Base, monkeypatch: pytest.MonkeyPatch, standing: str | None, told: list[str]) -> None:
    """A gain that eroded or is gone is told with its day."""
    fix = SimpleNamespace(fix=SimpleNamespace(id="batch"), standing=standing, since="2026-10-20")
    (base.root / "stories/seen-by-nobody.md").write_text("---\ntitle: Draft\nstatus: reported\ndraft: true\n---\n")
    monkeypatch.setattr(
        notify,
        "load_facts",
        lambda _, __, stories: [SimpleNamespace(slug=each.slug, fixes={"batch": fix}) for each in stories],
    )
    assert base.news() == [f"The gain of slow/batch {words} since 2026-10-20" for words in told]


def test_once(base: Base) -> None:
    """What was told is not told again while it goes on; after it was over, it is."""
    with FaultServer({"/hook": Reply(b"ok")}) as server:
        hook = f"{server.url}/hook"
        for outcome in (DOWN, DOWN, DOWN, FINE, DOWN, DOWN):
            base.ran(outcome)
            assert base.notify(HOOK=hook).returncode == 0
    told = "Acme: 1 to look at\n- prod failed 2 times in a row, slow/p95: prod cannot be reached\nhttps://perf.example/data/"
    assert texts(server) == [told, told]
    assert server.asked[0].headers["Content-Type"] == "application/json"


def test_what_another_says(base: Base) -> None:
    """A text is told with --say, once as long as it is said each time."""
    with FaultServer({"/": Reply(b"", 204, length=False)}) as server:
        for say in ("The build failed", "The build failed", None, "The build failed"):
            assert base.notify(*(("--say", say) if say else ()), HOOK=f"{server.url}/").returncode == 0
    assert [text.splitlines()[1] for text in texts(server)] == ["- The build failed"] * 2


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(b"no_such_hook T0KEN", 404), "answers with status 404"),
        (Reply(b"", 302, {"Location": "http://127.0.0.1:9/"}), "answers with status 302"),
        (Reply(reset=True), "broke off in the middle of its answer"),
        (None, "cannot be reached"),
    ],
)
def test_a_webhook_that_fails(base: Base, reply: Reply | None, why: str) -> None:
    """It is said, without the address, which is a credential; and what was not told is told the next time."""
    base.ran(DOWN)
    base.ran(DOWN)
    with FaultServer({"/T0KEN": [reply or Reply(), Reply(b"ok")]}) as server:
        address = f"{server.url}/T0KEN" if reply else f"http://127.0.0.1:{free_port()}/T0KEN"
        done = base.notify(HOOK=address)
        assert done.returncode == 1
        assert why in done.stderr
        assert "nobody was told: the webhook (127.0.0.1:" in done.stderr
        assert "T0KEN" not in done.stdout + done.stderr
        assert read_told(base.root / ".snapshots") == {}
        assert base.notify(HOOK=f"{server.url}/T0KEN").returncode == 0
        assert base.notify(HOOK=f"{server.url}/T0KEN").returncode == 0
    assert len(texts(server)) == (2 if reply else 1)


@pytest.mark.parametrize(
    "address", ["T0KEN", "ftp://T0KEN.example/", "https://me:T0KEN@hooks.example/", "http://[T0KEN"]
)
def test_an_address_that_is_none(base: Base, address: str) -> None:
    """What the environment has wrongly is a mistake that does not quote it."""
    base.ran(replace(DOWN, fault="credentials"))
    done = base.notify(HOOK=address)
    assert done.returncode == 2
    assert done.stderr.startswith(
        "perfkb: site-config/knowledge-base.yml: notify: what the environment has there is not"
    )
    assert "T0KEN" not in done.stderr


def test_no_address(base: Base) -> None:
    """Without `notify:` the news are printed alone; without its variable it is a mistake; a dry run needs neither."""
    base.ran(replace(DOWN, fault="credentials"))
    missing = base.notify()
    assert missing.returncode == 2
    assert "the environment has no HOOK" in missing.stderr
    dry = base.notify("--dry-run")
    assert (dry.returncode, dry.stdout) == (0, "Credentials of prod are refused: prod cannot be reached\n")
    (base.root / "site-config/knowledge-base.yml").write_text("")
    silent = base.notify()
    assert silent.returncode == 0
    assert silent.stdout == dry.stdout
    assert "nobody is told: knowledge-base.yml has no `notify:`" in silent.stderr


def test_no_address_in_the_repository(base: Base) -> None:
    """An address of a webhook is a credential: `check` refuses one that is written down."""
    (base.root / "site-config/knowledge-base.yml").write_text("notify: https://hooks.example/T0KEN\n")
    done = perfkb("-C", base.root, "check")
    assert done.returncode == 1
    assert "the address must come from the environment (write ${PERFKB_WEBHOOK}, and export that)" in done.stdout


def test_words_of_servers_do_nothing(base: Base) -> None:
    """What a server said notifies nobody, links nowhere and breaks no line, in whatever a chat reads into it."""
    hostile = "<!channel> @here [free](https://e.example) `x`\n- second\x1b[31m <https://e.example|log in>"
    told = plain(hostile)
    assert not any(each in told for each in ("<", ">", "@here", "[free](", "`", "\n", "\x1b"))
    base.ran(replace(DOWN, fault="credentials", reason=hostile))
    assert "\n" not in base.news()[0]


def test_beside_a_refresh(base: Base) -> None:
    """What is told is written under the store's lock, and leaves what a refresh wrote."""
    base.ran(DOWN)
    before: Mapping[str, Any] = json.loads((base.root / ".snapshots/health.json").read_bytes())
    with FaultServer({"/": Reply(b"ok")}) as server:
        base.notify("--say", "Look", HOOK=f"{server.url}/")
    after = json.loads((base.root / ".snapshots/health.json").read_bytes())
    assert list(after.pop("told")) == ["said Look"]
    assert after == {key: value for key, value in before.items() if key != "told"}


def test_a_new_machine_knows_what_was_told(base: Base, tmp_path: Path) -> None:
    """What lies in a store elsewhere is looked at, and not what a machine without a copy has of it."""
    with (base.root / "site-config/knowledge-base.yml").open("a") as settings:
        settings.write(f"store: file://{tmp_path}/elsewhere\n")
    for _ in range(2):
        base.ran(DOWN)
    shutil.move(base.root / ".snapshots", tmp_path / "elsewhere")
    with FaultServer({"/hook": Reply(b"ok")}) as server:
        for _ in range(3):
            shutil.rmtree(base.root / ".snapshots", ignore_errors=True)
            assert base.notify(HOOK=f"{server.url}/hook").returncode == 0
        assert len(server.asked) == 1
    assert list(read_told(tmp_path / "elsewhere")) == ["source prod"]
