"""From lines to a network with nodes, as ``write_roads`` takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from affine import Affine

from georoads.correction.pieces import VALUES, Piece, Spot
from georoads.grid import Grid
from georoads.network.lines.attributes import geodesic_lengths_m
from georoads.network.types import NodeKind, RoadNetwork
from georoads.ragged import offsets_of

_NORTH_UP = Affine(1, 0, 0, 0, -1, 0)
"""A grid whose pixels are the units of the CRS: the network keeps the coordinates as they are."""


def network_of(pieces: Sequence[Piece], crs: str, kinds: Mapping[Spot, str]) -> RoadNetwork:
    """Number the nodes of lines in reading order, and say what each of them is.

    Args:
        pieces: the lines; those that end at the same spot meet there.
        crs: of their coordinates.
        kinds: what nodes were before, by spot: a road that left the scene still does.
    """
    grid = Grid(crs, _NORTH_UP, 1, 1)
    ends = np.array([[piece.end(0).spot, piece.end(1).spot] for piece in pieces]).reshape(-1, 2)
    spots, place = np.unique(ends, axis=0, return_inverse=True)
    order = np.lexsort((spots[:, 0], -spots[:, 1]))  # north to south, west to east
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(1, len(order) + 1)
    edge_nodes = rank[place.reshape(-1, 2)]
    degree = np.bincount(edge_nodes.ravel(), minlength=len(order) + 1)[1:]
    node_kind = np.array(
        [_kind(int(n), kinds.get((x, y))) for n, (x, y) in zip(degree, spots[order], strict=True)], np.uint8
    )
    offsets = offsets_of([len(piece.xy) for piece in pieces])
    points = np.concatenate([piece.xy for piece in pieces] or [np.empty((0, 2))]) * (1.0, -1.0)
    values: dict[str, Any] = {
        name: np.array([piece.values.get(name, np.nan) for piece in pieces]) for name in VALUES
    }
    return RoadNetwork(
        grid=grid,
        node_id=np.arange(1, len(order) + 1, dtype=np.int64),
        node_xy=spots[order] * (1.0, -1.0),
        node_kind=node_kind,
        edge_nodes=edge_nodes,
        offsets=offsets,
        points=points,
        length_m=geodesic_lengths_m(grid, points, offsets),
        carriageway=np.array([piece.carriageway for piece in pieces], np.uint8),
        **values,
    )


def _kind(degree: int, before: str | None) -> NodeKind:
    if degree == 1:
        return NodeKind.SCENE_EDGE if before == NodeKind.SCENE_EDGE.label else NodeKind.END
    if degree == 2 and before == NodeKind.RING.label:
        return NodeKind.RING
    return NodeKind.JUNCTION
