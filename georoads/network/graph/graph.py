"""The road graph while it is being traced and cleaned.

Points keep what was measured on them (width, p), so that no later step needs the raster again.
Coordinates are pixels of the working grid, x = col + 0.5, y = row + 0.5 at a pixel's centre.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.compiled import compiled


@dataclass(frozen=True)
class Graph:
    """Nodes and the paths between them; rows, not ids, name nodes and edges.

    Attributes:
        node_xy: (N, 2) float64.
        node_radius: (N,) float64, pixels from the node to the nearest background.
        anchored: (N,) bool, True where a road's middle meets the scene's edge or nodata.
        at_edge: (N,) bool, True there and wherever else a node lies near the scene's edge or nodata.
        edge_nodes: (E, 2) int64 rows of the from and to node.
        offsets: (E + 1,) int64; points of edge i are [offsets[i], offsets[i + 1]).
        xy: (P, 2) float64; an edge's first and last point are its nodes' positions.
        width: (P,) float64, the road's width in pixels; NaN on bridges.
        level: (P,) uint8, round(254 p).
        bridged_px: (E,) float64, length that was bridged.
    """

    node_xy: Points
    node_radius: NDArray[np.float64]
    anchored: NDArray[np.bool_]
    at_edge: NDArray[np.bool_]
    edge_nodes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    xy: Points
    width: NDArray[np.float64]
    level: NDArray[np.uint8]
    bridged_px: NDArray[np.float64]

    @property
    def n_nodes(self) -> int:
        """Number of nodes, those without an edge included."""
        return len(self.node_xy)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_nodes)

    @property
    def is_loop(self) -> NDArray[np.bool_]:
        """(E,) bool: edges that begin and end at one node."""
        return np.asarray(self.edge_nodes[:, 0] == self.edge_nodes[:, 1])

    def degree(self) -> NDArray[np.int64]:
        """(N,) int64: edge ends at each node; a self-loop counts twice."""
        return np.bincount(self.edge_nodes.ravel(), minlength=self.n_nodes).astype(np.int64)

    def line(self, edge: int) -> Points:
        """(K, 2) points of one edge."""
        return self.xy[self.offsets[edge] : self.offsets[edge + 1]]

    def lengths(self, steps: tuple[float, float] = (1.0, 1.0)) -> NDArray[np.float64]:
        """(E,) float64 length of each edge, in the unit of ``steps`` (size of a column and of a row)."""
        return line_lengths(self.xy, self.offsets, steps)


@compiled
def line_lengths(
    xy: Points, offsets: NDArray[np.int64], steps: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float64]:
    """(E,) float64 lengths of lines that lie end to end in ``xy`` and each have a point at least."""
    lengths = np.zeros(len(offsets) - 1)
    for line in range(len(offsets) - 1):
        for i in range(offsets[line], offsets[line + 1] - 1):
            across, down = (xy[i + 1, 0] - xy[i, 0]) * steps[0], (xy[i + 1, 1] - xy[i, 1]) * steps[1]
            lengths[line] += np.sqrt(across * across + down * down)
    return lengths


def keep_edges(graph: Graph, keep: NDArray[np.bool_]) -> Graph:
    """The graph with only the edges where ``keep`` is True; nodes stay."""
    if keep.all():
        return graph
    sizes = np.diff(graph.offsets)
    points = np.repeat(keep, sizes)
    return replace(
        graph,
        edge_nodes=graph.edge_nodes[keep],
        offsets=np.concatenate(([0], np.cumsum(sizes[keep]))).astype(np.int64),
        xy=graph.xy[points],
        width=graph.width[points],
        level=graph.level[points],
        bridged_px=graph.bridged_px[keep],
    )


def drop_lone_nodes(graph: Graph) -> Graph:
    """The graph without the nodes that have no edge."""
    used = graph.degree() > 0
    row = np.cumsum(used) - 1
    return replace(
        graph,
        node_xy=graph.node_xy[used],
        node_radius=graph.node_radius[used],
        anchored=graph.anchored[used],
        at_edge=graph.at_edge[used],
        edge_nodes=row[graph.edge_nodes].reshape(-1, 2),
    )


def dissolve(graph: Graph) -> Graph:
    """Join the two edges that meet at a node of degree 2 into one; a node that carries only a ring stays."""
    through = graph.degree() == 2
    through[graph.edge_nodes[graph.is_loop].ravel()] = False
    if not through.any():
        return graph
    ends = _incident(graph.edge_nodes, graph.n_nodes)
    edges, flips, chains = _chains(graph.edge_nodes, through, ends)
    take, offsets = _joined(graph.offsets, edges, flips, chains)
    first, last = chains[:-1], chains[1:] - 1
    side = flips.astype(np.int64)
    edge_nodes = np.column_stack(
        (graph.edge_nodes[edges[first], side[first]], graph.edge_nodes[edges[last], 1 - side[last]])
    )
    return replace(
        graph,
        edge_nodes=edge_nodes,
        offsets=offsets,
        xy=graph.xy[take],
        width=graph.width[take],
        level=graph.level[take],
        bridged_px=np.add.reduceat(graph.bridged_px[edges], first),
    )


@compiled
def _incident(edge_nodes: NDArray[np.int64], n_nodes: int) -> NDArray[np.int64]:
    """(N, 2) int64: the first and the last edge at each node; all of them where the degree is 2."""
    ends = np.full((n_nodes, 2), -1)
    for edge in range(len(edge_nodes)):
        for side in range(2):
            node = edge_nodes[edge, side]
            if ends[node, 0] < 0:
                ends[node, 0] = edge
            ends[node, 1] = edge
    return ends


@compiled
def _chains(
    edge_nodes: NDArray[np.int64], through: NDArray[np.bool_], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Edges in the order in which they are joined, which of them are reversed, and where chains begin."""
    n = len(edge_nodes)
    edges = np.empty(n, np.int64)
    flips = np.empty(n, np.bool_)
    starts = np.empty(n + 1, np.int64)
    used = np.zeros(n, np.bool_)
    count, chains = 0, 0
    for seed in range(n):
        if used[seed]:
            continue
        edge, side = seed, 0  # back to where the chain begins, or once around
        while through[edge_nodes[edge, side]]:
            node = edge_nodes[edge, side]
            edge = ends[node, 0] if ends[node, 1] == edge else ends[node, 1]
            side = 1 if edge_nodes[edge, 0] == node else 0
            if edge == seed:
                break
        starts[chains] = count
        chains += 1
        while not used[edge]:
            used[edge] = True
            edges[count] = edge
            flips[count] = side == 1
            count += 1
            node = edge_nodes[edge, 1 - side]
            if not through[node]:
                break
            edge = ends[node, 0] if ends[node, 1] == edge else ends[node, 1]
            side = 0 if edge_nodes[edge, 0] == node else 1
    starts[chains] = count
    return edges, flips, starts[: chains + 1]


