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
from georoads.scoring.places import Places, at_nodes, snap, spread
from georoads.scoring.road_graph import RoadGraph
from georoads.scoring.routes import Goals, Metres, Routes, chunks

LEAST_SHARE = 0.75
"""Edges shorter than this share of the spacing get no point between their ends; as the authors' code does."""
_LEAST_ROUTE_M = 1e-3
"""Routes shorter than this are no routes: their relative difference would be noise."""
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
    control_points: int
    snapped: int
    sources: int
    pairs: int
    missing: int


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
    """Average path length similarity; 1 when both networks are empty, 0 when one is."""
    first = _direction(reference, proposal, params)
    second = _direction(proposal, reference, params)
    return Apls(harmonic(first.score, second.score), first, second)


def control_points(graph: RoadGraph, spacing_m: float, min_curvature: float) -> Places:
    """The nodes, then points that divide edges into equal parts of at most ``spacing_m``.

    An edge shorter than 0.75 times the spacing is not divided, any other one at least halved. Only edges
    whose curvature |d - L| / L is ``min_curvature`` or more are divided; L is the length of the edge, d the
    diagonal of its bounding box. A loop is always halved: else its ends, one node, would be all of it.
    """
    nodes = at_nodes(graph)
    if not graph.n_edges:
        return nodes
    length = graph.length_m
    first = graph.offsets[:-1]
    box = np.maximum.reduceat(graph.points, first) - np.minimum.reduceat(graph.points, first)
    curvature = np.abs(np.hypot(box[:, 0], box[:, 1]) - length) / length
    parts = np.maximum(np.ceil((length - _TOLERANCE_M) / spacing_m), 2)
    parts[(length < LEAST_SHARE * spacing_m) | (curvature < min_curvature)] = 1
    loop = graph.edge_nodes[:, 0] == graph.edge_nodes[:, 1]
    parts[loop] = np.maximum(parts[loop], 2)
    between = spread(parts.astype(np.int64), graph, middles=False)
    return Places(
        np.concatenate((nodes.edge, between.edge)), np.concatenate((nodes.along_m, between.along_m))
    )


def _direction(graph: RoadGraph, other: RoadGraph, params: ScoreParams) -> Direction:
    points = control_points(graph, params.apls_spacing_m, params.apls_min_curvature)
    if not len(points):
        return Direction(0.0 if other.n_edges else 1.0, 0, 0, 0, 0, 0)
    partners = snap(graph, points, other, params.apls_snap_m)
    sources = np.arange(len(points))
    if len(points) > params.apls_all_pairs:
        chosen = np.random.default_rng(params.seed).permutation(len(points))[: params.apls_sources]
        sources = np.sort(chosen)
    costs, pairs, missing = np.zeros(len(sources)), 0, 0
    here, there = Routes(graph), Routes(other)
    goals, other_goals = Goals(graph, points), Goals(other, partners)
    for part in chunks(len(sources), graph, other):
        chunk = sources[part]
        rows = here.to_nodes(points[chunk])
        found = partners.edge[chunk] >= 0
        other_rows = np.full((len(chunk), len(other.node_xy)), np.inf)
        if found.any():
            other_rows[found] = there.to_nodes(partners[chunk[found]])
        for k, source in enumerate(chunk.tolist()):
            length = goals.metres(rows[k], int(points.edge[source]), float(points.along_m[source]))
            if found[k]:
                start = int(partners.edge[source]), float(partners.along_m[source])
                other_length = other_goals.metres(other_rows[k], *start)
            else:
                other_length = np.full(len(points), np.inf)
            route = np.isfinite(length) & (length >= _LEAST_ROUTE_M)
            length, other_length = length[route], other_length[route]
            costs[part.start + k] = _costs(length, other_length).sum()
            pairs += len(length)
            missing += int(np.isinf(other_length).sum())
    snapped = int((partners.edge >= 0).sum())
    # Networks without any route are specks of a millimetre: all that can be said is whether they are there.
    score = 1.0 - float(costs.sum()) / pairs if pairs else snapped / len(points)
    return Direction(score, len(points), snapped, len(sources), pairs, missing)


def _costs(length: Metres, other_length: Metres) -> Metres:
    """Cost 0..1 of each pair."""
    apart = np.abs(length - other_length)
    apart[apart < _SAME_M] = 0.0  # so that a network against itself is 1, not almost
    return np.asarray(np.minimum(apart / length, 1.0), dtype=np.float64)
