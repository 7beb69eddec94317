"""Drawn networks whose middle lines, widths, nodes and edges are known: measured must be what was drawn.

Every network is drawn at several widths, angles and pixel sizes. The arms run out of the raster, so that
their ends are where they leave it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import shapely
from network_drawings import network_of
from numpy.typing import NDArray

from georoads.network.params import VectorizeParams
from georoads.network.types import NodeKind, RoadNetwork

pytestmark = pytest.mark.slow

SIZE = 600
FAR = 900.0
Line = list[tuple[float, float]]


@dataclass(frozen=True)
class Drawn:
    """Middle lines around (0, 0), y downwards, and what they make: edges, and nodes by kind."""

    lines: list[Line]
    edges: int
    junctions: int = 0
    ends: int = 0
    rings: int = 0
    leaving: int = 2


def arc(x: float, y: float, radius: float, start: float, stop: float) -> Line:
    angles = np.radians(np.linspace(start, stop, 181))
    return [(x + radius * float(np.cos(a)), y + radius * float(np.sin(a))) for a in angles]


def arms(*degrees: float, start: float = 0.0) -> list[Line]:
    """Straight roads outwards, ``start`` from the middle."""
    ways = [(float(np.cos(np.radians(d))), float(np.sin(np.radians(d)))) for d in degrees]
    return [[(start * x, start * y), (FAR * x, FAR * y)] for x, y in ways]


NETWORKS = {
    "straight": Drawn([[(-FAR, 0), (FAR, 0)]], edges=1),
    "curve": Drawn([[(-FAR, 150), (0, 150), *arc(0, 0, 150, 90, 0), (150, -FAR)]], edges=1),
    "T": Drawn(arms(0, 180, 90), edges=3, junctions=1, leaving=3),
    "X": Drawn(arms(0, 180, 90, 270), edges=4, junctions=1, leaving=4),
    "Y": Drawn(arms(90, 210, 330), edges=3, junctions=1, leaving=3),
    "star": Drawn(arms(0, 72, 144, 216, 288), edges=5, junctions=1, leaving=5),
    "roundabout": Drawn(
        [arc(0, 0, 100, 0, 360), *arms(0, 120, 240, start=100)], edges=6, junctions=3, leaving=3
    ),
    "dual carriageway": Drawn([[(-FAR, -30), (FAR, -30)], [(-FAR, 30), (FAR, 30)]], edges=2, leaving=4),
    "ladder": Drawn(
        [[(-FAR, -60), (FAR, -60)], [(-FAR, 60), (FAR, 60)], [(-90, -60), (-90, 60)], [(90, -60), (90, 60)]],
        edges=8, junctions=4, leaving=4,
    ),
    "cul-de-sac": Drawn([[(-FAR, 0), (100, 0)]], edges=1, ends=1, leaving=1),
    "ring": Drawn([arc(0, 0, 150, 0, 360)], edges=1, rings=1, leaving=0),
}  # fmt: skip


LOOSE_PX = {
    # Five roads that overlap over 25 pixels around their junction; arms that meet a tight curve:
    # where exactly they meet is not to be seen in the mask.
    ("star", 30): 1.5,
    ("curve", 30): 0.8,  # it leaves aslant, with one side through the raster's corner
    ("roundabout", 30): 1.2,
}

SLANTED = [0.0, 11.0, 24.0, 36.0]
"""Not near 45 degrees: then wide roads leave through the raster's corner: half of their end is cut off."""


def placed(lines: list[Line], degrees: float) -> list[shapely.LineString]:
    """The lines in pixel coordinates: turned, and moved to a place that is no pixel's centre."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    turn = np.array([[c, s], [-s, c]])
    return [shapely.LineString(np.array(line) @ turn + (SIZE / 2 + 0.3, SIZE / 2 - 0.2)) for line in lines]


def painted(lines: list[shapely.LineString], width: float) -> NDArray[np.bool_]:
    """(SIZE, SIZE) bool: pixels whose centre is less than half the width from a line."""
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    whole = shapely.union_all(lines)
    shapely.prepare(whole)
    near = shapely.dwithin(shapely.points(x.ravel(), y.ravel()), whole, width / 2)
    return np.asarray(near.reshape(SIZE, SIZE))


def check_counts(network: RoadNetwork, drawn: Drawn) -> None:
    kinds = np.bincount(network.node_kind, minlength=len(NodeKind)).tolist()
    assert kinds == [drawn.junctions, drawn.ends, drawn.rings, drawn.leaving]  # as NodeKind has them
    assert network.n_edges == drawn.edges


def error_px(network: RoadNetwork, lines: list[shapely.LineString]) -> float:
    """Root mean square of the distance of traced lines, at a point each pixel, from those that were drawn."""
    whole = shapely.union_all(lines)
    found = [shapely.LineString(network.line(i)) for i in range(network.n_edges)]
    points = [shapely.line_interpolate_point(f, np.arange(0.0, f.length, 1.0)) for f in found]
    return float(np.sqrt(np.mean(shapely.distance(np.concatenate(points), whole) ** 2)))


@pytest.mark.parametrize("degrees", SLANTED)
@pytest.mark.parametrize("width", [4, 9, 16, 30])
@pytest.mark.parametrize("name", NETWORKS)
def test_lines_widths_nodes_and_edges_are_those_drawn(name: str, width: int, degrees: float) -> None:
    drawn = NETWORKS[name]
    lines = placed(drawn.lines, degrees)
    gsd = 0.5
    network = network_of(painted(lines, width), VectorizeParams(), gsd)
    check_counts(network, drawn)
    assert error_px(network, lines) <= LOOSE_PX.get((name, width), 0.5)
    long = network.length_m > 4 * width * gsd
    # A road of 4 pixels that is drawn pixel by pixel is up to half a pixel wider or narrower.
    assert network.width_m[long] == pytest.approx(width * gsd, rel=max(0.10, 0.5 / width))


@pytest.mark.parametrize("gsd", [0.25, 1.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_other_pixel_sizes(name: str, gsd: float) -> None:
    drawn = NETWORKS[name]
    width = {0.25: 18, 1.0: 7}[gsd]
    lines = placed(drawn.lines, 20)
    network = network_of(painted(lines, width), VectorizeParams(), gsd)
    check_counts(network, drawn)
    # simplify_m is 0.25 m whatever a pixel is.
    assert error_px(network, lines) <= max(0.5, 0.25 / gsd)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NETWORKS)
def test_counts_hold_under_noise(name: str, seed: int) -> None:
    """Noise of a standard deviation of 0.15 on p = 0.85 and 0.15: a pixel of a hundred on the wrong side."""
    drawn = NETWORKS[name]
    lines = placed(drawn.lines, 24)
    p = np.where(painted(lines, 14), 0.85, 0.15)
    p += np.random.default_rng(seed).normal(0, 0.15, p.shape)
    levels = np.rint(254 * p.clip(0, 1)).astype(np.uint8)
    network = network_of(levels, VectorizeParams())
    check_counts(network, drawn)
    assert error_px(network, lines) <= 1.0
