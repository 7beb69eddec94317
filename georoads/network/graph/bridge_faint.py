"""Gaps where the road is faint: joined along the way on which the network still sees most of it.

Under trees, in shadow, on bare earth p falls below the threshold but not to nothing, and the road may bend
there. From each dead end the least-cost path over p is followed ahead to the first line that it meets.

1. Only the ground ahead of the end is walked (see ``ahead``), and a path may cost no more than one over
   p = ``faint_p`` that is as long as the reach: so ground where nothing is seen is soon given up.
2. The path stops where it enters another road, within half that road's width of its line; or at the scene's
   edge, beyond which roads go on: there the network is less sure, as it sees one side of them only.
3. It is taken for road when what was measured there makes that likely enough (see ``gap_score``), and it is
   not much longer than straight.
4. Of paths that come near each other the shorter one is taken; the other end looks again afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from georoads.grid import Points
from georoads.levels import NODATA
from georoads.network.graph.ahead import (
    BASE_COST,
    NEAR_PX,
    P_OF,
    close_own_road,
    ground_ahead,
    mark_discs,
    scene_edge,
    search_targets,
    window_around,
)
from georoads.network.graph.along import levels_at
from georoads.network.graph.bridge import LEAD_PX, clear_of_lines, join_along
from georoads.network.graph.divide import divide
from georoads.network.graph.gap_score import STRETCH_M, Evidence, RoadEnd, Target, evidence_of, straightness
from georoads.network.graph.graph import Graph
from georoads.network.types import ParallelMap, ReadProbability

LONGEST_DETOUR = 1.4
"""A path that is longer than this many times the straight gap wanders."""

SHARES = (0.5, 1.0)
"""Of the reach: most ways are settled on the ground nearby; only the others need more of it."""

RIM_PX = 3.0
"""So far before the end of its window's ground a search has not yet seen that it ends."""

APART_PX = 6.0
"""Paths that come nearer to each other than this are one road, seen from two ends."""

ROUNDS = 3


@dataclass(frozen=True)
class FaintSearch:
    """How gaps over faint road are looked for.

    Attributes:
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        shape: (height, width) of the raster.
        gsd_m: metres of a pixel.
        reach_px: length of the longest gap; 0 joins none.
        road_level: round(254 p) from which a pixel is road.
        faint_p: p that must be left along a gap as long as the reach; along a shorter one less.
        join_p: how likely a gap must be road.
    """

    read: ReadProbability
    shape: tuple[int, int]
    gsd_m: float
    reach_px: float
    road_level: int
    faint_p: float
    join_p: float

    @property
    def most(self) -> float:
        """What a path may cost."""
        return self.reach_px / (BASE_COST + self.faint_p)


