"""Junctions and dead ends: put them where the roads' straight courses lead.

A skeleton bends towards a side road at every junction, by up to half the road's width. Away from the
junction, further than the road is wide, it lies true. So a junction is moved onto the line between
two opposite arms, or to where two such lines cross; where no arms are opposite, to the point that is nearest
to the axes of all. Then the bent stretch of each arm is cut out.

At a dead end the skeleton runs into one of the road's corners: the end is moved back onto the road's axis.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.compiled import compiled
from georoads.network.graph.graph import Graph
from georoads.ragged import offsets_of

ARM_RADII = 2.0
"""Arms are taken to lie true at this many half widths from the junction."""

STRAIGHT_COS = -0.85
"""Two arms are one road where the cosine of the angle between them is below this (148 degrees)."""

END_RADII = 2.5
"""Before a dead end the skeleton may be bent over this many half widths."""


def straighten_junctions(
    graph: Graph, shape: tuple[int, int], fixed: NDArray[np.bool_] | None = None
) -> Graph:
    """Move junctions and dead ends, and cut the skeleton's bends beside them.

    Args:
        graph: cleaned.
        shape: (height, width) of the raster, which no end leaves.
        fixed: (N,) bool, nodes that stay where they are, as do the arms beside them; None: none does.

    Returns:
        The same nodes and edges; points within about a half width of a junction or an end are gone.
    """
    if not graph.n_edges:
        return graph
    degree = graph.degree()
    half_width = graph.median_widths() / 2
    node_xy = _move_ends(graph, half_width, shape)
    # The arms of a node follow each other: sorted by node, they begin at ``starts``.
    ends = graph.edge_nodes.ravel()
    order = np.argsort(ends, kind="stable")
    starts = np.searchsorted(ends[order], np.arange(graph.n_nodes + 1))
    near, far = (
        graph.lead_points(radii * graph.node_radius).reshape(-1, 2)[order]
        for radii in (ARM_RADII, 2 * ARM_RADII)
    )
    node_xy = _move_junctions(node_xy, graph.node_radius, degree >= 3, near, far, starts)
    if fixed is None:
        fixed = np.zeros(graph.n_nodes, np.bool_)
    node_xy[fixed] = graph.node_xy[fixed]
    radius = np.where(degree >= 3, graph.node_radius, 0.0)[graph.edge_nodes].reshape(-1, 2)
    reach = np.where(degree[graph.edge_nodes] == 1, END_RADII * half_width[:, None], radius)
    reach[fixed[graph.edge_nodes]] = 0
    return _cut_bends(replace(graph, node_xy=node_xy).pin_ends(), reach)


def _cut_bends(graph: Graph, reach: NDArray[np.float64]) -> Graph:
    """The graph without the points that lie within reach, (E, 2), of an edge's two ends."""
    keep = _is_outside(graph.xy, graph.offsets, reach, graph.lengths())
    sizes = np.add.reduceat(keep.astype(np.int64), graph.offsets[:-1])
    return graph.with_points(keep, offsets_of(sizes))


def _move_ends(graph: Graph, half_width: NDArray[np.float64], shape: tuple[int, int]) -> Points:
    """Node positions with the dead ends projected onto the axis of their road; anchors stay."""
    node_xy = graph.node_xy.copy()
    bent = np.zeros(graph.n_nodes)
    for side in (0, 1):
        bent[graph.edge_nodes[:, side]] = END_RADII * half_width
    near, far = graph.lead_points(bent), graph.lead_points(3 * bent)
    ends = graph.dead_ends(graph.anchored)
    # The axis through two points beyond the bend; the end's foot on it, or where it leaves the raster.
    start, axis = near[ends.edge, ends.side], near[ends.edge, ends.side] - far[ends.edge, ends.side]
    size = (axis**2).sum(axis=1)
    along = ((node_xy[ends.node] - start) * axis).sum(axis=1) / np.maximum(size, 1e-9)
    target = start + np.minimum(along, _times_inside(start, axis, shape))[:, None] * axis
    # An end that would move by more than the road's side is no bend.
    moved = np.hypot(*(target - node_xy[ends.node]).T)
    good = (size > 1.0) & (along > 0) & (moved <= half_width[ends.edge])
    node_xy[ends.node[good]] = target[good]
    return node_xy


def _times_inside(start: Points, axis: Points, shape: tuple[int, int]) -> NDArray[np.float64]:
    """(K,) float64: how many times the axis can be walked from the start without leaving the raster."""
    room = np.where(axis > 0, np.array(shape[::-1]) - start, start)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = np.where(axis == 0, np.inf, room / np.abs(axis))
    return np.asarray(times.min(axis=1), dtype=np.float64)


