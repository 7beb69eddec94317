"""APLS as it is computed for City-Scale, the data set of 2048 m tiles, for figures beside those of papers.

Source: He et al., "Sat2Graph: Road Graph Extraction through Graph-Tensor Encoding" (ECCV 2020), and the
behaviour of the program that was published with it (songtaohe/Sat2Graph, metrics/apls), from reading it; none
of its text is here.

Strategy. Both networks are cut into hops of two metres; all places are ends of hops. Control points are the
junctions and dead ends, and places that divide the roads between them, where they lie within the tile by the
margin; none within four hops of an earlier one, nor in the same cell of two metres. Each takes the nearest
free place of the other network, within 10 m, and what lies within four hops of that is no longer free. A pair
of control points costs 1 where one of them found none, however far they are from each other; else routes of
more than 100 m are compared. The score is the arithmetic mean of both directions.

The program walks through hash tables, so its own figures differ from run to run; here the order is fixed. It
keeps later control points away along the other network's numbers of places, which are mostly those of the
same road; here along the network's own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from scipy.spatial import cKDTree

from georoads.grid import Points
from georoads.ragged import offsets_of, ranks
from georoads.scoring.apls import Apls, Direction, route_costs
from georoads.scoring.params import ScoreParams
from georoads.scoring.road_graph import Indices, RoadGraph
from georoads.scoring.routes import Metres, chunks

HOP_M = 2.0
"""Pieces longer than 1.5 hops are cut into equal ones that are no longer than this."""
_NEAR_HOPS = 4
"""So near an earlier control point, or a partner, there is no other."""
_NEAREST = 10
"""So many places are looked at for a partner."""
_LEAST_PLACES_PER_M = 0.75
"""A road of more places than this times the spacing gets control points between its ends."""
_EAST = 1 / math.cos(math.radians(41))
"""The program lays every tile at 41° north and looks for the nearest in degrees: east counts for more."""


@dataclass(frozen=True)
class Hops:
    """A network cut into hops.

    Attributes:
        xy: (N, 2) float64 metres; the nodes of the network first.
        start, end: (H,) int64, the places at the ends of each hop, road after road.
        offsets: (E + 1,) int64; road e has the hops offsets[e] to offsets[e + 1].
        degree: (K,) int64 of the network's nodes.
    """

    xy: Points
    start: Indices
    end: Indices
    offsets: Indices
    degree: Indices

    def places_of(self, road: int) -> Indices:
        """The places along a road, from node to node."""
        first, last = self.offsets[road], self.offsets[road + 1]
        return np.append(self.start[first:last], self.end[last - 1])

    @cached_property
    def metres(self) -> csr_matrix:
        """(N, N) the lengths of the hops in metres, whole centimetres as the program counts them."""
        length = np.hypot(*(self.xy[self.end] - self.xy[self.start]).T)
        # No hop is 0: the matrix would have none there.
        length = np.maximum(np.floor(length * 100 + 1e-6) / 100, 1e-9)
        # Of hops between the same places the shortest: the matrix would add them up.
        order = np.lexsort((length, self.end, self.start))
        pairs = np.column_stack((self.start, self.end))[order]
        (start, end), first = (found.T for found in np.unique(pairs, axis=0, return_index=True))
        return csr_matrix((length[order][first], (start, end)), shape=(len(self.xy), len(self.xy)))

    @cached_property
    def _neighbours(self) -> csr_matrix:
        return (self.metres + self.metres.T).tocsr()

    def around(self, place: int) -> list[int]:
        """The places within four hops of one, itself included."""
        reached, rim = {place}, [place]
        table = self._neighbours
        for _ in range(_NEAR_HOPS):
            steps = {o for p in rim for o in table.indices[table.indptr[p] : table.indptr[p + 1]].tolist()}
            rim = [*(steps - reached)]
            reached |= steps
        return [*reached]


def cut_into_hops(graph: RoadGraph) -> Hops:
    """The hops of a network: each straight piece by itself, so that no bend is cut off."""
    piece_m = graph.pieces.length_m
    count = np.where(piece_m > 1.5 * HOP_M, (piece_m / HOP_M).astype(np.int64) + 1, 1)
    piece = np.repeat(np.arange(len(count)), count)
    share = (ranks(count) / count[piece])[:, None]
    begins = graph.pieces.start[piece] * (1 - share) + graph.pieces.end[piece] * share
    per_road = np.bincount(graph.pieces.line[piece], minlength=graph.n_edges)
    offsets = offsets_of(per_road)
    # Where a road begins is a node; all other beginnings are new places.
    is_node = ranks(per_road) == 0
    start = len(graph.node_xy) - 1 + np.cumsum(~is_node)
    start[is_node] = graph.edge_nodes[:, 0]
    end = np.append(start[1:], 0)
    end[offsets[1:] - 1] = graph.edge_nodes[:, 1]
    return Hops(np.concatenate((graph.node_xy, begins[~is_node])), start, end, offsets, graph.degree)


def apls_cityscale(
    proposal: RoadGraph, reference: RoadGraph, params: ScoreParams, tile: shapely.Geometry
) -> Apls:
    """APLS of two networks, as City-Scale's program has it.

    Args:
        proposal: the network to be judged.
        reference: the truth.
        params: spacing and snapping distance of the control points, margin, and the least route.
        tile: the polygon of the tile in the networks' plane.

    Returns:
        The score and how it came about; a direction without a pair to compare is 0.
    """
    inside = tile.buffer(-params.apls_margin_m, join_style="mitre")
    ours, theirs = cut_into_hops(proposal), cut_into_hops(reference)
    first = _score_direction(theirs, ours, params, inside)
    second = _score_direction(ours, theirs, params, inside)
    return Apls((first.score + second.score) / 2, first, second)


def control_points(hops: Hops, spacing_m: float, inside: shapely.Geometry) -> Indices:
    """The places (K,) int64 that are control points.

    Args:
        hops: the network.
        spacing_m: about how far they lie apart along a road.
        inside: the polygon that they lie in.
    """
    within = shapely.contains_xy(inside, *hops.xy.T)
    cells = [*map(tuple, np.floor(hops.xy * (_EAST, 1.0) / HOP_M).tolist())]
    taken: set[tuple[float, ...]] = set()
    covered = np.zeros(len(hops.xy), dtype=bool)
    chosen: list[int] = []

    def choose(place: int, *, anyway: bool = False) -> None:
        if within[place] and cells[place] not in taken and (anyway or not covered[place]):
            taken.add(cells[place])
            chosen.append(place)
            covered[hops.around(place)] = True

    done: set[int] = set()
    for node, roads in _roads_by_node(hops):
        for road in roads:
            if road in done:
                continue
            done.add(road)
            places = hops.places_of(road)
            if places[0] != node:
                places = places[::-1]
            if len(places) > _LEAST_PLACES_PER_M * spacing_m:
                parts = int(len(places) / (spacing_m / HOP_M)) + 1
                for k in range(1, parts):
                    choose(int(places[int(len(places) * k / parts)]))
        choose(node, anyway=bool(hops.degree[node] == 1))
    return np.array(chosen, dtype=np.int64)


def _roads_by_node(hops: Hops) -> Iterator[tuple[int, list[int]]]:
    """Each junction and dead end, and the roads that end there; rings without one are left out."""
    ends = np.column_stack((hops.start[hops.offsets[:-1]], hops.end[hops.offsets[1:] - 1]))
    order = np.argsort(ends.ravel(), kind="stable")
    roads, starts = (order // 2).tolist(), offsets_of(hops.degree).tolist()
    for node in np.flatnonzero(hops.degree != 2).tolist():
        yield node, roads[starts[node] : starts[node + 1]]


def _score_direction(
    hops: Hops, other: Hops, params: ScoreParams, inside: shapely.Geometry
) -> Direction:  # fmt: skip
    """Compare the routes between the control points of one network with those on the other."""
    points = control_points(hops, params.apls_spacing_m, inside)
    partners = _take_partners(hops.xy[points], other, params.apls_snap_m)
    found = np.flatnonzero(partners >= 0)
    lengths = _lengths_between(hops, points[found])
    other_lengths = _lengths_between(other, partners[found])
    # Each pair once. Of those that have partners, routes that exist and are long enough count.
    first, second = np.triu_indices(len(found), 1)
    length, other_length = lengths[first, second], other_lengths[first, second]
    counts = np.isfinite(length) & (length > params.apls_least_route_m)
    costs = route_costs(length[counts], other_length[counts])
    alone = len(points) * (len(points) - 1) // 2 - len(first)
    pairs = len(costs) + alone
    return Direction(
        score=1.0 - (float(costs.sum()) + alone) / pairs if pairs else 0.0,
        control_points=len(points),
        snapped=len(found),
        sources=len(points),
        pairs=pairs,
        missing=alone + int(np.isinf(other_length[counts]).sum()),
    )


def _take_partners(xy: Points, other: Hops, snap_m: float) -> Indices:
    """(K,) int64: the place of the other network that each point (K, 2) takes, in turn; -1: none."""
    partners = np.full(len(xy), -1, dtype=np.int64)
    if not len(xy) or not len(other.xy):
        return partners
    stretched = (_EAST, 1.0)
    k = min(_NEAREST, len(other.xy))
    _, nearest = cKDTree(other.xy * stretched).query(xy * stretched, k=[*range(1, k + 1)])
    gap = np.hypot(*np.moveaxis(other.xy[nearest] - xy[:, None], -1, 0))
    covered = np.zeros(len(other.xy), dtype=bool)
    for i, (places, metres) in enumerate(zip(nearest.tolist(), gap.tolist(), strict=True)):
        for place, apart in zip(places, metres, strict=True):
            if apart < snap_m and not covered[place]:
                partners[i] = place
                covered[other.around(place)] = True
                break
    return partners


def _lengths_between(hops: Hops, places: Indices) -> Metres:
    """(K, K) float64 metres of the shortest routes between places (K,); inf where there is none."""
    found = np.full((len(places), len(places)), np.inf)
    for part in chunks(len(places), len(hops.xy)):
        rows = dijkstra(hops.metres, directed=False, indices=places[part])
        found[part] = rows[:, places]
    return found
