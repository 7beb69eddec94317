"""The command line: gathers the commands, and turns expected failures into one line and a hint."""

from __future__ import annotations

import sys

import click

from georoads import __version__
from georoads.cli.evaluate import evaluate
from georoads.cli.extract import extract
from georoads.cli.predict import predict
from georoads.cli.score import score
from georoads.cli.train import train
from georoads.cli.vectorize import vectorize
from georoads.errors import GeoroadsError


@click.group()
@click.version_option(__version__, prog_name="georoads")
def cli() -> None:
    """Scenes in, road networks out; and the model that does it, trained and judged."""


for command in (extract, predict, vectorize, score, train, evaluate):
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code."""
    try:
        cli(standalone_mode=True)
    except GeoroadsError as e:
        click.echo(f"error: {e.message}", err=True)
        if e.hint:
            click.echo(f"hint: {e.hint}", err=True)
        sys.exit(1)
