"""The map as one HTML page: no file beside it, no request, no script but ours, known by its hash.

Page, style and script stand in map.html, map.css and four .js files. Names are escaped; attributes travel
as packed JSON and become text of the page, never markup.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import math
import zlib
from importlib.resources import files
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.files.atomic import replace_when_complete
from georoads.output.dictionary import CHANGES, ROADS
from georoads.output.errors_layer import ERRORS
from georoads.output.style import CHECK_LOOK, UNCERTAIN_BELOW, Check
from georoads.text import printable, source_name
from georoads.view.checks import Checks, checks_of, mostly_bridged
from georoads.view.layer import BY_KIND, MapLayer, MapSize, hex_of, read_layer
from georoads.view.picture import MOST_LIFT, Picture, jpeg_of, lift_of, picture_of, plane_of
from georoads.view.plane import widened
from georoads.view.probability import PlaneLevels, levels_in_plane
from georoads.view.request import LineWidth, MapRequest

_SCRIPTS = ("lines.js", "drawing.js", "repair.js", "map.js")
LONGEST_TEXT = 2000
"""Characters of an attribute; the rest is cut off."""
_TITLES = {field.name: field.title for field in (*ROADS.fields, *ERRORS.fields, *CHANGES.fields)}


def write_map(request: MapRequest) -> MapSize:
    """Write a map as one HTML page; the file appears whole or not at all.

    Raises:
        LayerError, SceneError: as ``read_layer``, ``MapRequest.open_scenes`` and ``picture_of``.
        GeoroadsError: as ``MapRequest.open_scenes``.
    """
    opened = request.open_scenes()
    lines = read_layer(request.roads, request.layer, plane_of(opened) if opened else None)
    picture = None
    if opened:
        area = None if lines.bounds is None else widened(lines.bounds, 0.05, 50.0)
        picture = picture_of(opened, lines.plane, area)
    levels = None
    if request.probability is not None:
        around = None if lines.bounds is None else widened(lines.bounds, 0.05, 200.0)
        levels = levels_in_plane(request.probability, lines.plane, around)
    scenes = ", ".join(map(source_name, request.scenes))
    content = page(lines, picture, scenes, request.width, levels).encode()
    with replace_when_complete(request.output, overwrite=request.overwrite) as part:
        part.write_bytes(content)
    return MapSize(lines.n_lines, float(lines.length_m.sum()), len(content), lines.notes)


def page(
    layer: MapLayer,
    picture: Picture | None = None,
    scenes: str = "",
    width: LineWidth = LineWidth.THIN,
    levels: PlaneLevels | None = None,
) -> str:
    """The page as HTML.

    Args:
        layer: the lines.
        picture: what lies below them, in their plane.
        scenes: names of the files of the picture.
        width: how wide the lines are at first.
        levels: p, along which lines are drawn by hand.
    """
    style, script = _read_asset("map.css"), "".join(map(_read_asset, _SCRIPTS))
    places = {
        "title": _escape_text(layer.name),
        "policy": f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_policy_hash(style)}'; script-src '{_policy_hash(script)}'",
        "style": style,
        "script": script,
        "data": _script_json(
            _script_data(layer, picture) | _repair_data(layer, levels) | {"wide": width is LineWidth.ROAD}
        ),
        "source": f", over {_escape_text(scenes)}" if picture is not None else "",
        "lines": f"{layer.n_lines:,} {'line' if layer.n_lines == 1 else 'lines'}",
        "length": f"{layer.length_m.sum() / 1000:,.2f} km",
        "picture": _picture_element(picture),
        "version": __version__,
    }
    return Template(_read_asset("map.html")).substitute(places)


def _script_data(layer: MapLayer, picture: Picture | None) -> dict[str, Any]:
    """What the script reads; packed arrays are little-endian, deflated, base64."""
    # Points as whole centimetres, each but the first as its distance from the one before: small numbers.
    centimetres = np.rint(layer.points * 100).astype(np.int64)
    deltas = np.diff(centimetres, axis=0, prepend=0).T  # first all of x, then all of y
    width_cm = np.minimum(np.rint(layer.width_m * 100), 65535)
    checks = checks_of(layer)
    kilometres = np.bincount(layer.class_of, layer.length_m / 1000, minlength=len(layer.classes))
    attributes = {
        "titles": [_TITLES.get(name, printable(name)) for name in layer.columns],
        "columns": [[_json_value(v) for v in column] for column in layer.columns.values()],
    }
    return {
        "bounds": layer.bounds or (None if picture is None else picture.bounds),
        "picture": None if picture is None else picture.bounds,
        "subject": layer.subject,
        "classes": [
            {"label": c.label, "colour": c.colour, "px": c.least_px, "dash": c.is_dashed, "km": round(km, 3)}
            for c, km in zip(layer.classes, kilometres.tolist(), strict=True)
        ],
        "nodes": layer.subject not in BY_KIND,
        "lift": 1 if picture is None else lift_of(picture),
        "mostLift": MOST_LIFT,
        "checks": _check_looks(layer, checks),
        "counts": _pack_array(np.diff(layer.offsets), "<u4"),
        "points": _pack_array(deltas, "<i4"),
        "rows": _pack_array(layer.rows, "<u4"),
        "widths": _pack_array(width_cm, "<u2"),
        "classOf": _pack_array(layer.class_of, "u1"),
        # Dead ends with another line shortly ahead are a kind of their own.
        "ends": _pack_array(np.where(checks.is_near, 3, layer.line_ends), "u1"),
        "marks": _pack_array(checks.is_uncertain + 2 * checks.is_bridged + 4 * mostly_bridged(layer), "u1"),
        "attributes": _deflate(json.dumps(attributes, ensure_ascii=False, allow_nan=False).encode()),
    }


def _repair_data(layer: MapLayer, levels: PlaneLevels | None) -> dict[str, Any]:
    """What the script needs to save edits, and to draw lines along p."""
    found = None
    if levels is not None:
        height, width = levels.levels.shape
        packed = _pack_array(levels.levels, "u1")
        found = {"bounds": levels.bounds, "width": width, "height": height, "levels": packed}
    # The plane's middle as its CRS has it.
    middle = {"lon": round(layer.plane.lon, 6), "lat": round(layer.plane.lat, 6)}
    return {"name": layer.name, "middle": middle, "probability": found}


def _check_looks(layer: MapLayer, checks: Checks) -> dict[str, Any]:
    """How lines look that are to be checked, from the least important on, and ends near another line."""
    found = {Check.UNCERTAIN: checks.is_uncertain, Check.BRIDGED: checks.is_bridged}
    labels = {Check.UNCERTAIN: f"confidence below {UNCERTAIN_BELOW}", Check.BRIDGED: "a gap was bridged"}
    lines = [
        {
            "label": labels.get(check, check.value),
            "colour": hex_of(colour),
            "px": 1.0 if check is Check.NOTHING else 3.0,
            "dash": False,
            "count": int(found[check].sum()) if check in found else 0,
        }
        for check, (colour, _) in CHECK_LOOK.items()
    ]
    near = {"label": "ends near another line", "colour": "#ffe13c", "count": int(checks.is_near.sum())}
    return {"lines": lines, "near": near}


def _json_value(value: Any) -> Any:
    """An attribute as a value of JSON: number, text, or null."""
    if isinstance(value, np.generic):
        value = value.item() if value.dtype.kind in "iufb" else str(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    text = printable(str(value))
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _pack_array(values: NDArray[Any], kind: str) -> str:
    return _deflate(np.ascontiguousarray(values).astype(kind).tobytes())


def _deflate(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _script_json(content: dict[str, Any]) -> str:
    """JSON that ends no script element, whatever it holds."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _picture_element(picture: Picture | None) -> str:
    if picture is None:
        return ""
    data = base64.b64encode(jpeg_of(picture)).decode("ascii")
    return f'<img id="picture" alt="" hidden src="data:image/jpeg;base64,{data}">'


def _read_asset(name: str) -> str:
    return files("georoads.view").joinpath(name).read_text(encoding="utf-8")


def _policy_hash(text: str) -> str:
    """The hash of a style or script by which a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _escape_text(value: str) -> str:
    """A text from outside as text of the page."""
    return html.escape(printable(value))
