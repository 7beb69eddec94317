"""Lists of lists."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from georoads.ragged import offsets_of, owners, ranks, rows_of, take

SIZES = np.array([2, 0, 3])
OFFSETS = offsets_of(SIZES)


def test_offsets_owners_and_ranks() -> None:
    assert OFFSETS.tolist() == [0, 2, 2, 5]
    assert offsets_of([]).tolist() == [0]
    assert owners(OFFSETS).tolist() == [0, 0, 2, 2, 2]
    assert ranks(SIZES).tolist() == [0, 1, 0, 1, 2]


def test_rows_of_lists_in_any_order() -> None:
    assert rows_of(np.array([7, 1]), np.array([2, 3])).tolist() == [7, 8, 1, 2, 3]
    for lists in (np.array([2, 0]), np.array([True, False, True])):
        rows, offsets = take(OFFSETS, lists)
        expected = [[2, 3, 4], [0, 1]] if lists.dtype == int else [[0, 1], [2, 3, 4]]
        assert [rows[a:b].tolist() for a, b in pairwise(offsets)] == expected
