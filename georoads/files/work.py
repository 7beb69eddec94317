"""The folder of unfinished work beside an output: one run at a time, gone on with or thrown away."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.files.atomic import disk_errors_named, remove_stale_parts
from georoads.files.lock import only_run
from georoads.text import printable

LEDGER = "ledger.jsonl"
"""Name of the ledger in the folder (see ``files.ledger``)."""
LONGEST_NAME = 255
"""Bytes of a file's name that every file system takes."""


@contextmanager
def alone_at(output: Path) -> Iterator[None]:
    """Be the only run that makes an output while the block runs; what killed ones left beside it is cleared.

    Raises:
        GeoroadsError: another run makes this output.
    """
    with only_run(output.with_name(_lock_name(output)), printable(output)):
        remove_stale_parts(output)
        yield


@contextmanager
def work_for(output: Path, *, resume: bool | None = None) -> Iterator[Path]:
    """The folder ``OUTPUT.work`` for unfinished work; removed when the block ends well, else kept.

    Args:
        output: the file that is being made; its folder exists.
        resume: True goes on with what a stopped run has left, False throws it away; None does neither where
            finished parts of the work would be lost.

    Raises:
        GeoroadsError: another run makes this output; unfinished work is there and ``resume`` is None; the
            disk is full.
    """
    shown = printable(output)
    folder = output.with_name(output.name + ".work")
    with alone_at(output):
        if folder.exists() and not resume:
            if resume is None and _holds_work(folder):
                raise GeoroadsError(
                    f"{printable(folder)} holds the work of a run that was stopped",
                    "--resume goes on with it, --restart throws it away",
                )
            shutil.rmtree(folder)
        with disk_errors_named(
            f"{shown} cannot be made", "free some space, then --resume goes on where it was"
        ):
            folder.mkdir(exist_ok=True)
            yield folder
        shutil.rmtree(folder)


def _lock_name(output: Path) -> str:
    """Name of an output's lock; of a hash where the output's own name leaves no room for more."""
    name = os.fsencode(output.name)
    if len(name) < LONGEST_NAME - len("..lock"):
        return f".{output.name}.lock"
    return f".{hashlib.sha256(name).hexdigest()}.lock"


def _holds_work(folder: Path) -> bool:
    """Whether its ledger names a finished part: its first line only says what the work is."""
    try:
        with (folder / LEDGER).open("rb") as ledger:
            return sum(1 for _ in zip(range(2), ledger, strict=False)) == 2
    except FileNotFoundError:
        return False
