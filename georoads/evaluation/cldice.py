"""clDice: whether roads hang together, judged by the skeletons of the two masks.

S. Shit et al., clDice - a Novel Topology-Preserving Loss Function for Tubular Structure Segmentation, CVPR
2021, section 3: topology precision is the share of the predicted mask's skeleton that lies in the true mask,
topology sensitivity the share of the true mask's skeleton that lies in the predicted one. A missed road costs
its length, however wide it is; a mask that is a little too thick or thin costs hardly anything. Nothing is
followed along the skeletons: what a gap does to routes, the scores of lines see.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.levels import NODATA
from georoads.scoring.matching import harmonic

SkeletonCounts = NDArray[np.int64]
"""(2, 2) int64, skeleton pixels of the prediction and of the truth: all, and those in the other mask. They
add up over tiles, and hold for the one threshold that they were counted at."""


@dataclass(frozen=True)
class ClDiceScore:
    """clDice of the road class at one threshold.

    Attributes:
        precision: topology precision; 1 where the prediction has no skeleton.
        sensitivity: topology sensitivity; 1 where the truth has no skeleton.
        cldice: their harmonic mean; 0 where both are 0. So nothing on nothing scores 1; no predicted road
            against roads, or road where there is none, scores 0.
    """

    precision: float
    sensitivity: float
    cldice: float


def count_skeletons(
    levels: NDArray[np.uint8], road: NDArray[np.bool_], valid: NDArray[np.bool_], level: int
) -> SkeletonCounts:
    """Count a tile at one threshold. Invalid pixels belong to no mask, so to no skeleton.

    The skeletons are those of T. Zhang and C. Suen, A Fast Parallel Algorithm for Thinning Digital Patterns,
    Communications of the ACM 27 (1984), as the paper's own code has them.

    Args:
        levels: (H, W) uint8, round(254 p) or 255 for no data.
        road: (H, W) bool, the truth.
        valid: (H, W) bool.
        level: a pixel is road at p >= level / 254.
    """
    use = valid & (levels != NODATA)
    found, real = use & (levels >= level), use & road
    return np.array(
        [_count_skeleton_within(found, real), _count_skeleton_within(real, found)], dtype=np.int64
    )


def cldice_score(counts: SkeletonCounts) -> ClDiceScore:
    """clDice of counted tiles."""
    precision, sensitivity = (int(part) / int(whole) if whole else 1.0 for whole, part in counts)
    return ClDiceScore(precision, sensitivity, harmonic(precision, sensitivity))


def _count_skeleton_within(mask: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[int, int]:
    """Pixels of the mask's skeleton, and how many of them lie in the other mask."""
    from skimage.morphology import skeletonize

    skeleton = skeletonize(mask)
    return int(np.count_nonzero(skeleton)), int(np.count_nonzero(skeleton & other))
