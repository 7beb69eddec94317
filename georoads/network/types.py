"""What the network room takes (how a raster is read, in blocks, by whom) and hands on: a road network."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Grid, Points, Window

ReadProbability = Callable[[Window], NDArray[np.uint8]]
"""Reads (height, width) uint8 of a window inside the grid: round(254 p), 255 = nodata."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class ParallelMap(Protocol):
    """Applies a function to items as ``map`` does: the results in the order of the items.

    One that asks several workers keeps that order, and may pickle the function and the items.
    """

    def __call__(self, work: Callable[[Item], Result], items: Iterable[Item], /) -> Iterable[Result]: ...


def everywhere(window: Window) -> bool:
    """What a raster says of which no part is known to be empty."""
    return True


@dataclass(frozen=True)
class BlockPlan:
    """How a raster is walked through. No result depends on it.

    Attributes:
        block_px: side of the square blocks.
        parallel_map: applies what is done to each block; several workers may.
        holds: False of a window in which certainly all is nodata; it need not be read.
    """

    block_px: int = 1024
    parallel_map: ParallelMap = map
    holds: Callable[[Window], bool] = everywhere


@dataclass(frozen=True)
class PixelSize:
    """Metres on the ground of one column and one row."""

    col_m: float = 1.0
    row_m: float = 1.0

    @property
    def gsd_m(self) -> float:
        """The geometric mean of both."""
        return math.sqrt(self.col_m * self.row_m)

    @property
    def area_m2(self) -> float:
        """Square metres of a pixel."""
        return self.col_m * self.row_m

    @property
    def xy(self) -> Points:
        """(2,) float64: what turns pixel coordinates into metres."""
        return np.array([self.col_m, self.row_m])


PIXELS = PixelSize()
"""Lengths in pixels instead of metres."""


class NodeKind(IntEnum):
    """What a node is: where roads meet, where one ends, where a ring was opened, where the scene ends."""

    JUNCTION = 0
    END = 1
    RING = 2
    SCENE_EDGE = 3

    @property
    def label(self) -> str:
        """The text written to the road layer."""
        return self.name.lower()


class Carriageway(IntEnum):
    """Which of two carriageways a line is, seen in its direction; most lines are told to be none."""

    UNTOLD = 0
    LEFT = 1
    RIGHT = 2

    @property
    def label(self) -> str | None:
        """The text written to the road layer; none where nothing is known."""
        return self.name.lower() if self else None


PER_EDGE = {"per": "edge"}
"""Marks what is said of each edge: a field of ``RoadNetwork`` with (E,) values."""


@dataclass(frozen=True)
class RoadNetwork:
    """Road centrelines and the nodes that join them.

    Pixel coordinates of the working grid, x = col, y = row, pixel centres at (col + 0.5, row + 0.5).
    Every edge's first and last point equals the position of its from and to node.

    Attributes:
        grid: the working grid.
        node_id: (N,) int64, 1... in reading order (north to south, west to east).
        node_xy: (N, 2) float64.
        node_kind: (N,) uint8, values of NodeKind.
        edge_nodes: (E, 2) int64, ids (not row numbers) of the from and to node.
        offsets: (E + 1,) int64; points of edge i are points[offsets[i]:offsets[i + 1]].
        points: (P, 2) float64.
        length_m: (E,) float64, geodesic length.
        width_m, width_std_m: (E,) float64, median and spread of the road's width along the line.
        confidence, confidence_p05: (E,) float64 in 0..1, mean and 5th percentile of p along the line.
        bridged_m: (E,) float64, metres that were bridged across gaps.
        carriageway: (E,) uint8, values of Carriageway.
        messages: what was noticed of the raster while its roads were traced.
    """

    grid: Grid
    node_id: NDArray[np.int64]
    node_xy: Points
    node_kind: NDArray[np.uint8]
    edge_nodes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    points: Points
    length_m: NDArray[np.float64] = field(metadata=PER_EDGE)
    width_m: NDArray[np.float64] = field(metadata=PER_EDGE)
    width_std_m: NDArray[np.float64] = field(metadata=PER_EDGE)
    confidence: NDArray[np.float64] = field(metadata=PER_EDGE)
    confidence_p05: NDArray[np.float64] = field(metadata=PER_EDGE)
    bridged_m: NDArray[np.float64] = field(metadata=PER_EDGE)
    carriageway: NDArray[np.uint8] = field(metadata=PER_EDGE)
    messages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        nodes, edges = len(self.node_id), len(self.edge_nodes)
        if self.node_xy.shape != (nodes, 2) or self.node_kind.shape != (nodes,):
            raise ValueError("node arrays differ in length")
        if self.offsets.shape != (edges + 1,) or int(self.offsets[-1]) != len(self.points):
            raise ValueError("offsets do not fit edges and points")
        for name, values in self.attributes().items():
            if values.shape != (edges,):
                raise ValueError(f"{name} does not have one value per edge")

    def attributes(self) -> dict[str, NDArray[Any]]:
        """All that is said of each edge, by name: (E,) each. A new attribute is a field above."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata == PER_EDGE}

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_nodes)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.node_id)

    def line(self, edge: int) -> Points:
        """(K, 2) points of one edge in pixel coordinates."""
        return self.points[self.offsets[edge] : self.offsets[edge + 1]]

    def degree(self) -> NDArray[np.int64]:
        """(N,) int64: edge ends at each node; a self-loop counts twice."""
        order = np.argsort(self.node_id)
        rows = order[np.searchsorted(self.node_id[order], self.edge_nodes.ravel())]
        return np.bincount(rows, minlength=self.n_nodes).astype(np.int64)
