"""Gaps where the road is faint: joined along the way on which the network still sees most of it.

Under trees, in shadow, on bare earth p falls below the threshold but not to nothing, and the road may bend
there. From each dead end the least-cost path over p is followed ahead to the first line that it meets.

1. Only what lies ahead of the end, within REACH_DEG of its direction and within reach, is walked; and no
   pixel of the road that ends there, so that no line turns back into itself.
2. The path stops where it enters another road, within half that road's width of its line; or at the scene's
   edge, beyond which roads go on: there the network is less sure, as it sees one side of them only.
3. It is taken for road when the mean of p on it, where it is outside the mask, is at least ``faint_p`` and it
   is not much longer than straight.
4. Of paths that come near each other the shorter one is taken; the other end looks again afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter
from scipy.spatial import cKDTree

from georoads.grid import Points, Window
from georoads.levels import NODATA, probabilities
from georoads.network.compiled import compiled
from georoads.network.graph.bridge import LEAD_PX, clear_of_lines, join_along
from georoads.network.graph.cheapest_path import cheapest_way
from georoads.network.graph.divide import divide
from georoads.network.graph.graph import Graph
from georoads.network.types import ParallelMap, ReadProbability

REACH_DEG = 60.0
"""How far to either side of its direction a dead end looks."""

LONGEST_DETOUR = 1.4
"""A path that is longer than this many times the straight gap wanders."""

BASE_COST = 0.02
"""Added to p: what a pixel without any road costs is 1 / BASE_COST."""

BLUR_PX = 2.5
"""p is blurred by this before it is walked on: so a path keeps to the middle of a faint road, instead of
cutting its bends along the inner side."""

BLUR_REACH_PX = 10
"""Beyond four standard deviations the blur is cut off."""

NEAR_PX = 2.0
"""Lines reach at least this far to their sides."""

APART_PX = 6.0
"""Paths that come nearer to each other than this are one road, seen from two ends."""

ROUNDS = 3

P_OF = np.append(probabilities(), 0.0).astype(np.float32)
"""p of each level; of nodata 0."""


@dataclass(frozen=True)
class FaintSearch:
    """How gaps over faint road are looked for.

    Attributes:
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        shape: (height, width) of the raster.
        reach_px: length of the longest gap; 0 joins none.
        road_level: round(254 p) from which a pixel is road.
        faint_level: round(254 p) that the mean along a gap must reach.
    """

    read: ReadProbability
    shape: tuple[int, int]
    reach_px: float
    road_level: int
    faint_level: int


@dataclass(frozen=True)
class _Path:
    """A way from a dead end to another line.

    Attributes:
        tip: row of the node that is the dead end.
        target: row of the point (of ``xy``) that it leads to; None: to the scene's edge.
        xy: (K, 2) float64 pixel coordinates from the tip to the target, both included.
        level: (K,) uint8.
    """

    tip: int
    target: int | None
    xy: Points
    level: NDArray[np.uint8]

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(*np.diff(self.xy, axis=0).T).sum())


@dataclass(frozen=True)
class _Ground:
    """What can be seen from dead ends.

    Attributes:
        search: how far and how faint.
        graph: whose dead ends they are.
        edge_of: (P,) int64, the edge of each of the graph's points.
        side_of: (P,) float64, pixels from there to the side of its road.
        lead: (E, 2, 2) float64, for both ends of an edge the point that its direction is taken from.
        tree: the points by their place.
    """

    search: FaintSearch
    graph: Graph
    edge_of: NDArray[np.int64]
    side_of: NDArray[np.float64]
    lead: Points
    tree: cKDTree


def bridge_faint_gaps(graph: Graph, search: FaintSearch, parallel_map: ParallelMap) -> Graph:
    """Join dead ends to what the faint road ahead of them leads to; see the module.

    Args:
        graph: paths of pixels.
        search: where, how far, and how faint.
        parallel_map: looks from each dead end; several workers may.

    Returns:
        The graph with the paths as edges without width; their length in ``bridged_px``.
    """
    if search.reach_px <= 0:
        return graph
    waiting = np.ones(graph.n_nodes, np.bool_)
    for _ in range(ROUNDS):
        if not graph.n_edges:
            break
        ends = graph.dead_ends(graph.at_edge | ~waiting)
        dead_ends = list(zip(ends.edge.tolist(), ends.side.tolist(), strict=True))
        found = parallel_map(partial(_find_path, _survey(graph, search)), dead_ends)
        paths = [path for path in found if path is not None]
        if not paths:
            break
        clear = clear_of_lines(graph, np.array([shapely.LineString(path.xy) for path in paths], np.object_))
        taken, left = _choose_apart([path for path, is_clear in zip(paths, clear, strict=True) if is_clear])
        if not taken:
            break
        tips = graph.node_xy[[p.tip for p in left]]
        graph = _with_paths(graph, taken)
        waiting = _is_at(graph, tips)
    return graph


def _survey(graph: Graph, search: FaintSearch) -> _Ground:
    """What is looked up again from each dead end."""
    edge_of = graph.edge_of_points()
    side_of = np.maximum(graph.median_widths() / 2, NEAR_PX)[edge_of]
    tree = cKDTree(graph.xy, balanced_tree=False, compact_nodes=False)  # quickly built, and rarely asked
    return _Ground(search, graph, edge_of, side_of, lead=graph.lead_points(LEAD_PX), tree=tree)


def _is_at(graph: Graph, xy: Points) -> NDArray[np.bool_]:
    """(N,) bool: the nodes that lie exactly at one of these places."""
    found = np.zeros(graph.n_nodes, np.bool_)
    if len(xy) and graph.n_nodes:
        distance, node = cKDTree(graph.node_xy).query(xy)
        found[node[distance == 0]] = True
    return found


def _find_path(ground: _Ground, dead_end: tuple[int, int]) -> _Path | None:
    """The way that is found from a dead end; None: none that is taken for road.

    Args:
        ground: what can be seen.
        dead_end: its place in the graph's (E, 2) arrays: the edge, and which of its ends.
    """
    graph, search, reach_px = ground.graph, ground.search, ground.search.reach_px
    node = int(graph.edge_nodes[dead_end])
    tip = graph.node_xy[node]
    around = ground.tree.query_ball_point(tip, reach_px + float(ground.side_of.max()))
    near = np.array(sorted(around), dtype=np.int64)
    mine = ground.edge_of[near] == dead_end[0]
    others = near[~mine]
    box = _window(tip, reach_px, search.shape)
    level = search.read(box)
    edge = _scene_edge(level, box, search.shape)
    if not len(others) and not edge.any():
        return None
    # 1. The ground ahead, without the road that ends here.
    open_ground = _ahead(tip, tip - ground.lead[dead_end], box, reach_px) & (level != NODATA)
    _close_own_road(open_ground, graph.xy[near[mine]], tip, box)
    # 2. Any other road is a target, up to half its width from its line; and so is the scene's edge.
    corner, shape = (box.row, box.col), level.shape
    road = _mark_discs(graph.xy[others], ground.side_of[others], corner, shape) & open_ground
    way = _cheapest_to_target(level, open_ground, road | edge & open_ground, tip, box)
    # 3. It must show enough road, and not wander.
    if way is None or not _shows_road(level[way[:, 0], way[:, 1]], search.road_level, search.faint_level):
        return None
    xy, along = way[:, ::-1] + (box.col + 0.5, box.row + 0.5), level[way[:, 0], way[:, 1]]
    path = _Path(node, None, np.vstack((tip, xy[1:])), along)
    if road[tuple(way[-1])]:
        last = int(others[np.argmin(np.hypot(*(graph.xy[others] - xy[-1]).T))])
        path = _Path(node, last, np.vstack((path.xy, graph.xy[last])), np.append(along, graph.level[last]))
    straight = float(np.hypot(*(path.xy[-1] - tip)))
    return path if path.length <= min(reach_px, LONGEST_DETOUR * straight + NEAR_PX) else None


def _scene_edge(level: NDArray[np.uint8], box: Window, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """(h, w) bool: pixels of a window at the raster's edge or beside nodata."""
    edge = np.zeros(level.shape, np.bool_)
    edge[0], edge[-1] = box.row == 0, box.row + box.height == shape[0]
    edge[:, 0] |= box.col == 0
    edge[:, -1] |= box.col + box.width == shape[1]
    unseen = level == NODATA
    if unseen.any():
        edge |= binary_dilation(unseen, np.ones((3, 3)))
    return np.asarray(edge & ~unseen)


