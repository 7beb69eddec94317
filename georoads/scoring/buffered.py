"""Completeness, correctness and quality of lines within a buffer of each other.

Method: Heipke, Mayer, Wiedemann, Jamet, "Evaluation of automatic road extraction" (ISPRS 1997), section 3,
without their test of directions.

Strategy. The points of a segment s that lie within r of a segment p are one interval of s, since the distance
to a convex set is convex along a line. It is found in closed form: where s runs through the disc around
either end of p or through the strip beside it, the outermost of those limits bound it. The intervals of all
p near s (from a spatial index) are united, and their lengths add up. So the buffer is truly round, and no
polygon is ever built.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.scoring.matching import harmonic
from georoads.scoring.segments import Segments, straight_lines

_CHUNK = 50_000
"""Segments that are looked up at once: bounds memory when layers have millions of lines."""

_SLACK = 1e-6
"""More than rounding can do."""

Vectors = NDArray[np.float64]
"""(N, 2) float64 metres."""
Numbers = NDArray[np.float64]
"""(N,) float64."""
AreAlike = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.bool_]]
Limits = tuple[Numbers, Numbers]
"""The least and the greatest t of each pair of segments; inf and -inf where no t fits."""


@dataclass(frozen=True)
class MatchedLengths:
    """Lengths in metres: of both layers, and of the parts that lie within the buffer of the other layer."""

    reference_m: float
    proposal_m: float
    reference_matched_m: float
    proposal_matched_m: float

    @property
    def completeness(self) -> float:
        """Share of the reference's length within the buffer of the proposal.

        As all shares here: 1 when both layers are empty, 0 when one of them is.
        """
        return self._share_of(self.reference_matched_m, self.reference_m)

    @property
    def correctness(self) -> float:
        """Share of the proposal's length within the buffer of the reference."""
        return self._share_of(self.proposal_matched_m, self.proposal_m)

    @property
    def f1(self) -> float:
        """Harmonic mean of completeness and correctness."""
        return harmonic(self.completeness, self.correctness)

    @property
    def quality(self) -> float:
        """Matched proposal / (proposal + unmatched reference)."""
        missed = self.reference_m - self.reference_matched_m
        return self._share_of(self.proposal_matched_m, self.proposal_m + missed)

    def _share_of(self, part: float, whole: float) -> float:
        if self.reference_m == 0 and self.proposal_m == 0:
            return 1.0
        if self.reference_m == 0 or self.proposal_m == 0:
            return 0.0
        return part / whole


def match_lengths(proposal: Segments, reference: Segments, buffer_m: float) -> MatchedLengths:
    """Lengths of two layers and of their parts that lie within a buffer of each other.

    Args:
        proposal, reference: lines in one metric plane; what was drawn twice counts twice.
        buffer_m: half the width of the buffer.
    """
    return MatchedLengths(
        reference_m=float(reference.length_m.sum()),
        proposal_m=float(proposal.length_m.sum()),
        reference_matched_m=_covered_length_m(reference, proposal, buffer_m),
        proposal_matched_m=_covered_length_m(proposal, reference, buffer_m),
    )


@dataclass(frozen=True)
class Intervals:
    """Parts of segments: disjoint intervals, in the order of their segments.

    Attributes:
        own: (N,) int64, the segment that each interval is a part of.
        low, high: (N,) float64 in 0..1 from the segment's start to its end.
    """

    own: NDArray[np.int64]
    low: Numbers
    high: Numbers

    def shares(self, count: int) -> Numbers:
        """(count,) float64 in 0..1: the share of each of ``count`` segments that lies in its intervals."""
        shares = np.bincount(self.own, weights=self.high - self.low, minlength=count)
        return np.minimum(shares.astype(np.float64), 1.0)


def find_covered(
    segments: Segments, others: Segments, buffer_m: float, are_alike: AreAlike | None = None
) -> Intervals:
    """The parts of ``segments`` that lie within a buffer of ``others``.

    Args:
        segments, others: lines in one metric plane.
        buffer_m: half the width of the buffer.
        are_alike: whether pairs of them count, (N,) bool, from their numbers (N,); None: all count.
    """
    found = [Intervals(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))]
    if len(segments) and len(others):
        for begin in range(0, len(segments), _CHUNK):
            start, end = segments.start[begin : begin + _CHUNK], segments.end[begin : begin + _CHUNK]
            own, near = others.tree.query(straight_lines(start, end), predicate="dwithin", distance=buffer_m)
            if are_alike is not None:
                alike = are_alike(own + begin, near)
                own, near = own[alike], near[alike]
            way = end[own] - start[own]
            low, high = limits_within(start[own], way, others.start[near], others.end[near], buffer_m)
            found.append(unite_intervals(own.astype(np.int64) + begin, low, high))
    return Intervals(
        own=np.concatenate([f.own for f in found]),
        low=np.concatenate([f.low for f in found]),
        high=np.concatenate([f.high for f in found]),
    )


