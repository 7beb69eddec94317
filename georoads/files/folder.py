"""Folders that are complete or absent, as ``atomic`` does it for files."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.files.atomic import disk_errors_named, real_output, replacing
from georoads.text import printable


@contextmanager
def replace_folder_when_complete(
    target: Path, *, overwrite: bool = False, marker: str = ""
) -> Iterator[Path]:
    """Fill a folder so that it appears whole or not at all.

    Yields an empty folder beside the target. When the block ends well, it takes the target's place; when it
    does not, it is removed and the target stays as it was. An empty target is always taken.

    Args:
        target: the final folder.
        overwrite: True when a folder that holds the marker may be replaced, with all that is in it.
        marker: name of a file by which folders of this kind are known; others are never replaced.

    Raises:
        GeoroadsError: the target exists, the folder above it does not, or the disk refuses.
    """
    _check_target(target, marker, overwrite=overwrite)
    final = target.resolve()
    part = final.with_name(f".{final.name[:40]}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir()
    except OSError as e:
        raise GeoroadsError(
            f"{printable(target)} cannot be made: {e.strerror}",
            "choose another place, or change its permissions",
        ) from e
    try:
        with disk_errors_named(f"{printable(target)} cannot be written"):
            yield part
            _check_target(target, marker, overwrite=overwrite)  # another run may have been faster
            _move_into_place(part, final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _move_into_place(part: Path, final: Path) -> None:
    if not final.exists():
        part.rename(final)
        return
    old = part.with_suffix(".old")
    with replacing(final):
        final.rename(old)
    try:
        part.rename(final)
    except OSError:
        old.rename(final)
        raise
    shutil.rmtree(old)


def _check_target(target: Path, marker: str, *, overwrite: bool) -> None:
    shown = printable(target)
    above = real_output(target).parent
    if not above.is_dir():
        raise GeoroadsError(f"{shown}: the folder {printable(above)} does not exist", "create it first")
    if not target.exists():
        return
    if not target.is_dir():
        raise GeoroadsError(f"{shown} is a file", "name a folder that does not exist yet")
    if not any(target.iterdir()):
        return
    if not overwrite:
        raise GeoroadsError(f"{shown} exists", "--overwrite replaces it; or choose another name")
    if not (target / marker).is_file():
        raise GeoroadsError(
            f"{shown} was not made by this command: it holds no {marker}",
            "only a folder that does is replaced; choose another name",
        )
