"""Road layers drawn for the tests of scores, in a plane of metres."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from pyproj import Transformer

from georoads.output.read import RoadLines
from georoads.scoring.road_graph import RoadGraph, road_graph

# A transverse Mercator plane around the drawings: at their middle a unit is a metre.
LOCAL = "+proj=tmerc +lat_0=48 +lon_0=11 +ellps=WGS84 +units=m"

Line = Sequence[Sequence[float]] | np.ndarray
"""Points x, y in the plane."""


def roads(*lines: Line, crs: str = LOCAL) -> RoadLines:
    drawn = np.empty(len(lines), dtype=object)
    drawn[:] = [shapely.LineString(line) for line in lines]
    return RoadLines(drawn, crs)


def graph(*lines: Line) -> RoadGraph:
    """The graph of drawn lines; their plane is kept, so that drawn metres are exact."""
    return road_graph(roads(*lines), LOCAL)


def town(seed: int, size: int = 4) -> RoadGraph:
    """The graph of ``random_town``."""
    return road_graph(random_town(seed, size), LOCAL)


def redrawn(layer: RoadLines, step_m: float) -> RoadLines:
    """The same lines, the last one first, from their other ends and with a point each so many metres."""
    return RoadLines(shapely.segmentize(shapely.reverse(layer.lines), step_m)[::-1], layer.crs)


def moved(layer: RoadLines, crs: str, place: str = LOCAL) -> RoadLines:
    """The same lines in another CRS."""
    to = Transformer.from_crs(place, crs, always_xy=True)
    lines = shapely.transform(layer.lines, lambda xy: np.column_stack(to.transform(*xy.T)))
    return RoadLines(lines, crs)


def random_town(seed: int, size: int = 4, block_m: float = 70.0, missing: float = 0.25) -> RoadLines:
    """Streets on a shaken grid: bent, some missing, some doubled by a second way, some corners with a loop.

    Towns of one seed share their junctions up to noise of another, so that they are alike but not equal.
    """
    plan, rng = np.random.default_rng(seed // 10), np.random.default_rng(seed)
    corners = block_m * np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1)
    corners = corners + plan.normal(0, 8, corners.shape) + rng.normal(0, 1.5, corners.shape)
    lines = []
    for i in range(size):
        for j in range(size):
            for k, m in ((i + 1, j), (i, j + 1)):
                if k < size and m < size and rng.random() > missing:
                    lines.append(bent(corners[i, j], corners[k, m], rng))
                    if rng.random() < 0.15:
                        lines.append(bent(corners[i, j], corners[k, m], rng))
            if rng.random() < 0.15:
                loop = corners[i, j] + np.array([[0, 0], [22, 5], [30, 24], [6, 20], [0, 0]])
                lines.append(loop + np.pad(rng.normal(0, 1, (3, 2)), ((1, 1), (0, 0))))
    return roads(*lines)


def bent(a: np.ndarray, b: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A line from a to b over one or two points beside the straight one."""
    shares = np.sort(rng.uniform(0.2, 0.8, rng.integers(1, 3)))[:, None]
    return np.vstack((a, a + shares * (b - a) + rng.normal(0, 4, (len(shares), 2)), b))
