"""Is a road network sound? What no user should find in a layer, and what is promised of one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import shapely
from network_drawings import network_of, same
from numpy.typing import NDArray

from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork

NEAR_PX = 1e-3
"""Where lines share a node, rounding may put their intersection so far beside it."""


@dataclass(frozen=True)
class Validity:
    """Faults of a network; all should be 0.

    Attributes:
        no_length: lines of no length.
        repeated_points: lines with the same point twice running.
        self_crossing: lines that touch or cross themselves (a ring's closing point is no fault).
        overlapping: pairs of lines that share a stretch.
        no_node: edges whose first or last point is not where its node is.
        crossing: pairs of lines that touch elsewhere than at a node of both.
    """

    no_length: int
    repeated_points: int
    self_crossing: int
    overlapping: int
    no_node: int
    crossing: int


def check(network: RoadNetwork) -> Validity:
    """Count the faults, in pixel coordinates."""
    points = [network.line(i) for i in range(network.n_edges)]
    lines = np.empty(len(points), np.object_)
    lines[:] = [shapely.LineString(p) for p in points]
    row = {int(n): i for i, n in enumerate(network.node_id)}
    ends = np.array([[row[int(n)] for n in pair] for pair in network.edge_nodes]).reshape(-1, 2)
    astray = [i for i, p in enumerate(points) if (p[[0, -1]] != network.node_xy[ends[i]]).any()]
    overlapping, crossing = _pairs(lines, ends, network)
    return Validity(
        no_length=int((shapely.length(lines) == 0).sum()) if len(lines) else 0,
        repeated_points=sum(bool((p[1:] == p[:-1]).all(axis=1).any()) for p in points),
        self_crossing=int((~shapely.is_simple(lines)).sum()) if len(lines) else 0,
        overlapping=overlapping,
        no_node=len(astray),
        crossing=crossing,
    )


def _pairs(lines: np.ndarray, ends: np.ndarray, network: RoadNetwork) -> tuple[int, int]:
    """Pairs that share a stretch, and pairs that touch elsewhere than at a common node."""
    if len(lines) < 2:
        return 0, 0
    a, b = shapely.STRtree(lines).query(lines, predicate="intersects")
    a, b = a[a < b], b[a < b]
    overlapping = crossing = 0
    for i, j, shared in zip(a, b, shapely.intersection(lines[a], lines[b]), strict=True):
        if shapely.length(shared) > NEAR_PX:
            overlapping += 1
            continue
        at = shapely.get_coordinates(shared)
        common = sorted(set(ends[i].tolist()) & set(ends[j].tolist()))
        nodes = network.node_xy[common]
        away = np.hypot(*(at[:, None, :] - nodes[None, :, :]).transpose(2, 0, 1)) if len(nodes) else None
        crossing += bool(away is None or (away.min(axis=1) > NEAR_PX).any())
    return overlapping, crossing


def check_sound(network: RoadNetwork) -> None:
    """Both ends of every edge are nodes; ids and order are those promised; and no fault is counted."""
    assert network.node_id.tolist() == list(range(1, network.n_nodes + 1))
    keys = [(y, x) for x, y in network.node_xy.tolist()]
    assert keys == sorted(keys)
    firsts = []
    for edge in range(network.n_edges):
        line, (a, b) = network.line(edge), network.edge_nodes[edge]
        assert (line[0] == network.node_xy[a - 1]).all()
        assert (line[-1] == network.node_xy[b - 1]).all()
        assert a <= b
        firsts.append((line[0, 1], line[0, 0]))
    assert firsts == sorted(firsts)
    assert (network.length_m > 0).all()
    assert set(np.unique(network.edge_nodes)) == set(network.node_id.tolist())
    assert not any(dataclasses.astuple(check(network))), check(network)
    assert (network.width_m > 0).all()
    assert (network.bridged_m <= network.length_m).all()
    for short in np.flatnonzero(network.width_m > network.length_m):
        meets = np.isin(network.edge_nodes, network.edge_nodes[short]).any(axis=1)
        others = np.flatnonzero(meets & (np.arange(network.n_edges) != short))
        assert (network.width_m[others] >= network.width_m[short]).any(), "wider than long"


def check_levels(levels: NDArray[np.uint8], block_px: int = 64) -> None:
    """The network that is traced at defaults is sound, and the same by small blocks."""
    network = network_of(levels, VectorizeParams())
    check_sound(network)
    assert same(network, network_of(levels, VectorizeParams(), block_px=block_px))
