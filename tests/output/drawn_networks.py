"""Small road networks for the tests of output: polylines in pixels and the nodes at their ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from affine import Affine

from georoads.grid import Grid
from georoads.network.types import Carriageway, NodeKind, RoadNetwork

Lines = Sequence[Sequence[tuple[float, float]] | np.ndarray]
"""Polylines: points x, y in pixels."""

UTM = Grid("EPSG:32632", Affine(0.5, 0, 500000, 0, -0.5, 5000000), 400, 400)

# A crossroads, drawn in steps of 100 px:
#
#        1
#        |
#     2--3--4
#        |
#        5
CROSSROADS = (
    ((200, 100), (200, 200)),
    ((100, 200), (200, 200)),
    ((200, 200), (250, 210), (300, 200)),
    ((200, 200), (200, 300)),
)


def network(
    lines: Lines = CROSSROADS, grid: Grid = UTM, confidence: Sequence[float] | None = None
) -> RoadNetwork:
    """The network of the given polylines; its nodes are their end points in reading order."""
    arrays = [np.asarray(line, dtype=np.float64) for line in lines]
    ends = sorted({tuple(a[i]) for a in arrays for i in (0, -1)}, key=lambda p: (p[1], p[0]))
    number = {p: i + 1 for i, p in enumerate(ends)}
    pairs = np.array([[number[tuple(a[0])], number[tuple(a[-1])]] for a in arrays], dtype=np.int64)
    n = len(arrays)
    degree = np.bincount(pairs.ravel(), minlength=len(ends) + 1)[1:] if n else np.zeros(0)
    return RoadNetwork(
        grid=grid,
        node_id=np.arange(1, len(ends) + 1, dtype=np.int64),
        node_xy=np.array(ends, dtype=np.float64).reshape(-1, 2),
        node_kind=np.where(degree > 1, NodeKind.JUNCTION, NodeKind.END).astype(np.uint8),
        edge_nodes=pairs.reshape(-1, 2),
        offsets=np.concatenate(([0], np.cumsum([len(a) for a in arrays]))).astype(np.int64),
        points=np.concatenate(arrays) if n else np.empty((0, 2)),
        length_m=np.array([np.hypot(*np.diff(a, axis=0).T).sum() * 0.5 for a in arrays]),
        width_m=np.linspace(4, 12, n),
        width_std_m=np.full(n, 0.25),
        confidence=np.linspace(0.4, 0.95, n) if confidence is None else np.asarray(confidence),
        confidence_p05=np.full(n, 0.3),
        bridged_m=np.zeros(n),
        carriageway=(np.arange(n) % len(Carriageway)).astype(np.uint8),
    )


def lines_of(drawn: RoadNetwork) -> np.ndarray:
    """The lines of a network in the CRS of its grid, in the order of its edges."""
    lines = [shapely.LineString(drawn.grid.to_crs(drawn.line(edge))) for edge in range(drawn.n_edges)]
    return np.array(lines, dtype=object)
