"""Scores between two road layers: python examples/score_roads.py ROADS REFERENCE

Without arguments the truth of the example scene is scored against a worse copy of itself: every tenth road is
missing, the others lie 1.5 m to the east.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import shapely

import georoads
from georoads.output.errors_layer import ErrorKind
from georoads.output.read import RoadLines
from georoads.scoring.explain import explain

HERE = Path(__file__).resolve().parent
DEGREES_PER_M = 1 / 107_700
"""Of longitude, at the example scene's 14.6° N."""


def worse(roads: RoadLines) -> RoadLines:
    """A copy of lines in degrees, without every tenth and moved to the east."""
    kept = [line for number, line in enumerate(roads.lines) if number % 10]
    moved = shapely.transform(kept, lambda xy: xy + np.array((1.5 * DEGREES_PER_M, 0)))
    return dataclasses.replace(roads, lines=moved, name="a worse copy")


def main(roads: RoadLines, reference: RoadLines) -> None:
    """Print the scores, and how much is right, missing and false."""
    found = georoads.score(roads, reference).as_dict()
    for name in ("completeness", "correctness", "f1", "apls", "topo_f1", "node_f1"):
        print(f"{name:>12}: {found[name]:.3f}")
    errors = explain(roads, reference)
    for kind in ErrorKind:
        print(f"{kind.value:>12}: {errors.total_m(kind) / 1000:.2f} km")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        main(georoads.read_roads(sys.argv[1]), georoads.read_roads(sys.argv[2]))
    else:
        truth = georoads.read_roads(HERE / "roads_truth.geojson")
        main(worse(truth), truth)
