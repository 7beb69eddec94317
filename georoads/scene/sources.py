"""The files that a scene may come from, told by their names and first bytes before GDAL sees them."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from xml.etree import ElementTree

from georoads.errors import SceneError

# GDAL's other drivers are never asked: some follow what a file says to other files or to a server.
SIGNATURES = {
    b"II*\0": "GTiff", b"MM\0*": "GTiff", b"II+\0": "GTiff", b"MM\0+": "GTiff", b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG", b"\0\0\0\x0cjP  ": "JP2OpenJPEG", b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"RIFF": "WEBP",
}  # fmt: skip
"""First bytes of a file, and the driver that reads it."""
DRIVERS = tuple(dict.fromkeys(SIGNATURES.values()))
REMOTE = (
    "http://",
    "https://",
    "ftp://",
    "s3://",
    "gs://",
    "az://",
    "/vsicurl",
    "/vsis3/",
    "/vsigs/",
    "/vsiaz/",
)
"""How names of files begin that do not lie on a disk of this machine."""
DRIVERS_HINT = f"use {', '.join(DRIVERS)}"


def check_regular(file: Path) -> None:
    """See that a name is that of a file; nothing is read of it.

    Raises:
        SceneError: it is missing, no regular file, or cannot be looked for.
    """
    try:
        mode = file.stat().st_mode
    except FileNotFoundError as e:
        raise SceneError(f"{file} does not exist", "check the path") from e
    except OSError as e:
        raise SceneError(f"{file} cannot be read: {e.strerror}", "check the path and its permissions") from e
    if stat.S_ISDIR(mode):
        raise SceneError(f"{file} is a folder", "name a raster file in it")
    if not stat.S_ISREG(mode):
        raise SceneError(f"{file} is not a regular file", "name a raster file")


def first_bytes(file: Path) -> bytes:
    """The first 1024 bytes of a regular file.

    Raises:
        SceneError: it is missing, no regular file, or cannot be read.
    """
    check_regular(file)
    try:
        with file.open("rb") as stream:
            return stream.read(1024)
    except OSError as e:
        raise SceneError(f"{file} cannot be read: {e.strerror}", "check the path and its permissions") from e


def is_vrt(file: Path, start: bytes) -> bool:
    """Whether a file is GDAL's list of other rasters, by its name or first bytes."""
    return file.suffix.lower() == ".vrt" or b"<VRTDataset" in start


def read_xml(file: Path, max_bytes: int, what: str, hint: str) -> ElementTree.Element:
    """The root of an XML file that defines no entities.

    Args:
        file: is regular, or raises.
        max_bytes: larger ones are refused.
        what: it should be, for messages.
        hint: what to do, for messages.

    Raises:
        SceneError: it is too large, defines entities, or is not XML.
    """
    try:
        with file.open("rb") as stream:
            raw = stream.read(max_bytes + 1)
        text = raw.decode("utf-8-sig")
        if len(raw) > max_bytes or "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise SceneError(f"{file} is too large or defines entities", hint)
        return ElementTree.fromstring(text)
    except (OSError, ValueError, ElementTree.ParseError) as e:
        raise SceneError(f"{file} is not {what} that can be read: {e}", hint) from e


def resolve_source(named: str, lister: Path, *, root: Path, folder: Path, hint: str) -> Path:
    """The file that a list of rasters (a VRT, an index) names, links followed; it must lie below a folder.

    Args:
        named: the name as it stands in the list.
        lister: the list, for messages.
        root: the folder, resolved, that the file must not leave.
        folder: where relative names begin.
        hint: what to do, for messages.

    Returns:
        The resolved path; whether a file is there is not asked.

    Raises:
        SceneError: it is no plain name of a file, or lies elsewhere.
    """
    # Prefixes name parts of files, drivers or servers; one letter is a drive of Windows.
    if not named or named.lstrip().startswith(("<", "/vsi")) or re.match(r"\w{2,}:", named):
        raise SceneError(f"{lister} has a source that is no plain file: {named[:200]!r}", hint)
    try:
        real = (folder / named).resolve()
    except (OSError, RuntimeError, ValueError) as e:  # a ring of links; no name that a file can have
        raise SceneError(f"{lister}: the source {named[:200]} cannot be found", hint) from e
    if not real.is_relative_to(root):
        raise SceneError(f"{lister}: the source {named[:200]} lies outside the folder {root}", hint)
    return real


def driver_of(file: Path, start: bytes) -> str:
    """The GDAL driver for a file that begins with these bytes.

    Raises:
        SceneError: none of the allowed ones reads it.
    """
    for signature, driver in SIGNATURES.items():
        if start.startswith(signature):
            return driver
    what = "it is empty" if not start else "it begins like none of them"
    raise not_readable(file, what)


def not_readable(path: Path, reason: object) -> SceneError:
    """The refusal of a raster that GDAL cannot read."""
    return SceneError(f"{path} is not a raster that GDAL's allowed drivers can read: {reason}", DRIVERS_HINT)


def remote_name(path: str | Path) -> str | None:
    """The name of a remote file as it was typed (a Path has lost a slash); None for a local one."""
    text = re.sub(r"\b(https?|ftp|s3|gs|az):/+", r"\1://", str(path).replace("\\", "/"))
    return text if text.startswith(REMOTE) else None
