"""Opening a scene: what it is, whether it can be trusted, and the values that its reading needs."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.crs import turn_of
from georoads.errors import SceneError
from georoads.grid import Grid, Window, parse_crs
from georoads.scene.blocks import written_blocks
from georoads.scene.guard import Allow, RasterFile, find_raster, gdal_errors, usable_grid
from georoads.scene.native import describe_bad, find_bad, read_native
from georoads.scene.scene import Scene, SceneParams
from georoads.scene.sources import not_readable

LOCAL = (
    'ENGCRS["local metres",EDATUM["unknown"],CS[Cartesian,2],AXIS["easting (X)",east],'
    'AXIS["northing (Y)",north],LENGTHUNIT["metre",1]]'
)
"""The CRS of pixels that lie nowhere, but whose size is stated."""
_PLACE_HINT = (
    "--gsd METRES states the size of pixels that lie nowhere; --set scene.assume_crs=EPSG:… the CRS of a "
    "transform without one (=local: metres)"
)
SAMPLES = 64
"""The stretch is taken from so many blocks."""


@dataclass(frozen=True)
class _Bands:
    """Which bands are used.

    Attributes:
        rgb: band numbers (from 1) for red, green, blue; equal ones for grey.
        alpha: band number of the alpha band, or 0.
        messages: what the summary must say of the choice.
    """

    rgb: tuple[int, int, int]
    alpha: int
    messages: tuple[str, ...] = ()


def open_scene(path: str | Path, params: SceneParams | None = None) -> Scene:
    """Open a raster, guarded: no network, no drivers that point elsewhere, no raster without a place.

    The file is closed again; what is kept is what its reading needs.

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
            return dataclasses.replace(_examine(file, source, params), stamps=stamps)
        except gdal_errors() as e:
            raise not_readable(file.path, e) from e


def _examine(file: RasterFile, source: Any, params: SceneParams) -> Scene:
    """All that is found out about an opened raster, but for the stamps of its files."""
    path = file.path
    if source.width * source.height > params.max_megapixels * 1e6:
        size = math.ceil(source.width * source.height / 1e6)
        raise SceneError(
            f"{path} has {source.width} x {source.height} pixels",
            f"--set scene.max_megapixels={size} takes it",
        )
    if any("complex" in d for d in source.dtypes):
        raise SceneError(f"{path} holds complex numbers", "convert it to amplitudes")
    grid, place_messages = _find_grid(path, source, params)
    bands = _choose_bands(path, source, params.bidx)
    size = None if params.skip_bad or not file.files else path.stat().st_size
    written = written_blocks(path, source, bands.rgb, size)
    first = bands.rgb[0] - 1
    palette = _read_palette(source, first + 1)
    band_messages = ("the palette's colours are used",) if palette else bands.messages
    scene = Scene(
        file=file,
        grid=grid,
        written=written,
        bands=bands.rgb,
        alpha=bands.alpha,
        dtype=source.dtypes[first],
        nodata=source.nodatavals[first] if params.nodata is None else params.nodata,
        palette=palette,
        messages=place_messages + band_messages,
        is_stated=_is_stated(source, params),
    )
    if params.skip_bad and (bad := find_bad(source, scene)) is not None:
        messages = (*scene.messages, describe_bad(source, scene, bad))
        scene = dataclasses.replace(scene, bad=bad, messages=messages)
    return scene if scene.palette else _with_stretch(scene, source, params)


def _is_stated(source: Any, params: SceneParams) -> bool:
    """Whether the user, and not the raster, says how large its pixels are."""
    return bool(source.transform.is_identity) and params.stated_gsd is not None


def _find_grid(path: Path, source: Any, params: SceneParams) -> tuple[Grid, tuple[str, ...]]:
    """The raster's own grid, and what the summary must say of it.

    Raises:
        SceneError: nobody knows where it lies or how large its pixels are.
    """
    crs, transform = _find_crs(path, source, params), source.transform
    if crs is None or (transform.is_identity and not _is_stated(source, params)):
        raise SceneError(f"{path} has no {'CRS' if crs is None else 'transform'}", _PLACE_HINT)
    messages: tuple[str, ...] = ()
    if _is_stated(source, params):
        size = params.stated_gsd or 1.0
        transform = Affine(size, 0, 0, 0, -size, source.height * size)
        messages = (f"no place: pixels of {size:g} m as stated, counted from the lower left corner",)
    grid = usable_grid(path, crs, transform, source.width, source.height)
    _refuse_antimeridian(path, grid)
    return grid, messages


def _find_crs(path: Path, source: Any, params: SceneParams) -> str | None:
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


