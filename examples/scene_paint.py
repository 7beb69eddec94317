"""How the example scene is painted: ground, roads, things that stand up, light and lens.

Strategy: a flat picture of the ground (fields, water, roads) and a height model (trees, houses, vehicles) are
drawn separately; the height model then gives relief and cast shadows for both, and a last step imitates the
sensor. All colours are constants chosen by eye. Arrays are (rows, cols) float32, pictures (rows, cols, 3)
float32, 0-255.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray
from scene_layout import GSD_M
from scipy.spatial import cKDTree

Array = NDArray[np.float32]
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]
Rng = np.random.Generator

# Field kinds: RGB, strength of rows, of mottling, of fine grain, share of the fields.
FIELDS: dict[str, tuple[tuple[float, float, float], float, float, float, float]] = {
    "ploughed": ((98, 77, 57), 3.5, 5.0, 4.0, 0.19),
    "soil": ((129, 106, 79), 3.0, 8.0, 4.5, 0.17),
    "stubble": ((161, 138, 102), 4.0, 13.0, 7.0, 0.17),
    "fallow": ((122, 112, 76), 0.0, 14.0, 8.0, 0.14),
    "orchard": ((128, 113, 80), 1.0, 10.0, 6.0, 0.05),
    "young": ((96, 100, 62), 6.0, 8.0, 5.0, 0.11),
    "crop": ((60, 75, 46), 5.0, 6.0, 4.5, 0.12),
    "paddy": ((68, 101, 52), 2.0, 7.0, 4.0, 0.03),
    "wood": ((70, 74, 46), 0.0, 10.0, 7.0, 0.02),
}
YARDS: dict[str, tuple[tuple[float, float, float], float, float, float, float]] = {
    "bare": ((156, 134, 104), 0.0, 14.0, 9.0, 0.55),
    "grass": ((112, 106, 70), 0.0, 13.0, 9.0, 0.30),
    "garden": ((76, 86, 52), 3.0, 11.0, 8.0, 0.15),
}
SURFACES = {"asphalt": (107.0, 102.0, 93.0), "concrete": (152.0, 142.0, 122.0), "dirt": (156.0, 131.0, 98.0)}
VERGE = (142.0, 122.0, 89.0)
ROOFS = [
    ((168, 166, 160), 0.26), ((124, 118, 110), 0.24), ((118, 88, 73), 0.18), ((146, 84, 66), 0.08),
    ((92, 116, 150), 0.06), ((212, 208, 198), 0.08), ((88, 84, 78), 0.10),
]  # fmt: skip
CROWNS = [
    ((50, 63, 38), 0.42),
    ((60, 74, 43), 0.28),
    ((78, 84, 52), 0.15),
    ((40, 53, 35), 0.10),
    ((104, 88, 62), 0.05),
]


@dataclass(frozen=True)
class Near:
    """Pixels near a line: `rows`, `cols` (N,), and how far `off` (signed) and `along` it, in metres."""

    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    off: Floats
    along: Floats


def noise(shape: tuple[int, int], scale_px: float, rng: Rng) -> Array:
    """Return smooth noise (rows, cols) of mean about 0, deviation about 1 and the given grain."""
    rows, cols = (int(n / scale_px) + 4 for n in shape)
    grid = rng.normal(size=(rows, cols)).astype(np.float32)
    if scale_px <= 1:
        return grid[: shape[0], : shape[1]]
    grown = cv2.resize(grid, None, fx=scale_px, fy=scale_px, interpolation=cv2.INTER_CUBIC)
    # A random start hides the lattice that the cubic would put at the same place in each octave.
    row, col = (int(v) for v in rng.integers(0, int(scale_px) + 1, 2))
    return np.ascontiguousarray(grown[row : row + shape[0], col : col + shape[1]]) * np.float32(1.35)


def fractal(shape: tuple[int, int], finest_px: float, octaves: int, rng: Rng) -> Array:
    """Return a sum of noises, each twice as coarse and 1.25 times as strong, of deviation about 1."""
    total = np.zeros(shape, np.float32)
    for octave in range(octaves):
        total += np.float32(1.25**octave) * noise(shape, finest_px * 2**octave, rng)
    return total / np.float32(np.sqrt(sum(1.25 ** (2 * n) for n in range(octaves))))


def near_line(points_px: Floats, reach_px: float, shape: tuple[int, int], gsd_m: float) -> Near:
    """Return the pixels within `reach_px` of a polyline (N, 2) in pixels, with exact offsets from it."""
    band = np.zeros(shape, np.uint8)
    cv2.polylines(
        band, [np.round(points_px * 16).astype(np.int32)], False, 1, int(2 * reach_px) + 3, cv2.LINE_8, 4
    )
    rows, cols = np.nonzero(band)
    steps = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points_px, axis=0).T))]
    fine = np.arange(0.0, steps[-1], 0.25)
    curve = np.c_[np.interp(fine, steps, points_px[:, 0]), np.interp(fine, steps, points_px[:, 1])]
    tangent = np.gradient(curve, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None] + 1e-9
    centres = np.c_[cols + 0.5, rows + 0.5]
    distance, nearest = cKDTree(curve).query(centres, distance_upper_bound=reach_px + 2)
    # Beyond a dead end a road stops, it does not grow a round head.
    capped = ((nearest <= 1) | (nearest >= len(curve) - 2)) & (distance > 1.0 / gsd_m)
    good = np.isfinite(distance) & ~capped
    rows, cols, distance, nearest = rows[good], cols[good], distance[good], nearest[good]
    gap, way = centres[good] - curve[nearest], tangent[nearest]
    side = np.sign(way[:, 0] * gap[:, 1] - way[:, 1] * gap[:, 0]) + 1e-9
    return Near(rows, cols, distance * np.sign(side) * gsd_m, fine[nearest] * gsd_m)


def blend(
    picture: Array, rows: NDArray[np.int64], cols: NDArray[np.int64], colour: Floats, alpha: Floats
) -> None:
    """Lay `colour` (3,) or (N, 3) over the given pixels with opacity `alpha` (N,)."""
    under = picture[rows, cols]
    picture[rows, cols] = (under + (colour - under) * alpha[:, None]).astype(np.float32)


def split_blocks(blocks: Ints, target_px: Array, rng: Rng) -> tuple[Ints, Array, Array]:
    """Cut each block (label > 0) into fields along its own main direction.

    `target_px` (rows, cols) is the wanted size of a field in pixels. Returns the labels of the fields and the
    coordinates (u, v), in pixels along and across the rows, of each pixel.
    """
    shape = blocks.shape
    warp_u, warp_v = (9 * noise(shape, 190.0, rng) + 1.5 * noise(shape, 26.0, rng) for _ in range(2))
    fields, u_all, v_all = np.zeros(shape, np.int32), np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    order = np.argsort(blocks, axis=None, kind="stable")
    ends = np.cumsum(np.bincount(blocks.ravel()))
    count = 0
    for start, stop in pairwise(ends):
        if stop == start:
            continue
        rows, cols = np.unravel_index(order[start:stop], shape)
        (_, _), (_, _), turn = cv2.minAreaRect(
            np.c_[cols, rows][:: max(len(rows) // 5000, 1)].astype(np.float32)
        )
        angle = np.deg2rad(turn)
        x, y = cols + warp_u[rows, cols], rows + warp_v[rows, cols]
        u, v = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
        stack = [np.arange(len(rows))]
        while stack:
            part = stack.pop()
            size_u, size_v = float(np.ptp(u[part])), float(np.ptp(v[part]))
            wanted = float(target_px[rows[part[0]], cols[part[0]]]) * rng.uniform(0.5, 1.6)
            if len(part) <= wanted or min(size_u, size_v) < 12:
                count += 1
                swap = size_v > size_u  # rows run along the longer side
                fields[rows[part], cols[part]] = count
                u_all[rows[part], cols[part]] = v[part] if swap else u[part]
                v_all[rows[part], cols[part]] = u[part] if swap else v[part]
                continue
            axis, size = (u, size_u) if size_u >= size_v * rng.uniform(0.6, 1.2) else (v, size_v)
            cut = float(axis[part].min()) + size * rng.uniform(0.36, 0.64)
            stack += [half for half in (part[axis[part] < cut], part[axis[part] >= cut]) if len(half)]
    return fields, u_all, v_all


def field_kinds(fields: Ints, built_up: NDArray[np.bool_], rng: Rng) -> tuple[list[str], NDArray[np.int64]]:
    """Return the names of all kinds and, for each label, the number of its kind: yards where built up."""
    names = list(FIELDS) + list(YARDS)
    count = int(fields.max()) + 1
    sizes = np.maximum(np.bincount(fields.ravel(), minlength=count), 1)
    inside = np.bincount(fields.ravel(), built_up.ravel(), count) / sizes
    # Neighbours grow alike: kinds follow a smooth noise, blurred by each farmer's own choice.
    trend: Floats = np.bincount(fields.ravel(), noise(fields.shape, 300, rng).ravel(), count) / sizes
    rank = (np.argsort(np.argsort(trend + rng.normal(0, 0.5, count))) + 0.5) / count
    shares = np.cumsum([kind[4] for kind in FIELDS.values()])
    open_kind = np.searchsorted(shares, rank).clip(0, len(FIELDS) - 1)
    yard_kind = len(FIELDS) + rng.choice(len(YARDS), count, p=[kind[4] for kind in YARDS.values()])
    return names, np.where(inside > 0.5, yard_kind, open_kind)


def paint_fields(fields: Ints, u: Array, v: Array, kinds: NDArray[np.int64], rng: Rng) -> Array:
    """Return the picture of the ground: each field with its colour, strips, rows, patches and grain."""
    shape, count = fields.shape, len(kinds)
    table = list(FIELDS.values()) + list(YARDS.values())
    base = np.array([k[0] for k in table])[kinds]
    base = base * rng.normal(1, 0.11, (count, 1)) * rng.normal(1, 0.02, (count, 3))
    rows_amp, mottle, grain = (np.array([k[i] for k in table], np.float32)[kinds] for i in (1, 2, 3))
    period, strip = rng.uniform(4.0, 9.5, count), rng.uniform(14, 46, count)
    picture: Array = base.astype(np.float32)[fields]
    wobble = 0.5 * noise(shape, 24, rng)
    rows = np.sin(2 * np.pi * (v + wobble) / period.astype(np.float32)[fields]) * (
        0.6 + 0.5 * noise(shape, 40, rng)
    )
    # Strips: one pass of the tractor is a little lighter than the next; a hash of its number says how much.
    number = np.floor((v + 3000) / strip.astype(np.float32)[fields]).astype(np.int64)
    strips = ((number * 2654435761 + fields * 40503) % 1021).astype(np.float32) / 510 - 1
    # Along a row the growth varies: noise drawn out in the direction of the rows.
    streaks = cv2.remap(
        fractal((2 * shape[0], 512), 1.2, 4, rng),
        np.mod(u / 7, 511),
        np.mod(v, 2 * shape[0] - 1),
        cv2.INTER_LINEAR,
    )
    tone = rows_amp[fields] * (1.25 * rows + 0.6 * strips + 0.9 * streaks) + 2.2 * streaks
    # Low banks or furrows part some fields into plots, lighter or darker than the field.
    plots = (rng.choice([0.0, 0.0, -13.0, 11.0], count) * (kinds < len(FIELDS))).astype(np.float32)[fields]
    spacing = strip.astype(np.float32)[fields]
    lines = np.minimum(np.mod(v + wobble, spacing), np.mod(u + wobble, 2.6 * spacing) * 1.4)
    tone += plots * np.exp(-((lines / 1.3) ** 2)) * np.clip(0.7 + 0.5 * noise(shape, 35, rng), 0, 1.3)
    tone += mottle[fields] * 0.62 * fractal(shape, 8.0, 5, rng) + grain[fields] * 1.05 * fractal(
        shape, 1.0, 2, rng
    )
    picture += tone[..., None] * np.array([1.0, 0.92, 0.78], np.float32)
    picture *= 1 + 0.055 * fractal(shape, 60.0, 4, rng)[..., None]
    # Weeds and damp spots: hue turns greener in large, uneven patches.
    green = np.clip(fractal(shape, 12.0, 5, rng) - 0.5, 0, 1.6)[..., None] * (mottle[fields] / 12)[..., None]
    picture += green * (np.array([66, 78, 42], np.float32) - picture) * np.float32(0.35)
    return picture


def paint_bunds(picture: Array, fields: Ints, rng: Rng) -> NDArray[np.uint8]:
    """Draw the banks and grass strips between fields; return where the boundaries are (1 = boundary)."""
    edge = np.zeros(fields.shape, np.uint8)
    edge[:, 1:] |= fields[:, 1:] != fields[:, :-1]
    edge[1:] |= fields[1:] != fields[:-1]
    off = cv2.distanceTransform(1 - edge, cv2.DIST_L2, 5) + 0.8 * fractal(fields.shape, 2.5, 3, rng)
    worn, lush = noise(fields.shape, 90, rng), noise(fields.shape, 60, rng)
    for colour, width, amount in (
        ((78, 80, 50), 3.4, 0.38 + 0.34 * lush),
        ((158, 137, 103), 1.5, 0.50 + 0.45 * worn),
    ):
        alpha = np.clip(amount, 0, 0.8) * np.exp(-((off / width) ** 2))
        picture += (np.array(colour, np.float32) - picture) * alpha[..., None]
    return edge


def paint_water(picture: Array, depth_m: Array, rng: Rng) -> None:
    """Lay water, banks and waves where `depth_m` (metres inside the bank, negative on land) is positive."""
    shape = depth_m.shape
    ragged = depth_m + 1.5 * fractal(shape, 5.0, 5, rng)
    bank = np.exp(-(((ragged + 2.5) / 3.0) ** 2))[..., None]
    scrub = np.exp(-(((ragged + 0.5) / 1.5) ** 2))[..., None]
    waves = 1.6 * cv2.blur(noise(shape, 1.5, rng), (5, 1)) + 2.5 * fractal(shape, 20, 3, rng)
    water = np.array([70, 76, 62], np.float32) - 7 * np.clip(ragged / 8, 0, 1)[..., None] + waves[..., None]
    picture += (np.array([128, 110, 80], np.float32) - picture) * bank * np.float32(0.7)
    picture += (np.array([62, 78, 42], np.float32) - picture) * scrub * np.float32(0.6)
    picture += (water - picture) * np.clip(ragged / 0.7 + 0.5, 0, 1)[..., None]


def road_colour(near: Near, surface: str, width_m: float, texture: Floats, rng: Rng) -> Floats:
    """Return the colour (N, 3) of a road's pixels: ruts, joints, patches and markings by surface."""
    tone = 6.0 * texture + rng.normal(0, 3.0, len(texture))
    # Along its way a road is repaired, dusty or damp.
    stage = np.interp(near.along, np.arange(0, 2600, 22.0), np.cumsum(rng.normal(0, 5.0, 119)) % 26 - 13)
    tone += 0.7 * stage
    colour = np.array(SURFACES[surface]) * rng.normal(1, 0.06) + np.zeros((len(texture), 1))
    across, half = np.abs(near.off), width_m / 2
    if surface == "dirt":
        tone = 1.6 * tone + 10 * np.exp(-(((across - 0.85) / 0.45) ** 2))
        tone -= (
            (26 if width_m < 4.2 else 14) * np.exp(-((across / 0.4) ** 2)) * np.clip(0.5 + texture, 0, 1.2)
        )
    elif surface == "concrete":
        tone -= 6.0 * (np.mod(near.along, 6.0) < 0.5) + 5 * (across < 0.25)
        tone -= 6.0 * np.exp(-(((across - half * 0.5) / 0.6) ** 2))
    else:
        tone -= 7.0 * np.exp(-(((across - half * 0.45) / 0.7) ** 2))
        lanes = (across < 0.2) & (np.mod(near.along, 12.0) < 4.0)
        sides = np.abs(across - (half - 0.7)) < 0.15
        tone += 40 * lanes + (16 * sides if width_m > 8 else 0.0)
    shaded: Floats = colour + tone[:, None] * np.array([1.0, 0.95, 0.85])
    # Dust lies towards the edges.
    dust = (
        0.5
        * np.clip((across - half + 1.4) / 1.4, 0, 1)[:, None]
        * np.clip(0.6 + 0.6 * texture, 0, 1)[:, None]
    )
    return shaded + (np.array(VERGE) - shaded) * dust


