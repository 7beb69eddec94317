"""The method from end to end: a probability raster in, a road network out.

Mask, skeleton, graph and lines are the sub-packages, in this order; each knows those before it only. The
mask's wide roads are divided by the package ``carriageways``, which makes axes of them by the same steps.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from georoads.grid import Grid, Window
from georoads.levels import level_of, threshold_level
from georoads.network.carriageways.divide import Middles, divide_wide
from georoads.network.carriageways.sides import name_carriageways
from georoads.network.carriageways.stretches import Least
from georoads.network.graph.bridge_faint import FaintSearch
from georoads.network.graph.clean import clean
from georoads.network.graph.graph import Graph
from georoads.network.graph.nodata_rim import drop_along_nodata
from georoads.network.graph.trace import measure_widths, trace
from georoads.network.lines.calibrate import calibrate
from georoads.network.lines.centrelines import draw_centrelines
from georoads.network.lines.ridge import RidgeSearch
from georoads.network.lines.road_network import road_network
from georoads.network.mask.anchors import edge_anchors
from georoads.network.mask.line_raster import is_line_raster
from georoads.network.mask.median import find_valleys, medians_of
from georoads.network.mask.road_mask import RoadMask, drop_specks, fill_holes, read_mask
from georoads.network.params import VectorizeParams
from georoads.network.skeleton.skeleton import read_levels
from georoads.network.skeleton.thin import thin
from georoads.network.types import (
    BlockPlan,
    ParallelMap,
    PixelSize,
    ReadProbability,
    RoadNetwork,
    everywhere,
)

ONE_PIXEL_WIDE = "its roads are lines one pixel wide: specks are told by their length; width_m says nothing"
NOTHING_LEFT = (
    "no road is left: all were smaller than network.speck_m2, in networks shorter than network.min_length_m, "
    "or along the border of nodata (network.rim_m)"
)


def trace_network(
    read: ReadProbability,
    grid: Grid,
    params: VectorizeParams,
    *,
    block_px: int = BlockPlan.block_px,
    parallel_map: ParallelMap = map,
    holds: Callable[[Window], bool] = everywhere,
) -> RoadNetwork:
    """Trace the roads of a probability raster.

    The result depends on the raster and the parameters only, not on ``block_px`` or ``parallel_map``. Memory
    grows with the length of the roads and with the block, not with the raster, which is read once, and
    where roads are three times more.

    Args:
        read: gives (height, width) uint8 of a window inside the grid: round(254 p), 255 = nodata.
        grid: the working grid.
        params: thresholds and lengths.
        block_px: side of the windows that are read and thinned.
        parallel_map: applies what can be done block by block, or dead end by dead end; several workers may.
        holds: False of a window in which certainly all is nodata, as in the gaps of a sparse file.

    Returns:
        Nodes numbered from 1 in reading order; edges in reading order of their first point, each from the
        node that comes first. An empty mask gives a network without nodes and edges.
    """
    plan = BlockPlan(block_px, parallel_map, holds)
    shape, gsd_m = (grid.height, grid.width), grid.gsd_m
    # Mask and skeleton are held no longer than until they are traced.
    mask = read_mask(read, shape, params.road_p, params.road_p * params.low_share, plan)
    has_road = len(mask.road) > 0
    mask, middles = _clean_mask(mask, read, grid, params, plan)
    messages = mask.messages
    graph = _trace_mask(mask, read, params.rim_m / gsd_m, plan)
    del mask
    # Gaps over faint road need the raster again, in windows around dead ends.
    road_level = level_of(params.road_p * params.low_share)
    search = FaintSearch(
        read, shape, gsd_m, params.reach_m / gsd_m, road_level, params.faint_p, params.join_p
    )
    graph = clean(graph, PixelSize(*grid.steps_m), params, search, parallel_map)
    # So does the ridge of p, across the lines that are left.
    ridge = RidgeSearch(
        read, shape, threshold_level(params.road_p * params.low_share), params.ridge_m / gsd_m, plan
    )
    network = road_network(*draw_centrelines(graph, grid, params, ridge), grid)
    network = calibrate(name_carriageways(network, middles), params.calibration)
    if has_road and not network.n_edges:
        messages = (*messages, NOTHING_LEFT)
    return replace(network, messages=messages)


def _clean_mask(
    mask: RoadMask, read: ReadProbability, grid: Grid, params: VectorizeParams, plan: BlockPlan
) -> tuple[RoadMask, Middles]:
    """The mask without medians, specks and holes, and with wide roads as two carriageways.

    The raster is read again where roads are, for medians.
    """
    pixel_m2 = PixelSize(*grid.steps_m).area_m2
    median_px = params.median_m / grid.gsd_m
    valleys = find_valleys(mask, read, threshold_level(params.road_p), median_px, plan)
    medians = medians_of(valleys, median_px)
    mask = replace(mask, road=mask.road.without(medians, plan.block_px))
    speck_px = params.speck_m2 / pixel_m2
    if is_line_raster(mask.road, read, plan):
        # Of a line, the side of a square speck: its area says nothing of how long it is.
        speck_px = math.sqrt(speck_px)
        mask = replace(mask, messages=(*mask.messages, ONE_PIXEL_WIDE))
    mask = fill_holes(drop_specks(mask, speck_px), params.hole_m2 / pixel_m2)
    least = Least(params.dual_m / grid.gsd_m, grid.gsd_m)
    return divide_wide(mask, valleys, medians, least, plan)


def _trace_mask(mask: RoadMask, read: ReadProbability, rim_px: float, plan: BlockPlan) -> Graph:
    """The graph of the mask's skeleton, without what runs along nodata."""
    anchors = edge_anchors(mask)
    skeleton = thin(mask.road, anchors, plan)
    graph = trace(skeleton, mask, read_levels(read, skeleton, plan), anchors)
    graph = measure_widths(graph, mask.road, plan.block_px)
    return drop_along_nodata(graph, mask.nodata, rim_px) if rim_px else graph
