"""Burning road lines at their width onto windows of a grid."""

from __future__ import annotations

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from georoads.crs import CrsError, find_way, parse_crs
from georoads.errors import DatasetError
from georoads.grid import Grid, Window
from georoads.output.coordinates import whole_turns
from georoads.output.read import RoadLines

NARROWEST_PX = 1.5
"""Thinner roads would fall between the centres of pixels and be torn apart."""
PIECE_PX = 8.0
"""Length of the pieces in which it is counted how much road lies where."""
REACH_M = 25.0
"""Roads whose line runs this far outside the grid are burnt too: a wide one reaches in."""
_STEP_DEG, _STEP_UNITS = 0.001, 100.0
"""Lines get a vertex at least this often before they are projected: straight here is bent there."""


class RoadAreas:
    """The ground that roads cover, in pixels of a grid.

    Attributes:
        lines: (N,) shapely lines in pixel coordinates (x = col, y = row), cut at the grid's edge.
    """

    def __init__(self, lines: NDArray[np.object_], areas: NDArray[np.object_], grid: Grid) -> None:
        """Areas of a grid, ready to be burnt.

        Args:
            lines: (N,) shapely lines in pixel coordinates.
            areas: (N,) shapely polygons in pixel coordinates: the ground that each line covers.
            grid: whose pixels they are.
        """
        self.lines = shapely.clip_by_rect(lines, 0, 0, grid.width, grid.height)
        self._areas = areas
        self._tree = shapely.STRtree(areas)

    def burn(self, window: Window) -> NDArray[np.bool_]:
        """(H, W) bool: True where a pixel's centre lies on a road."""
        from rasterio.features import rasterize

        box = shapely.box(window.col, window.row, window.col + window.width, window.row + window.height)
        met = self._areas[np.sort(self._tree.query(box, predicate="intersects"))]
        shape = window.height, window.width
        if not len(met):
            return np.zeros(shape, dtype=bool)
        place = Affine.translation(window.col, window.row)
        return np.asarray(rasterize(met, out_shape=shape, transform=place, dtype="uint8") == 1)

    def pieces_along(self, axis: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Middle and length, each (M,) in pixels, of short pieces of the roads along an axis (0 = x)."""
        # Corners of all pieces in a row; a step counts where both its ends belong to the same line.
        points, line = shapely.get_coordinates(shapely.segmentize(self.lines, PIECE_PX), return_index=True)
        same = line[1:] == line[:-1]
        step = np.diff(points, axis=0)[same]
        middle = ((points[1:, axis] + points[:-1, axis]) / 2)[same]
        return middle, np.hypot(step[:, 0], step[:, 1])


def road_areas(roads: RoadLines, grid: Grid, width_m: float | None = None) -> RoadAreas:
    """Lines of any CRS as areas of a grid: half their width on either side, with round ends.

    Args:
        roads: with ``widths_m`` where the layer says how wide they are.
        grid: on which they will be burnt.
        width_m: of the lines that do not say it themselves.

    Raises:
        DatasetError: no line meets the grid, or a width is missing.
    """
    near, widths = _project_lines(roads, grid)
    unknown = int(np.isnan(widths).sum())
    if unknown and width_m is None:
        raise DatasetError(
            f"{roads.name}: {unknown} of {len(widths)} lines on the scene do not say how wide they are",
            "give the width of such lines in metres, as in --width 7",
        )
    widths = np.where(np.isnan(widths), width_m or 0.0, widths)
    steps = np.array(grid.steps_m)
    half = np.maximum(widths, NARROWEST_PX * steps.max()) / 2
    # Buffers are drawn in metres, where a width is the same in both directions, and taken back to pixels.
    in_metres = shapely.transform(near, lambda px: px * steps)
    areas = shapely.transform(shapely.buffer(in_metres, half, quad_segs=6), lambda m: m / steps)
    return RoadAreas(near, areas, grid)


def _project_lines(roads: RoadLines, grid: Grid) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The lines that meet the grid, in its pixels, and their widths (NaN: unknown)."""
    if not len(roads.lines):
        raise DatasetError(f"{roads.name} holds no line", "give a layer with the roads of the scene")
    widths = np.full(len(roads.lines), np.nan) if roads.widths_m is None else roads.widths_m
    crs = parse_crs(roads.crs)
    try:
        to_grid = find_way(roads.crs, grid.crs)
    except CrsError as e:
        raise DatasetError(f"{roads.name} cannot be laid on the scene: {e.message}", e.hint) from e
    around = grid.to_crs(_points_around(grid))
    edge = np.column_stack(to_grid.transform(around[:, 0], around[:, 1], direction="INVERSE"))
    edge = edge[np.isfinite(edge).all(axis=1)]
    if len(edge):
        # A box in the layer's CRS first: far away, its coordinates may not exist in the grid's.
        west, _, east, _ = shapely.total_bounds(roads.lines)
        edge[:, 0] += whole_turns(roads.crs, float(edge[:, 0].mean()), (west + east) / 2)
        low, high = edge.min(axis=0), edge.max(axis=0)
        boxes = shapely.bounds(roads.lines)
        meets = (boxes[:, :2] <= high).all(axis=1) & (boxes[:, 2:] >= low).all(axis=1)
        lines = shapely.segmentize(roads.lines[meets], _STEP_DEG if crs.is_geographic else _STEP_UNITS)
        px = shapely.transform(
            lines, lambda xy: grid.to_px(np.column_stack(to_grid.transform(xy[:, 0], xy[:, 1])))
        )
        reach_x, reach_y = _reach_px(grid)
        box = shapely.box(-reach_x, -reach_y, grid.width + reach_x, grid.height + reach_y)
        on_grid = shapely.intersects(px, box)
        if on_grid.any():
            return px[on_grid], widths[meets][on_grid]
    raise DatasetError(
        f"{roads.name}: none of its {len(roads.lines)} lines lies on the scene",
        "check that both show the same place, and that the layer's CRS is right",
    )


def _points_around(grid: Grid) -> NDArray[np.float64]:
    """Points around the grid, in pixels, close enough that a bent edge is followed."""
    t = np.linspace(0.0, 1.0, 33)
    zero, one = np.zeros_like(t), np.ones_like(t)
    square = np.concatenate([np.stack(p, axis=1) for p in ((t, zero), (t, one), (zero, t), (one, t))])
    reach, size = np.array(_reach_px(grid)), np.array([grid.width, grid.height])
    return np.asarray(square * (size + 2 * reach) - reach, dtype=np.float64)


def _reach_px(grid: Grid) -> tuple[float, float]:
    return REACH_M / grid.steps_m[0], REACH_M / grid.steps_m[1]