def _refuse_antimeridian(path: Path, grid: Grid) -> None:
    """Refuse a grid in degrees that crosses the antimeridian."""
    turn = turn_of(parse_crs(grid.crs))
    lon = grid.to_crs(grid.corners_px)[:, 0]
    if turn is not None and np.abs(lon).max() > turn / 2 * (1 + 1e-9):
        raise SceneError(
            f"{path} crosses the antimeridian: it spans the longitudes {lon.min():g} to {lon.max():g}",
            "split it there: gdal_translate -projwin",
        )


def _choose_bands(path: Path, source: Any, wanted: tuple[int, ...] | None) -> _Bands:
    """The bands that the user wants, or else by their colours, or else the first ones."""
    from rasterio.enums import ColorInterp

    colours = list(source.colorinterp)
    alpha = colours.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in colours else 0
    if wanted:
        if len(wanted) not in (1, 3) or not all(1 <= b <= source.count for b in wanted):
            raise SceneError(f"{path} has {source.count} bands, not {wanted}", "--bidx takes one or three")
        r, g, b = (wanted * 3)[:3]
        return _Bands((r, g, b), alpha, (f"bands {wanted} used",))
    rest = [i + 1 for i, c in enumerate(colours) if c != ColorInterp.alpha]
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(c in colours for c in rgb):
        r, g, b = (colours.index(c) + 1 for c in rgb)
        said = (f"bands {r}, {g}, {b} of {len(colours)} used, by their colours",) if len(rest) > 3 else ()
        return _Bands((r, g, b), alpha, said)
    if not rest:
        raise SceneError(f"{path} has no band but alpha", "give a raster with colours")
    if len(rest) < 3:
        return _Bands((rest[0],) * 3, alpha, ("grey: one band for all three colours",))
    said = (f"first three of {len(rest)} bands used: --bidx chooses others",) if len(rest) > 3 else ()
    return _Bands((rest[0], rest[1], rest[2]), alpha, said)


def _read_palette(source: Any, band: int) -> tuple[tuple[int, int, int], ...]:
    """The colours that a band's values stand for; empty where they stand for themselves."""
    from rasterio.enums import ColorInterp

    if source.colorinterp[band - 1] != ColorInterp.palette:
        return ()
    table = source.colormap(band)
    return tuple(tuple(table.get(i, (0, 0, 0, 0))[:3]) for i in range(max(table) + 1))


def _with_stretch(scene: Scene, source: Any, params: SceneParams) -> Scene:
    """The scene with the stretch that all its tiles share."""
    if params.rescale is not None:
        return dataclasses.replace(scene, stretch=(params.rescale,) * 3)
    sample = _sample_values(scene, source)
    if sample.shape[1] == 0:  # no pixel is valid
        return scene
    with np.errstate(over="ignore", invalid="ignore"):  # differences of the largest numbers there are
        low, high = np.nan_to_num(np.percentile(sample, (2, 98), axis=1))
    if scene.dtype == "uint8" and float(high.max()) > 110:  # bytes that are not dark are taken as they are
        return scene
    if len(set(scene.bands)) == 1:  # grey: the percentiles of one band are those of all
        low, high = np.full(3, low[0]), np.full(3, high[0])
    # A scene of one value still needs a range.
    stretch = tuple(
        (float(a), float(max(b, a + max(1e-6, 1e-3 * abs(a))))) for a, b in zip(low, high, strict=True)
    )
    said = f"values stretched from {stretch[0][0]:g}..{stretch[0][1]:g}, the same for the whole scene"
    return dataclasses.replace(scene, stretch=stretch, messages=(*scene.messages, said))


def _sample_values(scene: Scene, source: Any) -> NDArray[np.float64]:
    """(3, N) valid values of up to SAMPLES blocks, spread evenly; of more only while none is valid."""
    positions = scene.written.positions()
    chosen = np.arange(len(positions))
    if len(positions) > SAMPLES:
        # Multiples of the golden ratio spread evenly, along the rows of blocks and across them.
        shares = np.arange(SAMPLES) * ((math.sqrt(5) - 1) / 2) % 1.0
        chosen = np.unique((shares * len(positions)).astype(np.int64))
    parts = [_sample_block(scene, source, positions[i]) for i in chosen]
    # Where no block has a valid pixel, the others are tried one by one until one has.
    rest = iter(np.setdiff1d(np.arange(len(positions)), chosen))
    while not any(p.size for p in parts) and (i := next(rest, None)) is not None:
        parts = [_sample_block(scene, source, positions[i])]
    return np.concatenate([np.empty((3, 0)), *parts], axis=1)


def _sample_block(scene: Scene, source: Any, position: NDArray[np.int64]) -> NDArray[np.float64]:
    """(3, N) valid values of a block, of its middle where it is large; about 10,000 of them."""
    block = scene.written.block(*position.tolist())
    height = min(block.height, max(1, 2**18 // block.width))
    middle = Window(block.row + (block.height - height) // 2, block.col, height, block.width)
    values, valid = read_native(source, scene, middle)
    return values[:, valid][:, :: max(1, middle.size // 9000)].astype(np.float64)
