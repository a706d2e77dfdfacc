"""What git holds of a knowledge base at a revision, as files in a folder of their own.

The stored bytes are read, and nothing is checked out: no hook, filter, attribute or driver
that the repository names is run, and no link leads out of the folder.
"""

import os
import posixpath
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from ingest.errors import UserError, one_line

FOLDERS = ("stories", "site-config")
_QUIET = ("--no-pager", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false")
# A hook's git speaks of its own repository and index, which need not be those of the knowledge base.
_OF_A_HOOK = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"}
_LINK, _MODULE = "120000", "160000"
_NOWHERE = "a-link-is-not-followed"


@contextmanager
def at_merge_base(root: Path, revision: str) -> Iterator[tuple[Path, str]]:
    """A folder with what `root` held where its branch left `revision`, and the name of that commit.

    UserError where there is no git, no repository, or no such revision in it.
    """
    commit = merge_base(root, revision)
    with TemporaryDirectory(prefix="perfkb-") as made:
        folder = Path(made)
        for name in FOLDERS:
            # A commit from before there was a knowledge base holds an empty one.
            (folder / name).mkdir()
        _extract(root, commit, folder)
        yield folder, commit


def merge_base(root: Path, revision: str) -> str:
    """The last commit that `revision` and the work tree's branch have in common, as `git diff REVISION...` takes it."""
    shallow = _git(root, "rev-parse", "--is-shallow-repository") == "true"
    deeper = "this clone is shallow: give the checkout `fetch-depth: 0`, or run git fetch --unshallow"
    try:
        if revision.startswith("-"):
            raise _GitError("no revision begins with a hyphen")
        commit = _git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    except _GitError:
        hint = deeper if shallow else "name one that is here, such as origin/main; git fetch brings it"
        raise UserError(None, f"git knows no revision {one_line(revision)!r}", hint) from None
    try:
        return _git(root, "merge-base", commit, "HEAD")
    except _GitError:
        what = f"this branch and {one_line(revision)} have no commit in common"
        raise UserError(None, what, deeper if shallow else "name the branch that it began from") from None


class _GitError(UserError):
    """git has refused."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(None, what, hint)


def _command(root: Path, *arguments: str) -> tuple[list[str], dict[str, str]]:
    """The command line, and its environment."""
    program = shutil.which("git")
    if not program:
        raise UserError(None, "git is not installed", "what was there before is read from git")
    kept = {key: value for key, value in os.environ.items() if key not in _OF_A_HOOK}
    environ = {**kept, "LC_ALL": "C", "GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0"}
    return [program, "-C", str(root), *_QUIET, *arguments], environ


def _git(root: Path, *arguments: str) -> str:
    """What git prints, as text without the last line break."""
    return os.fsdecode(_git_bytes(root, *arguments)).rstrip("\n")


def _git_bytes(root: Path, *arguments: str) -> bytes:
    command, environ = _command(root, *arguments)
    done = subprocess.run(command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False)  # noqa: S603  # a list, not a shell
    if done.returncode:
        said = os.fsdecode(done.stderr).removeprefix("fatal: ")
        if said.startswith("not a git repository"):
            raise UserError(str(root), "this is in no git repository", "what was there before is read from git")
        raise _GitError(f"git: {one_line(said.partition(chr(10))[0]) or 'it failed, and does not say why'}")
    return done.stdout


@dataclass(frozen=True)
class _Blob:
    """A file of a commit: its mode, its object, its path below the knowledge base."""

    mode: str
    name: str
    path: str


def _extract(root: Path, commit: str, folder: Path) -> None:
    """Writes the files of `commit` into `folder`; links last, so that nothing is written through one."""
    blobs = list(_listed(root, commit))
    files = {each.path: each for each in blobs if each.mode not in (_LINK, _MODULE)}
    with _reading(root) as read:
        for each in files.values():
            _write(folder / each.path, read(each.name))
        for each in blobs:
            if each.mode == _MODULE:
                (folder / each.path).mkdir(parents=True, exist_ok=True)
            elif each.mode == _LINK and each.path.startswith("stories/"):
                # There it is a mistake, which `check` names, wherever it leads.
                with suppress(FileExistsError, NotADirectoryError):
                    (folder / each.path).parent.mkdir(parents=True, exist_ok=True)
                    (folder / each.path).symlink_to(_NOWHERE)
            elif each.mode == _LINK:
                target = posixpath.join(posixpath.dirname(each.path), os.fsdecode(read(each.name)))
                if found := files.get(posixpath.normpath(target)):
                    _write(folder / each.path, read(found.name))


def _listed(root: Path, commit: str) -> Iterator[_Blob]:
    for line in _git_bytes(root, "ls-tree", "-r", "-z", commit, "--", *FOLDERS).split(b"\0")[:-1]:
        about, _, raw = line.partition(b"\t")
        mode, _, name = about.decode().split(" ")
        path = PurePosixPath(os.fsdecode(raw))
        # git makes no such names, but a tree that was made by hand may have them.
        if path.parts[0] in FOLDERS and ".." not in path.parts:
            yield _Blob(mode, name, path.as_posix())


def _write(path: Path, data: bytes) -> None:
    with suppress(FileExistsError, NotADirectoryError):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


@contextmanager
def _reading(root: Path) -> Iterator[Callable[[str], bytes]]:
    """Reads objects by their names, as they are stored."""
    command, environ = _command(root, "cat-file", "--batch")
    with subprocess.Popen(  # noqa: S603  # a list, not a shell
        command, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as git:
        asked, answers = git.stdin, git.stdout
        if asked is None or answers is None:
            raise UserError(None, "git cannot be talked to")

        def read(name: str) -> bytes:
            with suppress(BrokenPipeError):
                asked.write(f"{name}\n".encode())
                asked.flush()
            head = answers.readline().split()
            if len(head) != 3:
                what = f"git does not have the object {name}"
                raise UserError(str(root), what, "this clone is not whole: give the checkout `fetch-depth: 0`")
            data = answers.read(int(head[2]))
            answers.read(1)
            return data

        yield read
