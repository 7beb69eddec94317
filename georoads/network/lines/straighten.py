"""Junctions and dead ends: put them where the roads' straight courses lead.

A skeleton bends towards a side road at every junction, by up to half the road's width. Farther away it lies
true: there the arms' courses are fitted (``graph.courses``). A junction is moved to the point that is nearest
to all of them, two opposite arms being one line: onto a straight road where a side road meets it, or to
where two roads cross. Where courses are all but parallel, as where carriageways part, that point is far away
or nowhere; so a junction is also held to where the skeleton forks.

Then the bent stretch of each arm is cut out: so much that the straight line from the junction to what is
left goes on in the same direction, as long as that line stays in the road.

At a dead end the skeleton runs into one of the road's corners: the end is moved back onto the road's axis.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points
from georoads.network.graph.courses import FROM_RADII, STRAIGHT_COS, Arms, arms_of
from georoads.network.graph.graph import Graph
from georoads.ragged import offsets_of

STAY = 0.3
"""How a junction is held to its place, against 1 for the course of each of its arms."""

MOVE = 0.25
"""No junction moves by more than this share of its shortest arm, nor by more than its half width."""

CUT_RADII = 4.0
"""No bend beside a junction is longer than this many half widths."""

LEAVE_RADII = 0.8
"""The straight line that a bend is replaced by lies nowhere farther from it than this many half widths."""

STRAIGHT_RAD = 0.5
"""A bend is over where the road goes on as the line from the junction leads, to within this (23 degrees)."""

AHEAD_PX = 4.0
"""A road's further course is taken over a half width, but over no fewer pixels than this."""

MOST = 0.4
"""No bend takes more than this share of an edge at either of its ends."""

MOST_OF_LOOP = 0.25
"""The same of an edge that ends where it begins: more must be left, so that it encloses something."""

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
        The same nodes and edges; points of bends beside a junction or an end are gone.
    """
    if not graph.n_edges:
        return graph
    degree = graph.degree()
    free = np.ones(graph.n_nodes, np.bool_) if fixed is None else ~fixed
    half_width = graph.median_widths() / 2
    radius = np.where(free & (degree >= 3), graph.node_radius, 0.0)
    node_xy = np.where(free[:, None], _move_ends(graph, half_width, shape), graph.node_xy)
    # No junction moves along a good part of a short arm.
    shortest = np.full(graph.n_nodes, np.inf)
    np.minimum.at(shortest, graph.edge_nodes, graph.lengths()[:, None])
    node_xy = _move_junctions(node_xy, np.minimum(radius, MOVE * shortest), arms_of(graph))
    moved = replace(graph, node_xy=node_xy).pin_ends()
    lengths, radii = moved.lengths(), radius[graph.edge_nodes].reshape(-1, 2)
    reach = _bends(moved.xy, moved.offsets, radii, lengths)
    is_end = (degree == 1)[graph.edge_nodes].reshape(-1, 2)
    reach = np.where(is_end & free[graph.edge_nodes], END_RADII * half_width[:, None], reach)
    most = np.where(graph.is_loop, MOST_OF_LOOP, MOST) * lengths
    reach = np.minimum(reach, most[:, None])
    # Of a road that ends beside its junction nothing is seen beyond the bend.
    reach[is_end.any(axis=1) & (radii.max(axis=1) >= graph.lengths() / FROM_RADII)] = np.inf
    return _cut_bends(moved, reach)


def _cut_bends(graph: Graph, reach: NDArray[np.float64]) -> Graph:
    """The graph without the points that lie within reach, (E, 2), of an edge's two ends."""
    keep = _is_outside(graph.xy, graph.offsets, reach)
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


def _move_junctions(node_xy: Points, radius: NDArray[np.float64], arms: Arms) -> Points:
    """Node positions with the junctions moved to the point nearest to their arms' courses.

    Args:
        node_xy: (N, 2) float64, where the nodes lie.
        radius: (N,) float64; no node moves by more than this: 0 where it stays.
        arms: of all nodes.
    """
    return _nearest_to_courses(node_xy, radius, arms.starts, arms.begin, arms.way, arms.trust)


