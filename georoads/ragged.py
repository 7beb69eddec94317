"""Lists of lists as flat arrays: all elements end to end, and offsets that say where each list begins.

List i holds the elements [offsets[i], offsets[i + 1]).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]


def offsets_of(sizes: Integers | NDArray[np.bool_] | Sequence[int]) -> Integers:
    """(L + 1,) int64: where each list begins, and where the last one ends, from their sizes."""
    return np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)


def owners(offsets: Integers) -> Integers:
    """(N,) int64: the list that each element belongs to."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def ranks(sizes: Integers) -> Integers:
    """(N,) int64: the place (0...) of each element within its list."""
    return np.arange(np.sum(sizes)) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def rows_of(first: Integers, sizes: Integers) -> Integers:
    """(N,) int64: the rows first[i], first[i] + 1, ..., ``sizes[i]`` of them, list after list."""
    return np.repeat(first, sizes) + ranks(sizes)


def take(offsets: Integers, lists: NDArray[np.int64] | NDArray[np.bool_]) -> tuple[Integers, Integers]:
    """The elements of some lists, in the order in which the lists are named.

    Args:
        offsets: (L + 1,) int64 of all lists.
        lists: (K,) int64 numbers of lists, or (L,) bool.

    Returns:
        (N,) int64 rows of the elements, and (K + 1,) int64 offsets of the lists that were taken.
    """
    sizes = np.diff(offsets)[lists]
    return rows_of(offsets[:-1][lists], sizes), offsets_of(sizes)