def _shows_road(level: NDArray[np.uint8], road: int, least: int) -> bool:
    """Whether a path shows enough road where it is outside the mask."""
    gap = level[level < road]
    return not len(gap) or bool(gap.mean() >= least)


def _window(tip: Points, reach_px: float, shape: tuple[int, int]) -> Window:
    """The square around a tip, cut at the raster's edge."""
    half = int(np.ceil(reach_px)) + 1
    around = Window(int(tip[1]) - half, int(tip[0]) - half, 2 * half + 1, 2 * half + 1)
    return around.intersect(Window(0, 0, *shape))


def _ahead(tip: Points, direction: Points, box: Window, reach_px: float) -> NDArray[np.bool_]:
    """(h, w) bool: pixels of the window that lie ahead of the tip and within reach of it."""
    across, down = direction / max(float(np.hypot(*direction)), 1e-9)
    row, col = np.ogrid[: box.height, : box.width]
    x, y = col - (tip[0] - box.col - 0.5), row - (tip[1] - box.row - 0.5)
    away = np.sqrt(x * x + y * y)
    # Beside the tip itself directions mean little.
    ahead = x * across + y * down >= np.cos(np.radians(REACH_DEG)) * away - NEAR_PX
    return np.asarray(ahead & (away <= reach_px))


