"""What the commands of both rooms need of the command line.

What reads a knowledge base is imported when one is read: help should not wait for pandas.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ingest.knowledge import KnowledgeBase


def root_of(context: click.Context) -> Path:
    """The knowledge base that -C names, or the one in or above the current folder."""
    from ingest.knowledge import find_root

    folder = context.find_root().obj
    return folder.resolve() if folder else find_root(Path.cwd())


def base_of(context: click.Context) -> "KnowledgeBase":
    """The knowledge base of this command, read."""
    from ingest.knowledge import read_knowledge_base

    return read_knowledge_base(root_of(context))
