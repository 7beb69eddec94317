"""Which bands of a raster are red, green and blue, what alpha hides, and how what is no RGB becomes it."""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Window
from georoads.scene.guard import gdal_errors

_PHOTOMETRIC = 262
"""TIFF's tag that says what the values mean: TIFF 6.0, section 8."""
_READ_AS_RGB = {0: "MINISWHITE", 1: "MINISBLACK", 2: "RGB", 3: "palette", 6: "YCbCr"}
_OTHERS = {
    4: "a transparency mask", 5: "CMYK", 8: "CIE Lab", 9: "ICC Lab", 10: "ITU Lab",
    32803: "a colour filter array", 32844: "LogL", 32845: "LogLuv", 34892: "linear raw",
}  # fmt: skip
_OTHER_COLOURS = {"cyan": "CMYK", "hue": "HSL", "Y": "YCbCr", "Cb": "YCbCr"}
"""Bands that GDAL hands out unconverted, by the name of their colour."""
_COLOUR_HINT = (
    "convert it to RGB; GDAL itself reads CMYK and Lab of 8 bit: "
    "gdal_translate -ot Byte -scale 0 65535 0 255 IN OUT; or --bidx takes a band as grey"
)
MANY_LEVELS = 16
"""An alpha band with more levels, most of them between all and nothing, looks like a picture."""
INVERTED = ((225.0, 65.0),) * 3
"""The stretch that makes 255 - v of bytes."""


@dataclass(frozen=True)
class Bands:
    """Which bands are used.

    Attributes:
        rgb: band numbers (from 1) for red, green, blue; equal ones for grey.
        alpha: band number of the alpha band that decides what is valid, or 0.
        is_inverted: True where the smallest value is white.
        messages: what the summary must say of the choice.
    """

    rgb: tuple[int, int, int]
    alpha: int
    is_inverted: bool = False
    messages: tuple[str, ...] = ()


def choose_bands(path: Path, source: Any, wanted: tuple[int, ...] | None, *, with_alpha: bool) -> Bands:
    """The bands that the user wants, or else by their colours, or else the first ones.

    Args:
        path: of the raster, for messages.
        source: the opened rasterio dataset.
        wanted: band numbers (from 1), one or three; None: not stated.
        with_alpha: an alpha band decides what is valid.

    Raises:
        SceneError: there are no such bands, or the colours are none that can be read as RGB.
    """
    from rasterio.enums import ColorInterp

    colours = list(source.colorinterp)
    alpha = colours.index(ColorInterp.alpha) + 1 if with_alpha and ColorInterp.alpha in colours else 0
    is_inverted = source.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
    white = ("its smallest value is white: inverted",) if is_inverted else ()
    if wanted:
        if len(wanted) not in (1, 3) or not all(1 <= b <= source.count for b in wanted):
            raise SceneError(f"{path} has {source.count} bands, not {wanted}", "--bidx takes one or three")
        r, g, b = (wanted * 3)[:3]
        alpha = 0 if alpha in wanted else alpha
        return Bands((r, g, b), alpha, is_inverted, (f"bands {wanted} used", *white))
    _refuse_other_colours(path, source)
    rest = [i + 1 for i, c in enumerate(colours) if c != ColorInterp.alpha]
    rgb = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    if all(c in colours for c in rgb):
        r, g, b = (colours.index(c) + 1 for c in rgb)
        said = (f"bands {r}, {g}, {b} of {len(colours)} used, by their colours",) if len(rest) > 3 else ()
        return Bands((r, g, b), alpha, messages=said)
    if not rest:
        raise SceneError(f"{path} has no band but alpha", "give a raster with colours")
    if len(rest) < 3:
        return Bands((rest[0],) * 3, alpha, is_inverted, ("grey: one band for all three colours", *white))
    said = (f"first three of {len(rest)} bands used: --bidx chooses others",) if len(rest) > 3 else ()
    return Bands((rest[0], rest[1], rest[2]), alpha, is_inverted, (*said, *white))


