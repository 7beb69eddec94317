"""Skeletons: one pixel wide, with the mask's topology."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from network_drawings import bar, drawn, drawn_network, picture, topology
from network_steps import NO_PIXELS, anchors_of, painted, run_mask, thinned
from numpy.typing import NDArray
from scipy import ndimage

from georoads.network.mask.anchors import EDGE_PX, near_edge
from georoads.network.skeleton import thin as thinning
from georoads.network.skeleton.neighbours import ERODE_FIRST, ERODE_SECOND, SIMPLE
from georoads.network.skeleton.skeleton import Skeleton
from georoads.network.types import BlockPlan

DRAWN = [
    ("point", "... .#. ...", "... .#. ..."),
    ("2 x 2", ".... .##. .##. ....", ".... .... .#.. ...."),
    ("line", "..... ##### .....", "..... ##### ....."),
    ("3-px bar", ".......... .########. .########. .########. ..........", None),
    (
        "2-px diagonal",
        "##..... .##.... ..##... ...##.. ....##. .....##",
        "#...... .#..... ..#.... ...#... ....#.. .....##",
    ),
    ("ring", "##### #...# #...# #####", ".###. #...# #...# .###."),
    ("empty", "... ...", "... ..."),
]


def removable(skeleton: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Pixels that could still go: no ends, and without them the topology is the same."""
    found = []
    before, padded = topology(skeleton), np.pad(skeleton, 1)
    for row, col in np.argwhere(skeleton).tolist():
        neighbours = int(padded[row : row + 3, col : col + 3].sum()) - 1
        without = skeleton.copy()
        without[row, col] = False
        if neighbours > 1 and before == topology(without):
            found.append((row, col))
    return found


@pytest.mark.parametrize(("mask", "expected"), [case[1:] for case in DRAWN], ids=[case[0] for case in DRAWN])
def test_drawn_masks(mask: str, expected: str | None) -> None:
    skeleton = thinned(drawn(mask))
    if expected is not None:
        assert picture(skeleton) == "\n".join(expected.split())
    assert removable(skeleton) == []
    assert topology(skeleton) == topology(drawn(mask))


@pytest.mark.parametrize("side", range(1, 9))
def test_squares_leave_no_block(side: int) -> None:
    """A 5 x 5 square is what other thinnings leave whole (scikit-image#8180)."""
    skeleton = thinned(np.pad(np.ones((side, side), bool), 2))
    assert 1 <= skeleton.sum() <= 2
    assert topology(skeleton) == (1, 0)


def test_a_bar_ends_half_its_width_before_its_end() -> None:
    skeleton = thinned(bar((21, 60), (10, 10.5), (50, 10.5), 7))
    rows, cols = np.nonzero(skeleton)
    assert set(rows.tolist()) <= {9, 10, 11}
    assert 10 <= cols.min() <= 14
    assert 45 <= cols.max() <= 49


masks = hnp.arrays(bool, st.tuples(st.integers(1, 16), st.integers(1, 16)))


@settings(max_examples=150, deadline=None)
@given(masks, st.booleans())
def test_topology_is_kept_and_nothing_more_can_go(mask: NDArray[np.bool_], thick: bool) -> None:
    if thick:
        mask = np.asarray(ndimage.binary_closing(mask, np.ones((3, 3))) | mask)
    skeleton = thinned(mask)
    assert not (skeleton & ~mask).any()
    assert topology(skeleton) == topology(mask)
    assert removable(skeleton) == []
    assert np.array_equal(thinned(skeleton), skeleton)


def test_anchors_hold_the_line_at_the_scenes_edge() -> None:
    mask = bar((40, 60), (-9, 20.5), (40, 20.5), 9)
    anchors = anchors_of(mask)
    assert anchors.tolist() == [20 * 60]
    skeleton = thinned(mask, anchors)
    assert skeleton[20, :30].all()
    assert not thinned(mask)[20, 0]


def test_one_anchor_per_contact_corners_and_nodata_included() -> None:
    mask = drawn(
        """
        ##....##
        #.....#.
        ........
        .####...
        """
    )
    nodata = np.zeros(mask.shape, bool)
    assert anchors_of(mask, nodata).tolist() == [0, 6, 26]
    inner = np.zeros((9, 9), bool)
    inner[3:6, 2:7] = True
    nodata = np.zeros((9, 9), bool)
    nodata[:, 7:] = True
    assert anchors_of(inner).tolist() == []
    assert anchors_of(inner, nodata).tolist() == [4 * 9 + 6]


@pytest.mark.parametrize("seed", range(40))
def test_topology_on_random_blobs(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=(60, 70)), 0.3 + seed / 20)
    mask = np.asarray(noise > np.quantile(noise, random.uniform(0.2, 0.9)))
    anchors = anchors_of(mask)
    skeleton = thinned(mask, anchors)
    assert skeleton.ravel()[anchors].all()
    for result in (skeleton, thinned(mask)):
        assert topology(result) == topology(mask)
    if seed < 8:
        assert removable(thinned(mask)) == []


AROUND = [(-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1)]


