"""A fresh knowledge base: the product's pages, a little configuration, one example story.

The pages and mkdocs.yml are those of this repository, so that there is one of each; what
is particular to a company comes from `macros/starter/`. Dates in it are relative to today.
"""

import re
import shutil
from datetime import date, timedelta
from pathlib import Path

from ingest.errors import UserError

PRODUCT = Path(__file__).parent.parent
STARTER = Path(__file__).parent / "starter"
_DAY = re.compile(r"@today-(\d+)@")


def make_knowledge_base(folder: Path, today: date | None = None) -> int:
    """Writes a fresh knowledge base into `folder` and counts its files.

    UserError where `folder` holds anything already, or the product's own pages are missing.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(str(folder), "this is not an empty folder", "name a folder that does not exist yet")
    pages = PRODUCT / "content"
    if not pages.is_dir():
        raise UserError(str(PRODUCT), "the product's pages are not here", "install perfkb with `make`, from its folder")
    shutil.copytree(pages, folder / "content")
    shutil.copy(PRODUCT / "mkdocs.yml", folder / "mkdocs.yml")
    for source in sorted(path for path in STARTER.rglob("*") if path.is_file()):
        name = source.relative_to(STARTER).as_posix()
        # A file called .gitignore would keep git from seeing the starter itself.
        target = folder / (".gitignore" if name == "gitignore" else name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_dated(source.read_text(encoding="utf-8"), today or date.today()), encoding="utf-8")
    return sum(1 for path in folder.rglob("*") if path.is_file())


def _dated(text: str, today: date) -> str:
    return _DAY.sub(lambda found: (today - timedelta(days=int(found[1]))).isoformat(), text)
