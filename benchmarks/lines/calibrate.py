"""What do confidence and width mean on the ground? Fits the calibration that a model's card holds.

    python benchmarks/lines/reference.py DEEPGLOBE -o FOLDER
    python benchmarks/lines/calibrate.py DEEPGLOBE -o FOLDER

A metre of our lines is right within 6 m of the frozen reference. ``confidence_at`` is a logistic curve over
the logarithm of the odds of the lines' mean p (J. Platt 1999), fitted by likelihood, by length, and read at
eleven knots. ``width_of`` is the power of the width that comes closest to that of the roads traced from the
masks themselves, in logarithms by length. Both are fitted on one half of the tiles and judged on the other,
both ways, beside what is said without calibration; what is printed last, fitted on all, goes into the card.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import shapely
from compare import Tile, read_tiles
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit
from tiles import tile_grid

from georoads.calibration import KNOTS, Calibration
from georoads.model.checkpoint import find_checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork
from georoads.network.vectorize import trace_network

RIGHT_M = 6.0
BINS = np.array([0.0, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0])


@dataclass(frozen=True)
class Lines:
    """What is known of lines.

    Attributes:
        length_m: (N,) float64.
        p: (N,) float64, mean p.
        right: (N,) float64 in 0..1, share of its metres that are right.
        width_m: (N,) float64, as the mask shows it.
        true_m: (N,) float64, that of the road of the truth that most of it lies on; NaN where there is none.
    """

    length_m: NDArray[np.float64]
    p: NDArray[np.float64]
    right: NDArray[np.float64]
    width_m: NDArray[np.float64]
    true_m: NDArray[np.float64]


def lines_of(tile: Tile, params: VectorizeParams) -> Lines:
    """The lines of a tile, and what the truth says of them."""
    grid = tile_grid(tile.levels.shape)

    def traced(levels: NDArray[np.uint8]) -> RoadNetwork:
        return trace_network(lambda window: levels[window.slices], grid, params)

    ours, truth = traced(tile.levels), traced(tile.truth)
    true_lines = [shapely.LineString(grid.to_crs(truth.line(i))) for i in range(truth.n_edges)]
    tree, reference = shapely.STRtree(true_lines), shapely.union_all(tile.reference.lines)
    right, true_m = np.zeros(ours.n_edges), np.full(ours.n_edges, np.nan)
    for edge in range(ours.n_edges):
        line = shapely.LineString(grid.to_crs(ours.line(edge)))
        places = shapely.line_interpolate_point(line, np.arange(0.5, max(1.0, line.length), 1.0))
        right[edge] = (shapely.distance(places, reference) <= RIGHT_M).mean()
        if true_lines:
            nearest = tree.nearest(places)
            near = shapely.distance(places, np.array(true_lines, dtype=object)[nearest]) <= RIGHT_M
            if near.mean() > 0.5:
                true_m[edge] = np.median(truth.width_m[nearest[near]])
    return Lines(ours.length_m, ours.confidence, right, ours.width_m, true_m)


def joined(parts: Sequence[Lines]) -> Lines:
    """All lines of several tiles."""
    names = ("length_m", "p", "right", "width_m", "true_m")
    return Lines(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def fit(lines: Lines) -> Calibration:
    """The calibration that comes closest."""
    share = lines.length_m / lines.length_m.sum()
    logit = np.log(_inside(lines.p) / (1 - _inside(lines.p)))

    def loss(parameters: NDArray[np.float64]) -> float:
        said = _inside(expit(parameters[0] + parameters[1] * logit))
        return float(-(share * (lines.right * np.log(said) + (1 - lines.right) * np.log(1 - said))).sum())

    offset, slope = minimize(loss, (0.0, 1.0), method="Nelder-Mead").x
    knots = _inside(np.linspace(0, 1, KNOTS))
    at = expit(offset + slope * np.log(knots / (1 - knots)))
    known = np.isfinite(lines.true_m) & (lines.width_m > 0)
    shown, true, length = np.log(lines.width_m[known]), np.log(lines.true_m[known]), lines.length_m[known]
    powers = np.arange(0.3, 1.21, 0.05)
    factors = [_median(true - power * shown, length) for power in powers]
    wrong = [
        np.average(np.abs(true - power * shown - factor), weights=length)
        for power, factor in zip(powers, factors, strict=True)
    ]
    best = int(np.argmin(wrong))
    width_of = (round(float(np.exp(factors[best])), 3), round(float(powers[best]), 2))
    return Calibration(tuple(np.round(at, 3).tolist()), width_of)


def _inside(p: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(p, 0.005, 0.995)


def _median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def tell(name: str, lines: Lines, calibration: Calibration) -> None:
    """Print how far confidence and width are off."""
    said = calibration.confidence(lines.p)
    share = lines.length_m / lines.length_m.sum()
    print(f"{name}\n  confidence      length  said  right")
    wrong = []
    for low, high in pairwise(BINS.tolist()):
        held = (said >= low) & ((said < high) | (high == 1.0))
        if share[held].sum() < 0.05:
            continue
        told, right = (float(np.average(v[held], weights=share[held])) for v in (said, lines.right))
        wrong.append(abs(told - right))
        print(f"  {low:.2f} to {high:.2f}    {share[held].sum():6.1%}  {told:.3f}  {right:.3f}")
    near = sum(w <= 0.07 for w in wrong)
    print(f"  bins of 5 % within .07: {near} of {len(wrong)}; AUC {_auc(said, lines):.4f}")
    known = np.isfinite(lines.true_m) & (lines.width_m > 0)
    width = lines.width_m[known] * calibration.width_factor(lines.width_m[known])
    ratio, length = width / lines.true_m[known], lines.length_m[known]
    within = np.average(np.abs(np.log(ratio)) <= np.log(1.2), weights=length)
    print(f"  width: median ratio {_median(ratio, length):.3f}, within 20 %: {within:.1%} of the length")


def _auc(said: NDArray[np.float64], lines: Lines) -> float:
    """The chance that a right metre is said to be surer than a wrong one."""
    order = np.argsort(said, kind="stable")
    right, wrong = (lines.length_m * lines.right)[order], (lines.length_m * (1 - lines.right))[order]
    _, first = np.unique(said[order], return_index=True)
    right, wrong = np.add.reduceat(right, first), np.add.reduceat(wrong, first)
    below = np.concatenate(([0.0], np.cumsum(wrong)[:-1]))
    return float((right * (below + wrong / 2)).sum() / (right.sum() * wrong.sum()))


def main() -> None:
    """Fit, judge, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("deepglobe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    card = find_checkpoint("default").card
    params = replace(VectorizeParams(), threshold=card.threshold, confidence_at=(), width_of=())
    parts = [lines_of(tile, params) for tile in read_tiles(args.deepglobe, args.output, [])]
    halves = joined(parts[::2]), joined(parts[1::2])
    for number, (learnt, judged) in enumerate((halves, halves[::-1]), 1):
        found = fit(learnt)
        tell(f"half {number}, as it is", judged, Calibration())
        tell(f"half {number}, calibrated on the other: {found.to_text()}", judged, found)
    everything = joined(parts)
    tell("all, as it is", everything, Calibration())
    print(fit(everything).to_text())


if __name__ == "__main__":
    main()
