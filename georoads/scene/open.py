"""Opening a scene: what it is, whether it can be trusted, and the values that its reading needs."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from georoads.crs import parse_crs, turn_of
from georoads.errors import SceneError
from georoads.grid import Grid
from georoads.scene.beside import RasterWithBeside
from georoads.scene.blocks import BlockMap, written_blocks
from georoads.scene.colours import Bands, choose_bands, look_at_alpha, read_palette
from georoads.scene.guard import Allow, RasterFile, find_raster, gdal_errors, usable_grid
from georoads.scene.native import describe_bad, find_bad
from georoads.scene.scene import Scene, SceneParams
from georoads.scene.sources import not_readable
from georoads.scene.stretch import sample_windows, with_stretch

LOCAL = (
    'ENGCRS["local metres",EDATUM["unknown"],CS[Cartesian,2],AXIS["easting (X)",east],'
    'AXIS["northing (Y)",north],LENGTHUNIT["metre",1]]'
)
"""The CRS of pixels that lie nowhere, but whose size is stated."""
_PLACE_HINT = (
    "--gsd METRES states the size of pixels that lie nowhere; --set scene.assume_crs=EPSG:… the CRS of a "
    "transform without one (=local: metres)"
)


def open_scene(path: str | Path, params: SceneParams | None = None) -> Scene:
    """Open a raster, guarded: no network, no drivers that point elsewhere, no raster without a place.

    The file is closed again; what is kept is what its reading needs.

    Raises:
        SceneError: naming the file, what is wrong with it, and a way out.
    """
    import rasterio

    params = params or SceneParams()
    file = find_raster(path, allowed(params))
    stamps = tuple(file.stamps())
    with rasterio.Env(**file.options), file.open() as source:
        try:
            return dataclasses.replace(_examine(file, source, params), stamps=stamps)
        except gdal_errors() as e:
            raise not_readable(file.path, e) from e


def allowed(params: SceneParams) -> Allow:
    """What may be opened besides local files that hold their own pixels."""
    return Allow.VRT if params.allow_vrt else Allow.NOTHING


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
    bands = choose_bands(path, source, params.bidx, with_alpha=params.alpha)
    size = None if params.skip_bad else path.stat().st_size
    written = written_blocks(path, source, bands.rgb, size)
    first = bands.rgb[0] - 1
    palette = read_palette(source, first + 1)
    band_messages = ("the palette's colours are used",) if palette else bands.messages
    alpha, alpha_messages = _find_alpha(source, bands, written, is_chosen=bool(params.bidx))
    beside_messages = source.messages if isinstance(source, RasterWithBeside) else ()
    scene = Scene(
        file=file,
        grid=grid,
        written=written,
        bands=bands.rgb,
        alpha=alpha,
        dtype=source.dtypes[first],
        nodata=source.nodatavals[first] if params.nodata is None else params.nodata,
        palette=palette,
        messages=(*beside_messages, *file.messages, *place_messages, *band_messages, *alpha_messages),
        is_stated=_is_stated(source, params),
    )
    if params.skip_bad and (bad := find_bad(source, scene)) is not None:
        messages = (*scene.messages, describe_bad(source, scene, bad))
        scene = dataclasses.replace(scene, bad=bad, messages=messages)
    return scene if scene.palette else with_stretch(scene, source, params, is_inverted=bands.is_inverted)


def _find_alpha(
    source: Any, bands: Bands, written: BlockMap, *, is_chosen: bool
) -> tuple[int, tuple[str, ...]]:
    """The number of the alpha band that is asked, or 0; and what the summary must say of it."""
    if not bands.alpha:
        return 0, ()
    return look_at_alpha(source, bands.alpha, sample_windows(written), is_chosen=is_chosen)


def _is_stated(source: Any, params: SceneParams) -> bool:
    """Whether the user, and not the raster, says how large its pixels are."""
    return bool(source.transform.is_identity) and params.stated_gsd is not None


def _find_grid(path: Path, source: Any, params: SceneParams) -> tuple[Grid, tuple[str, ...]]:
    """The raster's own grid, and what the summary must say of it.

    Raises:
        SceneError: nobody knows where it lies or how large its pixels are.
    """
    crs, transform = _find_crs(path, source, params), source.transform
    if source.gcps[0] and transform.is_identity and not _is_stated(source, params):
        raise SceneError(
            f"{path} is placed by ground control points alone",
            "gdalwarp IN OUT gives it a transform and a CRS",
        )
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
            f"{path} crosses the antimeridian: it spans the longitudes {lon.min():.10g} to {lon.max():.10g}",
            "split it there: gdal_translate -projwin",
        )