def codes(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The neighbour code of every pixel, from eight shifted copies."""
    framed = np.pad(mask, 1).astype(np.intp)
    height, width = mask.shape
    shifted = (framed[1 + r : 1 + r + height, 1 + c : 1 + c + width] for r, c in AROUND)
    return sum((there << k for k, there in enumerate(shifted)), np.zeros_like(mask, np.intp))


def eroded(mask: NDArray[np.bool_], anchors: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Guo and Hall on the whole array at once: the oracle."""
    mask = mask.copy()
    fixed = np.zeros(mask.shape, bool)
    fixed.reshape(-1)[anchors] = True
    idle = 0
    while idle < 2:
        for rule in (ERODE_FIRST, ERODE_SECOND):
            marked = mask & ~fixed & (rule[codes(mask)] > 0)
            mask &= ~marked
            idle = 0 if marked.any() else idle + 1
    return mask


def blobs(seed: int) -> NDArray[np.bool_]:
    """Roads, rings, wide areas and blots, of which many lie on any seam."""
    raster = drawn_network(seed)
    return np.asarray((raster > 127) & (raster < 255))


@pytest.mark.slow
@pytest.mark.parametrize("half_steps", [2, 4, 32])
@pytest.mark.parametrize("block_px", [5, 16, 31, 64])
def test_blocks_thin_as_the_whole_does(
    monkeypatch: pytest.MonkeyPatch, half_steps: int, block_px: int
) -> None:
    """Fewer half-steps per round mean a narrower margin and more rounds: both must be exact."""
    for seed in range(3):
        mask = blobs(seed)
        anchors = anchors_of(mask)
        whole = thinned(mask, anchors)
        monkeypatch.setattr(thinning, "HALF_STEPS", half_steps)
        in_blocks = thinning._erode(run_mask(mask), anchors, BlockPlan(block_px))
        assert np.array_equal(painted(in_blocks), eroded(mask, anchors))
        assert np.array_equal(thinned(mask, anchors, block_px), whole)
        monkeypatch.undo()


def test_an_area_far_wider_than_a_blocks_margin_is_thinned_in_rounds() -> None:
    mask = np.zeros((260, 330), bool)
    mask[20:240, 20:310] = True
    mask[100:140, 120:180] = False
    whole = thinned(mask)
    assert topology(whole) == (1, 1)
    assert whole.sum() > 300
    for block_px in (23, 64, 200):
        assert np.array_equal(thinned(mask, block_px=block_px), whole)


def test_marked_pixels_may_go_at_once() -> None:
    """Ronse's conditions: of two marked side neighbours the second is simple without the first, and no
    component of at most 2 x 2 pixels is marked as a whole."""
    for rule in (ERODE_FIRST, ERODE_SECOND):
        pairs = 0
        for bits in range(1 << 10):
            cells = np.insert(np.array([bits >> k & 1 for k in range(10)]), [5, 5], 1)
            for mask, second in ((cells.reshape(3, 4), (1, 2)), (cells.reshape(3, 4).T, (2, 1))):
                mask = mask.astype(bool)
                if rule[codes(mask)[1, 1]] and rule[codes(mask)[second]]:
                    pairs += 1
                    mask[1, 1] = False
                    assert SIMPLE[codes(mask)[second]]
        assert pairs > 20
        for bits in range(1, 16):
            mask = np.pad(np.array([bits >> k & 1 for k in range(4)], dtype=bool).reshape(2, 2), 1)
            if topology(mask)[0] == 1:
                assert not (rule[codes(mask)][mask] > 0).all()


@settings(max_examples=60, deadline=None)
@given(masks)
def test_a_skeletons_codes_are_those_of_its_pixels(mask: NDArray[np.bool_]) -> None:
    skeleton = Skeleton.of(run_mask(mask))
    assert np.array_equal(skeleton.pixels, np.flatnonzero(mask))
    assert np.array_equal(skeleton.codes, codes(mask)[mask])
    thin = thinning.thin(run_mask(mask), NO_PIXELS, BlockPlan(7))
    drawing = thinned(mask)
    assert np.array_equal(thin.codes, codes(drawing)[drawing])


@pytest.mark.parametrize("seed", range(12))
def test_anchors_and_nearness_equal_those_of_arrays(seed: int) -> None:
    random = np.random.default_rng(seed)
    mask = blobs(seed)
    nodata, width = np.zeros_like(mask), mask.shape[1]
    if seed:
        nodata = ndimage.gaussian_filter(random.normal(size=mask.shape), 4) > 0.08
        mask &= ~nodata
    unseen = np.pad(nodata, 1, constant_values=True)
    contact = mask & ndimage.binary_dilation(unseen, np.ones((3, 3)))[1:-1, 1:-1]
    parts, count = ndimage.label(contact, np.ones((3, 3)))
    expected = []
    for part in range(1, count + 1):
        rows, cols = np.nonzero(parts == part)
        away = (rows - rows.mean()) ** 2 + (cols - cols.mean()) ** 2
        near = np.flatnonzero(np.abs(away - away.min()) < 1e-9)
        expected.append({int(r) * width + int(c) for r, c in zip(rows[near], cols[near], strict=True)})
    found = anchors_of(mask, nodata).tolist()
    assert len(found) == count
    assert all(any(pixel in choice for choice in expected) for pixel in found)
    reach = 2 * EDGE_PX + 1
    near = ndimage.binary_dilation(np.pad(nodata, EDGE_PX, constant_values=True), np.ones((reach, reach)))
    pixels = np.flatnonzero(mask)
    expected_near = near[EDGE_PX:-EDGE_PX, EDGE_PX:-EDGE_PX].reshape(-1)[pixels]
    assert np.array_equal(near_edge(pixels, mask.shape, run_mask(nodata).runs), expected_near)
