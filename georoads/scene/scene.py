"""Opening a scene: what it is, whether it can be trusted, and the values that its reading needs."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from georoads.errors import SceneError
from georoads.grid import Grid, Window

DRIVERS = ("GTiff", "COG", "PNG", "JPEG", "JP2OpenJPEG", "WEBP")
GDAL_OPTIONS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".none"}
REMOTE = ("/vsi", "http://", "https://", "s3://", "gs://", "az://", "ftp://")
# The 2nd and 98th percentile of DeepGlobe's pictures lie near these levels (median over tiles); scenes of
# other kinds are stretched to them, since that is the brightness that the network has seen most.
LOW, HIGH = 30.0, 190.0


@dataclass(frozen=True)
class SceneParams:
    """How a scene is to be read.

    Attributes:
        bidx: bands (from 1) to use as red, green, blue; or one, for grey.
        nodata: value that means no data where all used bands have it, besides what the file says.
        rescale: (low, high) values that become dark and bright; None: by the scene's own percentiles
            where it is not 8-bit, or 8-bit but dark.
        gsd: metres per pixel to work at: "auto", "native", or a number.
        bounds: (west, south, east, north) in the scene's CRS of the part to work on; None: all.
        max_megapixels: larger rasters are refused.
    """

    bidx: tuple[int, ...] | None = None
    nodata: float | None = None
    rescale: tuple[float, float] | None = None
    gsd: str | float = "auto"
    bounds: tuple[float, float, float, float] | None = None
    max_megapixels: float = 100_000.0


@dataclass(frozen=True)
class Scene:
    """A raster that was looked at and found usable.

    Attributes:
        path: of the file.
        grid: its own pixel grid.
        bands: band numbers (from 1) for red, green, blue; equal ones for grey.
        alpha: band number of the alpha band, or 0.
        dtype: of the values.
        nodata: value that means no data, or None.
        stretch: per colour (low, high) of the values that become LOW and HIGH; empty: taken as they are.
        palette: (256, 3) colours as nested tuples where the band is an index, else empty.
        messages: what the summary must say.
    """

    path: Path
    grid: Grid
    bands: tuple[int, int, int]
    alpha: int
    dtype: str
    nodata: float | None
    stretch: tuple[tuple[float, float], ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    messages: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Of the file (size, modification time) and of how it is read."""
        stat = self.path.stat()
        what = [self.path.name, stat.st_size, stat.st_mtime_ns, self.bands, self.nodata, self.stretch]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


def open_scene(path: str | Path, params: SceneParams | None = None) -> Scene:
    """Open a raster, guarded: no network, no drivers that point elsewhere, no raster without a place.

    Raises:
        SceneError: naming the file, what is wrong with it, and a way out.
    """
    import rasterio
    from rasterio.errors import RasterioError

    params = params or SceneParams()
    text = str(path)
    if text.startswith(REMOTE):
        raise SceneError(f"{text} is not a local file", "copy it to this machine first")
    file = Path(path)
    if not file.exists():
        raise SceneError(f"{file} does not exist", "check the path")
    if file.is_dir():
        raise SceneError(f"{file} is a folder", "name a raster file in it")
    try:
        with rasterio.Env(**GDAL_OPTIONS), rasterio.open(file) as source:
            if source.driver not in DRIVERS:
                raise SceneError(
                    f"{file} is a {source.driver}, which may point elsewhere", f"use {', '.join(DRIVERS)}"
                )
            return _look(file, source, params)
    except RasterioError as e:
        raise SceneError(
            f"{file} is not a raster that GDAL's allowed drivers can read: {e}", f"use {', '.join(DRIVERS)}"
        ) from e


