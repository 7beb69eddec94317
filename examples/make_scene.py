"""Draw the example scene: a made-up place that looks like 0.5 m satellite imagery, with exact centrelines.

    python examples/make_scene.py            # writes scene.tif and roads_truth.geojson beside this file
    python examples/make_scene.py --size 512 --seed 3 -o /tmp/small

No pixel comes from a real picture; `README.md` says what was drawn and how. Needs only what georoads needs.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
import scene_layout as layout
import scene_paint as paint
import scene_things as things
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.warp import transform as to_crs
from scene_layout import GSD_M
from shapely.geometry import LineString, Polygon

FULL_PX = 2048
SEED = 20250117
CRS = "EPSG:32647"
WEST_M, NORTH_M = 618_432.0, 1_615_104.0  # of the full scene: flat farmland in central Thailand
PONDS = [(645, 655, 21), (925, 500, 15), (90, 560, 13), (755, 225, 11)]  # east, south, radius, metres
# The edge of the flight: nothing was seen east of the line between these points (shares of the side).
SWATH_EDGE = ((0.80, 0.0), (1.0, 0.52))


@dataclass(frozen=True)
class Drawing:
    """A finished scene.

    `picture` (size, size, 3) uint8 RGB; `valid` and `road` (size, size) bool: seen by the flight, and drawn
    as road (trees and shadows may lie above); `truth`: centrelines in metres from the picture's north-west
    corner, x east and y south, each with its road; `transform`: pixel to `CRS`.
    """

    picture: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    road: NDArray[np.bool_]
    truth: list[tuple[LineString, layout.Road]]
    transform: Affine


def distance_m(shape: tuple[int, int], lines: list[NDArray[np.float64]]) -> paint.Array:
    """Return each pixel's distance to the nearest of the lines, in metres."""
    away = np.ones(shape, np.uint8)
    for line in lines:
        cv2.polylines(away, [np.round(line * 16 - 8).astype(np.int32)], False, 0, 1, cv2.LINE_8, 4)
    return np.asarray(cv2.distanceTransform(away, cv2.DIST_L2, 5) * GSD_M, np.float32)


@dataclass(frozen=True)
class Land:
    """What lies under the roads: the picture, the water's depth, the labels of the fields, their kinds."""

    picture: paint.Array
    depth_m: paint.Array
    fields: paint.Ints
    kinds: NDArray[np.int64]
    names: list[str]

    def is_kind(self, names: list[str]) -> NDArray[np.bool_]:
        """Return where (rows, cols) the field is of one of these kinds."""
        mask: NDArray[np.bool_] = np.isin(self.kinds, [self.names.index(name) for name in names])[self.fields]
        return mask


def draw_ground(place: layout.Place) -> Land:
    """Return the ground of the window without roads."""
    shape = place.shape
    streets = [line for line, road in zip(place.lines_px, place.roads, strict=True) if road.built_up]
    village = distance_m(shape, streets) + 7 * paint.fractal(shape, 12, 4, place.rng(1)) < 34
    depth = layout.RIVER_WIDTH_M / 2 - distance_m(shape, [place.river_px])
    depth += 3.6 * paint.fractal(shape, 45, 3, place.rng(2))
    y, x = (np.mgrid[: shape[0], : shape[1]] + 0.5) * GSD_M + place.offset_m
    ragged = 2 * paint.noise(shape, 30, place.rng(3))
    for east, south, radius in PONDS:
        depth = np.maximum(
            depth, (radius - np.hypot(x - east, 1.3 * (y - south))).astype(np.float32) + ragged
        )
    open_land = np.where(depth > -5, 0, 1).astype(np.uint8)
    for line, road in zip(place.lines_px, place.roads, strict=True):
        width_px = int((road.width_m + 3) / GSD_M)
        cv2.polylines(open_land, [np.round(line * 16).astype(np.int32)], False, 0, width_px, cv2.LINE_8, 4)
    _, blocks = cv2.connectedComponents(open_land, connectivity=4)
    uneven = np.exp(0.55 * paint.noise(shape, 260, place.rng(9)))
    target = np.where(village, 1700.0, 14_000.0 * uneven).astype(np.float32)
    fields, u, v = paint.split_blocks(np.asarray(blocks, np.int32), target, place.rng(4))
    names, kinds = paint.field_kinds(fields, village, place.rng(5))
    kinds[0] = names.index("fallow")
    ground = paint.paint_fields(fields, u, v, kinds, place.rng(6))
    paint.paint_bunds(ground, fields, place.rng(7))
    paint.paint_water(ground, depth, place.rng(8))
    return Land(ground, depth, fields, kinds, names)


