"""The map as one HTML page: no file beside it, no request, no script but ours, known by its hash.

Page, style and script stand in map.html, map.css, lines.js and map.js. Names are escaped; attributes travel
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
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.files.atomic import check_output, replace_when_complete
from georoads.output.dictionary import ROADS
from georoads.output.errors_layer import ERRORS
from georoads.scene.index import scene_files
from georoads.scene.open import open_scene
from georoads.scene.scene import SceneParams
from georoads.text import printable
from georoads.view.layer import MapLayer, MapSize, read_layer
from georoads.view.picture import Picture, jpeg_of, picture_of, plane_of
from georoads.view.plane import widened

LONGEST_TEXT = 2000
"""Of an attribute; the rest is cut off."""
_TITLES = {field.name: field.title for field in (*ROADS.fields, *ERRORS.fields)}


def write_map(
    roads: Path,
    output: Path,
    scenes: tuple[Path, ...] = (),
    scene_params: SceneParams | None = None,
    *,
    layer: str | None = None,
    overwrite: bool = False,
) -> MapSize:
    """Write the map of a layer, over its scenes if there are any; the file appears whole or not at all.

    Raises:
        LayerError, SceneError: as ``read_layer``, ``open_scene`` and ``picture_of``.
        GeoroadsError: as ``check_output``.
    """
    files = scene_files(scenes)
    check_output(output, overwrite=overwrite, inputs=(roads, *files))
    opened = [open_scene(file, scene_params) for file in files]
    lines = read_layer(roads, layer, plane_of(opened) if opened else None)
    picture = None
    if opened:
        area = None if lines.bounds is None else widened(lines.bounds, 0.05, 50.0)
        picture = picture_of(opened, lines.plane, area)
    content = page(lines, picture, ", ".join(scene.name for scene in scenes)).encode()
    with replace_when_complete(output, overwrite=overwrite) as part:
        part.write_bytes(content)
    return MapSize(lines.n_lines, float(lines.length_m.sum()), len(content))


def page(layer: MapLayer, picture: Picture | None = None, scenes: str = "") -> str:
    """The page.

    Args:
        layer: the lines.
        picture: what lies below them, in their plane.
        scenes: names of the files of the picture.
    """
    style, script = _part("map.css"), _part("lines.js") + _part("map.js")
    places = {
        "title": _text(layer.name),
        "policy": f"default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'",
        "style": style,
        "script": script,
        "data": _json(_data(layer, picture)),
        "source": f", over {_text(scenes)}" if picture is not None else "",
        "lines": f"{layer.n_lines:,} {'line' if layer.n_lines == 1 else 'lines'}",
        "length": f"{layer.length_m.sum() / 1000:,.2f} km",
        "picture": _picture(picture),
        "version": __version__,
    }
    return Template(_part("map.html")).substitute(places)


def _data(layer: MapLayer, picture: Picture | None) -> dict[str, Any]:
    """What the script reads; packed arrays are little-endian, deflated, base64."""
    centimetres = np.rint(layer.points * 100).astype(np.int64)
    deltas = np.diff(centimetres, axis=0, prepend=0).T  # first all of x, then all of y
    width_cm = np.minimum(np.rint(layer.width_m * 100), 65535)
    kilometres = np.bincount(layer.class_of, layer.length_m / 1000, minlength=len(layer.classes))
    attributes = {
        "titles": [_TITLES.get(name, printable(name)) for name in layer.columns],
        "columns": [[_value(v) for v in column] for column in layer.columns.values()],
    }
    return {
        "bounds": layer.bounds or (None if picture is None else picture.bounds),
        "picture": None if picture is None else picture.bounds,
        "subject": layer.subject,
        "classes": [
            {"label": c.label, "colour": c.colour, "px": c.least_px, "dash": c.is_dashed, "km": round(km, 3)}
            for c, km in zip(layer.classes, kilometres.tolist(), strict=True)
        ],
        "nodes": layer.subject != "Errors",
        "counts": _packed(np.diff(layer.offsets), "<u4"),
        "points": _packed(deltas, "<i4"),
        "rows": _packed(layer.rows, "<u4"),
        "widths": _packed(width_cm, "<u2"),
        "classOf": _packed(layer.class_of, "u1"),
        "ends": _packed(layer.line_ends, "u1"),
        "attributes": _deflated(json.dumps(attributes, ensure_ascii=False, allow_nan=False).encode()),
    }


def _value(value: Any) -> Any:
    """An attribute as a value of JSON: number, text, or null."""
    if isinstance(value, np.generic):
        value = value.item() if value.dtype.kind in "iufb" else str(value)
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return None
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**53):
        return value
    text = printable(str(value))
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + "…"


def _packed(values: NDArray[Any], kind: str) -> str:
    return _deflated(np.ascontiguousarray(values).astype(kind).tobytes())


def _deflated(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data, 6)).decode("ascii")


def _json(content: dict[str, Any]) -> str:
    """JSON that ends no script element, whatever it holds."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _picture(picture: Picture | None) -> str:
    if picture is None:
        return ""
    data = base64.b64encode(jpeg_of(picture)).decode("ascii")
    return f'<img id="picture" alt="" hidden src="data:image/jpeg;base64,{data}">'


def _part(name: str) -> str:
    return files("georoads.view").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """As a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"


def _text(value: str) -> str:
    """A text from outside as text of the page."""
    return html.escape(printable(value))
