"""Axes: the lines along which wide areas of road lead.

They are made as the network is: skeleton, graph, spurs pruned, junctions merged. Then two edges that go
straight on in each other at a junction are one axis, and what ends there beside them is another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.graph.clean import merge_junctions, prune_spurs
from georoads.network.graph.courses import STRAIGHT_COS
from georoads.network.graph.dissolve import dissolve
from georoads.network.graph.graph import Graph
from georoads.network.graph.trace import trace
from georoads.network.lines.smooth import smooth
from georoads.network.mask.anchors import edge_anchors
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import RunMask, by_block
from georoads.network.skeleton.thin import thin
from georoads.network.types import PIXELS, BlockPlan

LEAD_RADII = 2.0
"""An edge's direction at a junction is taken over so many half widths."""

SMOOTH_RADII = 1.0
"""Axes are smoothed over this many half widths: a side road that joins does not bend a road's middle."""


@dataclass(frozen=True)
class AxisEnd:
    """How an axis ends.

    Attributes:
        leaves: whether the road leaves the scene there.
        meets: pixels of the junction's radius where it ends at another axis, else 0.
    """

    leaves: bool
    meets: float


@dataclass(frozen=True)
class Axis:
    """The middle of a wide area.

    Attributes:
        xy: (K, 2) float64, even steps of about a pixel.
        ends: the first and the last.
    """

    xy: Points
    ends: tuple[AxisEnd, AxisEnd]


def axes_of(areas: RunMask, road: RoadMask, radius_px: float, plan: BlockPlan) -> list[Axis]:
    """The axes of wide areas, longest ways first joined; closed ones are left out.

    Args:
        areas: see ``wide_areas``.
        road: the mask that they are of.
        radius_px: half the width that they have at least.
        plan: the blocks, on which the result does not depend.
    """
    anchors = edge_anchors(RoadMask(areas, road.nodata))
    skeleton = thin(areas, anchors, plan)
    graph = trace(skeleton, road, np.zeros(len(skeleton.pixels), np.uint8), anchors)
    graph = merge_junctions(prune_spurs(dissolve(graph), PIXELS, 2 * radius_px)).drop_lone_nodes()
    is_junction = graph.degree() >= 3
    graph = _through_junctions(graph, is_junction, 2 * LEAD_RADII * radius_px)
    meets = np.where(is_junction, graph.node_radius[: len(is_junction)], 0.0)
    return [_axis(graph, edge, meets, radius_px) for edge in np.flatnonzero(~graph.is_loop).tolist()]


def _through_junctions(graph: Graph, is_junction: NDArray[np.bool_], lead_px: float) -> Graph:
    """The graph whose edges that go straight on in each other at a junction, (N,) bool, are one edge."""
    lead = graph.lead_points(lead_px) - graph.node_xy[graph.edge_nodes]
    lead /= np.maximum(np.hypot(lead[..., 0], lead[..., 1]), 1e-9)[..., None]
    lead = lead.reshape(-1, 2)
    ends = np.flatnonzero(is_junction[graph.edge_nodes])
    node_of = graph.edge_nodes.ravel().copy()
    added: list[int] = []
    for node, here in by_block(node_of[ends]):
        for one, other in _straight_pairs(lead[ends[here]]):
            pair = ends[here[[one, other]]]
            if pair[0] // 2 != pair[1] // 2:
                node_of[pair] = graph.n_nodes + len(added)
                added.append(node)
    more = graph.with_nodes(graph.node_xy[added], graph.node_radius[added])
    return dissolve(replace(more, edge_nodes=node_of.reshape(-1, 2)))


def _straight_pairs(lead: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Pairs of (K, 2) directions that are most opposite, each in one pair only."""
    cos = lead @ lead.T
    one, other = np.nonzero(np.triu(cos < STRAIGHT_COS, 1))
    found: list[tuple[int, int]] = []
    for k in np.argsort(cos[one, other], kind="stable"):
        pair = int(one[k]), int(other[k])
        if not any(set(pair) & set(known) for known in found):
            found.append(pair)
    return found


def _axis(graph: Graph, edge: int, meets: NDArray[np.float64], radius_px: float) -> Axis:
    """One edge as an axis; ``meets``, (N,) float64, is the radius of junctions."""
    path = graph.xy[graph.offsets[edge] : graph.offsets[edge + 1]]
    a, b = graph.edge_nodes[edge].tolist()
    # Smoothing takes the detours of a path out of it, but leaves its points close together there.
    xy = smooth(smooth(path, False, SMOOTH_RADII * radius_px), False, 0.0)
    first, last = (AxisEnd(bool(graph.anchored[node]), float(meets[node])) for node in (a, b))
    return Axis(xy, (first, last))
