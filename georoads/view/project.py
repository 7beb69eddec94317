"""The map as a QGIS project: the layers with their styles over the scenes, as a .qgz.

A .qgz is a zip that holds a .qgs, the project as XML. Ours says what QGIS 3.22 and later cannot find out by
themselves (layers, styles, names of fields, CRS, extent) and holds no data: files are named relative to it.
"""

from __future__ import annotations

import math
import os
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

import numpy as np

from georoads.crs import parse_crs, to_wgs84
from georoads.errors import GeoroadsError
from georoads.files.atomic import replace_when_complete
from georoads.output.dictionary import CHANGES, NODES, ROADS, Field
from georoads.output.errors_layer import ERRORS
from georoads.output.style import (
    WIDE_STYLE,
    add_options,
    add_symbol,
    add_symbol_layer,
    kinds_qml,
    nodes_qml,
    qml_root,
    roads_qml,
    wide_roads_qml,
)
from georoads.scene.native import HIGH, LOW
from georoads.scene.scene import Scene
from georoads.text import printable, source_name, without_secrets
from georoads.view.embedded import embedded_style, nodes_of
from georoads.view.layer import BY_KIND, MapLayer, MapSize, read_layer
from georoads.view.plane import Bounds, box_of, outline, widened
from georoads.view.request import LineWidth, MapRequest

_VERSION = "3.22.16"
"""The last release of 3.22; another one says in a line that the project is older or newer than itself."""
_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_ODD = re.compile("[|\x00-\x1f\x7f\ufffe\uffff]")
"""What QGIS ends a file's name at, and what XML cannot hold."""
_STYLE_ATTRIBUTES = ("hasScaleBasedVisibilityFlag", "minScale", "maxScale", "labelsEnabled")
_PROPERTIES = {
    "Measure": ("Ellipsoid", "QString", "EPSG:7030"),
    "Paths": ("Absolute", "bool", "false"),
    "SpatialRefSys": ("ProjectionsEnabled", "int", "1"),
}
"""Lengths on WGS 84; relative names stay so when it is saved; without the last QGIS ignores the CRS."""


def write_project(request: MapRequest) -> MapSize:
    """Write a map as a QGIS project; the file appears whole or not at all.

    Raises:
        LayerError, SceneError: as ``read_layer`` and ``MapRequest.open_scenes``.
        GeoroadsError: as ``MapRequest.open_scenes``; QGIS cannot name a file, or place a scene.
    """
    opened = request.open_scenes()
    lines = read_layer(request.roads, request.layer, most_points=math.inf)
    folder = request.output.resolve().parent
    content = project(lines, request.roads, opened, folder, request.width)
    with replace_when_complete(request.output, overwrite=request.overwrite) as part:
        with zipfile.ZipFile(part, "w") as archive:
            # The date is that of all: the same layers give the same bytes.
            archive.writestr(zipfile.ZipInfo("project.qgs"), content, zipfile.ZIP_DEFLATED)
        size = part.stat().st_size
    return MapSize(lines.n_lines, float(lines.length_m.sum()), size, lines.notes)


def project(
    layer: MapLayer, roads: Path, scenes: Sequence[Scene], folder: Path, width: LineWidth = LineWidth.THIN
) -> str:
    """The project as XML.

    Args:
        layer: the lines.
        roads: the file that they come from.
        scenes: what lies below them, the first on top.
        folder: where the project will lie.
        width: how wide the lines are; THIN stands for the default style of a layer that keeps one.
    """
    root = Element("qgis", {"version": _VERSION, "projectname": layer.name})
    SubElement(root, "title").text = layer.name
    _add_crs(SubElement(root, "projectCrs"), layer.crs)
    tree, layers = SubElement(root, "layer-tree-group"), SubElement(root, "projectlayers")
    nodes = nodes_of(roads, layer.layer)
    if nodes is not None:
        style = embedded_style(roads, nodes)
        style = fromstring(nodes_qml()) if style is None else style
        source = _name_source(roads, folder, nodes)
        added = _add_layer(tree, layers, key="nodes", title=nodes, source=source, crs=layer.crs)
        _describe_vectors(added, "Point", style, NODES.fields)
    name = layer.layer or roads.stem
    source = _name_source(roads, folder, layer.layer)
    added = _add_layer(tree, layers, key="roads", title=name, source=source, crs=layer.crs)
    known = [f for f in (*ROADS.fields, *ERRORS.fields, *CHANGES.fields) if f.name in layer.columns]
    wide = embedded_style(roads, layer.layer, WIDE_STYLE) if width is LineWidth.ROAD else None
    style = embedded_style(roads, layer.layer) if wide is None else wide
    _describe_vectors(added, "Line", _style_of(layer, width) if style is None else style, known)
    for number, scene in enumerate(scenes, 1):
        is_remote = not scene.file.files
        source = without_secrets(scene.file.gdal_name) if is_remote else _name_source(scene.path, folder)
        key, title = f"scene{number}", source_name(scene.path)
        added = _add_layer(tree, layers, key=key, title=title, source=source, crs=scene.grid.crs)
        _paint_scene(added, scene)
    _add_canvas(root, layer, scenes)
    properties = SubElement(root, "properties")
    for group, (key, kind, value) in _PROPERTIES.items():
        SubElement(SubElement(properties, group), key, {"type": kind}).text = value
    return _DOCTYPE + tostring(root, encoding="unicode") + "\n"


