"""What pictures look like, and whether a scene looks like those that a model has learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

SHARE = 0.01
"""Of the pictures that a model has learned from, so many lie below each range, and so many above it."""

_STEP = 16
"""Pixels from one that is looked at to the next."""

_PLAIN = 2
"""Pixels that differ by no more are plain: compression leaves white 254 in places."""

Range = tuple[float, float]

_WORDS = {
    "brightness": ("darker", "brighter"),
    "contrast": ("of less contrast", "of more contrast"),
    "colour": ("less colourful", "more colourful"),
}


@dataclass(frozen=True)
class Appearance:
    """Brightness, contrast and colour of a picture, 0..255 each.

    Attributes:
        brightness: the median of the luminance, which is the mean of the bands.
        contrast: from the 5th to the 95th percentile of the luminance.
        colour: the mean, over pixels, of the largest minus the smallest of the bands.
    """

    brightness: float
    contrast: float
    colour: float


@dataclass(frozen=True)
class Seen:
    """Ranges of the pictures that a model has learned from, as they are: without augmentation.

    Attributes:
        brightness, contrast, colour: (low, high) of each, 0..255; (): not known.
    """

    brightness: Range | tuple[()] = ()
    contrast: Range | tuple[()] = ()
    colour: Range | tuple[()] = ()

    def __post_init__(self) -> None:
        for name in _WORDS:
            found = getattr(self, name)
            if found and not (len(found) == 2 and 0 <= found[0] <= found[1] <= 255):
                raise ValueError(f"{name} must be the two ends of a range in 0..255, not {found}")

    def gain(self, scene: Appearance) -> float:
        """By what a scene must be brightened at least to be as bright as the darkest of them; 1 if it is.

        Example:
            >>> Seen(brightness=(60, 170)).gain(Appearance(20, 90, 12))
            3.0
        """
        return max(1.0, self.brightness[0] / max(1.0, scene.brightness)) if self.brightness else 1.0

    def differences(self, scene: Appearance) -> str:
        """In what a scene lies outside the ranges; "" where it does not.

        Example:
            >>> Seen(brightness=(60, 170)).differences(Appearance(26, 90, 12))
            'darker (brightness 26, there 60 to 170)'
        """
        found = []
        for name, words in _WORDS.items():
            value, known = getattr(scene, name), getattr(self, name)
            if known and not known[0] <= value <= known[1]:
                word = words[value > known[1]]
                found.append(f"{word} ({name} {value:.0f}, there {known[0]:.0f} to {known[1]:.0f})")
        return ", ".join(found)


def appearance_of(rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> Appearance | None:
    """What a picture looks like, by every sixteenth row and column; None where no pixel of them is valid.

    Args:
        rgb: (bands, H, W) uint8.
        valid: (H, W) bool.
    """
    pixels = rgb[:, ::_STEP, ::_STEP][:, valid[::_STEP, ::_STEP]]
    if not pixels.size:
        return None
    luminance = np.sort(pixels.mean(axis=0, dtype=np.float32))
    low, middle, high = luminance[[round(share * (len(luminance) - 1)) for share in (0.05, 0.5, 0.95)]]
    # uint8: the largest is never below the smallest
    colour = (pixels.max(axis=0) - pixels.min(axis=0)).mean()
    return Appearance(float(middle), float(high - low), float(colour))


def median_of(pictures: Sequence[Appearance]) -> Appearance | None:
    """The median of each figure; None of none."""
    if not pictures:
        return None
    return Appearance(*np.median([astuple(each) for each in pictures], axis=0).tolist())


def plain_share(pictures: Sequence[Appearance]) -> tuple[int, float]:
    """Which of white (255) and black (0) more of the pictures are nothing but, and how many of all, 0..1.

    Example:
        >>> plain_share([Appearance(255, 0, 0), Appearance(254.7, 0.3, 1), Appearance(120, 60, 20)])[0]
        255
    """
    flat = [each.brightness for each in pictures if max(each.contrast, each.colour) <= _PLAIN]
    white, black = sum(b >= 255 - _PLAIN for b in flat), sum(b <= _PLAIN for b in flat)
    return (255 if white >= black else 0), max(white, black) / max(1, len(pictures))


def seen_in(pictures: Sequence[Appearance]) -> Seen:
    """The ranges of pictures, without the outermost ``SHARE`` on either side."""
    if not pictures:
        return Seen()
    low, high = np.quantile([astuple(each) for each in pictures], (SHARE, 1 - SHARE), axis=0).round(1)
    return Seen(*zip(low.tolist(), high.tolist(), strict=True))


def parse_seen(value: Any) -> Seen:
    """What a card holds.

    Raises:
        ValueError: it is none.
    """
    if not isinstance(value, dict):
        raise ValueError(f"the ranges are an object, not {str(value)[:80]}")
    found: dict[str, Any] = {}
    for field in fields(Seen):
        ends = value.get(field.name, [])
        is_list = isinstance(ends, list | tuple)
        if not is_list or any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
            raise ValueError(f"{field.name} must be a list of two numbers, not {str(ends)[:80]}")
        found[field.name] = tuple(float(end) for end in ends)
    return Seen(**found)
