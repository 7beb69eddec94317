"""Stretches of road: parts of lines that are the same kind throughout, found, joined and cut out.

All lines of a layer are laid end to end. A stretch is then two numbers, and joining, dropping and cutting
stretches is arithmetic on sorted arrays, however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.ragged import ranks, rows_of
from georoads.scoring.buffered import are_parallel, find_covered, unite_intervals
from georoads.scoring.segments import Segments

LEAST_M = 1e-6
"""Stretches and gaps that are shorter come from rounding."""
_AROUND_M = 7.5
"""The direction of a road at a place is that from so far before it to so far behind."""

Numbers = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class Stretches:
    """Parts of lines, disjoint, in the order of their lines and along them.

    Attributes:
        line: (N,) int64, the line that each is a part of.
        low_m, high_m: (N,) float64 metres, where it begins and ends when all lines are laid end to end.
    """

    line: Indices
    low_m: Numbers
    high_m: Numbers

    def __len__(self) -> int:
        return len(self.line)

    @property
    def length_m(self) -> Numbers:
        """(N,) float64, metres."""
        return self.high_m - self.low_m

    @classmethod
    def joined(cls, parts: Sequence[Stretches]) -> Stretches:
        """All of several, in their order."""
        ends = ([part.low_m for part in parts], [part.high_m for part in parts])
        low, high = map(np.concatenate, ends)
        return cls(np.concatenate([part.line for part in parts]), low, high)

    def kept(self, keep: NDArray[np.bool_] | Indices) -> Stretches:
        """Those where ``keep`` (N,) is true, or those of these numbers."""
        return Stretches(self.line[keep], self.low_m[keep], self.high_m[keep])

    def united(self, others: Stretches) -> Stretches:
        """What lies in these or in others of the same lines."""
        parts = [
            np.concatenate(pair) for pair in zip(vars(self).values(), vars(others).values(), strict=True)
        ]
        found = unite_intervals(*parts)
        return Stretches(found.own, found.low, found.high)

    def closed(self, gap_m: float) -> Stretches:
        """Those of one line that lie less than ``gap_m`` apart become one."""
        if not len(self):
            return self
        begins = np.ones(len(self), dtype=bool)
        begins[1:] = (self.line[1:] != self.line[:-1]) | (self.low_m[1:] - self.high_m[:-1] >= gap_m)
        ends = np.append(begins[1:], True)
        return Stretches(self.line[begins], self.low_m[begins], self.high_m[ends])


@dataclass(frozen=True)
class LaidLines:
    """The lines of a layer, laid end to end.

    Attributes:
        segments: their straight pieces, in the order of the lines.
    """

    segments: Segments

    @cached_property
    def start_m(self) -> Numbers:
        """(S + 1,) float64 metres: where each piece begins, and where the last one ends."""
        return np.concatenate(([0.0], np.cumsum(self.segments.length_m)))

    @cached_property
    def whole(self) -> Stretches:
        """Each line as one stretch."""
        line = self.segments.line
        first = np.flatnonzero(np.diff(line, prepend=-1))
        ends = np.append(first[1:], len(line))[: len(first)]
        return Stretches(line[first], self.start_m[first], self.start_m[ends])

    @cached_property
    def ways(self) -> Points:
        """(S, 2) float64: the direction of the road at each piece; of short ones that of what is around them.

        Small steps in a line, as a skeleton has, do not change it.
        """
        middle = (self.start_m[:-1] + self.start_m[1:]) / 2
        whole = self.whole
        row = np.searchsorted(whole.line, self.segments.line)
        low = np.maximum(middle - _AROUND_M, whole.low_m[row])
        high = np.minimum(middle + _AROUND_M, whole.high_m[row])
        ends = self.points_at(high, self.pieces_at(high - LEAST_M))
        way = ends - self.points_at(low, self.pieces_at(low + LEAST_M))
        own = self.segments.end - self.segments.start
        is_ring = np.hypot(*way.T) < LEAST_M
        return np.where(is_ring[:, None], own, way)

    def covered(self, others: LaidLines, buffer_m: float, parallel_deg: float | None = None) -> Stretches:
        """The stretches within a buffer of other lines.

        Args:
            others: in the same metric plane.
            buffer_m: half the width of the buffer.
            parallel_deg: directions of lines that count differ by so many degrees at most; None: all count.
        """

        def are_alike(own: Indices, near: Indices) -> NDArray[np.bool_]:
            return are_parallel(self.ways[own], others.ways[near], parallel_deg or 0.0)

        count_all = parallel_deg is None
        found = find_covered(self.segments, others.segments, buffer_m, None if count_all else are_alike)
        start, length = self.start_m[found.own], self.segments.length_m[found.own]
        line = self.segments.line[found.own]
        parts = Stretches(line, start + found.low * length, start + found.high * length)
        return parts.kept(parts.length_m > LEAST_M).closed(LEAST_M)

    def rest(self, stretches: Stretches) -> Stretches:
        """What stretches leave of the lines."""
        whole = self.whole
        # Each line gets a last stretch of no length at its end, so that what comes before it is a gap, too.
        line = np.concatenate((stretches.line, whole.line))
        low, high = (np.concatenate((ends, whole.high_m)) for ends in (stretches.low_m, stretches.high_m))
        order = np.lexsort((high, low, line))
        line, low, high = line[order], low[order], high[order]
        before = whole.low_m[np.searchsorted(whole.line, line)]
        before[1:] = np.where(line[1:] == line[:-1], high[:-1], before[1:])
        gaps = Stretches(line, before, low)
        return gaps.kept(gaps.length_m > LEAST_M)

    def without_short(self, stretches: Stretches, least_m: float) -> Stretches:
        """Stretches of ``least_m`` and more, and those that are all of their line."""
        size = self.whole.length_m[np.searchsorted(self.whole.line, stretches.line)]
        return stretches.kept((stretches.length_m >= least_m) | (stretches.length_m >= size - LEAST_M))

    def pieces_at(self, at_m: Numbers) -> Indices:
        """(N,) int64: the piece that each place (N,), in metres, lies on."""
        found = np.searchsorted(self.start_m, at_m, side="right") - 1
        return np.clip(found, 0, len(self.segments) - 1).astype(np.int64)

    def points_at(self, at_m: Numbers, piece: Indices) -> Points:
        """(N, 2) float64 metres: the points of places (N,) that lie on pieces (N,)."""
        start, end = self.segments.start[piece], self.segments.end[piece]
        begin, length = self.start_m[piece], self.start_m[piece + 1] - self.start_m[piece]
        share = np.clip((at_m - begin) / length, 0.0, 1.0)
        return np.asarray(start + share[:, None] * (end - start))

    def cut(self, stretches: Stretches) -> NDArray[np.object_]:
        """(N,) shapely LineStrings, in the plane."""
        if not len(stretches):
            return np.empty(0, dtype=np.object_)
        points, row = self.points_of(stretches)
        return np.asarray(shapely.linestrings(points, indices=row), dtype=np.object_)

    def points_of(self, stretches: Stretches) -> tuple[Points, Indices]:
        """The vertices of stretches, (P, 2) float64 metres, and the stretch (P,) that each belongs to."""
        first = self.pieces_at(stretches.low_m + LEAST_M)
        last = np.maximum(np.searchsorted(self.start_m, stretches.high_m - LEAST_M, side="left") - 1, first)
        # Its first point, the end of each piece but the last, and its last point.
        counts = last - first + 2
        rows = np.repeat(np.arange(len(stretches)), counts)
        points = self.segments.end[rows_of(first - 1, counts)]
        rank = ranks(counts)
        points[rank == 0] = self.points_at(stretches.low_m, first)
        points[rank == counts[rows] - 1] = self.points_at(stretches.high_m, last)
        return points, rows
