"""Masks as runs: stretches of True pixels in a row. Memory follows the runs, not the pixels.

A mask is put together from blocks, in any block size to the same runs, and painted window by window.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Window
from georoads.ragged import offsets_of, owners, rows_of

Columns = NDArray[np.int32]
"""(R,) int32, one column per run."""

Pixels = NDArray[np.int64]
"""(K,) int64 pixel ids, row * width + col, ascending."""


class RowRuns(NamedTuple):
    """The runs of some rows, in reading order, as compiled code takes them.

    Attributes:
        rows: (H + 1,) int64; runs of row r are [rows[r], rows[r + 1]).
        start: (R,) int32, first column of each run.
        stop: (R,) int32, column after its last.
    """

    rows: NDArray[np.int64]
    start: Columns
    stop: Columns


WORD = 8
"""Bytes that are looked at together: mostly all of them are equal."""


@dataclass(frozen=True)
class RunMask:
    """A mask of any size as its runs, in reading order. Runs of a row do not touch.

    Attributes:
        shape: (height, width).
        runs: those of all rows.
    """

    shape: tuple[int, int]
    runs: RowRuns

    def __len__(self) -> int:
        """Number of runs."""
        return len(self.runs.start)

    def sizes(self) -> NDArray[np.int64]:
        """(R,) int64: pixels of each run."""
        return self.runs.stop.astype(np.int64) - self.runs.start

    def paint(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) bool of a window, which may reach beyond the mask: False there."""
        return _paint(self.runs, window.row, window.col, window.height, window.width)

    def any(self, window: Window) -> bool:
        """Whether a pixel of a window, which may reach beyond the mask, is True."""
        return _any(self.runs, window.row, window.col, window.height, window.width)

    def cut(self, window: Window) -> RowRuns:
        """The runs inside a window; columns are counted in the whole mask."""
        return _cut(self.runs, window.row, window.col, window.height, window.width)

    def keep(self, which: NDArray[np.bool_]) -> RunMask:
        """The mask of those runs only where ``which``, (R,), is True."""
        before = offsets_of(which)
        runs = RowRuns(before[self.runs.rows], self.runs.start[which], self.runs.stop[which])
        return RunMask(self.shape, runs)

    def complement(self) -> RunMask:
        """True where this mask is False."""
        rows, start, stop = self.runs
        # Each row has a gap before its first run, one after each run, and some of them are empty.
        gap_start, gap_stop = np.insert(stop, rows[:-1], 0), np.insert(start, rows[1:], self.shape[1])
        gaps = RowRuns(rows + np.arange(len(rows)), gap_start, gap_stop)
        return RunMask(self.shape, gaps).keep(gap_start < gap_stop)

    def union(self, other: RunMask) -> RunMask:
        """True where either is; the two have no pixel in common."""
        return RunMask(self.shape, merge([self.runs, other.runs]))

    def without(self, other: RunMask, block_px: int) -> RunMask:
        """True where this is and the other is not; painted in blocks of that side, where the other is."""
        if not len(other):
            return self
        left = RunCollector(self.shape)
        for window in blocks(self.shape, block_px):
            if len(other.cut(window).start):
                left.add(window, runs_of(self.paint(window) & ~other.paint(window), window.col))
            else:
                left.add(window, self.cut(window))
        return left.mask()

    def pixels(self) -> Pixels:
        """Ids of the True pixels."""
        return rows_of(owners(self.runs.rows) * self.shape[1] + self.runs.start, self.sizes())


def mask_of(pixels: Pixels, shape: tuple[int, int]) -> RunMask:
    """The mask of some pixels: ascending ids, each once."""
    rows, cols = np.divmod(pixels, shape[1])
    start = cols.astype(np.int32)
    runs = RowRuns(np.searchsorted(rows, np.arange(shape[0] + 1)), start, start + np.int32(1))
    return RunMask(shape, merge([runs]))


class RunCollector:
    """Puts a mask together from blocks in reading order; runs that meet at a seam become one.

    Blocks without a run need not be added.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._counts = np.zeros(shape[0], np.int64)
        self._top = 0
        self._band: list[RowRuns] = []
        self._bands: list[RowRuns] = []

    def add(self, window: Window, runs: RowRuns) -> None:
        """Take a block's runs, one row of ``runs`` for each of the window's; columns of the whole mask."""
        if window.row != self._top:
            self._close_band()
            self._top = window.row
        if len(runs.start):
            self._band.append(runs)

    def _close_band(self) -> None:
        """Put the blocks that lie side by side together."""
        if self._band:
            band = merge(self._band)
            self._counts[self._top : self._top + len(band.rows) - 1] = np.diff(band.rows)
            self._bands.append(band)
        self._band = []

    def mask(self) -> RunMask:
        """The mask, when all blocks have been added."""
        self._close_band()
        none = np.empty(0, np.int32)
        start = np.concatenate([none, *(band.start for band in self._bands)])
        stop = np.concatenate([none, *(band.stop for band in self._bands)])
        self._bands = []
        return RunMask(self._shape, RowRuns(offsets_of(self._counts), start, stop))


def blocks(shape: tuple[int, int], size: int) -> Iterator[Window]:
    """Windows of at most size x size that cover a raster once, in reading order."""
    height, width = shape
    for row in range(0, height, size):
        for col in range(0, width, size):
            yield Window(row, col, min(size, height - row), min(size, width - col))


def by_block(block: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each block's number, in ascending order, and the ascending places in ``block``, (K,), that hold it."""
    order = np.argsort(block, kind="stable")
    number = block[order]
    bounds = np.append(np.flatnonzero(np.diff(number, prepend=-1)), len(number))
    for first, last in pairwise(bounds.tolist()):
        yield int(number[first]), order[first:last]


