"""Opening a scene: what it is, whether it can be trusted, and the values that its reading needs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Window, parse_crs
from georoads.scene.blocks import BlockMap, written_blocks
from georoads.scene.guard import Allow, RasterFile, failures, find_raster, not_readable, usable_grid
from georoads.scene.native import describe_bad, find_bad, read_native

LOCAL = (
    'ENGCRS["local metres",EDATUM["unknown"],CS[Cartesian,2],AXIS["easting (X)",east],'
    'AXIS["northing (Y)",north],LENGTHUNIT["metre",1]]'
)
"""The CRS of pixels that lie nowhere, but whose size is stated."""
_STATE = (
    "--gsd METRES states the size of pixels that lie nowhere; --set scene.assume_crs=EPSG:… the CRS of a "
    "transform without one (=local: metres)"
)
SAMPLES = 64
"""Blocks of which the stretch is taken."""


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
        skip_bad: blocks that cannot be read count as nodata; else they are refused.
        allow_vrt: a VRT mosaic may be read whose sources lie in its folder.
        allow_remote: the scene may lie on a server (http, https, s3, gs, az, /vsicurl/).
        assume_crs: CRS of a raster that has none; "local": metres, of no place on the Earth. Where it has no
            transform either, ``gsd`` states the size of its pixels.
    """

    bidx: tuple[int, ...] | None = None
    nodata: float | None = None
    rescale: tuple[float, float] | None = None
    gsd: str | float = "auto"
    bounds: tuple[float, float, float, float] | None = None
    max_megapixels: float = 100_000.0
    skip_bad: bool = False
    allow_vrt: bool = False
    allow_remote: bool = False
    assume_crs: str | None = None

    def __post_init__(self) -> None:
        whole = self.bidx is None or all(type(b) is int for b in self.bidx)
        if not whole:
            raise ValueError(f"bidx holds whole numbers, not {self.bidx}")
        if self.rescale is not None and not _ascending(self.rescale):
            raise ValueError(f"rescale is two numbers, the lower first, not {self.rescale}")
        if self.bounds is not None and not _is_box(self.bounds):
            raise ValueError(f"bounds is west, south, east, north, not {self.bounds}")
        size = self.gsd
        if size not in ("auto", "native") and not (isinstance(size, float | int) and 0.01 <= size <= 1000):
            raise ValueError(f"gsd is auto, native or metres per pixel (0.01 to 1000), not {size!r}")

    @property
    def stated_gsd(self) -> float | None:
        """Metres per pixel where the user gives a number."""
        return None if isinstance(self.gsd, str) else float(self.gsd)


@dataclass(frozen=True)
class Scene:
    """A raster that was looked at and found usable.

    Attributes:
        file: the raster, found fit to be opened.
        grid: its own pixel grid.
        written: the blocks that the file holds; the others have no data.
        bands: band numbers (from 1) for red, green, blue; equal ones for grey.
        alpha: band number of the alpha band, or 0.
        dtype: of the values.
        nodata: value that means no data, or None.
        stretch: per colour (low, high) of the values that become LOW and HIGH; empty: taken as they are.
        palette: (N, 3) colours as nested tuples where the band is an index, else empty.
        messages: what the summary must say.
        bad: blocks that cannot be read, and count as nodata; None where none is known.
        is_stated: True when its pixels' size was given by the user.
        stamps: name, size and time of modification of its files when it was opened.
    """

    file: RasterFile
    grid: Grid
    written: BlockMap
    bands: tuple[int, int, int]
    alpha: int
    dtype: str
    nodata: float | None
    stretch: tuple[tuple[float, float], ...] = ()
    palette: tuple[tuple[int, int, int], ...] = ()
    messages: tuple[str, ...] = ()
    bad: BlockMap | None = None
    is_stated: bool = False
    stamps: tuple[tuple[str, int, int], ...] = ()

    @property
    def path(self) -> Path:
        """As the user named it."""
        return self.file.path

    @property
    def fingerprint(self) -> str:
        """Of its files (size, modification time) as they were when it was opened, and of how it is read."""
        bad = [] if self.bad is None else self.bad.places().tolist()
        place = [self.grid.crs, list(self.grid.transform)[:6], str(self.path) if not self.stamps else ""]
        what = [self.stamps, self.bands, self.alpha, self.nodata, self.stretch, bad, place]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    @property
    def held_m2(self) -> float:
        """Ground of the blocks that the file holds."""
        return float(self.written.at.mean()) * self.grid.width * self.grid.height * self.grid.gsd_m**2

    def refuse_if_changed(self) -> None:
        """Look whether its files are still those that were opened.

        Raises:
            SceneError: they are not.
        """
        if tuple(self.file.stamps()) != self.stamps:
            raise SceneError(
                f"{self.path} was changed while it was read", "run again when nothing writes to it"
            )


