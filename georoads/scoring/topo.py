"""TOPO: do both networks look alike, and lead to the same places, around many starting points?

Method: Biagioni and Eriksson, "Inferring road maps from global positioning system traces: survey and
comparative evaluation" (Transportation Research Record 2291, 2012), section on the evaluation of maps.

Strategy. From a seed on the reference the roads are followed in all directions up to a radius, and a hole is
dug at the seed and at each step, measured along the roads. The same is done with marbles from the nearest
place of the proposal. Holes and marbles are matched one to one. A missing junction or a gap keeps marbles
from all that lies behind it. Counts add up over all seeds; ratios are taken once. The other definition that
papers use takes the ratios of each seed and then their means; both are told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.ragged import ranks
from georoads.scoring.matching import harmonic, matched_count
from georoads.scoring.params import ScoreParams
from georoads.scoring.places import Places, divide_edges, locate, snap
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
        mean_precision, mean_recall, mean_f1: the other definition (He et al., "Sat2Graph", ECCV 2020): means
            over the seeds that lie near the proposal; the recall times the share of these seeds.
    """

    precision: float
    recall: float
    f1: float
    seeds: int = 0
    possible_seeds: int = 0
    unmatched_seeds: int = 0
    holes: int = 0
    marbles: int = 0
    matched: int = 0
    mean_precision: float = 0.0
    mean_recall: float = 0.0
    mean_f1: float = 0.0


def topo(proposal: RoadGraph, reference: RoadGraph, params: ScoreParams) -> Topo:
    """TOPO precision, recall and F1 of two networks.

    Args:
        proposal: the network to be judged.
        reference: the truth, on which the seeds lie.
        params: distances along the roads and between partners, and how many seeds are drawn.

    Returns:
        The score and its counts; 1 when both networks are empty, 0 when one is.
    """
    if not reference.n_edges or not proposal.n_edges:
        both = float(not reference.n_edges and not proposal.n_edges)
        return Topo(both, both, both, mean_precision=both, mean_recall=both, mean_f1=both)
    possible = _possible_seeds(reference, params.topo_seed_every_m)
    chosen = np.random.default_rng(params.seed).permutation(len(possible))[: params.topo_seeds]
    seeds = possible[np.sort(chosen)]
    partners = snap(reference, seeds, proposal, params.topo_match_m)
    near = partners.edge >= 0
    counts = np.zeros((len(seeds), 3), dtype=np.int64)  # holes, marbles and pairs of each seed
    here, there = Routes(reference), Routes(proposal)
    for part in chunks(len(seeds), len(reference.node_xy), len(proposal.node_xy)):
        # Metres from each seed, and from its partner where it has one, to the nodes in reach.
        own, other = seeds[part], partners[part]
        rows = here.lengths_to_nodes(own, params.topo_radius_m)
        other_rows = iter(there.lengths_to_nodes(other[near[part]], params.topo_radius_m))
        for k in range(len(own)):
            dug = _find_reached(reference, own[k : k + 1], rows[k], params)
            counts[part.start + k, 0] = len(dug)
            if other.edge[k] < 0:
                continue
            rolled = _find_reached(proposal, other[k : k + 1], next(other_rows), params)
            counts[part.start + k, 1:] = len(rolled), matched_count(dug, rolled, params.topo_match_m)
    return _sum_up(counts, near, len(possible))


def _sum_up(counts: Indices, near: NDArray[np.bool_], possible_seeds: int) -> Topo:
    """TOPO by both definitions.

    Args:
        counts: (S, 3) holes, marbles and pairs of each seed; a seed digs one hole at least.
        near: (S,) whether a seed has a place on the proposal, where it lays one marble at least.
        possible_seeds: from how many the seeds were drawn.
    """
    holes, marbles, matched = counts.sum(axis=0).tolist()
    precision, recall = matched / max(marbles, 1), matched / holes
    of_near = counts[near].astype(np.float64)
    mean_precision = float((of_near[:, 2] / of_near[:, 1]).sum()) / max(len(of_near), 1)
    # The mean over the seeds that are near, times their share, is the sum over all seeds.
    mean_recall = float((of_near[:, 2] / of_near[:, 0]).sum()) / len(near)
    return Topo(
        precision=precision,
        recall=recall,
        f1=harmonic(precision, recall),
        seeds=len(near),
        possible_seeds=possible_seeds,
        unmatched_seeds=int((~near).sum()),
        holes=holes,
        marbles=marbles,
        matched=matched,
        mean_precision=mean_precision,
        mean_recall=mean_recall,
        mean_f1=harmonic(mean_precision, mean_recall),
    )


