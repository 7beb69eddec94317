"""Are junctions and dead ends where they should be?"""

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
    """Match nodes of any degree but 2 within a distance; 1 when both networks have none, 0 when one has."""
    a, b = (graph.node_xy[graph.degree != 2] for graph in (proposal, reference))
    if not len(a) or not len(b):
        both = float(not len(a) and not len(b))
        return NodeScore(both, both, both, len(b), len(a), 0)
    matched = matched_count(a, b, distance_m)
    precision, recall = matched / len(a), matched / len(b)
    return NodeScore(precision, recall, harmonic(precision, recall), len(b), len(a), matched)
