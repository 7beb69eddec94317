"""Drawings taken through the steps of the method, one at a time."""

from __future__ import annotations

import numpy as np
from network_drawings import drawn
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.network.graph.graph import Graph
from georoads.network.graph.trace import measure_widths, trace
from georoads.network.mask.anchors import edge_anchors
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import Pixels, RunCollector, RunMask, runs_of
from georoads.network.skeleton.skeleton import Skeleton
from georoads.network.skeleton.thin import thin
from georoads.network.types import BlockPlan

NO_PIXELS: Pixels = np.zeros(0, np.int64)


def run_mask(mask: NDArray[np.bool_]) -> RunMask:
    """A drawing as runs."""
    collector = RunCollector((mask.shape[0], mask.shape[1]))
    collector.add(Window(0, 0, *mask.shape), runs_of(mask, 0))
    return collector.mask()


def painted(mask: RunMask) -> NDArray[np.bool_]:
    return mask.paint(Window(0, 0, *mask.shape))


def road_mask(road: NDArray[np.bool_], nodata: NDArray[np.bool_] | None = None) -> RoadMask:
    return RoadMask(run_mask(road), run_mask(np.zeros_like(road) if nodata is None else nodata))


def anchors_of(mask: NDArray[np.bool_], nodata: NDArray[np.bool_] | None = None) -> Pixels:
    return edge_anchors(road_mask(mask, nodata))


def thinned(mask: NDArray[np.bool_], anchors: Pixels = NO_PIXELS, block_px: int = 1024) -> NDArray[np.bool_]:
    """The skeleton of a drawing, drawn."""
    skeleton = np.zeros(mask.shape, bool)
    skeleton.flat[thin(run_mask(mask), anchors, BlockPlan(block_px)).pixels] = True
    return skeleton


def traced(
    skeleton: NDArray[np.bool_],
    levels: NDArray[np.uint8] | None = None,
    mask: NDArray[np.bool_] | None = None,
    anchors: Pixels = NO_PIXELS,
) -> Graph:
    """The graph of a drawn skeleton. Without levels p is 1; without a mask the skeleton is all road."""
    raster = np.full(skeleton.shape, 254, np.uint8) if levels is None else levels
    thin_mask = Skeleton.of(run_mask(skeleton))
    road = road_mask(skeleton if mask is None else mask, raster == 255)
    return trace(thin_mask, road, raster.flat[thin_mask.pixels], anchors)


def lines_of(picture: str) -> Graph:
    """The graph of drawn roads of one pixel."""
    return traced(drawn(picture))


def graph_of(mask: NDArray[np.bool_], *, anchored: bool = False) -> Graph:
    """The graph of a drawn mask, with widths."""
    anchors = anchors_of(mask) if anchored else NO_PIXELS
    graph = traced(thinned(mask, anchors), mask=mask, anchors=anchors)
    return measure_widths(graph, run_mask(mask), 1024)
