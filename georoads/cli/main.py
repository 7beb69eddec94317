"""The command line."""

from __future__ import annotations

import sys

import click

from georoads import __version__


@click.group()
@click.version_option(__version__, prog_name="georoads")
def cli() -> None:
    """Scenes in, road networks out."""


def main() -> None:
    """Run the command line and leave with its exit code."""
    cli(standalone_mode=True)
    sys.exit(0)
