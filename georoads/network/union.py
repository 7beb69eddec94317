"""Union-find over the rows of an array, for compiled code (Galler & Fischer 1964)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled


@compiled
def join(parent: NDArray[np.int64], a: int, b: int) -> None:
    """Put two rows into one cluster, whose root is its smallest row.

    Args:
        parent: (K,) int64, a row of the same cluster for each row; changed in place.
        a, b: the rows.
    """
    while parent[a] != a:
        parent[a] = parent[parent[a]]
        a = parent[a]
    while parent[b] != b:
        parent[b] = parent[parent[b]]
        b = parent[b]
    parent[max(a, b)] = min(a, b)


@compiled
def numbered(parent: NDArray[np.int64]) -> NDArray[np.int64]:
    """(K,) int64: the number (0... in the order of first rows) of every row's cluster."""
    number = np.empty(len(parent), np.int64)
    count = 0
    for i in range(len(parent)):
        if parent[i] == i:
            number[i] = count
            count += 1
        else:
            # A parent always has the smaller row: its cluster is numbered already.
            number[i] = number[parent[i]]
    return number
