"""What two libraries give in a few lines: sknw's graph of the skeleton, and pygeoops' medial axis.

Each takes (H, W) uint8, round(254 p), and gives lines in pixel coordinates (x = col, y = row, a pixel's
centre at .5). Both see what georoads' first step sees: p at the threshold, without small areas.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pygeoops
import rasterio.features
import shapely
import sknw
from numpy.typing import NDArray
from skimage.morphology import remove_small_objects, skeletonize
from tiles import GSD_M

from georoads.grid import Points
from georoads.levels import threshold_level
from georoads.network.params import VectorizeParams

SIMPLIFY_M = 0.5
"""Douglas and Peucker's tolerance: of 0.5, 1 and 2 m, that of the best F1 within 2 m."""
SPECK_PX = VectorizeParams.speck_m2 / GSD_M**2


def sknw_lines(levels: NDArray[np.uint8], threshold: float) -> list[Points]:
    """Zhang and Suen's skeleton, sknw's graph of it, each edge from node to node, simplified."""
    graph = sknw.build_sknw(skeletonize(_large_areas(levels, threshold)).astype(np.uint16), multi=True)
    place = {node: values["o"] for node, values in graph.nodes(data=True)}
    lines = []
    for start, end, values in graph.edges(data=True):
        rows_cols = np.vstack([place[start], values["pts"], place[end]])
        lines.append(shapely.LineString(rows_cols[:, ::-1] + 0.5).simplify(SIMPLIFY_M / GSD_M))
    return [shapely.get_coordinates(line) for line in lines if line.length > 0]


def pygeoops_lines(levels: NDArray[np.uint8], threshold: float) -> list[Points]:
    """The mask's polygons, their stairs simplified, and pygeoops' centre lines of them at its defaults."""
    mask = _large_areas(levels, threshold).astype(np.uint8)
    shapes = rasterio.features.shapes(mask, mask=mask > 0)
    areas = [shapely.geometry.shape(area).simplify(SIMPLIFY_M / GSD_M) for area, _ in shapes]
    found: Any = pygeoops.centerline(np.array(areas, dtype=object)) if areas else []
    parts = shapely.get_parts([line for line in found if line is not None])
    return [shapely.get_coordinates(line) for line in parts if line.geom_type == "LineString"]


def _large_areas(levels: NDArray[np.uint8], threshold: float) -> NDArray[np.bool_]:
    mask = levels >= threshold_level(threshold)
    return np.asarray(remove_small_objects(mask, max_size=int(SPECK_PX) - 1, connectivity=2))
