"""Spurs, crossings, gaps and islands, on drawn and rasterized roads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_drawings import RAW, bar, drawn, drawn_network, network_of
from network_steps import anchors_of, graph_of, lines_of, traced
from numpy.typing import NDArray
from soundness import check_levels

from georoads.grid import Points
from georoads.network.graph.bridge import bridge_gaps
from georoads.network.graph.clean import drop_islands, merge_junctions, prune_spurs
from georoads.network.graph.dissolve import dissolve
from georoads.network.graph.graph import Graph
from georoads.network.lines.straighten import straighten_junctions
from georoads.network.params import VectorizeParams
from georoads.network.types import PIXELS, NodeKind, PixelSize

Ends = tuple[tuple[float, float], tuple[float, float]]


COMB = """
    ........................
    ....#...................
    ....#......#............
    ....#......#......#.....
    ....#......#......#.....
    ########################
    ........................
    """
"""A road with teeth of 4, 3 and 2 pixels."""


def test_spurs_shorter_than_the_limit_go_and_the_road_becomes_one_edge() -> None:
    graph = prune_spurs(lines_of(COMB), PIXELS, 10).drop_lone_nodes()
    assert graph.n_edges == 1
    assert graph.node_xy.tolist() == [[0.5, 5.5], [23.5, 5.5]]
    assert graph.lengths().tolist() == [23.0]


def test_longer_dead_ends_stay() -> None:
    graph = prune_spurs(lines_of(COMB), PIXELS, 3.5).drop_lone_nodes()
    assert graph.n_edges == 3
    assert graph.degree().tolist().count(3) == 1


@pytest.mark.parametrize(("p", "edges"), [(1.0, 3), (0.6, 1)])
def test_a_short_dead_end_stays_where_it_is_sure_and_goes_where_it_is_not(p: float, edges: int) -> None:
    # A street of 12 m, of p = 1 or of p = 0.6: 12 sure metres, or 2.4.
    levels = np.zeros((60, 160), np.uint8)
    levels[40:48] = 254
    levels[12:40, 76:84] = round(254 * p)
    assert network_of(levels, replace(RAW, sure_m=6.0)).n_edges == edges
    assert network_of(levels, RAW).n_edges == 3


def test_a_doubtful_dead_end_loses_its_gap_and_keeps_what_is_sure_beyond() -> None:
    """
    ==============================     the road
                ::                     40 m of faint ground
                ||                     a sure street of 15 m
    """
    levels = np.zeros((180, 160), np.uint8)
    levels[20:28] = 254
    levels[28:108, 76:84] = 50
    levels[108:142, 76:84] = 254
    joined = replace(RAW, reach_m=60.0)
    assert network_of(levels, joined).n_edges == 3
    network = network_of(levels, replace(joined, sure_m=6.0))
    assert network.n_edges == 2
    assert network.bridged_m.sum() == 0


def test_of_a_fork_the_longer_branch_stays() -> None:
    graph = lines_of(
        """
        .................#...
        ................#....
        ################.....
        ................#....
        .....................
        """
    )
    graph = prune_spurs(graph, PIXELS, 5).drop_lone_nodes()
    assert graph.n_edges == 1
    assert sorted(graph.node_xy.tolist()) == [[0.5, 2.5], [17.5, 0.5]]


def test_a_short_road_to_the_scenes_edge_is_no_spur() -> None:
    mask = bar((60, 80), (2, 8.5), (78, 8.5), 5) | bar((60, 80), (40.5, -5), (40.5, 9), 3)
    graph = graph_of(mask, anchored=True)
    graph = prune_spurs(dissolve(graph), PIXELS, 20).drop_lone_nodes()
    assert graph.anchored.sum() == 1
    assert graph.degree().tolist().count(3) == 1


def test_a_road_along_the_scenes_edge_gets_no_stub() -> None:
    mask = bar((60, 80), (8, 4), (72, 4), 8)
    assert len(anchors_of(mask)) == 1
    graph = graph_of(mask, anchored=True)
    graph = prune_spurs(dissolve(graph), PIXELS, 5).drop_lone_nodes()
    assert graph.n_edges == 1
    assert not graph.anchored.any()


def test_a_wide_crossing_is_one_junction() -> None:
    shape = (120, 120)
    mask = bar(shape, (0, 60), (120, 60), 13) | bar(shape, (30, 0), (90, 120), 13)
    graph = dissolve(graph_of(mask))
    graph = prune_spurs(graph, PIXELS, 10)
    merged = merge_junctions(graph).drop_lone_nodes()
    assert sorted(merged.degree().tolist()) == [1, 1, 1, 1, 4]
    centre = straighten_junctions(merged, shape).node_xy[merged.degree() == 4][0]
    assert centre.tolist() == pytest.approx([60, 60], abs=1.0)


def test_a_t_junction_lies_on_the_straight_road() -> None:
    mask = bar((100, 160), (5, 30.5), (155, 30.5), 11) | bar((100, 160), (80.5, 30), (80.5, 95), 11)
    network = network_of(mask, replace(RAW, spur_m=10), gsd=1.0)
    node = network.node_xy[network.node_kind == NodeKind.JUNCTION]
    assert node.tolist() == [pytest.approx([80.5, 30.5], abs=1.0)]


def test_a_dead_end_has_no_hook() -> None:
    # Cut off aslant: the skeleton runs into the sharp corner.
    mask = bar((80, 160), (20.5, 40.5), (140.5, 40.5), 11)
    x, y = np.meshgrid(np.arange(160), np.arange(80))
    mask &= x + y < 170
    network = network_of(mask, replace(RAW, spur_m=10), gsd=1.0)
    assert network.n_edges == 1
    assert np.abs(network.node_xy[:, 1] - 40.5).max() <= 1.0


def sure_of(points: Points) -> NDArray[np.uint8]:
    """p = 1 everywhere."""
    return np.full(len(points), 254, np.uint8)


def inside(text: str) -> Graph:
    """The drawing, far from the raster's edge."""
    return traced(np.pad(drawn(text), 5))


