"""Unpacking archives that nobody vouches for: every entry is checked before the first byte is written."""

from __future__ import annotations

import lzma
import os
import re
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from georoads.errors import DatasetError
from georoads.progress import Watch, unwatched
from georoads.text import printable

_MB = 1e6
_BLOCK = 1 << 20
_SMALL = 1 << 20
"""Bytes below which the ratio says nothing: a short text of one letter packs a thousandfold."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_DEPTH, _NAME_BYTES = 32, 255
_OPENING = (zipfile.BadZipFile, ValueError, NotImplementedError, EOFError, struct.error, OverflowError)
_READING = (*_OPENING, RuntimeError, zlib.error, lzma.LZMAError, OSError)
_AGAIN = "get the archive again; its source is not to be trusted"


@dataclass(frozen=True)
class UnpackLimits:
    """From where on an archive is taken for a bomb. DeepGlobe: 14,798 entries, about 4 GB, ratio about 1.

    Attributes:
        entries: files and folders.
        total_bytes: of all files, unpacked.
        ratio: unpacked to packed bytes, of each file above 1 MiB and of the whole.
    """

    entries: int = 100_000
    total_bytes: int = 40 * 2**30
    ratio: float = 200.0


@dataclass(frozen=True)
class _Entry:
    info: zipfile.ZipInfo
    parts: tuple[str, ...]
    is_folder: bool


def unpack(
    archive: str | Path,
    folder: str | Path,
    limits: UnpackLimits | None = None,
    watch: Watch = unwatched,
) -> int:
    """Unpack a zip archive into a new folder. The archive is only read.

    Nothing is written before every entry has passed: no ``..``, absolute path, drive letter, link or
    device, no two names that differ only in case (or in how their accents are encoded), no encryption,
    all within the limits. Permissions and dates of the archive are not applied.

    Args:
        archive: the zip file.
        folder: is created; must not exist. When this function raises, what it holds is incomplete.
        limits: default ``UnpackLimits()``.
        watch: starts the progress, in MB.

    Returns:
        The number of files.

    Raises:
        DatasetError: the archive is no zip, cut off, damaged, encrypted or unsafe; or the disk is too small.
    """
    path, root = Path(archive), Path(folder)
    limits = limits or UnpackLimits()
    with _opened(path, limits) as z:
        entries = _checked(z.infolist(), path, limits)
        total = sum(e.info.file_size for e in entries)
        _refuse_small_disk(root.parent, total)
        done = 0
        try:
            root.mkdir()
            with watch("unpack", total / _MB, "MB") as tell:
                for entry in entries:
                    _write(z, entry, root, path)
                    done += entry.info.file_size
                    tell(done / _MB)
        except OSError as e:
            raise DatasetError(
                f"{printable(root)} cannot be written: {e.strerror or e}",
                "free some space, or choose another place",
            ) from e
    return sum(not e.is_folder for e in entries)


@contextmanager
def _opened(path: Path, limits: UnpackLimits) -> Iterator[zipfile.ZipFile]:
    shown = printable(path)
    if not path.is_file():
        raise DatasetError(f"{shown} is not a file", "give the zip archive that you downloaded")
    try:
        listed = _directory_bytes(path)
        # zipfile reads the whole list of entries into memory before it counts them.
        if listed > 512 * limits.entries:
            raise DatasetError(
                f"{shown} lists more than the {limits.entries} entries that are allowed", _AGAIN
            )
        z = zipfile.ZipFile(path)
    except _OPENING as e:
        raise DatasetError(
            f"{shown} is no zip archive, or is cut off ({e})",
            "download it again; a whole one ends with its list",
        ) from e
    except OSError as e:
        raise DatasetError(f"{shown} cannot be read: {e.strerror or e}", "check its permissions") from e
    with z:
        yield z


def _directory_bytes(path: Path) -> int:
    """Size of the archive's list of entries, from its end record; 0 where there is none (APPNOTE 4.3.16)."""
    with path.open("rb") as f:
        size = f.seek(0, os.SEEK_END)
        f.seek(max(0, size - (1 << 16) - 22 - 20 - 56))
        tail = f.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        return 0
    (listed,) = struct.unpack_from("<L", tail, end + 12)
    big = end - 20 - 56  # where zipfile looks for the zip64 record, behind which only its locator stands
    if big >= 0 and tail[big : big + 4] == b"PK\x06\x06":
        (listed,) = struct.unpack_from("<Q", tail, big + 40)
    return int(listed)


def _checked(infos: list[zipfile.ZipInfo], archive: Path, limits: UnpackLimits) -> list[_Entry]:
    """The entries, every one of them safe to write."""
    shown = printable(archive)
    if len(infos) > limits.entries:
        raise DatasetError(
            f"{shown} holds {len(infos)} entries, more than the {limits.entries} that are allowed", _AGAIN
        )
    entries = []
    for info in infos:
        reason = _refusal(info)
        if reason:
            raise DatasetError(f"{shown}: the entry {printable(info.filename)!r} {reason[0]}", reason[1])
        # orig_filename is the name as it stands in the archive: zipfile cuts its own at a NUL.
        parts, folder = _parts(info.orig_filename), info.orig_filename.endswith(("/", "\\"))
        if parts:
            entries.append(_Entry(info, parts, folder))
    _refuse_bomb(infos, archive, limits)
    _refuse_collisions(entries, shown)
    return entries


