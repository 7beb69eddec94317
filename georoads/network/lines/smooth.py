"""Smoothing: pixel paths to centrelines of few points.

Per line: resample evenly, smooth with a Gaussian along the line, twice (Tukey, "Exploratory data analysis",
1977: what the first smoothing took away is smoothed as well and given back, so that bends keep their
radius), simplify after Douglas and Peucker ("Algorithms for the reduction of the number of points ...",
1973). The ends stay where the nodes are: before smoothing a line is continued beyond its ends by its own
reflection through them. A ring's node is no place of its own; rings are smoothed all round, and the node
moves with them. A line that would cross itself is simplified without smoothing, and failing that left as it
was traced.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points
from georoads.network.graph.graph import Graph
from georoads.ragged import offsets_of

REACH_SIGMA = 3.0
"""The Gaussian is cut off at this many standard deviations."""


@dataclass(frozen=True)
class Lines:
    """Centrelines of a graph's edges.

    Attributes:
        node_xy: (N, 2) float64, where the graph's nodes lie now.
        points: (Q, 2) float64.
        offsets: (E + 1,) int64; line i is points[offsets[i]:offsets[i + 1]].
    """

    node_xy: Points
    points: Points
    offsets: NDArray[np.int64]


def smooth_lines(
    graph: Graph, smooth_px: float, simplify_px: float, as_traced: NDArray[np.bool_] | None = None
) -> Lines:
    """Centrelines of all edges.

    Args:
        graph: cleaned; only the nodes of rings move.
        smooth_px: length scale of smoothing: twice the Gaussian's standard deviation.
        simplify_px: the simplified line is nowhere farther than this from the smoothed one.
        as_traced: (E,) bool, edges that keep all of their points; None: none does.
    """
    degree = graph.degree()
    ring = graph.is_loop & (degree[graph.edge_nodes[:, 0]] == 2)
    if as_traced is None:
        as_traced = np.zeros(graph.n_edges, np.bool_)
    points, sizes = _smooth_paths(graph.xy, graph.offsets, ring, as_traced, smooth_px / 2, simplify_px)
    offsets = offsets_of(sizes)
    node_xy = graph.node_xy.copy()
    node_xy[graph.edge_nodes[ring, 0]] = points[offsets[:-1][ring]]
    return Lines(node_xy, points, offsets)


@compiled
def _smooth_paths(
    xy: Points,
    offsets: NDArray[np.int64],
    ring: NDArray[np.bool_],
    as_traced: NDArray[np.bool_],
    sigma: float,
    tolerance: float,
) -> tuple[Points, NDArray[np.int64]]:
    """All lines end to end, and the number of points of each."""
    points = np.empty((len(xy), 2))
    sizes = np.empty(len(ring), np.int64)
    count = 0
    for edge in range(len(ring)):
        path = xy[offsets[edge] : offsets[edge + 1]]
        line = path if as_traced[edge] else simplify(smooth(path, ring[edge], sigma), tolerance)
        # A line that crosses itself now is simplified only, and failing that left as it was traced.
        if crosses_itself(line):
            line = simplify(path, tolerance)
            if crosses_itself(line):
                line = path
        if count + len(line) > len(points):
            points = np.concatenate((points, np.empty((len(points) + len(line), 2))))
        points[count : count + len(line)] = line
        sizes[edge] = len(line)
        count += len(line)
    return points[:count].copy(), sizes


@compiled
def _resample(path: Points) -> Points:
    """The path in even steps of about one pixel, with the same first and last point."""
    along = np.zeros(len(path))
    for i in range(1, len(path)):
        along[i] = along[i - 1] + np.hypot(path[i, 0] - path[i - 1, 0], path[i, 1] - path[i - 1, 1])
    # So many points that steps are at most a pixel long; each lies on the segment k - 1, k of the path.
    n = max(2, int(np.ceil(along[-1])) + 1)
    even = np.empty((n, 2))
    k = 1
    for i in range(n):
        here = along[-1] * i / (n - 1)
        while k < len(path) - 1 and along[k] < here:
            k += 1
        span = along[k] - along[k - 1]
        share = min(1.0, (here - along[k - 1]) / span) if span > 0 else 0.0
        even[i] = path[k - 1] + share * (path[k] - path[k - 1])
    even[n - 1] = path[-1]
    return even


@compiled
def smooth(path: Points, ring: bool, sigma: float) -> Points:
    """One path, resampled and smoothed; see the module.

    Args:
        path: (K, 2) float64, K >= 2.
        ring: the path is closed and has no fixed point.
        sigma: the Gaussian's standard deviation in pixels; at most a sixth of the path's length is used.

    Returns:
        (M, 2) float64.
    """
    even = _resample(path)
    n = len(even)
    sigma = min(sigma, (n - 1) / (2 * REACH_SIGMA))
    if sigma < 0.5 or n < 4:
        return even
    reach = int(REACH_SIGMA * sigma)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    weights /= weights.sum()
    # Smoothed, and the rest smoothed, in one: twice the weights less the weights' own smoothing.
    twice = -np.convolve(weights, weights)
    twice[reach : len(twice) - reach] += 2 * weights
    reach *= 2
    # Beyond its ends a ring goes on round, a line by its reflection through the end.
    before, behind = even[n - 1 - reach : n - 1], even[1 : reach + 1]
    if not ring:
        before, behind = 2 * even[0] - behind[::-1], 2 * even[n - 1] - before[::-1]
    padded = np.concatenate((before, even, behind))
    smoothed = np.zeros((n, 2))
    for k in range(len(twice)):
        for i in range(n):
            smoothed[i, 0] += twice[k] * padded[k + i, 0]
            smoothed[i, 1] += twice[k] * padded[k + i, 1]
    if ring:
        smoothed[n - 1] = smoothed[0]
    else:
        smoothed[0] = even[0]
        smoothed[n - 1] = even[n - 1]
    return smoothed


@compiled
def simplify(line: Points, tolerance: float) -> Points:
    """Douglas and Peucker's selection of a line's points; none that is left out is farther away than that.

    A closed line is first opened at the point farthest from its end, and keeps a third one.
    """
    n = len(line)
    keep = np.zeros(n, np.bool_)
    keep[0] = keep[n - 1] = True
    stack = [(0, n - 1)]
    closed = line[0, 0] == line[n - 1, 0] and line[0, 1] == line[n - 1, 1]
    while len(stack):
        first, last = stack.pop()
        ax, ay = line[first]
        dx, dy = line[last, 0] - ax, line[last, 1] - ay
        size = dx * dx + dy * dy
        # The point farthest from the chord between the two ends.
        worst, at = -1.0, -1
        for i in range(first + 1, last):
            px, py = line[i, 0] - ax, line[i, 1] - ay
            share = min(1.0, max(0.0, (px * dx + py * dy) / size)) if size > 0 else 0.0
            away = np.hypot(px - share * dx, py - share * dy)
            if away > worst:
                worst, at = away, i
        whole = first == 0 and last == n - 1
        if at >= 0 and (worst > tolerance or (closed and whole)):
            keep[at] = True
            stack.append((first, at))
            stack.append((at, last))
    return line[keep]


@compiled
def crosses_itself(line: Points) -> bool:
    """True when two segments of a line that are no neighbours touch, or a closed line encloses nothing."""
    n = len(line) - 1
    closed = line[0, 0] == line[n, 0] and line[0, 1] == line[n, 1]
    if closed and n < 3:
        return True
    for i in range(n):
        left, right = min(line[i, 0], line[i + 1, 0]), max(line[i, 0], line[i + 1, 0])
        low, high = min(line[i, 1], line[i + 1, 1]), max(line[i, 1], line[i + 1, 1])
        for j in range(i + 2, n):
            # The first and the last segment of a closed line are neighbours.
            if closed and i == 0 and j == n - 1:
                continue
            if (
                max(line[j, 0], line[j + 1, 0]) < left
                or min(line[j, 0], line[j + 1, 0]) > right
                or max(line[j, 1], line[j + 1, 1]) < low
                or min(line[j, 1], line[j + 1, 1]) > high
            ):
                continue  # the boxes around them are apart
            if _divides(line[i], line[i + 1], line[j : j + 2]) and _divides(
                line[j], line[j + 1], line[i : i + 2]
            ):
                return True
    return False


@compiled
def _divides(a: NDArray[np.float64], b: NDArray[np.float64], segment: Points) -> bool:
    """Whether the line through a and b runs between the two ends of a segment, or through one of them."""
    dx, dy, c, d = b[0] - a[0], b[1] - a[1], segment[0], segment[1]
    area_c, area_d = dx * (c[1] - a[1]) - dy * (c[0] - a[0]), dx * (d[1] - a[1]) - dy * (d[0] - a[0])
    return bool(area_c * area_d <= 0)
