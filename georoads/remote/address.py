"""What kind of imagery an address names, told by the address alone, and how it is spelled out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import PurePosixPath
from urllib.parse import parse_qsl, urlsplit

from georoads.errors import SceneError
from georoads.remote.hosts import Origin, origin_of
from georoads.text import printable, without_secrets

_TILE = re.compile(r"\{(-?[a-z]+)(?::([^{}]*))?\}")
"""A place in the address of a tile: {z}, {x}, {y}, {-y}, {q}, {s}, {switch:a,b}."""
_KEY = re.compile(r"\$\{([A-Za-z_]\w*)\}")
"""A value of the environment: it never stands in anything that is printed or written."""
_KNOWN = ("z", "zoom", "x", "y", "-y", "q", "s", "switch")
_HOSTS = ("a", "b", "c")
"""What {s} stands for, where the address does not say it."""
_TILE_HINT = "an address of tiles has {z}, {x} and {y} (or {-y}), or {q}; docs/remote.md"


class Kind(Enum):
    """What an address leads to."""

    TILES = "tiles"
    WMS = "WMS"
    WMTS = "WMTS"
    FILE = "file"
    """A GeoTIFF, or STAC items: told by the first bytes."""


@dataclass(frozen=True)
class Address:
    """Imagery on a server.

    Attributes:
        kind: what it leads to.
        shown: as it was typed, without secrets: what is printed and kept.
        url: as it is asked for; it may hold secrets.
    """

    kind: Kind
    shown: str
    url: str = field(repr=False)

    @property
    def hosts(self) -> tuple[str, ...]:
        """An address on each of the hosts that were typed."""
        if self.kind is not Kind.TILES:
            return (self.url,)
        return tuple(dict.fromkeys(self.tile(0, n, 0) for n in range(len(_choices(self.url)))))

    @property
    def origin(self) -> Origin:
        """The first of these hosts."""
        return origin_of(self.hosts[0])

    @property
    def query(self) -> dict[str, str]:
        """What stands behind the question mark, by name in lower case."""
        return {name.lower(): value for name, value in parse_qsl(urlsplit(self.url).query)}

    @property
    def name(self) -> str:
        """By which files and layers call it: the file's name, or the host's."""
        last = PurePosixPath(urlsplit(self.url).path).name if self.kind is Kind.FILE else ""
        plain = re.sub(r"[^A-Za-z0-9_.-]", "_", last or self.origin.host)[:80].lstrip(".-")
        return plain or "scene"

    def tile(self, zoom: int, col: int, row: int) -> str:
        """The address of a tile.

        Args:
            zoom: level; at 0 one tile is the world.
            col: of the tile, from the west.
            row: of the tile, from the north.

        Example:
            >>> parse_address("https://{s}.example.org/{q}.png").tile(3, 3, 5)
            'https://c.example.org/213.png'
            >>> parse_address("https://example.org/{z}/{x}/{-y}.jpg").tile(3, 3, 5)
            'https://example.org/3/3/2.jpg'
        """
        hosts = _choices(self.url)
        values = {
            "z": str(zoom), "zoom": str(zoom), "x": str(col), "y": str(row), "-y": str(2**zoom - 1 - row),
            "q": quadkey(zoom, col, row), "s": hosts[(col + row) % len(hosts)],
            "switch": hosts[(col + row) % len(hosts)],
        }  # fmt: skip
        return _TILE.sub(lambda found: values[found[1]], self.url)


def is_address(text: str | os.PathLike[str]) -> bool:
    """Whether a text is the address of a web server, and no name of a file."""
    return re.match(r"https?:/+", os.fspath(text), re.IGNORECASE) is not None


def parse_address(text: str, keys: Mapping[str, str] | None = None) -> Address:
    """What an address names; nothing is asked for.

    Args:
        text: as it was typed; ``${NAME}`` in it stands for a value of ``keys``.
        keys: the environment.

    Raises:
        SceneError: it names a key that is not set, or places of a tile that are not known.

    Example:
        >>> parse_address("https://example.org/wms?layers=ortho&token=0af3").kind
        <Kind.WMS: 'WMS'>
        >>> parse_address("https://example.org/a.tif?sig=0af3").shown
        'https://example.org/a.tif'
    """
    shown = printable(without_secrets(text))
    bare = _KEY.sub("", text)
    url = _KEY.sub(lambda found: _value_of(found[1], keys or {}), text)
    origin_of(_TILE.sub("a", bare))  # refuses what is no web address
    names = [found[1] for found in _TILE.finditer(bare)]
    if names or "{" in bare or "}" in bare:
        return Address(_checked_tiles(shown, bare, names), shown, url)
    address = Address(Kind.FILE, shown, url)
    query = {name: value.lower() for name, value in address.query.items()}
    if "layers" in query or "layer" in query:
        is_wmts = query.get("service") == "wmts" or ("service" not in query and "wmts" in url.lower())
        kept = ", ".join(query.get("layers", query.get("layer", "")).split(","))
        named = f"{shown}?layers={printable(without_secrets(kept))[:200]}"
        return Address(Kind.WMTS if is_wmts else Kind.WMS, named, url)
    return address


def quadkey(zoom: int, col: int, row: int) -> str:
    """A tile's place as Bing's maps write it: a digit for each level, of which 1 is east and 2 is south.

    Args:
        zoom: level.
        col: from the west.
        row: from the north.
    """
    return "".join(str((col >> level & 1) + 2 * (row >> level & 1)) for level in range(zoom - 1, -1, -1))


def _checked_tiles(shown: str, text: str, names: list[str]) -> Kind:
    """See that a tile's place is told by the address, and nothing else is left open in it."""
    strange = [name for name in names if name not in _KNOWN]
    rest = _TILE.sub("", text)
    if strange or "{" in rest or "}" in rest:
        raise SceneError(f"{shown}: {{{strange[0] if strange else '…'}}} is not known", _TILE_HINT)
    has = set(names)
    if "q" not in has and not (has & {"z", "zoom"} and "x" in has and has & {"y", "-y"}):
        raise SceneError(f"{shown} does not say where a tile is", _TILE_HINT)
    return Kind.TILES


def _choices(url: str) -> tuple[str, ...]:
    """The names of hosts among which an address leaves the choice."""
    switch = re.search(r"\{switch:([^{}]+)\}", url)
    if switch:
        return tuple(part.strip() for part in switch[1].split(","))
    return _HOSTS if "{s}" in url else ("",)


def _value_of(name: str, keys: Mapping[str, str]) -> str:
    value = keys.get(name, "").strip()
    if not value:
        raise SceneError(
            f"the address asks for ${{{name}}}, which is not set in the environment",
            f"export {name}=…, and put the address in single quotes",
        )
    if any(c.isspace() or not c.isprintable() or c in "{}" for c in value):
        raise SceneError(f"${{{name}}} holds spaces, brackets or signs that no address has", f"check {name}")
    return value
