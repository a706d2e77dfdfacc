"""Noticing that files were saved, by looking again and again.

That works on every system and every file system, and whatever an editor does to save: a file
that is replaced, or a folder that is gone for a moment, is looked at again as soon as it is back.
"""

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from stat import S_ISDIR
from threading import Event, Lock, Thread
from time import monotonic

Stamp = tuple[int, int, int]
SECONDS_BETWEEN = 0.25
REST = 10
"""How many times as long as a look the pause after it is at least, so that large folders keep no processor busy."""


class Watcher(Thread):
    """Calls `changed` when a file below the folders (or one of the files) that it looks at is not what it was."""

    def __init__(self, changed: Callable[[], None]) -> None:
        super().__init__(name="perfkb-watcher", daemon=True)
        self.changed = changed
        self.left_out: frozenset[str] = frozenset()
        self.seen: dict[Path, dict[str, Stamp]] = {}
        self.lock = Lock()
        self.over = Event()

    def look_at(self, paths: Iterable[Path], without: Iterable[Path] = ()) -> None:
        """From now on looks at `paths`, and at nothing in the folders `without`; what is new is taken as it is now."""
        with self.lock:
            self.left_out = frozenset(str(path) for path in without)
            self.seen = {path: self.seen[path] if path in self.seen else self._stamps(path) for path in paths}

    def look(self) -> bool:
        """Whether anything changed since the last look."""
        with self.lock:
            found = {path: self._stamps(path) for path in self.seen}
            changed, self.seen = found != self.seen, found
        return changed

    def run(self) -> None:
        """Looks until it is stopped."""
        pause = SECONDS_BETWEEN
        while not self.over.wait(pause):
            began = monotonic()
            if self.look():
                self.changed()
            pause = max(SECONDS_BETWEEN, REST * (monotonic() - began))

    def stop(self) -> None:
        """Ends it."""
        self.over.set()

    def _stamps(self, top: Path) -> dict[str, Stamp]:
        """What tells every file at or below `top` from an earlier one; nothing of what is not there."""
        found: dict[str, Stamp] = {}
        folders: set[tuple[int, int]] = set()
        waiting = [str(top)]
        while waiting:
            path = waiting.pop()
            try:
                about = os.stat(path)  # noqa: PTH116  # thousands of files, many times a minute
            except OSError:
                continue
            if not S_ISDIR(about.st_mode):
                found[path] = (about.st_mtime_ns, about.st_size, about.st_ino)
            elif (about.st_dev, about.st_ino) not in folders:
                # A link could lead round in circles.
                folders.add((about.st_dev, about.st_ino))
                waiting += self._entries(path)
        return found

    def _entries(self, folder: str) -> Iterator[str]:
        """What is in a folder but for the files that editors and systems keep there."""
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            return
        for name in names:
            path = f"{folder}{os.sep}{name}"
            if not name.startswith(".") and not name.endswith("~") and path not in self.left_out:
                yield path
