"""Junctions and dead ends of two networks, matched one to one."""

from __future__ import annotations

from dataclasses import dataclass

from georoads.scoring.matching import harmonic, matched_count
from georoads.scoring.road_graph import RoadGraph


@dataclass(frozen=True)
class NodeScore:
    """Nodes (junctions and dead ends) of a proposal matched one to one with those of a reference.

    Attributes:
        precision: matched / proposal.
        recall: matched / reference.
        f1: harmonic mean of the two.
        reference, proposal, matched: numbers of nodes.
    """

    precision: float
    recall: float
    f1: float
    reference: int
    proposal: int
    matched: int


def match_nodes(proposal: RoadGraph, reference: RoadGraph, distance_m: float) -> NodeScore:
    """Match the nodes of two networks; those of degree 2, where a ring was opened, do not count.

    Args:
        proposal: the network to be judged.
        reference: the truth.
        distance_m: how far a node may lie from its partner.

    Returns:
        The score; 1 when neither network has a node, 0 when one has none.
    """
    a, b = (graph.node_xy[graph.degree != 2] for graph in (proposal, reference))
    matched = matched_count(a, b, distance_m)
    if len(a) and len(b):
        precision, recall = matched / len(a), matched / len(b)
    else:
        precision = recall = float(len(a) == len(b))
    f1 = harmonic(precision, recall)
    return NodeScore(precision, recall, f1, reference=len(b), proposal=len(a), matched=matched)
