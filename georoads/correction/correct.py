"""Edits put into a network.

1. A deleted line is the line of the layer that lies where it lies (``MATCH_M``); one that is not there is an
   error, since the page was then made of another layer.
2. The ends of a drawn line are led to the nearest end of a line, else onto the nearest line, within
   ``SNAP_M``; a line that is met between its ends is cut there.
3. Where a drawn line runs along another one (within ``SNAP_M``, over ``ALONG_M`` or more), that one is the
   road: only the rest is drawn. Where it crosses another one both are cut, so that no two lines cross without
   a node.
4. Where only two lines meet now, because of an edit, they become one.
5. A drawn line has the width of the roads that it joins, and the p of its edit.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.ops import substring

from georoads.correction.edits import EditKind, Edits
from georoads.correction.pieces import (
    VALUES,
    Cut,
    Piece,
    Place,
    Spot,
    cut_piece,
    join_pieces,
    without_doubles,
)
from georoads.errors import LayerError
from georoads.network.types import Carriageway
from georoads.output.read import RoadLines
from georoads.scoring.segments import local_crs, project_points, unproject_points
from georoads.view.layer import USUAL_WIDTH_M

MATCH_M = 0.5
"""A deleted line may lie so far from the line that is meant, at any of its points."""
SNAP_M = 2.0
"""Ends of drawn lines are led to what lies so near."""
ALONG_M = 10.0
"""What is drawn over so much of a line is that line."""
_SAME_M = 1e-6


@dataclass(frozen=True)
class Corrected:
    """What became of a layer.

    Attributes:
        pieces: the lines.
        plane: CRS of their plane.
        deleted, added: numbers of the edits that were done.
        joined: ends of drawn lines that meet a road.
        before_m: metres of the layer before.
    """

    pieces: tuple[Piece, ...]
    plane: str
    deleted: int
    added: int
    joined: int
    before_m: float


def correct(roads: RoadLines, edits: Edits) -> Corrected:
    """The lines of a layer after the edits.

    Args:
        roads: the layer, with its attributes.
        edits: what is to be done.

    Raises:
        LayerError: a deleted line is not in the layer; a layer cannot be projected.
    """
    plane = local_crs((roads, edits.lines))
    pieces = _pieces_of(roads, plane)
    is_deleted = _find_deleted(pieces, _in_plane(edits.of(EditKind.DELETE), plane), roads.name)
    kept, gone = ([pieces[row] for row in np.flatnonzero(rows)] for rows in (~is_deleted, is_deleted))
    touched = {piece.end(side).spot for piece in gone for side in (0, 1)}
    draft = _Draft(kept, roads, plane)
    drawn = edits.of(EditKind.ADD)
    p = edits.confidence[edits.kinds == EditKind.ADD]
    for at, confidence in zip(_in_plane(drawn, plane), p, strict=True):
        draft.draw(at, float(confidence))
    cut = draft.cut()
    touched |= draft.touched
    return Corrected(
        pieces=tuple(join_pieces(cut, touched)),
        plane=plane,
        deleted=int(is_deleted.sum()),
        added=len(drawn.lines),
        joined=draft.joined,
        before_m=sum(piece.length_m for piece in pieces),
    )


def _pieces_of(roads: RoadLines, plane: str) -> list[Piece]:
    """The lines of a layer; what it does not say of them is not known."""
    n = len(roads.lines)
    values = {name: _floats(roads.columns.get(name), n) for name in VALUES}
    labels = {side.label: side for side in Carriageway}
    sides = roads.columns.get("carriageway", np.full(n, None, dtype=object))
    pieces = []
    for row, (line, at) in enumerate(zip(roads.lines, _in_plane(roads, plane), strict=True)):
        said = {name: float(column[row]) for name, column in values.items()}
        side = labels.get(sides[row], Carriageway.UNTOLD)
        pieces.append(Piece(shapely.get_coordinates(line), at, said, side))
    return pieces


def _floats(column: NDArray[np.generic] | None, n: int) -> NDArray[np.float64]:
    if column is None or column.dtype.kind not in "fiu":
        return np.full(n, np.nan)
    return column.astype(np.float64)


def _in_plane(layer: RoadLines, plane: str) -> list[NDArray[np.float64]]:
    """(K, 2) metres of each line."""
    points, owner = shapely.get_coordinates(layer.lines, return_index=True)
    moved = project_points(points, layer, plane)
    return np.split(moved, np.flatnonzero(np.diff(owner)) + 1) if len(points) else []


def _find_deleted(pieces: list[Piece], deleted: list[NDArray[np.float64]], name: str) -> NDArray[np.bool_]:
    """(N,) bool: which pieces lie where a deleted line lies."""
    found = np.zeros(len(pieces), dtype=bool)
    lines = np.array([shapely.LineString(piece.at) for piece in pieces], dtype=object)
    tree = shapely.STRtree(lines)
    for number, at in enumerate(deleted, 1):
        line = shapely.LineString(at)
        near = tree.query(line, predicate="dwithin", distance=MATCH_M)
        apart = shapely.hausdorff_distance(lines[near], line)
        fits = near[(apart <= MATCH_M) & ~found[near]]
        if not len(fits):
            raise LayerError(
                f"deleted line {number} is not in {name}",
                "the edits belong to another layer, or have been applied before: make a new page with "
                "georoads view",
            )
        found[fits[np.argmin(shapely.hausdorff_distance(lines[fits], line))]] = True
    return found


class _Draft:
    """A network while lines are drawn into it."""

    def __init__(self, pieces: list[Piece], roads: RoadLines, plane: str) -> None:
        self.pieces = list(pieces)
        self.touched: set[Spot] = set()
        self.joined = 0
        self._roads, self._plane = roads, plane
        self._cuts: dict[int, list[Cut]] = defaultdict(list)
        self._lines = [shapely.LineString(piece.at) for piece in pieces]
        self._tree = shapely.STRtree(self._lines)
        self._in_tree = len(pieces)

    def draw(self, at: NDArray[np.float64], confidence: float) -> None:
        """Add what of a line of points (K, 2) in the plane is no line yet."""
        line = shapely.LineString(at)
        for begin, stop in self._beside(line):
            part = substring(line, begin, stop)
            if part.length > 0:
                self._draw(shapely.get_coordinates(part), confidence)

    def _beside(self, line: shapely.LineString) -> list[tuple[float, float]]:
        """From where to where, in metres, a line does not run along another one."""
        near = [self._lines[i] for i in self._near(line, SNAP_M)]
        met = shapely.intersection(line, shapely.buffer(shapely.union_all(near), SNAP_M))
        along = [part for part in shapely.get_parts(met) if part.length >= ALONG_M]
        ends = [sorted(line.project(shapely.Point(part.coords[i])) for i in (0, -1)) for part in along]
        stops = [0.0, *(metres for pair in sorted(ends) for metres in pair), line.length]
        return [(a, b) for a, b in zip(stops[::2], stops[1::2], strict=True) if b - a > SNAP_M]

    def _draw(self, at: NDArray[np.float64], confidence: float) -> None:
        said = {"confidence": confidence, "confidence_p05": confidence, "bridged_m": 0.0}
        piece = Piece(unproject_points(at, self._roads, self._plane), at, said, is_drawn=True)
        widths = []
        for side in (0, 1):
            met = self._meet(piece.end(side))
            if met is not None:
                place, other = met
                piece = piece.with_end(side, place)
                widths.append(self.pieces[other].values.get("width_m", np.nan))
                self.joined += 1
            self.touched.add(piece.end(side).spot)
        known = [width for width in widths if width > 0]
        piece.values["width_m"] = float(np.mean(known)) if known else USUAL_WIDTH_M
        self._cross(piece, len(self.pieces))
        self.pieces.append(piece)
        self._lines.append(shapely.LineString(piece.at))

    def cut(self) -> list[Piece]:
        """All lines, cut where others meet or cross them."""
        parts = [
            part for number, piece in enumerate(self.pieces) for part in cut_piece(piece, self._cuts[number])
        ]
        return without_doubles(self._cut_rest(without_doubles(parts)))

    def _cut_rest(self, pieces: list[Piece]) -> list[Piece]:
        """Cut what still crosses a drawn line: that one may have been led elsewhere to meet a node."""
        lines = [shapely.LineString(piece.at) for piece in pieces]
        drawn = [number for number, piece in enumerate(pieces) if piece.is_drawn]
        if not drawn:
            return pieces
        cuts: dict[int, dict[Spot, Cut]] = defaultdict(dict)
        for row, other in shapely.STRtree(lines).query([lines[i] for i in drawn], predicate="intersects").T:
            pair = drawn[row], int(other)
            if pair[0] == pair[1]:
                continue
            for at in shapely.get_coordinates(shapely.intersection(lines[pair[0]], lines[pair[1]])):
                place = self._nearest_end([pieces[i] for i in pair], at) or self._place_at(at)
                for i in pair:
                    along = _along(pieces[i].at, lines[i].project(shapely.Point(at)))
                    cuts[i].setdefault(place.spot, Cut(along, place))
        return [part for i, piece in enumerate(pieces) for part in cut_piece(piece, cuts[i].values())]

    def _nearest_end(self, pieces: list[Piece], at: NDArray[np.float64]) -> Place | None:
        """The end of one of the pieces that is at a point."""
        ends = [piece.end(side) for piece in pieces for side in (0, 1)]
        return next((end for end in ends if np.hypot(*(end.at - at)) < _SAME_M), None)

    def _place_at(self, at: NDArray[np.float64]) -> Place:
        return Place(unproject_points(at[None], self._roads, self._plane)[0], at)

    def _near(self, shape: shapely.Geometry, distance_m: float) -> list[int]:
        """Numbers of the lines within a distance of a shape."""
        found = [int(i) for i in self._tree.query(shape, predicate="dwithin", distance=distance_m)]
        drawn = range(self._in_tree, len(self._lines))
        return sorted(found) + [i for i in drawn if shapely.dwithin(self._lines[i], shape, distance_m)]

    def _meet(self, end: Place) -> tuple[Place, int] | None:
        """What the end of a drawn line is led to, and the number of that line; None where nothing is near."""
        point = shapely.Point(end.at)
        reach = SNAP_M + 1e-6  # what runs beside a line ends just so far from it
        near = self._near(point, reach)
        ends = [(self.pieces[i].end(side), i) for i in near for side in (0, 1)]
        ends = [(place, i) for place, i in ends if np.hypot(*(place.at - end.at)) <= reach]
        if ends:
            return min(ends, key=lambda found: float(np.hypot(*(found[0].at - end.at))))
        if not near:
            return None
        nearest = min(near, key=lambda i: float(shapely.distance(self._lines[i], point)))
        place, cut = self._place_on(nearest, point)
        self._cuts[nearest].append(cut)
        return place, nearest

    def _place_on(self, number: int, point: shapely.Point) -> tuple[Place, Cut]:
        """The place on a line nearest to a point, or a cut that is there already, and the cut."""
        line = self._lines[number]
        metres = line.project(point)
        for cut in self._cuts[number]:
            if np.hypot(*(cut.place.at - np.array(point.coords[0]))) <= SNAP_M:
                return cut.place, cut
        at = np.array(line.interpolate(metres).coords[0])
        place = self._place_at(at)
        return place, Cut(_along(self.pieces[number].at, metres), place)

    def _cross(self, piece: Piece, number: int) -> None:
        """Cut a drawn line and those that it crosses, where they cross."""
        line = shapely.LineString(piece.at)
        ends = [piece.end(side) for side in (0, 1)]
        for other in self._near(line, 0.0):
            shared = shapely.intersection(line, self._lines[other])
            # Of a stretch that both have, its ends.
            for x, y in shapely.get_coordinates(shared):
                at = np.array([x, y])
                own = [end for end in ends if np.hypot(*(end.at - at)) <= SNAP_M]
                theirs = [self.pieces[other].end(side) for side in (0, 1)]
                met = [end for end in theirs if np.hypot(*(end.at - at)) <= SNAP_M]
                if own and (met or self._is_cut_at(other, own[0])):
                    continue  # that is where it begins or ends
                place = met[0] if met else self._place_on(other, shapely.Point(at))[0]
                self._cuts[number].append(Cut(_along(piece.at, line.project(shapely.Point(at))), place))
                if not met:
                    along = _along(self.pieces[other].at, self._lines[other].project(shapely.Point(at)))
                    self._cuts[other].append(Cut(along, place))

    def _is_cut_at(self, number: int, place: Place) -> bool:
        return any(cut.place.spot == place.spot for cut in self._cuts[number])


def _along(at: NDArray[np.float64], metres: float) -> float:
    """A distance along a line of points (K, 2), counted in segments."""
    reached = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(at, axis=0).T))))
    # Points that repeat the one before have no length: the first of them counts.
    keep = np.concatenate(([True], np.diff(reached) > 0))
    return float(np.interp(metres, reached[keep], np.flatnonzero(keep)))
