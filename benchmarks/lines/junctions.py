"""Junctions at large zoom, on DeepGlobe val tiles: kinked arms, hairpins, crossings that are two Ts.

    python benchmarks/lines/junctions.py DEEPGLOBE -o FOLDER

ours: from the shipped model's probabilities (cached in FOLDER, see compare.py); ceiling: from the masks
themselves. An arm is a line as seen from a junction at one of its ends.

- kinked: its course over the first 5 m and that from 10 to 25 m differ by more than 35 degrees.
- hairpin: two arms of a junction whose roads overlap (their middles are nearer than half of both widths
  together) for more than twice that, from the junction on.
- X of two Ts: two junctions of three arms, less than 8 m apart along a line, whose other arms are two
  straight roads that cross.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import astuple, dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "network"))
import shapely
from baselines import our_network
from numpy.typing import NDArray
from tiles import predicted_levels, truth_levels, val_samples

from georoads.model.checkpoint import find_checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork

NEAR_M, FROM_M, TO_M = 5.0, 10.0, 25.0
KINKED_DEG = 35.0
TWO_T_M = 8.0
STRAIGHT_DEG = 40.0
"""Two arms are one road where they are opposite to within this angle."""


@dataclass(frozen=True)
class Arm:
    """A line as seen from one of its ends: from there on, in metres; how wide it is, and where it leads."""

    line: shapely.LineString
    width_m: float
    edge: int
    other: int

    def point(self, metres: float) -> NDArray[np.float64]:
        """(2,) where it is after so many metres."""
        return np.asarray(shapely.get_coordinates(self.line.interpolate(metres))[0])

    def course(self, start: float, stop: float) -> NDArray[np.float64]:
        """(2,) from the place after so many metres to that after so many."""
        return self.point(stop) - self.point(start)


@dataclass(frozen=True)
class Counts:
    """What is wrong at junctions: arms and kinked arms of 25 m and more, hairpins, crossings of two Ts."""

    junctions: int
    arms: int
    kinked: int
    hairpins: int
    two_ts: int


def arms_of(network: RoadNetwork) -> dict[int, list[Arm]]:
    """The arms of each junction, by the junction's id."""
    found: dict[int, list[Arm]] = {int(n): [] for n in network.node_id[network.degree() >= 3]}
    for edge, (a, b) in enumerate(network.edge_nodes.tolist()):
        line = network.line(edge) * network.grid.gsd_m
        for node, other, points in ((a, b, line), (b, a, line[::-1])):
            if node in found:
                arm = Arm(shapely.LineString(points), float(network.width_m[edge]), edge, other)
                found[node].append(arm)
    return found


def angle_deg(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """0 for the same direction, 180 for opposite ones."""
    size = np.hypot(*a) * np.hypot(*b)
    return float(np.degrees(np.arccos(np.clip(a @ b / size, -1, 1)))) if size else 0.0


def is_kinked(arm: Arm) -> bool:
    """Whether it leaves its junction in another direction than the one in which it goes on."""
    return angle_deg(arm.course(0, NEAR_M), arm.course(FROM_M, TO_M)) > KINKED_DEG


def is_hairpin(one: Arm, other: Arm) -> bool:
    """Whether two arms run side by side where their roads are one."""
    wide = (one.width_m + other.width_m) / 2
    if one.edge == other.edge or min(one.line.length, other.line.length) < 2 * wide:
        return False
    places = one.line.interpolate(np.linspace(0, 2 * wide, 9)[1:])
    return bool((shapely.distance(places, other.line) < wide).all())


def is_x(a: Arm, arms: dict[int, list[Arm]], node: int) -> bool:
    """Whether the arms of two Ts that a short line joins are two straight roads that cross."""
    sides = [[other for other in arms[n] if other.edge != a.edge] for n in (node, a.other)]
    if any(len(side) != 2 for side in sides):
        return False
    middle = a.point(a.line.length / 2)
    ends = [[arm.point(min(15.0, arm.line.length)) - middle for arm in side] for side in sides]
    pairs = [[(ends[0][0], ends[1][k]), (ends[0][1], ends[1][1 - k])] for k in (0, 1)]
    return any(all(angle_deg(u, v) > 180 - STRAIGHT_DEG for u, v in pair) for pair in pairs)


def count(network: RoadNetwork) -> Counts:
    """All of a network."""
    arms = arms_of(network)
    long = [arm for of_node in arms.values() for arm in of_node if arm.line.length >= TO_M]
    pairs = [pair for of_node in arms.values() for pair in combinations(of_node, 2)]
    joints = [(arm, node) for node, of_node in arms.items() for arm in of_node if node < arm.other]
    short = [(arm, node) for arm, node in joints if arm.other in arms and arm.line.length < TWO_T_M]
    return Counts(
        junctions=len(arms),
        arms=len(long),
        kinked=sum(is_kinked(arm) for arm in long),
        hairpins=sum(is_hairpin(*pair) for pair in pairs),
        two_ts=sum(is_x(arm, arms, node) for arm, node in short),
    )


def main() -> None:
    """Trace, count, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("deepglobe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where reference.py wrote")
    args = parser.parse_args()
    samples = val_samples(args.deepglobe)
    cache = predicted_levels(samples, args.output)
    params = VectorizeParams(threshold=find_checkpoint("default").card.threshold)
    print("| | junctions | arms of 25 m | kinked | hairpins | X of two Ts |\n|---|---|---|---|---|---|")
    for way in ("ours", "ceiling"):
        levels = (np.load(cache / f"{s.name}.npy") if way == "ours" else truth_levels(s) for s in samples)
        total = Counts(*np.sum([astuple(count(our_network(v, params))) for v in levels], axis=0).tolist())
        share = 100 * total.kinked / total.arms
        print(
            f"| {way} | {total.junctions} | {total.arms} | {total.kinked} ({share:.1f} %) "
            f"| {total.hairpins} | {total.two_ts} |"
        )


if __name__ == "__main__":
    main()