def paint_road(picture: Array, cover: Array, near: Near, surface: str, width_m: float, rng: Rng) -> None:
    """Lay one road with its worn verges over the ground; `cover` (rows, cols) keeps the largest opacity."""
    shape = cover.shape
    dirt = surface == "dirt"
    rough = fractal(shape, 2.5, 5, rng)[near.rows, near.cols].astype(np.float64)
    broad = noise(shape, 45, rng)[near.rows, near.cols].astype(np.float64)
    across = np.abs(near.off)
    verge_m = width_m / 2 + np.maximum((2.4 if dirt else 3.8) + 1.0 * rough + 1.4 * broad, 0.3)
    verge = np.clip((verge_m - across) / 2.6, 0, 1) * (0.50 + 0.2 * np.clip(rough, -1, 1))
    blend(picture, near.rows, near.cols, np.array(VERGE) + 10 * rough[:, None], verge)
    edge_m = width_m / 2 + (0.38 if dirt else 0.15) * np.clip(rough + 0.6 * broad, -1.5, 1.5)
    solid = np.clip((edge_m - across) / (1.1 if dirt else 0.6) + 0.5, 0, 1)
    colour = road_colour(near, surface, width_m, rough, rng)
    blend(picture, near.rows, near.cols, colour, solid * (0.82 if dirt else 0.95))
    cover[near.rows, near.cols] = np.maximum(cover[near.rows, near.cols], solid)


