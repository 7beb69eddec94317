"""What is new, missing, moved or the same between two road layers.

1. Both layers are brought to one metric plane. The offset between them is estimated, and ROADS laid onto
   REFERENCE by it (``offset``).
2. A road is matched where a line of the other layer lies within a distance and runs alike. Short gaps and
   short matches do not divide a stretch; what hangs together for less than a minimum length is a crumb.
3. What of ROADS is not matched is new, what of REFERENCE is not matched and was seen (``seen``) is missing.
   What is matched, but only from farther than a tolerance, was moved.
4. Loose ends of new roads are led to the reference (``snap``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.difference.nearby import Indices, Numbers, nearest_alike
from georoads.difference.networks import without_crumbs
from georoads.difference.offset import Offset, find_offset
from georoads.difference.params import DiffParams
from georoads.difference.seen import Seen, SeenHull, cut_to_seen
from georoads.difference.snap import snapped
from georoads.grid import Points
from georoads.output.changes_layer import ChangeKind
from georoads.output.read import RoadLines
from georoads.ragged import offsets_of, owners, ranks
from georoads.scoring.segments import Segments, local_crs, to_segments
from georoads.scoring.stretches import LaidLines, Stretches

_PARTNER_STEP_M = 10.0
"""Along a stretch its partner is looked for in steps of this."""

FindSeen = Callable[[str, Points], Seen]
"""Given the plane, and the shift (2,) that laid ROADS onto REFERENCE: where was something seen?"""


@dataclass(frozen=True)
class Changes:
    """Stretches of road and what became of them, in the plane.

    Attributes:
        kind: (N,) ChangeKind.
        lines: (N,) shapely LineStrings, as REFERENCE lies.
        road, partner: (N,) int64, the rows of ROADS and of REFERENCE; -1 where there is none.
        distance_m: (N,) float64, mean distance of the two; NaN where there are not both.
        p: (N,) float64, the mean of p along what is missing; NaN elsewhere, and where no raster says it.
    """

    kind: NDArray[np.object_]
    lines: NDArray[np.object_]
    road: Indices
    partner: Indices
    distance_m: Numbers
    p: Numbers

    @classmethod
    def of(cls, kind: ChangeKind, lines: NDArray[np.object_], **known: NDArray[Any]) -> Changes:
        """Stretches of one kind.

        Args:
            kind: of all of them.
            lines: as in the class.
            known: attributes of the class; those that are not named are nowhere.
        """
        n = len(lines)
        kinds = np.full(n, kind, dtype=np.object_)
        nowhere, unknown = np.full(n, -1, dtype=np.int64), np.full(n, np.nan)
        found = {"road": nowhere, "partner": nowhere, "distance_m": unknown, "p": unknown} | known
        return cls(kinds, lines, **found)

    @classmethod
    def joined(cls, parts: Sequence[Changes]) -> Changes:
        """All stretches of several, in their order."""
        names = [field.name for field in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @property
    def length_m(self) -> Numbers:
        """(N,) float64, metres."""
        return np.asarray(shapely.length(self.lines), dtype=np.float64)


@dataclass(frozen=True)
class Comparison:
    """Two road layers, compared.

    Attributes:
        changes: what differs, and where it was asked for what does not.
        offset: between the layers.
        crs: of the plane.
        same_m: metres of ROADS that have not changed.
    """

    changes: Changes
    offset: Offset
    crs: str
    same_m: float


def compare(
    roads: RoadLines,
    reference: RoadLines,
    params: DiffParams,
    find_seen: FindSeen | None = None,
) -> Comparison:
    """Compare two road layers.

    Args:
        roads: those that were extracted, or the newer ones.
        reference: a map, or the older ones.
        params: how.
        find_seen: where ROADS' scene was seen; None: inside the convex hull of ROADS.

    Raises:
        LayerError: a layer cannot be projected.
        GeoroadsError: the probability raster cannot be read.
    """
    crs = local_crs((roads, reference))
    theirs, ours = LaidLines(to_segments(reference, crs)), LaidLines(to_segments(roads, crs))
    offset = find_offset(ours, theirs, params) if params.align else Offset()
    start, end = (points + offset.shift for points in (ours.segments.start, ours.segments.end))
    ours = LaidLines(Segments(start, end, ours.segments.line))
    seen = SeenHull.of(ours.segments) if find_seen is None else find_seen(crs, offset.shift)
    # Lines without a length are no segments, and not counted there.
    road, partner = (np.flatnonzero(shapely.length(layer.lines) > 0) for layer in (roads, reference))
    new = _unmatched(ours, theirs, params)
    moved = _moved(ours, new, theirs, params)
    unchanged = ours.rest(new.united(moved))
    missing, p = _missing(theirs, ours, seen, params)
    parts = [
        Changes.of(ChangeKind.NEW, snapped(ours, new, theirs, params), road=road[new.line]),
        Changes.of(
            ChangeKind.MISSING, theirs.cut(missing), partner=partner[missing.line],
            p=p if seen.has_p else np.full(len(p), np.nan),
        ),
    ]  # fmt: skip
    matched = {ChangeKind.MOVED: moved} | ({ChangeKind.SAME: unchanged} if params.same else {})
    for kind, stretches in matched.items():
        other, distance_m = _partners(ours, stretches, theirs, params)
        found = {"road": road[stretches.line], "partner": np.append(partner, -1)[other]}
        parts.append(Changes.of(kind, ours.cut(stretches), distance_m=distance_m, **found))
    return Comparison(Changes.joined(parts), offset, crs, float(unchanged.length_m.sum()))


def _unmatched(laid: LaidLines, others: LaidLines, params: DiffParams) -> Stretches:
    """Stretches of lines that are in no other line's place."""
    apart = _beyond(laid, others, params.match_m, params)
    return apart.kept(without_crumbs(laid, apart, params.min_length_m))


