"""Unpacking archives that nobody vouches for: every entry is checked before the first byte is written."""

from __future__ import annotations

import lzma
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from georoads.errors import DatasetError
from georoads.progress import Watch, unwatched
from georoads.resources import needs_beside
from georoads.text import printable

MAX_ENTRIES, MAX_BYTES, MAX_RATIO = 100_000, 40 * 2**30, 200
"""Beyond so many entries, unpacked bytes or times its own size an archive is taken for a bomb.

DeepGlobe's: 14,798 entries, about 4 GB, ratio about 1.
"""
_SMALL = 1 << 20
"""Bytes below which the ratio says nothing: a short text of one letter packs a thousandfold."""
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])\s*(\..*)?", re.IGNORECASE)
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError, ValueError, OverflowError,
    RuntimeError,
)  # fmt: skip
"""What zipfile raises over archives that are cut off, damaged, encrypted or packed in a way that it lacks."""
_MB = 1e6


def unpack(archive: Path, folder: Path, watch: Watch = unwatched) -> None:
    """Unpack a zip archive into a new folder; the archive is only read.

    Nothing is written before every entry has passed: no ``..``, absolute path, drive letter, link or device,
    no two names that differ only in case (or in how their accents are encoded), all within the limits.
    Permissions and dates of the archive are not applied.

    Args:
        archive: the zip file.
        folder: is created; must not exist. When this function raises, what it holds is incomplete.
        watch: starts the progress, in MB.

    Raises:
        DatasetError: the archive is no zip, cut off, damaged, encrypted or unsafe; or the disk is too small.
    """
    shown = printable(archive)
    if not archive.is_file():
        raise DatasetError(f"{shown} is not a file", "give the zip archive that you downloaded")
    try:
        with zipfile.ZipFile(archive) as z:
            entries = z.infolist()
            total = sum(entry.file_size for entry in entries)
            unsafe = _bomb(entries, archive.stat().st_size) or _unsafe_entry(entries) or _collision(entries)
            if unsafe:
                raise DatasetError(
                    f"{shown} {unsafe}", "get the archive again; its source is not to be trusted"
                )
            needs_beside(folder, 0.0, total / _MB).check(folder)
            folder.mkdir()
            done = 0
            with watch("unpack", total / _MB, "MB") as tell:
                for entry in entries:
                    z.extract(entry, folder)
                    done += entry.file_size
                    tell(done / _MB)
    except _DAMAGE as e:
        raise DatasetError(
            f"{shown} cannot be unpacked: {printable(str(e))}",
            "it is damaged or cut off: download it again; one with a password unpack with your own tool",
        ) from e
    except OSError as e:
        raise DatasetError(
            f"{shown} cannot be read, or {printable(folder)} not be written: {e.strerror or e}",
            "check permissions, free some space, or choose another place",
        ) from e


def _bomb(entries: list[zipfile.ZipInfo], packed: int) -> str:
    """Which limit is passed by an archive of so many bytes; "" for none."""
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES:
        return f"holds {len(entries)} entries, more than the {MAX_ENTRIES} that are allowed"
    if total > MAX_BYTES:
        return (
            f"would unpack to {total / 1e9:.1f} GB, more than the {MAX_BYTES / 1e9:.1f} GB that are allowed"
        )
    if total > max(_SMALL, MAX_RATIO * packed):
        return f"unpacks to {total / packed:.0f} times its size, more than the {MAX_RATIO} that are allowed"
    if sum(entry.compress_size for entry in entries) > packed:
        return "has entries that overlap or claim more than the file holds"
    return ""


def _unsafe_entry(entries: list[zipfile.ZipInfo]) -> str:
    """The first entry that must not be written, and why; "" for none."""
    for entry in entries:
        name = entry.orig_filename  # as it stands in the archive: zipfile cuts its own at a NUL
        parts = name.replace("\\", "/").rstrip("/").split("/")
        kind = stat.S_IFMT(entry.external_attr >> 16)
        reasons = {
            "is an absolute path": name.startswith(("/", "\\")),
            "leaves the folder (..)": ".." in parts,
            "names a drive": ":" in name,
            "is a symbolic link": kind == stat.S_IFLNK,
            "is a device": kind not in (0, stat.S_IFREG, stat.S_IFDIR) or any(map(_DEVICES.fullmatch, parts)),
            "has a name that not every system can hold": not all(map(_is_portable, parts)),
        }
        for reason, holds in reasons.items():
            if holds:
                return f"holds the entry {printable(name)!r}, which {reason}"
        # Some packers on Windows write backslashes, which zipfile only turns on Windows.
        entry.filename = name.replace("\\", "/")
    return ""


def _is_portable(part: str) -> bool:
    return part.isprintable() and not part.endswith((" ", ".")) and 0 < len(part.encode()) < 256


def _collision(entries: list[zipfile.ZipInfo]) -> str:
    """Two names that are one where case is ignored, or that ask for a file as a folder; "" for none."""
    seen: dict[str, str] = {}
    for entry in entries:
        # The entry itself, and each folder above it with its slash.
        for name in (entry.filename, *(f"{p}/" for p in PurePosixPath(entry.filename).parents[:-1])):
            key = unicodedata.normalize("NFC", name.removesuffix("/")).casefold()
            other = seen.setdefault(key, name)
            if other != name:
                return f"holds the entries {printable(other)!r} and {printable(name)!r}, which collide"
    files = [entry.filename for entry in entries if not entry.is_dir()]
    return "holds the same entry twice: they collide" if len(files) != len(set(files)) else ""
