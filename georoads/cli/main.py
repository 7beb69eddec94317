"""The command line: gathers the commands, and turns expected failures into one line and a hint."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
from typing import NoReturn

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
from georoads.cli.view import view
from georoads.errors import GeoroadsError
from georoads.text import is_utf8, printable


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="georoads")
def cli() -> None:
    """Scenes in, road networks out; and the model that does it, trained and judged."""


for command in (
    download, tiles, extract, predict, vectorize, score, view, train, evaluate, info, models, export, doctor,
):  # fmt: skip
    cli.add_command(command)


def main() -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 an expected failure, 2 usage, 130 and 143 stopped by a signal, 141 the reader of our output
    has gone.
    """
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    streams = sys.stdout, sys.stderr
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal or pipe knows every sign
    for argument in sys.argv[1:]:
        if not is_utf8(argument):
            _refuse(f"{argument} is not a name in UTF-8", "rename the file: GDAL could not open it")
    try:
        code = cli(standalone_mode=False)
    except GeoroadsError as e:
        _refuse(e.message, e.hint)
    except MemoryError:
        _refuse("there is not enough memory for this", "close other programs, or give a smaller input")
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.ClickException as e:
        e.show()
        sys.exit(e.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("stopped; --resume goes on where it was", err=True)
        sys.exit(130)
    except SystemExit as e:
        # Where nobody reads our output any more, click mutes the streams and leaves with 1, as for a failure.
        sys.exit(e.code if (sys.stdout, sys.stderr) == streams else 141)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str, hint: str) -> NoReturn:
    click.echo(f"error: {_one_line(message)}", err=True)
    if hint:
        click.echo(f"hint: {_one_line(hint)}", err=True)
    sys.exit(1)


def _one_line(text: str) -> str:
    without_password = re.sub(r"(:/+[^\s/:@]*):[^\s@]+@", r"\1:…@", " ".join(text.split()))
    return printable(without_password)


def _stop(number: int, frame: object) -> NoReturn:
    """Stop in good order: what is finished is noted. A second signal ends the process at once."""
    signal.signal(number, _stop_at_once)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _stop_at_once(number: int, frame: object) -> NoReturn:
    os._exit(128 + number)
