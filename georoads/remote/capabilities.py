"""What a WMS or WMTS says of itself: XML that is looked through, and never handed to GDAL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree

from georoads.errors import SceneError
from georoads.remote.address import Address
from georoads.remote.client import Client
from georoads.text import printable

XML_BYTES = 32_000_000
"""The most that capabilities may have."""
_WEB_MERCATOR = re.compile(r"(?:^|[:/])(?:3857|900913|102100|102113)$")
_DOCTYPE = re.compile(r"<!DOCTYPE[^\[<>]*>")
"""A document type without definitions of its own, as WMS 1.1.1 has one."""
_HINT = "give the address of the service, with layers=NAME"
Element = ElementTree.Element


def capabilities(address: Address, url: str, client: Client) -> Element:
    """The root of a service's capabilities, its names without namespaces.

    Args:
        address: as it was typed, for messages.
        url: to ask.
        client: the door.

    Raises:
        SceneError: there are none; they define entities, or are no XML.
    """
    what = f"what {address.shown} says of itself"
    answer = client.get(url, what, XML_BYTES)
    try:
        text = answer.content.decode("utf-8-sig")
        text = _DOCTYPE.sub("", text[:2000]) + text[2000:]
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise SceneError(f"{what} defines entities", _HINT)
        root = ElementTree.fromstring(text)
    except (ValueError, ElementTree.ParseError) as e:
        raise SceneError(f"{what} is no XML that can be read", _HINT) from e
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    return root


def is_web_mercator(crs: str) -> bool:
    """Whether the name of a CRS is one of those of EPSG:3857.

    Example:
        >>> [is_web_mercator(c) for c in ("urn:ogc:def:crs:EPSG:6.18:3:3857", "EPSG:900913", "EPSG:13857")]
        [True, True, False]
    """
    return _WEB_MERCATOR.search(crs.strip()) is not None


def text_of(element: Element | None, path: str) -> str:
    """The text of the first element at a path, in one line; "" where there is none."""
    found = None if element is None else element.find(path)
    return " ".join((found.text or "").split()) if found is not None else ""


def texts_of(element: Element, path: str) -> list[str]:
    """The texts of all elements at a path."""
    return [(found.text or "").strip() for found in element.iterfind(path)]


def with_query(url: str, left_out: tuple[str, ...], **added: str) -> str:
    """An address with another query: what is asked for is ours, what else stands there the user's.

    Args:
        url: as it was typed.
        left_out: names, in lower case, that are ours to set.
        added: what they are set to.
    """
    parts = urlsplit(url)
    kept = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if k.lower() not in left_out]
    query = urlencode([*kept, *added.items()], safe="/:,{}")
    return urlunsplit((parts.scheme, parts.netloc, parts.path, query, ""))


def choose_format(offered: list[str], typed: str, address: Address) -> str:
    """The format of the pictures: as typed, else PNG, which can be transparent, else JPEG.

    Args:
        offered: by the service.
        typed: by the user; "" for none.
        address: for messages.

    Raises:
        SceneError: none of them is offered.
    """
    for kind in (typed,) if typed else ("image/png", "image/png32", "image/webp", "image/jpeg", "image/jpg"):
        if kind in offered or (typed and not offered):
            return kind
    shown = ", ".join(printable(kind[:40]) for kind in offered[:8])
    raise SceneError(
        f"{address.shown} offers {shown or 'no pictures'}", "format=image/png or image/jpeg is read"
    )


def names_in(found: Iterator[str]) -> str:
    """Names that were found, for a message."""
    return ", ".join(printable(name[:60]) for name, _ in zip(found, range(12), strict=False)) or "none"
