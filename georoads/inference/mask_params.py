"""The settings of reading anyone's mask: ``--set mask.…`` of vectorize."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class MaskParams:
    """What the values of a raster mean, where it does not say so itself.

    Attributes:
        bidx: band (from 1) that holds the roads.
        road: value, or list of values, that are road; all others are ground.
        scale: what a value is multiplied by to be p, instead of the file's own scale.
        offset: what is added to that, instead of the file's own offset.
        logits: the values are logits: p = 1 / (1 + exp(-value)).
        clip: values of p below 0 or above 1 are taken for 0 or 1, instead of being refused.
        invert: road is ground, and ground is road.
        nodata: value that means no data, besides the file's own.
    """

    bidx: int | None = None
    road: int | float | tuple[float, ...] | None = None
    scale: float | None = None
    offset: float | None = None
    logits: bool = False
    clip: bool = False
    invert: bool = False
    nodata: int | float | None = None

    def __post_init__(self) -> None:
        if not all(type(value) in (int, float) and math.isfinite(value) for value in self.road_values):
            raise ValueError(f"road is a value or a list of values, not {self.road}")
        if self.road == ():
            raise ValueError("road is a value or a list of values, not an empty one")
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise ValueError(f"scale must be above 0, not {self.scale}")
        if self.offset is not None and not math.isfinite(self.offset):
            raise ValueError(f"offset must be a number, not {self.offset}")
        if self.bidx is not None and self.bidx < 1:
            raise ValueError(f"bidx counts bands from 1, not {self.bidx}")

    @property
    def road_values(self) -> tuple[float, ...]:
        """The values of ``road``; none where it is not set."""
        if self.road is None:
            return ()
        return self.road if isinstance(self.road, tuple) else (self.road,)

    @property
    def are_p(self) -> bool:
        """Whether the user says that the values are, or become, p."""
        return self.scale is not None or self.offset is not None or self.logits or self.clip


def said_of(params: MaskParams | None) -> dict[str, object]:
    """What the user had to say, by name, under the key ``mask``; empty where that was nothing."""
    usual = MaskParams()
    said = {k: v for k, v in vars(params or usual).items() if v != getattr(usual, k)}
    return {"mask": said} if said else {}