def open_scene(path: str | Path, params: SceneParams | None = None) -> Scene:
    """Open a raster, guarded: no network, no drivers that point elsewhere, no raster without a place.

    Raises:
        SceneError: naming the file, what is wrong with it, and a way out.
    """
    import rasterio

    params = params or SceneParams()
    allow = (Allow.VRT if params.allow_vrt else Allow.NOTHING) | (
        Allow.REMOTE if params.allow_remote else Allow.NOTHING
    )
    file = find_raster(path, allow)
    stamps = tuple(file.stamps())
    with rasterio.Env(**file.options), file.open() as source:
        try:
            return dataclasses.replace(_look(file, source, params), stamps=stamps)
        except failures() as e:
            raise not_readable(file.path, e) from e


def _look(file: RasterFile, source: Any, params: SceneParams) -> Scene:
    path = file.path
    if source.width * source.height > params.max_megapixels * 1e6:
        size = math.ceil(source.width * source.height / 1e6)
        raise SceneError(
            f"{path} has {source.width} x {source.height} pixels",
            f"--set scene.max_megapixels={size} takes it",
        )
    if any("complex" in d for d in source.dtypes):
        raise SceneError(f"{path} holds complex numbers", "convert it to amplitudes")
    grid, said = _placed(path, source, params)
    bands, alpha, more = _bands(path, source, params.bidx)
    size = None if params.skip_bad or not file.files else file.path.stat().st_size
    written = written_blocks(path, source, bands, size)
    nodata = params.nodata if params.nodata is not None else source.nodatavals[bands[0] - 1]
    palette = _palette(source, bands)
    more = ("the palette's colours are used",) if palette else more
    scene = Scene(
        file, grid, written, bands, alpha, source.dtypes[bands[0] - 1], nodata,
        palette=palette, messages=(*said, *more), is_stated=_is_stated(source, params),
    )  # fmt: skip
    if params.skip_bad:
        bad = find_bad(source, scene)
        if bad is not None:
            told = (*scene.messages, describe_bad(source, scene, bad))
            scene = dataclasses.replace(scene, bad=bad, messages=told)
    return scene if scene.palette else _stretched(scene, source, params)


def _is_stated(source: Any, params: SceneParams) -> bool:
    return bool(source.transform.is_identity) and params.stated_gsd is not None


def _placed(path: Path, source: Any, params: SceneParams) -> tuple[Grid, tuple[str, ...]]:
    """The raster's own grid, and what is to be said of it.

    Raises:
        SceneError: nobody knows where it lies or how large its pixels are.
    """
    crs, transform = _crs(path, source, params), source.transform
    if crs is None or (transform.is_identity and not _is_stated(source, params)):
        raise SceneError(f"{path} has no {'CRS' if crs is None else 'transform'}", _STATE)
    said: tuple[str, ...] = ()
    if _is_stated(source, params):
        size = params.stated_gsd or 1.0
        transform = Affine(size, 0, 0, 0, -size, source.height * size)
        said = (f"no place: pixels of {size:g} m as stated, counted from the lower left corner",)
    grid = usable_grid(path, crs, transform, (source.width, source.height))
    if grid.is_geographic and _crosses_antimeridian(grid):
        raise SceneError(f"{path} crosses the antimeridian", "split it there: gdal_translate -projwin")
    return grid, said


