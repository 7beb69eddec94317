"""The road network that is handed on: centrelines with their attributes, in reading order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Grid, Points
from georoads.network.graph.graph import Graph
from georoads.network.lines.attributes import confidences, geodesic_lengths_m
from georoads.network.lines.smooth import Lines
from georoads.network.lines.widths import no_wider_than_long, road_widths
from georoads.network.types import Carriageway, NodeKind, RoadNetwork
from georoads.ragged import owners, take


def road_network(graph: Graph, lines: Lines, grid: Grid) -> RoadNetwork:
    """Measure, number and order the roads of a graph.

    Args:
        graph: cleaned and straightened.
        lines: the centrelines of its edges.
        grid: the working grid.

    Returns:
        Nodes numbered from 1 in reading order; edges in reading order of their first point, each from the
        node that comes first.
    """
    node_xy = lines.node_xy
    nodes = np.lexsort((node_xy[:, 0], node_xy[:, 1]))
    rank = np.empty(len(nodes), np.int64)
    rank[nodes] = np.arange(len(nodes))
    edges, flip = _order_edges(rank[graph.edge_nodes].reshape(-1, 2), lines)
    ends = np.where(flip[:, None], graph.edge_nodes[:, ::-1], graph.edge_nodes)
    points, offsets = _arrange_points(lines, edges, flip)
    width, spread = road_widths(graph)
    edge_nodes, length_m = rank[ends[edges]].reshape(-1, 2), geodesic_lengths_m(grid, points, offsets)
    mean, low = confidences(graph.level, graph.offsets)
    return RoadNetwork(
        grid=grid,
        node_id=np.arange(1, graph.n_nodes + 1, dtype=np.int64),
        node_xy=node_xy[nodes],
        node_kind=_node_kinds(graph)[nodes],
        edge_nodes=edge_nodes + 1,
        offsets=offsets,
        points=points,
        length_m=length_m,
        width_m=no_wider_than_long(width[edges] * grid.gsd_m, length_m, edge_nodes),
        width_std_m=spread[edges] * grid.gsd_m,
        confidence=mean[edges],
        confidence_p05=low[edges],
        bridged_m=np.minimum(graph.bridged_px[edges] * grid.gsd_m, length_m),
        carriageway=np.full(len(edges), Carriageway.UNTOLD, np.uint8),
    )


def _node_kinds(graph: Graph) -> NDArray[np.uint8]:
    """(N,) uint8 of NodeKind. A node of degree 2 carries a ring: all others have been dissolved."""
    degree = graph.degree()
    kinds = np.full(graph.n_nodes, NodeKind.JUNCTION, np.uint8)
    kinds[degree == 2] = NodeKind.RING
    kinds[degree == 1] = NodeKind.END
    kinds[(degree == 1) & graph.at_edge] = NodeKind.SCENE_EDGE
    return kinds


def _order_edges(rank: NDArray[np.int64], lines: Lines) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Rows of edges in order, (E,) int64; and by row which edges are turned round, (E,) bool.

    Lines start at the node that comes first; a loop, in the direction whose second point comes first.
    Edges with the same first node are ordered by their last node, then by their second point.

    Args:
        rank: (E, 2) int64, the place of each edge's from and to node in the order of nodes.
        lines: of the edges.
    """
    second, before = lines.points[lines.offsets[:-1] + 1], lines.points[lines.offsets[1:] - 2]
    earlier = (before[:, 1] < second[:, 1]) | ((before[:, 1] == second[:, 1]) & (before[:, 0] < second[:, 0]))
    flip = np.where(rank[:, 0] == rank[:, 1], earlier, rank[:, 0] > rank[:, 1])
    follow = np.where(flip[:, None], before, second)
    nodes = np.sort(rank, axis=1)
    return np.lexsort((follow[:, 0], follow[:, 1], nodes[:, 1], nodes[:, 0])), flip


def _arrange_points(
    lines: Lines, edges: NDArray[np.int64], flip: NDArray[np.bool_]
) -> tuple[Points, NDArray[np.int64]]:
    """All points in the edges' order and direction, and their offsets."""
    rows, offsets = take(lines.offsets, edges)
    # In a line that is turned round, the k-th point from its first is the k-th from its last.
    edge = edges[owners(offsets)]
    turned = (lines.offsets[:-1] + lines.offsets[1:] - 1)[edge] - rows
    return lines.points[np.where(flip[edge], turned, rows)], offsets