@compiled
def _joined(
    offsets: NDArray[np.int64], edges: NDArray[np.int64], flips: NDArray[np.bool_], chains: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which points the joined edges take, in order, and their offsets. Shared points are taken once."""
    take = np.empty(offsets[-1], np.int64)
    joined = np.zeros(len(chains), np.int64)
    count = 0
    for chain in range(len(chains) - 1):
        for k in range(chains[chain], chains[chain + 1]):
            first, last = offsets[edges[k]], offsets[edges[k] + 1] - 1
            for i in range(1 if k > chains[chain] else 0, last - first + 1):
                take[count] = last - i if flips[k] else first + i
                count += 1
        joined[chain + 1] = count
    return take[:count], joined


def lead_points(graph: Graph, reach: float | NDArray[np.float64]) -> NDArray[np.float64]:
    """(E, 2, 2) float64: for both ends of each edge, the (x, y) of the path at ``reach`` pixels from the end.

    Args:
        graph: any graph.
        reach: one length for all, or (N,) one per node; at most half the edge's length is walked.
    """
    per_node = np.broadcast_to(np.asarray(reach, np.float64), (graph.n_nodes,))
    return _leads(graph.xy, graph.offsets, per_node[graph.edge_nodes].reshape(-1, 2), graph.lengths() / 2)


@compiled
def _leads(
    xy: Points, offsets: NDArray[np.int64], reach: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    leads = np.empty((len(reach), 2, 2))
    for edge in range(len(reach)):
        for side in range(2):
            i = offsets[edge] if side == 0 else offsets[edge + 1] - 1
            step = 1 if side == 0 else -1
            left = min(reach[edge, side], half[edge])
            while True:
                dx, dy = xy[i + step, 0] - xy[i, 0], xy[i + step, 1] - xy[i, 1]
                length = np.hypot(dx, dy)
                inside = offsets[edge] <= i + 2 * step < offsets[edge + 1]
                if length >= left or not inside:
                    share = min(1.0, left / length) if length > 0 else 0.0
                    leads[edge, side, 0] = xy[i, 0] + share * dx
                    leads[edge, side, 1] = xy[i, 1] + share * dy
                    break
                left -= length
                i += step
    return leads
