"""Average path length similarity (APLS): are the routes through both networks equally long?

Method: van Etten, Lindenbaum, Bacastow, "SpaceNet: A Remote Sensing Dataset and Challenge Series"
(arXiv:1807.01232, 2018), section 5. What other implementations do otherwise stands in docs/scoring.md.

Strategy. Control points are the nodes of one network and points along its edges. Each is snapped to the other
network. Shortest routes between all pairs of control points are compared with the routes between their
snapped partners: a pair costs min(1, |L - L'| / L), and 1 when a partner or the route is missing. The score
of a direction is 1 minus the mean cost. Both directions, reference onto proposal (missing roads) and proposal
onto reference (false roads), are joined by their harmonic mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from georoads.scoring.matching import harmonic
from georoads.scoring.params import ScoreParams
from georoads.scoring.places import Places, divide_edges, places_at_nodes, snap
from georoads.scoring.road_graph import Indices, RoadGraph
from georoads.scoring.routes import Destinations, Metres, Routes, chunks

LEAST_SHARE = 0.75
"""Edges shorter than this share of the spacing get no point between their ends; as the authors' code does."""
_SAME_M = 1e-6
"""Routes whose lengths differ by less are equally long."""
_TOLERANCE_M = 0.01
"""An edge that is longer than a multiple of the spacing by less has no more points for it."""


@dataclass(frozen=True)
class Direction:
    """APLS of one network's routes on the other network.

    Attributes:
        score: 0..1, 1 minus the mean cost of the pairs.
        control_points: how many there are on the first network.
        snapped: how many of them lie near enough to the second one.
        sources: of how many of them the routes were followed to all others.
        pairs: routes that were compared.
        missing: those of them that have no counterpart.
    """

    score: float
    control_points: int = 0
    snapped: int = 0
    sources: int = 0
    pairs: int = 0
    missing: int = 0


@dataclass(frozen=True)
class Apls:
    """APLS of a proposal against a reference.

    Attributes:
        score: 0..1, harmonic mean of the two directions.
        reference_onto_proposal: routes of the reference; low where roads or junctions are missing.
        proposal_onto_reference: routes of the proposal; low where roads or junctions are false.
    """

    score: float
    reference_onto_proposal: Direction
    proposal_onto_reference: Direction


def apls(proposal: RoadGraph, reference: RoadGraph, params: ScoreParams) -> Apls:
    """Average path length similarity of two networks.

    Args:
        proposal: the network to be judged.
        reference: the truth.
        params: spacing and snapping distance of the control points, and how many are drawn.

    Returns:
        The score and how it came about; 1 when both networks are empty, 0 when one is.
    """
    first = _score_direction(reference, proposal, params)
    second = _score_direction(proposal, reference, params)
    return Apls(harmonic(first.score, second.score), first, second)


def control_points(
    graph: RoadGraph, spacing_m: float, min_curvature: float, *, halve_loops: bool = True
) -> Places:
    """The nodes, then points that divide edges into equal parts.

    An edge shorter than 0.75 times the spacing is not divided, any other one at least halved.

    Args:
        graph: the network.
        spacing_m: the parts are at most so long.
        min_curvature: only edges whose curvature |d - L| / L is this or more are divided; L is the length of
            the edge, d the diagonal of its bounding box.
        halve_loops: whether loops are at least halved: else a short one's ends, one node, are all of it.
    """
    nodes = places_at_nodes(graph)
    if not graph.n_edges:
        return nodes
    length = graph.length_m
    # The curvature of each edge, from its length and its bounding box.
    first = graph.offsets[:-1]
    box = np.maximum.reduceat(graph.points, first) - np.minimum.reduceat(graph.points, first)
    curvature = np.abs(np.hypot(box[:, 0], box[:, 1]) - length) / length
    # How many parts each edge is divided into.
    parts = np.maximum(np.ceil((length - _TOLERANCE_M) / spacing_m), 2)
    parts[(length < LEAST_SHARE * spacing_m) | (curvature < min_curvature)] = 1
    loop = (graph.edge_nodes[:, 0] == graph.edge_nodes[:, 1]) & halve_loops
    parts[loop] = np.maximum(parts[loop], 2)
    between = divide_edges(graph, parts.astype(np.int64), middles=False)
    return Places(
        np.concatenate((nodes.edge, between.edge)), np.concatenate((nodes.along_m, between.along_m))
    )


def _score_direction(graph: RoadGraph, other: RoadGraph, params: ScoreParams) -> Direction:
    """Compare the routes between the control points of ``graph`` with those on the other network."""
    points = control_points(graph, params.apls_spacing_m, params.apls_min_curvature)
    if not len(points):
        return Direction(0.0 if other.n_edges else 1.0)
    partners = snap(graph, points, other, params.apls_snap_m)
    sources = np.arange(len(points))
    if len(points) > params.apls_all_pairs:
        chosen = np.random.default_rng(params.seed).permutation(len(points))[: params.apls_sources]
        sources = np.sort(chosen)
    return compare_routes(graph, points, other, partners, sources, params.apls_least_route_m)


def compare_routes(
    graph: RoadGraph, points: Places, other: RoadGraph, partners: Places, sources: Indices, least_m: float
) -> Direction:
    """Compare the routes between places of one network with those between their partners on another.

    Args:
        graph: the network whose routes are looked at.
        points: (N,) places on it, one at least.
        other: the network that should have the same routes.
        partners: (N,) the places on it that stand for the points; of edge -1 where none does.
        sources: (S,) int64, the points from which routes are followed to all points.
        least_m: shorter routes are no routes: the relative difference of millimetres would be noise.
    """
    costs, pairs, missing = np.zeros(len(sources)), 0, 0
    here, there = Routes(graph), Routes(other)
    goals, other_goals = Destinations(graph, points), Destinations(other, partners)
    for part in chunks(len(sources), len(graph.node_xy), len(other.node_xy)):
        chunk = sources[part]
        # From each source to the nodes of both networks; inf on the other one where it has no partner there.
        rows = here.lengths_to_nodes(points[chunk])
        found = partners.edge[chunk] >= 0
        other_rows = np.full((len(chunk), len(other.node_xy)), np.inf)
        if found.any():
            other_rows[found] = there.lengths_to_nodes(partners[chunk[found]])
        for k, source in enumerate(chunk.tolist()):
            # From the nodes on to all control points, and to their partners.
            length = goals.route_lengths(rows[k], points, source)
            other_length = other_goals.route_lengths(other_rows[k], partners, source)
            route = np.isfinite(length) & (length >= least_m)
            length, other_length = length[route], other_length[route]
            costs[part.start + k] = route_costs(length, other_length).sum()
            pairs += len(length)
            missing += int(np.isinf(other_length).sum())
    snapped = int((partners.edge >= 0).sum())
    # Networks without any route are specks of a millimetre: all that can be said is whether they are there.
    score = 1.0 - float(costs.sum()) / pairs if pairs else snapped / len(points)
    return Direction(
        score=score,
        control_points=len(points),
        snapped=snapped,
        sources=len(sources),
        pairs=pairs,
        missing=missing,
    )


def route_costs(length: Metres, other_length: Metres) -> Metres:
    """(K,) float64 in 0..1: the cost of each pair, from the lengths (K,) of its two routes."""
    apart = np.abs(length - other_length)
    apart[apart < _SAME_M] = 0.0  # so that a network against itself is 1, not almost
    return np.asarray(np.minimum(apart / length, 1.0), dtype=np.float64)
