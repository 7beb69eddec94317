"""The working grid: the scene's own pixels, or others of the size that the model was trained at."""

from __future__ import annotations

import numpy as np
from affine import Affine

from georoads.crs import find_way
from georoads.errors import SceneError
from georoads.grid import Grid, Points, Window, is_same_gsd, utm_crs
from georoads.scene.guard import gdal_errors
from georoads.scene.scene import Scene, SceneParams

_AGREE_PX = 1e-4
"""Pixels of two grids whose corners lie so near to each other are the same pixels."""
_MOST_ENLARGED = 6.5
"""Pixels are cut into so many along a side at most. On validation pictures that were shrunk, the model's own
pixel size was best up to 3 m, and a larger one at 4 and 5 m (docs/large-scenes.md)."""
COARSE = 4
"""Pixels more than so many times the size of the model's get a note: narrow roads are lost."""
COARSEST = 10
"""Pixels more than so many times the size of the model's are refused: no road is seen there."""


def working_grid(scene: Scene, model_gsd_m: float, params: SceneParams | None = None) -> Grid:
    """The grid that the network sees: the scene's own, or a north-up one at the model's GSD; in the bounds.

    Args:
        scene: an opened scene.
        model_gsd_m: metres per pixel that the model was trained at.
        params: how the scene is to be read; None: the defaults.

    Raises:
        SceneError: the scene's pixels are more than COARSEST times the model's, or it misses the bounds.
    """
    params = params or SceneParams()
    grid = _grid_at_gsd(scene, model_gsd_m, "auto" if scene.is_stated else params.gsd)
    if grid.width * grid.height > params.max_megapixels * 1e6:
        raise SceneError(
            f"{scene.path} becomes {grid.width} x {grid.height} pixels of {grid.gsd_m:g} m",
            "--set scene.max_megapixels=… takes more, --gsd makes fewer of them",
        )
    return grid if params.bounds is None else grid.crop(window_of(params.bounds, scene, grid))


def window_of(bounds: tuple[float, float, float, float], scene: Scene, grid: Grid) -> Window:
    """The window of the working grid that holds bounds.

    Args:
        bounds: (west, south, east, north) in the scene's CRS.
        scene: whose CRS that is.
        grid: the working grid.

    Raises:
        SceneError: they do not meet.
    """
    from rasterio.warp import transform_bounds

    if grid.crs != scene.grid.crs:
        bounds = transform_bounds(scene.grid.crs, grid.crs, *bounds)
    west, south, east, north = bounds
    corners = np.array([[west, south], [west, north], [east, south], [east, north]], dtype=np.float64)
    px = grid.to_px(corners)
    window = enclosing_window(px).intersect(grid.window)
    if not window.size:
        xy = scene.grid.to_crs(scene.grid.corners_px)
        spans = " ".join(f"{v:.10g}" for v in (*xy.min(axis=0), *xy.max(axis=0)))
        raise SceneError(
            f"the bounds do not meet {scene.path}", f"it spans {spans} (west south east north, in its CRS)"
        )
    return window


def coarse_notes(scene: Scene, model_gsd_m: float) -> tuple[str, ...]:
    """What the summary must say of a scene whose pixels are much coarser than the model's, in metres."""
    step_m = max(scene.grid.steps_m)
    if step_m <= COARSE * model_gsd_m:
        return ()
    return (
        f"pixels of {step_m:.2f} m are coarse for a model trained at {model_gsd_m:g} m: roads will be missed",
    )


def enclosing_window(px: Points) -> Window:
    """The window around points (N, 2) in pixel coordinates."""
    # A coordinate that is a pixel's corner but for its last digits is that corner.
    (left, top), (right, bottom) = np.floor(px.min(axis=0) + 1e-6), np.ceil(px.max(axis=0) - 1e-6)
    return Window(int(top), int(left), int(bottom - top), int(right - left))


def _grid_at_gsd(scene: Scene, model_gsd_m: float, gsd: str | float) -> Grid:
    """The working grid of the whole scene, at a GSD that is auto, native or metres."""
    own = scene.grid
    steps = own.steps_m
    if gsd == "native":
        return own
    wanted = max(model_gsd_m, max(steps) / _MOST_ENLARGED) if gsd == "auto" else float(gsd)
    if not own.is_geographic and all(is_same_gsd(step_m, wanted) for step_m in steps):
        return own
    if gsd == "auto" and max(steps) > COARSEST * model_gsd_m:
        raise SceneError(
            f"{scene.path} has {max(steps):.2f} m pixels, the model was trained at {model_gsd_m:g} m",
            "state the size that they have"
            if scene.is_stated
            else f"roads cannot be seen at that size; --gsd {model_gsd_m:g} tries it all the same",
        )
    try:
        return _warped_grid(own, wanted)
    except gdal_errors() as e:
        raise SceneError(f"{scene.path} cannot be resampled: {e}", "reproject it with gdalwarp") from e


def _warped_grid(own: Grid, gsd_m: float) -> Grid:
    """A north-up grid over another, at a GSD; in UTM where the other counts in degrees."""
    from rasterio.transform import array_bounds
    from rasterio.warp import calculate_default_transform

    lon, lat = own.to_lonlat(np.array([[own.width / 2, own.height / 2]]))[0]
    crs = utm_crs(float(lon), float(lat)) if own.is_geographic else own.crs
    bounds = array_bounds(own.height, own.width, own.transform)
    t, width, height = calculate_default_transform(own.crs, crs, own.width, own.height, *bounds)
    # One unit of the CRS need not be one metre on the ground: measure the default grid's pixel.
    default = Grid(crs, t, max(1, width), max(1, height))
    x, y = (gsd_m / s for s in default.steps_m)
    # A last column or row that lies outside the scene in part would be a rim without data.
    size = max(1, int(width / x + 1e-6)), max(1, int(height / y + 1e-6))
    return Grid(crs, Affine(t.a * x, t.b * y, t.c, t.d * x, t.e * y, t.f), *size)


def own_corner(own: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of the scene pixel at which a grid of its own pixels begins; None for others."""
    if grid.crs != own.crs:
        return None
    # Three corners of the grid in pixels of the scene: they must be corners of its pixels.
    ends = own.to_px(grid.to_crs(grid.corners_px[[0, 1, 3]]))
    (left, top), (right, _), (_, bottom) = np.rint(ends)
    same = np.array([[left, top], [right, top], [left, bottom]])
    if np.abs(ends - same).max() > _AGREE_PX or right - left != grid.width or bottom - top != grid.height:
        return None
    return (
        (int(top), int(left)) if min(top, left) >= 0 and right <= own.width and bottom <= own.height else None
    )


def outline_on(own: Grid, grid: Grid) -> Points:
    """The border of a grid in pixel coordinates of another: (N, 2), corners and 31 points between two."""
    corners = own.corners_px
    share = np.linspace(0, 1, 33)[:-1, None]
    sides = [a + share * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    xy = own.to_crs(np.concatenate(sides))
    if own.crs != grid.crs:
        xy = np.column_stack(find_way(own.crs, grid.crs).transform(*xy.T))
    return grid.to_px(xy)
