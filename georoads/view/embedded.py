"""What a GeoPackage keeps for QGIS beside a layer: its default style, and the layer of its nodes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from georoads.output.dictionary import NODES, ROADS
from georoads.output.geopackage import DAMAGED, style_name

MAX_STYLE = 2**22
"""Longer styles are not read; in characters, of which ours have some 10,000."""
SHOWN = ("renderer-v2", "labeling", "blendMode", "featureBlendMode", "layerOpacity")
"""Elements of a style that say how a layer looks; others may hold scripts, and are not taken over."""


def embedded_style(path: Path, layer: str, word: str = "") -> ElementTree.Element | None:
    """A style of a layer in a GeoPackage, as ``parsed_style``; None where there is none.

    Args:
        path: the file.
        layer: name of the layer.
        word: the one that ends the style's name; "" for the default style, whatever it is called.
    """
    query = (
        "SELECT styleQML FROM layer_styles "
        "WHERE f_table_name = ?1 AND CASE ?2 WHEN '' THEN useAsDefault ELSE styleName = ?2 END "
        "ORDER BY id DESC"
    )
    found = _first_row(path, "layer_styles", query, (layer, style_name(layer, word) if word else ""))
    return parsed_style(found[0]) if found else None


def parsed_style(text: object) -> ElementTree.Element | None:
    """The root of a QML with what says how the layer looks; None where it is none or lacks a renderer."""
    if not isinstance(text, str) or len(text) > MAX_STYLE or "<!ENTITY" in text:
        return None
    try:
        root = ElementTree.fromstring(text)
        root[:] = [child for child in root if child.tag in SHOWN]
        ElementTree.tostring(root)  # what is nested without end could not be written
    except (ElementTree.ParseError, RecursionError, ValueError):
        return None
    return None if root.find(SHOWN[0]) is None else root


def nodes_of(path: Path, layer: str) -> str | None:
    """The name of the layer of points that ``extract`` writes beside one of roads; None where there is none.

    Its CRS must be that of the roads.
    """
    name = NODES.name if layer == ROADS.name else f"{layer}_{NODES.name}"
    query = "SELECT srs_id FROM gpkg_geometry_columns WHERE table_name = ? AND geometry_type_name = ?"
    lines, points = (
        _first_row(path, "gpkg_geometry_columns", query, pair)
        for pair in ((layer, "LINESTRING"), (name, "POINT"))
    )
    return name if points is not None and points == lines else None


def _first_row(path: Path, table: str, query: str, values: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The first row; None where there is none, no such table (a view might never end) or no database."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            is_table = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE"
            if db.execute(is_table, (table,)).fetchone() is None:
                return None
            found: tuple[Any, ...] | None = db.execute(query, values).fetchone()
            return found
    except DAMAGED:
        return None
