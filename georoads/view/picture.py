"""A scene as a picture under a map: decimated reads of its own pixels, warped to the plane of the map."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.crs import parse_crs, to_wgs84
from georoads.errors import SceneError
from georoads.grid import Window
from georoads.scene.guard import gdal_errors
from georoads.scene.native import states_values, to_bytes
from georoads.scene.read import CACHE_BYTES
from georoads.scene.scene import Scene
from georoads.scene.sources import not_readable
from georoads.view.plane import Bounds, Plane, box_of, outline

BACKGROUND = (16, 21, 28)
"""Colour where the scene has no pixel."""
SIDE_PX = 2048
"""Longer side of a picture, unless another one is asked for."""
STRIPE_PX = 64
"""Rows of the picture that are read at once: memory does not grow with the scene."""
AVERAGED_PX = 400_000_000
"""Scenes of up to so many pixels are shown as means of pixels, larger ones as samples: else each pixel would
have to be decoded."""


MOST_LIFT = 4
"""A picture is brightened by so much at most."""
_BLACK, _DARK, _SEEN = 8.0, 50.0, 75.0
"""Medians of luminance: those between the first two are brightened until they reach the third."""
_LUMINANCE = np.array((0.299, 0.587, 0.114))
"""Shares of red, green and blue (ITU-R BT.601)."""


@dataclass(frozen=True)
class Picture:
    """A picture, north up.

    Attributes:
        rgb: (H, W, 3) uint8.
        bounds: in metres of the map's plane.
    """

    rgb: NDArray[np.uint8]
    bounds: Bounds


@dataclass(frozen=True)
class _PlacedPixels:
    """Pixels and their place on the ground.

    Attributes:
        values: (4, H, W) uint8: colours, and validity as 255 or 0.
        transform: from (column, row) to coordinates.
        crs: of the coordinates, as WKT.
    """

    values: NDArray[np.uint8]
    transform: Affine
    crs: str


def plane_of(scenes: Sequence[Scene]) -> Plane:
    """The plane around the middle of the first scene."""
    grid = scenes[0].grid
    return Plane(*grid.to_lonlat(np.array([[grid.width / 2, grid.height / 2]]))[0].tolist())


def picture_of(scenes: Sequence[Scene], plane: Plane, area: Bounds | None, side_px: int = SIDE_PX) -> Picture:
    """A picture of scenes, the first on top, or of their part in an area of the plane.

    Args:
        scenes: at least one.
        plane: of the picture and of the area.
        area: None for all of them.
        side_px: its longer side has so many pixels at most.

    Raises:
        SceneError: no scene meets the area, or one is damaged.
    """
    # The boxes of the scenes in the plane, and the one around them.
    places = [(scene, _common_box(scene, plane, area)) for scene in scenes]
    met = [(scene, place) for scene, place in places if place is not None]
    if not met:
        raise SceneError(f"{scenes[0].path} lies elsewhere than the lines", "give the scene that shows them")
    bounds = box_of(np.array([corner for _, place in met for corner in (place[:2], place[2:])]))
    west, south, east, north = bounds
    # As large as asked for, but no finer than the finest scene.
    step_m = max(max(east - west, north - south) / side_px, min(scene.grid.gsd_m for scene, _ in met))
    width, height = (max(1, min(side_px, round(d / step_m))) for d in (east - west, north - south))
    to_plane = Affine((east - west) / width, 0, west, 0, -(north - south) / height, north)
    rgb = np.full((height, width, 3), BACKGROUND, dtype=np.uint8)
    for scene, place in reversed(met):
        pixels = _read_window(scene, _window_under(scene, plane, place), step_m / scene.grid.gsd_m)
        warped = _warp(pixels, to_plane, plane.crs, (height, width))
        seen = warped[3] >= 128
        rgb[seen] = warped[:3, seen].T
    return Picture(rgb, bounds)


def lift_of(picture: Picture) -> int:
    """How often a dark picture is laid over itself to be seen, as ``brightened``; 1 for others.

    DeepGlobe's pictures, and scenes that were stretched, have a median above 57 of 255. What is black for the
    most part is a mask, in which black says something.
    """
    shown = picture.rgb[(picture.rgb != BACKGROUND).any(axis=2)]
    median = float(np.median(shown @ _LUMINANCE)) if len(shown) else 255.0
    if not _BLACK <= median < _DARK:
        return 1
    lifts = range(2, MOST_LIFT + 1)
    return next((lift for lift in lifts if 255 * (1 - (1 - median / 255) ** lift) >= _SEEN), MOST_LIFT)


def brightened(rgb: NDArray[np.uint8], lift: int) -> NDArray[np.uint8]:
    """A picture (H, W, 3) laid over itself so often in the mode *screen*: shadows grow light, white stays.

    Example:
        >>> brightened(np.array([[[0, 51, 255]]], dtype=np.uint8), 2).tolist()
        [[[0, 92, 255]]]
    """
    table = np.rint(255 * (1 - (1 - np.arange(256) / 255) ** lift)).astype(np.uint8)
    return table[rgb]


def jpeg_of(picture: Picture, most_bytes: int = 2_000_000) -> bytes:
    """The picture as JPEG, as good as fits."""
    from georoads.picture_files import encode_jpeg

    content = b""
    for quality in (85, 75, 65, 50, 35, 20):
        content = encode_jpeg(picture.rgb, quality)
        if len(content) <= most_bytes:
            break
    return content


def _common_box(scene: Scene, plane: Plane, area: Bounds | None) -> Bounds | None:
    """Where both the scene and the area lie, in the plane; None where they do not meet."""
    grid = scene.grid
    border = plane.project(grid.to_crs(outline((0, 0, grid.width, grid.height))), grid.crs)
    border = border[np.isfinite(border).all(axis=1)]
    if not len(border):
        raise SceneError(f"{scene.path} cannot be laid under the map", "reproject it to UTM with gdalwarp")
    own = box_of(border)
    if area is None:
        return own
    west, south = max(own[0], area[0]), max(own[1], area[1])
    east, north = min(own[2], area[2]), min(own[3], area[3])
    return (west, south, east, north) if west < east and south < north else None


def _window_under(scene: Scene, plane: Plane, bounds: Bounds) -> Window:
    """The scene's pixels under a box of the plane."""
    grid = scene.grid
    px = grid.to_px(plane.unproject(outline(bounds), grid.crs))
    px = px[np.isfinite(px).all(axis=1)]
    whole = (0.0, 0.0, float(grid.width), float(grid.height))
    left, top, right, bottom = box_of(px) if len(px) else whole
    row, col = math.floor(max(0, top)), math.floor(max(0, left))
    size = math.ceil(min(bottom, grid.height)) - row, math.ceil(min(right, grid.width)) - col
    return Window(row, col, max(1, size[0]), max(1, size[1])).intersect(grid.window)


