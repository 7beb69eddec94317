"""The layer ``errors``: right, missing and false stretches of road, in a GeoPackage that QGIS opens styled.

It is written as the road layer is: whole or not at all, with style, data dictionary and provenance inside.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from xml.etree.ElementTree import SubElement

import numpy as np
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.jobs.atomic import check_output, printable, replace_when_complete
from georoads.output import geopackage, style, write
from georoads.output.dictionary import Field, Layer
from georoads.output.provenance import Provenance

_KIND_CONSTRAINT = "georoads_error_kind"


class ErrorKind(StrEnum):
    """What a stretch of road is."""

    RIGHT = "right"
    MISSING = "missing"
    FALSE = "false"


KINDS: dict[ErrorKind, str] = {
    ErrorKind.RIGHT: "proposed, and within the buffer of the reference",
    ErrorKind.MISSING: "in the reference, and beyond the buffer of the proposal",
    ErrorKind.FALSE: "proposed, and beyond the buffer of the reference",
}
"""The values of errors.kind."""

ERRORS = Layer(
    "errors",
    "LineString",
    "Right, missing and false roads",
    (
        Field("kind", "text", "", "Kind", "What the stretch is", constraint=_KIND_CONSTRAINT),
        Field("length_m", "float64", "m", "Length (m)", "Length on the ground", 3),
    ),
)

_LOOK: dict[ErrorKind, tuple[str, str, str]] = {
    ErrorKind.RIGHT: ("60,150,220,255", "solid", "0.7"),
    ErrorKind.MISSING: ("255,200,0,255", "dash", "1.1"),
    ErrorKind.FALSE: ("220,30,90,255", "solid", "1.1"),
}
"""Colour, line style and width in mm. Blue, yellow and crimson differ in lightness, and missing roads are
dashed, so they also read without colour vision."""
_CASING = "30,20,40,255"
_CASING_MM = 0.5


@dataclass(frozen=True)
class ErrorLines:
    """Stretches of road and what they are.

    Attributes:
        lines: (N,) shapely LineStrings.
        kinds: (N,) what each is.
        length_m: (N,) float64 metres.
        crs: of the coordinates.
    """

    lines: NDArray[np.object_]
    kinds: tuple[ErrorKind, ...]
    length_m: NDArray[np.float64]
    crs: str

    def __post_init__(self) -> None:
        if not len(self.lines) == len(self.kinds) == len(self.length_m):
            raise ValueError("lines, kinds and lengths differ in number")

    def total_m(self, kind: ErrorKind) -> float:
        """Metres of one kind."""
        return float(self.length_m[np.array([k is kind for k in self.kinds], dtype=bool)].sum())


def check_errors_output(path: str | Path, *, overwrite: bool, inputs: tuple[Path, ...] = ()) -> None:
    """Refuse an output that ``write_errors`` could not write, before the work is done.

    Raises:
        LayerError: the suffix is not .gpkg; the file is in use.
        GeoroadsError: as ``jobs.atomic.check_output``.
    """
    target = Path(path)
    if target.suffix.lower() != ".gpkg":
        raise LayerError(f"{printable(path)}: the errors are written as GeoPackage", "as in errors.gpkg")
    check_output(target, overwrite=overwrite, inputs=inputs)
    geopackage.check_not_open(target)


def write_errors(
    errors: ErrorLines, path: str | Path, provenance: Provenance, *, overwrite: bool = False
) -> None:
    """Write the layer; the file appears whole or not at all.

    Raises:
        LayerError, GeoroadsError: as ``check_errors_output``; the disk is full.
    """
    check_errors_output(path, overwrite=overwrite)
    target = Path(path)
    columns = (
        np.array([kind.value for kind in errors.kinds], dtype=np.object_),
        np.round(errors.length_m, ERRORS.fields[1].decimals),
    )
    table = write._Table(ERRORS, errors.lines, columns, errors.crs)
    with replace_when_complete(
        target, overwrite=overwrite, verify=lambda part: _verify(part, len(errors.lines))
    ) as part:
        with write._gdal_errors(target):
            write._write_with_gdal(part, "GPKG", table, provenance, append=False)
        _finish(part, provenance)


def errors_qml() -> str:
    """QML of the layer: colour by kind over a dark casing, the same width at every scale."""
    root = style._root()
    renderer = SubElement(
        root,
        "renderer-v2",
        {
            "type": "categorizedSymbol",
            "attr": "kind",
            "symbollevels": "1",
            "enableorderby": "0",
            "forceraster": "0",
            "referencescale": "-1",
        },
    )
    categories = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    for number, (kind, (colour, pattern, width)) in enumerate(_LOOK.items()):
        SubElement(
            categories,
            "category",
            {
                "value": kind.value,
                "type": "string",
                "label": kind.value,
                "symbol": str(number),
                "render": "true",
            },
        )
        symbol = style._symbol(symbols, str(number), "line")
        # Two levels: all casings first, so that none covers a neighbour.
        for level, paint, mm, dash in (
            ("0", _CASING, f"{float(width) + _CASING_MM:.1f}", "solid"),
            ("1", colour, width, pattern),
        ):
            options = {"capstyle": "flat", "joinstyle": "round", "line_color": paint, "line_style": dash}
            layer = style._layer(symbol, "SimpleLine", level)
            style._options(layer, {**options, "line_width": mm, "line_width_unit": "MM"})
    return style._text(root)


def _finish(path: Path, provenance: Provenance) -> None:
    """Add style, data dictionary and provenance, as ``geopackage.finish_geopackage`` does for roads."""
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN")
            for statement in geopackage._TABLES.split(";"):
                db.execute(statement)
            db.execute(geopackage._EXTENSIONS_TABLE)
            db.executemany(
                "INSERT INTO gpkg_extensions VALUES (?, NULL, ?, ?, 'read-write')", geopackage._EXTENSIONS
            )
            db.executemany(
                "INSERT INTO gpkg_data_column_constraints VALUES (?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
                [(_KIND_CONSTRAINT, kind.value, meaning) for kind, meaning in KINDS.items()],
            )
            db.executemany(
                "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)",
                [
                    (ERRORS.name, f.name, f.title, f.title, f.description, f.constraint or None)
                    for f in ERRORS.fields
                ],
            )
            geopackage._add_provenance(db, provenance)
            db.execute(
                "INSERT INTO layer_styles VALUES (1, '', '', ?, ?, ?, ?, '', 1, ?, '', NULL, ?)",
                (
                    ERRORS.name,
                    geopackage.GEOMETRY_COLUMN,
                    f"georoads {ERRORS.name}",
                    errors_qml(),
                    ERRORS.title,
                    provenance.timestamp,
                ),
            )
            db.execute(
                "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
                "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
                (provenance.timestamp,),
            )
            db.execute("COMMIT")
    except sqlite3.Error as e:
        raise LayerError(f"{printable(path)} cannot be written: {e}", "is the disk full?") from e


def _verify(path: Path, expected: int) -> None:
    try:
        with closing(sqlite3.connect(path)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            (found,) = db.execute("SELECT count(*) FROM errors").fetchone()
    except sqlite3.Error as e:
        raise LayerError(f"{printable(path)} is damaged: {e}", "is the disk full or failing?") from e
    if verdict != "ok" or found != expected:
        raise LayerError(
            f"{printable(path)} is damaged: {verdict}, {found} of {expected} rows", "write it anew"
        )
