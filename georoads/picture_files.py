"""Picture files, read and written under any name.

OpenCV opens files by itself too, but on Windows none whose name leaves the system's code page. Here it is
given bytes, never names. Orientation tags are ignored, as GDAL ignores them: a mask has none, and a picture
that is turned no longer lies under it.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

_ORIENTATION = 274
"""The TIFF tag that says how a picture is to be turned."""


def read_pixels(path: Path, flags: int) -> NDArray[Any] | None:
    """The pixels of a picture file as they are stored, never turned; None where it cannot be decoded.

    Args:
        path: of a file in any format that OpenCV decodes.
        flags: OpenCV's ``IMREAD_COLOR``, ``IMREAD_UNCHANGED``, …; values become bytes where it says so.

    Returns:
        (H, W) or, in colours, (H, W, 3 or 4): blue, green, red, alpha.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if content.startswith(b"\xff\xd8"):
        content += b"\xff\xd9"  # of a JPEG that was cut off all that is there is decoded, as from a file
    content = _without_tiff_orientation(content)
    flags |= cv2.IMREAD_IGNORE_ORIENTATION
    return cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None


def _without_tiff_orientation(content: bytes) -> bytes:
    """The file with its first picture declared upright, if it is a TIFF: OpenCV turns TIFFs unasked."""
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None:
        return content
    try:
        (version,) = struct.unpack_from(f"{order}H", content, 2)
        # Version 43 is BigTIFF. Of each: place of the first directory, its length, an entry's size and value.
        first, count, size, value = ("Q", "Q", 20, 12) if version == 43 else ("I", "H", 12, 8)
        (start,) = struct.unpack_from(order + first, content, 8 if version == 43 else 4)
        (entries,) = struct.unpack_from(order + count, content, start)
        start += struct.calcsize(order + count)
        for at in range(start, start + entries * size, size):
            if struct.unpack_from(f"{order}H", content, at)[0] == _ORIENTATION:
                upright = struct.pack(f"{order}H", 1)
                return content[: at + value] + upright + content[at + value + 2 :]
    except (struct.error, OverflowError):
        pass  # a damaged TIFF: OpenCV will say so
    return content


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (H, W) grey or (H, W, 3) RGB pixels as PNG."""
    path.write_bytes(_encode(".png", pixels, []))


def encode_jpeg(rgb: NDArray[np.uint8], quality: int, *, sharp_colours: bool = False) -> bytes:
    """A JPEG file of a picture.

    Args:
        rgb: (H, W, 3) uint8.
        quality: of the compression, 0 to 100.
        sharp_colours: colours are kept for each pixel (4:4:4), not for two by two together.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    if sharp_colours:
        options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444]
    return _encode(".jpg", rgb, options)


def _encode(suffix: str, pixels: NDArray[np.uint8], options: list[int]) -> bytes:
    if pixels.ndim == 3:
        pixels = pixels[..., ::-1]
    whole, data = cv2.imencode(suffix, np.ascontiguousarray(pixels), options)
    assert whole
    return bytes(data)
