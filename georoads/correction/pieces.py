"""Lines that are cut and joined, with what is said of each of them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import shapely

from georoads.grid import Points
from georoads.network.types import Carriageway

Spot = tuple[float, float]
"""A place in the layer's CRS. Lines meet where they end at the same spot."""
_SAME_M = 0.01
MEANS = ("width_m", "width_std_m", "confidence")
"""What a line that is joined of two has the mean of, by length."""
VALUES = (*MEANS, "confidence_p05", "bridged_m")
"""What is said of a line in numbers."""


@dataclass(frozen=True)
class Place:
    """A place where lines meet: in the layer's CRS, and in metres of the plane."""

    xy: Points
    at: Points

    @property
    def spot(self) -> Spot:
        """What tells it from others."""
        return float(self.xy[0]), float(self.xy[1])


@dataclass(frozen=True)
class Piece:
    """A line of the network.

    Attributes:
        xy: (K, 2) float64 in the layer's CRS, K > 1.
        at: (K, 2) float64, the same points in metres of the plane.
        values: by the names of ``VALUES``; NaN where nothing is known.
        carriageway: in the line's direction.
        is_drawn: by hand, as an edit.
    """

    xy: Points
    at: Points
    values: dict[str, float] = field(default_factory=dict)
    carriageway: Carriageway = Carriageway.UNTOLD
    is_drawn: bool = False

    @property
    def length_m(self) -> float:
        """In the plane."""
        return float(np.hypot(*np.diff(self.at, axis=0).T).sum())

    def end(self, side: int) -> Place:
        """Its first place (0) or its last one (1)."""
        return Place(self.xy[-side], self.at[-side])

    def reversed(self) -> Piece:
        """The same line in the other direction."""
        sides = {Carriageway.LEFT: Carriageway.RIGHT, Carriageway.RIGHT: Carriageway.LEFT}
        turned = sides.get(self.carriageway, self.carriageway)
        return dataclasses.replace(self, xy=self.xy[::-1], at=self.at[::-1], carriageway=turned)

    def with_end(self, side: int, place: Place) -> Piece:
        """The same line, led to another place at one of its ends."""
        xy, at = self.xy.copy(), self.at.copy()
        xy[-side], at[-side] = place.xy, place.at
        return dataclasses.replace(self, xy=xy, at=at)


@dataclass(frozen=True)
class Cut:
    """Where a line is cut: counted in its segments, and the place at which both parts then end."""

    along: float
    place: Place


def cut_piece(piece: Piece, cuts: Iterable[Cut]) -> list[Piece]:
    """The parts of a line, in its direction; what was bridged is shared by length."""
    last = float(len(piece.xy) - 1)
    inner = sorted((cut for cut in cuts if 0 < cut.along < last), key=lambda cut: cut.along)
    if not inner:  # nearly all lines of a large layer
        return [_with_share(piece, 1.0)]
    stops = [Cut(0.0, piece.end(0)), *inner, Cut(last, piece.end(1))]
    parts = []
    for begin, stop in pairwise(stops):
        if begin.place.spot == stop.place.spot and stop.along - begin.along < 1:
            continue  # two cuts at one place
        between = slice(int(begin.along) + 1, int(np.ceil(stop.along)))
        xy = np.vstack((begin.place.xy, piece.xy[between], stop.place.xy))
        at = np.vstack((begin.place.at, piece.at[between], stop.place.at))
        parts.append(dataclasses.replace(piece, xy=xy, at=at))
    whole = piece.length_m
    return [_with_share(part, part.length_m / whole if whole else 1.0) for part in parts]


def _with_share(piece: Piece, share: float) -> Piece:
    bridged = piece.values.get("bridged_m", 0.0) * share
    return dataclasses.replace(piece, values=piece.values | {"bridged_m": bridged})


def without_doubles(pieces: Sequence[Piece]) -> list[Piece]:
    """The first of lines that lie upon each other."""
    kept: list[Piece] = []
    between: dict[frozenset[Spot], list[shapely.LineString]] = defaultdict(list)
    for piece in pieces:
        line = shapely.LineString(piece.at)
        others = between[frozenset((piece.end(0).spot, piece.end(1).spot))]
        if all(shapely.hausdorff_distance(line, other) > _SAME_M for other in others):
            others.append(line)
            kept.append(piece)
    return kept


def join_pieces(pieces: Sequence[Piece], spots: set[Spot]) -> list[Piece]:
    """Lines that are the only two to meet at one of the spots become one."""
    lines: dict[int, Piece] = dict(enumerate(pieces))
    ends: dict[Spot, set[tuple[int, int]]] = defaultdict(set)
    for number, piece in lines.items():
        for side in (0, 1):
            ends[piece.end(side).spot].add((number, side))
    for spot in sorted(spots):
        if len(ends.get(spot, ())) != 2:
            continue
        (one, one_side), (other, other_side) = sorted(ends.pop(spot))
        if one == other:
            continue  # a ring
        first = lines[one] if one_side == 1 else lines[one].reversed()
        second = lines.pop(other) if other_side == 0 else lines.pop(other).reversed()
        lines[one] = _join(first, second)
        # The outer ends now belong to the joined line.
        ends[first.end(0).spot].discard((one, 1 - one_side))
        ends[second.end(1).spot].discard((other, 1 - other_side))
        for side in (0, 1):
            ends[lines[one].end(side).spot].add((one, side))
    return list(lines.values())


def _join(first: Piece, second: Piece) -> Piece:
    """One line of two, the second of which begins where the first ends."""
    weights = np.array([first.length_m, second.length_m])
    values = {}
    for name in VALUES:
        pair = np.array([piece.values.get(name, np.nan) for piece in (first, second)])
        known = ~np.isnan(pair)
        if not known.any():
            values[name] = np.nan
        elif name in MEANS:
            values[name] = float(np.average(pair[known], weights=np.maximum(weights[known], 1e-9)))
        else:
            values[name] = float(pair[known].sum() if name == "bridged_m" else pair[known].min())
    same = first.carriageway == second.carriageway
    return Piece(
        xy=np.vstack((first.xy, second.xy[1:])),
        at=np.vstack((first.at, second.at[1:])),
        values=values,
        carriageway=first.carriageway if same else Carriageway.UNTOLD,
    )
