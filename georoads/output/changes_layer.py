"""The layer ``changes``: new, missing and moved roads, in any format; a GeoPackage opens styled in QGIS.

What is new can be written as tasks instead (see ``maproulette``).
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from georoads.files.atomic import check_output
from georoads.output.dictionary import CHANGE_CONSTRAINT, CHANGE_KINDS
from georoads.output.formats import check_parquet, driver_of_changes
from georoads.output.geopackage import StyledLayer, check_not_open
from georoads.output.maproulette import TaskParams, write_tasks
from georoads.output.one_layer import write_one_layer
from georoads.output.provenance import Provenance
from georoads.output.style import kinds_qml
from georoads.output.table import Table


class ChangeKind(StrEnum):
    """What became of a stretch of road."""

    NEW = "new"
    MISSING = "missing"
    MOVED = "moved"
    SAME = "same"


CHANGE_LOOK: dict[ChangeKind, tuple[str, str, str]] = {
    ChangeKind.SAME: ("168,174,182,255", "solid", "0.5"),
    ChangeKind.MOVED: ("255,165,40,255", "solid", "0.9"),
    ChangeKind.MISSING: ("240,60,60,255", "dash", "1.1"),
    ChangeKind.NEW: ("70,220,110,255", "solid", "1.1"),
}
"""Colour, line style and width in mm, from what is drawn first. Missing roads are dashed, so that they differ
from new ones for those who do not tell red from green."""


def check_changes_output(path: Path, *, overwrite: bool, inputs: tuple[Path, ...] = ()) -> None:
    """Refuse an output that ``write_changes`` could not write, before the work is done.

    Args:
        path: the file to write.
        overwrite: True when an existing file may be replaced.
        inputs: files that the output must not be.

    Raises:
        LayerError: the suffix is that of no format; the file is in use.
        GeoroadsError: a library is missing; as ``files.atomic.check_output``.
    """
    driver = driver_of_changes(path)
    check_output(path, overwrite=overwrite, inputs=inputs)
    if driver == "Parquet":
        check_parquet(path)
    elif driver == "GPKG":
        check_not_open(path)


def write_changes(
    table: Table,
    path: Path,
    provenance: Provenance,
    *,
    overwrite: bool,
    tasks: TaskParams | None = None,
) -> None:
    """Write the layer, or what is new in it as tasks; the file appears whole or not at all.

    Args:
        table: its rows.
        path: the file; its suffix chooses the format.
        provenance: goes into the file; its date is the file's. Tasks have no place for it.
        overwrite: True when an existing file may be replaced.
        tasks: what tasks say; None: what they say by default.

    Raises:
        LayerError, GeoroadsError: as ``check_changes_output``; the disk is full.
    """
    check_changes_output(path, overwrite=overwrite)
    if driver_of_changes(path) == "MapRoulette":
        write_tasks(path, table, tasks or TaskParams(), overwrite=overwrite)
        return
    styled = StyledLayer(table.layer, changes_qml(), {CHANGE_CONSTRAINT: CHANGE_KINDS})
    write_one_layer(path, table, provenance, styled, overwrite=overwrite)


def changes_qml() -> str:
    """QML of the layer: new green, missing red, moved orange, the same grey."""
    return kinds_qml(CHANGE_LOOK)