def _name_source(file: Path, folder: Path, layer: str = "") -> str:
    """A layer of a file as a project names it: relative to the project where both lie in one tree of folders.

    Raises:
        GeoroadsError: its name holds what QGIS or XML cannot.
    """
    real = file.resolve()
    name = str(real)
    if real.parts[:2] == folder.parts[:2]:
        name = os.path.relpath(real, folder).replace(os.sep, "/")
        name = name if name.startswith("../") else f"./{name}"
    if _ODD.search(name + layer):
        raise GeoroadsError(
            f"{printable(file)}: a QGIS project cannot name {printable(layer) or 'it'}",
            "rename it: no | and no control characters",
        )
    return f"{name}|layername={layer}" if layer else name


def _add_layer(tree: Element, layers: Element, *, key: str, title: str, source: str, crs: str) -> Element:
    """Add a layer to the tree and to the list of layers, below those that are there."""
    layer_id = f"georoads_{key}"  # QGIS ignores ids of ten letters and less
    shown = {"checked": "Qt::Checked", "expanded": "0" if key.startswith("scene") else "1"}
    SubElement(tree, "layer-tree-layer", {"id": layer_id, "name": title, **shown})
    added = SubElement(layers, "maplayer")
    for tag, text in (("id", layer_id), ("datasource", source), ("layername", title)):
        SubElement(added, tag).text = text
    _add_crs(SubElement(added, "srs"), crs)
    return added


def _add_crs(parent: Element, crs: str) -> None:
    SubElement(SubElement(parent, "spatialrefsys"), "wkt").text = parse_crs(crs).to_wkt()


def _describe_vectors(added: Element, geometry: str, style: Element, fields: Sequence[Field]) -> None:
    """Say of a layer of vectors how it looks and what its fields are called."""
    added.attrib.update({"type": "vector", "geometry": geometry})
    added.attrib.update({name: style.attrib[name] for name in _STYLE_ATTRIBUTES if name in style.attrib})
    SubElement(added, "provider", {"encoding": "UTF-8"}).text = "ogr"
    added.extend([*style])
    aliases = SubElement(added, "aliases")
    for field in fields:
        SubElement(aliases, "alias", {"field": field.name, "name": field.title})


def _style_of(layer: MapLayer, width: LineWidth) -> Element:
    """The look of a layer without a style of its own: as on the page."""
    if layer.subject == "Confidence":
        return fromstring(wide_roads_qml() if width is LineWidth.ROAD else roads_qml())
    if layer.subject in BY_KIND:
        return fromstring(kinds_qml(BY_KIND[layer.subject]))
    root = qml_root()
    renderer = SubElement(root, "renderer-v2", {"type": "singleSymbol", "symbollevels": "1"})
    symbol = add_symbol(SubElement(renderer, "symbols"), "0", "line")
    for level, colour, mm in (("0", "#1e1428", "1.1"), ("1", layer.classes[0].colour, "0.55")):
        stroke = add_symbol_layer(symbol, "SimpleLine", level)
        add_options(stroke, {"line_color": _rgba(colour), "line_width": mm, "capstyle": "round"})
    return root


def _rgba(colour: str) -> str:
    """QGIS's R,G,B,A of #rrggbb."""
    return ",".join(str(value) for value in (*bytes.fromhex(colour[1:]), 255))


def _paint_scene(added: Element, scene: Scene) -> None:
    """Show a scene's bands and stretch as the network sees them; a palette has its own colours.

    Raises:
        GeoroadsError: its place is stated, and QGIS would show it elsewhere.
    """
    if scene.is_stated:
        raise GeoroadsError(
            f"{scene.path} has no place, so QGIS cannot lay it under the lines",
            "give it one with gdal_translate -a_srs -a_ullr; or write a page (.html)",
        )
    added.set("type", "raster")
    SubElement(added, "provider").text = "gdal"
    if scene.palette:
        return
    red, green, blue = map(str, scene.bands)
    bands = {"redBand": red, "greenBand": green, "blueBand": blue, "alphaBand": str(scene.alpha or -1)}
    renderer = SubElement(
        SubElement(added, "pipe"), "rasterrenderer", {"type": "multibandcolor", "opacity": "1", **bands}
    )
    for colour, (low, high) in zip(("red", "green", "blue"), scene.stretch, strict=False):
        step = (high - low) / (HIGH - LOW)
        contrast = SubElement(renderer, f"{colour}ContrastEnhancement")
        SubElement(contrast, "minValue").text = repr(low - LOW * step)
        SubElement(contrast, "maxValue").text = repr(high + (255 - HIGH) * step)
        SubElement(contrast, "algorithm").text = "StretchToMinimumMaximum"


def _add_canvas(root: Element, layer: MapLayer, scenes: Sequence[Scene]) -> None:
    """Show the lines; the first scene where there are none; nothing where there is none either."""
    box = layer.box
    if box is None and scenes:
        box = _box_in(scenes[0], layer.crs)
    if box is None:
        return
    canvas = SubElement(root, "mapcanvas", {"name": "theMapCanvas"})
    extent = SubElement(canvas, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), widened(box, 0.05, 1e-4), strict=True):
        SubElement(extent, name).text = repr(value)
    _add_crs(SubElement(canvas, "destinationsrs"), layer.crs)


def _box_in(scene: Scene, crs: str) -> Bounds | None:
    grid = scene.grid
    border = grid.to_lonlat(outline((0, 0, grid.width, grid.height)))
    there = np.column_stack(to_wgs84(crs).transform(border[:, 0], border[:, 1], direction="INVERSE"))
    return box_of(there) if np.isfinite(there).all() else None