def _refuse_other_colours(path: Path, source: Any) -> None:
    """Refuse values that mean neither grey nor red, green and blue, and that GDAL does not convert."""
    if "SOURCE_COLOR_SPACE" in source.tags(ns="IMAGE_STRUCTURE"):  # it has converted them
        return
    names = [_OTHER_COLOURS[c.name] for c in source.colorinterp if c.name in _OTHER_COLOURS]
    meaning = _read_photometric(path) if source.driver == "GTiff" and path.is_file() else None
    if meaning is not None and meaning not in _READ_AS_RGB:
        names.append(_OTHERS.get(meaning, f"of the unknown kind {meaning}"))
    if names:
        raise SceneError(f"{path} is {names[-1]} of {source.dtypes[0]}, not grey or RGB", _COLOUR_HINT)


def _read_photometric(path: Path) -> int | None:
    """What a TIFF says that its values mean; None where it does not."""
    try:
        with path.open("rb") as stream:
            start = stream.read(16)
            order = "<" if start[:2] == b"II" else ">"
            is_big = struct.unpack(f"{order}H", start[2:4])[0] == 43
            (offset,) = (
                struct.unpack(f"{order}Q", start[8:16]) if is_big else struct.unpack(f"{order}I", start[4:8])
            )
            stream.seek(offset)
            count_format, entry_bytes = (f"{order}Q", 20) if is_big else (f"{order}H", 12)
            (count,) = struct.unpack(count_format, stream.read(struct.calcsize(count_format)))
            entries = stream.read(min(count, 4096) * entry_bytes)
    except (OSError, struct.error, OverflowError):
        return None
    for at in range(0, len(entries) - entry_bytes + 1, entry_bytes):
        if struct.unpack_from(f"{order}H", entries, at)[0] == _PHOTOMETRIC:
            # A short stands at the beginning of the last 4 (8) bytes of an entry.
            return int(struct.unpack_from(f"{order}H", entries, at + (12 if is_big else 8))[0])
    return None


def read_palette(source: Any, band: int) -> tuple[tuple[int, int, int, int], ...]:
    """The colours and opacities that a band's values stand for; empty where they stand for themselves."""
    from rasterio.enums import ColorInterp

    if source.colorinterp[band - 1] != ColorInterp.palette:
        return ()
    table = source.colormap(band)
    return tuple(tuple(table.get(i, (0, 0, 0, 255))) for i in range(max(table) + 1))


def look_at_alpha(
    source: Any, alpha: int, windows: Iterable[Window], *, is_chosen: bool
) -> tuple[int, tuple[str, ...]]:
    """Whether an alpha band decides what is valid, and what the summary must say of it.

    It does, unless the bands were chosen by the user and it looks like a picture: an infrared band that a
    program has flagged as alpha, as most do that write four bands as RGB.

    Args:
        source: the opened rasterio dataset.
        alpha: number of the alpha band, from 1.
        windows: samples of the raster, in its pixels.
        is_chosen: the user has said which bands are the picture.

    Returns:
        The number of the alpha band, or 0; and the messages.
    """
    sample = _sample_band(source, alpha, windows)
    if not sample.size:
        return alpha, ()
    levels, counts = np.unique(sample, return_counts=True)
    hidden = f"{float((sample == 0).mean()):.1%}"
    between = counts[(levels > 0) & (levels < levels[-1])].sum() / sample.size
    decides = f"alpha (band {alpha}) decides what is valid and hides {hidden}"
    if len(levels) <= MANY_LEVELS or between <= 0.5:
        return alpha, ((decides,) if levels[0] == 0 else ())
    if is_chosen:
        return 0, (
            f"band {alpha} has {len(levels)} levels and is not taken for alpha: --bidx says the bands",
        )
    free = "--bidx 1,2,3 or --set scene.alpha=false takes all pixels"
    return alpha, (f"{decides}, but has {len(levels)} levels, as an image band has: {free}",)


def _sample_band(source: Any, band: int, windows: Iterable[Window]) -> NDArray[Any]:
    """(N,) values of a band in windows; those that cannot be read are passed over here, and refused later."""
    from rasterio.windows import Window as RasterioWindow

    parts: list[NDArray[Any]] = [np.empty(0)]
    for w in windows:
        with contextlib.suppress(*gdal_errors()):
            values = source.read(band, window=RasterioWindow(w.col, w.row, w.width, w.height))
            parts.append(values.ravel()[:: max(1, w.size // 9000)])
    return np.concatenate(parts)
