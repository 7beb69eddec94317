"""Opening rasters, guarded: known formats, no network, nothing that points elsewhere unless allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Flag
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from georoads.crs import CrsError, exact_crs, parse_crs, turn_of
from georoads.errors import SceneError
from georoads.grid import Grid
from georoads.scene.beside import FilesBeside, RasterWithBeside, find_beside, masks_left_out
from georoads.scene.quiet import without
from georoads.scene.sources import (
    driver_of,
    first_bytes,
    is_vrt,
    not_readable,
    remote_name,
)

_GDAL_OPTIONS = {
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_ERROR_ON_LIBJPEG_WARNING": "TRUE",  # else a JPEG that was cut off ends in grey
}
_LOCAL_ONLY = {"CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}
LOCAL_OPTIONS = _GDAL_OPTIONS | _LOCAL_ONLY
"""GDAL's settings while a raster is open: it looks for no other files, and asks no server."""
_COPY_HINT = "copy it to this machine first; or give an address that begins with https://"
_REPROJECT = "reproject it to UTM with gdalwarp"


class Allow(Flag):
    """What may be opened besides local files that hold their own pixels."""

    NOTHING = 0
    VRT = 1


@dataclass(frozen=True)
class RasterFile:
    """A raster that may be opened.

    Attributes:
        path: as the user named it.
        gdal_name: what GDAL is to open: a path, or the text of a VRT.
        driver: GDAL's driver that reads it.
        files: the local files whose bytes are read.
        beside: what files beside it say of its place and validity; None where there are none.
        messages: what is left out of files beside it.
    """

    path: Path
    gdal_name: str
    driver: str
    files: tuple[Path, ...]
    beside: FilesBeside | None = None
    messages: tuple[str, ...] = ()

    @property
    def options(self) -> dict[str, str]:
        """GDAL's settings for the time that the raster is open."""
        return LOCAL_OPTIONS

    def open(self) -> Any:
        """The opened rasterio dataset; ``rasterio.Env(**file.options)`` must be around it.

        Raises:
            SceneError: GDAL cannot read it.
        """
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning

        with without(NotGeoreferencedWarning):  # said by who opens it
            try:
                source = rasterio.open(self.gdal_name, driver=self.driver)
            except gdal_errors() as e:
                raise not_readable(self.path, e) from e
        return source if self.beside is None else RasterWithBeside(source, self.beside, self.path)

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
    """A raster that GDAL may open, with the driver that its first bytes ask for.

    Args:
        path: of a local file.
        allow: what may be opened besides local files that hold their own pixels.

    Raises:
        SceneError: it is missing, no regular file, of no known format, or points elsewhere and may not.
    """
    text = remote_name(path)
    if text is not None:
        fetches = "--allow-remote fetches it (extract, predict); or georoads fetch makes a file of it"
        is_web = text.startswith(("http://", "https://"))
        raise SceneError(f"{text} is not a local file", fetches if is_web else _COPY_HINT)
    file = Path(path)
    if str(file).startswith("/vsi"):
        raise SceneError(f"{file} is not a local file", "unpack it, or copy it to this machine first")
    start = first_bytes(file)
    beside = find_beside(file)
    more = beside.files if beside else ()
    if is_vrt(file, start):
        if Allow.VRT not in allow:
            raise SceneError(
                f"{file} is a VRT, which points to other files",
                "--set scene.allow_vrt=true reads it when its sources lie in its folder; or gdal_translate "
                "makes it a GeoTIFF",
            )
        from georoads.scene.vrt import check_vrt

        vrt = check_vrt(file)
        files, left = (file, *vrt.sources, *more), masks_left_out(vrt.sources)
        return RasterFile(file, vrt.text, "VRT", files, beside, left)
    # GDAL reads some relative names as more than a name.
    return RasterFile(file, str(file.absolute()), driver_of(file, start), (file, *more), beside)


def gdal_errors() -> tuple[type[Exception], ...]:
    """What rasterio raises on a file that GDAL cannot read."""
    from rasterio._err import CPLE_BaseError  # public names do not cover all properties of a dataset
    from rasterio.errors import RasterioError

    return RasterioError, CPLE_BaseError, UnicodeDecodeError


def usable_grid(path: Path, crs: str, transform: Affine, width: int, height: int) -> Grid:
    """A raster's pixel grid, if it lies on the Earth and its pixels have a size in metres.

    Args:
        path: of the raster, for messages.
        crs: WKT of its CRS.
        transform: pixel coordinates (col, row) to CRS coordinates (x, y).
        width, height: pixels.

    Raises:
        SceneError: it does not, or a pixel would be smaller than 1 mm or larger than 1000 km.
    """
    from pyproj.exceptions import ProjError

    if not all(map(math.isfinite, transform)):
        raise SceneError(f"{path} lies nowhere on the Earth: its transform is {transform[:6]}", _REPROJECT)
    try:
        grid = _within_a_turn(Grid(exact_crs(crs), transform, width, height))
        with np.errstate(all="ignore"):
            is_usable = _has_area(transform) and all(1e-3 <= step < 1e6 for step in grid.steps_m)
    except (ValueError, OverflowError, ProjError, CrsError) as e:
        raise SceneError(f"{path} cannot be placed on the Earth: {e}", _REPROJECT) from e
    if not is_usable:
        raise SceneError(f"{path} lies where its CRS has no metres", _REPROJECT)
    return grid


def _within_a_turn(grid: Grid) -> Grid:
    """The grid with its middle within half a turn of 0: files may count longitudes from 0 to 360."""
    turn = turn_of(parse_crs(grid.crs))
    if turn is None:
        return grid
    lon = grid.to_crs(grid.corners_px)[:, 0]
    shift = -turn * round((lon.min() + lon.max()) / 2 / turn)
    if not shift:
        return grid
    return Grid(grid.crs, Affine.translation(shift, 0) * grid.transform, grid.width, grid.height)


def _has_area(transform: Affine) -> bool:
    """Whether rows and columns run in different directions: else all pixels lie on a line."""
    sides = math.hypot(transform.a, transform.d) * math.hypot(transform.b, transform.e)
    return abs(transform.determinant) > 0.01 * sides
