"""A road network cut at the border of an area of interest.

1. Lines inside stay as they are, lines outside go.
2. Of a line that crosses the border, each segment is cut by itself, which is exact however often the line
   crosses itself; spans that continue each other make one part.
3. An end where the border cuts gets a node of kind scene_edge; other ends keep their node. A node on the
   border that has lost roads to the outside, and joins fewer than three now, is one too.
4. A part's length is measured anew; the metres bridged are shared by length; all other attributes (width,
   confidence) stay those of the whole road.
5. Nodes are numbered anew in reading order.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.lines.attributes import geodesic_lengths_m
from georoads.network.types import NodeKind, RoadNetwork
from georoads.ragged import offsets_of, owners

_JOINED = 1e-9
"""Spans this close along a line, in segments, continue each other."""
_LEAST_PX = 1e-6
"""Parts shorter than this only touch the area."""
_DIGITS = 6
"""Cut ends that agree to so many decimals of a pixel are one node."""


@dataclass(frozen=True)
class _Part:
    """What is left of an edge: its points, and whether its ends are those of the edge."""

    edge: int
    points: Points
    keeps_from: bool
    keeps_to: bool


def clip_network(network: RoadNetwork, area: shapely.Geometry) -> RoadNetwork:
    """The part of a network inside an area.

    Args:
        network: the roads.
        area: a valid polygon or multipolygon in pixel coordinates of the network's grid.

    Returns:
        The same network where the area covers it; one without edges and nodes where it misses it.
    """
    if not network.n_edges:
        return network
    lines = np.asarray(shapely.linestrings(network.points, indices=owners(network.offsets)), dtype=np.object_)
    shapely.prepare(area)
    inside = shapely.covers(area, lines)
    if inside.all():
        return network
    crossing = ~inside & shapely.intersects(area, lines)
    parts: list[_Part] = []
    for edge in np.flatnonzero(inside | crossing):
        points = network.line(int(edge))
        parts += (
            [_Part(int(edge), points, True, True)] if inside[edge] else _cut_line(int(edge), points, area)
        )
    return _join_parts(network, parts)


def _cut_line(edge: int, points: Points, area: shapely.Geometry) -> list[_Part]:
    """The parts of one line inside the area, in its direction."""
    # Points that repeat the one before go: their segments have no direction.
    moves = np.concatenate(([True], (np.diff(points, axis=0) != 0).any(axis=1)))
    points = points[moves]
    last = len(points) - 1
    segments = shapely.linestrings(np.stack((points[:-1], points[1:]), axis=1))
    pieces, owner = shapely.get_parts(shapely.intersection(segments, area), return_index=True)
    are_lines = (shapely.get_type_id(pieces) == shapely.GeometryType.LINESTRING) & ~shapely.is_empty(pieces)
    # Where the pieces lie along the line, in its direction; pieces that touch are one span.
    spans: list[list[float]] = []
    for begin, end in sorted(
        _find_span(points[i], points[i + 1], int(i), piece)
        for piece, i in zip(pieces[are_lines], owner[are_lines], strict=True)
    ):
        if spans and begin <= spans[-1][1] + _JOINED:
            spans[-1][1] = max(spans[-1][1], end)
        else:
            spans.append([begin, end])
    parts = [_Part(edge, _points_between(points, a, b), a == 0, b == last) for a, b in spans]
    return [p for p in parts if np.hypot(*np.diff(p.points, axis=0).T).sum() > _LEAST_PX]


def _find_span(start: Points, stop: Points, segment: int, piece: shapely.LineString) -> tuple[float, float]:
    """Where a piece of a segment lies along the line, counted in segments."""
    ends = shapely.get_coordinates(piece)[[0, -1]]
    along = (ends - start) @ (stop - start) / ((stop - start) @ (stop - start))
    along = np.where(np.abs(along) < _JOINED, 0, np.where(np.abs(along - 1) < _JOINED, 1, along))
    return segment + float(along.min()), segment + float(along.max())


def _points_between(points: Points, begin: float, end: float) -> Points:
    """The points of a line from one place to another, counted in segments."""
    at = np.concatenate(([begin], np.arange(np.floor(begin) + 1, np.ceil(end)), [end]))
    index = np.arange(len(points))
    return np.column_stack([np.interp(at, index, points[:, axis]) for axis in (0, 1)])


def _join_parts(network: RoadNetwork, parts: list[_Part]) -> RoadNetwork:
    """The network of the parts; ends that the border made get nodes of their own."""
    positions, ends = _place_ends(network, parts)
    kinds = np.full(len(positions), NodeKind.SCENE_EDGE, dtype=np.uint8)
    kinds[: network.n_nodes] = _kinds_after_cut(network, ends)
    # Nodes that are still used are numbered anew: by row, then by column.
    used = np.unique(ends)
    used = used[np.lexsort((positions[used, 0], positions[used, 1]))]
    new_id = np.zeros(len(positions), dtype=np.int64)
    new_id[used] = np.arange(1, len(used) + 1)
    # Only cut parts are measured anew.
    edges = np.array([part.edge for part in parts], dtype=np.int64)
    offsets = offsets_of([len(part.points) for part in parts])
    points = np.concatenate([part.points for part in parts]) if parts else np.empty((0, 2))
    whole = np.array([part.keeps_from and part.keeps_to for part in parts], dtype=bool)
    lengths = np.where(whole, network.length_m[edges], geodesic_lengths_m(network.grid, points, offsets))
    attributes: dict[str, Any] = {name: values[edges] for name, values in network.attributes().items()}
    attributes |= {"length_m": lengths, "bridged_m": _share_bridged(network, edges, lengths)}
    return dataclasses.replace(
        network,
        node_id=np.arange(1, len(used) + 1, dtype=np.int64),
        node_xy=positions[used],
        node_kind=kinds[used],
        edge_nodes=new_id[ends],
        offsets=offsets,
        points=points,
        **attributes,
    )


def _place_ends(network: RoadNetwork, parts: list[_Part]) -> tuple[Points, NDArray[np.int64]]:
    """(N, 2) positions: those of the network's nodes, then of the ends that the border made; and (parts, 2)
    int64, which of them each part leads from and to. Ends of one place become one, in the parts' points, too.
    """
    row_of = {int(node): row for row, node in enumerate(network.node_id)}
    places: dict[tuple[float, float], int] = {}
    xy: list[tuple[float, float]] = [(float(x), float(y)) for x, y in network.node_xy]
    ends = np.empty((len(parts), 2), dtype=np.int64)
    for number, part in enumerate(parts):
        sides = ((part.keeps_from, part.points[0]), (part.keeps_to, part.points[-1]))
        for side, (kept, point) in enumerate(sides):
            if kept:
                ends[number, side] = row_of[int(network.edge_nodes[part.edge, side])]
                continue
            place = (round(float(point[0]), _DIGITS), round(float(point[1]), _DIGITS))
            if place not in places:
                places[place] = len(xy)
                xy.append((float(point[0]), float(point[1])))
            ends[number, side] = places[place]
            point[:] = xy[places[place]]
    return np.array(xy, dtype=np.float64).reshape(-1, 2), ends


def _kinds_after_cut(network: RoadNetwork, ends: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Kinds of the old nodes, where some have lost roads."""
    before = network.degree()
    now = np.bincount(ends.ravel(), minlength=network.n_nodes)[: network.n_nodes]
    at_border = (now < before) & (now < 3)
    return np.where(at_border, np.uint8(NodeKind.SCENE_EDGE), network.node_kind).astype(np.uint8)


def _share_bridged(
    network: RoadNetwork, edges: NDArray[np.int64], lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(parts,) float64: metres bridged of each part, by its share of the whole length."""
    whole = network.length_m[edges]
    share = np.divide(lengths, whole, out=np.zeros_like(lengths), where=whole > 0)
    return network.bridged_m[edges] * np.minimum(share, 1.0)
