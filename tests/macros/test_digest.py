"""A digest in words: Markdown that shows what it says, HTML that mail programs show and that loads nothing."""

import re
from dataclasses import replace
from datetime import UTC, date, datetime
from html.parser import HTMLParser
from pathlib import Path

import markdown
import pytest
from click.testing import CliRunner, Result

import perfkb as front_door
from ingest.digest import digest
from ingest.errors import UserError
from ingest.evidence import Facts
from ingest.settings import Settings
from ingest.story import Said
from macros.digest import MOST, Letter, letter_of, write_digest
from macros.scaffold import make_knowledge_base
from tests.attacks import FIELDS, MORE_FIELDS, TEXTS, active, armed
from tests.commands import succeed
from tests.ingest.bases import base
from tests.ingest.impacts import change, facts, fix, hours, judged

URL = "https://perf.example/kb"
SINCE, TODAY = date(2026, 10, 25), date(2026, 11, 1)
SETTINGS = Settings.model_validate({"name": "Acme", "url": URL, "office_hours": "Thursdays at two"})
HOSTILE = {**{name: TEXTS[name] for name in FIELDS}, **MORE_FIELDS}
WON = fix("batch", judged(stated="2026-10-28"), hours=hours(1240))
LOST = fix("index", judged(), standing="eroded", since=date(2026, 10, 20), lost=date(2026, 10, 27), today=change(-0.07))


def letter(*stories: Facts, settings: Settings = SETTINGS) -> Letter:
    return letter_of(digest(stories, SINCE, TODAY, settings.hide), settings)


def lines(*stories: Facts, settings: Settings = SETTINGS) -> dict[str, list[tuple[str, str | None]]]:
    """The text and the link of every entry, by the title of its part."""
    return {
        part.title: [(item.text, item.link) for item in part.items]
        for part in letter(*stories, settings=settings).parts
    }


def test_wins_and_gains_lost() -> None:
    """A win has its interval and hours, a gain that went says what is left; both lead to the card of their fix."""
    told = lines(facts("slow", WON, LOST))
    assert told["Wins"] == [
        (
            "p95 −20 % (between −30 % and −10 %) by batch; 1,240 user-hours so far (between 992 and 1,490)",
            f"{URL}/stories/slow/#pk-fix-batch",
        )
    ]
    assert told["Gains lost"] == [
        (
            (
                "The gain of index, judged as −20 % (between −30 % and −10 %), became smaller since 20 Oct 2026;"
                " what is left is −7 % (between −17 % and +3 %)"
            ),
            f"{URL}/stories/slow/#pk-fix-index",
        )
    ]
    assert letter(facts("slow", WON, LOST)).summary == "1 win, 1 gain lost."


def test_a_judgement_that_is_no_win() -> None:
    """What could not be told apart from ordinary days, or got worse, is called that."""
    told = lines(facts("slow", fix("a", judged("regressed", change(0.2), stated="2026-10-28"))))
    assert told["Judged, and no win"][0][0] == "Regressed by a: p95 +20 % (between +10 % and +30 %)"
    assert "Wins" not in told


def test_nothing_happened() -> None:
    """A quiet time says so, and is told all the same."""
    told = letter()
    assert told.summary.startswith("A quiet time")
    assert told.parts == ()
    for form in ("markdown", "html"):
        text = write_digest(digest([], SINCE, TODAY), SETTINGS, "html" if form == "html" else "markdown")
        assert "A quiet time" in text
        assert "Thursdays at two" in text


def test_without_an_address() -> None:
    """Where the site's address is not known, nothing is linked, and nothing is lost."""
    settings = SETTINGS.model_copy(update={"url": None})
    found = digest([facts("slow", WON)], SINCE, TODAY)
    assert "**T**: p95" in write_digest(found, settings, "markdown")
    assert "](" not in write_digest(found, settings, "markdown")
    assert "href" not in write_digest(found, settings, "html")


def test_many_are_counted() -> None:
    """Of very many entries of one part, some are told and the others counted."""
    many = [facts(f"story-{n:02}", fix("batch", judged(stated="2026-10-28"))) for n in range(MOST + 3)]
    (part,) = (part for part in letter(*many).parts if part.title == "Wins")
    assert (len(part.items), part.more) == (MOST, 3)
    assert f"[and 3 more]({URL}/impact/)" in write_digest(digest(many, SINCE, TODAY), SETTINGS, "markdown")


