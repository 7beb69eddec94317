"""The ground between two roads, which weighs more where dual carriageways are to stay two."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

WIDEST_M = 16.0
"""Of a strip between roads."""


def between_roads(road: NDArray[np.bool_], gsd_m: float) -> NDArray[np.bool_]:
    """Where no road is but a disc of WIDEST_M cannot pass without touching one: (H, W).

    A morphological closing less the mask. The idea of weighing it more is U-Net's, which keeps cells apart
    that touch (O. Ronneberger et al., MICCAI 2015).

    Args:
        road: (H, W).
        gsd_m: metres per pixel.
    """
    if not road.any():
        return np.zeros_like(road)
    radius_px = WIDEST_M / 2 / gsd_m
    rim = int(radius_px) + 2
    # Roads go on beyond the chip, and so do the strips between them.
    beyond = np.pad(road, rim, mode="edge")
    grown = np.pad(_distance(~beyond) <= radius_px, 1)
    closed = (_distance(grown) > radius_px)[1 + rim : -1 - rim, 1 + rim : -1 - rim]
    return closed & ~road


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Pixels from each to the nearest that is not of the mask."""
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5), np.float32)
