"""The looks of the layers in QGIS, as QML (QGIS 3.22 and later): a default and others by name.

By default roads are thin lines, coloured by confidence over a dark casing, so that they read on bright and on
dark imagery and hide neither. A second look draws them as wide as on the ground, a third what to check. The
colours grow in lightness with confidence (the top of matplotlib's "plasma"), so they also read without colour
vision; what is mostly bridged is dashed. Nodes show only at large scales. Everything that varies comes from
fields: the text is the same for every layer and holds nothing that a file name or an attribute could break.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from georoads.network.types import NodeKind

_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_VERSION = "3.22.0"
_CASING = "30,20,40,255"
_CASING_MM = 0.5
"""By how much casings are wider than the lines of ``kinds_qml``."""
Kind = TypeVar("Kind", bound=str)
_EXPRESSION = "3"
"""QgsProperty's number for a value that an expression gives."""

UNCERTAIN_BELOW = 0.6
"""Lines of less confidence are to be checked."""
BRIDGED_FROM_M = 5.0
"""Lines of which so many metres were bridged are to be checked; shorter gaps are less than a road is wide."""
DASHED_FROM_SHARE = 0.5
"""Lines of which a larger share was bridged are dashed."""
_IS_DASHED = f'coalesce("bridged_m", 0) > {DASHED_FROM_SHARE} * "length_m"'


class Check(StrEnum):
    """What a line is to be checked for."""

    NOTHING = "nothing to check"
    BRIDGED = "bridged"
    UNCERTAIN = "uncertain"


CHECK_LOOK: dict[Check, tuple[str, str]] = {
    Check.NOTHING: ("176,190,204,255", "0.3"),
    Check.BRIDGED: ("70,205,255,255", "0.8"),
    Check.UNCERTAIN: ("255,90,150,255", "0.8"),
}
"""Colour and width in mm, from the least to the most important, which is drawn last."""

CLASSES: tuple[tuple[float, float, str], ...] = (
    (0.0, 0.5, "186,44,178,255"),
    (0.5, 0.6, "214,74,118,255"),
    (0.6, 0.7, "246,130,74,255"),
    (0.7, 0.85, "253,188,44,255"),
    (0.85, 1.0, "250,246,92,255"),
)
"""Confidence from, to, and the colour (R,G,B,A) of the line."""

_NODE_LOOK: dict[NodeKind, tuple[str, str, str]] = {
    NodeKind.JUNCTION: ("circle", "255,255,255,255", "1.8"),
    NodeKind.END: ("circle", "255,90,60,255", "1.8"),
    NodeKind.RING: ("diamond", "120,220,120,255", "2.2"),
    NodeKind.SCENE_EDGE: ("square", "110,190,255,255", "1.8"),
}
"""Marker, colour and size in mm."""

WIDE_STYLE, CHECK_STYLE = "wide", "check"
"""The words that end the names of the other styles."""
_NODES_FROM_SCALE = "5000"
_FALLBACK_WIDTH_M = "4"
"""For roads that somebody adds by hand and leaves without a width."""


@dataclass(frozen=True)
class _Stroke:
    """One of the two lines that make a road.

    Attributes:
        colour: R,G,B,A.
        mm: its width on the screen, or the least where it has a width on the ground.
        level: when it is drawn.
        width_m: its width on the ground, an expression of QGIS; "" for none.
        is_casing: True for the one below, which is never dashed.
    """

    colour: str
    mm: float
    level: str
    width_m: str = ""
    is_casing: bool = False


def roads_qml() -> str:
    """QML of the ``roads`` layer, the default: classes of confidence, thin lines."""
    return _confidence_qml(0.55, 1.1, "")


def wide_roads_qml() -> str:
    """QML of the ``roads`` layer: classes of confidence, widths in metres on the ground."""
    return _confidence_qml(0.6, 1.0, f'coalesce("width_m", {_FALLBACK_WIDTH_M})')


