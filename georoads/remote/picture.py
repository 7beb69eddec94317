"""Tiles as servers send them, PNG, JPEG or WebP of bytes, as red, green, blue and alpha."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.scene.guard import LOCAL_OPTIONS, gdal_errors
from georoads.scene.quiet import without
from georoads.scene.sources import SIGNATURES
from georoads.text import printable

TILE_SIZES = tuple(range(16, 2049, 16))
"""Pixels along a tile that are taken: blocks of a TIFF are as large."""
_DRIVERS = ("PNG", "JPEG", "WEBP")
_TEXT_HINT = "look at what the server says there; is the address that of tiles? is a key needed?"


def read_picture(content: bytes, what: str, tile_px: int = 0) -> NDArray[np.uint8]:
    """(4, H, W) uint8 of a picture: red, green, blue and alpha, which is 0 where there is nothing.

    Args:
        content: the file.
        what: it is, for messages.
        tile_px: pixels along each side that it must have; 0: any square of TILE_SIZES.

    Raises:
        SceneError: it is no such picture, or damaged.
    """
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning
    from rasterio.io import MemoryFile

    driver = next((d for begins, d in SIGNATURES.items() if content.startswith(begins) and d in _DRIVERS), "")
    if not driver:
        raise SceneError(f"{what} is no picture: {_said_in(content)}", _TEXT_HINT)
    if not _is_whole(content, driver):
        raise SceneError(f"{what} is damaged: its end is missing", "go on later with --resume")
    try:
        with (
            rasterio.Env(**LOCAL_OPTIONS),
            without(NotGeoreferencedWarning),
            MemoryFile(content) as file,
            file.open(driver=driver) as source,
        ):
            _check_shape(source, what, tile_px)
            return _as_rgba(source)
    except gdal_errors() as e:
        raise SceneError(
            f"{what} is damaged: {str(e)[:200]}", "go on with --resume; or try another level"
        ) from e


def _is_whole(content: bytes, driver: str) -> bool:
    """Whether a file has its end: GDAL shows what there is of some that were cut off."""
    if driver == "PNG":
        return b"IEND" in content[-64:]
    if driver == "JPEG":
        return b"\xff\xd9" in content[-4096:]  # more may follow, as a mask
    return len(content) >= 8 + int.from_bytes(content[4:8], "little")


def _check_shape(source: Any, what: str, tile_px: int) -> None:
    """Refuse, before anything is decoded, what is not as large as a tile, or no bytes."""
    if set(source.dtypes) != {"uint8"} or not 1 <= source.count <= 4:
        raise SceneError(
            f"{what} has {source.count} bands of {source.dtypes[0]}, not up to four of bytes",
            "ask the server for PNG or JPEG",
        )
    size = (source.width, source.height)
    if tile_px and size != (tile_px, tile_px):
        raise SceneError(
            f"{what} is {size[0]} x {size[1]} pixels, not {tile_px} x {tile_px}",
            f"--set remote.tile_px={size[0]}, where all tiles are so",
        )
    if size[0] != size[1] or size[0] not in TILE_SIZES:
        raise SceneError(f"{what} is {size[0]} x {size[1]} pixels", "tiles are squares, as 256 x 256")


def _as_rgba(source: Any) -> NDArray[np.uint8]:
    from rasterio.enums import ColorInterp

    values = source.read()
    if source.colorinterp[0] == ColorInterp.palette:
        table = source.colormap(1)
        colours = np.array([table.get(i, (0, 0, 0, 0)) for i in range(256)], dtype=np.uint8)
        return np.ascontiguousarray(np.moveaxis(colours[values[0]], -1, 0))
    rgb = values[:3] if source.count >= 3 else np.repeat(values[:1], 3, axis=0)
    alpha = values[-1] if source.count in (2, 4) else source.dataset_mask()
    rgba: NDArray[np.uint8] = np.concatenate([rgb, alpha[None]])
    rgba[:3, alpha == 0] = 0  # what is behind nothing differs from server to server
    return rgba


def _said_in(content: bytes) -> str:
    """The words of a service's exception, or how a text or other bytes begin, for a message."""
    begin = content[:2000].decode("utf-8", "ignore").strip()
    words = " ".join(re.sub(r"<[^>]*>?", " ", begin).split())
    if "Exception" in begin and words:
        return f"it says {printable(words[:200])!r}"
    start = " ".join(begin[:60].split())
    if start and start.isprintable():
        return f"it begins {start!r}"
    return f"it begins with {content[:8].hex() or 'nothing'}"
