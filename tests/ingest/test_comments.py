"""Whatever its front matter looks like, a story keeps every comment that somebody wrote into it."""

import re
from collections import Counter
from collections.abc import Callable
from random import Random

import pytest

from ingest import books
from ingest.story import Story, read_story

Edit = Callable[[str], str]
Entries = list[tuple[str, str]]


class Author:
    """Somebody who writes front matter in any style that YAML has, with a comment wherever one can stand."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311  # nothing secret
        self.comments = 0

    def story(self) -> str:
        """A parked story, its keys in any order."""
        said = [[("date", "2026-09-01"), ("said", self.text())] for _ in range(self.random.randint(1, 2))]
        boxes = [[("date", "2026-09-01"), ("question", self.text()), ("budget", "2h")]]
        pauses = [[("parked", "2026-08-01"), ("because", self.text()), ("reopened", "2026-08-02")]]
        long = self.random.choice(["plain\n  more", ">-\n  folded\n  # no comment", "|\n  kept\n  # no comment"])
        parts = [
            f"title: {self.text()}{self.behind()}",
            f"status: parked{self.behind()}",
            f"what: {long}\n# its end\n",  # what is indented further would belong to the text
            f"tags: [a, b]{self.behind()}",
            self.mapping("parked", [("date", "2026-09-02"), ("because", self.text())]),
            self.listed("reports", said),
            *([self.listed("pauses", pauses)] if self.random.random() < 0.5 else []),
            self.listed("timeboxes", boxes),
        ]
        self.random.shuffle(parts)
        return f"---\n{self.between()}" + "".join(part + self.between() for part in parts) + "---\nbody\n"

    def text(self) -> str:
        return self.random.choice(["x y", "'x # y'", '"x # y"', "x#y"])

    def comment(self) -> str:
        self.comments += 1
        return f"# c{self.comments}."

    def behind(self) -> str:
        return f"   {self.comment()}\n" if self.random.random() < 0.4 else "\n"

    def between(self, indent: str = "") -> str:
        lines = ["", indent + self.comment(), self.comment(), f"{indent}  {self.comment()}"]
        return "".join(f"{line}\n" for line in lines if self.random.random() < 0.1)

    def mapping(self, key: str, entries: Entries) -> str:
        if self.random.random() < 0.5:
            return f"{key}: {{{', '.join(map(': '.join, entries))}}}{self.behind()}"
        lines = (f"{self.between('  ')}  {name}: {value}{self.behind()}" for name, value in entries)
        return f"{key}:{self.behind()}" + "".join(lines)

    def listed(self, key: str, items: list[Entries]) -> str:
        indent = self.random.choice(["", "  ", "    "])
        lines = (f"{indent}- {self.item(each, f'{indent}  ')}{self.between(indent)}" for each in items)
        return f"{key}:{self.behind()}{self.between(indent)}" + "".join(lines)

    def item(self, entries: Entries, indent: str) -> str:
        if self.random.random() < 0.5:
            apart = self.random.choice([", ", f",\n{indent}  "])
            return f"{{{apart.join(map(': '.join, entries))}}}{self.behind()}"
        first, *more = (f"{name}: {value}{self.behind()}" for name, value in entries)
        return first + "".join(f"{self.between(indent)}{indent}{line}" for line in more)


EDITS: dict[str, Callable[[str, Story], str]] = {
    "report": lambda text, _: books.add_report(text, "2026-10-01", "it's: # slow", 2, None),
    "tell": lambda text, _: books.tell(text, {"what": "new: it", "who": "all", "tag": ("z", "y#")}),
    "start": lambda text, _: books.start_timebox(text, "2026-10-01", "Why?", "2h"),
    "stop": lambda text, _: books.stop_timebox(text, 0, "1h", "found # 1", "2d"),
    "choose": lambda text, _: books.choose(text, "2026-10-01", "It blocks"),
    "reopen": lambda text, story: books.reopen(text, story, "2026-10-01"),
}


@pytest.mark.parametrize("name", EDITS)
def test_every_comment_stays(name: str) -> None:
    """No command that writes into a story takes a comment with it, nor one that only looks like it."""
    for seed in range(150):
        text = Author(seed).story().replace("\n", "\r\n" if seed % 3 == 0 else "\n")
        story = read_story("slow", "stories/slow.md", text.encode(), {})
        assert story.problems == (), text
        made = EDITS[name](text, story)
        before, after = (Counter(re.findall(r"# c\d+\.", each)) for each in (text, made))
        assert after == before, f"{text}\n{made}"
