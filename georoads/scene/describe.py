"""What a scene is, in lines for people: also of one that cannot be used as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from georoads.crs import parse_crs
from georoads.errors import SceneError
from georoads.grid import Grid
from georoads.scene.beside import RasterWithBeside
from georoads.scene.guard import find_raster, usable_grid
from georoads.scene.open import allowed
from georoads.scene.scene import Scene, SceneParams
from georoads.scene.working_grid import coarse_notes, working_grid
from georoads.text import source_name

Lines = list[tuple[str, str]]
"""Name and value of each property."""


def describe_scene(scene: Scene, model_gsd_m: float, params: SceneParams) -> Lines:
    """What a scene is, and on which grid it would be predicted, or why it would not.

    Args:
        scene: an opened scene.
        model_gsd_m: metres per pixel that the model was trained at.
        params: how the scene is to be read.
    """
    grid = scene.grid
    lines = [
        ("scene", source_name(scene.path)),
        _size(grid.width, grid.height, scene.dtype),
        ("CRS", parse_crs(grid.crs).name),
        *_place(grid),
        ("bands", f"{scene.bands}, alpha {scene.alpha or 'none'}, nodata {_nodata(scene)}"),
    ]
    notes = [("note", message) for message in scene.messages]
    try:
        work = working_grid(scene, model_gsd_m, params)
    except SceneError as e:
        return [*lines, *notes, *_refusal(e)]
    used = "own pixels" if work == grid else f"warped to {work.width} x {work.height} px"
    notes += [("note", message) for message in coarse_notes(scene, model_gsd_m)]
    return [*lines, ("working grid", f"{work.gsd_m:.3f} m: {used}"), *notes]


def describe_refused(path: Path, params: SceneParams, refusal: SceneError) -> Lines:
    """What can be said of a raster that is no usable scene, and why it is none.

    Args:
        path: of the raster.
        params: how it was to be read.
        refusal: as ``open_scene`` raised it.

    Raises:
        SceneError: the refusal, where GDAL cannot or may not open the raster.
    """
    import rasterio

    try:
        file = find_raster(path, allowed(params))
        with rasterio.Env(**file.options), file.open() as source:
            return [("scene", path.name), *_describe_raster(path, source), *_refusal(refusal)]
    except SceneError:
        raise refusal from None


def _describe_raster(path: Path, source: Any) -> Lines:
    """Size, place, bands and notes of an open rasterio dataset."""
    lines = [_size(source.width, source.height, source.dtypes[0])]
    crs, transform = source.crs and source.crs.to_wkt(), source.transform
    lines.append(("CRS", parse_crs(crs).name if crs else "none"))
    if transform.is_identity:
        lines.append(("transform", "none" if not source.gcps[0] else "none, but ground control points"))
    elif crs:
        try:
            lines += _place(usable_grid(path, crs, transform, source.width, source.height))
        except SceneError as e:
            lines.append(("place", e.message))
    else:
        lines.append(("pixel", f"{abs(transform.a):g} x {abs(transform.e):g} units of its CRS"))
    colours = ", ".join(colour.name for colour in source.colorinterp)
    lines.append(("bands", f"{source.count} ({colours}), nodata {source.nodatavals[0]}"))
    messages = source.messages if isinstance(source, RasterWithBeside) else ()
    return [*lines, *(("note", message) for message in messages)]


def _size(width: int, height: int, dtype: str) -> tuple[str, str]:
    return "size", f"{width} x {height} px, {width * height / 1e6:.1f} MP, {dtype}"


def _nodata(scene: Scene) -> str:
    return ", ".join([str(scene.nodata), *(f"{fill:g} (not declared)" for fill in scene.fills)])


def _place(grid: Grid) -> Lines:
    """Size of a pixel, and bounds as --set scene.bounds= takes them, and --aoi."""
    xy = grid.to_crs(grid.corners_px)
    lines = [
        ("pixel", f"{grid.steps_m[0]:.3f} x {grid.steps_m[1]:.3f} m on the ground"),
        ("bounds", ",".join(f"{v:.12g}" for v in (*xy.min(axis=0), *xy.max(axis=0)))),
    ]
    if parse_crs(grid.crs).type_name == "Engineering CRS":  # it lies nowhere
        return lines
    lonlat = grid.to_lonlat(grid.corners_px)
    degrees = (*lonlat.min(axis=0), *lonlat.max(axis=0))
    return [*lines, ("in degrees", ",".join(f"{v:.7f}" for v in degrees))]


def _refusal(refusal: SceneError) -> Lines:
    return [("refused", refusal.message), ("hint", refusal.hint)]