def _possible_seeds(graph: RoadGraph, every_m: float) -> Places:
    """The middles of equal parts of each edge, so that each metre of road has the same chance."""
    parts = np.maximum(np.ceil(graph.length_m / every_m - _SAME_M), 1).astype(np.int64)
    return divide_edges(graph, parts, middles=True)


def _find_reached(graph: RoadGraph, seed: Places, node_m: Metres, params: ScoreParams) -> Points:
    """(K, 2) float64 metres: the places at whole steps along the roads from the seed, each once.

    On an edge the distance from the seed grows from both ends towards a summit. So the places are counted
    from either end up to there; those that fall on nodes are taken with the nodes.
    """
    step, radius = params.topo_step_m, params.topo_radius_m
    near = np.flatnonzero(np.isfinite(node_m))  # a few of all nodes: what follows looks at no others
    edges = _edges_in_reach(graph, seed, node_m, near)
    length, first_m, last_m = edges.length_m, edges.first_m, edges.last_m
    # How far along each edge the summit lies, and how far steps are counted from its first and last end.
    summit = np.clip((last_m + length - first_m) / 2, 0.0, length)
    upward = np.minimum(summit + _SAME_M, length - _SAME_M)
    downward = np.minimum(length - summit - _SAME_M, length - _SAME_M)
    rising, rise = _whole_steps(first_m, upward, step, radius)
    falling, fall = _whole_steps(last_m, downward, step, radius)
    on_edges = Places(
        np.concatenate((edges.edge[rising], edges.edge[falling])),
        np.concatenate((edges.begin_m[rising] + rise, edges.begin_m[falling] + length[falling] - fall)),
    )
    near_m = node_m[near]
    whole = np.abs(near_m - step * np.rint(near_m / step)) <= _SAME_M
    on_nodes = graph.node_xy[near[whole & (near_m <= radius + _SAME_M)]]
    # Where the seed is a node itself, it is among the nodes.
    is_node = bool((near_m <= _SAME_M).any())
    start = np.empty((0, 2)) if is_node else locate(graph, seed)
    return np.concatenate((start, on_nodes, locate(graph, on_edges)))


@dataclass(frozen=True)
class _EdgesInReach:
    """Edges, or parts of them, on which places can be reached from a seed.

    Attributes:
        edge: (N,) int64.
        begin_m: (N,) float64, where on its edge the part begins.
        length_m: (N,) float64, of the part.
        first_m, last_m: (N,) float64, metres from the seed to both ends of the part; inf where too far.
    """

    edge: Indices
    begin_m: Metres
    length_m: Metres
    first_m: Metres
    last_m: Metres


def _edges_in_reach(graph: RoadGraph, seed: Places, node_m: Metres, near: Indices) -> _EdgesInReach:
    """The edges that end at the nodes ``near``; that of the seed in two parts, before and behind it."""
    here, at = int(seed.edge[0]), float(seed.along_m[0])
    touched = graph.edges_at(near)
    touched = touched[touched != here]
    whole = graph.length_m[here]
    first_node, last_node = graph.edge_nodes[touched].T
    own_first_m, own_last_m = node_m[graph.edge_nodes[here]]
    return _EdgesInReach(
        edge=np.concatenate((touched, [here, here])).astype(np.int64),
        begin_m=np.concatenate((np.zeros(len(touched)), [0.0, at])),
        length_m=np.concatenate((graph.length_m[touched], [at, whole - at])),
        first_m=np.concatenate((node_m[first_node], [own_first_m, 0.0])),
        last_m=np.concatenate((node_m[last_node], [0.0, own_last_m])),
    )


def _whole_steps(end_m: Metres, up_to: Metres, step: float, radius: float) -> tuple[Indices, Metres]:
    """The whole steps from a seed that fall on parts of edges.

    Args:
        end_m: (N,) float64, metres from the seed to one end of each part; inf where it is too far.
        up_to: (N,) float64, metres from that end up to which steps are counted.
        step: metres of a step.
        radius: metres from the seed up to which steps are counted.

    Returns:
        (K,) int64, the part of each step, and (K,) float64, its metres from the end, above 0.
    """
    known = np.where(np.isfinite(end_m), end_m, radius)
    first = np.floor((known + _SAME_M) / step) + 1
    last = np.floor((np.minimum(known + up_to, radius + _SAME_M)) / step)
    count = np.where(np.isfinite(end_m), np.maximum(last - first + 1, 0), 0).astype(np.int64)
    part = np.repeat(np.arange(len(end_m)), count)
    metres = (first[part] + ranks(count)) * step - known[part]
    return part.astype(np.int64), np.asarray(metres, dtype=np.float64)
