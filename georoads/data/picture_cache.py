"""Pictures and masks kept decoded on disk: reading a window of one is then a matter of its bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from georoads.data.chip import Chip
from georoads.data.dataset import Sample
from georoads.data.pictures import read_pair, read_valid
from georoads.files.atomic import replace_when_complete


def read_picture(sample: Sample, white_is_nodata: bool, cache: Path | None = None) -> Chip:
    """A whole picture with its mask and valid pixels.

    Args:
        sample: which picture.
        white_is_nodata: white pixels are not valid.
        cache: folder of decoded pictures, (H, W, 4) uint8 in a ``.npy`` file each: RGB and the labels 0
            background, 1 road, 2 invalid. A picture that is not there yet is decoded and added; one whose
            files have changed since is decoded anew. Several processes may share the folder. The result is
            then mapped from the file, so that only the pixels that are looked at are read.

    Raises:
        DatasetError: for files that cannot be decoded or do not fit each other.
        GeoroadsError: when the cache cannot be written.
    """
    if cache is None:
        return _decode(sample, white_is_nodata)
    path = cache / f"{_cache_key(sample, white_is_nodata)}.npy"
    if not path.is_file():
        chip = _decode(sample, white_is_nodata)
        cache.mkdir(parents=True, exist_ok=True)
        with replace_when_complete(path, overwrite=True) as part:  # another process may be faster
            np.save(part, np.dstack((chip.image, chip.labels)))
    stored: NDArray[np.uint8] = np.load(path, mmap_mode="r")
    labels = stored[..., 3]
    return Chip(stored[..., :3], labels == 1, labels != 2)


def _decode(sample: Sample, white_is_nodata: bool) -> Chip:
    image, road = read_pair(sample)
    return Chip(image, road, read_valid(sample, image, white_is_nodata))


_READER = 2
"""Goes up when a picture is read in another way than before: what was kept is then decoded anew."""


def _cache_key(sample: Sample, white_is_nodata: bool) -> str:
    """A name that changes when one of the sample's files is moved, resized or written anew."""
    files = [f for f in (sample.image, sample.mask, sample.valid) if f is not None and f.is_file()]
    marks = [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files]
    return hashlib.sha256(repr((_READER, marks, white_is_nodata)).encode()).hexdigest()[:32]
