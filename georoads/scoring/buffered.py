"""Completeness, correctness and quality of lines within a buffer.

Method: Heipke, Mayer, Wiedemann, Jamet, "Evaluation of automatic road extraction" (ISPRS 1997), section 3,
without their test of directions.

Strategy. The points of a segment s that lie within r of a segment p are one interval of s, since the distance
to a convex set is convex along a line. It is found in closed form: where s runs through the disc around
either end of p or through the strip beside it, the outermost of those limits bound it. The intervals of all
p near s (from a spatial index) are united, and their lengths add up. So the buffer is truly round, and no
polygon is ever built.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.scoring.segments import Segments, straight

_CHUNK = 50_000
"""Segments that are looked up at once: bounds memory when layers have millions of lines."""

Vectors = NDArray[np.float64]
"""(N, 2) vectors or (N,) numbers, float64."""
Interval = tuple[Vectors, Vectors]


@dataclass(frozen=True)
class Matched:
    """Lengths in metres: of both layers, and of the parts that lie within the buffer of the other layer."""

    reference_m: float
    proposal_m: float
    reference_matched_m: float
    proposal_matched_m: float

    @property
    def completeness(self) -> float:
        """Share of the reference's length within the buffer of the proposal; see ``_share`` for empty."""
        return self._share(self.reference_matched_m, self.reference_m)

    @property
    def correctness(self) -> float:
        """Share of the proposal's length within the buffer of the reference."""
        return self._share(self.proposal_matched_m, self.proposal_m)

    @property
    def f1(self) -> float:
        """Harmonic mean of completeness and correctness."""
        total = self.completeness + self.correctness
        return 2 * self.completeness * self.correctness / total if total else 0.0

    @property
    def quality(self) -> float:
        """Matched proposal / (proposal + unmatched reference)."""
        missed = self.reference_m - self.reference_matched_m
        return self._share(self.proposal_matched_m, self.proposal_m + missed)

    def _share(self, part: float, whole: float) -> float:
        """part / whole; when both layers are empty 1, when one of them is 0."""
        if self.reference_m == 0 and self.proposal_m == 0:
            return 1.0
        if self.reference_m == 0 or self.proposal_m == 0:
            return 0.0
        return part / whole


def match(proposal: Segments, reference: Segments, buffer_m: float) -> Matched:
    """Lengths of two layers and of their parts within ``buffer_m`` metres of each other.

    Lines that lie on each other count as often as they are drawn.
    """
    return Matched(
        reference_m=float(reference.length_m.sum()),
        proposal_m=float(proposal.length_m.sum()),
        reference_matched_m=_covered_m(reference, proposal, buffer_m),
        proposal_matched_m=_covered_m(proposal, reference, buffer_m),
    )


@dataclass(frozen=True)
class Covered:
    """Where segments lie within a buffer: disjoint intervals, in the order of their segments.

    Attributes:
        own: (N,) int64, the segment that each interval belongs to.
        low, high: (N,) float64 in 0..1 from the segment's start to its end.
    """

    own: NDArray[np.int64]
    low: Vectors
    high: Vectors

    def shares(self, count: int) -> Vectors:
        """(count,) float64 in 0..1: the covered share of each segment."""
        shares = np.bincount(self.own, weights=self.high - self.low, minlength=count)
        return np.minimum(shares.astype(np.float64), 1.0)


def covered(segments: Segments, others: Segments, buffer_m: float) -> Covered:
    """The parts of ``segments`` that lie within ``buffer_m`` of ``others``."""
    found = [Covered(np.empty(0, dtype=np.int64), np.empty(0), np.empty(0))]
    if len(segments) and len(others):
        for begin in range(0, len(segments), _CHUNK):
            start, end = segments.start[begin : begin + _CHUNK], segments.end[begin : begin + _CHUNK]
            own, near = others.tree.query(straight(start, end), predicate="dwithin", distance=buffer_m)
            way = end[own] - start[own]
            low, high = within(start[own], way, others.start[near], others.end[near], buffer_m)
            found.append(united(own.astype(np.int64) + begin, low, high))
    return Covered(
        np.concatenate([c.own for c in found]),
        np.concatenate([c.low for c in found]),
        np.concatenate([c.high for c in found]),
    )


