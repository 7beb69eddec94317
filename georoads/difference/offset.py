"""The offset between two layers, as where the imagery of one lies a few metres beside the other.

Method. A road tells of an offset only what lies across it. So each sample of ROADS, with each line of
REFERENCE that is near and runs alike, asks for the shifts t with n · t = d: n is the normal of that line, d
how far it lies from the sample along n. Shifts on a lattice are voted for by all samples (each has one vote:
its best line counts), as in a Hough transform. The best ones are then refined by least squares over the
normals, reweighted by Tukey's biweight (Beaton and Tukey, Technometrics 16, 1974) whose width shrinks; the
one with the most votes wins. Along a direction that no road is across, the shift stays as small as can be.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.difference.nearby import Indices, Numbers, pairs_alike
from georoads.difference.params import DiffParams
from georoads.grid import Points
from georoads.ragged import offsets_of
from georoads.scoring.stretches import LaidLines

_SAMPLES, _SPACING_M = 20_000, 5.0
"""At most so many samples, no denser than that."""
_LEAST_SAMPLES = 20
"""An offset that fewer samples agree on is none."""
_STEP_M, _VOTE_M = 1.5, 2.0
"""Of the lattice; and a sample votes for shifts that bring it so near to its line."""
_STARTS, _APART_M = 4, 3.0
_WIDTHS_M = (4.0, 3.0, 2.5, 2.0, 2.0, 1.5, 1.5, 1.5, 1.5, 1.5)
"""Of the biweight, round by round."""
_PAST_END_M = 2.0
"""A line is taken to go on so far beyond its ends."""
_WEAK = 0.02
"""Directions in which the normals hold less than this share of the most are not told by the roads."""
_NEAR_ZERO = 1e-3
"""Of equal shifts the smallest wins: so much of the votes the farthest one loses."""


@dataclass(frozen=True)
class Offset:
    """How far REFERENCE lies from ROADS: the shift that lays ROADS onto it.

    Attributes:
        east_m, north_m: metres; 0 where none was found.
        agree: share of the samples with a line of REFERENCE nearby that the shift brings onto one.
        samples: how many those are.
        found: False where too few samples agree, or none was looked for.
    """

    east_m: float = 0.0
    north_m: float = 0.0
    agree: float = 0.0
    samples: int = 0
    found: bool = False

    @property
    def shift(self) -> Points:
        """(2,) float64 metres."""
        return np.array([self.east_m, self.north_m])


@dataclass(frozen=True)
class _Pairs:
    """Samples and lines beside them, pair by pair.

    Attributes:
        normal, along: (P, 2) float64, unit vectors across and along the line.
        across_m: (P,) float64, from the sample to the line.
        reach_m: (P,) float64, from the line's start to the sample, along it.
        length_m: (P,) float64, of the line.
        offsets: (N + 1,) int64, the pairs of each sample.
    """

    normal: Points
    along: Points
    across_m: Numbers
    reach_m: Numbers
    length_m: Numbers
    offsets: Indices

    def residuals(self, shift: Points) -> Numbers:
        """(P,) float64 metres that are left after a shift (2,); inf where it leads past the line's ends."""
        reach = self.reach_m + self.along @ shift
        beside = (reach >= -_PAST_END_M) & (reach <= self.length_m + _PAST_END_M)
        return np.where(beside, self.across_m - self.normal @ shift, np.inf)

    def votes(self, shift: Points) -> Numbers:
        """(N,) float64 in 0..1: how near a shift (2,) brings each sample to its best line."""
        near = np.maximum(1 - (self.residuals(shift) / _VOTE_M) ** 2, 0.0)
        return np.asarray(np.maximum.reduceat(near, self.offsets[:-1]))


