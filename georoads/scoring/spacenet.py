"""APLS as the code of SpaceNet's authors computes it, for figures that stand beside those of papers.

Source: van Etten, Lindenbaum, Bacastow (arXiv:1807.01232, 2018), and the behaviour of the program that was
published with it (CosmiQ/apls), from reading it; none of its text is here.

Four things differ from ``apls``. Parts of a network whose longest route is below 5 m are dropped. A loop is
divided like any other edge. At one place of the other network only one control point can be: the program
gives the node there the name of the last one, and the earlier ones are lost. From 500 nodes of the reference
on, the control points of either network are 500 nodes drawn at random, and nothing else.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components

from georoads.ragged import rows_of, take
from georoads.scoring.apls import Apls, Direction, compare_routes, control_points
from georoads.scoring.matching import harmonic
from georoads.scoring.params import ScoreParams
from georoads.scoring.places import Places, places_at_nodes, snap
from georoads.scoring.road_graph import Indices, RoadGraph
from georoads.scoring.routes import Metres, Routes

LEAST_PART_M = 5.0
"""A part of a network whose longest route is shorter is dropped."""
_SAME_M = 1e-6
"""Places on an edge that are so near each other, or a node, are one."""


def apls_spacenet(proposal: RoadGraph, reference: RoadGraph, params: ScoreParams) -> Apls:
    """APLS of two networks, as SpaceNet's program has it.

    Args:
        proposal: the network to be judged.
        reference: the truth.
        params: spacing, least curvature and snapping distance of the control points; from ``apls_all_pairs``
            nodes of the reference on ``apls_sources`` nodes are drawn.

    Returns:
        The score and how it came about; 0 where a network is empty, both also.
    """
    proposal, reference = without_specks(proposal), without_specks(reference)
    if not proposal.n_edges or not reference.n_edges:
        return Apls(0.0, Direction(0.0), Direction(0.0))
    large = len(reference.node_xy) >= params.apls_all_pairs
    first = _score_direction(reference, proposal, params, large=large)
    second = _score_direction(proposal, reference, params, large=large)
    return Apls(harmonic(first.score, second.score), first, second)


def without_specks(graph: RoadGraph) -> RoadGraph:
    """The graph without the parts whose longest shortest route between two nodes is below 5 m.

    A ring without a junction has no second node; the longest route on it is half its length.
    """
    first, last = graph.edge_nodes.T
    n = len(graph.node_xy)
    joined = csr_matrix((np.ones(len(first), dtype=np.int8), (first, last)), shape=(n, n))
    parts, part = connected_components(joined, directed=False)
    # No route is longer than a part's roads together, nor shorter than the straight way between two nodes.
    total = np.bincount(part[first], graph.length_m, minlength=parts)
    keep = total >= LEAST_PART_M
    routes, nodes = Routes(graph), places_at_nodes(graph)
    for doubtful in np.flatnonzero(keep & (_box_diagonals(graph, part, parts) < LEAST_PART_M)).tolist():
        own = np.flatnonzero(part == doubtful)
        longest = float(routes.lengths_to_nodes(nodes[own])[:, own].max())
        keep[doubtful] = max(longest, total[doubtful] / 2 if len(own) == 1 else 0.0) >= LEAST_PART_M
    return graph if keep.all() else _only_edges(graph, np.flatnonzero(keep[part[first]]))


def _box_diagonals(graph: RoadGraph, part: Indices, parts: int) -> Metres:
    """(parts,) float64 metres: the diagonal of the box around the nodes of each part."""
    low, high = np.full((parts, 2), np.inf), np.full((parts, 2), -np.inf)
    np.minimum.at(low, part, graph.node_xy)
    np.maximum.at(high, part, graph.node_xy)
    return np.asarray(np.hypot(*(high - low).T), dtype=np.float64)


def _only_edges(graph: RoadGraph, edges: Indices) -> RoadGraph:
    """The graph of some edges, which are whole parts of it: no node loses an edge and keeps another."""
    nodes, edge_nodes = np.unique(graph.edge_nodes[edges], return_inverse=True)
    points, offsets = take(graph.offsets, edges)
    sizes = np.diff(graph.offsets)[edges]
    pieces = rows_of(graph.offsets[:-1][edges] - edges, sizes - 1)
    return RoadGraph(
        node_xy=graph.node_xy[nodes],
        degree=graph.degree[nodes],
        edge_nodes=edge_nodes.reshape(-1, 2).astype(np.int64),
        points=graph.points[points],
        offsets=offsets,
        drawn=graph.drawn[pieces],
    )


def _score_direction(graph: RoadGraph, other: RoadGraph, params: ScoreParams, *, large: bool) -> Direction:
    """Compare the routes between the control points of ``graph`` with those on the other network."""
    if large:
        nodes = np.random.default_rng(params.seed).permutation(len(graph.node_xy))[: params.apls_sources]
        points = places_at_nodes(graph)[np.sort(nodes)]
    else:
        spacing, curvature = params.apls_spacing_m, params.apls_min_curvature
        points = control_points(graph, spacing, curvature, halve_loops=False)
    partners = _one_each(other, snap(graph, points, other, params.apls_snap_m))
    sources = np.arange(len(points))
    return compare_routes(graph, points, other, partners, sources, params.apls_least_route_m)


def _one_each(graph: RoadGraph, places: Places) -> Places:
    """The places, of which those that a later one takes the place of are none (edge -1)."""
    found = np.flatnonzero(places.edge >= 0)
    edge, along = places.edge[found], places.along_m[found]
    length = graph.length_m[edge]
    # A place at an end is that node, whichever edge leads there; numbers below 0 keep it apart from edges.
    node = np.where(along <= _SAME_M, graph.edge_nodes[edge, 0], graph.edge_nodes[edge, 1])
    at_node = (along <= _SAME_M) | (along >= length - _SAME_M)
    whose = np.where(at_node, -1 - node, edge)
    where = np.where(at_node, 0, np.rint(along / _SAME_M)).astype(np.int64)
    # The last of each place: the first when the order is turned round.
    _, last = np.unique(np.column_stack((whose, where))[::-1], axis=0, return_index=True)
    stays = np.zeros(len(places), dtype=bool)
    stays[found[len(found) - 1 - last]] = True
    return Places(np.where(stays, places.edge, -1), places.along_m)