@compiled
def _nearest_to_courses(
    node_xy: Points,
    radius: NDArray[np.float64],
    starts: NDArray[np.int64],
    begin: Points,
    way: Points,
    trust: NDArray[np.float64],
) -> Points:
    """``_move_junctions``, of the fields of arms."""
    moved = node_xy.copy()
    for node in range(len(node_xy)):
        if radius[node] == 0:
            continue
        first, last = starts[node], starts[node + 1]
        from_node, course = begin[first:last] - node_xy[node], way[first:last].copy()
        # Of two opposite arms the line through where both begin; of the others two may be one road as well.
        a, b = _straightest(from_node, -1, -1)
        c, d = _straightest(from_node, a, b) if a >= 0 else (-1, -1)
        for i, j in ((a, b), (c, d)):
            if i >= 0:
                course[i] = course[j] = from_node[j] - from_node[i]
        # The normal equations of the squared distances from all lines, and from where the node lies.
        xx, xy, yy, x, y = STAY, 0.0, STAY, 0.0, 0.0
        for i in range(last - first):
            size = np.hypot(course[i, 0], course[i, 1])
            if size == 0:
                continue
            # A line's normal (u, v), and how far from the node it passes.
            u, v, weight = -course[i, 1] / size, course[i, 0] / size, trust[first + i]
            off = u * from_node[i, 0] + v * from_node[i, 1]
            xx += weight * u * u
            xy += weight * u * v
            yy += weight * v * v
            x += weight * u * off
            y += weight * v * off
        determinant = xx * yy - xy * xy
        shift = np.array([yy * x - xy * y, xx * y - xy * x]) / determinant
        size = np.hypot(shift[0], shift[1])
        moved[node] += min(1.0, radius[node] / max(size, 1e-9)) * shift
    return moved


@compiled
def _straightest(begin: Points, not_a: int, not_b: int) -> tuple[int, int]:
    """The two arms that begin most opposite each other, other than the given two; -1, -1 where none do."""
    best, first, second = STRAIGHT_COS, -1, -1
    for i in range(len(begin)):
        for j in range(i + 1, len(begin)):
            if i in (not_a, not_b) or j in (not_a, not_b):
                continue
            size = np.sqrt((begin[i] * begin[i]).sum() * (begin[j] * begin[j]).sum())
            if size > 0:
                cos = (begin[i] * begin[j]).sum() / size
                if cos < best:
                    best, first, second = cos, i, j
    return first, second


@compiled
def _bends(
    xy: Points, offsets: NDArray[np.int64], radius: NDArray[np.float64], lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How long the bends are at both ends of each path.

    A path is bent for the junction's half width at least, and on to the first point from which it goes on as
    the straight line from the junction to there leads; failing that, to the point where it does so best.

    Args:
        xy: (P, 2) float64 points of all paths, the junctions moved.
        offsets: (E + 1,) int64; path i is xy[offsets[i]:offsets[i + 1]].
        radius: (E, 2) float64 half widths at the junctions at both ends; 0: no bend there.
        lengths: (E,) float64 of the paths.

    Returns:
        (E, 2) float64, measured along the paths.
    """
    reach = radius.copy()
    for edge in range(len(radius)):
        first, last = offsets[edge], offsets[edge + 1] - 1
        for side in range(2):
            r, along, best = radius[edge, side], 0.0, np.pi
            end, step = (first, 1) if side == 0 else (last, -1)
            most = min(CUT_RADII * r, MOST * lengths[edge])
            i, ahead = end, end
            while first <= i + step <= last and best > STRAIGHT_RAD:
                i += step
                along += np.hypot(xy[i, 0] - xy[i - step, 0], xy[i, 1] - xy[i - step, 1])
                if along > most:
                    break
                if along < r:
                    continue
                # The further course, from here to a half width ahead.
                while first <= ahead + step <= last and (
                    (ahead - i) * step <= 0 or _apart(xy[ahead], xy[i]) < max(r, AHEAD_PX)
                ):
                    ahead += step
                kink = _angle(xy[i] - xy[end], xy[ahead] - xy[i])
                if kink < best and _farthest(xy, end, i) <= LEAVE_RADII * r:
                    best, reach[edge, side] = kink, along
    return reach


@compiled
def _angle(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Radians between two directions, 0 to pi."""
    return abs(float(np.arctan2(a[0] * b[1] - a[1] * b[0], (a * b).sum())))


@compiled
def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """The distance of two points."""
    return float(np.hypot(a[0] - b[0], a[1] - b[1]))


@compiled
def _farthest(xy: Points, start: int, stop: int) -> float:
    """How far the points between two points of a path lie from the line through both."""
    across = xy[stop] - xy[start]
    size = max(np.hypot(across[0], across[1]), 1e-9)
    most = 0.0
    step = 1 if stop > start else -1
    for k in range(start + step, stop, step):
        away = xy[k] - xy[start]
        most = max(most, abs(across[0] * away[1] - across[1] * away[0]) / size)
    return most


@compiled
def _is_outside(xy: Points, offsets: NDArray[np.int64], reach: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(P,) bool: False for the points within reach, (E, 2), of an edge's ends, along it; the ends stay."""
    keep = np.ones(len(xy), np.bool_)
    for edge in range(len(reach)):
        first, last = offsets[edge], offsets[edge + 1] - 1
        for side in range(2):
            i, step = (first, 1) if side == 0 else (last, -1)
            # Walk inwards from the end.
            along = 0.0
            while first < i + step < last:
                i += step
                along += np.hypot(xy[i, 0] - xy[i - step, 0], xy[i, 1] - xy[i - step, 1])
                if along >= reach[edge, side]:
                    break
                keep[i] = False
    return keep