def _covered_m(segments: Segments, others: Segments, buffer_m: float) -> float:
    """Metres of ``segments`` that lie within ``buffer_m`` of ``others``."""
    shares = covered(segments, others, buffer_m).shares(len(segments))
    return float((shares * segments.length_m).sum())


def within(s: Vectors, d: Vectors, a: Vectors, b: Vectors, r: float) -> Interval:
    """Limits of t in 0..1, (N,) each, where s + t d lies within r of the segment a b; low > high: nowhere."""
    discs = [_through_disc(s - a, d, r), _through_disc(s - b, d, r)]
    strip = _through_strip(s - a, d, b - a, r)
    low = np.minimum.reduce([limits[0] for limits in (*discs, strip)])
    high = np.maximum.reduce([limits[1] for limits in (*discs, strip)])
    return np.maximum(low, 0.0), np.minimum(high, 1.0)


def _through_disc(s: Vectors, d: Vectors, r: float) -> Interval:
    """Limits of t where |s + t d| <= r: inf, -inf where it never is."""
    dd = (d * d).sum(axis=1)
    middle = -(s * d).sum(axis=1) / dd
    nearest = s + middle[:, None] * d
    room = r * r - (nearest * nearest).sum(axis=1)
    half = np.sqrt(np.maximum(room, 0.0) / dd)
    hit = room >= 0
    return np.where(hit, middle - half, np.inf), np.where(hit, middle + half, -np.inf)


def _through_strip(s: Vectors, d: Vectors, u: Vectors, r: float) -> Interval:
    """Limits of t where s + t d lies beside the segment from 0 to u, at most r away."""
    length = np.hypot(u[:, 0], u[:, 1])
    along, across = u / length[:, None], np.column_stack((-u[:, 1], u[:, 0])) / length[:, None]
    low_1, high_1 = _between((s * along).sum(axis=1), (d * along).sum(axis=1), np.zeros(len(u)), length)
    low_2, high_2 = _between(
        (s * across).sum(axis=1), (d * across).sum(axis=1), np.full(len(u), -r), np.full(len(u), r)
    )
    low, high = np.maximum(low_1, low_2), np.minimum(high_1, high_2)
    hit = low <= high
    return np.where(hit, low, np.inf), np.where(hit, high, -np.inf)


def _between(p: Vectors, v: Vectors, least: Vectors, most: Vectors) -> Interval:
    """Limits of t where least <= p + t v <= most."""
    still = v == 0
    speed = np.where(still, 1.0, v)
    one, two = (least - p) / speed, (most - p) / speed
    inside = (least <= p) & (p <= most)
    low = np.where(still, np.where(inside, -np.inf, np.inf), np.minimum(one, two))
    high = np.where(still, np.where(inside, np.inf, -np.inf), np.maximum(one, two))
    return low, high


def united(own: NDArray[np.int64], low: Vectors, high: Vectors) -> Covered:
    """The union of the intervals of each owner; those with low >= high are empty."""
    real = low < high
    own, low, high = own[real], low[real], high[real]
    if not len(own):
        return Covered(own, low, high)
    order = np.lexsort((low, own))
    own, low, high = own[order], low[order], high[order]
    # How far the intervals of an owner reach so far. Ranks by (owner, high) let the running maximum start
    # anew at each owner without rounding, so that a segment that is wholly covered is so exactly.
    by_reach = np.lexsort((high, own))
    rank = np.empty_like(by_reach)
    rank[by_reach] = np.arange(len(own))
    reach = high[by_reach[np.maximum.accumulate(rank)]]
    begins = np.concatenate(([True], (own[1:] != own[:-1]) | (low[1:] > reach[:-1])))
    ends = np.concatenate((begins[1:], [True]))
    return Covered(own[begins], low[begins], reach[ends])