def pick(table: list[tuple[tuple[int, int, int], float]], rng: Rng) -> Floats:
    """Return one colour (3,) of a table of colours and shares, a little varied."""
    shares = np.array([share for _, share in table])
    colour = np.array(table[int(rng.choice(len(table), p=shares / shares.sum()))][0], dtype=np.float64)
    return colour * rng.normal(1, 0.08) * rng.normal(1, 0.025, 3)


def stand_trees(height: Array, paint: Array, leafy: NDArray[np.bool_], trees: Floats, rng: Rng) -> None:
    """Put crowns (N, 3: col, row, radius in pixels) on the height model (metres), their colours on `paint`.

    `leafy` (rows, cols) is set where a crown is on top.
    """
    rows_all, cols_all = height.shape
    for col, row, radius in trees:
        reach = int(radius * 1.35) + 2
        top, left = max(int(row) - reach, 0), max(int(col) - reach, 0)
        bottom, right = min(int(row) + reach + 1, rows_all), min(int(col) + reach + 1, cols_all)
        if top >= bottom or left >= right:
            continue
        y, x = np.mgrid[top:bottom, left:right]
        dx, dy = x + 0.5 - col, y + 0.5 - row
        phase, lobes = rng.uniform(0, 6.28, 2), rng.integers(3, 7)
        bearing = np.arctan2(dy, dx)
        lumpy = 1 + 0.13 * np.sin(lobes * bearing + phase[0]) + 0.10 * np.sin(2 * bearing + phase[1])
        dome = 1 - (dx * dx + dy * dy) / (radius * lumpy) ** 2
        tall = radius * GSD_M * rng.uniform(1.1, 1.7)
        crown = np.where(dome > 0, tall * (0.35 + 0.65 * np.sqrt(np.maximum(dome, 0))), 0)
        above = crown > height[top:bottom, left:right]
        height[top:bottom, left:right][above] = crown[above]
        paint[top:bottom, left:right][above] = pick(CROWNS, rng)
        leafy[top:bottom, left:right][above] = True


