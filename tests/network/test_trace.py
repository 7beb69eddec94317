"""Skeleton to graph: exact nodes, edges and lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from network_drawings import bar, topology
from network_steps import NO_PIXELS, graph_of, lines_of, run_mask, thinned, traced
from numpy.typing import NDArray
from scipy import ndimage

from georoads.network.graph.trace import measure_widths, trace
from georoads.network.mask.measure import chords, distances
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import RowRuns, RunMask
from georoads.network.skeleton.thin import thin
from georoads.network.types import BlockPlan

ROOT2 = float(np.sqrt(2))


DRAWN = {
    "line": ("..... ##### .....", [(0.5, 1.5), (4.5, 1.5)], [(0, 1, 4)]),
    "two pixels": ("#. .#", [(0.5, 0.5), (1.5, 1.5)], [(0, 1, ROOT2)]),
    "T": (
        "##### ..#.. ..#..",
        [(0.5, 0.5), (2.5, 0.5), (4.5, 0.5), (2.5, 2.5)],
        [(0, 1, 2), (1, 2, 2), (1, 3, 2)],
    ),
    "cross": (
        "..#.. ..#.. ##### ..#.. ..#..",
        [(2.5, 0.5), (0.5, 2.5), (2.5, 2.5), (4.5, 2.5), (2.5, 4.5)],
        [(0, 2, 2), (1, 2, 2), (2, 3, 2), (2, 4, 2)],
    ),
    "diagonal cross": (
        "#.# .#. #.#",
        [(0.5, 0.5), (2.5, 0.5), (1.5, 1.5), (0.5, 2.5), (2.5, 2.5)],
        [(0, 2, ROOT2), (1, 2, ROOT2), (2, 4, ROOT2), (2, 3, ROOT2)],
    ),
    "ring, its node at its first pixel": (".##. #..# #..# .##.", [(1.5, 0.5)], [(0, 0, 4 + 4 * ROOT2)]),
    "two rings that touch, with a node in common": (
        ".#...#. #.#.#.# #..#..# #.#.#.# .#...#.", [(3.5, 2.5)], [(0, 0, 2 + 6 * ROOT2)] * 2
    ),
    "point": ("... .#. ...", [], []),
    "empty": ("... ...", [], []),
}  # fmt: skip


@pytest.mark.parametrize(("text", "nodes", "edges"), DRAWN.values(), ids=DRAWN)
def test_drawn_skeletons(
    text: str, nodes: list[tuple[float, float]], edges: list[tuple[int, int, float]]
) -> None:
    graph = lines_of(text)
    assert graph.node_xy.tolist() == [list(node) for node in nodes]
    assert graph.edge_nodes.tolist() == [list(edge[:2]) for edge in edges]
    assert graph.lengths().tolist() == pytest.approx([edge[2] for edge in edges])


def test_the_pixels_of_a_wide_junction_are_one_node() -> None:
    graph = lines_of("#..# .##. .##. #..#")
    assert graph.node_xy.tolist() == [[0.5, 0.5], [3.5, 0.5], [2.0, 2.0], [0.5, 3.5], [3.5, 3.5]]
    assert graph.degree().tolist() == [1, 1, 4, 1, 1]


def test_figure_eight_with_a_bar_keeps_parallel_edges() -> None:
    graph = lines_of(".###. #...# ##### #...# .###.")
    assert graph.n_nodes == 2
    assert graph.edge_nodes.tolist() == [[0, 1]] * 3


def test_loop_on_a_stem() -> None:
    graph = lines_of(".#. #.# .#. .#. .#.")
    assert graph.degree().tolist() == [3, 1]
    assert sorted(graph.is_loop.tolist()) == [False, True]


def test_ends_near_the_edge_and_beside_nodata_are_marked() -> None:
    skeleton = np.zeros((12, 40), bool)
    skeleton[6, 2:30] = True
    probability = np.full(skeleton.shape, 100, np.uint8)
    assert traced(skeleton, probability).at_edge.tolist() == [True, False]
    probability[:, 31:] = 255
    graph = traced(skeleton, probability)
    assert graph.at_edge.tolist() == [True, True]
    assert set(graph.level.tolist()) == {100}


@settings(max_examples=100, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))))
def test_paths_are_connected_end_at_nodes_and_cover_the_skeleton(mask: NDArray[np.bool_]) -> None:
    mask = np.asarray(ndimage.binary_dilation(mask & np.roll(mask, 1)))
    skeleton = thinned(mask)
    graph = traced(skeleton)
    seen = np.zeros(mask.shape, bool)
    for edge in range(graph.n_edges):
        line = graph.xy[graph.offsets[edge] : graph.offsets[edge + 1]]
        assert (line[0] == graph.node_xy[graph.edge_nodes[edge, 0]]).all()
        assert (line[-1] == graph.node_xy[graph.edge_nodes[edge, 1]]).all()
        inner = np.floor(line[1:-1]).astype(int)
        assert not seen[inner[:, 1], inner[:, 0]].any()
        seen[inner[:, 1], inner[:, 0]] = True
        assert (np.abs(np.diff(inner, axis=0)).max(axis=1, initial=0) <= 1).all()
    assert not (seen & ~skeleton).any()
    # Components of the skeleton that have a length at all are components of the graph.
    parts, count = ndimage.label(skeleton, np.ones((3, 3)))
    points = int((np.bincount(parts.ravel())[1:] == 1).sum())
    loops = graph.n_edges - graph.n_nodes + count - points
    # A hole of one pixel may be swallowed by a junction.
    assert 0 <= loops <= topology(skeleton)[1]


@pytest.mark.parametrize("width", [1, 4, 7, 8, 15])
def test_width_of_an_upright_bar_is_exact(width: int) -> None:
    mask = np.zeros((40, 80), bool)
    mask[10 : 10 + width, 5:75] = True
    graph = graph_of(mask)
    assert np.median(graph.width) == width


@pytest.mark.parametrize("degrees", [0, 10, 26.6, 30, 45, 60, 77, 90, 120, 135])
@pytest.mark.parametrize("width", [5, 7, 12])
def test_width_of_a_slanted_bar(degrees: float, width: int) -> None:
    angle = np.radians(degrees)
    half = 70 * np.array([np.cos(angle), np.sin(angle)])
    mask = bar((200, 200), tuple(100.25 - half), tuple(100.25 + half), width)
    graph = graph_of(mask)
    # What was drawn: rasterizing makes a slanted road narrower or wider by up to 0.7 pixels.
    assert np.median(graph.width) == pytest.approx(mask.sum() / 140, abs=0.4)


@pytest.mark.parametrize("block_px", [7, 33, 100])
def test_widths_do_not_depend_on_the_block_size(block_px: int) -> None:
    mask = bar((150, 150), (-5, 20), (155, 120), 11) | bar((150, 150), (75, -5), (60, 155), 38)
    graph = graph_of(mask)
    whole, in_blocks = (chords(run_mask(mask), graph.xy, graph.offsets, n) for n in (1000, block_px))
    assert np.array_equal(in_blocks.width, whole.width)
    assert np.array_equal(in_blocks.lean, whole.lean)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, st.tuples(st.integers(1, 20), st.integers(1, 20))), st.integers(1, 9))
def test_distances_equal_a_distance_transform(mask: NDArray[np.bool_], limit: int) -> None:
    away = distances(run_mask(mask).runs, mask.shape, np.arange(mask.size), limit)
    expected = ndimage.distance_transform_edt(~mask).ravel() if mask.any() else np.full(mask.size, np.inf)
    assert away == pytest.approx(np.minimum(expected, limit))


def test_pixel_numbers_may_exceed_32_bits() -> None:
    """A raster of 14 gigapixels, of which only the runs of one crossing in its far corner exist."""
    small = np.pad(bar((200, 200), (10, 50), (190, 130), 9) | bar((200, 200), (90, 10), (100, 190), 13), 100)
    height, width = 100_000, 140_000
    (rows, start, stop), none = run_mask(small).runs, np.zeros(0, np.int32)
    down, right = height - 500, width - 500
    rows = np.concatenate((np.zeros(down, np.int64), rows, np.full(100, len(start))))
    road = RunMask((height, width), RowRuns(rows, start + np.int32(right), stop + np.int32(right)))
    nodata = RunMask((height, width), RowRuns(np.zeros(height + 1, np.int64), none, none))
    skeleton = thin(road, NO_PIXELS, BlockPlan(8192))
    assert skeleton.pixels.min() > 2**33
    levels = np.full(len(skeleton.pixels), 254, np.uint8)
    far = trace(skeleton, RoadMask(road, nodata), levels, NO_PIXELS)
    far, near = measure_widths(far, road, 8192), graph_of(small)
    assert far.n_edges == near.n_edges > 4
    assert np.allclose(far.xy, near.xy + np.array([right, down]), rtol=0, atol=1e-9)
    for name in ("edge_nodes", "offsets", "width", "node_radius", "at_edge", "level"):
        assert np.array_equal(getattr(far, name), getattr(near, name)), name


def test_chord_outside_the_road_is_zero() -> None:
    xy = np.array([[2.5, 2.5], [3.5, 2.5]])
    assert chords(run_mask(np.zeros((5, 5), bool)), xy, np.array([0, 2]), 4).width.tolist() == [0.0, 0.0]