def _confidence_qml(mm: float, casing_mm: float, width_m: str) -> str:
    """QML of roads by confidence.

    Args:
        mm: width of the lines, at least.
        casing_mm: that of the dark lines below them.
        width_m: as in ``_Stroke``.
    """
    root = qml_root()
    # Roads added by hand have no confidence: they are drawn as the lowest class.
    value = {"attr": 'coalesce("confidence", 0)', "graduatedMethod": "GraduatedColor"}
    renderer = add_renderer(root, "graduatedSymbol", {**value, "symbollevels": "1"})
    ranges = SubElement(renderer, "ranges")
    symbols = SubElement(renderer, "symbols")
    for number, (low, high, colour) in enumerate(CLASSES):
        limits = {"lower": f"{low:.6f}", "upper": f"{high:.6f}", "label": f"{low:.2f} – {high:.2f}"}
        SubElement(ranges, "range", {**limits, "symbol": str(number), "render": "true"})
        symbol = add_symbol(symbols, str(number), "line")
        # Two levels: all casings first, so that no casing cuts the road that it joins.
        casing_m = f"{width_m} + 1" if width_m else ""
        _add_stroke(symbol, _Stroke(_CASING, casing_mm, "0", casing_m, is_casing=True))
        _add_stroke(symbol, _Stroke(colour, mm, "1", width_m))
    SubElement(root, "layerOpacity").text = "0.85"
    return qml_text(root)


def check_roads_qml() -> str:
    """QML of the ``roads`` layer: what to check stands out from the others."""
    root = qml_root()
    value = (
        f"CASE WHEN coalesce(\"confidence\", 0) < {UNCERTAIN_BELOW} THEN '{Check.UNCERTAIN}' "
        f"WHEN \"bridged_m\" >= {BRIDGED_FROM_M} THEN '{Check.BRIDGED}' ELSE '{Check.NOTHING}' END"
    )
    renderer = add_renderer(root, "categorizedSymbol", {"attr": value, "symbollevels": "1"})
    categories = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    for number, (check, (colour, mm)) in enumerate(CHECK_LOOK.items()):
        add_category(categories, check.value, label=check.value, symbol=str(number))
        symbol = add_symbol(symbols, str(number), "line")
        _add_stroke(symbol, _Stroke(_CASING, float(mm) + 0.5, "0", is_casing=True))
        _add_stroke(symbol, _Stroke(colour, float(mm), str(number + 1)))
    return qml_text(root)


def kinds_qml(looks: Mapping[Kind, tuple[str, str, str]]) -> str:
    """QML of lines by their field ``kind`` over a dark casing, the same width at every scale.

    Args:
        looks: colour (R,G,B,A), line style and width in mm of each kind, from the one that is drawn first.
    """
    root = qml_root()
    renderer = add_renderer(root, "categorizedSymbol", {"attr": "kind", "symbollevels": "1"})
    categories = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    for number, (kind, (colour, pattern, width)) in enumerate(looks.items()):
        add_category(categories, str(kind), label=str(kind), symbol=str(number))
        symbol = add_symbol(symbols, str(number), "line")
        # Two levels: all casings first, so that none covers a neighbour.
        for level, paint, mm, dash in (
            ("0", _CASING, f"{float(width) + _CASING_MM:.1f}", "solid"),
            ("1", colour, width, pattern),
        ):
            options = {"capstyle": "flat", "joinstyle": "round", "line_color": paint, "line_style": dash}
            layer = add_symbol_layer(symbol, "SimpleLine", level)
            add_options(layer, {**options, "line_width": mm, "line_width_unit": "MM"})
    return qml_text(root)


def nodes_qml() -> str:
    """QML of the ``nodes`` layer: a small marker by kind, only at large scales."""
    root = qml_root()
    root.set("hasScaleBasedVisibilityFlag", "1")
    root.set("minScale", _NODES_FROM_SCALE)
    root.set("maxScale", "0")
    _add_nodes(root, _NODE_LOOK)
    return qml_text(root)


def check_nodes_qml() -> str:
    """QML of the ``nodes`` layer: where roads end, at every scale, and nothing else."""
    root = qml_root()
    _add_nodes(root, {NodeKind.END: ("circle", "255,225,60,255", "2.6")})
    return qml_text(root)


def _add_nodes(root: Element, looks: Mapping[NodeKind, tuple[str, str, str]]) -> None:
    """Draw nodes of these kinds, each by marker, colour and size in mm."""
    renderer = add_renderer(root, "categorizedSymbol", {"attr": "kind", "symbollevels": "0"})
    categories = SubElement(renderer, "categories")
    symbols = SubElement(renderer, "symbols")
    for kind, (marker, colour, size) in looks.items():
        number = str(int(kind))
        add_category(categories, kind.label, label=kind.label.replace("_", " "), symbol=number)
        symbol = add_symbol(symbols, number, "marker")
        layer = add_symbol_layer(symbol, "SimpleMarker", "0")
        options = {"name": marker, "color": colour, "size": size, "size_unit": "MM"}
        add_options(layer, {**options, "outline_color": _CASING, "outline_width": "0.3"})


