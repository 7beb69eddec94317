"""georoads diff, from files to a file: what is asked for, and what was found."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from georoads.crs import find_way, is_local, parse_crs
from georoads.difference.compare import Comparison, FindSeen, compare
from georoads.difference.offset import Offset
from georoads.difference.params import DiffParams
from georoads.difference.seen import Seen, SeenRaster
from georoads.difference.table import change_table
from georoads.grid import Points, metric_crs, middle_of
from georoads.inference.raster import ProbabilityRaster
from georoads.output.box import Box
from georoads.output.changes_layer import ChangeKind, check_changes_output, write_changes
from georoads.output.formats import IN_DEGREES, driver_of_changes
from georoads.output.frame import frame_of
from georoads.output.one_layer import check_held
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.read import RoadLines, read_roads
from georoads.output.table import Table
from georoads.scoring.segments import project_points, unproject_points
from georoads.text import printable

if TYPE_CHECKING:
    from geopandas import GeoDataFrame

_MARGIN_M = 100.0
"""So far beyond ROADS, or the probability raster, REFERENCE is read."""
_DEGREES = "EPSG:4326"
_CLASSES = "highway", "fclass"
"""Fields that say what kind of road a line of OpenStreetMap is: its own, and that of Geofabrik's files."""


@dataclass(frozen=True)
class DiffRequest:
    """What is to be compared.

    Attributes:
        roads, reference: files of road layers, or lines that were read.
        layer, reference_layer: their layers, where a file has several.
        probability: a probability raster of ROADS' scene; None: there is none.
        params: how.
        output: the layer ``changes`` to write; its suffix chooses the format; None: it is not written.
        overwrite: True when an existing file may be replaced.
        date: of the output; None: that of the youngest file.
    """

    roads: Path | RoadLines
    reference: Path | RoadLines
    layer: str | None = None
    reference_layer: str | None = None
    probability: Path | None = None
    params: DiffParams = field(default_factory=DiffParams)
    output: Path | None = None
    overwrite: bool = False
    date: datetime | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """The files that are read."""
        return tuple(p for p in (self.roads, self.reference, self.probability) if isinstance(p, Path))

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by name; what tasks say only where the output holds tasks."""
        said = asdict(self.params)
        if self.output is None or driver_of_changes(self.output) != "MapRoulette":
            del said["tasks"]
        return said


@dataclass(frozen=True)
class Difference:
    """What differs between two road layers.

    Attributes:
        table: the rows of the layer ``changes``.
        offset: between the layers.
        same_m: metres of ROADS that have not changed, written or not.
        request: what was asked for.
        notes: what a user should know of how it came about.
    """

    table: Table
    offset: Offset
    same_m: float
    request: DiffRequest
    notes: tuple[str, ...]

    @cached_property
    def changes(self) -> GeoDataFrame:
        """The rows of the layer."""
        return frame_of(self.table)

    @property
    def offset_m(self) -> list[float]:
        """Metres to the east and to the north by which REFERENCE lies from ROADS."""
        return [self.offset.east_m, self.offset.north_m]

    def km(self, kind: ChangeKind) -> float:
        """Kilometres of one kind."""
        if kind is ChangeKind.SAME:
            return self.same_m / 1000
        _, kinds, length_m = self.table.columns[:3]
        return float(length_m[kinds == kind.value].sum()) / 1000

    def count(self, kind: ChangeKind) -> int:
        """Rows of one kind."""
        return int((self.table.columns[1] == kind.value).sum())

    def as_dict(self) -> dict[str, Any]:
        """For JSON: kilometres and rows by kind, the offset, ``parameters`` and ``notes``."""
        figures: dict[str, Any] = {f"{kind}_km": round(self.km(kind), 4) for kind in ChangeKind}
        figures |= {kind.value: self.count(kind) for kind in ChangeKind}
        if not self.request.params.same:
            del figures["same"]
        return figures | {
            "offset_m": self.offset_m,
            "offset_found": self.offset.found,
            "offset_agree": round(self.offset.agree, 4),
            "parameters": self.request.parameters,
            "notes": list(self.notes),
        }


def diff(request: DiffRequest) -> Difference:
    """Compare two road layers of files, and write what differs if an output is named.

    Args:
        request: which and how.

    Raises:
        LayerError: a layer cannot be read or projected; as ``write_changes``.
        GeoroadsError: the probability raster cannot be read; as ``write_changes``.
    """
    if request.output is not None:
        check_changes_output(request.output, overwrite=request.overwrite, inputs=request.inputs)
    with nullcontext() if request.probability is None else ProbabilityRaster(request.probability) as raster:
        roads = _read(request.roads, request.layer)
        if request.output is not None:
            check_held(roads.crs, driver_of_changes(request.output))
        area = _area_of(roads, raster)
        reference = _read(request.reference, request.reference_layer, area, flag="--reference-layer")
        found = diff_lines(roads, reference, request, raster)
    if request.output is not None:
        provenance = Provenance(
            parameters=json.dumps(request.parameters | {"offset_m": found.offset_m}),
            scene=" against ".join(of.name for of in (request.roads, request.reference)),
            date=request.date or provenance_date(request.inputs),
        )
        write_changes(
            found.table, request.output, provenance, overwrite=request.overwrite, tasks=request.params.tasks
        )
    return found


def _read(
    roads: Path | RoadLines, layer: str | None, box: Box | None = None, flag: str = "--layer"
) -> RoadLines:
    if isinstance(roads, RoadLines):
        return roads
    return read_roads(roads, layer, with_columns=True, box=box, flag=flag)


def diff_lines(
    roads: RoadLines, reference: RoadLines, request: DiffRequest, raster: ProbabilityRaster | None = None
) -> Difference:
    """Compare two road layers that were read.

    Args:
        roads, reference: the layers, with the attributes that the result shall have.
        request: how; none of its files is read or written.
        raster: the probability raster of ROADS' scene, opened.

    Raises:
        LayerError: a layer cannot be projected.
        GeoroadsError: the raster cannot be read.
    """
    reference, left_out = _only_roads(reference, request.params)
    find_seen = None if raster is None else _seen_in(raster)
    found = compare(roads, reference, request.params, find_seen)
    in_degrees = request.output is not None and driver_of_changes(request.output) in IN_DEGREES
    table = change_table(found.changes, roads, reference, found.crs, _DEGREES if in_degrees else None)
    notes = (
        *roads.notes, *reference.notes, *left_out, *(() if raster is None else raster.messages),
        *_notes_of(roads, reference, found, request, has_raster=raster is not None),
    )  # fmt: skip
    return Difference(table, found.offset, found.same_m, request, notes)


def _only_roads(reference: RoadLines, params: DiffParams) -> tuple[RoadLines, tuple[str, ...]]:
    """REFERENCE without the lines that are no roads by their class, and a note of them."""
    known = {name.lower(): column for name, column in reference.columns.items()}
    classes = next((known[name] for name in _CLASSES if name in known), None)
    if classes is None:
        return reference, ()
    is_road = ~np.isin(classes.astype(str), params.no_roads)
    if is_road.all():
        return reference, ()
    counted = Counter(classes[~is_road].astype(str)).most_common(4)
    some = ", ".join(f"{count:,} {printable(name)}" for name, count in counted)
    note = f"{reference.name}: {int((~is_road).sum()):,} lines are no roads ({some}); see diff.no_roads"
    return reference.kept(is_road), (note,)


def _area_of(roads: RoadLines, raster: ProbabilityRaster | None) -> Box | None:
    """What of REFERENCE is of interest: around ROADS and the raster; None where that cannot be told."""
    lonlat = [] if raster is None else [raster.grid.to_lonlat(raster.grid.corners_px)]
    if len(roads.lines):
        if is_local(parse_crs(roads.crs)):
            return None
        west, south, east, north = shapely.total_bounds(roads.lines)
        corners = np.array([[west, south], [east, south], [west, north], [east, north]])
        lonlat.append(project_points(corners, roads, _DEGREES))
    if not lonlat:
        return None
    places = np.concatenate(lonlat)
    plane = metric_crs(*middle_of(places))
    xy = np.column_stack(find_way(_DEGREES, plane).transform(*places.T))
    (west, south), (east, north) = xy.min(axis=0), xy.max(axis=0)
    margin = _MARGIN_M + 0.01 * max(east - west, north - south)  # the borders bulge in the plane
    return Box((west - margin, south - margin, east + margin, north + margin), plane)


def _seen_in(raster: ProbabilityRaster) -> FindSeen:
    """Where a raster is valid; ROADS lie on it as they lay before they were shifted."""
    layer = RoadLines(np.empty(0, dtype=np.object_), raster.grid.crs, "the probability raster")

    def find_seen(plane: str, shift: Points) -> Seen:
        def to_px(places: Points) -> Points:
            return raster.grid.to_px(unproject_points(places - shift, layer, plane))

        return SeenRaster.of(raster, to_px)

    return find_seen


def _notes_of(
    roads: RoadLines, reference: RoadLines, found: Comparison, request: DiffRequest, *, has_raster: bool
) -> Iterator[str]:
    if not len(roads.lines):
        yield f"{roads.name} holds no road" + ("" if has_raster else ", so none is looked for as missing")
    elif not len(reference.lines):
        yield (
            f"{reference.name} holds no road near {roads.name}: "
            "do both show the same place, and is the CRS of both right?"
        )
    elif request.params.align and not found.offset.found:
        yield "no offset between the layers was found: too few roads agree on one"
    if len(roads.lines) and len(reference.lines) and not has_raster:
        yield "missing roads are looked for inside the hull of ROADS; --probability says where was seen"