@compiled
def _move_junctions(
    node_xy: Points,
    radius: NDArray[np.float64],
    junction: NDArray[np.bool_],
    near: Points,
    far: Points,
    starts: NDArray[np.int64],
) -> Points:
    """New node positions: on the line between the two straightest arms, or where two such lines cross.

    Args:
        node_xy: (N, 2) float64, where the nodes lie.
        radius: (N,) float64, no node moves by more than this.
        junction: (N,) bool, which nodes are to be moved.
        near, far: (A, 2) float64 points on the arms, nearer to their node and farther away.
        starts: (N + 1,) int64; the arms of node i are [starts[i], starts[i + 1]).
    """
    moved = node_xy.copy()
    for node in range(len(node_xy)):
        if not junction[node]:
            continue
        arms = near[starts[node] : starts[node + 1]]
        a, b = _straightest(node_xy[node], arms, -1, -1)
        if a < 0:  # no two arms are opposite each other
            target = _nearest_to_axes(arms, far[starts[node] : starts[node + 1]], node_xy[node])
            shift = target - node_xy[node]
            if (shift * shift).sum() <= radius[node] * radius[node]:
                moved[node] = target
            continue
        # The node's foot on the line between the two straightest arms.
        p, d = arms[a], arms[b] - arms[a]
        along = ((node_xy[node] - p) * d).sum() / (d * d).sum()
        # Of the other arms two may be one road as well: then where both lines cross.
        c, e = _straightest(node_xy[node], arms, a, b)
        if c >= 0:
            q, f = arms[c], arms[e] - arms[c]
            cross = d[0] * f[1] - d[1] * f[0]
            # Nearly parallel lines cross far away: only lines at more than 15 degrees count.
            if abs(cross) > 0.26 * np.sqrt((d * d).sum() * (f * f).sum()):
                along = ((q[0] - p[0]) * f[1] - (q[1] - p[1]) * f[0]) / cross
        target = p + min(max(along, 0.0), 1.0) * d
        shift = target - node_xy[node]
        if (shift * shift).sum() <= radius[node] * radius[node]:
            moved[node] = target
    return moved


@compiled
def _nearest_to_axes(near: Points, far: Points, node: NDArray[np.float64]) -> NDArray[np.float64]:
    """The point with the least sum of squared distances from the lines through near and far points."""
    xx, xy, yy, x, y = 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(len(near)):
        d = near[i] - far[i]
        size = np.hypot(d[0], d[1])
        if size < 1.0:
            continue
        # The line's normal (u, v) and distance from the origin; the normal equations are summed up.
        u, v = -d[1] / size, d[0] / size
        off = u * near[i, 0] + v * near[i, 1]
        xx += u * u
        xy += u * v
        yy += v * v
        x += u * off
        y += v * off
    determinant = xx * yy - xy * xy
    if determinant < 0.1:  # all arms are nearly parallel
        return node
    return np.array([(yy * x - xy * y) / determinant, (xx * y - xy * x) / determinant])


@compiled
def _straightest(node: NDArray[np.float64], arms: Points, not_a: int, not_b: int) -> tuple[int, int]:
    """The two arms that are most opposite each other, other than the given two; -1, -1 where none are."""
    best, first, second = STRAIGHT_COS, -1, -1
    for i in range(len(arms)):
        for j in range(i + 1, len(arms)):
            if i in (not_a, not_b) or j in (not_a, not_b):
                continue
            u, v = arms[i] - node, arms[j] - node
            size = np.sqrt((u * u).sum() * (v * v).sum())
            if size > 0 and (u * v).sum() / size < best:
                best, first, second = (u * v).sum() / size, i, j
    return first, second


@compiled
def _is_outside(
    xy: Points, offsets: NDArray[np.int64], reach: NDArray[np.float64], lengths: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """(P,) bool: False for the points beside an edge's end that lie within its reach.

    At least the middle fifth of an edge stays; its first and last point always do. Of a loop, which may wind
    within its junction's reach, this is measured along it, and the last point before the middle stays too.
    """
    keep = np.ones(len(xy), np.bool_)
    for edge in range(len(reach)):
        first, last = offsets[edge], offsets[edge + 1] - 1
        is_loop = xy[first, 0] == xy[last, 0] and xy[first, 1] == xy[last, 1]
        for side in range(2):
            end = first if side == 0 else last
            step = 1 if side == 0 else -1
            most = 0.4 * lengths[edge]
            # Walk inwards from the end.
            near = min(reach[edge, side], most)
            i = end + step
            along = np.hypot(xy[i, 0] - xy[end, 0], xy[i, 1] - xy[end, 1])
            while first < i < last and np.hypot(xy[i, 0] - xy[end, 0], xy[i, 1] - xy[end, 1]) < near:
                along += np.hypot(xy[i + step, 0] - xy[i, 0], xy[i + step, 1] - xy[i, 1])
                if is_loop and along > most:
                    break
                keep[i] = False
                i += step
    return keep
