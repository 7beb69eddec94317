"""Stretches that face each other over a narrow place are one: no carriageways join for so short a way."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from georoads.grid import Points
from georoads.network.carriageways.stretches import Least, Stretch
from georoads.network.mask.points import holds
from georoads.network.mask.road_mask import RoadMask

GAP_WIDTHS = 2.0
"""The place is no longer than so many times the least width."""

FACING_COS = 0.9
"""Both stretches lead to the other's end within this angle (26 degrees)."""

Ends = NDArray[np.int64]


def join_facing(stretches: list[Stretch], road: RoadMask, least: Least) -> list[Stretch]:
    """The stretches, those that face each other joined; the nearest first.

    Args:
        stretches: as found along their axes.
        road: the mask, without medians in it: all between them must be road.
        least: how wide roads are.
    """
    while len(stretches) > 1:
        pairs = _facing(stretches, road, least)
        if not len(pairs):
            break
        used: set[int] = set()
        joined = []
        for one, other in pairs.tolist():
            if used & {one // 2, other // 2}:
                continue
            used |= {one // 2, other // 2}
            before = stretches[one // 2] if one % 2 else stretches[one // 2].turned()
            behind = stretches[other // 2].turned() if other % 2 else stretches[other // 2]
            joined.append(_joined(before, behind))
        stretches = [s for i, s in enumerate(stretches) if i not in used] + joined
    return stretches


def _facing(stretches: list[Stretch], road: RoadMask, least: Least) -> Ends:
    """(K, 2) int64 pairs of ends, 2 i the first of stretch i and 2 i + 1 the last; the nearest first."""
    tip: Points = np.array([s.xy[k] for s in stretches for k in (0, -1)])
    lead = round(least.width_px)
    inner = np.array([s.xy[k] for s in stretches for k in (min(lead, len(s.xy) - 1), -min(lead, len(s.xy)))])
    way = (tip - inner) / np.maximum(np.hypot(*(tip - inner).T), 1e-9)[:, None]
    pairs = cKDTree(tip).query_pairs(GAP_WIDTHS * least.width_px, output_type="ndarray")
    pairs = pairs[pairs[:, 0] // 2 != pairs[:, 1] // 2]
    gap = tip[pairs[:, 1]] - tip[pairs[:, 0]]
    size = np.maximum(np.hypot(*gap.T), 1e-9)
    cos = np.minimum((way[pairs[:, 0]] * gap).sum(axis=1), -(way[pairs[:, 1]] * gap).sum(axis=1)) / size
    between = tip[pairs[:, 0]][:, None] + np.linspace(0, 1, 64)[None, :, None] * gap[:, None]
    good = (cos >= FACING_COS) & holds(road.road, between).all(axis=1)
    pairs, size = np.sort(pairs[good], axis=1), size[good]
    return pairs[np.lexsort((pairs[:, 1], pairs[:, 0], size))]


def _joined(before: Stretch, behind: Stretch) -> Stretch:
    """One stretch, straight in between."""
    gap = behind.xy[0] - before.xy[-1]
    count = int(np.hypot(*gap))
    between = before.xy[-1] + np.arange(1, count)[:, None] / max(count, 1) * gap
    width = float(before.width[-1] + behind.width[0]) / 2
    return before.with_line(between, width).followed_by(behind)