def _close_own_road(open_ground: NDArray[np.bool_], points: Points, tip: Points, box: Window) -> None:
    """Take the tip's own line out of the ground that may be walked, but for the tip."""
    cols, rows = np.floor(points).astype(np.int64).T - [[box.col], [box.row]]
    here = int(tip[1]) - box.row, int(tip[0]) - box.col
    # The line's pixels and their eight neighbours: a path could slip through a line of one pixel.
    for row in (-1, 0, 1):
        for col in (-1, 0, 1):
            r, c = rows + row, cols + col
            inside = (r >= 0) & (c >= 0) & (r < box.height) & (c < box.width)
            open_ground[r[inside], c[inside]] = False
    # A path must get out of the tip.
    top, left = max(0, here[0] - 2), max(0, here[1] - 2)
    around = slice(top, here[0] + 3), slice(left, here[1] + 3)
    open_ground[around] = True


@compiled
def _mark_discs(
    points: Points, reach: NDArray[np.float64], corner: tuple[int, int], shape: tuple[int, int]
) -> NDArray[np.bool_]:
    """(h, w) bool of a window with this row and column as its corner: pixels within reach of the points."""
    height, width = shape
    found = np.zeros(shape, np.bool_)
    for i in range(len(points)):
        # The point's pixel, which may lie outside, and how many whole pixels are reached from it.
        y, x = int(np.floor(points[i, 1])) - corner[0], int(np.floor(points[i, 0])) - corner[1]
        far = int(reach[i])
        for row in range(max(0, y - far), min(height, y + far + 1)):
            for col in range(max(0, x - far), min(width, x + far + 1)):
                if (row - y) ** 2 + (col - x) ** 2 <= far * far:
                    found[row, col] = True
    return found


