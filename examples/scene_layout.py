"""Where things lie in the example scene: roads, river, and the truth that follows from them.

Everything here is in metres from the north-west corner of the full scene, x to the east and y to the south.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.ndimage import gaussian_filter1d
from shapely.geometry import LineString, Point, Polygon

Floats = NDArray[np.float64]
Controls = list[tuple[float, float]]

EXTENT_M = 1024.0
GSD_M = 0.5
SNAP_M = 20.0  # a road that ends this near an earlier one joins it
RIVER: Controls = [
    (322, -60),
    (352, 90),
    (418, 250),
    (372, 420),
    (330, 560),
    (402, 720),
    (448, 880),
    (420, 1090),
]
RIVER_WIDTH_M = 21.0
VILLAGE_CENTRE, VILLAGE_TURN_DEG = (700.0, 470.0), 9.0
HAMLET_CENTRE, HAMLET_TURN_DEG = (185.0, 815.0), -21.0

# Surface, width in metres, control points. Order matters: a later road joins an earlier one.
TRUNKS: list[tuple[str, float, Controls]] = [
    ("asphalt", 9.5, [(-40, 402), (120, 372), (300, 330), (520, 345), (760, 308), (900, 250), (1064, 238)]),
    (
        "concrete",
        6.5,
        [(640, -40), (622, 90), (560, 210), (578, 345), (590, 480), (560, 640), (604, 830), (590, 1064)],
    ),
    ("dirt", 5.5, [(176, 360), (214, 470), (150, 610), (196, 720), (178, 860), (60, 950), (-40, 975)]),
    ("asphalt", 7.0, [(862, 268), (876, 420), (848, 590), (896, 760), (880, 920), (930, 1064)]),
    ("dirt", 5.0, [(566, 616), (470, 606), (330, 622), (240, 590), (152, 604)]),
    ("dirt", 4.5, [(592, 780), (690, 806), (780, 772), (893, 752)]),
    ("dirt", 5.0, [(108, 374), (70, 250), (128, 120), (92, -40)]),
    ("dirt", 4.0, [(75, 262), (180, 232), (262, 140), (240, -40)]),
    ("dirt", 4.5, [(578, 180), (690, 150), (800, 168), (880, 100), (1064, 82)]),
    ("dirt", 4.0, [(424, 338), (470, 200), (446, 90), (520, -40)]),
    ("dirt", 4.0, [(178, 850), (300, 868), (380, 910), (520, 900), (606, 888)]),
    ("dirt", 3.5, [(876, 420), (950, 436), (1064, 400)]),
    ("dirt", 4.0, [(852, 570), (960, 600), (1064, 590)]),
    ("dirt", 4.0, [(888, 850), (980, 842), (1064, 880)]),
    ("dirt", 3.5, [(738, 790), (716, 900), (760, 1064)]),
    ("dirt", 3.5, [(-40, 690), (60, 676), (160, 660)]),
    ("dirt", 3.5, [(470, 606), (496, 720), (478, 800), (505, 900)]),
    ("dirt", 3.5, [(272, 337), (290, 470), (262, 598)]),
]


@dataclass(frozen=True)
class Road:
    """One drawn road: `points` (N, 2) float64 in metres, about 1 m apart, its width, what it is made of."""

    points: Floats
    width_m: float
    surface: str
    built_up: bool = False


def spline(controls: Controls, wander_m: float, rng: np.random.Generator) -> Floats:
    """Return a curve (N, 2) through the control points at 1 m steps, straying by about `wander_m`."""
    knots = np.asarray(controls, dtype=np.float64)
    reach = np.r_[0.0, np.cumsum(np.hypot(*np.diff(knots, axis=0).T))]
    steps = np.linspace(0.0, reach[-1], max(int(reach[-1]), 2) + 1)
    curve: Floats = CubicSpline(reach, knots)(steps)
    stray = gaussian_filter1d(rng.normal(size=len(steps)), 18.0) * np.sqrt(18.0 * 2 * np.sqrt(np.pi))
    tangent = np.gradient(curve, axis=0)
    normal = np.c_[-tangent[:, 1], tangent[:, 0]] / np.hypot(*tangent.T)[:, None]
    strayed: Floats = curve + normal * (wander_m * stray)[:, None]
    return strayed


def village_streets(seed: int) -> list[tuple[str, float, Controls]]:
    """Return the streets of the village and the hamlet: bent, uneven grids, some streets short."""
    rng = np.random.default_rng([seed, 1])
    streets: list[tuple[str, float, Controls]] = []
    along_village, across_village = [-118.0, -64.0, 4.0, 66.0, 128.0], [-62.0, 2.0, 64.0, 118.0]
    grids = [
        (VILLAGE_CENTRE, VILLAGE_TURN_DEG, along_village, across_village),
        (HAMLET_CENTRE, HAMLET_TURN_DEG, [-52.0, 40.0], [-42.0, 76.0]),
    ]
    for centre, turn_deg, rows, columns in grids:
        turn = np.deg2rad(turn_deg)
        frame = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
        for lines, others, swap in ((rows, columns, False), (columns, rows, True)):
            for place in lines:
                low, high = others[0] - rng.uniform(8, 34), others[-1] + rng.uniform(8, 34)
                if not swap and centre == VILLAGE_CENTRE and place > -100:
                    low = -113.0  # the village's cross streets reach the concrete road in the west
                middle = (low + high) / 2
                flat = np.array(
                    [(low, place), (middle, place + rng.uniform(-5, 5)), (high, place + rng.uniform(-4, 4))]
                )
                corners = (flat[:, ::-1] if swap else flat) @ frame + np.asarray(centre)
                width = float(rng.choice([4.0, 4.5, 5.0, 5.5]))
                surface = str(rng.choice(["concrete", "dirt", "concrete"]))
                streets.append((surface, width, [(float(x), float(y)) for x, y in corners]))
    return streets


def join(points: Floats, earlier: list[Floats]) -> Floats:
    """Move both ends of a new road onto earlier roads within `SNAP_M`, adding the shared vertex to those."""
    for end in (0, -1):
        here = Point(points[end])
        gaps = [LineString(other).distance(here) for other in earlier]
        if not gaps or min(gaps) > SNAP_M:
            continue
        number = int(np.argmin(gaps))
        line = LineString(earlier[number])
        along = line.project(here)
        touch = np.asarray(line.interpolate(along).coords[0])
        place = int(
            np.searchsorted(np.r_[0, np.cumsum(np.hypot(*np.diff(earlier[number], axis=0).T))], along)
        )
        earlier[number] = np.insert(earlier[number], place, touch, axis=0)
        # Bend the last 25 m towards the junction, so that the road arrives without a kink.
        reach = np.arange(len(points)) if end == 0 else np.arange(len(points))[::-1]
        points = points + (touch - points[end]) * np.clip(1 - reach / 25.0, 0, 1)[:, None]
        points[end] = touch
    return points


def build_roads(seed: int) -> list[Road]:
    """Return all roads of the full scene, joined where they meet."""
    rng = np.random.default_rng([seed, 2])
    lines: list[Floats] = []
    kinds: list[tuple[str, float, bool]] = []
    trunks = [(*trunk, False) for trunk in TRUNKS]
    for surface, width_m, controls, built_up in trunks + [
        (*street, True) for street in village_streets(seed)
    ]:
        wander = 0.5 if built_up else {"asphalt": 0.3, "concrete": 0.6, "dirt": 1.6}[surface]
        lines.append(join(spline(controls, wander, rng), lines))
        kinds.append((surface, width_m, built_up))
    return [
        Road(line, width, surface, near) for line, (surface, width, near) in zip(lines, kinds, strict=True)
    ]


@dataclass(frozen=True)
class Place:
    """The drawn window: where its corner lies, its roads and river in its pixels, the seed."""

    size_px: int
    offset_m: float
    seed: int
    roads: list[Road]
    lines_px: list[Floats]
    river_px: Floats

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, cols)."""
        return self.size_px, self.size_px

    def rng(self, part: int) -> np.random.Generator:
        """Return the random numbers of one part of the drawing, independent of all other parts."""
        return np.random.default_rng([self.seed, 100 + part])


