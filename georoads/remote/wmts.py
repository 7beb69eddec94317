"""Tiles of a WMTS, on its own lattice in EPSG:3857 (OGC 07-057r7, WMTS 1.0.0)."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urljoin, urlsplit

from georoads.errors import SceneError
from georoads.remote.address import Address
from georoads.remote.capabilities import (
    Element,
    capabilities,
    choose_format,
    is_web_mercator,
    names_in,
    text_of,
    texts_of,
    with_query,
)
from georoads.remote.client import Client
from georoads.remote.hosts import origin_of
from georoads.remote.lattice import Level, middle_latitude, web_level
from georoads.remote.part import Wanted
from georoads.remote.tiled import TiledPart, TileSource, area_of, find_sample, tiled_part

_OURS = (
    "service", "request", "version", "layer", "layers", "style", "styles", "format", "tilematrixset",
    "tilematrix", "tilerow", "tilecol",
)  # fmt: skip
"""Parameters that are ours to set."""
_PLACE = re.compile(r"\{(\w+)\}")
_PIXEL_M = 0.00028
"""The pixel that scale denominators are about, metres (6.1)."""


@dataclass(frozen=True)
class _Matrix:
    """A level of a tile matrix set: its name and lattice."""

    name: str
    level: Level


def plan_wmts(address: Address, wanted: Wanted, client: Client) -> TiledPart:
    """The tiles of a WMTS's layer that an area needs, of the matrix nearest in pixel size to the model.

    Args:
        address: of the service or of its capabilities, with ``layers=``.
        wanted: area, pixel size and limits.
        client: asks what the service offers, and for a sample.

    Raises:
        SceneError: there is no such layer, or none in EPSG:3857; there is no area, or it needs too much.
    """
    lat = middle_latitude(area_of(address, wanted))
    query = address.query
    name = query.get("layers", query.get("layer", ""))
    root = capabilities(address, _capabilities_url(address), client)
    layer = _layer_of(root, name, address)
    set_name, matrices = _matrices_of(root, layer, query.get("tilematrixset", ""), address)
    zoom = wanted.params.zoom
    aim = web_level(zoom, 256).gsd_m(lat) if isinstance(zoom, int) else wanted.model_gsd_m
    matrix = min(matrices, key=lambda m: abs(math.log(m.level.gsd_m(lat) / aim)))
    kind = choose_format(texts_of(layer, "Format"), query.get("format", ""), address)
    values = {
        "tilematrixset": set_name, "tilematrix": matrix.name, "style": query.get("style") or _style_of(layer),
    } | _dimensions_of(layer)  # fmt: skip
    url_of = _by_template(address, layer, kind, values) or _by_query(address, name, kind, values)
    level_name = f"level {re.sub(r'[^A-Za-z0-9_.-]', '_', matrix.name)}"
    called = f"tile {{row}}/{{col}} of {level_name} of {address.origin}"
    source = TileSource(
        address=address,
        kind="WMTS",
        level=matrix.level,
        level_name=level_name,
        url_of=url_of,
        called=called,
        hosts=(str(origin_of(url_of(0, 0))),),
        attribution=text_of(root, "ServiceProvider/ProviderName"),
    )
    return tiled_part(source, wanted, find_sample(matrix.level, url_of, called, wanted, client))


def _capabilities_url(address: Address) -> str:
    if urlsplit(address.url).path.lower().endswith(".xml"):
        return with_query(address.url, _OURS)
    return with_query(address.url, _OURS, service="WMTS", request="GetCapabilities", version="1.0.0")


def _layer_of(root: Element, name: str, address: Address) -> Element:
    layers = root.findall("Contents/Layer")
    for layer in layers:
        if text_of(layer, "Identifier") == name:
            return layer
    found = names_in(text_of(layer, "Identifier") for layer in layers)
    raise SceneError(f"{address.shown}: there is no layer {name[:60]!r}", f"there are {found}")


def _matrices_of(root: Element, layer: Element, wanted: str, address: Address) -> tuple[str, list[_Matrix]]:
    """The name and the levels of the layer's tile matrix set in EPSG:3857."""
    linked = [name for name in texts_of(layer, "TileMatrixSetLink/TileMatrixSet") if wanted in ("", name)]
    for found in root.findall("Contents/TileMatrixSet"):
        if text_of(found, "Identifier") in linked and is_web_mercator(text_of(found, "SupportedCRS")):
            matrices = [_matrix_of(entry, address) for entry in found.findall("TileMatrix")]
            if matrices:
                return text_of(found, "Identifier"), matrices
    raise SceneError(f"{address.shown}: the layer has no tiles in EPSG:3857", "is there a WMS, or XYZ tiles?")


def _matrix_of(entry: Element, address: Address) -> _Matrix:
    try:
        left, top = map(float, text_of(entry, "TopLeftCorner").split())
        pixel = float(text_of(entry, "ScaleDenominator")) * _PIXEL_M
        tags = ("TileWidth", "TileHeight", "MatrixWidth", "MatrixHeight")
        sizes = [int(text_of(entry, tag)) for tag in tags]
    except ValueError as e:
        raise SceneError(f"{address.shown}: a tile matrix has no place or size", "use another service") from e
    width, height, cols, rows = sizes
    is_usable = math.isfinite(left + top) and 1e-4 < pixel < 1e6 and width == height and 16 <= width <= 2048
    if not is_usable or width % 16 or not (0 < cols <= 2**30 and 0 < rows <= 2**30):
        raise SceneError(f"{address.shown}: a tile matrix is not usable", "tiles are squares, as 256 x 256")
    return _Matrix(text_of(entry, "Identifier"), Level(left, top, pixel, width, cols, rows))


def _style_of(layer: Element) -> str:
    styles = layer.findall("Style")
    first = next((s for s in styles if s.get("isDefault") == "true"), styles[0] if styles else None)
    return text_of(first, "Identifier") or "default"


def _dimensions_of(layer: Element) -> dict[str, str]:
    """Other things that a tile is asked for by, as time, with their defaults."""
    entries = layer.findall("Dimension")
    return {text_of(entry, "Identifier").lower(): text_of(entry, "Default") for entry in entries}


def _by_template(
    address: Address, layer: Element, kind: str, values: dict[str, str]
) -> Callable[[int, int], str] | None:
    """The addresses of tiles as the layer spells them out; None where it does not."""
    for entry in layer.findall("ResourceURL"):
        if entry.get("resourceType") == "tile" and entry.get("format", kind) == kind:
            template = urljoin(address.url, entry.get("template", ""))
            strange = {name.lower() for name in _PLACE.findall(template)} - {*values, "tilerow", "tilecol"}
            if strange:
                raise SceneError(f"{address.shown}: tiles are asked for by {strange}", "use another service")
            return partial(_filled, template, values)
    return None


def _filled(template: str, values: dict[str, str], row: int, col: int) -> str:
    known = values | {"tilerow": str(row), "tilecol": str(col)}
    return _PLACE.sub(lambda found: quote(known[found[1].lower()], safe=":"), template)


def _by_query(address: Address, name: str, kind: str, values: dict[str, str]) -> Callable[[int, int], str]:
    """The addresses of tiles as GetTile asks for them."""

    def url_of(row: int, col: int) -> str:
        return with_query(
            address.url, (*_OURS, *values), service="WMTS", request="GetTile", version="1.0.0", layer=name,
            format=kind, **values, tilerow=str(row), tilecol=str(col),
        )  # fmt: skip

    return url_of
