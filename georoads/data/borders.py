"""Pictures that touch on the ground, found by their borders.

The ids of a data set like DeepGlobe say nothing about place, but where one picture ends and its neighbour
begins, the two show the same ground half a metre apart. Strategy: the outermost line of pixels on each side,
band-passed along the line (field edges, roads and roofs are left; light and noise go), becomes a vector of
length 1; then the normalised correlation of all last columns with all first columns (and of all last rows
with all first rows) is one product of matrices. What correlates less clearly is decided by the road masks,
whose border lines must agree.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from georoads.data.dataset import Sample
from georoads.data.pictures import read_image, read_mask

T = TypeVar("T", bound=np.generic)

FINE_PX, COARSE_PX = 1.0, 16.0
"""Gaussians whose difference is the band: the sharpest gap between touching and other pairs of DeepGlobe."""
CLEAR = 0.60
"""Correlation from which two borders touch. On 514 DeepGlobe tiles touching ones have 0.64 and more, others
up to 0.47; chance falls fourfold per 0.05, so that the 78 million pairs of the whole set leave a handful."""
UNCLEAR = 0.45
"""Correlation from which the masks are asked."""
MASK_IOU = 0.5
FLAT = 1.0
"""Grey levels (RMS after the band-pass) below which a border is water or nodata, and matches nothing."""
_BLOCK = 1024

_FACING = {"right": ("right", "left"), "below": ("bottom", "top")}
"""The sides that face each other where the second picture lies right of the first, or below it."""


@dataclass(frozen=True)
class Touching:
    """Two pictures with a common border.

    Attributes:
        first, second: places in the list of samples; the second lies right of the first, or below it.
        side: ``right`` or ``below``.
        correlation: of their border lines, -1..1.
    """

    first: int
    second: int
    side: str
    correlation: float


@lru_cache(maxsize=4)  # a training asks twice, and every picture has to be decoded
def touching_pairs(samples: tuple[Sample, ...]) -> tuple[Touching, ...]:
    """The pairs of pictures that touch, of equal pixel size and length of border.

    Overlapping pictures, and such with a gap between them, are not found.

    Raises:
        DatasetError: when a picture cannot be decoded.
    """
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:  # OpenCV decodes without Python's lock
        lines = list(pool.map(_read_image_borders, samples))
    found = []
    for side, (end, start) in _FACING.items():
        for members in _group_comparable(samples, [line[end] for line in lines]):
            a = unit_vectors(np.stack([lines[i][end] for i in members]))
            b = unit_vectors(np.stack([lines[i][start] for i in members]))
            for i, j, correlation in _correlated_pairs(a, b):
                pair = Touching(members[i], members[j], side, correlation)
                if pair.first != pair.second and _is_confirmed(samples, pair):
                    found.append(pair)
    _read_mask_borders.cache_clear()
    return tuple(found)


def touching_groups(samples: tuple[Sample, ...]) -> NDArray[np.int64]:
    """(N,) number of each picture's group, from 0: touching pictures, and what touches those, are in one."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = touching_pairs(samples)
    ends = [p.first for p in pairs], [p.second for p in pairs]
    joined = coo_array((np.ones(len(pairs), dtype=np.int8), ends), shape=(len(samples),) * 2)
    _, group = connected_components(joined, directed=False)
    return np.asarray(group, dtype=np.int64)


def unit_vectors(lines: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, length, 3) border lines to (N, 3 length) vectors of length 1, or 0 where a line is flat."""
    values = lines.astype(np.float32)
    # What is finer than FINE_PX is noise, what is coarser than COARSE_PX light: the difference is the band.
    band = gaussian_filter1d(values, FINE_PX, axis=1) - gaussian_filter1d(values, COARSE_PX, axis=1)
    band -= band.mean(axis=1, keepdims=True)
    # One vector a line, all channels in a row, divided by its length.
    flat = band.reshape(len(band), -1)
    norm = np.sqrt((flat**2).sum(axis=1, keepdims=True))
    enough = norm >= FLAT * np.sqrt(flat.shape[1])
    unit: NDArray[np.float32] = np.divide(flat, norm, out=np.zeros_like(flat), where=enough)
    return unit


def _read_image_borders(sample: Sample) -> dict[str, NDArray[np.uint8]]:
    return _borders(read_image(sample))


@lru_cache(maxsize=4096)
def _read_mask_borders(sample: Sample) -> dict[str, NDArray[np.bool_]]:
    return _borders(read_mask(sample))


def _borders(pixels: NDArray[T]) -> dict[str, NDArray[T]]:
    """The outermost columns and rows by side, as copies, so that the picture itself can go."""
    sides = {"left": pixels[:, 0], "right": pixels[:, -1], "top": pixels[0], "bottom": pixels[-1]}
    return {side: line.copy() for side, line in sides.items()}


def _group_comparable(samples: Sequence[Sample], lines: Sequence[NDArray[np.uint8]]) -> list[list[int]]:
    """Samples with borders of equal length and pixel size; others cannot match."""
    members: dict[tuple[int, float], list[int]] = {}
    for i, (sample, line) in enumerate(zip(samples, lines, strict=True)):
        members.setdefault((len(line), sample.gsd_m), []).append(i)
    return list(members.values())


def _correlated_pairs(a: NDArray[np.float32], b: NDArray[np.float32]) -> Iterator[tuple[int, int, float]]:
    """Rows of a and of b whose correlation is at least UNCLEAR."""
    for start in range(0, len(a), _BLOCK):
        product = a[start : start + _BLOCK] @ b.T
        for i, j in np.argwhere(product >= UNCLEAR):
            yield start + int(i), int(j), float(product[i, j])


def _is_confirmed(samples: Sequence[Sample], pair: Touching) -> bool:
    """Whether the pictures agree clearly, or else their masks along the common border."""
    if pair.correlation >= CLEAR:
        return True
    end, start = _FACING[pair.side]
    a, b = _read_mask_borders(samples[pair.first])[end], _read_mask_borders(samples[pair.second])[start]
    union = int((a | b).sum()) if a.shape == b.shape else 0
    return union > 0 and int((a & b).sum()) >= MASK_IOU * union
