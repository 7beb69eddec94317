"""The plan of tiles over a grid, and the weights with which they are blended.

Tiles stand on a regular lattice anchored at the grid's origin, so that a tile sees the same ground
whatever is asked for around it. The last row and column reach beyond the grid. Where two neighbours
overlap, their weights are a ramp and its complement in whole numbers, so that the weights of all tiles add
up to the same number at every pixel; on the grid's own border the weight does not fall.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.levels import NODATA

WEIGHT = 64
"""Sum of the weights along one axis; in the plane their product sums to WEIGHT²."""


@dataclass(frozen=True)
class Band:
    """Rows of a window, or columns, in which a row (a column) of tiles has a weight.

    Attributes:
        tile: which row of tiles, or which column.
        in_window, in_tile: where the band lies.
        weights: (n,) uint32 in 1..WEIGHT.
    """

    tile: int
    in_window: slice
    in_tile: slice
    weights: NDArray[np.uint32]


@dataclass(frozen=True)
class TilePlan:
    """Square tiles that cover a grid.

    Attributes:
        height, width: of the grid, pixels.
        tile: side of a tile, pixels.
        overlap: pixels that neighbours share; at most half a tile, so that never more than two meet
            along one axis.
    """

    height: int
    width: int
    tile: int
    overlap: int

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= self.tile // 2:
            raise ValueError(f"overlap must lie in 0..{self.tile // 2}, not {self.overlap}")

    @property
    def stride(self) -> int:
        """Distance between neighbours."""
        return self.tile - self.overlap

    @property
    def rows(self) -> int:
        """Number of tiles from north to south."""
        return _count(self.height, self.tile, self.stride)

    @property
    def cols(self) -> int:
        """Number of tiles from west to east."""
        return _count(self.width, self.tile, self.stride)

    def __len__(self) -> int:
        return self.rows * self.cols

    def window(self, index: int) -> Window:
        """The tile's square; it may reach beyond the grid to the south and the east."""
        row, col = divmod(index, self.cols)
        return Window(row * self.stride, col * self.stride, self.tile, self.tile)

    def needed_from(self, index: int) -> tuple[int, int]:
        """Row and column: no later tile has a pixel that lies both above the row and west of the column."""
        row, col = divmod(index, self.cols)
        return (row + 1) * self.stride, self.width if col == self.cols - 1 else (col + 1) * self.stride

    def touching(self, window: Window) -> Iterator[int]:
        """Indices of the tiles that share pixels with a window, ascending."""
        first_row, last_row = self._span(window.row, window.height, self.rows)
        first_col, last_col = self._span(window.col, window.width, self.cols)
        for row in range(first_row, last_row + 1):
            for col in range(first_col, last_col + 1):
                yield row * self.cols + col

    def meets(self, window: Window, marked: NDArray[np.bool_]) -> bool:
        """Whether a marked tile shares pixels with a window.

        Args:
            window: inside the grid.
            marked: (tiles,) bool by index.
        """
        first_row, last_row = self._span(window.row, window.height, self.rows)
        first_col, last_col = self._span(window.col, window.width, self.cols)
        in_plan = marked.reshape(self.rows, self.cols)
        return bool(in_plan[first_row : last_row + 1, first_col : last_col + 1].any())

    def tiles_where(self, holds: Callable[[Window], bool]) -> NDArray[np.bool_]:
        """Which tiles may show something: (tiles,) bool by index.

        Rectangles of tiles are asked for as a whole, then by quarters, so that empty ground costs little.

        Args:
            holds: tells of a window inside the grid, False where it certainly shows nothing.
        """
        grid = Window(0, 0, self.height, self.width)
        found = np.zeros((self.rows, self.cols), dtype=np.bool_)
        asked = [Window(0, 0, self.rows, self.cols)]  # of tiles
        while asked:
            part = asked.pop()
            tall, broad = (part.height - 1) * self.stride, (part.width - 1) * self.stride
            row, col = part.row * self.stride, part.col * self.stride
            if not holds(Window(row, col, tall + self.tile, broad + self.tile).intersect(grid)):
                continue
            if part.size == 1:
                found[part.row, part.col] = True
            asked.extend(_quarters(part) if part.size > 1 else ())
        return found.ravel()

    def around(self, window: Window) -> Window:
        """The part of the grid that must be predicted to get the levels of ``window`` as the whole grid has.

        It begins where a tile of the whole grid does, so that its tiles stand at the same places, and it is
        so large that its own borders bear on no pixel of ``window``.
        """
        wide = window.pad(self.overlap).intersect(Window(0, 0, self.height, self.width))
        first_row, last_row = self._span(wide.row, wide.height, self.rows)
        first_col, last_col = self._span(wide.col, wide.width, self.cols)
        tall, broad = (last_row - first_row) * self.stride, (last_col - first_col) * self.stride
        tiles = Window(first_row * self.stride, first_col * self.stride, tall + self.tile, broad + self.tile)
        return tiles.intersect(Window(0, 0, self.height, self.width))

    def _span(self, start: int, length: int, count: int) -> tuple[int, int]:
        """First and last of ``count`` tiles along an axis that share pixels with start..start + length."""
        first = max(0, (start - self.tile) // self.stride + 1)
        last = min(count - 1, (start + length - 1) // self.stride)
        return first, last

    def row_bands(self, window: Window) -> list[tuple[Band, ...]]:
        """The rows of a window, divided by the one or two rows of tiles that have a weight there."""
        return _bands(
            self, (window.row, window.height), *self._span(window.row, window.height, self.rows), self.rows
        )

    def col_bands(self, window: Window) -> list[tuple[Band, ...]]:
        """The columns of a window, divided by the one or two columns of tiles that have a weight there."""
        return _bands(
            self, (window.col, window.width), *self._span(window.col, window.width, self.cols), self.cols
        )

    def weights(self, index: int) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
        """Weights of a tile's rows and of its columns, each (tile,) uint32 in 0..WEIGHT.

        The weight of a pixel is their product; over all tiles it sums to WEIGHT² at every pixel.
        """
        row, col = divmod(index, self.cols)
        return (
            _ramps(self.tile, self.overlap, before=row > 0, after=row < self.rows - 1),
            _ramps(self.tile, self.overlap, before=col > 0, after=col < self.cols - 1),
        )


def _bands(
    plan: TilePlan, axis: tuple[int, int], first: int, last: int, count: int
) -> list[tuple[Band, ...]]:
    """A stretch of an axis, cut where tiles begin or cease to have a weight.

    Args:
        plan: where the tiles lie.
        axis: the stretch's first pixel, and its length.
        first, last: of the tiles that share pixels with it.
        count: tiles along the axis.
    """
    start, length = axis
    seen = []
    for number in range(first, last + 1):
        weights = _ramps(plan.tile, plan.overlap, before=number > 0, after=number < count - 1)
        corner = number * plan.stride - start
        weighty = np.flatnonzero(weights)
        begin, end = max(0, corner + int(weighty[0])), min(length, corner + int(weighty[-1]) + 1)
        if begin < end:
            seen.append((number, corner, begin, end, weights))
    cuts = sorted({edge for _, _, begin, end, _ in seen for edge in (begin, end)})
    return [
        tuple(
            Band(number, slice(a, b), slice(a - corner, b - corner), weights[a - corner : b - corner])
            for number, corner, begin, end, weights in seen
            if begin <= a and b <= end
        )
        for a, b in pairwise(cuts)
    ]


def _quarters(window: Window) -> list[Window]:
    """Its two or four parts of about half its height and width."""
    tall, broad = -(-window.height // 2), -(-window.width // 2)
    rows = range(window.row, window.row + window.height, tall)
    cols = range(window.col, window.col + window.width, broad)
    return [Window(row, col, tall, broad).intersect(window) for row in rows for col in cols]


def _count(size: int, tile: int, stride: int) -> int:
    """Number of tiles that cover ``size`` pixels along an axis."""
    return 1 if size <= tile else 1 + -(-(size - tile) // stride)


@lru_cache(maxsize=16)
def _ramps(tile: int, overlap: int, *, before: bool, after: bool) -> NDArray[np.uint32]:
    """Weights along one axis, where there is a neighbour before and after the tile.

    They are 0 on the outer quarter of an overlap and WEIGHT on its inner quarter.

    The network lacks context at the outer pixels of a tile, so the neighbour alone decides there.
    """
    weights = np.full(tile, WEIGHT, dtype=np.uint32)
    if overlap:
        margin = overlap // 4
        along = (np.arange(overlap) + 0.5 - margin) / (overlap - 2 * margin)
        ramp = np.round(WEIGHT * np.clip(along, 0.0, 1.0)).astype(np.uint32)
        if before:
            weights[:overlap] = ramp
        if after:
            weights[-overlap:] = WEIGHT - ramp
    weights.flags.writeable = False
    return weights


def blend(plan: TilePlan, window: Window, levels: Mapping[int, NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """The blended levels of a window: whole-number arithmetic in a fixed order, so always the same.

    Where a single tile has a weight its levels are taken as they are: two thirds of all pixels, mostly.

    Args:
        plan: where the tiles lie.
        window: inside the grid.
        levels: (tile, tile) uint8 of the tiles that touch the window, by index: 0..254, and 255 where
            the pixel is not valid. A missing tile had no valid pixel at all.

    Returns:
        (height, width) uint8, rounded half up. An invalid pixel is 255 in every tile that sees it, so it
        stays 255.
    """
    out = np.full((window.height, window.width), NODATA, dtype=np.uint8)
    columns = plan.col_bands(window)
    for rows in plan.row_bands(window):
        for cols in columns:
            parts = [(row, col, levels.get(row.tile * plan.cols + col.tile)) for row in rows for col in cols]
            here = rows[0].in_window, cols[0].in_window
            if len(parts) > 1:
                out[here] = _weighted(parts)
            elif (level := parts[0][2]) is not None:
                out[here] = level[rows[0].in_tile, cols[0].in_tile]
    return out


def _weighted(parts: Sequence[tuple[Band, Band, NDArray[np.uint8] | None]]) -> NDArray[np.uint32]:
    """The mean of what several tiles say of the same pixels, by their weights."""
    rows, cols, _ = parts[0]
    total = np.zeros((len(rows.weights), len(cols.weights)), dtype=np.uint32)
    for row, col, level in parts:
        seen = np.uint32(NODATA) if level is None else level[row.in_tile, col.in_tile]
        total += seen * (row.weights[:, None] * col.weights[None, :])
    # The weights at each pixel sum to WEIGHT²; half of it is added to round.
    return (total + WEIGHT * WEIGHT // 2) // (WEIGHT * WEIGHT)