def stand_box(
    height: Array, paint: Array, box: Floats, tall_m: float, colour: Floats, style: str, grain: Array
) -> None:
    """Put a box (col, row, half length, half width, turn in radians) up: `style` is flat, gable or car."""
    col, row, length, width, turn = box
    reach = int(np.hypot(length, width)) + 2
    top, left = max(int(row) - reach, 0), max(int(col) - reach, 0)
    bottom, right = min(int(row) + reach + 1, height.shape[0]), min(int(col) + reach + 1, height.shape[1])
    if top >= bottom or left >= right:
        return
    y, x = np.mgrid[top:bottom, left:right]
    dx, dy = x + 0.5 - col, y + 0.5 - row
    along, across = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
    inside = (np.abs(along) <= length) & (np.abs(across) <= width)
    rise = 0.32 * (width - np.abs(across)) * 0.5 if style == "gable" else np.zeros_like(across)
    roof = colour + 9 * grain[top:bottom, left:right, None]
    if style == "flat":  # a parapet and a few things on the roof
        rim = (np.abs(along) > length - 1.2) | (np.abs(across) > width - 1.2)
        roof = roof * np.where(rim, 1.10, 0.96)[..., None]
    elif style == "gable":  # the sheets of the roof run down the slope
        roof = roof + (3.5 * np.sin(along * 1.9) + 6 * np.sin(along * 0.21 + col))[..., None]
    height[top:bottom, left:right][inside] = (tall_m + rise)[inside]
    paint[top:bottom, left:right][inside] = roof[inside]