def make_place(size_px: int, seed: int) -> Place:
    """Return the window of `size_px` in the middle of the full scene."""
    offset_m = (EXTENT_M - size_px * GSD_M) / 2
    roads = build_roads(seed)
    lines = [(road.points - offset_m) / GSD_M for road in roads]
    river = spline(RIVER, 3.0, np.random.default_rng([seed, 99]))
    return Place(size_px, offset_m, seed, roads, lines, (river - offset_m) / GSD_M)


def truth_lines(roads: list[Road], valid: Polygon) -> list[tuple[LineString, Road]]:
    """Return the exact centrelines inside `valid` (metres), split at junctions, each with its road."""
    noded = shapely.get_parts(shapely.node(shapely.MultiLineString([road.points for road in roads])))
    pieces = shapely.get_parts(shapely.line_merge(shapely.union_all(noded)))
    sources = [LineString(road.points) for road in roads]
    found: list[tuple[LineString, Road]] = []
    for piece in pieces:
        middle = piece.interpolate(0.5, normalized=True)
        road = roads[int(np.argmin([source.distance(middle) for source in sources]))]
        for part in shapely.get_parts(piece.intersection(valid)):
            if isinstance(part, LineString) and part.length > 0:
                found.append((LineString(part.simplify(0.02).coords), road))
    return sorted(found, key=lambda item: (item[0].coords[0][1], item[0].coords[0][0]))
