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

from georoads.grid import Points, Window
from georoads.network.graph.ahead import (
    BASE_COST,
    NEAR_PX,
    P_OF,
    cheapest_way,
    ground_ahead,
    is_on_road,
    mark_roads,
    window_around,
)
from georoads.network.graph.along import levels_at
from georoads.network.graph.bridge import LEAD_PX, clear_of_lines, join_along
from georoads.network.graph.divide import divide
from georoads.network.graph.gap_score import STRETCH_M, Evidence, RoadEnd, Target, evidence_of, straightness
from georoads.network.graph.graph import Graph
from georoads.network.types import ParallelMap, ReadProbability

EDGE_M, EDGE_P = 30.0, 0.12
"""A way to the scene's edge up to this length needs only this mean of p: the network sees one side of a road
there, and is less sure; and a road that comes so near goes on."""

LONGEST_DETOUR = 1.4
"""A path that is longer than this many times the straight gap wanders."""

APART_PX = 6.0
"""Paths that come nearer to each other than this are one road, seen from two ends."""

BAND_PX = 256.0
"""Points are looked up by bands of so many rows."""

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
class _Survey:
    """What can be seen from dead ends.

    Attributes:
        search: how far and how faint.
        graph: whose dead ends they are.
        width, side, length, p: (E,) float64, of each edge: its width, how far its sides are from its line,
            and its length, in pixels; and the mean of p along it.
        lead: (E, 2, 2) float64, for both ends of an edge the point that its direction is taken from.
        edge_of: (P,) int64, the edge of each of the graph's points.
        by_band: (P,) int64, the points' rows by bands of BAND_PX, from the top of the raster on, in each from
            the left.
        band: (B + 1,) int64, where in these each band begins, and where the last one ends.
        x: (P,) float64, how far from the left they lie.
    """

    search: FaintSearch
    graph: Graph
    width: NDArray[np.float64]
    side: NDArray[np.float64]
    length: NDArray[np.float64]
    p: NDArray[np.float64]
    lead: Points
    edge_of: NDArray[np.int64]
    by_band: NDArray[np.int64]
    band: NDArray[np.int64]
    x: NDArray[np.float64]

    def points_around(self, box: Window) -> NDArray[np.int64]:
        """(K,) int64: rows of the points whose roads may reach into a window."""
        widest = float(self.side.max())
        sides = box.col - widest, box.col + box.width + widest
        top, below = (int(max(y, 0) // BAND_PX) for y in (box.row - widest, box.row + box.height + widest))
        near = []
        for first, behind in zip(self.band[top : below + 1], self.band[top + 1 : below + 2], strict=False):
            left, right = first + np.searchsorted(self.x[first:behind], sides)
            near.append(self.by_band[left:right])
        return np.concatenate(near)


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
        paths = [gap for gap in found if gap is not None and _is_road(gap, search)]
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


def _is_road(gap: Gap, search: FaintSearch) -> bool:
    """Whether what was measured says road; of a short way to the scene's edge less is asked."""
    leaves = gap.target is None and gap.length * search.gsd_m <= EDGE_M and gap.evidence.p >= EDGE_P
    return leaves or gap.evidence.likelihood >= search.join_p


def _survey(graph: Graph, search: FaintSearch) -> _Survey:
    """What is looked up again from each dead end."""
    width = graph.median_widths()
    band = (graph.xy[:, 1] // BAND_PX).astype(np.int64)
    by_band = np.lexsort((graph.xy[:, 0], band))
    return _Survey(
        search,
        graph,
        width,
        side=np.maximum(width / 2, NEAR_PX),
        length=graph.lengths(),
        p=np.add.reduceat(P_OF[graph.level], graph.offsets[:-1]) / np.diff(graph.offsets),
        lead=graph.lead_points(LEAD_PX),
        edge_of=graph.edge_of_points(),
        by_band=by_band,
        band=np.searchsorted(band[by_band], np.arange(band.max() + 2)),
        x=graph.xy[by_band, 0],
    )


def _is_at(graph: Graph, xy: Points) -> NDArray[np.bool_]:
    """(N,) bool: the nodes that lie exactly at one of these places."""
    found = np.zeros(graph.n_nodes, np.bool_)
    if len(xy) and graph.n_nodes:
        distance, node = cKDTree(graph.node_xy).query(xy)
        found[node[distance == 0]] = True
    return found


def _find_gap(survey: _Survey, dead_end: tuple[int, int]) -> Gap | None:
    """The gap ahead of a dead end; None: nothing is reached from there, or by too long a detour.

    Args:
        survey: what can be seen.
        dead_end: its place in the graph's (E, 2) arrays: the edge, and which of its ends.
    """
    graph, search = survey.graph, survey.search
    node = int(graph.edge_nodes[dead_end])
    tip = graph.node_xy[node]
    way, target = _look(survey, dead_end)
    if not len(way):
        return None
    xy = np.vstack((tip, way[1:]))
    if target is not None:
        xy = np.vstack((xy, graph.xy[target]))
    length = float(np.hypot(*np.diff(xy, axis=0).T).sum())
    straight = float(np.hypot(*(xy[-1] - tip)))
    if length > min(search.reach_px, LONGEST_DETOUR * straight + NEAR_PX):
        return None
    seen = partial(levels_at, search.read, search.shape)
    road = None if target is None else int(survey.edge_of[target])
    to = None if road is None else Target(float(survey.width[road]), float(survey.p[road]))
    evidence = evidence_of(xy, _road_end(survey, dead_end), to, seen, search.road_level, search.gsd_m)
    return Gap(node, target, xy, seen(xy), evidence)


def _road_end(survey: _Survey, dead_end: tuple[int, int]) -> RoadEnd:
    """What is known of the road at a dead end."""
    graph, (edge, side) = survey.graph, dead_end
    tip = graph.node_xy[graph.edge_nodes[edge, side]]
    line = graph.xy[graph.offsets[edge] : graph.offsets[edge + 1]]
    return RoadEnd(
        tip=tip,
        ahead=tip - survey.lead[edge, side],
        width_px=float(survey.width[edge]),
        length_px=float(survey.length[edge]),
        p=float(survey.p[edge]),
        straight=straightness(line if side == 0 else line[::-1], STRETCH_M / survey.search.gsd_m),
    )


def _look(survey: _Survey, dead_end: tuple[int, int]) -> tuple[Points, int | None]:
    """The cheapest way to another road or the scene's edge within reach of a dead end; see the module.

    Returns:
        (K, 2) float64 middles of the pixels from the tip's on; (0, 2): nothing is reached. And the row of the
        point that they lead to; None: to the scene's edge.
    """
    graph, search = survey.graph, survey.search
    tip = graph.node_xy[graph.edge_nodes[dead_end]]
    box = window_around(tip, search.reach_px, search.shape)
    direction = tip - survey.lead[dead_end]
    ahead = ground_ahead(search.read(box), box, tip, direction, search.reach_px)
    near = survey.points_around(box)
    xy, edge = graph.xy[near], survey.edge_of[near]
    mark_roads(ahead, (box.row, box.col), xy, edge, survey.side, dead_end[0])
    way = cheapest_way(ahead, search.most)
    passed = np.add(way[:, ::-1], (box.col + 0.5, box.row + 0.5))
    if not len(way) or not is_on_road(ahead, *way[-1]):
        return passed, None
    away = np.where(edge == dead_end[0], np.inf, np.hypot(*(xy - passed[-1]).T))
    return passed, int(near[away == away.min()].min())


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
