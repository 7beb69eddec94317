"""Pictures of a WMS: one GetMap for each tile of a lattice, composed by us (OGC 06-042, WMS 1.3.0)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
from georoads.remote.lattice import middle_latitude, nearest_zoom, web_level
from georoads.remote.part import Wanted
from georoads.remote.tiled import TiledPart, TileSource, area_of, find_sample, tiled_part

_TILE_PX = 512
_OURS = (
    "service", "request", "version", "layer", "layers", "styles", "crs", "srs", "bbox", "width", "height",
    "format", "transparent",
)  # fmt: skip
"""Parameters that are ours to set."""


def plan_wms(address: Address, wanted: Wanted, client: Client) -> TiledPart:
    """The pictures of a WMS's layers that an area needs.

    Args:
        address: of the service, with ``layers=``; ``styles=``, ``format=`` and others may stand there too.
        wanted: area, pixel size and limits.
        client: asks what the service offers, and for a sample.

    Raises:
        SceneError: there is no such layer, or none in EPSG:3857; there is no area, or it needs too much.
    """
    polygon = area_of(address, wanted)
    query = address.query
    names = [name for name in query.get("layers", query.get("layer", "")).split(",") if name]
    asking = {"service": "WMS", "request": "GetCapabilities", "version": "1.3.0"}
    root = capabilities(address, with_query(address.url, _OURS, **asking), client)
    chains = [_chain_of(root, name, address) for name in names]
    _refuse_other_planes(address, names, chains)
    version = "1.1.1" if root.get("version", "1.3.0").startswith("1.1") else "1.3.0"
    kind = choose_format(texts_of(root, "Capability/Request/GetMap/Format"), query.get("format", ""), address)
    side = _side_of(root, wanted)
    zoom = wanted.params.zoom
    if not isinstance(zoom, int):
        zoom = nearest_zoom(middle_latitude(polygon), wanted.model_gsd_m, 256)
    across = -(-(256 << zoom) // side)
    level = replace(web_level(zoom, 256), tile_px=side, cols=across, rows=across)

    def url_of(row: int, col: int) -> str:
        box = ",".join(f"{v:.6f}" for v in level.bounds(row, col))
        reference = {"crs" if version == "1.3.0" else "srs": "EPSG:3857"}
        return with_query(
            address.url, _OURS, service="WMS", request="GetMap", version=version, layers=",".join(names),
            styles=query.get("styles", ""), **reference, bbox=box, width=str(side), height=str(side),
            format=kind, transparent="FALSE" if "jp" in kind else "TRUE",
        )  # fmt: skip

    called = f"picture {{row}}/{{col}} of {address.origin}"
    source = TileSource(
        address=address,
        kind="WMS",
        level=level,
        level_name=f"zoom {zoom}",
        url_of=url_of,
        called=called,
        hosts=(str(address.origin),),
        attribution=", ".join(dict.fromkeys(filter(None, map(_credit, chains)))),
    )
    return tiled_part(source, wanted, find_sample(level, url_of, called, wanted, client))


def _refuse_other_planes(address: Address, names: list[str], chains: list[list[Element]]) -> None:
    """Refuse layers that are not offered in EPSG:3857."""
    for name, chain in zip(names, chains, strict=True):
        crss = [crs for layer in chain for tag in ("CRS", "SRS") for crs in texts_of(layer, tag)]
        if not any(is_web_mercator(part) for crs in crss for part in crs.split()):
            raise SceneError(
                f"{address.shown}: the layer {name[:60]} is not offered in EPSG:3857", "is there a WMTS?"
            )


def _side_of(root: Element, wanted: Wanted) -> int:
    """Pixels along a picture that the service gives."""
    side = wanted.params.tile_px or _TILE_PX
    limits = [text_of(root, f"Service/{tag}") for tag in ("MaxWidth", "MaxHeight")]
    most = min(int(limit) if limit.isdecimal() else side for limit in limits)
    return side if most >= side else 256


def _chain_of(root: Element, name: str, address: Address) -> list[Element]:
    """The layer of a name and those above it, from which it inherits.

    Raises:
        SceneError: there is none.
    """
    for chain in _layers(root.find("Capability"), []):
        if text_of(chain[-1], "Name") == name:
            return chain
    found = (text_of(chain[-1], "Name") for chain in _layers(root.find("Capability"), []))
    raise SceneError(
        f"{address.shown}: there is no layer {name[:60]!r}", f"there are {names_in(filter(None, found))}"
    )


def _layers(above: Element | None, chain: list[Element]) -> Iterator[list[Element]]:
    """Each layer below an element, behind those that it lies in."""
    for layer in [] if above is None else above.findall("Layer"):
        yield [*chain, layer]
        yield from _layers(layer, [*chain, layer])


def _credit(chain: list[Element]) -> str:
    """Whom a layer is to be credited to."""
    return next((said for layer in reversed(chain) if (said := text_of(layer, "Attribution/Title"))), "")