def are_parallel(a: Vectors, b: Vectors, parallel_deg: float) -> NDArray[np.bool_]:
    """(N,) bool: do vectors differ in direction by at most so many degrees? Their sense does not count.

    Args:
        a, b: (N, 2) float64.
        parallel_deg: 0 to 90.
    """
    cross = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    lengths = np.hypot(*a.T) * np.hypot(*b.T) * (1 + _SLACK)
    return np.asarray(cross <= np.sin(np.radians(parallel_deg)) * lengths, dtype=np.bool_)


def _covered_length_m(segments: Segments, others: Segments, buffer_m: float) -> float:
    """Metres of ``segments`` that lie within ``buffer_m`` of ``others``."""
    shares = find_covered(segments, others, buffer_m).shares(len(segments))
    return float((shares * segments.length_m).sum())


def limits_within(s: Vectors, d: Vectors, a: Vectors, b: Vectors, r: float) -> Limits:
    """Between which t the point s + t d of a segment lies within a distance of another segment.

    Args:
        s, d: (N, 2) float64 metres, start of each segment and its vector to its end.
        a, b: (N, 2) float64 metres, start and end of the other one.
        r: the distance in metres.

    Returns:
        (N,) float64 each, the least and the greatest t in 0..1; the least is greater where no point is near.
    """
    discs = [_limits_in_disc(s - a, d, r), _limits_in_disc(s - b, d, r)]
    strip = _limits_in_strip(s - a, d, b - a, r)
    low = np.minimum.reduce([limits[0] for limits in (*discs, strip)])
    high = np.maximum.reduce([limits[1] for limits in (*discs, strip)])
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def _limits_in_disc(s: Vectors, d: Vectors, r: float) -> Limits:
    """Limits of t where |s + t d| <= r: inf, -inf where it never is."""
    # From where the line is nearest to the middle of the disc, Pythagoras leads to where it crosses the rim.
    dd = (d * d).sum(axis=1)
    middle = -(s * d).sum(axis=1) / dd
    nearest = s + middle[:, None] * d
    room = r * r - (nearest * nearest).sum(axis=1)
    half = np.sqrt(np.maximum(room, 0.0) / dd)
    hit = room >= 0
    return np.where(hit, middle - half, np.inf), np.where(hit, middle + half, -np.inf)


def _limits_in_strip(s: Vectors, d: Vectors, u: Vectors, r: float) -> Limits:
    """Limits of t where s + t d lies beside the segment from 0 to u, at most r away."""
    length = np.hypot(u[:, 0], u[:, 1])
    along, across = u / length[:, None], np.column_stack((-u[:, 1], u[:, 0])) / length[:, None]
    zero, radius = np.zeros(len(u)), np.full(len(u), r)
    low_1, high_1 = _limits_between((s * along).sum(axis=1), (d * along).sum(axis=1), zero, length)
    low_2, high_2 = _limits_between((s * across).sum(axis=1), (d * across).sum(axis=1), -radius, radius)
    low, high = np.maximum(low_1, low_2), np.minimum(high_1, high_2)
    hit = low <= high
    return np.where(hit, low, np.inf), np.where(hit, high, -np.inf)


def _limits_between(p: Numbers, v: Numbers, least: Numbers, most: Numbers) -> Limits:
    """Limits of t where least <= p + t v <= most."""
    still = v == 0
    speed = np.where(still, 1.0, v)
    one, two = (least - p) / speed, (most - p) / speed
    inside = (least <= p) & (p <= most)
    low = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(one, two))
    high = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(one, two))
    return low, high


def unite_intervals(own: NDArray[np.int64], low: Numbers, high: Numbers) -> Intervals:
    """The union of the intervals of each segment.

    Args:
        own: (N,) int64, the segment of each interval, in any order.
        low, high: (N,) float64, its limits; where low >= high it is empty.
    """
    real = low < high
    own, low, high = own[real], low[real], high[real]
    if not len(own):
        return Intervals(own, low, high)
    order = np.lexsort((low, own))
    own, low, high = own[order], low[order], high[order]
    # How far the intervals of a segment reach so far. Ranks by (segment, high) let the running maximum start
    # anew at each segment without rounding, so that a segment that is wholly covered is so exactly.
    by_reach = np.lexsort((high, own))
    rank = np.empty_like(by_reach)
    rank[by_reach] = np.arange(len(own))
    reach = high[by_reach[np.maximum.accumulate(rank)]]
    # A united interval begins at a new segment, and where those before do not reach.
    begins = np.concatenate(([True], (own[1:] != own[:-1]) | (low[1:] > reach[:-1])))
    ends = np.concatenate((begins[1:], [True]))
    return Intervals(own[begins], low[begins], reach[ends])
