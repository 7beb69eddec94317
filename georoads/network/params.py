"""The settings of vectorization. All lengths are metres on the ground."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

from georoads.calibration import Calibration
from georoads.settings import check_ranges

_LARGEST_M = 100_000
_RANGES: dict[str, tuple[float, float]] = {
    "median_m": (0, 100), "dual_m": (0, 1000), "bridge_m": (0, 1000), "reach_m": (0, 1000),
    "smooth_m": (0, 1000), "simplify_m": (0, 1000), "ridge_m": (0, 100), "speck_m2": (0, 1e9),
    "hole_m2": (0, 1e9), "faint_p": (0, 1), "join_p": (0, 1),
}  # fmt: skip
"""Of what is looked for around each place, which takes the longer the farther, and of what is no length."""


@dataclass(frozen=True)
class VectorizeParams:
    """How a probability raster becomes lines.

    Attributes:
        threshold: p at and above which a pixel is road, 0..1 (rounded to k/254); None: the model's where it
            is known, else 0.5.
        low_share: hysteresis: pixels of p at and above this share of the threshold are road too where they
            are connected to road; 1: none.
        median_m: a strip up to this wide where p dips divides two carriageways, though it may lie above the
            threshold; it must be long (see ``median``); 0: none does.
        dual_m: a road at least this wide, over 60 m, is two carriageways, though no median is seen (see
            ``carriageways.stretches``); 0: none is.
        speck_m2: connected road areas smaller than this are dropped.
        hole_m2: holes in the road mask smaller than this are filled (a tree, a car, a traffic island).
        spur_m: dead ends shorter than this are pruned, but not those at the scene's edge; a spur is also
            pruned when it is shorter than the road it leaves is wide.
        sure_m: a dead end is also pruned when its metres add up to less than this, each counted as the share
            of the way from the threshold to 1 that its p is at; 0: none.
        bridge_m: gaps up to this length are closed between two dead ends that face each other, and between a
            dead end and the side of the road that it points at, whatever lies there; 0 closes none.
        reach_m: gaps up to this length are closed along a faint road (see ``join_p``), straight or bent;
            0 closes none.
        faint_p: p that must be left along such a gap if it is as long as ``reach_m``; the shorter it is, the
            less.
        join_p: how likely such a gap must be road, 0..1, by what is seen there (see ``gap_score``).
        simplify_m: tolerance of the line simplification.
        ridge_m: where p says that a road's core lies to one side of its mask, its line moves there by up to
            this; 0 leaves all in the mask's middle.
        smooth_m: length scale over which stair-steps and uneven sides of the mask are smoothed.
        rim_m: a line whose road's side is within this of nodata for half of its length is the rim of what was
            seen, and dropped; 0 keeps all.
        min_length_m: networks (connected components) whose total length is below this are dropped.
        confidence_at: the confidence of lines whose mean p is 0, 0.1, … 1, eleven values that do not fall;
            (): the mean p itself; None: the model's where it is known, else the mean p.
        width_of: a and b, where a road that the mask shows w metres wide is a w^b wide; (): it is as wide as
            shown; None: the model's where it is known, else as shown.
    """

    threshold: float | None = None
    low_share: float = 0.8
    median_m: float = 8.0
    dual_m: float = 26.0
    speck_m2: float = 40.0
    hole_m2: float = 15.0
    spur_m: float = 10.0
    sure_m: float = 6.0
    bridge_m: float = 10.0
    reach_m: float = 120.0
    faint_p: float = 0.1
    join_p: float = 0.38
    simplify_m: float = 0.25
    ridge_m: float = 3.0
    smooth_m: float = 10.0
    rim_m: float = 0.5
    min_length_m: float = 15.0
    confidence_at: tuple[float, ...] | None = None
    width_of: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        if not 0.0 < self.road_p <= 1.0:
            raise ValueError(f"threshold must lie in (0, 1], not {self.threshold}")
        if not 0.0 < self.low_share <= 1.0:
            raise ValueError(f"low_share must lie in (0, 1], not {self.low_share}")
        lists = ("confidence_at", "width_of")
        lengths = {field.name: (0, _LARGEST_M) for field in fields(self) if field.name not in lists}
        check_ranges(self, lengths | _RANGES)
        _ = self.calibration  # refuses what is none

    @property
    def road_p(self) -> float:
        """The threshold as a number."""
        return 0.5 if self.threshold is None else self.threshold

    @property
    def calibration(self) -> Calibration:
        """What is said of lines, corrected."""
        return Calibration(self.confidence_at or (), self.width_of or ())

    def completed(self, threshold: float, calibration: Calibration) -> VectorizeParams:
        """With what a model says, wherever nothing else is asked for."""
        said = {"threshold": threshold} | asdict(calibration)
        return replace(self, **{name: value for name, value in said.items() if getattr(self, name) is None})
