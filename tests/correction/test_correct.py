"""Edits of small drawn maps: one letter is one road, + is a place where roads meet, a cell is 10 m wide."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from drawn_maps import LOCAL, drawn
from hypothesis import given, settings
from hypothesis import strategies as st

from georoads.correction.correct import Corrected, correct
from georoads.correction.edits import EditKind, Edits
from georoads.correction.network import network_of
from georoads.errors import LayerError
from georoads.network.types import Carriageway, NodeKind
from georoads.output.read import RoadLines

TEE = """
    aaa+bbb
       c
       c
"""
Path = list[tuple[float, float]]


def edits_of(*edits: tuple[str, Path], p: float = np.nan) -> Edits:
    lines = np.empty(len(edits), dtype=object)
    lines[:] = [shapely.LineString(path) for _, path in edits]
    kinds = np.array([EditKind(kind) for kind, _ in edits], dtype=object)
    return Edits(RoadLines(lines, LOCAL, "edits"), kinds, np.full(len(edits), p))


def paths(corrected: Corrected) -> list[Path]:
    """The lines, each from its first end in reading order, in that order."""
    found = [[(float(x), float(y)) for x, y in np.round(piece.xy, 6)] for piece in corrected.pieces]
    return sorted(min(path, path[::-1]) for path in found)


def corners(path: Path) -> Path:
    """The points of a path without those on a straight stretch."""
    line = shapely.simplify(shapely.LineString(path), 1e-6)
    return [(float(x), float(y)) for x, y in line.coords]


def test_without_its_branch_a_road_is_one_again() -> None:
    corrected = correct(drawn(TEE), edits_of(("delete", [(30, 20), (30, 0)])))
    assert [corners(path) for path in paths(corrected)] == [[(0, 20), (60, 20)]]
    assert (corrected.deleted, corrected.added) == (1, 0)


def test_a_line_drawn_over_a_gap_joins_two_roads() -> None:
    """``aaa   bbb``: the ends are 1 m off, as they are where a person clicks."""
    roads = drawn(
        "aaa   bbb", columns={"width_m": [4.0, 8.0], "bridged_m": [1.0, 2.0], "confidence": [0.5, 0.9]}
    )
    corrected = correct(roads, edits_of(("add", [(20.5, 0.8), (35, 3), (60.6, 0.7)]), p=0.3))
    (road,) = corrected.pieces
    assert corners(paths(corrected)[0]) == [(0, 0), (20, 0), (35, 3), (60, 0), (80, 0)]
    gap = 2 * float(np.hypot(15, 3)) + float(np.hypot(25, 3)) - float(np.hypot(15, 3))
    assert road.values["bridged_m"] == 3.0
    assert road.values["confidence_p05"] == 0.3
    known = np.average([4.0, 6.0, 8.0], weights=[20, gap, 20])
    assert road.values["width_m"] == pytest.approx(known)
    assert corrected.joined == 2


def test_a_line_that_meets_a_road_between_its_ends_makes_a_junction() -> None:
    """
    ::

        aaaaaaa
           |      drawn, to 1 m below the road
    """
    corrected = correct(drawn("aaaaaaa"), edits_of(("add", [(30, -40), (30, -1)])))
    assert paths(corrected) == [
        [(0, 0), (10, 0), (20, 0), (30, 0)],
        [(30, -40), (30, 0)],
        [(30, 0), (40, 0), (50, 0), (60, 0)],
    ]
    network = network_of(corrected.pieces, LOCAL, {(60.0, 0.0): "scene_edge"})
    assert network.degree().tolist() == [1, 3, 1, 1]
    assert [NodeKind(kind) for kind in network.node_kind] == [
        NodeKind.END, NodeKind.JUNCTION, NodeKind.SCENE_EDGE, NodeKind.END,
    ]  # fmt: skip


def test_where_a_drawn_line_crosses_roads_there_are_nodes() -> None:
    """
    ::

        aaaaaaa
           |
        bbbbbbb
           |
    """
    roads = drawn("aaaaaaa\n\nbbbbbbb", columns={"bridged_m": [6.0, 0.0], "carriageway": ["left", None]})
    corrected = correct(roads, edits_of(("add", [(35, 40), (35, -20)])))
    assert [len(path) for path in paths(corrected)] == [5, 5, 2, 2, 4, 2, 4]
    west = next(piece for piece in corrected.pieces if piece.values["bridged_m"])
    assert west.values["bridged_m"] == pytest.approx(3.5) and west.carriageway is Carriageway.LEFT
    assert corrected.joined == 0


def test_a_line_drawn_through_a_crossing_uses_its_node() -> None:
    """Passing 1 m beside a node, a drawn line is led through it: two nodes 1 m apart help nobody."""
    corrected = correct(drawn(TEE), edits_of(("add", [(31, 60), (31, 21), (31, 20.5)])))
    ends = [path[i] for path in paths(corrected) for i in (0, -1)]
    assert ends.count((30, 20)) == 4


def test_two_drawn_lines_meet_each_other() -> None:
    corrected = correct(drawn(""), edits_of(("add", [(0, 0), (60, 0)]), ("add", [(30, 40), (30, 1.5)])))
    assert paths(corrected) == [[(0, 0), (30, 0)], [(30, 0), (30, 40)], [(30, 0), (60, 0)]]


def test_edits_of_another_layer_are_refused() -> None:
    with pytest.raises(LayerError, match="deleted line 1 is not in") as refused:
        correct(drawn(TEE), edits_of(("delete", [(0, 20), (33, 20)])))
    assert "georoads view" in refused.value.hint


CELL = st.integers(0, 6).map(lambda n: 10.0 * n)
DRAWN = st.lists(
    st.tuples(CELL, CELL, CELL, CELL).filter(lambda ends: ends[:2] != ends[2:]), min_size=1, max_size=6
)


@given(DRAWN)
@settings(deadline=None)
def test_no_two_lines_cross_without_a_node(ends: list[tuple[float, float, float, float]]) -> None:
    added = [("add", [(x0 + 0.3, y0), (x1, y1 + 0.4)]) for x0, y0, x1, y1 in ends]
    corrected = correct(drawn("aaa+bbb\n   c\n   c\n  ddddd"), edits_of(*added))
    lines = [shapely.LineString(piece.at) for piece in corrected.pieces]
    assert all(line.length > 0 for line in lines)
    for i, one in enumerate(lines):
        for other in lines[:i]:
            shared = shapely.get_coordinates(shapely.intersection(one, other))
            nodes = shapely.MultiPoint(
                [p for line in (one, other) for p in (line.coords[0], line.coords[-1])]
            )
            apart = shapely.distance(shapely.points(shared), nodes)
            assert (apart < 1e-6).all(), (one.wkt, other.wkt)
