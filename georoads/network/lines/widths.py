"""How wide each road is: measured where nothing but the road itself lies beside its line.

Beside a junction the chord across a road runs into the other roads. So widths are measured away from
junctions; a line that is too short for that takes the widths of the roads that go straight on from its two
ends, and so do bridges, below which nobody saw a road.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points
from georoads.network.graph.graph import Graph

CLEAR_RADII = 1.5
"""So many half widths of a junction away, a chord does not run into its other roads."""

LEAST_POINTS = 3
"""A width is the median of at least so many chords."""


def road_widths(graph: Graph) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(E,) width of each road in pixels, above 0, and (E,) its spread; 0 where the width is its neighbours'.

    The width is the median along the line. The spread is 1.4826 times the median distance from it, which
    equals the standard deviation of a normal distribution.
    """
    reach = CLEAR_RADII * np.where(graph.degree() >= 3, graph.node_radius, 0.0)[graph.edge_nodes]
    width, spread = _clear_widths(graph.xy, graph.width, graph.offsets, reach)
    # Where each line leads from its ends, and the lines' ends node after node.
    heading = graph.lead_points(2 * graph.node_radius) - graph.node_xy[graph.edge_nodes]
    order = np.argsort(graph.edge_nodes.ravel(), kind="stable")
    starts = np.searchsorted(graph.edge_nodes.ravel()[order], np.arange(graph.n_nodes + 1))
    width = _take_from_neighbours(width, graph.edge_nodes, heading.reshape(-1, 2), order, starts)
    # Networks of which no line is long enough: whatever lies across.
    whole = graph.median_widths()
    whole = np.where(whole > 0, whole, np.maximum(2 * graph.node_radius[graph.edge_nodes].max(axis=1), 1.0))
    return np.where(np.isnan(width), whole, width), spread


def no_wider_than_long(
    width: NDArray[np.float64], length: NDArray[np.float64], edge_nodes: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Widths, of which none is larger than the line's length unless a road that it joins is as wide.

    Args:
        width: (E,) float64.
        length: (E,) float64, in the same unit.
        edge_nodes: (E, 2) int64, the nodes that the lines join.
    """
    short = width > length
    if not short.any():
        return width
    widest = np.zeros(int(edge_nodes.max()) + 1)
    np.maximum.at(widest, edge_nodes[~short], width[~short, None])
    beside = widest[edge_nodes].max(axis=1)
    return np.where(short, np.minimum(width, np.maximum(length, beside)), width)


@compiled
def _take_from_neighbours(
    width: NDArray[np.float64],
    edge_nodes: NDArray[np.int64],
    heading: Points,
    order: NDArray[np.int64],
    starts: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Widths where NaN became the mean of what goes straight on from both ends, from known ones outwards.

    Args:
        width: (E,) float64.
        edge_nodes: (E, 2) int64.
        heading: (2 E, 2) float64, where the lines lead from their first and from their last point.
        order: (2 E,) int64, rows of ``heading`` by their node.
        starts: (N + 1,) int64; of node i those in order[starts[i]:starts[i + 1]].
    """
    known, has_found = width.copy(), True
    while has_found:
        has_found = False
        for edge in np.flatnonzero(np.isnan(known)):
            total, count = 0.0, 0
            for end in (2 * edge, 2 * edge + 1):
                # Of the roads that meet there the one that is most opposite.
                best, straight = 2.0, -1
                node = edge_nodes[edge, end % 2]
                for other in order[starts[node] : starts[node + 1]]:
                    cos = _cosine(heading[end], heading[other])
                    if other // 2 != edge and not np.isnan(known[other // 2]) and cos < best:
                        best, straight = cos, other // 2
                if straight >= 0:
                    total += known[straight]
                    count += 1
            if count:
                width[edge], has_found = total / count, True
        known = width.copy()
    return width


@compiled
def _cosine(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Of the angle between two directions; 1 where one of them is none."""
    size = np.sqrt((a * a).sum() * (b * b).sum())
    return float((a * b).sum() / size) if size > 0 else 1.0


@compiled
def _clear_widths(
    xy: Points, width: NDArray[np.float64], offsets: NDArray[np.int64], reach: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(E,) median, NaN where there are too few, and (E,) spread of the widths beyond reach, (E, 2), of both
    ends; NaN entries are left out."""
    median, spread = np.full(len(reach), np.nan), np.zeros(len(reach))
    for edge in range(len(reach)):
        first, last = offsets[edge], offsets[edge + 1]
        along = np.zeros(last - first)
        for i in range(1, last - first):
            step = xy[first + i] - xy[first + i - 1]
            along[i] = along[i - 1] + np.hypot(step[0], step[1])
        clear = (along >= reach[edge, 0]) & (along[-1] - along >= reach[edge, 1])
        chords = width[first:last][clear]
        chords = chords[~np.isnan(chords)]
        if len(chords) >= LEAST_POINTS:
            median[edge] = np.median(chords)
            spread[edge] = 1.4826 * np.median(np.abs(chords - median[edge]))
    return median, spread
