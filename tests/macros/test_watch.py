"""Every way of saving a file is noticed, once, and what nobody writes by hand is not looked at."""

from pathlib import Path

from macros.watch import Watcher


def watcher(*paths: Path, without: Path | None = None) -> Watcher:
    made = Watcher(lambda: None)
    made.look_at(paths, [without] if without else [])
    return made


def test_saves_are_noticed_once(tmp_path: Path) -> None:
    """A file that is new, written, replaced or removed, at any depth, is a change; the next look finds none."""
    (tmp_path / "deep/deeper").mkdir(parents=True)
    seen, file = watcher(tmp_path), tmp_path / "deep/deeper/a.md"

    def replace() -> None:
        (tmp_path / ".a.md.swp").write_text("two")
        (tmp_path / ".a.md.swp").replace(file)

    assert not seen.look()
    for save in (lambda: file.write_text("one"), lambda: file.write_text("three"), replace, file.unlink):
        save()
        assert (seen.look(), seen.look()) == (True, False)


def test_what_is_gone_is_looked_for(tmp_path: Path) -> None:
    """A file or a folder that is gone for a while is looked at again once it is back, or there at last."""
    folder, file = tmp_path / "stories", tmp_path / "mkdocs.yml"
    seen = watcher(folder, file)
    for _ in range(2):
        folder.mkdir()
        (folder / "a.md").write_text("a")
        assert seen.look()
        file.write_text("a")
        assert seen.look()
        (folder / "a.md").unlink()
        folder.rmdir()
        assert seen.look()
        file.unlink()
        assert seen.look()


def test_what_is_watched_changes(tmp_path: Path) -> None:
    """Another folder is looked at from now on, and what was saved meanwhile in the old one is not lost."""
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    seen = watcher(one)
    (one / "a.md").write_text("a")
    seen.look_at([one, other])
    assert (seen.look(), seen.look()) == (True, False)
    (other / "a.md").write_text("a")
    assert seen.look()


def test_the_store_is_not_watched(tmp_path: Path) -> None:
    """Neither the store nor files of editors are a change, and a link that leads round in circles ends."""
    store = tmp_path / "store"
    store.mkdir()
    (tmp_path / "round").symlink_to(tmp_path, target_is_directory=True)
    seen = watcher(tmp_path, without=store)
    (store / "requests.csv").write_text("a")
    (tmp_path / ".a.md.swp").write_text("a")
    (tmp_path / "a.md~").write_text("a")
    assert not seen.look()
