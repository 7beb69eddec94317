"""Where roads leave the scene: at the raster's edge and beside nodata."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.network.mask.components import components
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import Pixels, RowRuns, first_run, mask_of

EDGE_PX = 3
"""An end this near to the raster's edge or to nodata is a road that leaves the scene."""


def edge_anchors(mask: RoadMask) -> Pixels:
    """One pixel per place where a road leaves the scene: the middle of the road's contact with its edge.

    Returns:
        Ids (row * W + col) of road pixels. A contact is a connected stretch of road pixels at the raster's
        edge or beside nodata.
    """
    width = mask.road.shape[1]
    contact = np.unique(_contact_pixels(mask.road.runs, mask.nodata.runs, width))
    if not len(contact):
        return contact
    rows, cols = np.divmod(contact, width)
    # Contacts are the connected parts of these pixels, found over their runs.
    runs = mask_of(contact, mask.road.shape).runs
    part = np.repeat(components(runs, 1), runs.stop - runs.start)
    # How far each pixel lies from the middle of its contact.
    size = np.bincount(part)
    row = (np.bincount(part, rows) / size)[part] - rows
    col = (np.bincount(part, cols) / size)[part] - cols
    # Of each contact the pixel nearest to the middle; of two the first in reading order.
    order = np.lexsort((contact, row * row + col * col, part))
    nearest = np.concatenate(([True], np.diff(part[order]) > 0))
    return np.sort(contact[order[nearest]])


@compiled
def _contact_pixels(mask: RowRuns, nodata: RowRuns, width: int) -> Pixels:
    """Road pixels at the raster's edge or with one of eight neighbours in nodata; some of them repeatedly."""
    rows, start, stop = mask
    unseen_rows, unseen_start, unseen_stop = nodata
    last = len(rows) - 2
    found = []
    for row in range(last + 1):
        for i in range(rows[row], rows[row + 1]):
            first = row * width
            # The raster's first and last row are all edge; of other rows only their two ends are.
            if row in (0, last):
                for col in range(start[i], stop[i]):
                    found.append(first + col)
                continue
            if start[i] == 0:
                found.append(first)
            if stop[i] == width:
                found.append(first + width - 1)
            # Runs of nodata in this row and its two neighbours that reach the run or one of its corners.
            for r in range(row - 1, row + 2):
                for j in range(first_run(nodata, r, start[i] - 1), unseen_rows[r + 1]):
                    if unseen_start[j] > stop[i]:
                        break
                    for col in range(max(start[i], unseen_start[j] - 1), min(stop[i], unseen_stop[j] + 1)):
                        found.append(first + col)
    return np.array(found, dtype=np.int64) if len(found) else np.empty(0, np.int64)


@compiled
def near_edge(pixels: Pixels, shape: tuple[int, int], nodata: RowRuns) -> NDArray[np.bool_]:
    """Which pixels lie within EDGE_PX of the raster's edge or of nodata, along rows and columns.

    Args:
        pixels: (K,) int64 ids (row * W + col).
        shape: (height, width) of the raster.
        nodata: where nothing was seen.

    Returns:
        (K,) bool.
    """
    height, width = shape
    rows, start, _ = nodata
    near = np.zeros(len(pixels), np.bool_)
    for i in range(len(pixels)):
        row, col = pixels[i] // width, pixels[i] % width
        # The raster's edge first; then the runs of nodata in all rows within reach.
        near[i] = min(row, col, height - 1 - row, width - 1 - col) < EDGE_PX
        for r in range(max(0, row - EDGE_PX), min(height, row + EDGE_PX + 1)):
            if near[i]:
                break
            j = first_run(nodata, r, col - EDGE_PX)
            near[i] = j < rows[r + 1] and start[j] <= col + EDGE_PX
    return near
