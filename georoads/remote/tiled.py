"""Scenes that are put together from pictures on a lattice: tiles of web maps, of WMTS, answers of WMS."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Window
from georoads.remote.address import Address
from georoads.remote.client import Answer, Client
from georoads.remote.hosts import origin_of
from georoads.remote.lattice import (
    MERCATOR,
    Level,
    middle_latitude,
    nearest_zoom,
    tiles_for,
    tiles_met,
    web_level,
)
from georoads.remote.part import Tell, Told, Wanted
from georoads.remote.picture import read_picture
from georoads.remote.pieces import Pieces
from georoads.remote.together import asked_together

TILE_BYTES = 8_000_000
"""The most that a tile may have."""
_USUAL_PX = 256
_NO_AREA_HINT = "--aoi AREA.geojson, or --aoi west,south,east,north in degrees, says where"


@dataclass(frozen=True)
class Tile:
    """A tile of a level: its row from the north and its column from the west, and its address."""

    row: int
    col: int
    url: str = field(repr=False)

    @property
    def key(self) -> str:
        """By which it is kept."""
        return f"{self.row}/{self.col}"


@dataclass(frozen=True, eq=False)
class TiledPart:
    """A scene in tiles.

    Attributes:
        about: what is said of it.
        level: the lattice.
        window: of tiles.
        met: (rows, cols) bool, those of the window that the area meets.
        url_of: the address of a tile, by row and column.
        called: what a tile is called in messages, as "tile 18/{col}/{row} of HOST".
        seen: tiles that have come already, by key.
    """

    about: Told
    level: Level
    window: Window
    met: NDArray[np.bool_]
    url_of: Callable[[int, int], str] = field(repr=False)
    called: str = "tile {row}/{col}"
    seen: dict[str, bytes] = field(default_factory=dict, repr=False)

    @property
    def told(self) -> Told:
        """What is said of it."""
        return self.about

    @cached_property
    def tiles(self) -> list[Tile]:
        """All that are wanted, row by row."""
        places = np.argwhere(self.met) + np.array([self.window.row, self.window.col])
        return [Tile(row, col, self.url_of(row, col)) for row, col in places.tolist()]

    def fetch(self, client: Client, pieces: Pieces, key: str, tell: Tell) -> None:
        """Bring the tiles that have not come yet; each is decoded before it is kept.

        Args:
            client: the door.
            pieces: where they are kept.
            key: how the names of its pieces begin.
            tell: told of each.

        Raises:
            SceneError: a server refuses, or sends what is no tile.
        """
        for tile in self.tiles:
            if tile.key in self.seen and key + tile.key not in pieces:
                pieces.put(key + tile.key, self.seen[tile.key])
        missing = [tile for tile in self.tiles if pieces.get(key + tile.key) is None]
        tell(len(self.tiles) - len(missing))

        def ask(tile: Tile) -> Answer:
            return client.get(tile.url, self._name_of(tile), TILE_BYTES)

        for tile, answer in asked_together(client, ask, missing, pieces.note):
            if not answer.is_missing:
                read_picture(answer.content, self._name_of(tile), self.level.tile_px)
            pieces.put(key + tile.key, answer.content)
            tell(1)

    def write(self, pieces: Pieces, key: str, target: Path) -> tuple[str, ...]:
        """Make a GeoTIFF of the tiles: red, green, blue and alpha; what shows nothing takes no room.

        Args:
            pieces: where they are kept.
            key: how the names of its pieces begin.
            target: the file.

        Raises:
            SceneError: the server has none of the tiles.
        """
        import rasterio
        from rasterio.windows import Window as RasterioWindow

        side, lacking = self.level.tile_px, 0
        grid = self.level.grid(self.window)
        with rasterio.open(
            target, "w", driver="GTiff", width=grid.width, height=grid.height, count=4, dtype="uint8",
            crs=MERCATOR, transform=grid.transform, tiled=True, blockxsize=side, blockysize=side,
            compress="deflate", predictor=2, zlevel=4, interleave="pixel", photometric="rgb", alpha="yes",
            bigtiff="if_safer", sparse_ok=True,
        ) as out:  # fmt: skip
            out.update_tags(**self.about.tags)
            for tile in self.tiles:
                content = pieces.get(key + tile.key)
                if not content:
                    lacking += 1
                    continue
                x, y = (tile.col - self.window.col) * side, (tile.row - self.window.row) * side
                rgba = read_picture(content, self._name_of(tile), side)
                if rgba[3].any():
                    out.write(rgba, window=RasterioWindow(x, y, side, side))
        if lacking == len(self.tiles):
            raise SceneError(
                f"{self.about.source}: the server has none of the {lacking} tiles",
                "try a lower --zoom; or is there imagery of the area?",
            )
        return (f"{lacking} of {len(self.tiles)} tiles are missing at the server",) if lacking else ()

    def _name_of(self, tile: Tile) -> str:
        return self.called.format(row=tile.row, col=tile.col)


@dataclass(frozen=True, kw_only=True)
class TileSource:
    """A server's tiles at the level that was chosen.

    Attributes:
        address: as it was typed.
        kind: for people.
        level: the lattice.
        level_name: what the level is called.
        url_of: the address of a tile, by row and column.
        called: what a tile is called, as for ``TiledPart``.
        hosts: that will be asked.
        attribution: whom the imagery is to be credited to.
    """

    address: Address
    kind: str
    level: Level
    level_name: str
    url_of: Callable[[int, int], str] = field(repr=False)
    called: str
    hosts: tuple[str, ...]
    attribution: str = ""


def area_of(address: Address, wanted: Wanted) -> shapely.Geometry:
    """The area on the plane, without which nobody knows what of a map is wanted.

    Raises:
        SceneError: there is none.
    """
    if wanted.polygon is None:
        raise SceneError(f"{address.shown} shows more than can be fetched", _NO_AREA_HINT)
    return wanted.polygon


def plan_tiles(address: Address, wanted: Wanted, client: Client) -> TiledPart:
    """The tiles of a web map that an area needs: the level, how many, and how large by a sample.

    Args:
        address: with places for a tile's zoom, column and row.
        wanted: area, pixel size and limits.
        client: asks for the sample.

    Raises:
        SceneError: there is no area, or it needs too many tiles; what comes is no tile.
    """
    polygon, params = area_of(address, wanted), wanted.params
    lat = middle_latitude(polygon)
    tile_px = params.tile_px or _USUAL_PX
    zoom = _zoom_of(wanted, lat, tile_px)
    seen = find_sample(web_level(zoom, tile_px), *_of_zoom(address, zoom), wanted, client)
    if seen and not params.tile_px:
        tile_px, first = seen.side, zoom
        zoom = _zoom_of(wanted, lat, tile_px)
        seen = seen if first == zoom else None
    url_of, called = _of_zoom(address, zoom)
    source = TileSource(
        address=address,
        kind="tiles",
        level=web_level(zoom, tile_px),
        level_name=f"zoom {zoom}",
        url_of=url_of,
        called=called,
        hosts=tuple(dict.fromkeys(str(origin_of(url)) for url in address.hosts)),
    )
    return tiled_part(source, wanted, seen)


def tiled_part(source: TileSource, wanted: Wanted, seen: Sample | None = None) -> TiledPart:
    """The scene that a server's tiles make in the area.

    Args:
        source: the tiles.
        wanted: area, pixel size and limits.
        seen: a tile that has come, by which the size of all is told.

    Raises:
        SceneError: the area needs too many tiles, or there are none.
    """
    polygon, level = area_of(source.address, wanted), source.level
    window, count = tiles_for(level, polygon)
    _refuse_too_many(count, source.level_name, wanted)
    met = tiles_met(level, window, polygon)
    grid, gsd_m = level.grid(window), level.gsd_m(middle_latitude(polygon))
    host = re.sub(r"[^A-Za-z0-9.-]", "_", source.address.name)
    about = Told(
        name=f"{host}-{source.level_name.replace(' ', '')}.tif",
        source=f"{source.address.shown} at {source.level_name}",
        kind=source.kind,
        pieces=int(met.sum()),
        unit="tiles",
        size_mb=len(seen.content) * int(met.sum()) / 1e6 if seen else None,
        width=grid.width,
        height=grid.height,
        gsd_m=gsd_m,
        hosts=source.hosts,
        attribution=wanted.params.attribution or source.attribution,
        notes=(f"{source.level_name}: pixels of {gsd_m:.2f} m, the model's are {wanted.model_gsd_m:g} m",),
        identity={
            "address": source.address.shown,
            "level": [source.level_name, level.left, level.top, level.pixel, level.tile_px],
            "tiles": [window.row, window.col, window.height, window.width],
            "area": hashlib.sha256(np.packbits(met).tobytes()).hexdigest(),
        },
    )
    return TiledPart(
        about, level, window, met, source.url_of, source.called, {seen.key: seen.content} if seen else {}
    )


@dataclass(frozen=True)
class Sample:
    """A tile that has come: its key, content and pixels along a side."""

    key: str
    content: bytes = field(repr=False)
    side: int


def _of_zoom(address: Address, zoom: int) -> tuple[Callable[[int, int], str], str]:
    """The addresses of the tiles of a level, and what they are called."""
    return (
        lambda row, col: address.tile(zoom, col, row),
        f"tile {zoom}/{{col}}/{{row}} of {address.origin}",
    )


def _zoom_of(wanted: Wanted, lat: float, tile_px: int) -> int:
    zoom = wanted.params.zoom
    return zoom if isinstance(zoom, int) else nearest_zoom(lat, wanted.model_gsd_m, tile_px)


def find_sample(
    level: Level, url_of: Callable[[int, int], str], called: str, wanted: Wanted, client: Client
) -> Sample | None:
    """A tile from the middle of the area, or from its quarters; None where there is none.

    Args:
        level: the lattice; its tiles may turn out to have another number of pixels, where nobody states it.
        url_of: the address of a tile, by row and column.
        called: what a tile is called, as for ``TiledPart``.
        wanted: the area, and the number of pixels where it is stated.
        client: the door.

    Raises:
        SceneError: the server sends no tile; the area needs far too many.
    """
    window, count = tiles_for(level, wanted.polygon)
    _refuse_too_many(count // 4, "this level", wanted)  # where tiles are larger, it will be so many
    for share_y, share_x in ((0.5, 0.5), (0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)):
        row, col = window.row + int(share_y * window.height), window.col + int(share_x * window.width)
        what = called.format(row=row, col=col)
        answer = client.get(url_of(row, col), what, TILE_BYTES)
        if not answer.is_missing:
            side = read_picture(answer.content, what, wanted.params.tile_px).shape[1]
            return Sample(f"{row}/{col}", answer.content, side)
    return None


def _refuse_too_many(count: int, level_name: str, wanted: Wanted) -> None:
    most = wanted.params.max_tiles
    if count > most:
        raise SceneError(
            f"the area needs {count:,} tiles at {level_name}, more than {most:,}",
            f"a smaller --aoi, or a lower --zoom; --set remote.max_tiles={count} takes them",
        )
