"""The road graph while it is being traced and cleaned.

Points keep what was measured on them (width, p), so that no later step needs the raster again.
Coordinates are pixels of the working grid, x = col + 0.5, y = row + 0.5 at a pixel's centre.

A new attribute costs two places: a field here, and the step that measures it.

- Of an edge: a field of ``Paths`` marked by ``per_edge``, which says what an edge has on which nothing was
  measured, how the values of edges that become one are joined, and what a piece of a divided edge gets.
- Of a point: a field of ``Paths`` marked by ``per_point``. Points are taken along wherever paths are cut,
  joined, turned or divided.
- Of a node: a field of ``Graph`` marked by ``per_node``.

All editing goes through the methods below, which know the fields by these marks and not by their names. What
is to be handed on as well becomes a field of ``RoadNetwork``, which ``lines.road_network`` fills.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import Field, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.graph.along import leads_along, line_lengths, medians_along
from georoads.network.types import PIXELS, PixelSize
from georoads.ragged import owners, take

ABSENT: Any = None
"""In place of an attribute's values: nothing was measured on any node, point or edge."""


def per_node(absent: Any = ABSENT) -> dict[str, Any]:
    """Marks a field with one value per node; ``absent``: that of a node on which nothing was measured."""
    return {"per": "node", "absent": absent}


def per_point(absent: Any = ABSENT) -> dict[str, Any]:
    """Marks a field with one value per point of a path; ``absent``: where nothing was measured."""
    return {"per": "point", "absent": absent}


def per_edge(
    absent: float, join: np.ufunc, of_pieces: Callable[[NDArray[Any], Paths], NDArray[Any]]
) -> dict[str, Any]:
    """Marks a field with one value per edge.

    Args:
        absent: the value of an edge on which nothing was measured.
        join: makes one value of those of two edges that become one.
        of_pieces: gives the values of pieces of divided edges, from (K,) values of the edge that each piece
            is of, and the pieces.
    """
    return {"per": "edge", "absent": absent, "join": join, "of_pieces": of_pieces}


def _unseen_length(_: NDArray[np.float64], pieces: Paths) -> NDArray[np.float64]:
    """(K,) float64: what was bridged of pieces are the stretches without a width."""
    unseen = np.add.reduceat(np.isnan(pieces.width), pieces.offsets[:-1], dtype=np.int64)
    return pieces.lengths() * (unseen / np.diff(pieces.offsets))


@dataclass(frozen=True, kw_only=True)
class Paths:
    """Edges between nodes, and their paths. Attributes that are not given are absent on all of them.

    Attributes:
        edge_nodes: (E, 2) int64 rows of the from and to node.
        offsets: (E + 1,) int64; points of edge i are [offsets[i], offsets[i + 1]).
        xy: (P, 2) float64; an edge's first and last point are its nodes' positions.
        width: (P,) float64, the road's width in pixels; NaN on bridges.
        level: (P,) uint8, round(254 p).
        bridged_px: (E,) float64, length that was bridged.
    """

    edge_nodes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    xy: Points = field(metadata=per_point())
    width: NDArray[np.float64] = field(default=ABSENT, metadata=per_point(absent=np.nan))
    level: NDArray[np.uint8] = field(metadata=per_point())
    bridged_px: NDArray[np.float64] = field(
        default=ABSENT, metadata=per_edge(absent=0.0, join=np.add, of_pieces=_unseen_length)
    )

    def __post_init__(self) -> None:
        count = {"point": len(self.xy), "edge": self.n_edges}
        for f in self._attributes("point", "edge"):
            if getattr(self, f.name) is ABSENT:
                object.__setattr__(self, f.name, np.full(count[f.metadata["per"]], f.metadata["absent"]))

    @classmethod
    def _attributes(cls, *per: str) -> Iterator[Field[Any]]:
        """The fields that hold a value per point, edge or node."""
        return (f for f in fields(cls) if f.metadata.get("per") in per)

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_nodes)

    @property
    def is_loop(self) -> NDArray[np.bool_]:
        """(E,) bool: edges that begin and end at one node."""
        return np.asarray(self.edge_nodes[:, 0] == self.edge_nodes[:, 1])

    def edge_of_points(self) -> NDArray[np.int64]:
        """(P,) int64: the edge that each point is on."""
        return owners(self.offsets)

    def lengths(self, pixel: PixelSize = PIXELS) -> NDArray[np.float64]:
        """(E,) float64 length of each edge, in the unit of the pixel's size: pixels, if none is given."""
        return line_lengths(self.xy, self.offsets, pixel.col_m, pixel.row_m)

    def median_widths(self) -> NDArray[np.float64]:
        """(E,) float64 median width of each edge's road, in pixels; 0 where none was measured."""
        return medians_along(self.width, self.offsets)