def runs_of(mask: NDArray[np.bool_], first_col: int) -> RowRuns:
    """The runs of an (H, W) bool block whose first column is ``first_col`` in the whole mask."""
    height, width = mask.shape
    padded = -(-width // WORD) * WORD
    if padded != width or not mask.flags.c_contiguous:  # pad the rows to whole words
        whole = np.zeros((height, padded), np.bool_)
        whole[:, :width] = mask
        mask = whole
    rows, start, stop = _scan_words(mask.view(np.uint8), mask.view(np.uint64))
    return RowRuns(rows, start + np.int32(first_col), stop + np.int32(first_col))


def merge(parts: list[RowRuns]) -> RowRuns:
    """Runs of several masks of the same rows, without a common pixel, as one; those that touch are joined."""
    row = np.concatenate([owners(part.rows) for part in parts])
    start = np.concatenate([part.start for part in parts])
    stop = np.concatenate([part.stop for part in parts])
    # One number for row and column: each part is in order already, and such sorts are merged quickly.
    order = np.argsort((row << 32) + start, kind="stable")
    row, start, stop = row[order], start[order], stop[order]
    # A run that begins where the last one of its row ends goes on over the seam.
    begins, ends = np.ones((2, len(row)), np.bool_)
    begins[1:] = ends[:-1] = (row[1:] != row[:-1]) | (start[1:] != stop[:-1])
    rows = offsets_of(np.bincount(row[begins], minlength=len(parts[0].rows) - 1))
    return RowRuns(rows, start[begins], stop[ends])


@compiled
def _scan_words(flags: NDArray[np.uint8], words: NDArray[np.uint64]) -> RowRuns:
    """Runs of ones; a word whose bytes all go on as the last one is passed over."""
    height, width = flags.shape
    rows = np.zeros(height + 1, np.int64)
    start = np.empty(1024, np.int32)
    stop = np.empty(1024, np.int32)
    # Eight pixels at once: all False, all True.
    nothing, full = np.uint64(0), np.uint64(0x0101010101010101)
    count = 0
    for row in range(height):
        # A row has fewer runs than pixels: with that much room no run needs a check.
        if count + width > len(start):
            more = np.empty(len(start) + width, np.int32)
            start, stop = np.concatenate((start, more)), np.concatenate((stop, more))
        inside = False
        for word in range(width // WORD):
            if words[row, word] == (full if inside else nothing):
                continue  # nothing begins or ends here
            for col in range(word * WORD, word * WORD + WORD):
                if (flags[row, col] != 0) == inside:
                    continue
                if inside:
                    stop[count] = col
                    count += 1
                else:
                    start[count] = col
                inside = not inside
        # A run that reaches the row's end is closed there.
        if inside:
            stop[count] = width
            count += 1
        rows[row + 1] = count
    return RowRuns(rows, start[:count].copy(), stop[:count].copy())


@compiled
def first_run(runs: RowRuns, row: int, col: int) -> int:
    """The first run of a row that ends beyond a column; rows[row + 1] where none does.

    Args:
        runs: of a mask.
        row, col: where to look; the column may lie outside.
    """
    rows, _, stop = runs
    # Bisection: runs before ``low`` end at or before the column, runs from ``high`` on end beyond it.
    low: int = rows[row]
    high: int = rows[row + 1]
    while low < high:
        middle = (low + high) // 2
        if stop[middle] > col:
            high = middle
        else:
            low = middle + 1
    return low


@compiled
def _paint(runs: RowRuns, top: int, left: int, height: int, width: int) -> NDArray[np.bool_]:
    """(height, width) bool of a window, False beyond the mask."""
    rows, start, stop = runs
    image = np.zeros((height, width), np.bool_)
    for row in range(max(top, 0), min(top + height, len(rows) - 1)):
        for i in range(first_run(runs, row, left), rows[row + 1]):
            if start[i] >= left + width:
                break
            image[row - top, max(start[i] - left, 0) : min(stop[i] - left, width)] = True
    return image


@compiled
def _any(runs: RowRuns, top: int, left: int, height: int, width: int) -> bool:
    """Whether a run reaches into a window."""
    rows, start, _ = runs
    for row in range(max(top, 0), min(top + height, len(rows) - 1)):
        i = first_run(runs, row, left)
        if i < rows[row + 1] and start[i] < left + width:
            return True
    return False


@compiled
def _cut(runs: RowRuns, top: int, left: int, height: int, width: int) -> RowRuns:
    """The runs inside a window that lies within the mask, cut at its sides."""
    rows, start, stop = runs
    most = rows[top + height] - rows[top]  # the runs of these rows in full width
    cut_rows = np.zeros(height + 1, np.int64)
    cut_start, cut_stop = np.empty(most, np.int32), np.empty(most, np.int32)
    count = 0
    for row in range(height):
        for i in range(first_run(runs, top + row, left), rows[top + row + 1]):
            if start[i] >= left + width:
                break
            cut_start[count] = max(start[i], left)
            cut_stop[count] = min(stop[i], left + width)
            count += 1
        cut_rows[row + 1] = count
    return RowRuns(cut_rows, cut_start[:count].copy(), cut_stop[:count].copy())
