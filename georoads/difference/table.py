"""The rows of the layer ``changes``: what became of each road, and the attributes of both layers."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import find_way
from georoads.difference.compare import Changes
from georoads.difference.nearby import Indices
from georoads.output.coordinates import run_on
from georoads.output.dictionary import CHANGES, Field, FieldType
from georoads.output.read import RoadLines
from georoads.output.table import Table
from georoads.scoring.segments import unproject_points

_OWN = {"length_m", "from_node", "to_node", "bridged_m"}
"""Attributes of a whole road of ours that are not those of its parts."""
_RESERVED = {"fid", "ogc_fid", "geom", "geometry", "id"}
"""Names that formats keep for themselves, in lower case."""
REFERENCE_PREFIX, ROADS_PREFIX = "ref_", "road_"


def change_table(
    changes: Changes, roads: RoadLines, reference: RoadLines, plane: str, crs: str | None = None
) -> Table:
    """The rows of the layer.

    Args:
        changes: in the plane.
        roads, reference: the layers, with their attributes.
        plane: the CRS of the changes.
        crs: of the coordinates in the table; None: that of ROADS, or of REFERENCE where ROADS is empty.
    """
    target = roads if len(roads.lines) or not len(reference.lines) else reference
    lines = changes.lines
    if len(lines):
        lines = shapely.transform(lines, lambda xy: unproject_points(xy, target, plane))
    if crs is not None and len(lines):
        way = find_way(target.crs, crs)
        lines = shapely.transform(lines, lambda xy: np.column_stack(way.transform(*xy.T)))
    n = len(lines)
    decimals = {field.name: field.decimals for field in CHANGES.fields}
    columns: list[NDArray[Any]] = [
        np.arange(1, n + 1),
        np.array([str(kind) for kind in changes.kind], dtype=np.object_),
        *(
            np.round(getattr(changes, name), decimals[name])
            for name in ("length_m", "distance_m", "p")
        ),
    ]  # fmt: skip
    fields, absent = list(CHANGES.fields), {}
    for layer, row, prefix in ((roads, changes.road, ""), (reference, changes.partner, REFERENCE_PREFIX)):
        for name, column in layer.columns.items():
            taken = {field.name.lower() for field in fields} | _RESERVED
            field = _field_of(name, column, prefix, taken)
            if field is None:
                continue
            fields.append(field)
            columns.append(_values_of(column, row, field.type))
            if field.type == "int64":
                absent[field.name] = row < 0
    layer_of = dataclasses.replace(CHANGES, fields=tuple(fields))
    return Table(layer_of, run_on(lines, crs or target.crs), tuple(columns), crs or target.crs, absent)


def _field_of(name: str, column: NDArray[Any], prefix: str, taken: set[str]) -> Field | None:
    """The field that keeps an attribute; None for what is not kept."""
    kind = _type_of(column)
    plain = re.sub(r"\W+", "_", name).strip("_")
    if kind is None or not plain or (not prefix and plain.lower() in _OWN):
        return None
    if not prefix and plain.lower() in taken:
        prefix = ROADS_PREFIX
    kept, layer = prefix + plain, "REFERENCE" if prefix == REFERENCE_PREFIX else "ROADS"
    if kept.lower() in taken:
        return None
    return Field(kept, kind, f"{name} ({layer})", f"The attribute {name} of {layer}")


def _type_of(column: NDArray[Any]) -> FieldType | None:
    """How an attribute is stored; None for what is neither number nor text nor date."""
    if column.dtype.kind in "iub":
        return "int64"
    if column.dtype.kind == "f":
        return "float64"
    if column.dtype.kind in "MUS":
        return "text"
    is_plain = all(value is None or isinstance(value, str | int | float) for value in column)
    return "text" if column.dtype.kind == "O" and is_plain else None


def _values_of(column: NDArray[Any], row: Indices, kind: FieldType) -> NDArray[Any]:
    """(N,) the values of rows (N,), -1 for none, in a type."""
    if not len(column):
        column = np.zeros(1, column.dtype)  # all rows are -1
    found = column[row]
    if kind == "int64":
        return found.astype(np.int64)
    if kind == "float64":
        return np.where(row < 0, np.nan, found.astype(np.float64))
    texts = [None if r < 0 or _is_none(value) else str(value) for r, value in zip(row, found, strict=True)]
    return np.array(texts, dtype=np.object_)


def _is_none(value: Any) -> bool:
    """None, or a number or date that is none."""
    return value is None or value != value