def _cheapest_to_target(
    level: NDArray[np.uint8],
    open_ground: NDArray[np.bool_],
    target: NDArray[np.bool_],
    tip: Points,
    box: Window,
) -> NDArray[np.int64] | None:
    """(K, 2) rows and columns in the window, from the tip to the cheapest target; None: it reaches none."""
    start = min(int(tip[1]) - box.row, box.height - 1), min(int(tip[0]) - box.col, box.width - 1)
    # What is right beside the tip is no gap.
    target[max(0, start[0] - 2) : start[0] + 3, max(0, start[1] - 2) : start[1] + 3] = False
    if not target.any():
        return None
    # Only the open ground is searched, and blurred with as much around it as the blur sees.
    part, wide = _bounds_of(open_ground, 0), _bounds_of(open_ground, BLUR_REACH_PX)
    p = gaussian_filter(P_OF[level[wide.slices]], BLUR_PX, radius=BLUR_REACH_PX)
    cost = np.where(
        open_ground[part.slices], 1.0 / (BASE_COST + p[part.relative_to(wide).slices]), np.float32(np.inf)
    )
    way = cheapest_way(cost, (start[0] - part.row, start[1] - part.col), target[part.slices])
    return np.add(way, (part.row, part.col)) if len(way) else None


def _bounds_of(ground: NDArray[np.bool_], margin: int) -> Window:
    """The smallest window that holds all that is open, and a margin around it as far as there is ground."""
    rows, cols = (np.flatnonzero(ground.any(axis=axis)) for axis in (1, 0))
    tight = Window(int(rows[0]), int(cols[0]), int(rows[-1] - rows[0]) + 1, int(cols[-1] - cols[0]) + 1)
    return tight.pad(margin).intersect(Window(0, 0, *ground.shape))


def _choose_apart(paths: list[_Path]) -> tuple[list[_Path], list[_Path]]:
    """Paths to take, the shortest first, and those that came too near to one of them to be taken yet."""
    taken: list[_Path] = []
    left: list[_Path] = []
    cells: set[tuple[int, int]] = set()
    for path in sorted(paths, key=lambda p: (p.length, p.tip)):
        # In a lattice of cells: paths that are near each other are in the same cell or in neighbours.
        mine = {(int(x // APART_PX), int(y // APART_PX)) for x, y in path.xy}
        around = {(x + i, y + j) for x, y in mine for i in (-1, 0, 1) for j in (-1, 0, 1)}
        if around & cells:
            left.append(path)
        else:
            taken.append(path)
            cells |= mine
    return taken, left


def _with_paths(graph: Graph, paths: list[_Path]) -> Graph:
    """The graph with an edge for each path; the edges that they lead to are divided there."""
    # A dead end has one edge, and the node at its other end: back there would be a loop beside the edge.
    root = np.full(graph.n_nodes, -1)
    root[graph.edge_nodes.ravel()] = graph.edge_nodes[:, ::-1].ravel()
    paths = sorted(paths, key=lambda path: path.target is None)
    cuts, cut_of = np.unique([p.target for p in paths if p.target is not None], return_inverse=True)
    graph, node = divide(graph, cuts.astype(np.int64))
    # Behind the points that roads are divided at, the places where paths leave the scene.
    leaving = np.array([p.xy[-1] for p in paths if p.target is None]).reshape(-1, 2)
    ends = np.concatenate((node[cut_of], graph.n_nodes + np.arange(len(leaving))))
    graph = graph.with_nodes(leaving, np.full(len(leaving), NEAR_PX), at_edge=True)
    pairs = np.column_stack(([p.tip for p in paths], ends)).astype(np.int64)
    new = (pairs[:, 1] != pairs[:, 0]) & (pairs[:, 1] != root[pairs[:, 0]])
    pairs, paths = pairs[new], [p for p, is_new in zip(paths, new, strict=True) if is_new]
    if not paths:
        return graph
    lines = [np.vstack((p.xy[:-1], graph.node_xy[end])) for p, end in zip(paths, pairs[:, 1], strict=True)]
    return join_along(graph, pairs, lines, np.concatenate([p.level for p in paths]))
