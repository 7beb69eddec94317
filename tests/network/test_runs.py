"""Masks as runs: the same as arrays, whatever the blocks they come in."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from network_drawings import drawn
from network_steps import painted, run_mask
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.network.mask.runs import RunCollector, blocks, runs_of

masks = hnp.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 40)))


def test_runs_of_a_drawing() -> None:
    mask = run_mask(drawn("##.# .... .###"))
    assert mask.runs.rows.tolist() == [0, 2, 2, 3]
    assert mask.runs.start.tolist() == [0, 3, 1]
    assert mask.runs.stop.tolist() == [2, 4, 4]
    assert mask.sizes().tolist() == [2, 1, 3]
    assert mask.pixels().tolist() == [0, 1, 3, 9, 10, 11]


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(1, 15))
def test_a_mask_is_the_same_from_blocks_of_any_size(mask: NDArray[np.bool_], size: int) -> None:
    whole = run_mask(mask)
    assert np.array_equal(painted(whole), mask)
    scanned, cut = RunCollector(whole.shape), RunCollector(whole.shape)
    for window in blocks(whole.shape, size):
        scanned.add(window, runs_of(mask[window.slices], window.col))
        cut.add(window, whole.cut(window))
    for other in (scanned.mask(), cut.mask()):
        np.testing.assert_equal(whole.runs, other.runs)


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(-5, 12), st.integers(-5, 40), st.integers(0, 20), st.integers(0, 20))
def test_a_window_is_painted_as_it_is_and_empty_outside(
    mask: NDArray[np.bool_], row: int, col: int, height: int, width: int
) -> None:
    framed = np.pad(mask, ((5, 40), (5, 70)))
    window = Window(row, col, height, width)
    expected = framed[row + 5 :, col + 5 :][:height, :width]
    assert np.array_equal(run_mask(mask).paint(window), expected)


@settings(max_examples=60, deadline=None)
@given(masks)
def test_complement_union_and_choice(mask: NDArray[np.bool_]) -> None:
    runs = run_mask(mask)
    assert np.array_equal(painted(runs.complement()), ~mask)
    assert runs.sizes().sum() == mask.sum()
    half = np.arange(len(runs)) % 2 == 0
    a, b = runs.keep(half), runs.keep(~half)
    assert len(a) + len(b) == len(runs)
    joined = a.union(b)
    np.testing.assert_equal(joined.runs, runs.runs)
    full = runs.union(runs.complement())
    assert full.runs.start.tolist() == [0] * mask.shape[0]
    assert full.runs.stop.tolist() == [mask.shape[1]] * mask.shape[0]