def _beyond(laid: LaidLines, others: LaidLines, distance_m: float, params: DiffParams) -> Stretches:
    """Stretches that lie farther from other lines, but for short ones between such that do not."""
    near = laid.covered(others, distance_m, params.angle_deg).closed(params.close_m)
    return laid.rest(laid.without_short(near, params.close_m))


def _moved(laid: LaidLines, new: Stretches, others: LaidLines, params: DiffParams) -> Stretches:
    """Stretches that are matched from farther than the tolerance."""
    if params.moved_m >= params.match_m:
        return new.kept(np.zeros(len(new), dtype=bool))
    far = _beyond(laid, others, params.moved_m, params)
    moved = laid.rest(laid.rest(far).united(new))
    return moved.kept(without_crumbs(laid, moved, params.min_length_m))


def _missing(laid: LaidLines, others: LaidLines, seen: Seen, params: DiffParams) -> tuple[Stretches, Numbers]:
    """Stretches of REFERENCE that are in no other line's place, where something was seen; p along them."""
    apart, p = cut_to_seen(laid, _unmatched(laid, others, params), seen)
    keep = without_crumbs(laid, apart, params.min_length_m)
    return apart.kept(keep), p[keep]


def _partners(
    laid: LaidLines, stretches: Stretches, others: LaidLines, params: DiffParams
) -> tuple[Indices, Numbers]:
    """Of each stretch the line that it lies beside most often (-1: none), and its mean distance in metres."""
    counts = np.maximum(np.ceil(stretches.length_m / _PARTNER_STEP_M), 1).astype(np.int64)
    owner = owners(offsets_of(counts))
    at = stretches.low_m[owner] + (ranks(counts) + 0.5) * (stretches.length_m / counts)[owner]
    piece = laid.pieces_at(at)
    beside = nearest_alike(
        laid.points_at(at, piece), laid.ways[piece], others, params.match_m, params.angle_deg
    )
    found = beside.segment >= 0
    owner, line = owner[found], others.segments.line[beside.segment[found]]
    total = np.bincount(owner, beside.distance_m[found], minlength=len(stretches))
    times = np.bincount(owner, minlength=len(stretches))
    with np.errstate(invalid="ignore"):
        distance_m = total / times
    pairs, often = np.unique(np.column_stack((owner, line)), axis=0, return_counts=True)
    order = np.lexsort((-often, pairs[:, 0]))
    first = order[np.flatnonzero(np.diff(pairs[order, 0], prepend=-1))]
    partner = np.full(len(stretches), -1, dtype=np.int64)
    partner[pairs[first, 0]] = pairs[first, 1]
    return partner, distance_m
