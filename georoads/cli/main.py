"""The command line: gathers the commands, and turns expected failures into one line and a hint."""

from __future__ import annotations

import signal
import sys

import click

from georoads import __version__
from georoads.cli.doctor import doctor
from georoads.cli.download import download
from georoads.cli.evaluate import evaluate
from georoads.cli.export import export
from georoads.cli.extract import extract
from georoads.cli.info import info
from georoads.cli.models import models
from georoads.cli.predict import predict
from georoads.cli.score import score
from georoads.cli.tiles import tiles
from georoads.cli.train import train
from georoads.cli.vectorize import vectorize
from georoads.errors import GeoroadsError


@click.group()
@click.version_option(__version__, prog_name="georoads")
def cli() -> None:
    """Scenes in, road networks out; and the model that does it, trained and judged."""


for command in (
    download, tiles, extract, predict, vectorize, score, train, evaluate, info, models, export, doctor,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 an expected failure, 2 usage, 130 and 143 stopped by a signal, 141 the reader of our output
    has gone.
    """
    signal.signal(signal.SIGTERM, _terminated)
    try:
        code = cli(standalone_mode=False)
    except GeoroadsError as e:
        click.echo(f"error: {_one_line(e.message)}", err=True)
        if e.hint:
            click.echo(f"hint: {_one_line(e.hint)}", err=True)
        sys.exit(1)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; --resume goes on where it was", err=True)
        sys.exit(130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(141)
    sys.exit(code if isinstance(code, int) else 0)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _terminated(number: int, frame: object) -> None:
    sys.exit(143)