def find_offset(laid: LaidLines, others: LaidLines, params: DiffParams) -> Offset:
    """The offset between two layers.

    Args:
        laid: the lines of ROADS.
        others: those of REFERENCE, in the same metric plane.
        params: ``search_m`` says how large it can be, ``angle_deg`` what runs alike.
    """
    pairs = _pairs_of(laid, others, params)
    if len(pairs.across_m) == 0:
        return Offset()
    best = max(
        (_refined(pairs, start) for start in _starts(pairs, params.search_m)),
        key=lambda shift: _merit(pairs, shift, params.search_m),
    )
    votes = pairs.votes(best) > 0
    if votes.sum() < _LEAST_SAMPLES or np.hypot(*best) > params.search_m + _STEP_M:
        return Offset(samples=len(votes))
    east, north = (round(float(value), 3) + 0.0 for value in best)
    return Offset(east, north, float(votes.mean()), len(votes), found=True)


def _pairs_of(laid: LaidLines, others: LaidLines, params: DiffParams) -> _Pairs:
    total = laid.start_m[-1]
    spacing = max(total / _SAMPLES, _SPACING_M)
    at = np.arange(spacing / 2, total, spacing) if len(others.segments) else np.empty(0)
    piece = laid.pieces_at(at)
    places = laid.points_at(at, piece)
    own, near = pairs_alike(places, laid.ways[piece], others, params.search_m + _VOTE_M, params.angle_deg)
    start, end = others.segments.start[near], others.segments.end[near]
    line = end - start
    length = np.hypot(*line.T)
    along = line / length[:, None]
    normal = np.column_stack((-along[:, 1], along[:, 0]))
    to = places[own] - start
    counts = np.bincount(own, minlength=0)
    return _Pairs(
        normal=normal,
        along=along,
        across_m=-(to * normal).sum(axis=1),
        reach_m=(to * along).sum(axis=1),
        length_m=length,
        offsets=offsets_of(counts[counts > 0]),
    )


def _merit(pairs: _Pairs, shift: Points, search_m: float) -> float:
    loss = _NEAR_ZERO * float(np.hypot(*shift)) / max(search_m, _STEP_M)
    return float(pairs.votes(shift).sum()) * (1 - loss)


def _starts(pairs: _Pairs, search_m: float) -> list[Points]:
    """The shifts on the lattice with the most votes, none of them close to a better one."""
    steps = np.arange(-int(search_m / _STEP_M), int(search_m / _STEP_M) + 1) * _STEP_M
    lattice = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    lattice = lattice[np.hypot(*lattice.T) <= search_m]
    merit = np.array([_merit(pairs, shift, search_m) for shift in lattice])
    starts: list[Points] = []
    for number in np.argsort(-merit, kind="stable"):
        if all(np.hypot(*(lattice[number] - other)) > _APART_M for other in starts):
            starts.append(lattice[number])
        if len(starts) == _STARTS:
            break
    return starts


def _refined(pairs: _Pairs, start: Points) -> Points:
    """The shift near a start that fits best by reweighted least squares over the normals."""
    shift = np.array(start, dtype=np.float64)
    for width in _WIDTHS_M:
        residual = pairs.residuals(shift)
        best = _best_of_each(np.abs(residual), pairs.offsets)
        best = best[np.abs(residual[best]) < width]
        weight = (1 - (residual[best] / width) ** 2) ** 2
        normal = pairs.normal[best]
        matrix = (weight[:, None] * normal).T @ normal
        right = (weight * residual[best]) @ normal
        shift = shift + np.linalg.pinv(matrix, rcond=_WEAK, hermitian=True) @ right
    return shift


def _best_of_each(size: Numbers, offsets: Indices) -> NDArray[np.int64]:
    """The row of the smallest value of each list."""
    least = np.minimum.reduceat(size, offsets[:-1])
    is_least = np.flatnonzero(size == np.repeat(least, np.diff(offsets)))
    owner = np.searchsorted(offsets, is_least, side="right") - 1
    return is_least[np.flatnonzero(np.diff(owner, prepend=-1))]
