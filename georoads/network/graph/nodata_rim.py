"""Lines along the border of what was seen: the rim of a flight looks like a road, and is none."""

from __future__ import annotations

import numpy as np

from georoads.network.graph.graph import Graph
from georoads.network.mask.measure import distances
from georoads.network.mask.runs import RunMask

ALONG = 0.5
"""Share of a line's points beside nodata from which it is taken for the rim."""

ACROSS = 0.5
"""A line whose far end is this share of its length away from nodata leads across its border: 30 degrees."""

MAX_WIDTH_PX = 40
"""Wider than this is not looked for beside nodata."""


def drop_along_nodata(graph: Graph, nodata: RunMask, margin_px: float) -> Graph:
    """Drop the lines whose road lies beside nodata for half of their length or more.

    A point is beside nodata when its road's side (half the width from the line) is within ``margin_px`` of
    it. What leads across the border of nodata stays: a road that leaves the scene there, of which a short
    stub may lie beside nodata over all of its length.

    Args:
        graph: paths of pixels.
        nodata: where nothing was seen.
        margin_px: how far from nodata a road's side may lie, in pixels.

    Returns:
        The graph without these lines, and without nodes that had no other.
    """
    if graph.n_edges == 0 or not len(nodata):
        return graph
    height, width = nodata.shape
    rows = np.clip(graph.xy[:, 1].astype(np.int64), 0, height - 1)
    cols = np.clip(graph.xy[:, 0].astype(np.int64), 0, width - 1)
    # Nobody needs to know how far nodata is where it is farther than any road's side; of a stub that is
    # beside nodata for half of its length, the far end lies no farther than twice that.
    half = np.nan_to_num(graph.width) / 2
    limit = int(np.ceil(2 * (min(float(half.max()), MAX_WIDTH_PX / 2) + margin_px))) + 1
    away = distances(nodata.runs, nodata.shape, rows * width + cols, limit)
    beside = (away <= half + margin_px) & (2 * away < limit)
    share = np.add.reduceat(beside, graph.offsets[:-1]) / np.diff(graph.offsets)
    leaves = graph.at_edge[graph.edge_nodes].any(axis=1)
    across = leaves & (np.maximum.reduceat(away, graph.offsets[:-1]) >= ACROSS * graph.lengths())
    return graph.keep_edges((share < ALONG) | across).drop_lone_nodes()
