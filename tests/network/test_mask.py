"""Threshold, specks and holes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from network_drawings import picture
from network_steps import painted
from numpy.typing import NDArray
from scipy import ndimage

from georoads.network.mask.road_mask import RoadMask, drop_specks, fill_holes, read_mask
from georoads.network.types import BlockPlan


def read(raster: NDArray[np.uint8], threshold: float, low: float, block_px: int = 1024) -> RoadMask:
    return read_mask(lambda w: raster[w.slices], raster.shape, threshold, low, BlockPlan(block_px))


def roads(raster: NDArray[np.uint8], threshold: float, speck_px: float, hole_px: float) -> NDArray[np.bool_]:
    """The cleaned road mask of a raster, drawn."""
    return painted(fill_holes(drop_specks(read(raster, threshold, threshold), speck_px), hole_px).road)


def levels(text: str) -> NDArray[np.uint8]:
    """`#` is p = 1, `x` is nodata."""
    values = {"#": 254, ".": 0, "x": 255}
    return np.array([[values[letter] for letter in row] for row in text.split()], dtype=np.uint8)


def test_threshold_is_rounded_to_a_level_and_nodata_is_no_road() -> None:
    raster = np.array([[0, 126, 127, 128, 254, 255]], dtype=np.uint8)
    assert roads(raster, 0.5, 0, 0).tolist() == [[False, False, True, True, True, False]]
    assert roads(raster, 1.0, 0, 0).tolist() == [[False, False, False, False, True, False]]
    assert roads(raster, 0.001, 0, 0).tolist() == [[False, True, True, True, True, False]]


def test_specks_are_counted_over_corners() -> None:
    raster = levels(
        """
        #....##
        .#.....
        ..#...#
        ......#
        """
    )
    assert picture(roads(raster, 0.5, 3, 0)) == "#......\n.#.....\n..#....\n......."


def test_holes_are_counted_over_sides_and_open_ones_stay() -> None:
    raster = levels(
        """
        #########.#
        #.##..##..#
        ##.#..#####
        #####.#x###
        ######.####
        """
    )
    expected = """
        #########.#
        ####..##..#
        ####..#####
        #####.#.###
        ######.####
        """
    # Both small holes are filled, the large one is not; one touches the edge, one is nodata.
    assert picture(roads(raster, 0.5, 0, 4)) == "\n".join(expected.split())


def test_a_hole_that_holds_nodata_stays() -> None:
    assert picture(roads(levels("##### #.x.# #####"), 0.5, 0, 100)) == "#####\n#...#\n#####"


@pytest.mark.parametrize("raster", ["....", "####"])
def test_empty_and_full_masks(raster: str) -> None:
    assert picture(roads(levels(raster), 0.5, 2, 2)) == raster


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))), st.integers(2, 9))
def test_specks_equal_those_of_scipy(mask: NDArray[np.bool_], speck: int) -> None:
    label, _ = ndimage.label(mask, np.ones((3, 3)))
    large = np.bincount(label.ravel()) >= speck
    large[0] = False
    assert np.array_equal(roads(np.where(mask, 254, 0).astype(np.uint8), 0.5, speck, 0), large[label])


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 14), st.integers(1, 14))), st.integers(2, 9))
def test_holes_equal_those_of_scipy(mask: NDArray[np.bool_], size: int) -> None:
    label, _ = ndimage.label(np.pad(~mask, 1, constant_values=True))
    small = np.bincount(label.ravel()) < size
    small[[0, label[0, 0]]] = False
    expected = mask | small[label][1:-1, 1:-1]
    assert np.array_equal(roads(np.where(mask, 254, 0).astype(np.uint8), 0.5, 0, size), expected)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 14)), elements=st.integers(0, 9)))
def test_below_the_threshold_a_road_goes_on_where_it_has_begun(values: NDArray[np.uint8]) -> None:
    raster = (values * 28).astype(np.uint8)
    low = raster >= 127
    label, count = ndimage.label(low, np.ones((3, 3)))
    begun = np.isin(np.arange(count + 1), label[raster >= 203])
    begun[0] = False
    assert np.array_equal(painted(read(raster, 0.8, 0.5).road), begun[label])
    assert np.array_equal(painted(read(raster, 0.5, 0.5).road), low)


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.uint8, st.tuples(st.integers(1, 14), st.integers(1, 30)), elements=st.integers(0, 5)),
    st.integers(1, 16),
)
def test_blocks_give_the_same_runs(values: NDArray[np.uint8], block_px: int) -> None:
    raster = (values * 51).astype(np.uint8)
    whole, parts = read(raster, 0.8, 0.5), read(raster, 0.8, 0.5, block_px)
    assert np.array_equal(painted(whole.nodata), raster == 255)
    for a, b in ((whole.road, parts.road), (whole.nodata, parts.nodata)):
        np.testing.assert_equal(a.runs, b.runs)
