"""What the commands of both rooms need of the command line."""

from pathlib import Path

import click

from ingest.knowledge import KnowledgeBase, find_root, read_knowledge_base


def root_of(context: click.Context) -> Path:
    """The knowledge base that -C names, or the one in or above the current folder."""
    folder = context.find_root().obj
    return folder.resolve() if folder else find_root(Path.cwd())


def base_of(context: click.Context) -> KnowledgeBase:
    """The knowledge base of this command, read."""
    return read_knowledge_base(root_of(context))