@dataclass(frozen=True)
class Gap:
    """A gap between a dead end and another line, and the way over it.

    Attributes:
        tip: row of the node that is the dead end.
        target: row of the point (of ``xy``) that it leads to; None: to the scene's edge.
        xy: (K, 2) float64 pixel coordinates from the tip to the target, both included.
        level: (K,) uint8.
        evidence: what speaks for road.
    """

    tip: int
    target: int | None
    xy: Points
    level: NDArray[np.uint8]
    evidence: Evidence

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
        width, length, p: (E,) float64, of each edge, in pixels, and the mean of p along it.
        lead: (E, 2, 2) float64, for both ends of an edge the point that its direction is taken from.
        tree: the points by their place.
    """

    search: FaintSearch
    graph: Graph
    edge_of: NDArray[np.int64]
    side_of: NDArray[np.float64]
    width: NDArray[np.float64]
    length: NDArray[np.float64]
    p: NDArray[np.float64]
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
        found = parallel_map(partial(_find_gap, _survey(graph, search)), dead_ends)
        paths = [gap for gap in found if gap is not None and gap.evidence.likelihood >= search.join_p]
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
    edge_of, width = graph.edge_of_points(), graph.median_widths()
    return _Ground(
        search,
        graph,
        edge_of,
        side_of=np.maximum(width / 2, NEAR_PX)[edge_of],
        width=width,
        length=graph.lengths(),
        p=np.add.reduceat(P_OF[graph.level], graph.offsets[:-1]) / np.diff(graph.offsets),
        lead=graph.lead_points(LEAD_PX),
        tree=cKDTree(graph.xy, balanced_tree=False, compact_nodes=False),  # quickly built, and rarely asked
    )


def _is_at(graph: Graph, xy: Points) -> NDArray[np.bool_]:
    """(N,) bool: the nodes that lie exactly at one of these places."""
    found = np.zeros(graph.n_nodes, np.bool_)
    if len(xy) and graph.n_nodes:
        distance, node = cKDTree(graph.node_xy).query(xy)
        found[node[distance == 0]] = True
    return found


def _find_gap(ground: _Ground, dead_end: tuple[int, int]) -> Gap | None:
    """The gap ahead of a dead end; None: nothing is reached from there, or by too long a detour.

    Args:
        ground: what can be seen.
        dead_end: its place in the graph's (E, 2) arrays: the edge, and which of its ends.
    """
    graph, search = ground.graph, ground.search
    node = int(graph.edge_nodes[dead_end])
    tip = graph.node_xy[node]
    for share in SHARES:
        way = _look(ground, dead_end, share * search.reach_px)
        if not way.strayed:
            break
    if not len(way.xy):
        return None
    xy, target = np.vstack((tip, way.xy[1:])), way.target
    if target is not None:
        xy = np.vstack((xy, graph.xy[target]))
    length = float(np.hypot(*np.diff(xy, axis=0).T).sum())
    straight = float(np.hypot(*(xy[-1] - tip)))
    if length > min(search.reach_px, LONGEST_DETOUR * straight + NEAR_PX):
        return None
    seen = partial(levels_at, search.read, search.shape)
    road = None if target is None else int(ground.edge_of[target])
    to = None if road is None else Target(float(ground.width[road]), float(ground.p[road]))
    evidence = evidence_of(xy, _road_end(ground, dead_end), to, seen, search.road_level, search.gsd_m)
    return Gap(node, target, xy, seen(xy), evidence)


def _road_end(ground: _Ground, dead_end: tuple[int, int]) -> RoadEnd:
    """What is known of the road at a dead end."""
    graph, (edge, side) = ground.graph, dead_end
    tip = graph.node_xy[graph.edge_nodes[edge, side]]
    line = graph.xy[graph.offsets[edge] : graph.offsets[edge + 1]]
    return RoadEnd(
        tip=tip,
        ahead=tip - ground.lead[edge, side],
        width_px=float(ground.width[edge]),
        length_px=float(ground.length[edge]),
        p=float(ground.p[edge]),
        straight=straightness(line if side == 0 else line[::-1], STRETCH_M / ground.search.gsd_m),
    )


@dataclass(frozen=True)
class _Way:
    """What a look ahead of a dead end found.

    Attributes:
        xy: (K, 2) float64 middles of the pixels from the tip's on; (0, 2): nothing is reached.
        target: row of the point that it leads to; None: to the scene's edge.
        strayed: whether more ground may show another way.
    """

    xy: Points
    target: int | None
    strayed: bool


def _look(ground: _Ground, dead_end: tuple[int, int], reach_px: float) -> _Way:
    """The cheapest way to another road or the scene's edge within reach of a dead end; see the module."""
    graph, search = ground.graph, ground.search
    tip = graph.node_xy[graph.edge_nodes[dead_end]]
    around = ground.tree.query_ball_point(tip, reach_px + float(ground.side_of.max()))
    near = np.array(sorted(around), dtype=np.int64)
    mine = ground.edge_of[near] == dead_end[0]
    others = near[~mine]
    box = window_around(tip, reach_px, search.shape)
    level = search.read(box)
    edge = scene_edge(level, box, search.shape)
    # 1. The ground ahead, without the road that ends here.
    open_ground = ground_ahead(tip, tip - ground.lead[dead_end], box, reach_px) & (level != NODATA)
    close_own_road(open_ground, graph.xy[near[mine]], tip, box)
    # 2. Any other road is a target, up to half its width from its line; and so is the scene's edge.
    corner, shape = (box.row, box.col), level.shape
    road = mark_discs(graph.xy[others], ground.side_of[others], corner, shape) & open_ground
    start = min(int(tip[1]) - box.row, box.height - 1), min(int(tip[0]) - box.col, box.width - 1)
    found = search_targets(
        level, open_ground, road | edge & open_ground, start, search.most, reach_px - RIM_PX
    )
    xy, target = np.add(found.way[:, ::-1], (box.col + 0.5, box.row + 0.5)), None
    if len(xy) and road[tuple(found.way[-1])]:
        target = int(others[np.argmin(np.hypot(*(graph.xy[others] - xy[-1]).T))])
    return _Way(xy, target, found.strayed)


def _choose_apart(paths: list[Gap]) -> tuple[list[Gap], list[Gap]]:
    """Paths to take, the shortest first, and those that came too near to one of them to be taken yet."""
    taken: list[Gap] = []
    left: list[Gap] = []
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


def _with_paths(graph: Graph, paths: list[Gap]) -> Graph:
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
