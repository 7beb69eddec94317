"""Which lines are one of two carriageways, and on which side of the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from georoads.network.carriageways.divide import Middles
from georoads.network.types import Carriageway, RoadNetwork
from georoads.ragged import owners

ALONG = 0.8
"""A carriageway leads as the road's middle does, by the cosine of the angle between them: 37 degrees."""

BESIDE = 0.45
"""It lies no farther from that middle than this share of the whole road's width."""

MOSTLY = 0.5
"""A line is a carriageway for more than this share of its length."""


def name_carriageways(network: RoadNetwork, middles: Middles) -> RoadNetwork:
    """The network whose lines say which carriageway they are, seen in their own direction.

    Args:
        network: the roads.
        middles: of the roads that were divided.
    """
    if not len(middles.xy) or not network.n_edges:
        return network
    edge = owners(network.offsets)
    inside = edge[:-1] == edge[1:]
    start, stop, edge = network.points[:-1][inside], network.points[1:][inside], edge[:-1][inside]
    length = np.hypot(*(stop - start).T)
    # Long segments are asked at several places.
    count = np.ceil(length / np.median(middles.width)).astype(np.int64)
    segment = np.repeat(np.arange(len(edge)), count)
    share = (np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[segment]
    place = start[segment] + share[:, None] * (stop - start)[segment]
    tree = cKDTree(middles.xy, balanced_tree=False, compact_nodes=False)
    away, nearest = tree.query(place, distance_upper_bound=float(BESIDE * middles.width.max()))
    found = np.flatnonzero(np.isfinite(away))
    segment, place, nearest = segment[found], place[found], nearest[found]
    left = middles.left[nearest]
    way = (stop - start)[segment] / length[segment, None]
    # The middle's direction is its left, turned to the right.
    along = way[:, 1] * left[:, 0] - way[:, 0] * left[:, 1]
    side = ((place - middles.xy[nearest]) * left).sum(axis=1)
    beside = (np.abs(along) >= ALONG) & (np.abs(side) <= BESIDE * middles.width[nearest])
    weight = np.where(beside, (length / np.maximum(count, 1))[segment] * np.sign(side * along), 0.0)
    total = np.bincount(edge[segment], weight, minlength=network.n_edges)
    whole = np.bincount(edge, length, minlength=network.n_edges)
    named = np.where(total > 0, Carriageway.LEFT, Carriageway.RIGHT).astype(np.uint8)
    named[np.abs(total) <= MOSTLY * whole] = Carriageway.UNTOLD
    return replace(network, carriageway=named)
