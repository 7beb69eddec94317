"""Courses: where the arms of junctions lead, seen beyond the bends that a skeleton has there.

A skeleton bends towards a side road at every junction, by up to half the road's width, over about the road's
width. So a line is fitted to a stretch of each arm that begins farther out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.network.graph.graph import Graph

FROM_RADII, TO_RADII = 2.0, 6.0
"""The stretch that a line is fitted to, in half widths from the junction."""

STRAY_PX, STRAY = 0.5, 0.025
"""A stretch is straight while its points lie within this of the line (RMS): pixels, or share of the bend."""

STRAIGHT_COS = -0.85
"""Two arms are one road where the cosine of the angle between them is below this (148 degrees)."""

CROSSING_SIN = 0.35
"""Two roads cross where the sine of the angle between them is above this (20 degrees)."""


@dataclass(frozen=True)
class Arms:
    """All ends of edges, node after node.

    Attributes:
        starts: (N + 1,) int64; the arms of node i are [starts[i], starts[i + 1]).
        edge: (A,) int64 rows of edges.
        begin: (A, 2) float64, a point on the arm's course, where the bend is over.
        way: (A, 2) float64, the direction of its course, away from the node; 0, 0 where there is none.
        trust: (A,) float64, 0 to 1: below 1 where the arm ends before its bend does.
    """

    starts: NDArray[np.int64]
    edge: NDArray[np.int64]
    begin: NDArray[np.float64]
    way: NDArray[np.float64]
    trust: NDArray[np.float64]


def arms_of(graph: Graph) -> Arms:
    """The arms of all nodes, with their courses."""
    radius = np.maximum(graph.node_radius[graph.edge_nodes].reshape(-1, 2), 1.0)
    half = graph.lengths()[:, None] / 2
    reach = np.stack((np.minimum(FROM_RADII * radius, half / 2), np.minimum(TO_RADII * radius, half)), axis=2)
    begin, way = _fit_lines(graph.xy, graph.offsets, reach)
    trust = np.minimum(1.0, half / (FROM_RADII * radius))
    ends = graph.edge_nodes.ravel()
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(graph.n_nodes + 1))
    return Arms(
        starts, order // 2, begin.reshape(-1, 2)[order], way.reshape(-1, 2)[order], trust.ravel()[order]
    )


@compiled
def _fit_lines(
    xy: NDArray[np.float64], offsets: NDArray[np.int64], reach: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The line with the least squared distances from a stretch of each path, at both of its ends.

    Args:
        xy: (P, 2) float64 points of all paths.
        offsets: (E + 1,) int64; path i is xy[offsets[i]:offsets[i + 1]].
        reach: (E, 2, 2) float64, how far from the first and from the last point the stretch begins and ends.

    Returns:
        (E, 2, 2) float64 points on the lines where the stretches begin, and (E, 2, 2) float64 directions.
    """
    begin, way = np.zeros((len(reach), 2, 2)), np.zeros((len(reach), 2, 2))
    for edge in range(len(reach)):
        first, last = offsets[edge], offsets[edge + 1] - 1
        for side in range(2):
            i, step = (first, 1) if side == 0 else (last, -1)
            along, weight, at = 0.0, 0.0, -1
            sums = np.zeros(5)
            while first <= i + step <= last and along < reach[edge, side, 1]:
                i += step
                size = np.hypot(xy[i, 0] - xy[i - step, 0], xy[i, 1] - xy[i - step, 1])
                along += size
                if along < reach[edge, side, 0]:
                    continue
                at = i if at < 0 else at
                # Seen from the stretch's first point: far from the origin squares would lose their digits.
                x, y = xy[i, 0] - xy[at, 0], xy[i, 1] - xy[at, 1]
                weight += size
                sums += size * np.array([x, y, x * x, x * y, y * y])
                # As far as the road is straight, but at least as far as the bend was long.
                stray = max(STRAY_PX, STRAY * reach[edge, side, 0])
                if weight > reach[edge, side, 0] and _stray(sums / weight) > stray:
                    break
            if weight == 0:
                continue
            x, y, xx, xy_, yy = sums / weight
            turn = 0.5 * np.arctan2(2 * (xy_ - x * y), (xx - x * x) - (yy - y * y))
            u, v = np.cos(turn), np.sin(turn)
            # Away from the node: from the stretch's first point to its last.
            if u * (xy[i, 0] - xy[at, 0]) + v * (xy[i, 1] - xy[at, 1]) < 0:
                u, v = -u, -v
            along = u * x + v * y
            begin[edge, side, 0], begin[edge, side, 1] = xy[at, 0] + x - along * u, xy[at, 1] + y - along * v
            way[edge, side, 0], way[edge, side, 1] = u, v
    return begin, way


@compiled
def _stray(moments: NDArray[np.float64]) -> float:
    """Root mean square distance from the best line, of points with these means of x, y, xx, xy and yy."""
    x, y = moments[0], moments[1]
    a, b, c = moments[2] - x * x, moments[3] - x * y, moments[4] - y * y
    return float(np.sqrt(max(0.0, (a + c) / 2 - np.hypot((a - c) / 2, b))))


def are_crossings(
    edges: NDArray[np.int64], edge_nodes: NDArray[np.int64], arms: Arms, width: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(K,) bool: whether two junctions of three arms are one crossing, of two straight roads.

    They are where each arm of the one goes on straight in one of the other, its road overlapping that one
    if both are made longer.

    Args:
        edges: (K,) int64 rows of the edges that join two such junctions.
        edge_nodes: (E, 2) int64 of all edges.
        arms: of all nodes.
        width: (E,) float64 of all edges' roads, in pixels.
    """
    return _cross(
        edge_nodes[edges].reshape(-1, 2), edges, arms.starts, arms.edge, arms.begin, arms.way, width
    )


@compiled
def _cross(
    nodes: NDArray[np.int64],
    edges: NDArray[np.int64],
    starts: NDArray[np.int64],
    edge_of: NDArray[np.int64],
    begin: NDArray[np.float64],
    way: NDArray[np.float64],
    width: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """``are_crossings``, of (K, 2) nodes and the fields of arms."""
    found = np.zeros(len(edges), np.bool_)
    for k in range(len(edges)):
        near = [i for i in range(starts[nodes[k, 0]], starts[nodes[k, 0] + 1]) if edge_of[i] != edges[k]]
        far = [i for i in range(starts[nodes[k, 1]], starts[nodes[k, 1] + 1]) if edge_of[i] != edges[k]]
        if len(near) != 2 or len(far) != 2:
            continue
        for turn in range(2):
            roads = np.zeros((2, 2))
            for one in range(2):
                a, b = near[one], far[one if turn == 0 else 1 - one]
                u = way[a] - way[b]
                size = np.hypot(u[0], u[1])
                opposite = (way[a] * way[b]).sum() < STRAIGHT_COS
                if edge_of[a] == edge_of[b] or not opposite:
                    break
                apart = abs(u[0] * (begin[a, 1] - begin[b, 1]) - u[1] * (begin[a, 0] - begin[b, 0])) / size
                if apart > (width[edge_of[a]] + width[edge_of[b]]) / 2:
                    break
                roads[one] = u / size
            found[k] |= abs(roads[0, 0] * roads[1, 1] - roads[0, 1] * roads[1, 0]) > CROSSING_SIN
    return found