@dataclass(frozen=True)
class DeadEnds:
    """Ends of edges at nodes that have no other edge, in the order of the edges.

    Attributes:
        edge: (K,) int64 rows of edges.
        side: (K,) int64, 0 where the edge begins at the dead end, 1 where it ends there.
        node: (K,) int64 rows of nodes.
    """

    edge: NDArray[np.int64]
    side: NDArray[np.int64]
    node: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Graph(Paths):
    """Nodes and the paths between them; rows, not ids, name nodes and edges.

    Attributes:
        node_xy: (N, 2) float64.
        node_radius: (N,) float64, pixels from the node to the nearest background.
        anchored: (N,) bool, True where a road's middle meets the scene's edge or nodata.
        at_edge: (N,) bool, True there and wherever else a node lies near the scene's edge or nodata.
    """

    node_xy: Points = field(metadata=per_node())
    node_radius: NDArray[np.float64] = field(metadata=per_node())
    anchored: NDArray[np.bool_] = field(metadata=per_node(absent=False))
    at_edge: NDArray[np.bool_] = field(metadata=per_node(absent=False))

    @property
    def n_nodes(self) -> int:
        """Number of nodes, those without an edge included."""
        return len(self.node_xy)

    def degree(self) -> NDArray[np.int64]:
        """(N,) int64: edge ends at each node; a self-loop counts twice."""
        return np.bincount(self.edge_nodes.ravel(), minlength=self.n_nodes).astype(np.int64)

    def dead_ends(self, besides: NDArray[np.bool_]) -> DeadEnds:
        """All dead ends but those at some nodes, (N,) bool: as where roads leave the scene."""
        dead = (self.degree() == 1) & ~besides
        edge, side = np.nonzero(dead[self.edge_nodes])
        return DeadEnds(edge, side, self.edge_nodes[edge, side])

    def lead_points(self, reach: float | NDArray[np.float64]) -> NDArray[np.float64]:
        """The points of all paths at some distance from their ends.

        Args:
            reach: pixels, one length for all or (N,) one per node; at most half the edge's length is walked.

        Returns:
            (E, 2, 2) float64: for both ends of each edge, x and y.
        """
        at_nodes = np.broadcast_to(np.asarray(reach, np.float64), (self.n_nodes,))
        at_ends = at_nodes[self.edge_nodes].reshape(-1, 2)
        return leads_along(self.xy, self.offsets, at_ends, self.lengths() / 2)

    def keep_edges(self, keep: NDArray[np.bool_]) -> Graph:
        """The graph with only the edges where ``keep``, (E,), is True; nodes stay."""
        if keep.all():
            return self
        points, offsets = take(self.offsets, keep)
        kept = {f.name: getattr(self, f.name)[keep] for f in self._attributes("edge")}
        return replace(self.with_points(points, offsets), edge_nodes=self.edge_nodes[keep], **kept)

    def with_edges(self, added: Paths, keep: NDArray[np.bool_] | None = None) -> Graph:
        """The graph with further edges behind its own.

        Args:
            added: between rows of this graph's nodes.
            keep: (E,) bool, which of the graph's own edges stay; None: all.
        """
        kept = self if keep is None else self.keep_edges(keep)
        names = ["edge_nodes", *(f.name for f in self._attributes("point", "edge"))]
        joined: dict[str, Any] = {n: np.concatenate((getattr(kept, n), getattr(added, n))) for n in names}
        offsets = np.concatenate((kept.offsets, kept.offsets[-1] + added.offsets[1:]))
        return replace(kept, offsets=offsets, **joined)

    def with_points(self, points: NDArray[np.int64] | NDArray[np.bool_], offsets: NDArray[np.int64]) -> Graph:
        """The graph whose paths take some of its points.

        Args:
            points: (Q,) int64 rows of points, edge after edge, or (P,) bool.
            offsets: (E + 1,) int64; edge i takes points[offsets[i]:offsets[i + 1]].
        """
        return replace(self, offsets=offsets, **self.at_points(points))

    def at_points(self, points: NDArray[np.int64] | NDArray[np.bool_]) -> dict[str, Any]:
        """By name, the attributes of some points: rows, or (P,) bool."""
        return {f.name: getattr(self, f.name)[points] for f in self._attributes("point")}

    def of_joined(self, edges: NDArray[np.int64], first: NDArray[np.int64]) -> dict[str, Any]:
        """By name, the attributes of chains of edges, each of which becomes one edge.

        Args:
            edges: (E,) int64 rows of the edges, chain after chain.
            first: (C,) int64, where in ``edges`` each chain begins.
        """
        of = self._attributes("edge")
        return {f.name: f.metadata["join"].reduceat(getattr(self, f.name)[edges], first) for f in of}

    def of_pieces(self, edges: NDArray[np.int64], pieces: Paths) -> dict[str, Any]:
        """By name, the attributes of pieces of edges.

        Args:
            edges: (K,) int64 rows of the edges that they are of.
            pieces: as edges of their own, whose attributes are not yet known.
        """
        of = self._attributes("edge")
        return {f.name: f.metadata["of_pieces"](getattr(self, f.name)[edges], pieces) for f in of}

    def with_nodes(self, xy: Points, radius: NDArray[np.float64], *, at_edge: bool = False) -> Graph:
        """The graph with further nodes behind its own, without edges.

        Args:
            xy: (K, 2) float64, pixel coordinates.
            radius: (K,) float64, pixels to the nearest background.
            at_edge: whether roads leave the scene there.
        """
        leaves = np.full(len(xy), at_edge)
        new = {"node_xy": xy, "node_radius": radius, "anchored": leaves, "at_edge": leaves}
        joined = {}
        for f in self._attributes("node"):
            values = new[f.name] if f.name in new else np.full(len(xy), f.metadata["absent"])
            joined[f.name] = np.concatenate((getattr(self, f.name), values))
        return replace(self, **joined)

    def drop_lone_nodes(self) -> Graph:
        """The graph without the nodes that have no edge."""
        used = self.degree() > 0
        row = np.cumsum(used) - 1
        kept = {f.name: getattr(self, f.name)[used] for f in self._attributes("node")}
        return replace(self, edge_nodes=row[self.edge_nodes].reshape(-1, 2), **kept)

    def pin_ends(self) -> Graph:
        """The graph with the first and last point of every edge where its nodes are."""
        xy = self.xy.copy()
        xy[self.offsets[:-1]] = self.node_xy[self.edge_nodes[:, 0]]
        xy[self.offsets[1:] - 1] = self.node_xy[self.edge_nodes[:, 1]]
        return replace(self, xy=xy)
