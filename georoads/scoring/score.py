"""How well a proposed road layer fits a reference: the scores together."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from georoads.output.read import RoadLines
from georoads.scoring.buffered import match
from georoads.scoring.segments import local_crs, to_segments


@dataclass(frozen=True)
class ScoreParams:
    """Settings of the scores; lengths in metres on the ground.

    Attributes:
        buffer_m: how far lines may lie apart and still match.
    """

    buffer_m: float = 4.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.buffer_m) and self.buffer_m > 0):
            raise ValueError(f"buffer_m must be above 0, not {self.buffer_m}")


@dataclass(frozen=True)
class Score:
    """Scores of a proposal against a reference, each 0..1, by length; lengths in kilometres.

    Attributes:
        completeness: share of the reference's length within the buffer of the proposal (recall).
        correctness: share of the proposal's length within the buffer of the reference (precision).
        f1: harmonic mean of the two.
        quality: matched proposal / (proposal + unmatched reference).
        reference_km, proposal_km: lengths of the layers.
        params: the settings.
    """

    completeness: float
    correctness: float
    f1: float
    quality: float
    reference_km: float
    proposal_km: float
    params: ScoreParams

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the scores, the lengths, and ``parameters``."""
        values = asdict(self)
        values["parameters"] = values.pop("params")
        return values


def score(proposal: RoadLines, reference: RoadLines, params: ScoreParams | None = None) -> Score:
    """Score a proposal against a reference.

    Both are projected to a plane around the reference, so a buffer of 4 m is 4 m on the ground in any CRS.
    The score depends neither on the direction of lines nor on their number of points. Two empty layers score
    1, an empty one against another 0.

    Args:
        proposal: the lines to be judged.
        reference: the truth.
        params: None for the defaults.

    Raises:
        LayerError: a layer cannot be projected.

    Example:
        >>> import numpy as np, shapely
        >>> road = RoadLines(np.array([shapely.LineString([(500000, 0), (500100, 0)])]), "EPSG:32633")
        >>> half = RoadLines(np.array([shapely.LineString([(500000, 0), (500046, 0)])]), "EPSG:32633")
        >>> result = score(half, road)
        >>> round(result.completeness, 3), result.correctness
        (0.5, 1.0)
    """
    params = params or ScoreParams()
    crs = local_crs((reference, proposal))
    matched = match(to_segments(proposal, crs), to_segments(reference, crs), params.buffer_m)
    return Score(
        completeness=matched.completeness,
        correctness=matched.correctness,
        f1=matched.f1,
        quality=matched.quality,
        reference_km=matched.reference_m / 1000,
        proposal_km=matched.proposal_m / 1000,
        params=params,
    )