def draw_roads(place: layout.Place, ground: paint.Array) -> tuple[paint.Array, paint.Array]:
    """Lay all roads over the ground, dirt first; return their opacity and metres to the nearest edge."""
    cover = np.zeros(place.shape, np.float32)
    beyond = np.full(place.shape, 99.0, np.float32)
    order = ["dirt", "concrete", "asphalt"]
    rng = place.rng(10)
    for number in sorted(range(len(place.roads)), key=lambda n: (order.index(place.roads[n].surface), n)):
        road = place.roads[number]
        near = paint.near_line(place.lines_px[number], (road.width_m / 2 + 6) / GSD_M, place.shape, GSD_M)
        if len(near.rows) == 0:
            continue
        paint.paint_road(ground, cover, near, road.surface, road.width_m, rng)
        gap = (np.abs(near.off) - road.width_m / 2).astype(np.float32)
        beyond[near.rows, near.cols] = np.minimum(beyond[near.rows, near.cols], gap)
    round_corners(ground, cover)
    return cover, beyond


def round_corners(ground: paint.Array, cover: paint.Array) -> None:
    """Fill the sharp corners where roads meet, as wheels do, with the colour of the road beside."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    extra = np.clip(cv2.morphologyEx(cover, cv2.MORPH_CLOSE, disc) - cover, 0, 1)
    weight = cv2.GaussianBlur(cover, (0, 0), 2.5)[..., None]
    beside = cv2.GaussianBlur(ground * cover[..., None], (0, 0), 2.5) / np.maximum(weight, 1e-3)
    ground += (beside - ground) * (extra * 0.85)[..., None] * (weight > 0.02)


def valid_mask(size_px: int) -> tuple[NDArray[np.bool_], Polygon]:
    """Return which pixels the flight saw (size, size), and that area in metres from the window's corner."""
    (x0, y0), (x1, y1) = SWATH_EDGE
    side_m = size_px * GSD_M
    area = Polygon(
        [(0, 0), (x0 * side_m, y0 * side_m), (x1 * side_m, y1 * side_m), (side_m, side_m), (0, side_m)]
    )
    y, x = (np.mgrid[:size_px, :size_px] + 0.5) / size_px
    return (x - x0) * (y1 - y0) <= (y - y0) * (x1 - x0), area


