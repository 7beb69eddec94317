"""The settings of vectorization. All lengths are metres on the ground."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class VectorizeParams:
    """How a probability raster becomes lines.

    Attributes:
        threshold: p at and above which a pixel is road, 0..1 (rounded to k/254).
        speck_m2: connected road areas smaller than this are dropped.
        hole_m2: holes in the road mask smaller than this are filled (a tree, a car, a traffic island).
        spur_m: dead ends shorter than this are pruned, but not those at the scene's edge; a spur is also
            pruned when it is shorter than the road it leaves is wide.
        bridge_m: gaps up to this length are closed between two dead ends that face each other, and between a
            dead end and the side of the road that it points at; 0 closes none.
        simplify_m: tolerance of the line simplification.
        smooth_m: length scale over which stair-steps are smoothed.
        rim_m: a line whose road's side is within this of nodata for half of its length is the rim of what was
            seen, and dropped; 0 keeps all.
        min_length_m: networks (connected components) whose total length is below this are dropped.
    """

    threshold: float = 0.5
    speck_m2: float = 60.0
    hole_m2: float = 60.0
    spur_m: float = 10.0
    bridge_m: float = 12.0
    simplify_m: float = 0.6
    smooth_m: float = 5.0
    rim_m: float = 0.5
    min_length_m: float = 20.0

    def __post_init__(self) -> None:
        if not 0.0 < self.threshold <= 1.0:
            raise ValueError(f"threshold must lie in (0, 1], not {self.threshold}")
        for field in fields(self):
            if getattr(self, field.name) < 0:
                raise ValueError(f"{field.name} must not be negative, not {getattr(self, field.name)}")
