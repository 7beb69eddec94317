"""The room's door: a probability raster in, a road network out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Grid, Points
from georoads.levels import FULL
from georoads.network.graph.bridge_faint import join_over_faint_road
from georoads.network.graph.clean import clean
from georoads.network.graph.graph import Graph
from georoads.network.graph.nodata_rim import drop_along_nodata
from georoads.network.graph.trace import traced
from georoads.network.lines.attributes import confidences, geodesic_lengths_m, widths
from georoads.network.lines.smooth import smooth_lines
from georoads.network.lines.straighten import settle
from georoads.network.mask.anchors import edge_anchors
from georoads.network.mask.median import without_medians
from georoads.network.mask.road_mask import read_runs, without_holes, without_specks
from georoads.network.mask.runs import RunMask
from georoads.network.params import VectorizeParams
from georoads.network.skeleton.skeleton import read_levels
from georoads.network.skeleton.thin import skeleton_of
from georoads.network.types import Each, NodeKind, ReadProbability, RoadNetwork

BLOCK_PX = 1024


def trace_network(
    read: ReadProbability,
    grid: Grid,
    params: VectorizeParams,
    *,
    block_px: int = BLOCK_PX,
    each: Each = map,
) -> RoadNetwork:
    """Trace the roads of a probability raster.

    The result depends on the raster and the parameters only, not on ``block_px`` or ``each``. Memory
    grows with the length of the roads and with the block, not with the raster, which is read once, and
    where roads are twice more.

    Args:
        read: gives (height, width) uint8 of a window inside the grid: round(254 p), 255 = nodata.
        grid: the working grid.
        params: thresholds and lengths.
        block_px: side of the windows that are read and thinned.
        each: does what can be done block by block, or dead end by dead end; several workers may.

    Returns:
        Nodes numbered from 1 in reading order; edges in reading order of their first point, each from the
        node that comes first. An empty mask gives a network without nodes and edges.
    """
    return _network(_graph(read, grid, params, (block_px, each)), grid, params)


def _graph(read: ReadProbability, grid: Grid, params: VectorizeParams, by_block: tuple[int, Each]) -> Graph:
    """The cleaned graph, its paths still made of pixels."""
    graph, nodata = _traced(read, grid, params, by_block)
    if params.rim_m:
        graph = drop_along_nodata(graph, nodata, params.rim_m / grid.gsd_m)
    shape, reach_px = (grid.height, grid.width), params.reach_m / grid.gsd_m
    levels = round(FULL * params.road_p * params.low_share), round(FULL * params.faint_p)

    def join_faint(graph: Graph) -> Graph:
        return join_over_faint_road(graph, read, shape, reach_px, levels, each=by_block[1])

    return settle(clean(graph, grid.steps_m, params, join_faint), shape)


def _traced(
    read: ReadProbability, grid: Grid, params: VectorizeParams, by_block: tuple[int, Each]
) -> tuple[Graph, RunMask]:
    """The graph as traced, and nodata. The raster is read for the mask, for medians, and for p on lines."""
    block_px, each = by_block
    shape = grid.height, grid.width
    pixel_m2 = grid.steps_m[0] * grid.steps_m[1]
    low = params.road_p * params.low_share
    road, nodata = read_runs(read, shape, block_px, params.road_p, low=low, each=each)
    level = max(1, round(FULL * params.road_p))
    road = without_medians(road, read, block_px, level, params.median_m / grid.gsd_m, each=each)
    road = without_specks(road, params.speck_m2 / pixel_m2)
    road = without_holes(road, nodata, params.hole_m2 / pixel_m2)
    anchors = edge_anchors(road, nodata)
    skeleton = skeleton_of(road, anchors, block_px, each=each)
    levels = read_levels(read, skeleton, block_px, each=each)
    return traced(skeleton, (road, nodata), levels, anchors, block_px), nodata


def _network(graph: Graph, grid: Grid, params: VectorizeParams) -> RoadNetwork:
    """Smoothed lines, attributes, ids and order."""
    graph, points, offsets = smooth_lines(graph, params.smooth_m / grid.gsd_m, params.simplify_m / grid.gsd_m)
    order, rank = _reading_order(graph.node_xy)
    edges, flip = _edge_order(rank[graph.edge_nodes].reshape(-1, 2), points, offsets)
    take, sizes = _arranged(offsets, edges, flip)
    width, spread = widths(graph.width, graph.offsets)
    mean, low = confidences(graph.level, graph.offsets)
    ends = np.where(flip[:, None], graph.edge_nodes[:, ::-1], graph.edge_nodes)
    points, offsets = points[take], np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return RoadNetwork(
        grid=grid,
        node_id=np.arange(1, graph.n_nodes + 1, dtype=np.int64),
        node_xy=graph.node_xy[order],
        node_kind=_kinds(graph)[order],
        edge_nodes=rank[ends[edges]].reshape(-1, 2) + 1,
        offsets=offsets,
        points=points,
        length_m=geodesic_lengths_m(grid, points, offsets),
        width_m=width[edges] * grid.gsd_m,
        width_std_m=spread[edges] * grid.gsd_m,
        confidence=mean[edges],
        confidence_p05=low[edges],
        bridged_m=graph.bridged_px[edges] * grid.gsd_m,
    )


def _kinds(graph: Graph) -> NDArray[np.uint8]:
    """(N,) uint8 of NodeKind. A node of degree 2 carries a ring: all others have been dissolved."""
    degree = graph.degree()
    kinds = np.full(graph.n_nodes, NodeKind.JUNCTION, np.uint8)
    kinds[degree == 2] = NodeKind.RING
    kinds[degree == 1] = NodeKind.END
    kinds[(degree == 1) & graph.at_edge] = NodeKind.SCENE_EDGE
    return kinds


def _reading_order(xy: Points) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows sorted by y, then x; and the place of every row in that order."""
    order = np.lexsort((xy[:, 0], xy[:, 1]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return order, rank


def _edge_order(
    rank: NDArray[np.int64], points: Points, offsets: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Edges in order, and (E,) which of them are turned round.

    Lines start at the node that comes first; a loop, in the direction whose second point comes first.
    Edges with the same first node are ordered by their last node, then by their second point.
    """
    second, before = points[offsets[:-1] + 1], points[offsets[1:] - 2]
    earlier = (before[:, 1] < second[:, 1]) | ((before[:, 1] == second[:, 1]) & (before[:, 0] < second[:, 0]))
    flip = np.where(rank[:, 0] == rank[:, 1], earlier, rank[:, 0] > rank[:, 1])
    follow = np.where(flip[:, None], before, second)
    nodes = np.sort(rank, axis=1)
    return np.lexsort((follow[:, 0], follow[:, 1], nodes[:, 1], nodes[:, 0])), flip


def _arranged(
    offsets: NDArray[np.int64], edges: NDArray[np.int64], flip: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices of all points in the edges' new order and direction, and the number of points of each edge."""
    sizes = np.diff(offsets)[edges]
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    forward = np.repeat(offsets[edges], sizes) + within
    backward = np.repeat(offsets[edges + 1] - 1, sizes) - within
    return np.where(np.repeat(flip[edges], sizes), backward, forward), sizes
