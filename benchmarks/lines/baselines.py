"""Ways from a probability raster to road lines: the plain one, the recipe of SpaceNet's winners, and ours.

Each takes (H, W) uint8, round(254 p), and gives lines in pixel coordinates (x = col, y = row, a pixel's
centre at .5). The recipe is rebuilt from its description (CRESI, Van Etten 2020, grown from the winner of
SpaceNet 3), not from its code. Its lengths are pixels of 0.3 m; here they are metres.
"""

from __future__ import annotations

import numpy as np
import shapely
from branches import Branch, degrees, drop_islands, merge_through, skeleton_branches
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from skimage.measure import label
from skimage.morphology import skeletonize
from tiles import GSD_M, tile_grid

from georoads.grid import Points
from georoads.levels import level_of, threshold_level
from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork
from georoads.network.vectorize import trace_network

CRESI_THRESHOLD = 0.3
CRESI_AREA_M2 = 300 * 0.3**2
"""Objects and holes below 300 pixels."""
CRESI_PAD_M = 5 * 0.3
CRESI_SPUR_M = 10.0
CRESI_NEAR_M = 24 * 0.3
"""Ends nearer than this are joined at any angle."""
CRESI_FAR_M = 80 * 0.3
CRESI_STRAIGHT_DEG = 30.0
"""Ends nearer than CRESI_FAR_M are joined where their roads are one within this angle."""
CRESI_ISLAND_M = 80 * 0.3
CRESI_SIMPLIFY_M = 2 * 0.3
LEAD_PX = 12.0
"""The direction of a dead end is taken over this length."""


def plain_lines(levels: NDArray[np.uint8], threshold: float) -> list[Points]:
    """Threshold, thin (Zhang and Suen), one line per branch; nothing is cleaned."""
    skeleton = skeletonize(levels >= threshold_level(threshold))
    return [b.xy for b in skeleton_branches(skeleton)]


def cresi_lines(levels: NDArray[np.uint8]) -> list[Points]:
    """The recipe: see the module and its constants."""
    mask = levels >= level_of(CRESI_THRESHOLD)
    area_px = CRESI_AREA_M2 / GSD_M**2
    mask = _without_small(mask, area_px, 2)
    mask = ~_without_small(~mask, area_px, 1)
    pad = round(CRESI_PAD_M / GSD_M)
    skeleton = skeletonize(np.pad(mask, pad, mode="edge"))[pad:-pad, pad:-pad]
    branches = _without_spurs(skeleton_branches(skeleton), CRESI_SPUR_M / GSD_M, levels.shape)
    branches = merge_through(branches + _joints(branches, levels.shape))
    branches = drop_islands(branches, CRESI_ISLAND_M / GSD_M)
    lines = [shapely.LineString(b.xy).simplify(CRESI_SIMPLIFY_M / GSD_M) for b in branches]
    return [shapely.get_coordinates(line) for line in lines]


def our_network(levels: NDArray[np.uint8], params: VectorizeParams) -> RoadNetwork:
    """georoads, as ``georoads vectorize`` would trace the raster."""
    return trace_network(lambda window: levels[window.slices], tile_grid(levels.shape), params)


def _without_small(mask: NDArray[np.bool_], area_px: float, connectivity: int) -> NDArray[np.bool_]:
    part = label(mask, connectivity=connectivity)
    large = np.bincount(part.ravel()) >= area_px
    large[0] = False
    return np.asarray(large[part])


def _at_edge(point: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    col, row = point
    return bool(min(row, col, shape[0] - row, shape[1] - col) < 1)


def _without_spurs(branches: list[Branch], least_px: float, shape: tuple[int, ...]) -> list[Branch]:
    """Drop all dead ends that are short, join what is left, again until none is."""
    while True:
        degree = degrees(branches)
        kept = [
            b
            for b in branches
            if b.length >= least_px
            or min(degree[b.start], degree[b.end]) > 1
            or any(
                _at_edge(xy, shape)
                for node, xy in ((b.start, b.xy[0]), (b.end, b.xy[-1]))
                if degree[node] == 1
            )
        ]
        if len(kept) == len(branches):
            return branches
        branches = merge_through(kept)


def _joints(branches: list[Branch], shape: tuple[int, ...]) -> list[Branch]:
    """Straight branches between dead ends that are near, or less near and face each other; each end once."""
    degree = degrees(branches)
    ends = [b for whole in branches for b in (whole, whole.turned()) if degree[b.end] == 1]
    ends = [b for b in ends if not _at_edge(b.xy[-1], shape)]
    if len(ends) < 2:
        return []
    tips = np.array([b.xy[-1] for b in ends])
    ahead = np.array([_ahead(b) for b in ends])
    pairs = cKDTree(tips).query_pairs(CRESI_FAR_M / GSD_M, output_type="ndarray")
    gap = tips[pairs[:, 1]] - tips[pairs[:, 0]]
    length = np.hypot(*gap.T)
    straight = np.cos(np.radians(CRESI_STRAIGHT_DEG))
    facing = (gap * ahead[pairs[:, 0]]).sum(1) >= straight * length
    facing &= -(gap * ahead[pairs[:, 1]]).sum(1) >= straight * length
    good = (length < CRESI_NEAR_M / GSD_M) | facing
    joints: list[Branch] = []
    taken: set[object] = set()
    for i, j in pairs[good][np.lexsort((pairs[good][:, 1], pairs[good][:, 0], length[good]))].tolist():
        if {ends[i].end, ends[j].end} & taken or ends[i].start == ends[j].end:
            continue
        taken |= {ends[i].end, ends[j].end}
        joints.append(Branch(ends[i].end, ends[j].end, np.array([tips[i], tips[j]])))
    return joints


def _ahead(branch: Branch) -> NDArray[np.float64]:
    """(2,) unit vector out of the branch's end."""
    back = branch.xy[::-1]
    along = np.cumsum(np.hypot(*np.diff(back, axis=0).T))
    lead = back[min(int(np.searchsorted(along, LEAD_PX)) + 1, len(back) - 1)]
    out = back[0] - lead
    return np.asarray(out / max(float(np.hypot(*out)), 1e-9))
