"""Which gaps are road? Fits the weights of ``network/graph/gap_score.py`` to DeepGlobe's val tiles.

    python benchmarks/lines/gaps.py DEEPGLOBE -o FOLDER

From each dead end of the val tiles, of the shipped model's probabilities (cached in FOLDER, see compare.py),
the gap ahead is looked for and measured as the product does it, none is closed, and the share of it within
4 m of the reference is its truth. More gaps come from the same tiles at other thresholds: their roads end
elsewhere then. A logistic regression with a little ridge is fitted; what it is worth is told on tiles that it
has not seen, half of them at a time, and on gaps at the model's own threshold only. Prints that and the
weights.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import rankdata
from tiles import GSD_M, predicted_levels, tile_grid, val_samples

from georoads.levels import level_of
from georoads.model.checkpoint import find_checkpoint
from georoads.network.graph.bridge_faint import Gap
from georoads.network.graph.gap_score import Evidence
from georoads.network.params import VectorizeParams
from georoads.network.vectorize import trace_network
from georoads.output.read import read_roads

NEAR_M = 4.0
OTHER_THRESHOLDS = (0.35, 0.42, 0.6, 0.7)
SHRINK = 1.0
"""Of the weights, in standard deviations of their measures: keeps those that say little small."""
SHOWN = (0.25, 0.32, 0.38, 0.45, 0.5, 0.6, 0.7)


@dataclass(frozen=True)
class Gaps:
    """Gaps with their truth.

    Attributes:
        seen: (N, M) float64, the fields of Evidence.
        true: (N,) float64, share of the gap outside the mask that lies within NEAR_M of the reference.
        length_m: (N,) float64, outside the mask.
        half: (N,) int64, 0 or 1, of the tile.
        own: (N,) bool, found at the model's threshold.
    """

    seen: NDArray[np.float64]
    true: NDArray[np.float64]
    length_m: NDArray[np.float64]
    half: NDArray[np.int64]
    own: NDArray[np.bool_]


def gaps_of(levels: NDArray[np.uint8], threshold: float) -> list[Gap]:
    """The gaps ahead of all dead ends of a tile, none of which is closed."""
    found: list[Gap] = []

    def recording(work: Callable[[Any], Any], items: Iterable[Any], /) -> list[Any]:
        results = [work(item) for item in items]
        found.extend(result for result in results if isinstance(result, Gap))
        return results

    params = VectorizeParams(threshold=threshold, join_p=1.0)
    grid = tile_grid((levels.shape[0], levels.shape[1]))
    trace_network(lambda window: levels[window.slices], grid, params, parallel_map=recording)
    return found


def collect(deepglobe: Path, folder: Path) -> Gaps:
    """All gaps of the val tiles."""
    samples = val_samples(deepglobe)
    cache = predicted_levels(samples, folder)
    own = find_checkpoint("default").card.threshold
    rows = []
    for number, sample in enumerate(samples):
        levels = np.load(cache / f"{sample.name}.npy")
        grid = tile_grid(levels.shape)
        lines = read_roads(folder / "reference" / f"{sample.name}.gpkg").lines
        truth = shapely.union_all([shapely.LineString(grid.to_px(np.array(v.coords))) for v in lines])
        shapely.prepare(truth)
        for threshold in (own, *OTHER_THRESHOLDS):
            road = level_of(threshold * VectorizeParams.low_share)
            for gap in gaps_of(levels, threshold):
                outside = gap.xy[gap.level < road] if (gap.level < road).any() else gap.xy
                near = shapely.dwithin(truth, shapely.points(outside), NEAR_M / GSD_M)
                length_m = gap.length * GSD_M * len(outside) / len(gap.xy)
                rows.append((astuple(gap.evidence), near.mean(), length_m, number % 2, threshold == own))
    columns = [np.array(values) for values in zip(*rows, strict=True)]
    return Gaps(*columns)


def fit(seen: NDArray[np.float64], true: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """(M,) weights and the bias of a logistic regression."""
    mean, size = seen.mean(axis=0), seen.std(axis=0)
    scaled = np.column_stack(((seen - mean) / size, np.ones(len(seen))))

    def loss(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        score = scaled @ weights
        missed = 1 / (1 + np.exp(-score)) - true
        shrunk = SHRINK * np.append(weights[:-1], 0.0)
        value = (np.logaddexp(0, score) - true * score).sum() + (shrunk * weights).sum() / 2
        return float(value), scaled.T @ missed + shrunk

    found = minimize(loss, np.zeros(scaled.shape[1]), jac=True, method="L-BFGS-B").x
    return found[:-1] / size, float(found[-1] - (found[:-1] / size) @ mean)


def unseen_scores(gaps: Gaps) -> NDArray[np.float64]:
    """(N,) float64: each gap's likelihood by the weights that were fitted on the other half of the tiles."""
    scores = np.zeros(len(gaps.true))
    for half in (0, 1):
        mine = gaps.half == half
        weights, bias = fit(gaps.seen[~mine], gaps.true[~mine])
        scores[mine] = 1 / (1 + np.exp(-(gaps.seen[mine] @ weights + bias)))
    return scores


def area_under_curve(score: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """How often a right one scores above a wrong one."""
    n = int(right.sum())
    return float((rankdata(score)[right].sum() - n * (n + 1) / 2) / (n * (len(right) - n)))


def main() -> None:
    """Collect, fit, print."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("deepglobe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where reference.py wrote")
    args = parser.parse_args()
    gaps = collect(args.deepglobe, args.output)
    own, right = gaps.own, gaps.true >= 0.5
    scores = unseen_scores(gaps)
    print(f"{len(own)} gaps, {own.sum()} at the model's threshold, {right[own].mean():.1%} of these right")
    print(f"area under the curve on unseen tiles: {area_under_curve(scores[own], right[own]):.3f}")
    print("| join_p | gaps | m | right gaps | right m |\n|---|---|---|---|---|")
    for least in SHOWN:
        taken = own & (scores >= least)
        metres = gaps.length_m[taken]
        share = (metres * gaps.true[taken]).sum() / max(metres.sum(), 1.0)
        print(f"| {least} | {taken.sum()} | {metres.sum():.0f} | {right[taken].mean():.1%} | {share:.1%} |")
    weights, bias = fit(gaps.seen, gaps.true)
    print(", ".join(f"{f.name}={w:.2f}" for f, w in zip(fields(Evidence), weights, strict=True)))
    print(f"BIAS = {bias:.2f}")


if __name__ == "__main__":
    main()