def _crs(path: Path, source: Any, params: SceneParams) -> str | None:
    """WKT of the raster's CRS, or of the assumed one."""
    from pyproj.exceptions import CRSError

    if source.crs is not None:
        return str(source.crs.to_wkt())
    named = params.assume_crs or ("local" if _is_stated(source, params) else None)
    if named is None or named == "local":
        return named and LOCAL
    try:
        return str(parse_crs(named).to_wkt())
    except CRSError as e:
        raise SceneError(f"{path} has no CRS, and {named!r} is none", "give one as in EPSG:32633") from e


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
    rest = [i + 1 for i, c in enumerate(colours) if c != ColorInterp.alpha]
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(c in colours for c in rgb):
        r, g, b = (colours.index(c) + 1 for c in rgb)
        said = (f"bands {r}, {g}, {b} of {len(colours)} used, by their colours",) if len(rest) > 3 else ()
        return (r, g, b), alpha, said
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
    return tuple(tuple(table.get(i, (0, 0, 0, 0))[:3]) for i in range(max(table) + 1))


def _stretched(scene: Scene, source: Any, params: SceneParams) -> Scene:
    """The scene with the stretch that all its tiles share."""
    if params.rescale is not None:
        return dataclasses.replace(scene, stretch=(params.rescale,) * 3)
    sample = _sample(scene, source)
    if sample.shape[1] == 0:
        return scene
    with np.errstate(over="ignore", invalid="ignore"):  # differences of the largest numbers there are
        low, high = np.nan_to_num(np.percentile(sample, (2, 98), axis=1))
    if scene.dtype == "uint8" and float(high.max()) > 110:
        return scene
    if len(set(scene.bands)) == 1:
        low, high = np.full(3, low[0]), np.full(3, high[0])
    stretch = tuple(
        (float(a), float(max(b, a + max(1e-6, 1e-3 * abs(a))))) for a, b in zip(low, high, strict=True)
    )
    said = f"values stretched from {stretch[0][0]:g}..{stretch[0][1]:g}, the same for the whole scene"
    return dataclasses.replace(scene, stretch=stretch, messages=(*scene.messages, said))


def _sample(scene: Scene, source: Any) -> NDArray[np.float64]:
    """(3, N) valid values of up to SAMPLES blocks, spread evenly; of more only while none is valid."""
    places = scene.written.places()
    chosen = np.arange(len(places))
    if len(places) > SAMPLES:
        # Multiples of the golden ratio spread evenly, along the rows of blocks and across them.
        shares = np.arange(SAMPLES) * ((math.sqrt(5) - 1) / 2) % 1.0
        chosen = np.unique((shares * len(places)).astype(np.int64))
    parts = [_values_in(scene, source, places[i]) for i in chosen]
    rest = iter(np.setdiff1d(np.arange(len(places)), chosen))
    while not any(p.size for p in parts) and (i := next(rest, None)) is not None:
        parts = [_values_in(scene, source, places[i])]
    return np.concatenate([np.empty((3, 0)), *parts], axis=1)


def _values_in(scene: Scene, source: Any, place: NDArray[np.int64]) -> NDArray[np.float64]:
    """(3, N) valid values of a block, of its middle where it is large; about 10,000 of them."""
    block = scene.written.block(*place.tolist())
    height = min(block.height, max(1, 2**18 // block.width))
    middle = Window(block.row + (block.height - height) // 2, block.col, height, block.width)
    values, valid = read_native(source, scene, middle)
    return values[:, valid][:, :: max(1, middle.size // 9000)].astype(np.float64)


def _ascending(pair: tuple[float, ...]) -> bool:
    numbers = len(pair) == 2 and all(type(v) in (int, float) and math.isfinite(v) for v in pair)
    return numbers and pair[0] < pair[1]


def _is_box(bounds: tuple[float, ...]) -> bool:
    if len(bounds) != 4 or not all(type(v) in (int, float) and math.isfinite(v) for v in bounds):
        return False
    west, south, east, north = bounds
    return west < east and south < north
