"""One-to-one matching of points within a distance, and the mean that joins two scores."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_bipartite_matching
from scipy.spatial import cKDTree

from georoads.grid import Points


def matched_count(a: Points, b: Points, distance_m: float) -> int:
    """Largest number of pairs of a point of ``a`` and a near one of ``b``, each point used at most once.

    Method: Hopcroft and Karp, "An n^5/2 algorithm for maximum matchings in bipartite graphs" (SIAM Journal on
    Computing 2, 1973). The largest number depends on no order; the greedy matching of other implementations
    may find fewer.

    Args:
        a, b: (N, 2) and (M, 2) float64 metres.
        distance_m: how far the points of a pair may lie apart.

    Example:
        >>> matched_count(np.array([[0.0, 0], [3, 0]]), np.array([[2.0, 0], [9, 0]]), 2.5)
        1
    """
    if not len(a) or not len(b):
        return 0
    near = cKDTree(a).sparse_distance_matrix(cKDTree(b), distance_m, output_type="ndarray")
    pairs = csr_matrix((np.ones(len(near), dtype=np.int8), (near["i"], near["j"])), shape=(len(a), len(b)))
    return int((maximum_bipartite_matching(pairs, perm_type="column") >= 0).sum())


def harmonic(a: float, b: float) -> float:
    """Harmonic mean of two scores; 0 where both are."""
    return 2 * a * b / (a + b) if a + b else 0.0