def test_a_gap_between_facing_ends_is_bridged_once() -> None:
    graph = inside("##########....########## ........................ #######.................")
    joined = bridge_gaps(graph, sure_of, PIXELS, 10).drop_lone_nodes()
    assert sorted(joined.bridged_px.tolist()) == [0.0, 5.0]
    assert sorted(joined.lengths().tolist()) == [6.0, 23.0]
    assert bridge_gaps(graph, sure_of, PIXELS, 4).n_edges == 3


def test_a_gap_shorter_than_the_road_is_wide_needs_no_direction() -> None:
    mask = bar((60, 120), (10, 30.5), (60, 30.5), 7)
    mask |= bar((60, 120), (62, 34.5), (110, 34.5), 7)
    mask[:, 59:62] = False
    graph = dissolve(graph_of(mask))
    assert bridge_gaps(graph, sure_of, PIXELS, 15).n_edges == 1


def test_no_gap_is_bridged_at_the_scenes_edge() -> None:
    graph = lines_of("##########....##########")
    assert bridge_gaps(graph, sure_of, PIXELS, 10).n_edges == 2


def test_ends_that_do_not_face_each_other_are_left() -> None:
    graph = inside("#########.......... ................... ................... ..........#########")
    assert bridge_gaps(graph, sure_of, PIXELS, 10).n_edges == 2


def test_islands_are_judged_by_their_total_length() -> None:
    graph = lines_of("#####....### ..#......... ..#.........")
    kept = drop_islands(graph, PIXELS, 5).drop_lone_nodes()
    assert kept.n_edges == 3
    assert drop_islands(graph, PIXELS, 7).n_edges == 0
    assert drop_islands(graph, PixelSize(3.0, 3.0), 6).n_edges == 4


def test_a_ring_survives_when_its_stem_is_pruned() -> None:
    graph = lines_of(
        """
        ..####..
        .#....#.
        #......#
        .#....#.
        ..####..
        ....#...
        ....#...
        """
    )
    pruned = prune_spurs(graph, PIXELS, 5).drop_lone_nodes()
    assert pruned.is_loop.tolist() == [True]
    assert pruned.degree().tolist() == [2]


def test_dissolving_joins_lengths_and_bridges() -> None:
    graph = lines_of("##### ..#.. ..#..")
    graph = replace(graph, bridged_px=np.array([1.0, 2.0, 4.0]))
    joined = dissolve(graph.keep_edges(np.array([True, False, True])))
    assert joined.bridged_px.tolist() == [5.0]
    assert joined.lengths().tolist() == [4.0]
    assert joined.edge_nodes.tolist() == [[0, 3]]


def test_a_gap_before_the_side_of_a_road_is_closed_at_its_middle() -> None:
    mask = bar((160, 300), (-5, 30.5), (305, 30.5), 13) | bar((160, 300), (150.5, 50), (150.5, 165), 7)
    network = network_of(mask, VectorizeParams())
    kinds = sorted(NodeKind(int(k)).label for k in network.node_kind)
    assert kinds == ["junction", "scene_edge", "scene_edge", "scene_edge"]
    junction = network.node_xy[network.node_kind == NodeKind.JUNCTION][0]
    assert np.abs(junction - [150.5, 30.5]).max() < 1.5
    side = int(np.argmax(network.bridged_m))
    # From its skeleton's end to the middle.
    assert network.bridged_m[side] == pytest.approx(0.5 * 22, abs=2.0)
    assert (np.delete(network.bridged_m, side) == 0).all()
    assert network_of(mask, VectorizeParams(bridge_m=3)).n_edges == 2


def test_a_dead_end_beside_a_road_that_it_does_not_point_at_stays() -> None:
    mask = bar((160, 300), (-5, 30.5), (305, 30.5), 9) | bar((160, 300), (40, 50.5), (220, 50.5), 7)
    assert network_of(mask, VectorizeParams()).n_edges == 2


def test_two_roads_may_join_the_same_side_at_two_places() -> None:
    mask = bar((200, 300), (-5, 100.5), (305, 100.5), 9)
    mask |= bar((200, 300), (90.5, 116), (90.5, 205), 7) | bar((200, 300), (210.5, -5), (210.5, 85), 7)
    network = network_of(mask, VectorizeParams())
    assert network.n_edges == 5
    assert sorted(network.degree().tolist()) == [1, 1, 1, 1, 3, 3]


@pytest.mark.parametrize(
    ("one", "other"),
    [(((17, 73), (60, 60)), ((105, 40), (61, 48))), (((16, 53), (60, 60)), ((105, 39), (63, 55)))],
)
def test_two_dead_ends_that_pass_each_other_become_one_road(one: Ends, other: Ends) -> None:
    """Joined once, and without the stub that is left of an end beyond the place where it was joined."""
    mask = bar((120, 120), *one, 5) | bar((120, 120), *other, 5)
    network = network_of(mask, replace(RAW, bridge_m=10, spur_m=5))
    assert network.n_edges == 1
    assert network.bridged_m[0] > 0


def test_a_gap_close_to_a_lines_end_is_opened_and_the_pruning_ends() -> None:
    # Three points were seen before the gap: less than half the road's width, where no line is cut.
    check_levels(drawn_network(1201992986))
