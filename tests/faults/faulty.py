"""A refresh of many series from a server that fails in 30 % of its answers, in every way that it can."""

import gzip
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

from ingest.knowledge import read_knowledge_base
from ingest.refresh import refresh, wishes
from tests.faults.bases import NOW, Base, slug
from tests.faults.dialects import Dialect, truth
from tests.servers import Asked, FaultServer, Reply

SHARE = 0.3
PARALLEL = 8
STALL = 3.0
TIMEOUT = "1s"
FAULTS = ("503", "429", "reset", "reset in the middle", "cut with a length", "cut without a length", "cut in chunks",
          "cut gzip", "stall")  # fmt: skip


@dataclass
class Found:
    """What became of a refresh."""

    series: int
    fresh: int
    wrong: int
    requests: int
    seconds: float
    faults: Mapping[str, int]
    lost: Sequence[str]
    """Why series are not fresh."""

    @property
    def failures(self) -> list[str]:
        """What was promised and does not hold."""
        told = {
            f"{self.fresh} of {self.series} are fresh": self.fresh < 0.999 * self.series,
            f"{self.wrong} values are wrong": self.wrong > 0,
            f"{self.requests / self.series:.2f} requests a series": self.requests > 1.6 * self.series,
        }
        broken = [what for what, holds_not in told.items() if holds_not]
        return [*broken, *self.lost] if broken else []

    def __str__(self) -> str:
        return (
            f"{self.series:,} series, {PARALLEL} at a time: {self.fresh:,} fresh, {self.wrong} wrong values, "
            f"{self.requests / self.series:.3f} requests a series, {sum(self.faults.values()) / self.requests:.1%} of "
            f"answers faulty ({', '.join(f'{count} {what}' for what, count in sorted(self.faults.items()))}), "
            f"{self.seconds:.0f} s"
        )


class Unsteady:
    """A server of one dialect that fails by chance, the same each time."""

    def __init__(self, dialect: Dialect, seed: int, stall: float = STALL) -> None:
        self.dialect = dialect
        self.stall = stall
        self.chance = random.Random(seed)  # noqa: S311
        self.faults: Counter[str] = Counter()
        self.lock = Lock()

    def __call__(self, asked: Asked) -> Reply:
        with self.lock:
            fault = self.chance.choice(FAULTS) if self.chance.random() < SHARE else ""
            cut = self.chance.random()
            self.faults[fault] += 1
        return self.sent(self.dialect.answer(asked), fault, cut)

    def sent(self, reply: Reply, fault: str, share: float) -> Reply:
        """The answer with its fault; what is cut off is a `share` of the body, at least its last byte."""
        cut = min(len(reply.body) - 1, int(share * len(reply.body)))
        packed = gzip.compress(reply.body)
        return {
            "": reply,
            "503": Reply(b"busy", 503, {"Retry-After": "0"}),
            "429": Reply(b"slowly", 429),
            "reset": Reply(reset=True),
            "reset in the middle": replace(reply, reset=True, cut=cut),
            "cut with a length": replace(reply, cut=cut),
            # Only what is short of its last line break can be known to be cut.
            "cut without a length": replace(reply, cut=cut, length=False),
            "cut in chunks": replace(reply, cut=cut, chunked=True),
            "cut gzip": Reply(packed[: int(share * len(packed))], headers={"Content-Encoding": "gzip"}),
            "stall": replace(reply, stall=self.stall),
        }[fault]


def run(dialect: Dialect, series: int, seed: int = 1) -> Found:
    """Refreshes an empty store of so many series."""
    unsteady = Unsteady(dialect, seed)
    with tempfile.TemporaryDirectory() as folder, FaultServer(unsteady) as server:
        base = Base(Path(folder), dialect)
        base.source(server.url, TIMEOUT, parallel=PARALLEL)
        base.stories(range(1, series + 1))
        read = read_knowledge_base(base.root, {"SOURCE_DATE_EPOCH": str(int(NOW.timestamp()))})
        begun = time.monotonic()
        result = refresh(read, wishes(read), {})
        seconds = time.monotonic() - begun
        values = {number: base.values(number) for number in range(1, series + 1)}
        wrong = sum(
            value != truth(number, start) for number, stored in values.items() for start, value in stored.items()
        )
        lost = [f"{each.story}: {each.reason}" for each in result.outcomes if each.state != "fresh"]
        # A list of rows that was cut off between two of them would be another fault than a wrong value.
        lost += [
            f"{slug(number)} lacks rows" for number in range(1, series + 1) if len(base.values(number)) not in (0, 48)
        ]
        unsteady.faults.pop("", None)
        return Found(series, series - len(lost), wrong, len(server.asked), seconds, unsteady.faults, lost)
