"""What the network sees and what it says: pixels made ready for it, and the road's logit of its output."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Array = TypeVar("Array", "NDArray[np.float32]", "torch.Tensor")


def fill_invalid(rgb: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A tile whose invalid pixels look like the nearest valid one.

    Any constant would draw an edge along the border of what was seen, and networks take such an edge for a
    road; a reflection doubles real roads there. A tile without a valid pixel is left as it is.

    Args:
        rgb: (bands, H, W) uint8.
        valid: (H, W) bool.
    """
    if valid.all() or not valid.any():
        return rgb
    import cv2

    # Every pixel gets the label of the valid pixel nearest to it; valid ones have a label each.
    _, label = cv2.distanceTransformWithLabels(
        (~valid).astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    # From a label to the place of its valid pixel, counted along the rows.
    place = np.zeros(int(label.max()) + 1, dtype=np.int64)
    place[label[valid]] = np.flatnonzero(valid)
    return rgb.reshape(len(rgb), -1)[:, place[label]]


def normalize(
    rgb: NDArray[np.uint8],
    mean: tuple[float, ...],
    std: tuple[float, ...],
) -> NDArray[np.float32]:
    """Tiles as the network wants them: (value / 255 - mean) / std.

    Args:
        rgb: (…, bands, H, W) uint8.
        mean: of each band, for values 0..1.
        std: standard deviation of each band, for values 0..1.

    Returns:
        (…, bands, H, W) float32.
    """
    scale, shift = scale_and_shift(mean, std)
    out = np.multiply(rgb, scale[:, None, None], dtype=np.float32)
    np.subtract(out, shift[:, None, None], out=out)
    return out


def scale_and_shift(
    mean: tuple[float, ...], std: tuple[float, ...]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Normalising is value * scale - shift, each (bands,) float32.

    Args:
        mean: of each band, for values 0..1.
        std: standard deviation of each band, for values 0..1.
    """
    divisor = np.asarray(std, dtype=np.float32)
    return np.float32(1 / 255) / divisor, np.asarray(mean, dtype=np.float32) / divisor


def road_logits(out: Array) -> Array:
    """Logits of road (N, H, W) of a network's output (N, classes, H, W), of numpy or torch.

    With two channels (background, road) road wins where its channel is the larger one, so the logit is
    their difference.
    """
    return out[:, 0] if out.shape[1] == 1 else out[:, 1] - out[:, 0]
