"""Thinning: a road mask to a skeleton that is one pixel wide and has the mask's topology.

1. Erosion after Guo and Hall ("Parallel thinning with two-subiteration algorithms", 1989, A1), over a
   list of the foreground pixels. Unlike Zhang and Suen's it neither wipes out 2 x 2 squares nor eats
   2-pixel diagonals from their ends. Pixels are marked in parallel; a marked one goes only if, when
   its turn comes, it is still simple (its removal changes no component and no hole) and no line's end.
2. What is left thick is peeled from the four sides in turn, pixel by pixel under the same condition,
   until nothing can go.

Pixels given as anchors never go: they hold a road's line at the scene's edge, from which a plain
erosion would draw it back by half the road's width.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.network.compiled import compiled
from georoads.network.neighbours import (
    COUNT,
    EAST,
    ERODE_FIRST,
    ERODE_SECOND,
    NORTH,
    SIMPLE,
    SOUTH,
    WEST,
    Table,
    code_at,
    framed,
    steps,
)
from georoads.network.union import join, numbered

Pixels = NDArray[np.int64]
"""(K,) int64 pixel ids, row * width + col, ascending."""


def thin(mask: NDArray[np.bool_], anchors: Pixels | None = None) -> NDArray[np.bool_]:
    """The skeleton of a mask.

    Args:
        mask: (H, W) bool, True = road.
        anchors: ids (row * W + col) of road pixels to keep in any case.

    Returns:
        (H, W) bool. Same number of components (8-connected) and holes (4-connected) as the mask; apart
        from ends (one neighbour) and anchors no pixel can be removed without changing that.
    """
    image = framed(mask)
    width = image.shape[1]
    flat = image.reshape(-1)
    free = np.flatnonzero(flat)
    if anchors is not None and len(anchors):
        rows, cols = np.divmod(anchors, mask.shape[1])
        free = np.setdiff1d(free, (rows + 1) * width + cols + 1, assume_unique=True)
    free = _erode(flat, width, free, (ERODE_FIRST, ERODE_SECOND), (SIMPLE, COUNT))
    _peel(flat, width, free, steps(width), (SIMPLE, COUNT))
    return image[1:-1, 1:-1].view(np.bool_)


@compiled
def _erode(
    image: NDArray[np.uint8],
    width: int,
    pixels: Pixels,
    rules: tuple[Table, Table],
    kept: tuple[Table, Table],
) -> Pixels:
    """Guo and Hall's two half-steps in turn until neither removes a pixel; the pixels that stay."""
    simple, count = kept
    pixels = pixels.copy()
    marked = np.empty(len(pixels), np.int64)
    left = len(pixels)
    idle = 0
    half = 0
    while idle < 2:
        rule = rules[half]
        n_marked = 0
        for i in range(left):
            if rule[code_at(image, pixels[i], width)]:
                marked[n_marked] = pixels[i]
                n_marked += 1
        removed = 0
        for i in range(n_marked):
            code = code_at(image, marked[i], width)
            if simple[code] and count[code] > 1:
                image[marked[i]] = 0
                removed += 1
        if removed:
            stay = 0
            for i in range(left):
                if image[pixels[i]]:
                    pixels[stay] = pixels[i]
                    stay += 1
            left = stay
        idle = 0 if removed else idle + 1
        half = 1 - half
    return pixels[:left]


@compiled
def _peel(
    image: NDArray[np.uint8],
    width: int,
    pixels: Pixels,
    offsets: NDArray[np.int64],
    kept: tuple[Table, Table],
) -> None:
    """Remove simple pixels that are no ends, one layer per side and round, until none is left."""
    simple, count = kept
    changed = True
    while changed:
        changed = False
        for side in (NORTH, SOUTH, WEST, EAST):
            # Towards the open side, so that removing a pixel lays bare only pixels already visited.
            backwards = side in (NORTH, WEST)
            for k in range(len(pixels)):
                pixel = pixels[len(pixels) - 1 - k] if backwards else pixels[k]
                if not image[pixel] or image[pixel + offsets[side]]:
                    continue
                code = code_at(image, pixel, width)
                if simple[code] and count[code] > 1:
                    image[pixel] = 0
                    changed = True


def edge_anchors(mask: NDArray[np.bool_], nodata: NDArray[np.bool_] | None = None) -> Pixels:
    """One pixel per place where a road leaves the scene: the middle of the road's contact with its edge.

    Args:
        mask: (H, W) bool, True = road.
        nodata: (H, W) bool, True = no data; None where there is none.

    Returns:
        Ids (row * W + col) of road pixels. A contact is a connected stretch of road pixels at the raster's
        edge or beside nodata.
    """
    contact = _contact(mask, np.zeros((0, 0), np.bool_) if nodata is None else nodata)
    width = mask.shape[1]
    part = cluster_pixels(contact, width)
    if not len(contact):
        return contact
    rows, cols = np.divmod(contact, width)
    size = np.bincount(part)
    row = (np.bincount(part, rows) / size)[part] - rows
    col = (np.bincount(part, cols) / size)[part] - cols
    order = np.lexsort((contact, row * row + col * col, part))
    first = np.concatenate(([True], np.diff(part[order]) > 0))
    return np.sort(contact[order[first]])


@compiled
def _contact(mask: NDArray[np.bool_], nodata: NDArray[np.bool_]) -> Pixels:
    """Road pixels at the raster's edge or with one of eight neighbours in nodata."""
    height, width = mask.shape
    found = []
    for row in range(height):
        at_edge = row == 0 or row == height - 1
        for col in range(width):
            if not mask[row, col]:
                continue
            touches = at_edge or col == 0 or col == width - 1
            if not touches and nodata.size:
                for r in range(row - 1, row + 2):
                    for c in range(col - 1, col + 2):
                        touches = touches or nodata[r, c]
            if touches:
                found.append(row * width + col)
    return np.array(found, dtype=np.int64) if len(found) else np.empty(0, np.int64)


@compiled
def cluster_pixels(pixels: Pixels, width: int) -> NDArray[np.int64]:
    """(K,) int64: number (0... in reading order) of the 8-connected cluster that each pixel belongs to."""
    parent = np.arange(len(pixels))
    for i in range(len(pixels)):
        col = pixels[i] % width
        for step in (1, width - 1, width, width + 1):
            if (step in (1, width + 1) and col == 0) or (step == width - 1 and col == width - 1):
                continue
            j = np.searchsorted(pixels, pixels[i] - step)
            if j >= i or pixels[j] != pixels[i] - step:
                continue
            join(parent, i, j)
    return numbered(parent)
