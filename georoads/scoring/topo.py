"""TOPO: do both networks look alike, and lead to the same places, around many starting points?

Method: Biagioni and Eriksson, "Inferring road maps from global positioning system traces: survey and
comparative evaluation" (Transportation Research Record 2291, 2012), section on the evaluation of maps.

Strategy. From a seed on the reference the roads are followed in all directions up to a radius, and a hole is
dug at the seed and at each step, measured along the roads. The same is done with marbles from the nearest
place of the proposal. Holes and marbles are matched one to one. A missing junction or a gap keeps marbles
from all that lies behind it. Counts add up over all seeds; ratios are taken once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from georoads.grid import Points
from georoads.scoring.matching import harmonic, matched_count
from georoads.scoring.params import ScoreParams
from georoads.scoring.places import Places, locate, snap, spread
from georoads.scoring.road_graph import Indices, RoadGraph
from georoads.scoring.routes import Metres, Routes, chunks

_SAME_M = 1e-6
"""Lengths along the roads that differ by less are equal."""


@dataclass(frozen=True)
class Topo:
    """TOPO of a proposal against a reference, over all seeds together.

    Attributes:
        precision: matched marbles / marbles, of the seeds that lie near the proposal.
        recall: matched holes / holes, of all seeds; no hole of an unmatched seed is matched.
        f1: harmonic mean of the two.
        seeds: starting points on the reference that were used.
        possible_seeds: those from which they were drawn.
        unmatched_seeds: seeds too far from the proposal.
        holes, marbles, matched: their numbers.
    """

    precision: float
    recall: float
    f1: float
    seeds: int
    possible_seeds: int
    unmatched_seeds: int
    holes: int
    marbles: int
    matched: int


def topo(proposal: RoadGraph, reference: RoadGraph, params: ScoreParams) -> Topo:
    """TOPO precision, recall and F1; 1 when both networks are empty, 0 when one is."""
    if not reference.n_edges or not proposal.n_edges:
        both = float(not reference.n_edges and not proposal.n_edges)
        return Topo(both, both, both, 0, 0, 0, 0, 0, 0)
    possible = _possible_seeds(reference, params.topo_seed_every_m)
    chosen = np.random.default_rng(params.seed).permutation(len(possible))[: params.topo_seeds]
    seeds = possible[np.sort(chosen)]
    partners = snap(reference, seeds, proposal, params.topo_match_m)
    near = partners.edge >= 0
    holes = marbles = matched = 0
    here, there = Routes(reference), Routes(proposal)
    for part in chunks(len(seeds), reference, proposal):
        own, other = seeds[part], partners[part]
        rows = here.to_nodes(own, params.topo_radius_m)
        other_rows = iter(there.to_nodes(other[near[part]], params.topo_radius_m))
        for k in range(len(own)):
            dug = _reached(reference, own[k : k + 1], rows[k], params)
            holes += len(dug)
            if other.edge[k] < 0:
                continue
            rolled = _reached(proposal, other[k : k + 1], next(other_rows), params)
            marbles += len(rolled)
            matched += matched_count(dug, rolled, params.topo_match_m)
    precision = matched / marbles if marbles else 0.0
    recall = matched / holes
    unmatched = int((~near).sum())
    f1 = harmonic(precision, recall)
    return Topo(precision, recall, f1, len(seeds), len(possible), unmatched, holes, marbles, matched)


def _possible_seeds(graph: RoadGraph, every_m: float) -> Places:
    """The middles of equal parts of each edge, so that each metre of road has the same chance."""
    parts = np.maximum(np.ceil(graph.length_m / every_m - _SAME_M), 1).astype(np.int64)
    return spread(parts, graph, middles=True)


def _reached(graph: RoadGraph, seed: Places, node_m: Metres, params: ScoreParams) -> Points:
    """(K, 2) places at whole steps along the roads from the seed, up to the radius; each place once.

    On an edge the distance from the seed grows from both ends towards a summit. So the places are counted
    from either end up to there; those that fall on nodes are taken with the nodes.
    """
    step, radius = params.topo_step_m, params.topo_radius_m
    near = np.flatnonzero(np.isfinite(node_m))  # a few of all nodes: what follows looks at no others
    edge, begin, length, ends_m = _stretches(graph, seed, node_m, near)
    summit = np.clip((ends_m[:, 1] + length - ends_m[:, 0]) / 2, 0.0, length)
    upward = np.minimum(summit + _SAME_M, length - _SAME_M)
    downward = np.minimum(length - summit - _SAME_M, length - _SAME_M)
    rising, rise = _steps(ends_m[:, 0], upward, step, radius)
    falling, fall = _steps(ends_m[:, 1], downward, step, radius)
    on_edges = Places(
        np.concatenate((edge[rising], edge[falling])),
        np.concatenate((begin[rising] + rise, begin[falling] + length[falling] - fall)),
    )
    near_m = node_m[near]
    whole = np.abs(near_m - step * np.rint(near_m / step)) <= _SAME_M
    on_nodes = graph.node_xy[near[whole & (near_m <= radius + _SAME_M)]]
    # Where the seed is a node itself, it is among the nodes.
    is_node = bool((near_m <= _SAME_M).any())
    start = np.empty((0, 2)) if is_node else locate(graph, seed)
    return np.concatenate((start, on_nodes, locate(graph, on_edges)))


def _stretches(
    graph: RoadGraph, seed: Places, node_m: Metres, near: Indices
) -> tuple[Indices, Metres, Metres, Metres]:
    """Edges at the nodes in reach, that of the seed in two: edge, begin, length, metres at the ends."""
    here, at = int(seed.edge[0]), float(seed.along_m[0])
    touched = graph.edges_at(near)
    touched = touched[touched != here]
    whole = graph.length_m[here]
    edge = np.concatenate((touched, [here, here]))
    begin = np.concatenate((np.zeros(len(touched)), [0.0, at]))
    length = np.concatenate((graph.length_m[touched], [at, whole - at]))
    first_m, last_m = node_m[graph.edge_nodes[here]]
    own = [[first_m, 0.0], [0.0, last_m]]
    return edge.astype(np.int64), begin, length, np.concatenate((node_m[graph.edge_nodes[touched]], own))


def _steps(end_m: Metres, up_to: Metres, step: float, radius: float) -> tuple[Indices, Metres]:
    """Whole steps after the end of each stretch: which stretch, and metres from its end (above 0)."""
    known = np.where(np.isfinite(end_m), end_m, radius)
    first = np.floor((known + _SAME_M) / step) + 1
    last = np.floor((np.minimum(known + up_to, radius + _SAME_M)) / step)
    count = np.where(np.isfinite(end_m), np.maximum(last - first + 1, 0), 0).astype(np.int64)
    stretch = np.repeat(np.arange(len(end_m)), count)
    rank = np.arange(len(stretch)) - np.repeat(np.cumsum(count) - count, count)
    metres = (first[stretch] + rank) * step - known[stretch]
    return stretch.astype(np.int64), np.asarray(metres, dtype=np.float64)
