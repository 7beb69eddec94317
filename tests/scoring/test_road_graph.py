"""Lines to graph: what is joined, what is not, and what does not count."""

from __future__ import annotations

import numpy as np
import pytest
from drawn_layers import LOCAL, graph, moved, random_town, redrawn, roads

from georoads.scoring.places import Places, locate, places_at_nodes, snap
from georoads.scoring.road_graph import RoadGraph, road_graph
from georoads.scoring.routes import Destinations, Routes


def shape(found: RoadGraph) -> tuple[list[int], list[float]]:
    """Degrees of the nodes and lengths of the edges, sorted."""
    return sorted(found.degree.tolist()), sorted(found.length_m.round(3).tolist())


def test_lines_are_joined_at_shared_vertices_only() -> None:
    #      |                 |
    #   ---+--- vertex    ---|--- none
    #      |                 |
    across = [(0, 0), (100, 0), (200, 0)]
    assert shape(graph(across, [(100, -50), (100, 0), (100, 50)])) == ([1, 1, 1, 1, 4], [50, 50, 100, 100])
    assert shape(graph(across, [(100, -50), (100, 50)])) == ([1, 1, 1, 1], [100, 200])
    # A side street that ends beside a vertex of the main road, on its line, is not joined either.
    assert shape(graph([(0, 0), (200, 0)], [(100, 0), (100, 50)])) == ([1, 1, 1, 1], [50, 200])


def test_long_straight_lines_that_cross_in_their_middle_are_not_joined() -> None:
    # Points that are put in between to follow the projection are no vertices.
    assert shape(graph([(-500, 0), (500, 0)], [(0, -500), (0, 500)])) == ([1, 1, 1, 1], [1000, 1000])
    assert len(graph([(-500, 0), (500, 0)]).points) == 5


def test_vertices_within_a_centimetre_are_one() -> None:
    assert shape(graph([(0, 0), (100, 0)], [(100.003, 0.004), (150, 0)])) == ([1, 1], [150])
    assert shape(graph([(0, 0), (100, 0)], [(100.03, 0), (150, 0)])) == ([1, 1, 1, 1], [49.97, 100])


def test_a_road_in_pieces_is_one_edge() -> None:
    assert shape(graph([(0, 0), (30, 0)], [(90, 0), (30, 0)], [(90, 0), (120, 40)])) == ([1, 1], [140])


def test_drawn_twice_counts_once_and_is_remembered() -> None:
    found = graph([(0, 0), (50, 0), (100, 0)], [(100, 0), (50, 0)])
    assert shape(found) == ([1, 1], [100])
    assert sorted(found.drawn.tolist()) == [1, 2]


def test_parallel_edges_loops_and_rings() -> None:
    #  --a====b    two ways of 100 and 107.703 m, and a loop of 120 m at b; without the tail, a is no node
    ways = [(0, 0), (100, 0)], [(0, 0), (50, 20), (100, 0)], [(100, 0), (140, 0), (140, 30), (100, 0)]
    assert shape(graph(*ways, [(-9, 0), (0, 0)])) == ([1, 3, 4], [9, 100, 107.703, 120])
    assert shape(graph(*ways)) == ([4], [120, 207.703])
    ring = graph([(0, 0), (100, 0), (100, 50)], [(100, 50), (0, 50), (0, 0)])
    assert shape(ring) == ([2], [300])
    eight = graph([(0, 0), (40, 30), (40, -30), (0, 0), (-40, 30), (-40, -30), (0, 0)])
    assert shape(eight) == ([4], [160, 160])


def test_empty() -> None:
    for layer in (roads(), roads([(5, 5), (5, 5)])):
        found = road_graph(layer, LOCAL)
        assert (found.n_edges, len(found.node_xy), len(found.points), len(found.pieces)) == (0, 0, 0, 0)


def test_direction_density_order_and_crs_do_not_count() -> None:
    town = random_town(3)
    expected = shape(road_graph(town, LOCAL))
    assert len(expected[0]) > 10
    assert shape(road_graph(redrawn(town, 3.0), LOCAL)) == expected
    pieces = [line.coords[k : k + 2] for line in town.lines for k in range(len(line.coords) - 1)]
    assert shape(road_graph(roads(*pieces), LOCAL)) == expected
    degrees, lengths = shape(road_graph(moved(town, "EPSG:32632"), LOCAL))
    assert degrees == expected[0]
    assert lengths == pytest.approx(expected[1], abs=2e-3)


def test_places_and_routes_by_hand() -> None:
    #             d
    #             | 60
    #  e--a--100--b--100--c      and a way around from a to b of 140
    main, street, around = [(-9, 0), (0, 0), (100, 0), (200, 0)], [(100, 0), (100, 60)], [(0, 0), (0, -20)]
    found = graph(main, street, [*around, (100, -20), (100, 0)])
    nodes = {tuple(xy): k for k, xy in enumerate(found.node_xy.round(6).tolist())}
    assert set(nodes) == {(-9, 0), (0, 0), (100, 0), (200, 0), (100, 60)}
    place = snap(found, places_at_nodes(found), found, 1.0)
    assert np.allclose(locate(found, place), found.node_xy)
    start = near(found, (50, -20))
    metres = Routes(found).lengths_to_nodes(start)[0]
    assert metres[nodes[(100, 60)]] == pytest.approx(50 + 20 + 60)
    assert metres[nodes[(200, 0)]] == pytest.approx(50 + 20 + 100)
    goal = near(found, (20, 0))
    row = Destinations(found, goal).route_lengths(metres, start, 0)
    assert row.tolist() == pytest.approx([50 + 20 + 20])
    assert np.isinf(Routes(found).lengths_to_nodes(start, limit_m=100)[0][nodes[(100, 60)]])


def near(found: RoadGraph, xy: tuple[float, float]) -> Places:
    """The place of a graph nearest to a point: through a speck of a road that lies there."""
    x, y = xy
    speck = graph([(x - 0.5, y), (x + 0.5, y)])
    return snap(speck, Places(np.array([0]), np.array([0.5])), found, 1.0)


def test_of_edges_that_cross_the_parallel_one_is_taken() -> None:
    over = graph([(0, 0), (200, 0)], [(100, -100), (100, 100)])
    middle = Places(np.array([0]), np.array([9.0]))
    flat, upright = graph([(91, 0), (109, 0)]), graph([(100, -9), (100, 9)])
    taken = [int(snap(g, middle, over, 4.0).edge[0]) for g in (flat, upright)]
    way = [over.pieces.end[over.pieces.line == e] - over.pieces.start[over.pieces.line == e] for e in taken]
    assert way[0][0, 1] == pytest.approx(0) and way[1][0, 0] == pytest.approx(0)


def test_nothing_is_near() -> None:
    here, far, none = graph([(0, 0), (9, 0)]), graph([(0, 50), (9, 50)]), graph()
    assert snap(here, places_at_nodes(here), far, 4.0).edge.tolist() == [-1, -1]
    assert snap(here, places_at_nodes(here), none, 4.0).edge.tolist() == [-1, -1]