def light(ground: Array, height: Array, paint: Array, leafy: NDArray[np.bool_], rng: Rng) -> Array:
    """Return ground and standing things under a sun in the south-east, 47 degrees high, with cast shadows."""
    shape = height.shape
    standing = height > 0.2
    leaves = fractal(shape, 1.8, 3, rng)
    rough = height * (1 + 0.22 * leaves * leafy)
    smooth = cv2.GaussianBlur(rough, (0, 0), 0.7)
    slope = (
        cv2.Sobel(smooth, cv2.CV_32F, 1, 0, scale=0.125) * 0.64
        + cv2.Sobel(smooth, cv2.CV_32F, 0, 1, scale=0.125) * 0.77
    )
    relief = 1 - np.where(leafy, 0.34, 0.30) * np.clip(slope / GSD_M, -1.1, 1.1)
    picture = np.where(standing[..., None], paint * (1 + 0.10 * (leaves * leafy)[..., None]), ground)
    picture *= np.where(standing, relief, 1)[..., None]
    shadow = np.zeros(shape, np.bool_)
    tallest = float(height.max(initial=0.0))
    for step in range(1, int(tallest / (GSD_M * np.tan(np.deg2rad(47)))) + 1):
        col, row = round(0.64 * step), round(0.77 * step)
        toward_sun = np.zeros(shape, np.float32)
        toward_sun[: shape[0] - row, : shape[1] - col] = rough[row:, col:]
        rise = np.float32(step * GSD_M * np.tan(np.deg2rad(47)))
        shadow |= toward_sun - rough - rise > 0.15
    shade = (
        cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 0.6)[..., None]
        * np.where(leafy, 0.55, 1.0)[..., None]
    )
    return np.asarray(picture * (1 - shade * np.array([0.62, 0.58, 0.50])), np.float32)


def sense(picture: Array, rng: Rng) -> NDArray[np.uint8]:
    """Return what the sensor and the product's sharpening make of the picture: haze, blur, noise, 8 bits."""
    shape = picture.shape[:2]
    drift = 0.035 * noise(shape, 420, rng)[..., None]
    tint = np.array([1.04, 0.965, 0.95], np.float32) * (1 + drift * np.array([1.0, 0.8, 0.6], np.float32))
    hazy = picture * tint * np.float32(0.91) + np.array([11, 13, 13], np.float32)
    seen = cv2.GaussianBlur(hazy, (0, 0), 0.60)
    sharp = seen + 1.1 * (seen - cv2.GaussianBlur(seen, (0, 0), 1.1))
    grain = rng.normal(0, 1.8, (*shape, 1)) + rng.normal(0, 0.6, picture.shape)
    return np.clip(np.round(sharp + grain), 1, 255).astype(np.uint8)
