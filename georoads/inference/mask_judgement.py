"""What the values of anyone's raster mean: told by its file and by the values themselves, or refused.

The first row that fits decides. docs/masks.md shows the same table.

====================================  =================================================================
complex numbers                       refused
``mask.road``                         road where a value is one of these, ground elsewhere
``mask.scale`` (or another that p     p = value x scale + offset, or the logistic function of that
is reckoned with)
a scale or an offset in the file      p = value x scale + offset; refused where they make no p
a palette                             black and transparent are ground; white, or the one other colour,
                                      is road; refused with two other colours
0 and 1, or 0 and 255                 ground and road; turned round where the file says MINISWHITE
floats from 0 to 1                    p
anything else                         refused
====================================  =================================================================

A number of blocks is sampled to decide. Whatever is read later is held against that decision.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from georoads.errors import GeoroadsError
from georoads.inference.mask_params import MaskParams
from georoads.inference.mask_values import LISTED, Classes, Found, Meaning, Probabilities, text_of
from georoads.levels import p_of

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha: 0..255."""

_DARKEST_PICTURE = 100
"""Bytes above that may be a picture: percentages end there."""
_BLACK, _WHITE = (0, 0, 0), (255, 255, 255)


@dataclass(frozen=True)
class Band:
    """What a file says of the band that holds the roads.

    Attributes:
        path: of the file, for messages.
        dtype: of the values.
        scale, offset: what makes p of a value; 1 and 0 where the file says nothing.
        palette: colour of each value from 0 on; empty where values are no index.
        white_is_zero: the file calls its lowest value white (MINISWHITE).
    """

    path: Path
    dtype: str
    scale: float = 1.0
    offset: float = 0.0
    palette: tuple[Colour, ...] = ()
    white_is_zero: bool = False

    @property
    def holds_levels(self) -> bool:
        """Whether the values are levels, bytes of 1/254, as they are written here."""
        is_plain = self.dtype == "uint8" and not self.palette and not self.white_is_zero
        return is_plain and abs(self.scale - p_of(1)) < 1e-9 and self.offset == 0

    @property
    def is_scaled(self) -> bool:
        """Whether the file says how p is made of a value."""
        return self.scale != 1.0 or self.offset != 0.0


def choose_band(path: Path, colours: Sequence[str], wanted: int | None) -> int:
    """The number (from 1) of the band that holds the roads.

    Args:
        path: of the file, for messages.
        colours: what the file says of each band: red, gray, alpha, undefined ….
        wanted: the user's choice, or None.

    Raises:
        GeoroadsError: there is no such band, or several may be meant.
    """
    count = len(colours)
    if wanted is not None and wanted <= count:
        return wanted
    if wanted is not None:
        raise GeoroadsError(f"{path} has no band {wanted}", f"--bidx takes 1 to {count}")
    others = [number for number, colour in enumerate(colours, 1) if colour != "alpha"] or [1]
    if len(others) == 1:
        return others[0]
    if {"red", "green", "blue"} <= set(colours):
        raise GeoroadsError(
            f"{path} has the bands red, green and blue: a picture, and no mask",
            f"did you mean georoads extract? A mask may lie in one of its bands: --bidx {others[0]}",
        )
    raise GeoroadsError(
        f"{path} has {len(others)} bands, and nothing says which one holds the roads",
        f"name it, as in --bidx {others[-1]}; of a picture, did you mean georoads extract?",
    )


def judge(band: Band, params: MaskParams, found: Found | None) -> Meaning:
    """What the values of a band mean; see the table above.

    Args:
        band: what the file says.
        params: what the user says.
        found: values of the raster; needed but for ``mask.road``.

    Raises:
        GeoroadsError: nobody can know; the values that were found are named.
    """
    if "complex" in band.dtype:
        raise GeoroadsError(
            f"{band.path} holds complex numbers, which are no p",
            "gdal_translate -ot Float32 keeps their real part",
        )
    if params.road_values or found is None:
        return Classes(params.road_values, None, params.invert)
    if params.are_p or band.is_scaled:
        return _as_probabilities(band, params, found)
    if not found.count:  # nothing is valid: nothing has to be known
        return Classes((1,), (0,))
    if band.palette:
        return _as_colours(band, params, found)
    if np.dtype(band.dtype).kind == "f" and found.lies_in_0_1:
        return _as_probabilities(band, params, found)
    is_byte = band.dtype == "uint8"
    if found.consist_of(0, 1) and not band.white_is_zero:
        return Classes((1,), (0,), params.invert)
    if found.consist_of(0, 255) and (is_byte or not band.white_is_zero):
        return Classes((255,), (0,), band.white_is_zero != params.invert)
    raise refusal(band, found)


