"""Files that are complete or absent: written beside their place, checked, then moved there at once."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import re
import secrets
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.text import is_utf8, printable

_DISK_FULL = {getattr(errno, name) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO") if hasattr(errno, name)}
"""Error numbers of a disk that takes no more."""
LONGEST_NAME = 255
"""Bytes of a name that every usual file system can hold."""
_COMPANIONS = ("", "-journal", "-wal", "-shm", ".aux.xml")
"""What SQLite and GDAL may leave beside the file that they write."""


@contextmanager
def disk_errors_named(what: str, hint: str = "free some space") -> Iterator[None]:
    """Raise a GeoroadsError that begins with ``what`` where the disk takes no more in the block.

    Raises:
        GeoroadsError: the disk is full.
    """
    try:
        yield
    except OSError as e:
        if e.errno not in _DISK_FULL:
            raise
        raise GeoroadsError(f"{what}: {e.strerror}", hint) from e


@contextmanager
def replacing(target: Path) -> Iterator[None]:
    """Raise a GeoroadsError where another program has a file open that the block replaces (on Windows).

    Raises:
        GeoroadsError: says what to close.
    """
    try:
        yield
    except PermissionError as e:
        raise GeoroadsError(
            f"{printable(target)} cannot be replaced ({e.strerror})", "close the program that has it open"
        ) from e


def check_output(
    path: str | Path,
    *,
    overwrite: bool = False,
    inputs: Iterable[str | Path] = (),
    outputs: Iterable[Path] = (),
) -> None:
    """Refuse an output before any work is done for it.

    Args:
        path: where the output shall go.
        overwrite: True when an existing file may be replaced.
        inputs: files that the work reads; the output must not be one of them.
        outputs: what else the work writes; the output must not be one of them either.

    Raises:
        GeoroadsError: the folder is missing or cannot be written to, the path is a folder or another thing
            that is no file, the file exists, it is one of the inputs or outputs, or its name is not UTF-8,
            too long, or that of a link in a ring.
    """
    shown = printable(path)
    if shown != str(path) and not is_utf8(path):
        raise GeoroadsError(f"{shown} is not a name in UTF-8", "choose another name for the output")
    target, inputs, outputs = Path(path), tuple(inputs), tuple(outputs)
    real = real_output(target)
    if any(str(real) == os.path.realpath(other) for other in outputs):
        raise GeoroadsError(f"{shown} is named for two outputs", "give each a name of its own")
    _refuse_companion(real, (*inputs, *outputs))
    folder = target.parent
    if not folder.is_dir():
        raise GeoroadsError(f"{shown}: the folder {printable(folder)} does not exist", "create it first")
    if target.is_dir():
        raise GeoroadsError(f"{shown} is a folder", "give the output a file name")
    if target.exists() and not target.is_file():
        raise GeoroadsError(f"{shown} is not a regular file", "give the output another name")
    for source in inputs:
        if target.exists() and Path(source).exists() and target.samefile(source):
            raise GeoroadsError(f"{shown} is an input and the output", "give the output another name")
    if target.exists() and not overwrite:
        raise GeoroadsError(f"{shown} exists", "--overwrite replaces it; or choose another name")
    _check_writable(real.parent, shown)


def _refuse_companion(real: Path, others: Iterable[str | Path]) -> None:
    """Refuse an output at a place where SQLite or GDAL keep what belongs to another file."""
    for other in others:
        name = os.path.realpath(other)
        if any(str(real) == name + suffix for suffix in _COMPANIONS[1:]):
            raise GeoroadsError(
                f"{printable(real.name)} would be read as a part of {printable(Path(name).name)}",
                "give the output another name",
            )


def real_output(target: Path) -> Path:
    """The path of an output, links followed.

    Raises:
        GeoroadsError: its name is too long, or that of a link in a ring.
    """
    try:
        target.exists()
        return target.resolve()
    except (OSError, RuntimeError) as e:  # RuntimeError: Python's own for a ring of links, until 3.13
        why = getattr(e, "strerror", None) or "its links lead in a ring"
        raise GeoroadsError(f"{printable(target)} cannot be an output: {why}", "choose another name") from e


@contextmanager
def replace_when_complete(
    target: str | Path, *, overwrite: bool = False, verify: Callable[[Path], None] | None = None
) -> Iterator[Path]:
    """Write a file so that it appears whole or not at all.

    Yields a path in the same folder, with the same suffix, where nothing lies yet: write the file there and
    close it. When the block ends well, the file is verified, flushed to the disk and moved to ``target``;
    when it does not, it is removed and ``target`` stays as it was. A symbolic link is followed.

    Args:
        target: the final path.
        overwrite: True when an existing file may be replaced.
        verify: called with the closed file; raises when it is not what it should be.

    Raises:
        GeoroadsError: as ``check_output``; the disk is full; the target is held by another program.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with replace_when_complete(Path(folder) / "a.txt") as part:
        ...         _ = part.write_text("whole")
        ...     (Path(folder) / "a.txt").read_text()
        'whole'
    """
    check_output(target, overwrite=overwrite)
    final = Path(target).resolve()
    part = final.with_name(f".{short_stem(final)}-{secrets.token_hex(4)}.part{final.suffix}")
    try:
        with disk_errors_named(f"{printable(target)} cannot be written"):
            yield part
            if verify is not None:
                verify(part)
            _flush(part)
            _publish(part, final, overwrite=overwrite)
    finally:
        remove_with_companions(part)


def remove_stale_parts(target: Path) -> None:
    """Remove what runs that were killed while they wrote ``target`` have left beside it.

    Call it only while the lock of the target is held: another run may be writing it.
    """
    final = target.resolve()
    for part in final.parent.glob(f".{short_stem(final)}-*.part*"):
        with contextlib.suppress(OSError):
            part.unlink()


def short_stem(final: Path) -> str:
    """A short name for what lies beside a file: the file's may leave no room for more, and hold odd signs."""
    plain = re.sub(r"[^A-Za-z0-9_-]", "_", final.stem[:40])
    return f"{plain}.{hashlib.sha256(os.fsencode(final.name)).hexdigest()[:8]}"


def remove_with_companions(path: Path) -> None:
    """Remove a file and what SQLite or GDAL left beside it; silent where there is nothing."""
    for suffix in _COMPANIONS:
        with contextlib.suppress(OSError):
            path.with_name(path.name + suffix).unlink()


def _check_writable(folder: Path, shown: str) -> None:
    # Asking for permissions misleads (root, Windows, network drives): try it.
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".georoads-"):
            pass
    except OSError as e:
        raise GeoroadsError(
            f"{shown}: the folder {printable(folder)} cannot be written to ({e.strerror})",
            "choose another folder, or change its permissions",
        ) from e


def _flush(part: Path) -> None:
    with part.open("rb+") as file:
        os.fsync(file.fileno())


def _publish(part: Path, final: Path, *, overwrite: bool) -> None:
    if final.exists() and not overwrite:  # another run was faster
        raise GeoroadsError(f"{printable(final)} exists", "--overwrite replaces it; or choose another name")
    with replacing(final):
        part.replace(final)
    if os.name == "posix":
        # The new name itself must reach the disk; Windows cannot open folders and does so by itself.
        with contextlib.suppress(OSError):
            descriptor = os.open(final.parent, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
