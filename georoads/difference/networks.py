"""What hangs together: crumbs are told by the length of the network that they belong to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from georoads.grid import Points
from georoads.scoring.road_graph import CELL_M
from georoads.scoring.stretches import LaidLines, Stretches


def without_crumbs(laid: LaidLines, stretches: Stretches, least_m: float) -> NDArray[np.bool_]:
    """(N,) bool: the stretches that belong to a network of ``least_m`` and more.

    Args:
        laid: the lines.
        stretches: of these. Those that share a vertex hang together.
        least_m: metres of all that hangs together.
    """
    points, owner = laid.points_of(stretches)
    place = places_of(points)
    # A graph of stretches and places, with an edge where a stretch has a vertex.
    count = len(stretches)
    size = count + int(place.max(initial=-1)) + 1
    touches = csr_matrix((np.ones(len(place), dtype=np.int8), (owner, count + place)), shape=(size, size))
    _, network = connected_components(touches, directed=False)
    network = network[:count]
    total = np.bincount(network, weights=stretches.length_m, minlength=1)
    return np.asarray(total[network] >= least_m, dtype=np.bool_)


def places_of(points: Points) -> NDArray[np.int64]:
    """(N,) int64: the same number for points (N, 2) that are one place, to a centimetre."""
    column, row = np.rint(points / CELL_M).astype(np.int64).T
    _, place = np.unique((column << 32) + row, return_inverse=True)
    return place.reshape(-1).astype(np.int64)