def _as_probabilities(band: Band, params: MaskParams, found: Found) -> Probabilities:
    scale = band.scale if params.scale is None else params.scale
    offset = band.offset if params.offset is None else params.offset
    if not (0 < scale < math.inf and math.isfinite(offset)):
        raise GeoroadsError(
            f"{band.path} has the scale {scale:g} and the offset {offset:g}, which make no p of {found}",
            f"say what does: --set mask.scale={_scale_to_one(found)} --set mask.offset=0",
        )
    if band.white_is_zero and not params.are_p:
        raise GeoroadsError(
            f"{band.path} holds p, but says that 0 is white (MINISWHITE): which end is road?",
            f"--set mask.scale={scale:g} if the high one is; --set mask.invert=true, too, if the low one is",
        )
    meaning = Probabilities(scale, offset, params.logits, params.clip, params.invert)
    if meaning.levels(found.values, np.ones(len(found.values), np.bool_)) is None:
        raise refusal(band, found, meaning)
    return meaning


def _as_colours(band: Band, params: MaskParams, found: Found) -> Classes:
    """Black and transparent are ground; white, or the one other colour that is used, is road."""
    seen = {i: colour[:3] if colour[3] else _BLACK for i, colour in enumerate(band.palette)}
    used = {i: seen[i] for i in found.values.tolist() if i in seen}
    bright = set(used.values()) - {_BLACK}
    if len(bright) > 1 or len(used) < found.count:
        raise refusal(band, found)
    road = bright or {_WHITE}
    return Classes(
        tuple(i for i, colour in seen.items() if colour in road),
        tuple(i for i, colour in seen.items() if colour == _BLACK),
        params.invert,
    )


def refusal(band: Band, found: Found, meaning: Meaning | None = None) -> GeoroadsError:
    """The refusal of values that nobody can know the meaning of.

    Args:
        band: what the file says.
        found: the values.
        meaning: what they were taken for, where they were taken for something.
    """
    if band.palette:
        colours = ", ".join(f"{i} is rgb{band.palette[i][:3]}" for i in _listed(found, len(band.palette)))
        wrong = f"by its palette these are more than black and one colour ({colours})"
    elif isinstance(meaning, Probabilities) and (meaning.scale, meaning.offset) != (1, 0):
        wrong = f"which x {meaning.scale:g} + {meaning.offset:g} are no p from 0 to 1"
    elif band.white_is_zero:
        wrong = "and says that 0 is white (MINISWHITE): that is clear of bytes of 0 and 255 only"
    else:
        wrong = "neither 0 and 1, nor 0 and 255, nor floats from 0 to 1"
    return GeoroadsError(f"{band.path} holds {found}: {wrong}", "; ".join(_ways_out(band, found)))


def _listed(found: Found, colours: int) -> list[int]:
    """The first values that have a colour in the palette."""
    return [i for i in found.values.tolist() if i < colours][:LISTED]


def _ways_out(band: Band, found: Found) -> Iterable[str]:
    """What the user can say of such values, the likeliest first."""
    values = found.values
    low, high = float(values[0]), float(values[-1])
    is_whole, are_few = bool((values == np.rint(values)).all()), found.count <= LISTED or bool(band.palette)
    is_integer = np.dtype(band.dtype).kind in "iu"
    fill = None if band.palette else _fill_value(found)
    if fill is not None:
        yield f"--set mask.nodata={text_of(fill)} if that is no data"
    if not (is_whole and are_few):
        if high > 1 and low >= 0:
            yield f"--set mask.scale={_scale_to_one(found)} if {text_of(values[-1])} is p = 1"
        if low < 0 and (fill is None or fill > low):
            yield "--set mask.logits=true if they are logits"
        if low > -1 and high < 2:
            yield "--set mask.clip=true if they are p and a little beyond it"
    if is_whole and (are_few or is_integer):
        road = values[-2] if fill is not None and fill == values[-1] else values[-1]
        listed = ",".join(map(text_of, values[-2:]))
        several = f" (of several: mask.road=[{listed}])" if len(values) > 2 else ""
        yield f"--set mask.road={text_of(road)} if that is road{several}"
    if is_integer and not are_few and high > _DARKEST_PICTURE:
        yield "georoads extract if it is a picture"


def _fill_value(found: Found) -> Any:
    """The highest or lowest value, if it lies farther from the others than they from each other, or is a
    negative one beside a mask; else None. Few values must be a mask or p without it."""
    values = found.values
    if len(values) < 3:
        return None
    for fill, others in ((values[-1], values[:-1]), (values[0], values[1:])):
        rest = Found(others, found.count - 1)
        gap = max(float(fill) - float(others[-1]), float(others[0]) - float(fill))
        is_far = gap > max(float(others[-1]) - float(others[0]), 1.0)
        is_mask = rest.lies_in_0_1 or rest.consist_of(0, 255)
        is_many = found.count > LISTED
        if (is_far and (is_mask or is_many)) or (fill < 0 and is_mask and not is_many):
            return fill
    return None


def _scale_to_one(found: Found) -> str:
    """The factor that makes 1 of the highest value."""
    high = float(found.values[-1]) if len(found.values) else 1.0
    return f"{1 / high:.6g}" if 1 < high < math.inf else "1"
