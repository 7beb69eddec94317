"""STAC items on a server: which of their assets are the scenes, and which of these an area meets."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urljoin

import shapely

from georoads.errors import SceneError
from georoads.remote.address import Address, Kind, is_address
from georoads.remote.client import Answer, Client
from georoads.remote.lattice import HALF_TURN
from georoads.remote.part import Wanted
from georoads.scene.index import links_of, parse_features
from georoads.text import printable, without_secrets

DOCUMENT_BYTES = 16_000_000
"""The most that a list of items may have."""
_MOST_ITEMS = 500
_RADIUS = HALF_TURN / math.pi


def is_json(answer: Answer) -> bool:
    """Whether what came begins as an item does."""
    return answer.content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{")


def assets_of(address: Address, begin: Answer, wanted: Wanted, client: Client) -> list[tuple[Address, str]]:
    """The addresses of the scenes that items name, each with whom it is to be credited to.

    Args:
        address: of an item, or of a collection of items.
        begin: its first bytes.
        wanted: items that do not meet its area are passed over.
        client: fetches the rest.

    Raises:
        SceneError: it is neither; it names no scene in the area, or too many; a scene is no web address.
    """
    content = begin.content
    if len(content) < begin.total:
        content = client.get(begin.url, address.shown, DOCUMENT_BYTES).content
    features = parse_features(PurePosixPath(address.name), content)
    near = [item for item in features if _may_meet(item.get("bbox"), wanted)]
    if not near:
        raise SceneError(f"{address.shown}: none of {len(features)} items meets the area", "check --aoi")
    if len(near) > _MOST_ITEMS:
        raise SceneError(
            f"{address.shown}: {len(near)} items meet the area, more than {_MOST_ITEMS}", "a smaller --aoi"
        )
    found = []
    for item, link in zip(near, links_of(PurePosixPath(address.name), near), strict=True):
        url = urljoin(begin.url, link)
        shown = printable(without_secrets(url))
        if not is_address(url):
            raise SceneError(f"{address.shown}: a scene lies at {shown[:200]}", "only https:// is fetched")
        found.append((Address(Kind.FILE, shown, url), _credit(item)))
    return found


def _may_meet(box: Any, wanted: Wanted) -> bool:
    """Whether an item's bounds meet the area; True where they are not told."""
    if wanted.polygon is None or not isinstance(box, list) or len(box) not in (4, 6):
        return True
    if not all(isinstance(v, int | float) and math.isfinite(v) for v in box):
        return True
    west, south, east, north = (*box[:2], *box[len(box) // 2 :][:2])
    if west > east:  # across the antimeridian: its file will say
        return True
    plane = [_RADIUS * math.radians(west), _mercator(south), _RADIUS * math.radians(east), _mercator(north)]
    return bool(shapely.intersects(wanted.polygon, shapely.box(*plane)))


def _mercator(lat: float) -> float:
    return _RADIUS * math.asinh(math.tan(math.radians(min(85.06, max(-85.06, lat)))))


def _credit(item: dict[str, Any]) -> str:
    """Providers and licence, as an item states them."""
    fields = item.get("properties")
    fields = fields if isinstance(fields, dict) else {}
    providers = fields.get("providers")
    names = [p.get("name") for p in providers if isinstance(p, dict)] if isinstance(providers, list) else []
    said = [*names, fields.get("attribution"), fields.get("license")]
    return printable(", ".join(text[:200] for text in said if isinstance(text, str) and text))
