"""Picture files, read and written under any name.

OpenCV opens files by itself too, but on Windows none whose name leaves the system's code page. Here it is
given bytes, never names.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def read_pixels(path: Path, flags: int) -> NDArray[np.uint8] | None:
    """The pixels of a picture file, turned as its EXIF orientation says; None where it cannot be decoded.

    Args:
        path: of a file in any format that OpenCV decodes.
        flags: OpenCV's ``IMREAD_COLOR``, ``IMREAD_GRAYSCALE`` or ``IMREAD_ANYCOLOR``.

    Returns:
        (H, W) or, in colours, (H, W, 3) uint8: blue, green, red.
    """
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if content.startswith(b"\xff\xd8"):
        content += b"\xff\xd9"  # of a JPEG that was cut off all that is there is decoded, as from a file
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), flags) if content else None
    return None if pixels is None else np.asarray(pixels, dtype=np.uint8)


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
