"""A drawn piece of the world, as a local file and as the tiles that a server cuts from it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from affine import Affine
from drawn_rasters import write_raster
from numpy.typing import NDArray
from web_server import Reply, Request

from georoads.remote.lattice import HALF_TURN, Level, web_level

ZOOM = 18
COL, ROW = 133_000, 86_400
"""The north-west tile of the piece: in Saxony, where pixels of zoom 18 are 0.37 m."""
TILES = 4


def drawn(side_px: int = TILES * 256) -> NDArray[np.uint8]:
    """(3, side, side) uint8: grey ground with light roads."""
    noise = np.random.default_rng(5).integers(0, 6, (side_px, side_px))
    ground = 70 + noise
    for at in (150, 420, 700, 900):
        ground[at : at + 14] = 210
        ground[:, at : at + 14] = 200
    return np.stack([ground, ground + 6, ground + 2]).astype(np.uint8)


@dataclass
class WebMap:
    """The piece, and what its server is to do.

    Attributes:
        rgb: (3, H, W) uint8 from the corner of tile (ROW, COL) of ZOOM on.
        tile_px: pixels along a tile.
        suffix: of the tiles' format.
    """

    rgb: NDArray[np.uint8]
    tile_px: int = 256
    suffix: str = "png"

    @property
    def zoom(self) -> int:
        """Tiles of twice the size are those of the level above."""
        return ZOOM - int(math.log2(self.tile_px / 256))

    @property
    def level(self) -> Level:
        return web_level(self.zoom, self.tile_px)

    @property
    def transform(self) -> Affine:
        step, tile = self.level.pixel, self.level.pixel * 256
        return Affine(step, 0, COL * tile - HALF_TURN, 0, -step, HALF_TURN - ROW * tile)

    def bounds(self, west: float, south: float, east: float, north: float) -> str:
        """Longitudes and latitudes of a part of the piece, in tiles of 256 from its upper left corner."""
        t = self.transform * Affine.scale(256)
        corners = [t * (west, south), t * (east, north)]
        degrees = [
            (math.degrees(x / 6378137.0), math.degrees(math.atan(math.sinh(y / 6378137.0))))
            for x, y in corners
        ]
        return ",".join(f"{v:.9f}" for pair in degrees for v in pair)

    def write(self, path: Path, west: int = 0, north: int = 0, east: int = TILES, south: int = TILES) -> Path:
        """The part between tiles, as a GeoTIFF."""
        part = self.rgb[:, north * 256 : south * 256, west * 256 : east * 256]
        return write_raster(
            path, part, self.transform * Affine.translation(west * 256, north * 256), "EPSG:3857"
        )

    def tile(self, zoom: int, col: int, row: int) -> bytes | None:
        """A tile as its file; None where there is none."""
        scale = 256 // self.tile_px if self.tile_px <= 256 else 1
        side = self.tile_px
        x, y = col * side - COL * 256, row * side - ROW * 256
        part = self.rgb[:, max(0, y) : y + side, max(0, x) : x + side]
        if zoom != self.zoom or min(x, y) < 0 or part.shape[1:] != (side, side) or scale != 1:
            return None
        return encoded(part, self.suffix)

    def answer(self, request: Request) -> Reply:
        """For addresses /{z}/{x}/{y}.EXT."""
        found = re.fullmatch(r"/(\d+)/(\d+)/(\d+)\.\w+(?:\?.*)?", request.path)
        content = self.tile(*map(int, found.groups())) if found else None
        if content is None:
            return Reply(b"nothing here", 404)
        return Reply(content, headers={"Content-Type": f"image/{self.suffix}"})


def encoded(rgb: NDArray[np.uint8], suffix: str) -> bytes:
    """(3 or 4, H, W) uint8 as a picture file."""
    order = [2, 1, 0, 3][: len(rgb)]
    whole, data = cv2.imencode(f".{suffix}", np.ascontiguousarray(np.moveaxis(rgb[order], 0, -1)))
    assert whole
    return bytes(data)
