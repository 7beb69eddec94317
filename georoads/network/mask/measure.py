"""What is measured in masks: how far away their pixels are, and how wide the road is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points, Window
from georoads.network.mask.runs import RowRuns, RunMask, by_block, first_run

MAX_RADIUS_PX = 100
"""Roads are not wider than twice this; in larger areas the search stops there."""

TANGENT_POINTS = 4
"""The road's direction at a path pixel is that of the chord from this many pixels before to as many after."""

CHORD_STEP_PX = 0.125


@compiled
def distances(
    runs: RowRuns, shape: tuple[int, int], pixels: NDArray[np.int64], limit: int
) -> NDArray[np.float64]:
    """Euclidean distance from pixels to the nearest one of a mask, between centres.

    Equals a distance transform at these pixels, without one for the whole raster. Of every row that can
    still hold a nearer pixel, the runs on both sides of the column are asked.

    Args:
        runs: of the mask.
        shape: (height, width) of the mask; what lies outside is not part of it.
        pixels: (K,) int64 ids (row * W + col), in any order.
        limit: pixels at which the search stops.

    Returns:
        (K,) float64 pixels, at most ``limit``.
    """
    height, width = shape
    rows, start, stop = runs
    found = np.empty(len(pixels))
    for i in range(len(pixels)):
        row, col = pixels[i] // width, pixels[i] % width
        best = limit * limit
        away = 0
        while away * away < best:
            # Rows at this distance on both sides; farther ones cannot hold a nearer pixel than the best.
            for r in (row - away, row + away):
                if not 0 <= r < height:
                    continue
                j = first_run(runs, r, col)
                if j < rows[r + 1]:
                    across = max(start[j] - col, 0)
                    best = min(best, away * away + across * across)
                if j > rows[r]:
                    across = col - stop[j - 1] + 1
                    best = min(best, away * away + across * across)
            away += 1
        found[i] = np.sqrt(best)
    return found


@dataclass(frozen=True)
class Chords:
    """The road across a path at each of its points.

    Attributes:
        width: (P,) float64, pixels.
        lean: (P, 2) float64, pixels from the point to the middle of the road.
    """

    width: NDArray[np.float64]
    lean: Points


def chords(mask: RunMask, xy: Points, offsets: NDArray[np.int64], block_px: int) -> Chords:
    """Width of the road, in pixels, at every point of pixel paths; and the way from there to its middle.

    The width is the length of the chord through the mask, at right angles to the path. Its mean along
    the path is the road's area over its length in any direction, where twice the distance transform is
    off by up to a pixel, depending on direction and on whether the width is odd. Each value is the mean
    of the chords at the point and half-way to the next: on a diagonal path the two meet different pixels.

    Args:
        mask: the road mask.
        xy: (P, 2) float64, pixel coordinates.
        offsets: (E + 1,) int64; path i is xy[offsets[i]:offsets[i + 1]].
        block_px: the mask is painted in blocks of this side and ``MAX_RADIUS_PX`` around; the result
            does not depend on it.

    Returns:
        One chord for each point.
    """
    widths, leans = np.zeros(len(xy)), np.zeros((len(xy), 2))
    height, width = mask.shape
    n_cols = -(-width // block_px)
    for half_way in (0, 1):
        for block, points in by_block(_block_numbers(xy, offsets, half_way, block_px, n_cols)):
            row, col = block // n_cols * block_px, block % n_cols * block_px
            block_shape = min(block_px, height - row), min(block_px, width - col)
            window = Window(row, col, *block_shape).pad(MAX_RADIUS_PX + 1)
            image = Image(mask.paint(window), window.row, window.col)
            _add_chords(image, xy, offsets, points, half_way, widths, leans)
    widths /= 2
    leans /= 2
    return Chords(widths, leans)


class Image(NamedTuple):
    """A painted part of a mask, and the row and column of its first pixel in the whole."""

    pixels: NDArray[np.bool_]
    row: int
    col: int


@compiled
def _block_numbers(
    xy: Points, offsets: NDArray[np.int64], half_way: int, block_px: int, n_cols: int
) -> NDArray[np.int64]:
    """(P,) int64: number of the block in which each point lies, or the one half-way to the next."""
    block = np.empty(len(xy), np.int64)
    for path in range(len(offsets) - 1):
        for i in range(offsets[path], offsets[path + 1]):
            x, y = _place(xy, i, min(i + half_way, offsets[path + 1] - 1))
            block[i] = int(y) // block_px * n_cols + int(x) // block_px
    return block


@compiled
def _place(xy: Points, i: int, j: int) -> tuple[float, float]:
    """Half-way between two points."""
    return (xy[i, 0] + xy[j, 0]) / 2, (xy[i, 1] + xy[j, 1]) / 2


@compiled
def _add_chords(
    image: Image,
    xy: Points,
    offsets: NDArray[np.int64],
    points: NDArray[np.int64],
    half_way: int,
    widths: NDArray[np.float64],
    leans: Points,
) -> None:
    """Add the chords through these points, or half-way to the next, to their widths and leans."""
    for i in points:
        # The direction is taken from points before and after, as far as the path goes.
        path = np.searchsorted(offsets, i, side="right") - 1
        first, last = offsets[path], offsets[path + 1] - 1
        a, b = max(first, i - TANGENT_POINTS), min(last, i + TANGENT_POINTS)
        dx, dy = xy[b, 0] - xy[a, 0], xy[b, 1] - xy[a, 1]
        length = np.hypot(dx, dy)
        if length == 0:
            dx, dy, length = 1.0, 0.0, 1.0
        # At right angles to the path, by one step.
        step = -dy / length * CHORD_STEP_PX, dx / length * CHORD_STEP_PX
        before, behind = _reach_across(image, _place(xy, i, min(i + half_way, last)), step)
        widths[i] += (before + behind) * CHORD_STEP_PX
        leans[i, 0] += (before - behind) / 2 * step[0]
        leans[i, 1] += (before - behind) / 2 * step[1]


@compiled
def _reach_across(image: Image, place: tuple[float, float], step: tuple[float, float]) -> tuple[int, int]:
    """Steps that the road reaches from a place in the direction of the step, and against it.

    Coordinates are those of the whole raster, so that they are rounded alike in every image. The image
    reaches farther than a chord, so no pixel is looked for outside of it.
    """
    x, y = place
    flat, across = image.pixels.reshape(-1), image.pixels.shape[1]
    behind, before = 0, 0
    for sign in (-1.0, 1.0):
        sx, sy = sign * step[0], sign * step[1]
        k = 0
        while k < MAX_RADIUS_PX / CHORD_STEP_PX:
            row = int(np.floor(y + (k + 0.5) * sy)) - image.row
            col = int(np.floor(x + (k + 0.5) * sx)) - image.col
            # Unsigned places need no test for those that count from the end.
            if not flat[np.uintp(row * across + col)]:
                break
            k += 1
        if sign < 0:
            behind = k
        else:
            before = k
    return before, behind
