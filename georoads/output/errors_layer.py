"""The layer ``errors``: right, missing and false stretches of road, in a GeoPackage that QGIS opens styled.

It is written as the road layer is: whole or not at all, with style, data dictionary and provenance inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.files.atomic import check_output
from georoads.output.dictionary import Field, Layer
from georoads.output.geopackage import StyledLayer, check_not_open
from georoads.output.one_layer import write_one_layer
from georoads.output.provenance import Provenance
from georoads.output.style import kinds_qml
from georoads.output.table import Table
from georoads.text import printable

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
        Field("kind", "text", "Kind", "What the stretch is", constraint=_KIND_CONSTRAINT),
        Field("length_m", "float64", "Length (m)", "Length on the ground", unit="m", decimals=3),
    ),
)

LOOK: dict[ErrorKind, tuple[str, str, str]] = {
    ErrorKind.RIGHT: ("60,150,220,255", "solid", "0.7"),
    ErrorKind.MISSING: ("255,200,0,255", "dash", "1.1"),
    ErrorKind.FALSE: ("220,30,90,255", "solid", "1.1"),
}
"""Colour, line style and width in mm. Blue, yellow and crimson differ in lightness, and missing roads are
dashed, so they also read without colour vision."""


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

    Args:
        path: the file to write.
        overwrite: True when an existing file may be replaced.
        inputs: files that the output must not be.

    Raises:
        LayerError: the suffix is not .gpkg; the file is in use.
        GeoroadsError: as ``files.atomic.check_output``.
    """
    target = Path(path)
    if target.suffix.lower() != ".gpkg":
        raise LayerError(
            f"{printable(path)}: the errors are written as GeoPackage",
            "let its name end in .gpkg, as in errors.gpkg",
        )
    check_output(target, overwrite=overwrite, inputs=inputs)
    check_not_open(target)


def write_errors(
    errors: ErrorLines, path: str | Path, provenance: Provenance, *, overwrite: bool = False
) -> None:
    """Write the layer; the file appears whole or not at all.

    Args:
        errors: the lines.
        path: the GeoPackage to write.
        provenance: goes into the file; its date is the file's date.
        overwrite: True when an existing file may be replaced.

    Raises:
        LayerError, GeoroadsError: as ``check_errors_output``; the disk is full.
    """
    check_errors_output(path, overwrite=overwrite)
    target = Path(path)
    columns = (
        np.array([kind.value for kind in errors.kinds], dtype=np.object_),
        np.round(errors.length_m, ERRORS.fields[1].decimals),
    )
    table = Table(ERRORS, errors.lines, columns, errors.crs)
    meanings = {kind.value: meaning for kind, meaning in KINDS.items()}
    styled = StyledLayer(ERRORS, errors_qml(), {_KIND_CONSTRAINT: meanings})
    write_one_layer(target, table, provenance, styled, overwrite=overwrite)


def errors_qml() -> str:
    """QML of the layer: colour by kind over a dark casing, the same width at every scale."""
    return kinds_qml(LOOK)
