"""The room's door: rasters in, networks out."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from network_drawings import RAW, bar, drawn, drawn_levels, drawn_network, network_of, same, utm_grid
from numpy.typing import NDArray
from scipy import ndimage
from soundness import check_levels, check_sound

from georoads.grid import Window
from georoads.network.graph.along import medians_along
from georoads.network.lines.attributes import confidences
from georoads.network.params import VectorizeParams
from georoads.network.skeleton import thin
from georoads.network.types import NodeKind, ParallelMap
from georoads.network.vectorize import trace_network
from georoads.workers.threads import Threads

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
ROADS, CROSSING = SHARED / "deepglobe" / "train", SHARED / "faults2" / "17_crossing_lines"


@pytest.mark.parametrize("mask", [np.zeros((5, 7), bool), drawn("... .#. ..."), np.zeros((1, 1), bool)])
def test_an_empty_mask_gives_an_empty_network(mask: NDArray[np.bool_]) -> None:
    network = network_of(mask)
    assert (network.n_nodes, network.n_edges, network.offsets.tolist()) == (0, 0, [0])
    assert network.points.shape == network.node_xy.shape == (0, 2)
    assert network.edge_nodes.shape == (0, 2)


def test_a_road_through_the_scene() -> None:
    raster = np.where(bar((60, 200), (-5, 30.5), (205, 30.5), 7), 200, 10).astype(np.uint8)
    network = network_of(raster, VectorizeParams())
    check_sound(network)
    assert network.node_xy.tolist() == [[0.5, 30.5], [199.5, 30.5]]
    assert network.node_kind.tolist() == [NodeKind.SCENE_EDGE] * 2
    assert network.points.tolist() == [[0.5, 30.5], [199.5, 30.5]]
    assert network.length_m.tolist() == pytest.approx([99.5], rel=5e-4)
    assert network.width_m.tolist() == pytest.approx([3.5], rel=5e-4)
    assert network.width_std_m.tolist() == [0.0]
    assert network.confidence.tolist() == pytest.approx([200 / 254])
    assert network.confidence_p05.tolist() == pytest.approx([200 / 254])
    assert network.bridged_m.tolist() == [0.0]


def test_kinds_of_nodes() -> None:
    shape = (300, 300)
    mask = bar(shape, (-5, 80.5), (305, 80.5), 9) | bar(shape, (150.5, 80), (150.5, 200), 9)
    y, x = np.mgrid[:300, :300]
    mask |= np.abs(np.hypot(x - 230, y - 200) - 40) < 4
    network = network_of(mask, VectorizeParams())
    check_sound(network)
    kinds = [NodeKind(int(kind)).label for kind in network.node_kind]
    assert sorted(kinds) == ["end", "junction", "ring", "scene_edge", "scene_edge"]
    ring = int(network.node_id[kinds.index("ring")])
    assert [ring, ring] in network.edge_nodes.tolist()
    assert network.length_m[network.edge_nodes[:, 0] == ring] == pytest.approx(2 * np.pi * 20, rel=0.02)


def test_a_road_that_ends_at_nodata_ends_at_the_scenes_edge() -> None:
    raster = np.where(bar((60, 200), (20, 30.5), (205, 30.5), 7), 254, 0).astype(np.uint8)
    raster[:, 150:] = 255
    network = network_of(raster, VectorizeParams())
    assert network.node_kind.tolist() == [NodeKind.END, NodeKind.SCENE_EDGE]
    assert network.node_xy[1].tolist() == [149.5, 30.5]


def test_the_rim_of_a_flight_is_no_road_but_a_road_that_reaches_it_stays() -> None:
    mask = bar((120, 300), (0, 24.5), (300, 24.5), 7) | bar((120, 300), (150.5, 0), (150.5, 110), 7)
    raster = np.where(mask, 254, 0).astype(np.uint8)
    raster[:21] = 255  # the flight ends where the first bar begins
    network = network_of(raster, VectorizeParams())
    assert network.n_edges == 1
    assert np.abs(network.points[:, 0] - 150.5).max() <= 1
    assert network.node_xy[0, 1] == 21.5
    assert network_of(raster, VectorizeParams(rim_m=0)).n_edges > 1


@pytest.mark.parametrize("degrees", [0, 20, 40])
def test_a_road_reaches_nodata_whatever_its_angle(degrees: float) -> None:
    """Where it meets the border aslant, its skeleton forks: the last piece lies beside nodata all along."""
    x, y = 150 + 130 * np.tan(np.radians(degrees)) * np.array([-1, 1]), np.array([-10, 250])
    raster = np.where(bar((240, 300), (x[0], y[0]), (x[1], y[1]), 15), 254, 0).astype(np.uint8)
    raster[:40] = raster[200:] = 255
    network = network_of(raster, VectorizeParams())
    assert network.node_kind.tolist() == [NodeKind.SCENE_EDGE] * 2
    assert network.node_xy[:, 1].tolist() == pytest.approx([40.5, 199.5])


def test_a_slanted_road_keeps_its_course_up_to_the_scenes_edge() -> None:
    mask = bar((200, 200), (20, -20), (140, 220), 11)
    network = network_of(mask, VectorizeParams())
    assert network.node_kind.tolist() == [NodeKind.SCENE_EDGE] * 2
    assert len(network.points) <= 4
    x, y = network.points.T
    assert np.abs((x - 20) * 240 - (y + 20) * 120).max() / np.hypot(120, 240) < 1.0


SETTINGS = [RAW, VectorizeParams(), VectorizeParams(spur_m=2, min_length_m=3)]
masks = hnp.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))


@settings(max_examples=60, deadline=None)
@given(masks, st.integers(1, 30), st.sampled_from(SETTINGS))
def test_the_result_does_not_depend_on_the_block_size(
    mask: NDArray[np.bool_], block_px: int, params: VectorizeParams
) -> None:
    mask = np.asarray(ndimage.binary_dilation(mask & np.roll(mask, 1)))
    whole = network_of(mask, params, gsd=1.0)
    check_sound(whole)
    assert same(whole, network_of(mask, params, gsd=1.0, block_px=block_px))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.sampled_from([13, 31, 64, 65, 100]),
    st.sampled_from(SETTINGS),
    st.sampled_from([2, 6, 32]),
)
def test_networks_in_blocks_equal_those_of_the_whole(
    seed: int, block_px: int, params: VectorizeParams, half_steps: int
) -> None:
    """Also with narrower margins around the blocks, so that no block sees most of the drawing."""
    raster = drawn_network(seed)
    whole = network_of(raster, params)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(thin, "HALF_STEPS", half_steps)
        assert same(whole, network_of(raster, params, block_px=block_px))


def pickled(work: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
    """As ``map`` in another process would be."""
    for item in items:
        yield pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(work))(item)))


@dataclasses.dataclass(frozen=True)
class Held:
    """A raster that can be sent to another process."""

    raster: NDArray[np.uint8]

    def __call__(self, window: Window) -> NDArray[np.uint8]:
        return self.raster[window.slices]


@pytest.mark.parametrize("parallel_map", [Threads(3), pickled])
def test_the_result_does_not_depend_on_who_does_the_blocks(parallel_map: ParallelMap) -> None:
    for seed in (3, 7, 11, 12):
        raster = drawn_network(seed)
        grid = utm_grid(raster.shape)
        alone = trace_network(Held(raster), grid, VectorizeParams(), block_px=31)
        spread = trace_network(Held(raster), grid, VectorizeParams(), block_px=31, parallel_map=parallel_map)
        assert same(alone, spread)


@pytest.mark.parametrize("seed", [64, 72, 93])
def test_without_cleaning_small_loops_keep_a_length(seed: int) -> None:
    """Loops that never leave the reach of their junction: all their points could be cut."""
    check_sound(network_of(drawn_network(seed), RAW))


@pytest.mark.parametrize("edge", [254, 200])
def test_no_window_is_larger_than_a_block_with_its_margin_and_empty_blocks_are_read_once(edge: int) -> None:
    raster = np.zeros((300, 500), np.uint8)
    raster[100:109] = 254
    raster[100] = edge
    seen: list[Window] = []

    def read(window: Window) -> NDArray[np.uint8]:
        seen.append(window)
        return raster[window.slices]

    network = trace_network(read, utm_grid(raster.shape), VectorizeParams(), block_px=64)
    assert network.n_edges == 1
    first, medians, again, ridge = seen[:40], seen[40:-16], seen[-16:-8], seen[-8:]
    assert all(w.row % 64 == w.col % 64 == 0 and w.height <= 64 and w.width <= 64 for w in first + again)
    assert len(set(first)) == 40
    assert [w.row for w in again] == [64] * 8
    # As far to either side of the line as the road is wide, and a little.
    assert all(w.height <= 1 + 2 * 12 and w.width <= 64 + 2 * 12 for w in ridge)
    if edge == 254:  # a mask that is sure of all its pixels has no medians: one look
        assert medians == again
        return
    assert medians[0] == again[0]
    # 4 m to either side and the reach of the blur: the blocks around the road, whose margin holds some.
    assert {w.row for w in medians[1:]} == {64 - 12}
    assert all(w.height <= 64 + 2 * 12 and w.width <= 64 + 2 * 12 for w in medians[1:])


@pytest.mark.shared
@pytest.mark.skipif(not ROADS.exists(), reason="needs the development data set beside the checkout")
def test_real_masks_give_sound_networks() -> None:
    cv2 = pytest.importorskip("cv2")
    for path in sorted(ROADS.glob("*_mask.png"))[5:400:40]:
        check_sound(network_of(cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) > 127, VectorizeParams()))


@pytest.mark.slow
@pytest.mark.parametrize("block", range(10))
def test_no_lines_cross_without_a_node(block: int) -> None:
    for seed in range(20 * block, 20 * block + 20):
        check_levels(drawn_levels(seed))
        check_levels(drawn_network(seed))


@pytest.mark.shared
@pytest.mark.skipif(not CROSSING.exists(), reason="needs the development data set beside the checkout")
@pytest.mark.parametrize("kind", ["cross", "self-cross", "width"])
def test_what_crossed_without_a_node(kind: str) -> None:
    files = [*CROSSING.glob(f"{kind}-*.npz")]
    assert files
    for file in files:
        with np.load(file) as drawn:
            check_levels(drawn["lev"])


def test_widths_leave_bridges_out() -> None:
    widths = np.array([4.0, np.nan, 6.0, 5.0, np.nan, np.nan])
    assert medians_along(widths, np.array([0, 4, 6])).tolist() == [5.0, 0.0]


def test_confidence_is_mean_and_percentile() -> None:
    level = np.arange(0, 202, 2, dtype=np.uint8)
    mean, low = confidences(level, np.array([0, 101]))
    assert mean.tolist() == pytest.approx([level.mean() / 254])
    assert low.tolist() == pytest.approx([np.percentile(level, 5) / 254])
