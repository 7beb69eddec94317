"""Skeletons: one pixel wide, with the mask's topology."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from network_drawings import bar, drawn, euler_number, picture
from numpy.typing import NDArray
from scipy import ndimage

from georoads.network.thin import edge_anchors, thin

DRAWN = [
    ("point", "... .#. ...", "... .#. ..."),
    ("2 x 2", ".... .##. .##. ....", ".... .... .##. ...."),
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
    before = ndimage.label(skeleton, np.ones((3, 3)))[1], euler_number(skeleton)
    padded = np.pad(skeleton, 1)
    for row, col in np.argwhere(skeleton).tolist():
        neighbours = int(padded[row : row + 3, col : col + 3].sum()) - 1
        without = skeleton.copy()
        without[row, col] = False
        after = ndimage.label(without, np.ones((3, 3)))[1], euler_number(without)
        if neighbours > 1 and before == after:
            found.append((row, col))
    return found


@pytest.mark.parametrize(("mask", "expected"), [case[1:] for case in DRAWN], ids=[case[0] for case in DRAWN])
def test_drawn_masks(mask: str, expected: str | None) -> None:
    skeleton = thin(drawn(mask))
    if expected is not None:
        assert picture(skeleton) == "\n".join(expected.split())
    assert removable(skeleton) == []
    assert euler_number(skeleton) == euler_number(drawn(mask))


@pytest.mark.parametrize("side", range(1, 9))
def test_squares_leave_no_block(side: int) -> None:
    """A 5 x 5 square is what other thinnings leave whole (scikit-image#8180)."""
    skeleton = thin(np.pad(np.ones((side, side), bool), 2))
    assert 1 <= skeleton.sum() <= 2
    assert euler_number(skeleton) == 1


def test_a_bar_ends_half_its_width_before_its_end() -> None:
    skeleton = thin(bar((21, 60), (10, 10.5), (50, 10.5), 7))
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
    skeleton = thin(mask)
    assert not (skeleton & ~mask).any()
    assert ndimage.label(skeleton, np.ones((3, 3)))[1] == ndimage.label(mask, np.ones((3, 3)))[1]
    assert euler_number(skeleton) == euler_number(mask)
    assert removable(skeleton) == []
    assert np.array_equal(thin(skeleton), skeleton)


def test_anchors_hold_the_line_at_the_scenes_edge() -> None:
    mask = bar((40, 60), (-9, 20.5), (40, 20.5), 9)
    anchors = edge_anchors(mask)
    assert anchors.tolist() == [20 * 60]
    skeleton = thin(mask, anchors)
    assert skeleton[20, :30].all()
    assert not thin(mask)[20, 0]


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
    assert edge_anchors(mask, nodata).tolist() == [0, 6, 26]
    inner = np.zeros((9, 9), bool)
    inner[3:6, 2:7] = True
    nodata = np.zeros((9, 9), bool)
    nodata[:, 7:] = True
    assert edge_anchors(inner).tolist() == []
    assert edge_anchors(inner, nodata).tolist() == [4 * 9 + 6]


@pytest.mark.parametrize("seed", range(40))
def test_topology_on_random_blobs(seed: int) -> None:
    random = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(random.normal(size=(60, 70)), 0.3 + seed / 20)
    mask = np.asarray(noise > np.quantile(noise, random.uniform(0.2, 0.9)))
    anchors = edge_anchors(mask)
    skeleton = thin(mask, anchors)
    assert skeleton.ravel()[anchors].all()
    for result in (skeleton, thin(mask)):
        assert ndimage.label(result, np.ones((3, 3)))[1] == ndimage.label(mask, np.ones((3, 3)))[1]
        assert euler_number(result) == euler_number(mask)
    if seed < 8:
        assert removable(thin(mask)) == []
