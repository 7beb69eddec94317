"""The command line: gathers the commands, and turns expected failures into one line and a hint."""

from __future__ import annotations

import atexit
import gc
import io
import os
import signal
import sys
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import NoReturn

import click

from georoads import __version__
from georoads.cli.apply import apply
from georoads.cli.demo import demo
from georoads.cli.describe import describe
from georoads.cli.diff import diff
from georoads.cli.doctor import doctor
from georoads.cli.download import download
from georoads.cli.evaluate import evaluate
from georoads.cli.export import export
from georoads.cli.extract import extract
from georoads.cli.fetch import fetch
from georoads.cli.info import info
from georoads.cli.models import models
from georoads.cli.predict import predict
from georoads.cli.programs import progress_option
from georoads.cli.score import score
from georoads.cli.stop import stoppable
from georoads.cli.streams import open_standard_streams
from georoads.cli.surroundings import check_surroundings
from georoads.cli.tiles import tiles
from georoads.cli.train import train
from georoads.cli.unexpected import explain, thrown, trace_of
from georoads.cli.vectorize import vectorize
from georoads.cli.view import view
from georoads.errors import GeoroadsError
from georoads.text import printable, without_secrets

_HELP = {"help_option_names": ["-h", "--help"]}
DEBUG = click.option(
    "--debug",
    is_flag=True,
    envvar="GEOROADS_DEBUG",
    expose_value=False,
    help="Show the traceback of an error too; also set by GEOROADS_DEBUG=1.",
)


@click.group(context_settings=_HELP)
@click.version_option(__version__, prog_name="georoads")
@DEBUG
def cli() -> None:
    """Scenes in, road networks out; and the model that does it, trained and judged."""


for command in (
    download, tiles, fetch, extract, predict, vectorize, score, diff, view, apply, train, evaluate, info,
    models, export, doctor, demo, describe,
):  # fmt: skip
    command.context_settings = _HELP  # also where one is called by itself
    cli.add_command(command)
    command.params.append(click.Option(["--debug"], is_flag=True, expose_value=False, hidden=True))
    command.params.append(progress_option(hidden=True))
cli.params.append(progress_option())


def main() -> None:
    """Run the command line and leave with its exit code.

    0 done, 1 an expected failure, 2 usage, 130 and 143 stopped by a signal, 141 the reader of our output
    has gone.
    """
    # The system takes everything back at once; to look for garbage on the way out takes half a second.
    atexit.register(gc.freeze)
    open_standard_streams()
    arguments = sys.argv[1:]
    shows_trace = "--debug" in arguments or os.environ.get("GEOROADS_DEBUG", "0") not in ("", "0")
    sys.excepthook = partial(_tell_fault, shows_trace=shows_trace)
    streams = sys.stdout, sys.stderr
    try:
        check_surroundings(arguments)
        with stoppable():
            code = cli(standalone_mode=False)
    except GeoroadsError as e:
        _refuse(e.message, e.hint, e if shows_trace else None)
    except click.exceptions.Exit as e:
        sys.exit(e.exit_code)
    except click.ClickException as e:
        _tell_usage(e)
    except (click.Abort, KeyboardInterrupt):
        _say_stopped(arguments)
        sys.exit(130)
    except SystemExit as e:
        # Where nobody reads our output any more, click mutes the streams and leaves with 1, as for a failure.
        if (sys.stdout, sys.stderr) != streams:
            sys.exit(141)
        if e.code == 128 + signal.SIGTERM:
            _say_stopped(arguments)
        sys.exit(e.code)
    except thrown() as e:
        _refuse(*explain(e), e if shows_trace else None)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str, hint: str, traced: BaseException | None = None) -> NoReturn:
    if traced is not None:
        click.echo(trace_of(traced), err=True)
    click.echo(f"error: {_one_line(message)}", err=True)
    if hint:
        click.echo(f"hint: {_one_line(hint)}", err=True)
    sys.exit(1)


def _one_line(text: str) -> str:
    return printable(without_secrets(" ".join(text.split())))


def _tell_fault(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None, *, shows_trace: bool
) -> None:
    """As ``sys.excepthook``: a fault of this program, in two lines too; Python then leaves with 1."""
    with suppress(SystemExit):
        _refuse(*explain(error), error if shows_trace else None)


def _tell_usage(error: click.ClickException) -> NoReturn:
    """What click says of wrong usage, without what stands in the arguments for no eye."""
    said = io.StringIO()
    error.show(said)
    for line in said.getvalue().splitlines():
        click.echo(printable(without_secrets(line)), err=True)
    sys.exit(error.exit_code)


def _say_stopped(arguments: list[str]) -> None:
    """That it was stopped; and the way to go on, if the command has one."""
    stopped = next((cli.commands[word] for word in arguments if word in cli.commands), None)
    goes_on = stopped is not None and any(option.name == "resume" for option in stopped.params)
    click.echo("stopped; --resume goes on where it was" if goes_on else "stopped", err=True)
