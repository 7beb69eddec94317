"""georoads download: DeepGlobe's roads in a folder, ready to train on."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options
from georoads.cli.programs import watched

if TYPE_CHECKING:
    from georoads.data.kaggle_token import KaggleToken


@click.command()
@click.option(
    "-o", "--output", type=options.PATH, default="deepglobe", show_default=True, help="Folder to make."
)
@click.option("--from-zip", "archive", type=options.PATH, help="Unpack this archive instead; it is kept.")
@click.option("--any-count", is_flag=True, help="With --from-zip: accept a part of the data set too.")
@click.option("--overwrite", is_flag=True, help="Replace an existing file of --json; never the data set.")
@options.json_file
@options.quiet
def download(
    output: Path, archive: Path | None, any_count: bool, overwrite: bool, json_file: Path | None, quiet: bool
) -> None:
    """Fetch the DeepGlobe road data set from Kaggle (about 4 GB, twice that while it is unpacked).

    Needs a Kaggle token: KAGGLE_API_TOKEN, ~/.kaggle/access_token, KAGGLE_USERNAME and KAGGLE_KEY,
    kaggle.json, or kaggle auth login. A download that was stopped goes on where it was; a complete folder
    is left as it is.
    """
    from functools import cache

    from georoads.data.download import DEEPGLOBE, TERMS, download_deepglobe, install_archive
    from georoads.extras import require_extra
    from georoads.files.figures import check_figures, write_figures

    if any_count and archive is None:
        raise click.UsageError("--any-count goes with --from-zip")
    if archive is None:
        require_extra("download", "georoads download", ("kagglesdk", "requests"), "or give --from-zip")
    inputs = () if archive is None else (archive,)
    check_figures(json_file, overwrite=overwrite, inputs=inputs, outputs=(output,))
    watch = watched(quiet)
    started = time.monotonic()

    def say(text: str) -> None:
        if not quiet:
            options.say(f"note: {text}", err=True)

    @cache
    def token() -> KaggleToken:
        return _find_token(say)

    try:
        if archive is None:
            done = download_deepglobe(output, lambda: _archive_address(token()), say=say, watch=watch)
        else:
            done = install_archive(archive, output, expected=None if any_count else DEEPGLOBE, watch=watch)
    except KeyboardInterrupt:
        options.say("stopped; the same command goes on where it was", err=True)
        raise click.exceptions.Exit(130) from None
    if not quiet:
        what = "is complete already" if done.was_there else "is complete"
        options.say(f"{output} {what}: {done.counts}", err=True)
        options.say(f"terms: {TERMS}", err=True)
    figures = dataclasses.asdict(done) | {"folder": str(done.folder), "seconds": time.monotonic() - started}
    write_figures(json_file, figures, overwrite=overwrite)


def _find_token(say: Callable[[str], None]) -> KaggleToken:
    """The token that the user has."""
    from georoads.data.kaggle_token import find_token

    home = os.path.expanduser("~")  # noqa: PTH111  # Path.home() raises for an account without a home
    found = find_token(os.environ, Path(home))
    say(f"the token is that of {found.source}")
    return found


def _archive_address(token: KaggleToken) -> str:
    """Where the archive is at the moment."""
    from georoads.data.kaggle_client import archive_address

    return archive_address(token)
