"""A layer of lines as a map shows it: in metres, with classes of colour and with its attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import CrsError
from georoads.errors import LayerError
from georoads.grid import Points
from georoads.output.changes_layer import CHANGE_LOOK
from georoads.output.errors_layer import LOOK
from georoads.output.style import CLASSES
from georoads.output.vector_files import LINES, Features, read_features
from georoads.output.widths import widths_of
from georoads.ragged import offsets_of
from georoads.text import printable
from georoads.view.plane import Bounds, Plane, box_of, plane_around

MAX_POINTS = 10_000_000
"""A browser does not handle layers of more points well."""
USUAL_WIDTH_M = 4.0
"""Lines whose width is not known are drawn so wide, as in the style for QGIS."""
_UNKNOWN = "#b8c2cc"
"""Colour of lines without a confidence, where others have one."""
_PLAIN = "#fdbc2c"
"""Colour of lines of a layer that says neither confidence nor kind."""
BY_KIND: dict[str, Mapping[str, tuple[str, str, str]]] = {
    "Errors": {kind.value: look for kind, look in LOOK.items()},
    "Changes": {kind.value: look for kind, look in CHANGE_LOOK.items()},
}
"""What layers with a field ``kind`` tell, and the looks of its values, as ``style.kinds_qml`` takes them."""
_THIN_BELOW_MM = 1.0


@dataclass(frozen=True)
class MapSize:
    """What a map holds.

    Attributes:
        lines: number of lines.
        length_m: their length.
        file_bytes: of the file that was written.
        notes: what a user should know of how the layer was read.
    """

    lines: int
    length_m: float
    file_bytes: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineClass:
    """Lines that look alike.

    Attributes:
        label: for the legend.
        colour: as #rrggbb.
        least_px: the line is never drawn thinner, in pixels of a screen.
        is_dashed: True for a broken line.
    """

    label: str
    colour: str
    least_px: float = 2.0
    is_dashed: bool = False


@dataclass(frozen=True)
class MapLayer:
    """Lines ready to be drawn.

    Attributes:
        name: of the file.
        layer: name of the layer in the file, or "".
        crs: of the file's coordinates.
        box: west, south, east, north in that CRS; None where there is no line.
        plane: of the coordinates here.
        points: (P, 2) float64 metres, those of all lines, one after the other.
        offsets: (N + 1,) int64; line i has the points offsets[i] to offsets[i + 1].
        rows: (N,) int64, the row of the layer that each line is a part of.
        width_m: (N,) float64; 0 for lines that are as thin as can be seen.
        class_of: (N,) uint8, number of the class of each line.
        classes: from the least to the most important, which is drawn last.
        subject: what the classes tell, for the legend.
        columns: the attributes by name, one value per row.
        notes: what a user should know of how it was read.
    """

    name: str
    layer: str
    crs: str
    box: Bounds | None
    plane: Plane
    points: Points
    offsets: NDArray[np.int64]
    rows: NDArray[np.int64]
    width_m: NDArray[np.float64]
    class_of: NDArray[np.uint8]
    classes: tuple[LineClass, ...]
    subject: str
    columns: dict[str, NDArray[Any]]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.offsets) - 1
        if any(len(a) != n for a in (self.rows, self.width_m, self.class_of)):
            raise ValueError(f"{self.name}: arrays of {n} lines differ in length")
        if int(self.offsets[-1]) != len(self.points):
            raise ValueError(f"{self.name}: offsets do not fit the points")

    @property
    def n_lines(self) -> int:
        """Number of lines."""
        return len(self.rows)

    @property
    def bounds(self) -> Bounds | None:
        """The box around the lines in the plane; None where there is no line."""
        return box_of(self.points) if len(self.points) else None

    @property
    def length_m(self) -> NDArray[np.float64]:
        """(N,) float64 metres in the plane."""
        # The length up to each point, all lines end to end; what lies between two lines counts nothing.
        steps = np.hypot(*np.diff(self.points, axis=0, prepend=self.points[:1]).T)
        steps[self.offsets[:-1]] = 0.0
        total = np.concatenate(([0.0], np.cumsum(steps)))
        return total[self.offsets[1:]] - total[self.offsets[:-1]]

    @property
    def line_ends(self) -> NDArray[np.uint8]:
        """(N, 2) uint8 of the first and last point of each line: 1 where it ends, 2 where roads meet, 0 where
        it goes on as another one.

        Roads meet where three ends do; a line that passes a place counts twice there.
        """
        first, last = self.offsets[:-1], self.offsets[1:] - 1
        count = np.full(len(self.points), 2)
        count[first] = count[last] = 1
        # Points within a centimetre are one place; how many ends of lines each place has.
        _, place = np.unique(np.rint(self.points * 100).astype(np.int64), axis=0, return_inverse=True)
        place = place.reshape(-1)
        met = np.bincount(place, weights=count)[place]
        ends = met[np.column_stack((first, last))]
        return np.select([ends == 1, ends > 2], [1, 2], 0).astype(np.uint8)


def read_layer(
    path: Path, layer: str | None = None, plane: Plane | None = None, most_points: float = MAX_POINTS
) -> MapLayer:
    """Read any layer of lines that ``read_features`` reads, with all its attributes.

    Args:
        path: the file.
        layer: None for the only layer of lines, or the one called ``roads``.
        plane: the plane of an empty layer; others get one around their middle.
        most_points: layers of more are refused.

    Raises:
        LayerError: as ``read_features``; coordinates are no numbers or cannot be placed on the Earth;
            there are too many.
    """
    found = read_features(path, layer, LINES, lambda fields: fields)
    lines, rows = shapely.get_parts(found.geometry, return_index=True)
    points, of_line = shapely.get_coordinates(lines, return_index=True)
    _check_size(found, len(points), most_points)
    # Parts without a point are left out.
    counts = np.bincount(of_line, minlength=len(lines)) if len(lines) else np.zeros(0, dtype=np.int64)
    rows = rows[counts > 0].astype(np.int64)
    box = None
    if len(points):
        box = box_of(points)
        try:
            plane = plane_around(points[np.isfinite(points).all(axis=1)], found.crs)
        except CrsError as e:
            raise LayerError(f"{found.where} cannot be drawn: {e.message}", e.hint) from e
        points = plane.project(points, found.crs)
        if not np.isfinite(points).all():
            bad = len(np.unique(of_line[~np.isfinite(points).all(axis=1)]))
            raise LayerError(
                f"{found.where}: {bad} lines have coordinates that are no numbers or beyond their CRS",
                "redraw them, or assign another CRS",
            )
    columns = {name: c for name, c in found.columns.items() if not _is_geometry(c)}
    look = _classify(columns, len(found.geometry))
    return MapLayer(
        name=printable(path.name),
        layer=found.layer,
        crs=found.crs,
        box=box,
        plane=plane or Plane(0.0, 0.0),
        points=points,
        offsets=offsets_of(counts[counts > 0]),
        rows=rows,
        width_m=_line_widths(found, look.subject)[rows],
        class_of=look.of_row[rows],
        classes=look.classes,
        subject=look.subject,
        columns=columns,
        notes=found.notes,
    )


def _check_size(found: Features, points: int, most_points: float) -> None:
    """Refuse a layer of more points than a page can show."""
    if points > most_points:
        raise LayerError(
            f"{found.where} has {points:,} points; {most_points:,} can be shown",
            "cut it to an area, or write a QGIS project (.qgz)",
        )


def _is_geometry(column: NDArray[Any]) -> bool:
    """GeoParquet lists the geometries among the columns."""
    return column.dtype == object and any(isinstance(v, shapely.Geometry) for v in column)


def _line_widths(found: Features, subject: str) -> NDArray[np.float64]:
    """(N,) float64 metres, the width of each row; 0 where kinds are told, as thin as can be seen."""
    n = len(found.geometry)
    if subject in BY_KIND:
        return np.zeros(n)
    widths = widths_of(found.columns, n)
    return np.where(np.isnan(widths), USUAL_WIDTH_M, widths)


@dataclass(frozen=True)
class _Classification:
    """What the classes of a layer tell, the classes, and (N,) uint8, the number of the class of each row."""

    subject: str
    classes: tuple[LineClass, ...]
    of_row: NDArray[np.uint8]


def _classify(columns: dict[str, NDArray[Any]], n: int) -> _Classification:
    """The classes of ``n`` rows: by kind, by confidence, or one for all."""
    kinds = columns.get("kind")
    for subject, looks in BY_KIND.items():
        order = list(looks)
        if kinds is None or "length_m" not in columns or not all(kind in order for kind in kinds):
            continue
        classes = tuple(
            LineClass(kind, hex_of(colour), 2.0 if float(mm) < _THIN_BELOW_MM else 3.0, pattern == "dash")
            for kind, (colour, pattern, mm) in looks.items()
        )
        of_row = np.array([order.index(kind) for kind in kinds], dtype=np.uint8)
        return _Classification(subject, classes, of_row)
    p = columns.get("confidence")
    if p is not None and p.dtype.kind == "f" and not ((p < 0) | (p > 1)).any():
        return _classify_confidence(p)
    return _Classification("Lines", (LineClass("all alike", _PLAIN),), np.zeros(n, dtype=np.uint8))


def _classify_confidence(p: NDArray[Any]) -> _Classification:
    classes = tuple(LineClass(f"{low:.2f} – {high:.2f}", hex_of(colour)) for low, high, colour in CLASSES)
    of_row = np.searchsorted([high for _, high, _ in CLASSES], p).astype(np.uint8)
    if np.isnan(p).any():
        of_row = np.where(np.isnan(p), 0, of_row + 1).astype(np.uint8)
        classes = (LineClass("not stated", _UNKNOWN), *classes)
    return _Classification("Confidence", classes, of_row)


def hex_of(rgba: str) -> str:
    """#rrggbb of QGIS's R,G,B,A."""
    return "#{:02x}{:02x}{:02x}".format(*map(int, rgba.split(",")[:3]))