def _parts(name: str) -> tuple[str, ...]:
    # Some packers on Windows write backslashes, which zipfile only turns on Windows.
    return tuple(p for p in name.replace("\\", "/").split("/") if p not in ("", "."))


def _refusal(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    """Why an entry is not unpacked, and the way out; None when it is fine."""
    if info.flag_bits & 0x2041:
        return "is encrypted", "unpack it with your own tool and give the folder to georoads train"
    if info.compress_type not in _METHODS:
        return f"is packed by method {info.compress_type}", "pack it again with the usual method (deflate)"
    name = info.orig_filename
    parts = _parts(name)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if name.startswith(("/", "\\")):
        return "is an absolute path", _AGAIN
    if ".." in parts:
        return "leaves the folder (..)", _AGAIN
    if any(":" in p for p in parts):
        return "names a drive", _AGAIN
    if kind == stat.S_IFLNK:
        return "is a symbolic link", _AGAIN
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or any(_DEVICES.fullmatch(p) for p in parts):
        return "is a device", _AGAIN
    if any(not p.isprintable() or p.endswith((" ", ".")) or len(p.encode()) > _NAME_BYTES for p in parts):
        return "has a name that not every system can hold", _AGAIN
    if len(parts) > _DEPTH:
        return f"lies more than {_DEPTH} folders deep", _AGAIN
    return None


def _refuse_bomb(infos: list[zipfile.ZipInfo], archive: Path, limits: UnpackLimits) -> None:
    shown, packed = printable(archive), archive.stat().st_size
    total = sum(i.file_size for i in infos)
    if total > limits.total_bytes:
        raise DatasetError(
            f"{shown} would unpack to {total / 1e9:.1f} GB, more than the {limits.total_bytes / 1e9:.1f} GB "
            "that are allowed",
            _AGAIN,
        )
    if sum(i.compress_size for i in infos) > packed:
        raise DatasetError(f"{shown}: its entries overlap or claim more than the file holds", _AGAIN)
    for name, whole, part in ((i.filename, i.file_size, i.compress_size) for i in infos):
        if whole > _SMALL and whole > limits.ratio * part:
            raise DatasetError(
                f"{shown}: {printable(name)!r} unpacks to {whole / max(1, part):.0f} times its size, "
                f"more than the {limits.ratio:.0f} that are allowed",
                _AGAIN,
            )
    if total > _SMALL and total > limits.ratio * packed:
        raise DatasetError(
            f"{shown} unpacks to {total / packed:.0f} times its size, more than the {limits.ratio:.0f} "
            "that are allowed",
            _AGAIN,
        )


def _refuse_collisions(entries: list[_Entry], shown: str) -> None:
    """Refuse names that are one on file systems that ignore case, or that ask for a file as a folder."""
    folders: dict[str, str] = {}
    files: dict[str, str] = {}
    for entry in entries:
        for depth in range(1, len(entry.parts) + 1):
            name = "/".join(entry.parts[:depth])
            key = unicodedata.normalize("NFC", name).casefold()
            if depth == len(entry.parts) and not entry.is_folder:
                other = files.get(key) or folders.get(key)
                files[key] = name
            else:
                other = files.get(key) or folders.setdefault(key, name)
                other = None if other == name and key not in files else other
            if other is not None:
                raise DatasetError(
                    f"{shown}: the entries {printable(other)!r} and {printable(name)!r} collide", _AGAIN
                )


def _write(z: zipfile.ZipFile, entry: _Entry, root: Path, archive: Path) -> None:
    target = root.joinpath(*entry.parts)
    if entry.is_folder:
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with target.open("xb") as f:
        for block in _blocks(z, entry.info, archive):
            written += f.write(block)
    if written != entry.info.file_size:
        raise _damaged(archive, entry.info, f"{written} bytes instead of {entry.info.file_size}")


def _blocks(z: zipfile.ZipFile, info: zipfile.ZipInfo, archive: Path) -> Iterator[bytes]:
    """The bytes of an entry; zipfile never gives more than the size that was checked."""
    try:
        with z.open(info) as source:
            while block := source.read(_BLOCK):
                yield block
    except _READING as e:
        raise _damaged(archive, info, str(e)) from e


def _damaged(archive: Path, info: zipfile.ZipInfo, why: str) -> DatasetError:
    return DatasetError(
        f"{printable(archive)} is damaged at {printable(info.filename)!r}: {why}",
        "download the archive again",
    )


def _refuse_small_disk(folder: Path, needed: int) -> None:
    try:
        free = shutil.disk_usage(folder).free
    except OSError as e:
        raise DatasetError(
            f"{printable(folder)} cannot be used: {e.strerror or e}", "choose another place"
        ) from e
    if free < needed:
        raise DatasetError(
            f"{printable(folder)} has {free / 1e9:.2f} GB free, unpacking needs {needed / 1e9:.2f} GB",
            "free some space, or choose another place",
        )
