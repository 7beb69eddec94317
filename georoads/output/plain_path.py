"""Names of files that GDAL and pyogrio take as they stand."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from georoads.errors import LayerError
from georoads.text import is_utf8, printable

_ODD = re.compile(r"[;!\\\x00-\x1f]|\?$")


@contextmanager
def plain_path(path: Path) -> Iterator[Path]:
    """A path to the same file that pyogrio cannot take for an address or for a place in an archive.

    pyogrio reads every path as an address: ``zip:a`` and ``a!b.gpkg`` name something else to it, it cuts at
    a ``;`` and drops line ends. Where an absolute path still holds such a sign, a temporary link to the
    folder (and to the file and its companions of the same stem, if their names are odd) is used.

    Raises:
        LayerError: the name is not UTF-8, or no link can be made.
    """
    absolute = Path(path).absolute()
    if not is_utf8(absolute):
        raise LayerError(f"{printable(path)} is not a name in UTF-8", "rename it")
    if os.name == "nt" or not _ODD.search(str(absolute)):
        yield absolute
        return
    with ExitStack() as made:
        try:
            folder = made.enter_context(tempfile.TemporaryDirectory(prefix="georoads-"))
            link = _link_plainly(absolute, Path(folder))
        except OSError as e:
            raise LayerError(f"{printable(path)} cannot be used: {e.strerror or e}", "rename it") from e
        yield link


def _link_plainly(absolute: Path, folder: Path) -> Path:
    """A path in ``folder`` that leads to the file over a link, under a name without odd signs."""
    if not _ODD.search(absolute.name):
        (folder / "folder").symlink_to(absolute.parent, target_is_directory=True)
        return folder / "folder" / absolute.name
    for companion in absolute.parent.iterdir():
        if companion.stem == absolute.stem:
            (folder / f"file{companion.suffix}").symlink_to(companion)
    return folder / f"file{absolute.suffix}"