def _look(file: Path, source: Any, params: SceneParams) -> Scene:
    if source.width * source.height > params.max_megapixels * 1e6:
        raise SceneError(f"{file} has {source.width} x {source.height} pixels", "raise --max-megapixels")
    if any(d.startswith("complex") for d in source.dtypes):
        raise SceneError(f"{file} holds complex numbers", "convert it to amplitudes")
    if source.crs is None or source.transform.is_identity:
        raise SceneError(f"{file} has no CRS or no transform", "assign one with gdal_translate -a_srs")
    grid = Grid(source.crs.to_wkt(), source.transform, source.width, source.height)
    if grid.is_geographic and _crosses_antimeridian(grid):
        raise SceneError(f"{file} crosses the antimeridian", "split it there: gdal_translate -projwin")
    try:
        usable = math.isfinite(grid.gsd_m) and grid.gsd_m > 0
    except (ValueError, OverflowError):
        usable = False
    if not usable:
        raise SceneError(f"{file} lies where its CRS has no metres", "reproject it to UTM")
    bands, alpha, said = _bands(file, source, params.bidx)
    palette = _palette(source, bands)
    nodata = params.nodata if params.nodata is not None else source.nodata
    plain = Scene(file, grid, bands, alpha, source.dtypes[bands[0] - 1], nodata, (), palette, said)
    return plain if palette else _stretched(plain, source, params)


def _crosses_antimeridian(grid: Grid) -> bool:
    corners = np.array(
        [[0, 0], [grid.width, 0], [0, grid.height], [grid.width, grid.height]], dtype=np.float64
    )
    lon = grid.to_crs(corners)[:, 0]
    return bool(lon.min() < -180.0 or lon.max() > 180.0)


def _bands(
    file: Path, source: Any, wanted: tuple[int, ...] | None
) -> tuple[tuple[int, int, int], int, tuple[str, ...]]:
    from rasterio.enums import ColorInterp

    colours = list(source.colorinterp)
    alpha = colours.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in colours else 0
    if wanted:
        if len(wanted) not in (1, 3) or not all(1 <= b <= source.count for b in wanted):
            raise SceneError(f"{file} has {source.count} bands, not {wanted}", "--bidx takes one or three")
        return (wanted * 3)[:3], alpha, (f"bands {wanted} used",)  # type: ignore[return-value]
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(c in colours for c in rgb):
        r, g, b = (colours.index(c) + 1 for c in rgb)
        return (r, g, b), alpha, ()
    rest = [i + 1 for i, c in enumerate(colours) if c != ColorInterp.alpha]
    if not rest:
        raise SceneError(f"{file} has no band but alpha", "give a raster with colours")
    if len(rest) < 3:
        return (rest[0],) * 3, alpha, ("grey: one band for all three colours",)
    said = (f"first three of {len(rest)} bands used: --bidx chooses others",) if len(rest) > 3 else ()
    return (rest[0], rest[1], rest[2]), alpha, said


def _palette(source: Any, bands: tuple[int, int, int]) -> tuple[tuple[int, int, int], ...]:
    from rasterio.enums import ColorInterp

    if source.colorinterp[bands[0] - 1] != ColorInterp.palette:
        return ()
    table = source.colormap(bands[0])
    return tuple(tuple(table.get(i, (0, 0, 0, 0))[:3]) for i in range(256))


def _stretched(scene: Scene, source: Any, params: SceneParams) -> Scene:
    """The scene with the stretch that all its tiles share."""
    import dataclasses

    if params.rescale is not None:
        return dataclasses.replace(scene, stretch=(params.rescale,) * 3)
    sample = _sample(scene, source)
    if sample.shape[1] == 0:
        return scene
    low, high = np.percentile(sample, (2, 98), axis=1)
    if scene.dtype == "uint8" and float(high.max()) > 110:
        return scene
    if len(set(scene.bands)) == 1:
        low, high = np.full(3, low[0]), np.full(3, high[0])
    stretch = tuple(
        (float(a), float(max(b, a + max(1e-6, 1e-3 * abs(a))))) for a, b in zip(low, high, strict=True)
    )
    said = f"values stretched from {stretch[0][0]:g}..{stretch[0][1]:g}, the same for the whole scene"
    return dataclasses.replace(scene, stretch=stretch, messages=(*scene.messages, said))


def _sample(scene: Scene, source: Any) -> np.ndarray[Any, Any]:
    """(3, N) valid values of up to 64 windows on a fixed lattice."""
    from georoads.scene.read import read_native

    side = 256
    rows = np.unique(np.linspace(0, max(0, source.height - side), 8).astype(int))
    cols = np.unique(np.linspace(0, max(0, source.width - side), 8).astype(int))
    parts = []
    for row in rows:
        for col in cols:
            window = Window(int(row), int(col), min(side, source.height), min(side, source.width))
            values, valid = read_native(source, scene, window)
            parts.append(values[:, valid][:, ::7].astype(np.float64))
    return np.concatenate(parts, axis=1)
