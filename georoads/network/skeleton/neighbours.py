"""The eight neighbours of a pixel as a byte, and what can be read off that byte.

Bit k of a pixel's code is set when its k-th neighbour is foreground, counted clockwise from north:
N, NE, E, SE, S, SW, W, NW. Foreground is 8-connected, background 4-connected. Images are flat uint8
arrays with a margin of one background pixel, so that no neighbour needs a bounds check.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled

Table = NDArray[np.uint8]
"""(256,) uint8, one value per neighbour code."""

NORTH, EAST, SOUTH, WEST = 0, 2, 4, 6


def neighbour_steps(width: int) -> NDArray[np.int64]:
    """(8,) int64: how far the neighbours of a pixel are in a flat image of that width."""
    return np.array([-width, 1 - width, 1, width + 1, width, width - 1, -1, -width - 1], dtype=np.int64)


@compiled
def code_at(image: NDArray[np.uint8], pixel: int, width: int) -> int:
    """The neighbour code of a pixel.

    Args:
        image: (H * W,) uint8 of zeros and ones, with a margin of background.
        pixel: its place in the flat image, not in the margin.
        width: W.
    """
    # Unsigned places need no test for those that count from the end.
    above = np.uintp(pixel - width - 1)
    beside = np.uintp(pixel - 1)
    below = np.uintp(pixel + width - 1)
    one, two = np.uintp(1), np.uintp(2)
    code: int = (
        image[above + one]
        | image[above + two] << 1
        | image[beside + two] << 2
        | image[below + two] << 3
        | image[below + one] << 4
        | image[below] << 5
        | image[beside] << 6
        | image[above] << 7
    )
    return code


def _tabulate(value: Callable[[list[int]], int]) -> Table:
    """What a function of the eight neighbours, as zeros and ones, gives for every code."""
    return np.array([value([code >> k & 1 for k in range(8)]) for code in range(256)], dtype=np.uint8)


def _is_simple(n: list[int]) -> int:
    """Hilditch's crossing number is one: removing the pixel changes no component and no hole."""
    return int(sum(not n[k] and (n[k + 1] or n[(k + 2) % 8]) for k in (0, 2, 4, 6)) == 1)


def _guo_hall(n: list[int], first: bool) -> int:
    """The conditions of one half-step of Guo and Hall (1989, algorithm A1)."""
    # Neighbours counted in pairs, in both ways of pairing them: a line's end has one, a thick place more.
    pairs = min(sum(n[k - 1] or n[k] for k in (0, 2, 4, 6)), sum(n[k] or n[k + 1] for k in (0, 2, 4, 6)))
    north, north_east, east, south_east, south, south_west, west, north_west = n
    if first:
        closed = (north or north_east or not south_east) and east
    else:
        closed = (south or south_west or not north_west) and west
    return int(bool(_is_simple(n)) and 2 <= pairs <= 3 and not closed)


def _links(n: list[int]) -> int:
    """Neighbours joined to the pixel: a diagonal one only where no shared side neighbour is set."""
    joined = 0
    for k in range(8):
        if n[k] and (k % 2 == 0 or not (n[k - 1] or n[(k + 1) % 8])):
            joined |= 1 << k
    return joined


def _in_block(n: list[int]) -> int:
    """The pixel is part of a full 2 x 2 square."""
    return int(any(n[k] and n[k + 1] and n[(k + 2) % 8] for k in (0, 2, 4, 6)))


COUNT: Table = _tabulate(sum)
SIMPLE: Table = _tabulate(_is_simple)
ERODE_FIRST: Table = _tabulate(lambda n: _guo_hall(n, True))
ERODE_SECOND: Table = _tabulate(lambda n: _guo_hall(n, False))
LINKS: Table = _tabulate(_links)
BLOCK: Table = _tabulate(_in_block)