def draw_scene(size_px: int = FULL_PX, seed: int = SEED) -> Drawing:
    """Draw the middle `size_px` pixels of the scene; equal arguments give equal pixels and truth."""
    place = layout.make_place(size_px, seed)
    land = draw_ground(place)
    cover, beyond = draw_roads(place, land.picture)
    height, coat = np.zeros(place.shape, np.float32), np.zeros((*place.shape, 3), np.float32)
    blocked = ((beyond < 1.5) | (land.depth_m > -4)).astype(np.uint8)
    things.build_houses(place, height, coat, blocked)
    things.scatter_clutter(place, height, coat, blocked, land.is_kind(list(paint.YARDS)))
    wooded = land.is_kind(["wood"]) | (
        (paint.fractal(place.shape, 30, 4, place.rng(32)) > 2.0) & (beyond > 3)
    )
    free = np.where((height > 0) | (land.depth_m > -0.5), -9, beyond).astype(np.float32)
    leafy = np.zeros(place.shape, np.bool_)
    crowns = things.plant_trees(place, land.fields, wooded, land.is_kind(["orchard"]), free, land.depth_m)
    paint.stand_trees(height, coat, leafy, crowns, place.rng(31))
    things.park_vehicles(place, height, coat)
    picture = paint.sense(paint.light(land.picture, height, coat, leafy, place.rng(50)), place.rng(51))
    valid, area = valid_mask(size_px)
    # Wholly unseen JPEG blocks are black; in the blocks at the border the drawing stays beneath the mask, so
    # that no black rings into valid pixels when they are compressed.
    padded = np.pad(valid, (0, -size_px % 16)).reshape(-(-size_px // 16), 16, -1, 16).any(axis=(1, 3))
    picture[~np.kron(padded, np.ones((16, 16), bool))[:size_px, :size_px]] = 0
    shifted = [layout.Road(r.points - place.offset_m, r.width_m, r.surface, r.built_up) for r in place.roads]
    corner = Affine(GSD_M, 0, WEST_M + place.offset_m, 0, -GSD_M, NORTH_M - place.offset_m)
    return Drawing(picture, valid, (cover >= 0.5) & valid, layout.truth_lines(shifted, area), corner)


def write_scene(drawing: Drawing, path: Path) -> None:
    """Write a tiled JPEG GeoTIFF whose internal mask says what the flight saw."""
    size = drawing.picture.shape[0]
    profile = {
        "driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8", "crs": CRS,
        "transform": drawing.transform, "tiled": True, "blockxsize": 512, "blockysize": 512,
        "compress": "JPEG", "jpeg_quality": 85, "photometric": "YCBCR", "interleave": "pixel",
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as file:
        file.write(np.moveaxis(drawing.picture, 2, 0))
        file.write_mask(drawing.valid)
        file.update_tags(TIFFTAG_IMAGEDESCRIPTION="A drawing, not a real place: examples/make_scene.py")


def write_truth(drawing: Drawing, path: Path) -> None:
    """Write the centrelines as RFC 7946 GeoJSON (longitude and latitude in WGS 84, 7 decimals)."""
    features = []
    for number, (line, road) in enumerate(drawing.truth, start=1):
        x, y = np.asarray(line.coords).T
        lon, lat = to_crs(CRS, "EPSG:4326", drawing.transform.c + x, drawing.transform.f - y)
        points = [[round(a, 7), round(b, 7)] for a, b in zip(lon, lat, strict=True)]
        features.append({
            "type": "Feature",
            "properties": {"road_id": number, "width_m": road.width_m, "surface": road.surface},
            "geometry": {"type": "LineString", "coordinates": points},
        })  # fmt: skip
    rows = ",\n".join(json.dumps(feature, separators=(",", ":")) for feature in features)
    path.write_text(
        f'{{"type":"FeatureCollection","features":[\n{rows}\n]}}\n', encoding="utf-8", newline="\n"
    )


def main() -> None:
    """Write `scene.tif` and `roads_truth.geojson`."""
    parser = argparse.ArgumentParser(description="Draw the example scene and its exact road centrelines.")
    parser.add_argument("--size", type=int, default=FULL_PX, help="side in pixels (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=SEED, help="another seed, another place")
    parser.add_argument("-o", "--output", type=Path, default=Path(__file__).parent, help="folder")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    drawing = draw_scene(options.size, options.seed)
    write_scene(drawing, options.output / "scene.tif")
    write_truth(drawing, options.output / "roads_truth.geojson")
    length_km = sum(line.length for line, _ in drawing.truth) / 1000
    share = drawing.road.sum() / drawing.valid.sum()
    print(f"{len(drawing.truth)} roads, {length_km:.1f} km, {share:.1%} of the seen pixels are road")


if __name__ == "__main__":
    main()
