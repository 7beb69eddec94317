"""The folder of unfinished work beside an output: one run at a time, gone on with or thrown away."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.files.atomic import LONGEST_NAME, disk_errors_named, remove_stale_parts, short_stem
from georoads.files.lock import only_run
from georoads.text import printable

LEDGER = "ledger.jsonl"
"""Name of the ledger in the folder (see ``files.ledger``)."""


@contextmanager
def work_for(output: Path, *, resume: bool | None = None) -> Iterator[Path]:
    """The folder ``OUTPUT.work`` for unfinished work; removed when the block ends well, else kept.

    Args:
        output: the file that is being made; its folder exists.
        resume: True goes on with what a stopped run has left, False throws it away; None does neither where
            finished parts of the work would be lost.

    Raises:
        GeoroadsError: another run makes this output; unfinished work is there and ``resume`` is None; lock
            or folder are not ours; the disk is full.
    """
    shown = printable(output)
    folder = _beside(output, "", ".work")
    with alone_at(output):
        _refuse_foreign(folder)
        if resume is not False:
            _refuse_strange(folder)
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
            folder.mkdir(mode=0o700, exist_ok=True)  # nobody else may lay links in it
            yield folder
        shutil.rmtree(folder)


@contextmanager
def alone_at(output: Path) -> Iterator[None]:
    """Keep other runs off an output while the block runs, and clear away what killed ones left beside it.

    Raises:
        GeoroadsError: another run makes this output; what lies at its lock's place is none.
    """
    with only_run(_beside(output, ".", ".lock"), printable(output)):
        remove_stale_parts(output)
        yield


def _beside(output: Path, before: str, after: str) -> Path:
    """A path beside the output that is named after it; a name that would be too long is shortened."""
    name = f"{before}{output.name}{after}"
    if len(os.fsencode(name)) > LONGEST_NAME:
        name = f"{before}{short_stem(output)}{after}"
    return output.with_name(name)


def _refuse_foreign(folder: Path) -> None:
    """Refuse what lies at the place of the work folder and was not made by this user's runs."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return
    if not (stat.S_ISDIR(status.st_mode) and _is_own(status, folder.parent)):
        raise GeoroadsError(
            f"{printable(folder)} is no work folder that a run of yours has made",
            "look at it, and remove it if nobody needs it; or choose another output",
        )


def _refuse_strange(folder: Path) -> None:
    """Refuse a work folder in which links or folders lie: what follows them is not written into."""
    for entry in folder.iterdir() if folder.exists() else ():
        if not stat.S_ISREG(entry.lstat().st_mode):
            raise GeoroadsError(
                f"{printable(entry)} is no file, as runs write them",
                "--restart throws this folder away, and not what a link in it names",
            )


def _is_own(status: os.stat_result, folder: Path) -> bool:
    """Whether a thing in a folder belongs to the user who runs this."""
    if hasattr(os, "geteuid") and status.st_uid == os.geteuid():
        return True
    # Drives of other systems show all files as somebody's: the same as a file that is made now.
    with tempfile.TemporaryFile(dir=folder) as made:
        return os.fstat(made.fileno()).st_uid == status.st_uid


def _holds_work(folder: Path) -> bool:
    """Whether its ledger names a finished part: its first line only says what the work is."""
    try:
        with (folder / LEDGER).open("rb") as ledger:
            return sum(1 for _ in zip(range(2), ledger, strict=False)) == 2
    except FileNotFoundError:
        return False
