"""Opening rasters, guarded: known formats, no network, nothing that points elsewhere unless allowed."""

from __future__ import annotations

import math
import re
import stat
import warnings
from dataclasses import dataclass
from enum import Flag
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from georoads.errors import SceneError
from georoads.grid import Grid

# GDAL's other drivers are never asked: some follow what a file says to other files or to a server.
SIGNATURES = {
    b"II*\0": "GTiff", b"MM\0*": "GTiff", b"II+\0": "GTiff", b"MM\0+": "GTiff", b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG", b"\0\0\0\x0cjP  ": "JP2OpenJPEG", b"\xff\x4f\xff\x51": "JP2OpenJPEG",
    b"RIFF": "WEBP",
}  # fmt: skip
"""First bytes of a file, and the driver that reads it."""
DRIVERS = tuple(dict.fromkeys(SIGNATURES.values()))
REMOTE = {
    "http://": "/vsicurl/http://", "https://": "/vsicurl/https://", "ftp://": "/vsicurl/ftp://",
    "s3://": "/vsis3/", "gs://": "/vsigs/", "az://": "/vsiaz/",
    "/vsicurl": "/vsicurl", "/vsis3/": "/vsis3/", "/vsigs/": "/vsigs/", "/vsiaz/": "/vsiaz/",
}  # fmt: skip
"""How names of remote files begin, and how GDAL spells it."""
_GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE",  # else a JPEG that was cut off ends in grey
}
_LOCAL_ONLY = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}
_PATIENCE = {
    "GDAL_HTTP_CONNECTTIMEOUT": "30",
    "GDAL_HTTP_LOW_SPEED_TIME": "60",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "1",
}
_NO_RASTER = "is not a raster that GDAL's allowed drivers can read"
_REPROJECT = "reproject it to UTM with gdalwarp"
_USE = f"use {', '.join(DRIVERS)}"


class Allow(Flag):
    """What may be opened besides local files that hold their own pixels."""

    NOTHING = 0
    VRT = 1
    REMOTE = 2


@dataclass(frozen=True)
class RasterFile:
    """A raster that may be opened.

    Attributes:
        path: as the user named it.
        opens: what GDAL is to open: a path, the text of a VRT, or a remote name.
        driver: that reads it.
        files: the local files whose bytes are read; none of a remote one.
    """

    path: Path
    opens: str
    driver: str
    files: tuple[Path, ...]

    @property
    def options(self) -> dict[str, str]:
        """GDAL's options while it is open."""
        return _GDAL_OPTIONS | (_PATIENCE if not self.files else _LOCAL_ONLY)

    def open(self) -> Any:
        """The opened rasterio dataset; ``rasterio.Env(**file.options)`` must be around it.

        Raises:
            SceneError: GDAL cannot read it.
        """
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NotGeoreferencedWarning)  # who opens it sees to that
            try:
                return rasterio.open(self.opens, driver=self.driver)
            except failures() as e:
                raise not_readable(self.path, e) from e

    def stamps(self) -> list[tuple[str, int, int]]:
        """Name, size and time of modification (ns) of every file.

        Raises:
            SceneError: one has gone.
        """
        try:
            found = [(file.name, file.stat()) for file in self.files]
        except OSError as e:
            raise SceneError(f"{self.path} was taken away: {e.strerror}", "run again when it is there") from e
        return [(name, status.st_size, status.st_mtime_ns) for name, status in found]


def find_raster(path: str | Path, allow: Allow = Allow.NOTHING) -> RasterFile:
    """A raster that GDAL may open, by its first bytes.

    Raises:
        SceneError: it is missing, no regular file, of no known format, or points elsewhere and may not.
    """
    text = remote_name(path)
    if text is not None:
        if Allow.REMOTE not in allow:
            raise SceneError(
                f"{text} is not a local file",
                "copy it to this machine first; or --set scene.allow_remote=true (extract, predict)",
            )
        return _remote(Path(path), text)
    file = Path(path)
    if str(file).startswith("/vsi"):
        raise SceneError(f"{file} is not a local file", "unpack it, or copy it to this machine first")
    start = first_bytes(file)
    if is_vrt(file, start):
        if Allow.VRT not in allow:
            raise SceneError(
                f"{file} is a VRT, which points to other files",
                "--set scene.allow_vrt=true reads it when its sources lie in its folder; or gdal_translate "
                "makes it a GeoTIFF",
            )
        from georoads.scene.vrt import read_vrt

        mosaic = read_vrt(file)
        return RasterFile(file, mosaic.text, "VRT", (file, *mosaic.sources))
    # GDAL reads some relative names as more than a name.
    return RasterFile(file, str(file.absolute()), driver_of(file, start), (file,))


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