def qml_root() -> Element:
    """The root of a QML document, to which a renderer is added."""
    return Element("qgis", {"version": _VERSION, "styleCategories": "LayerConfiguration|Symbology|Rendering"})


def add_renderer(root: Element, kind: str, attributes: Mapping[str, str]) -> Element:
    """Add what draws the features of a layer.

    Args:
        root: the QML document.
        kind: graduatedSymbol or categorizedSymbol.
        attributes: what is special about this one, as QGIS names it.
    """
    usual = {"enableorderby": "0", "forceraster": "0", "referencescale": "-1"}
    return SubElement(root, "renderer-v2", {"type": kind, **attributes, **usual})


def add_category(categories: Element, value: str, *, label: str, symbol: str) -> None:
    """Draw features of a value with a symbol.

    Args:
        categories: those of a renderer.
        value: what the renderer's field says of the features.
        label: the words in the legend.
        symbol: the name of the symbol.
    """
    named = {"value": value, "type": "string", "label": label, "symbol": symbol, "render": "true"}
    SubElement(categories, "category", named)


def add_symbol(symbols: Element, name: str, kind: str) -> Element:
    """Add an opaque symbol.

    Args:
        symbols: those of a renderer.
        name: by which categories and ranges refer to it.
        kind: line or marker.
    """
    opaque = {"alpha": "1", "clip_to_extent": "1", "force_rhr": "0"}
    return SubElement(symbols, "symbol", {"name": name, "type": kind, **opaque})


def add_symbol_layer(symbol: Element, kind: str, level: str) -> Element:
    """Add one stroke or marker to a symbol.

    Args:
        symbol: the symbol.
        kind: SimpleLine or SimpleMarker.
        level: a number; of all symbols of a layer, what has the lowest is drawn first.
    """
    return SubElement(symbol, "layer", {"class": kind, "enabled": "1", "locked": "0", "pass": level})


def add_options(layer: Element, options: Mapping[str, str]) -> None:
    """Add the properties of a symbol layer, as QGIS names them."""
    box = SubElement(layer, "Option", {"type": "Map"})
    for name, value in options.items():
        SubElement(box, "Option", {"name": name, "type": "QString", "value": value})


def _add_stroke(symbol: Element, stroke: _Stroke) -> None:
    layer = add_symbol_layer(symbol, "SimpleLine", stroke.level)
    options = {"capstyle": "round", "joinstyle": "round", "line_color": stroke.colour, "line_style": "solid"}
    width = {"line_width": f"{stroke.mm:g}", "line_width_unit": "MM"}
    if stroke.width_m:
        width = {
            "line_width": _FALLBACK_WIDTH_M,
            "line_width_unit": "RenderMetersInMapUnits",
            # from scale, to scale, has a least size, the least size in mm, has a greatest size, its mm
            "width_map_unit_scale": f"3x:0,0,1,{stroke.mm},0,0",
        }
    add_options(layer, {**options, **width})
    expressions = {"outlineWidth": stroke.width_m} if stroke.width_m else {}
    if not stroke.is_casing:
        # Round caps would close the gaps between dashes.
        expressions["outlineStyle"] = f"if({_IS_DASHED}, 'dash', 'solid')"
        expressions["capStyle"] = f"if({_IS_DASHED}, 'flat', 'round')"
    if expressions:
        _add_expressions(layer, expressions)


def _add_expressions(layer: Element, expressions: Mapping[str, str]) -> None:
    """Let expressions give properties of a symbol layer, by the names that QGIS has for them."""
    defined = SubElement(SubElement(layer, "data_defined_properties"), "Option", {"type": "Map"})
    SubElement(defined, "Option", {"name": "name", "type": "QString", "value": ""})
    properties = SubElement(defined, "Option", {"name": "properties", "type": "Map"})
    for name, expression in expressions.items():
        given = SubElement(properties, "Option", {"name": name, "type": "Map"})
        SubElement(given, "Option", {"name": "active", "type": "bool", "value": "true"})
        SubElement(given, "Option", {"name": "expression", "type": "QString", "value": expression})
        SubElement(given, "Option", {"name": "type", "type": "int", "value": _EXPRESSION})
    SubElement(defined, "Option", {"name": "type", "type": "QString", "value": "collection"})


def qml_text(root: Element) -> str:
    """The document as text, the same for equal elements."""
    indent(root, " ")
    return _DOCTYPE + tostring(root, encoding="unicode") + "\n"
