"""Centrelines: the graph's paths moved to the ridge of p, straightened and smoothed, as far as none crosses.

A junction that is moved and a line that is moved or smoothed may come to lie across a line that passes
close by, or across themselves. Such lines, with the nodes that they join, are left as they were traced, and
then whatever these cross, until nothing does. What crosses as it was traced is no road that anybody saw: of
such lines the one with the longest bridge goes.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Grid, Points
from georoads.network.graph.crossings import lines_of, meet_between
from georoads.network.graph.dissolve import dissolve
from georoads.network.graph.graph import Graph
from georoads.network.lines.ridge import RidgeSearch
from georoads.network.lines.smooth import Lines, smooth_lines
from georoads.network.lines.straighten import straighten_junctions
from georoads.network.params import VectorizeParams


def draw_centrelines(
    graph: Graph, grid: Grid, params: VectorizeParams, ridge: RidgeSearch
) -> tuple[Graph, Lines]:
    """Move, straighten and smooth all paths that can be.

    Args:
        graph: cleaned.
        grid: the working grid.
        params: the lengths.
        ridge: finds where p is highest beside the paths.

    Returns:
        The graph, whose nodes may have moved, and the lines of its edges, of which none crosses itself and no
        two meet elsewhere than at a node of both.
    """
    shape = grid.height, grid.width
    smooth_px, simplify_px = params.smooth_m / grid.gsd_m, params.simplify_m / grid.gsd_m
    as_traced = np.zeros(graph.n_nodes, np.bool_)
    shifts = ridge.shifts(graph)
    while True:
        kept = as_traced[graph.edge_nodes[:, 0]] | as_traced[graph.edge_nodes[:, 1]]
        moved = _shifted(graph, np.where(kept[graph.edge_of_points()][:, None], 0.0, shifts), shape)
        straight = straighten_junctions(moved, shape, as_traced)
        lines = smooth_lines(straight, smooth_px, simplify_px, kept)
        pairs = crossing_pairs(lines)
        if not len(pairs):
            return straight, lines
        still = as_traced[graph.edge_nodes[pairs]].all(axis=(1, 2))
        as_traced[graph.edge_nodes[pairs]] = True
        if still.all():
            graph = _without_longest_bridges(graph, pairs)
            shifts = ridge.shifts(graph)
            as_traced = np.zeros(graph.n_nodes, np.bool_)


def _shifted(graph: Graph, shifts: Points, shape: tuple[int, int]) -> Graph:
    """The graph with its points moved by (P, 2), and with them dead ends.

    Where roads leave the raster, which has that shape, ends move along its edge; at nodata they stay.
    """
    node_xy = graph.node_xy.copy()
    ends = graph.dead_ends(np.zeros(graph.n_nodes, np.bool_))
    place, move = node_xy[ends.node], shifts[graph.offsets[ends.edge + ends.side] - ends.side]
    inside = (place > 1) & (place < np.array(shape[::-1]) - 1)
    rim = graph.at_edge[ends.node] & inside.all(axis=1)
    node_xy[ends.node] += np.where(rim[:, None], 0.0, move * inside)
    return replace(graph, node_xy=node_xy, xy=graph.xy + shifts).pin_ends()


def crossing_pairs(lines: Lines) -> NDArray[np.int64]:
    """(K, 2) rows of lines that meet elsewhere than at an end of both, or lie on each other; twice the same:
    it crosses itself.
    """
    if len(lines.offsets) < 2:
        return np.empty((0, 2), np.int64)
    drawn = lines_of(lines.points, lines.offsets)
    itself = np.flatnonzero(~shapely.is_simple(drawn))
    a, b = shapely.STRtree(drawn).query(drawn, predicate="intersects")
    a, b = a[a < b], b[a < b]
    # Where two meet at a node, both end.
    shared = shapely.intersection(drawn[a], drawn[b])
    crossing = meet_between(drawn[a], shared) | meet_between(drawn[b], shared)
    return np.concatenate((np.column_stack((itself, itself)), np.column_stack((a, b))[crossing]))


def _without_longest_bridges(graph: Graph, pairs: NDArray[np.int64]) -> Graph:
    """The graph without the one of each pair of edges that has the longer bridge; then the longer one."""
    rank = np.lexsort((graph.lengths(), graph.bridged_px)).argsort()
    keep = np.ones(graph.n_edges, np.bool_)
    keep[np.where(rank[pairs[:, 0]] > rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])] = False
    return dissolve(graph.keep_edges(keep)).drop_lone_nodes()
