"""What is measured in the road mask: how far the background is, and how wide the road."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.network.compiled import compiled

MAX_RADIUS_PX = 100
"""Roads are not wider than twice this; in larger areas the search stops there."""

TANGENT_POINTS = 4
"""The road's direction at a path pixel is that of the chord from this many pixels before to as many after."""

CHORD_STEP_PX = 0.125


@compiled
def radii(
    mask: NDArray[np.bool_], pixels: NDArray[np.int64], limit: int = MAX_RADIUS_PX
) -> NDArray[np.float64]:
    """Euclidean distance, in pixels, from road pixels to the centre of the nearest background pixel.

    Equals a distance transform at these pixels, without one for the whole raster: squares around the
    pixel are searched until none can hold a nearer one. What lies outside the raster is unknown and
    not background.

    Args:
        mask: (H, W) bool.
        pixels: (K,) int64 ids (row * W + col) of road pixels.
        limit: pixels at which the search stops.

    Returns:
        (K,) float64, at most ``limit``.
    """
    height, width = mask.shape
    found = np.empty(len(pixels))
    for i in range(len(pixels)):
        row, col = pixels[i] // width, pixels[i] % width
        best = limit * limit
        ring = 1
        while ring * ring < best:
            for k in range(-ring, ring + 1):
                distance = ring * ring + k * k
                if distance >= best:
                    continue
                for r, c in (
                    (row - ring, col + k),
                    (row + ring, col + k),
                    (row + k, col - ring),
                    (row + k, col + ring),
                ):
                    if 0 <= r < height and 0 <= c < width and not mask[r, c]:
                        best = distance
            ring += 1
        found[i] = np.sqrt(best)
    return found


@compiled
def chord_widths(mask: NDArray[np.bool_], xy: Points, offsets: NDArray[np.int64]) -> NDArray[np.float64]:
    """Width of the road, in pixels, at every point of pixel paths.

    The width is the length of the chord through the mask, at right angles to the path. Its mean along
    the path is the road's area over its length in any direction, where twice the distance transform is
    off by up to a pixel, depending on direction and on whether the width is odd. Each value is the mean
    of the chords at the point and half-way to the next: on a diagonal path the two meet different pixels.

    Args:
        mask: (H, W) bool.
        xy: (P, 2) float64, pixel coordinates.
        offsets: (E + 1,) int64; path i is xy[offsets[i]:offsets[i + 1]].

    Returns:
        (P,) float64.
    """
    widths = np.empty(len(xy))
    for path in range(len(offsets) - 1):
        first, last = offsets[path], offsets[path + 1] - 1
        for i in range(first, last + 1):
            a, b = max(first, i - TANGENT_POINTS), min(last, i + TANGENT_POINTS)
            dx, dy = xy[b, 0] - xy[a, 0], xy[b, 1] - xy[a, 1]
            length = np.hypot(dx, dy)
            if length == 0:
                dx, dy, length = 1.0, 0.0, 1.0
            # At right angles to the path, by one step.
            sx, sy = -dy / length * CHORD_STEP_PX, dx / length * CHORD_STEP_PX
            x, y = xy[i]
            other = min(i + 1, last)
            mx, my = (x + xy[other, 0]) / 2, (y + xy[other, 1]) / 2
            widths[i] = (_chord(mask, x, y, sx, sy) + _chord(mask, mx, my, sx, sy)) / 2
    return widths


@compiled
def _chord(mask: NDArray[np.bool_], x: float, y: float, sx: float, sy: float) -> float:
    """Length of the stretch of road through (x, y) in both directions of the step (sx, sy)."""
    height, width = mask.shape
    count = 0
    for sign in (-1, 1):
        k = 0
        while k * CHORD_STEP_PX < MAX_RADIUS_PX:
            row = int(np.floor(y + sign * (k + 0.5) * sy))
            col = int(np.floor(x + sign * (k + 0.5) * sx))
            if not (0 <= row < height and 0 <= col < width and mask[row, col]):
                break
            k += 1
        count += k
    return count * CHORD_STEP_PX
