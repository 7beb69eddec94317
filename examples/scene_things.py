"""What stands in the example scene: houses, trees and vehicles, and where they may stand."""

from __future__ import annotations

import cv2
import numpy as np
import scene_layout as layout
import scene_paint as paint
from numpy.typing import NDArray
from scene_layout import GSD_M

VEHICLES = [
    ((225, 224, 220), 0.4), ((70, 70, 72), 0.25), ((150, 150, 152), 0.2),
    ((150, 48, 40), 0.1), ((56, 78, 120), 0.05),
]  # fmt: skip
CLUTTER = [
    ((196, 190, 176), 0.3), ((110, 100, 88), 0.3), ((150, 120, 88), 0.2),
    ((92, 78, 62), 0.15), ((90, 120, 150), 0.05),
]  # fmt: skip


def along_roads(place: layout.Place, step_m: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return points on the roads, (N, 6): col, row, unit tangent (2), half width in pixels, road number."""
    found = []
    for number, line in enumerate(place.lines_px):
        inside = np.all((line > -40) & (line < place.size_px + 40), axis=1)
        tangent = np.gradient(line, axis=0)
        tangent /= np.hypot(*tangent.T)[:, None] + 1e-9
        step = max(int(step_m), 1)
        for at in range(int(rng.integers(0, step)), len(line), step):
            if inside[at]:
                half = place.roads[number].width_m / 2 / GSD_M
                found.append([*line[at], *tangent[at], half, number])
    return np.array(found, dtype=np.float64).reshape(-1, 6)


def claim(blocked: NDArray[np.uint8], corners: NDArray[np.int32]) -> bool:
    """Mark the plot with these corners (4, 2) as taken, if it lies in the picture and is free."""
    low, high = np.maximum(corners.min(0), 0), np.minimum(corners.max(0) + 1, blocked.shape[::-1])
    if np.any(low >= high):
        return False
    plot = np.zeros((high[1] - low[1], high[0] - low[0]), np.uint8)
    cv2.fillConvexPoly(plot, corners - low, 1)
    taken = blocked[low[1] : high[1], low[0] : high[0]]
    if np.any(taken & plot):
        return False
    taken |= plot
    return True


def build_houses(
    place: layout.Place, height: paint.Array, coat: paint.Array, blocked: NDArray[np.uint8]
) -> None:
    """Put houses along the streets in two rows, farms and sheds along other roads; mark them in `blocked`."""
    rng, grain = place.rng(20), paint.fractal(place.shape, 2.0, 4, place.rng(21))
    for col, row, dx, dy, half, number in along_roads(place, 7.0, rng):
        built_up = place.roads[int(number)].built_up
        for side, depth_m in ((-1, 0.0), (1, 0.0), (-1, 16.0), (1, 16.0)):
            if rng.random() > (
                (0.62 if depth_m == 0 else 0.45) if built_up else (0.022 if depth_m == 0 else 0.016)
            ):
                continue
            shed = rng.random() < (0.03 if built_up else 0.35)
            long_px = rng.uniform(22, 46) if shed else rng.uniform(7, 15)
            wide_px = rng.uniform(10, 17) if shed else rng.uniform(5.5, 10)
            if rng.random() < 0.4:
                long_px, wide_px = wide_px, long_px
            back = half + wide_px + (rng.uniform(2.0, 8.0) + depth_m) / GSD_M
            centre = (col - side * dy * back, row + side * dx * back)
            turn = np.arctan2(dy, dx) + rng.normal(0, 0.07)
            box = ((centre[0], centre[1]), (2 * long_px + 3, 2 * wide_px + 3), float(np.rad2deg(turn)))
            if claim(blocked, np.round(cv2.boxPoints(box)).astype(np.int32)):
                raise_house(height, coat, (centre[0], centre[1], long_px, wide_px, turn), grain, rng)


def raise_house(
    height: paint.Array,
    coat: paint.Array,
    box: tuple[float, ...],
    grain: paint.Array,
    rng: np.random.Generator,
) -> None:
    """Build one house, sometimes with an annex under another roof."""
    style = "flat" if rng.random() < 0.3 else "gable"
    tall_m = rng.uniform(3.0, 6.5)
    col, row, long_px, wide_px, turn = box
    if long_px < wide_px:
        long_px, wide_px, turn = wide_px, long_px, turn + np.pi / 2
    whole = np.array([col, row, long_px, wide_px, turn])
    paint.stand_box(height, coat, whole, tall_m, paint.pick(paint.ROOFS, rng), style, grain)
    if rng.random() < 0.55:
        reach = long_px * rng.uniform(0.3, 0.6)
        annex = np.array(
            [col + np.cos(turn) * reach, row + np.sin(turn) * reach, long_px - reach, wide_px * 0.85, turn]
        )
        paint.stand_box(
            height, coat, annex, tall_m * rng.uniform(0.6, 0.95), paint.pick(paint.ROOFS, rng), "flat", grain
        )


def tree_places(
    edge: NDArray[np.bool_],
    wooded: NDArray[np.bool_],
    orchard: NDArray[np.bool_],
    beyond: paint.Array,
    depth: paint.Array,
    clumps: paint.Array,
) -> list[tuple[NDArray[np.bool_], float, float, float]]:
    """Return where trees stand: an area, trees per pixel, median radius in metres, its spread (log)."""
    x, y = np.meshgrid(np.arange(edge.shape[1]), np.arange(edge.shape[0]))
    rows_of_trees = ((x + 3 * y // 17) % 13 == 0) & ((y - 3 * x // 17) % 13 == 0)
    verge = (beyond > 0.8) & (beyond < 5)
    bank = (depth > -9) & (depth < -1.5)
    return [
        (edge & (clumps > 0.7), 0.06, 1.9, 0.5),
        (edge, 0.006, 1.5, 0.55),
        (wooded, 0.016, 2.3, 0.4),
        (orchard & rows_of_trees, 0.92, 1.3, 0.16),
        (bank & (clumps > 0.1), 0.012, 1.9, 0.5),
        (verge & (clumps > 0.35), 0.006, 2.3, 0.5),
        (verge, 0.0040, 1.0, 0.45),
        (beyond > 1.0, 0.00017, 1.6, 0.6),
        ((beyond > 1.0) & (clumps > 1.1), 0.0016, 1.6, 0.5),
        ((beyond > 4.0) & edge, 0.0026, 4.3, 0.25),
    ]


def plant_trees(
    place: layout.Place,
    fields: paint.Ints,
    wooded: NDArray[np.bool_],
    orchard: NDArray[np.bool_],
    beyond: paint.Array,
    depth: paint.Array,
) -> NDArray[np.float64]:
    """Return crowns (N, 3: col, row, radius in pixels) of hedges, woods, orchards, roadsides and river banks.

    `beyond` (rows, cols) is the distance to the nearest road's edge in metres, negative on the road: no trunk
    stands closer than 0.8 m, but crowns may hang over.
    """
    rng, shape = place.rng(30), place.shape
    clumps = paint.noise(shape, 55, rng)
    edge = np.zeros(shape, bool)
    edge[:, 1:] |= fields[:, 1:] != fields[:, :-1]
    edge[1:] |= fields[1:] != fields[:-1]
    crowns = []
    for where, density, radius_m, spread in tree_places(edge, wooded, orchard, beyond, depth, clumps):
        rows, cols = np.nonzero(where & (rng.random(shape) < density) & (beyond > 0.8))
        radius = radius_m * np.exp(rng.normal(0, spread, len(rows)))
        crowns.append(
            np.c_[
                cols + rng.random(len(rows)), rows + rng.random(len(rows)), np.clip(radius, 0.6, 6.5) / GSD_M
            ]
        )
    found = np.concatenate(crowns)
    # A wide crown close to the road would hide it whole: most of those are cut back, some stay.
    at_col, at_row = (found[:, axis].astype(int) for axis in (0, 1))  # the trunks' pixels
    gap_m = beyond[at_row, at_col]
    limit = gap_m / GSD_M + np.where(rng.random(len(found)) < 0.45, 3.2, 0.9) / GSD_M
    found[:, 2] = np.minimum(found[:, 2], np.maximum(limit, 1.2))
    return found[rng.permutation(len(found))]


def scatter_clutter(
    place: layout.Place,
    height: paint.Array,
    coat: paint.Array,
    blocked: NDArray[np.uint8],
    yards: NDArray[np.bool_],
) -> None:
    """Put sheds, tanks, walls, heaps and stacks into yards, and a few hay stacks and huts on fields."""
    rng, flat = place.rng(25), np.zeros(place.shape, np.float32)
    for where, density in ((yards, 0.0016), (~yards, 0.00003)):
        rows, cols = np.nonzero(where & (blocked == 0) & (rng.random(place.shape) < density))
        for row, col in zip(rows, cols, strict=True):
            wall = rng.random() < 0.12
            half = (rng.uniform(6, 16), 0.7) if wall else (rng.uniform(1.0, 4.0), rng.uniform(1.0, 3.0))
            turn = np.deg2rad(layout.VILLAGE_TURN_DEG) + rng.normal(0, 0.08) + np.pi / 2 * rng.integers(0, 2)
            reach = np.array([np.cos(turn), np.sin(turn)]) * half[0]
            ends = (np.array([col, row]) + np.array([-reach, reach])).astype(int)
            if np.any(ends < 0) or np.any(ends >= place.size_px) or np.any(blocked[ends[:, 1], ends[:, 0]]):
                continue
            box = np.array([col, row, *half, turn])
            tall_m = 0.9 if wall else rng.uniform(0.8, 2.6)
            paint.stand_box(height, coat, box, tall_m, paint.pick(CLUTTER, rng), "car", flat)


def park_vehicles(place: layout.Place, height: paint.Array, coat: paint.Array) -> None:
    """Put cars and a few lorries on the roads, more on asphalt, each on its side of the middle line."""
    rng, flat = place.rng(40), np.zeros(place.shape, np.float32)
    share = {"asphalt": 0.30, "concrete": 0.14, "dirt": 0.03}
    for col, row, dx, dy, half, number in along_roads(place, 23.0, rng):
        if rng.random() > share[place.roads[int(number)].surface]:
            continue
        lane = half * rng.uniform(0.32, 0.6) * rng.choice([-1, 1])
        lorry = rng.random() < 0.12
        length, width = (8.0, 2.5) if lorry else (4.3, 1.8)
        turn = np.arctan2(dy, dx) + rng.normal(0, 0.03)
        box = np.array([col - dy * lane, row + dx * lane, length / 2 / GSD_M, width / 2 / GSD_M, turn])
        paint.stand_box(height, coat, box, 2.8 if lorry else 1.5, paint.pick(VEHICLES, rng), "car", flat)