def _read_window(scene: Scene, window: Window, factor: float) -> _PlacedPixels:
    """A window of a scene at 1 / ``factor`` of its size; overviews are used where the file has them."""
    import rasterio
    from rasterio.windows import Window as RasterioWindow

    factor = max(1.0, factor)
    height, width = (max(1, math.ceil(n / factor)) for n in (window.height, window.width))
    step = Affine.scale(window.width / width, window.height / height)
    out = np.zeros((4, height, width), dtype=np.uint8)
    with rasterio.Env(**scene.file.options, GDAL_CACHEMAX=CACHE_BYTES), scene.file.open() as source:
        for top in range(0, height, STRIPE_PX):
            rows = min(STRIPE_PX, height - top)
            area = RasterioWindow(window.col, window.row + top * step.e, window.width, rows * step.e)
            is_sampled = bool(scene.palette or scene.fills) or window.size > AVERAGED_PX
            out[:, top : top + rows] = _read_stripe(source, scene, area, (rows, width), is_sampled=is_sampled)
    transform = scene.grid.transform * Affine.translation(window.col, window.row) * step
    return _PlacedPixels(out, transform, _crs_of(scene))


def _read_stripe(
    source: Any, scene: Scene, area: Any, shape: tuple[int, int], *, is_sampled: bool
) -> NDArray[np.uint8]:
    """(4, *shape) uint8: colours and validity of an area of an open file, sampled or as means."""
    from rasterio.enums import Resampling
    from rasterio.errors import NodataShadowWarning

    how = Resampling.nearest if is_sampled else Resampling.average
    try:
        values = source.read(list(scene.bands), window=area, out_shape=(3, *shape), resampling=how)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NodataShadowWarning)
            valid = source.dataset_mask(window=area, out_shape=shape) > 0
    except gdal_errors() as e:
        if scene.bad is None:
            raise not_readable(scene.path, e) from e
        return np.zeros((4, *shape), dtype=np.uint8)
    valid &= states_values(values, scene)
    return np.concatenate((to_bytes(values, scene), valid[None] * np.uint8(255)))


def _crs_of(scene: Scene) -> str:
    """WKT of the scene's CRS; of one that lies nowhere, where ``grid`` puts it."""
    placed = to_wgs84(scene.grid.crs).source_crs or parse_crs(scene.grid.crs)
    return str(placed.to_wkt())


def _warp(pixels: _PlacedPixels, transform: Affine, crs: str, shape: tuple[int, int]) -> NDArray[np.uint8]:
    """(4, *shape) uint8: the pixels on the grid of another transform and CRS."""
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    out = np.zeros((len(pixels.values), *shape), dtype=np.uint8)
    reproject(
        pixels.values, out, src_transform=pixels.transform, src_crs=pixels.crs, dst_transform=transform,
        dst_crs=crs, resampling=Resampling.bilinear,
    )  # fmt: skip
    return out