class Mail(HTMLParser):
    """What of HTML a mail program would leave out, or load."""

    ALONE = frozenset({"meta", "br", "!doctype"})

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "background")]
        if tag not in self.ALONE:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_ready_for_mail() -> None:
    """The HTML is whole, has its styles in its elements, and names nothing to be loaded."""
    text = write_digest(digest([facts("slow", WON, LOST)], SINCE, TODAY), SETTINGS, "html")
    mail = Mail()
    mail.feed(text)
    mail.close()
    assert mail.open == []
    assert not {"script", "style", "link", "img", "svg", "form", "iframe"} & {*mail.tags}
    assert all(link.startswith(f"{URL}/") for link in mail.links)
    assert "class=" not in text
    assert text.startswith("<!doctype html>")


def hostile(payload: str) -> Facts:
    """The facts of a story whose words are the payload."""
    made = facts("slow", WON, LOST, front="reports: [{date: 2026-10-30, said: slow}]")
    front = made.story.front
    said = Said.model_validate({"date": "2026-10-30", "said": "slow"}).model_copy(update={"said": payload})
    told = front.model_copy(update={"title": payload, "reports": (said,)})
    story, reports = replace(made.story, front=told), replace(made.reports, reports=(said,))
    return replace(made, story=story, reports=reports)


def shown(html: str) -> str:
    """What a reader sees of HTML."""

    class Text(HTMLParser):
        said: list[str]

        def handle_data(self, data: str) -> None:
            self.said.append(data)

    text = Text()
    text.said = []
    text.feed(html)
    text.close()
    return " ".join(" ".join(text.said).split())


@pytest.fixture(params=HOSTILE)
def payload(request: pytest.FixtureRequest) -> str:
    return armed(HOSTILE[request.param], request.param, "canary", "http://127.0.0.1:1/")


def test_hostile_words(payload: str) -> None:
    """What an attack says is shown as it was written, in both forms, and does nothing."""
    found = digest([hostile(payload)], SINCE, TODAY)
    mail = write_digest(found, SETTINGS, "html")
    post = markdown.markdown(write_digest(found, SETTINGS, "markdown"), extensions=["tables", "attr_list"])
    for html in (mail, f"<body>{post}"):
        assert list(active(html, "http://127.0.0.1:1/")) == []
        assert set(re.findall(r'href="([^"]*)"', html)) <= {
            f"{URL}/", f"{URL}/stories/slow/", f"{URL}/stories/slow/#pk-fix-batch", f"{URL}/stories/slow/#pk-fix-index",
            f"{URL}/stories/slow/#pk-reports",
        }  # fmt: skip
        assert " ".join(payload.split()) in shown(html).replace("@\u2060", "@")
    assert not re.search("@(?!\u2060)", write_digest(found, SETTINGS, "markdown"))


# -- the command


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("digest") / "kb"
    make_knowledge_base(made)
    return made


def run(root: Path, *arguments: str | Path, now: int | None = None) -> Result:
    """Runs the command within this process."""
    clock = "" if now is None else str(now)
    return CliRunner(env={"SOURCE_DATE_EPOCH": clock}).invoke(
        front_door.perfkb, ["-C", str(root), "digest", *map(str, arguments)]
    )


def test_the_command(root: Path, tmp_path: Path) -> None:
    """A fresh knowledge base has a digest, printed or written, in both forms."""
    told = run(root, "--since", "60d")
    assert told.exit_code == 0
    assert told.output.startswith("# Our performance: ")
    assert "**Checkout spins before the payment page**: new, testing" in told.output
    assert "The window of the test of h1 is over: decide it" in told.output
    file = tmp_path / "digest.html"
    assert run(root, "--format", "html", "--output", file).output == ""
    assert file.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_same_bytes(root: Path) -> None:
    """The same stories at the same time give the same bytes, in whatever process."""
    now = int(datetime(2026, 12, 1, 6, tzinfo=UTC).timestamp())
    assert succeed("-C", root, "digest", now=now, PYTHONHASHSEED="7") == run(root, now=now).output


def test_a_mistake_in_the_command(root: Path, tmp_path: Path) -> None:
    """A period that cannot be read, or a file that cannot be written, is an error of the user's, with its reason."""
    for arguments, said in (
        (("--since", "soon"), "neither a length of time nor a day"),
        (("--output", tmp_path / "no/such/folder.md"), "cannot be written"),
    ):
        done = run(root, *arguments)
        assert isinstance(done.exception, UserError)
        assert said in str(done.exception)


def test_what_is_hidden(tmp_path: Path) -> None:
    """A hidden question is not asked, and no answer about customers is in a digest."""
    story = "title: T\nstatus: reported\nreports: [{date: 2026-10-30, said: slow}]\n"
    answered = f"{story}customer: {{churn: SECRET, impact: SECRET}}\n"
    base(tmp_path, {"slow-list": answered}, settings="hide: [affected, churn]\nnow: 2026-11-01T06:00Z\n")
    told = run(tmp_path).output
    assert "SECRET" not in told
    assert "How many customers" not in told
    assert "Nobody has looked at it yet" in told