def source_in(root: Path, lister: Path, named: str, folder: Path, way_out: str) -> Path:
    """The file that a list of rasters names, links followed: it must lie below the folder ``root``.

    Args:
        root: the resolved folder.
        lister: the list, for messages.
        named: the name in it.
        folder: where relative names begin.
        way_out: the hint of a refusal.

    Raises:
        SceneError: it is no plain name of a file, or lies elsewhere.
    """
    # Prefixes name parts of files, drivers or servers; one letter is a drive of Windows.
    if not named or named.lstrip().startswith(("<", "/vsi")) or re.match(r"\w{2,}:", named):
        raise SceneError(f"{lister} has a source that is no plain file: {named[:200]!r}", way_out)
    try:
        real = (folder / named).resolve()
    except (OSError, RuntimeError, ValueError) as e:  # a ring of links; no name that a file can have
        raise SceneError(f"{lister}: the source {named[:200]} cannot be found", way_out) from e
    if not real.is_relative_to(root):
        raise SceneError(f"{lister}: the source {named[:200]} lies outside the folder {root}", way_out)
    return real


def driver_of(file: Path, start: bytes) -> str:
    """The driver for a file that begins so.

    Raises:
        SceneError: there is none.
    """
    for signature, driver in SIGNATURES.items():
        if start.startswith(signature):
            return driver
    what = "it is empty" if not start else "it begins like none of them"
    raise SceneError(f"{file} {_NO_RASTER}: {what}", _USE)


def failures() -> tuple[type[Exception], ...]:
    """What rasterio raises on a file that GDAL cannot read."""
    from rasterio._err import CPLE_BaseError  # public names do not cover all properties of a dataset
    from rasterio.errors import RasterioError

    return RasterioError, CPLE_BaseError, UnicodeDecodeError


def not_readable(path: Path, error: Exception) -> SceneError:
    """The refusal of a raster that GDAL cannot read."""
    return SceneError(f"{path} {_NO_RASTER}: {error}", _USE)


def usable_grid(path: Path, crs: str, transform: Affine, size: tuple[int, int]) -> Grid:
    """The grid of (width, height) pixels, if it lies on the Earth and its pixels have a size in metres.

    Raises:
        SceneError: it does not.
    """
    from pyproj.exceptions import ProjError

    try:
        grid = Grid(crs, transform, *size)
        with np.errstate(all="ignore"):
            is_usable = _is_open(transform) and all(1e-3 <= step < 1e6 for step in grid.steps_m)
    except (ValueError, OverflowError, ProjError) as e:
        raise SceneError(f"{path} cannot be placed on the Earth: {e}", _REPROJECT) from e
    if not is_usable:
        raise SceneError(f"{path} lies where its CRS has no metres", _REPROJECT)
    return grid


def _is_open(transform: Affine) -> bool:
    """Whether rows and columns run in different directions: else all pixels lie on a line."""
    sides = math.hypot(transform.a, transform.d) * math.hypot(transform.b, transform.e)
    return abs(transform.determinant) > 0.01 * sides


def remote_name(path: str | Path) -> str | None:
    """The name of a remote file as it was typed (a Path has lost a slash); None for a local one."""
    text = re.sub(r"\b(https?|ftp|s3|gs|az):/+", r"\1://", str(path).replace("\\", "/"))
    return text if text.startswith(tuple(REMOTE)) else None


def _remote(path: Path, text: str) -> RasterFile:
    import rasterio

    begin = next(b for b in REMOTE if text.startswith(b))
    last: SceneError | None = None
    for driver in DRIVERS:
        found = RasterFile(path, REMOTE[begin] + text[len(begin) :], driver, ())
        try:
            with rasterio.Env(**found.options), found.open():
                return found
        except SceneError as e:
            last = last or e
    said = last.message if last else ""
    raise SceneError(f"{text} cannot be read: {said}", f"check the address; {_USE}") from last
