"""Does correcting teach? python benchmarks/teach.py SCENE REFERENCE -o FOLDER [--steps 80] [--buffer 6]

The loop of docs/correct.md on one scene, by the commands that a user types; the scene is cut in two halves.
In the west half roads are extracted and repaired; REFERENCE plays the person before the page: it deletes each
line of which more than half lies farther than --buffer from the reference, and draws what of the reference
lies farther than that from the lines that stay (in pieces of 20 m or more, led to the lines that they nearly
touch). `georoads apply` makes a network of that, `tiles` cuts pictures from the west half, `train --init`
goes on from the shipped model. The east half, which none of this has seen, is extracted before and after.
Prints the number of edits and the scores: the west half as extracted and as corrected, the east half before
and after, each against its part of REFERENCE.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import geopandas
import numpy as np
import rasterio
import shapely

from georoads.output.read import RoadLines, read_roads
from georoads.scoring.segments import local_crs, project_points, unproject_points

LEAST_DRAWN_M = 20.0
FALSE_SHARE = 0.5
REACH_M = 4.0
"""A drawn road is led to a line that its end lies so much farther from than the buffer."""
SCORES = ("f1", "completeness", "correctness", "apls", "topo_f1")


def run(*words: object) -> None:
    """Type a command, and show it."""
    command = ["georoads", *map(str, words)]
    print("$", *command, flush=True)
    began = time.perf_counter()
    subprocess.run([sys.executable, "-m", *command, "-q"], check=True)
    print(f"  {time.perf_counter() - began:.0f} s", flush=True)


def halves(scene: Path) -> tuple[str, str]:
    """The settings that work on the west and on the east half alone."""
    with rasterio.open(scene) as source:
        west, south, east, north = source.bounds
    middle = (west + east) / 2
    boxes = (west, south, middle, north), (middle, south, east, north)
    first, second = (f"scene.bounds=[{','.join(f'{v:.9f}' for v in box)}]" for box in boxes)
    return first, second


def clipped(reference: Path, scene: Path, output: Path, side: int) -> Path:
    """The part of the reference on the west half (0) or on the east half (1)."""
    with rasterio.open(scene) as source:
        west, south, east, north = source.bounds
        crs = source.crs.to_wkt()
    middle = (west + east) / 2
    box = shapely.box(west, south, middle, north) if side == 0 else shapely.box(middle, south, east, north)
    lines = geopandas.read_file(reference).to_crs(crs).clip(box, keep_geom_type=True)
    lines[["geometry"]].explode().to_file(output, layer="roads")
    return output


def in_plane(layer: RoadLines, plane: str) -> list[shapely.LineString]:
    """The lines in metres."""
    return [
        shapely.LineString(project_points(shapely.get_coordinates(line), layer, plane))
        for line in layer.lines
    ]


def write_edits(roads: Path, reference: Path, output: Path, buffer_m: float) -> tuple[int, int]:
    """What the reference would have a person delete and draw; numbers of both."""
    ours, theirs = read_roads(roads), read_roads(reference)
    plane = local_crs((ours, theirs))
    lines, truth = in_plane(ours, plane), in_plane(theirs, plane)
    near_truth = shapely.union_all(truth).buffer(buffer_m)
    is_false = [line.difference(near_truth).length > FALSE_SHARE * line.length for line in lines]
    kept = [line for line, false in zip(lines, is_false, strict=True) if not false]
    whole = shapely.union_all(kept)
    pieces = shapely.get_parts(
        shapely.line_merge(shapely.union_all(truth).difference(whole.buffer(buffer_m)))
    )
    drawn = [_led(piece, whole, buffer_m + REACH_M) for piece in pieces if piece.length >= LEAST_DRAWN_M]
    rows = [("delete", line) for line, false in zip(ours.lines, is_false, strict=True) if false]
    for line in drawn:
        xy = unproject_points(shapely.get_coordinates(line), ours, plane)
        rows.append(("add", shapely.LineString(xy)))
    kinds, shapes = [kind for kind, _ in rows], [shape for _, shape in rows]
    geopandas.GeoDataFrame({"edit": kinds}, geometry=shapes, crs=ours.crs).to_file(output, layer="edits")
    return sum(is_false), len(drawn)


def _led(piece: shapely.LineString, network: shapely.Geometry, reach_m: float) -> shapely.LineString:
    """A drawn line whose ends are led to the network where it is near, as one who clicks leads them."""
    xy = shapely.get_coordinates(piece)
    ends = []
    for end in (xy[0], xy[-1]):
        nearest = shapely.get_coordinates(shapely.shortest_line(shapely.Point(end), network))
        apart = np.hypot(*(nearest[-1] - end)) if len(nearest) else np.inf
        ends.append(nearest[-1:] if 0 < apart <= reach_m else np.empty((0, 2)))
    return shapely.LineString(np.vstack((ends[0], xy, ends[1])))


def scored(roads: Path, reference: Path, buffer_m: float) -> dict[str, float]:
    """The scores of a layer."""
    figures = roads.with_suffix(".json")
    run("score", roads, reference, "--buffer", buffer_m, "--json", figures, "--overwrite")
    return dict(json.loads(figures.read_text(encoding="utf-8")))


def table(rows: dict[str, dict[str, float]]) -> None:
    """Print scores beside each other."""
    print("", *(f"{name:>14}" for name in SCORES), sep="\t")
    for title, found in rows.items():
        print(title, *(f"{found[name]:14.3f}" for name in SCORES), sep="\t")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="a folder that is made anew")
    parser.add_argument("--steps", type=int, default=80, help="of the training")
    parser.add_argument(
        "--buffer", type=float, default=6.0, help="metres within which lines are the same road"
    )
    parser.add_argument(
        "--val-side", default="west", help="of the west half, on which the best epoch is chosen"
    )
    given = parser.parse_args()
    folder, scene = given.output, given.scene
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    west, east = halves(scene)
    truth = [clipped(given.reference, scene, folder / f"truth{side}.gpkg", side) for side in (0, 1)]

    run("extract", scene, "-o", folder / "west.gpkg", "--set", west)
    run("extract", scene, "-o", folder / "before.gpkg", "--set", east)
    edits = folder / "west.edits.gpkg"
    deleted, drawn = write_edits(folder / "west.gpkg", truth[0], edits, given.buffer)
    print(f"edits: {deleted} lines deleted, {drawn} drawn", flush=True)
    run("apply", edits, folder / "west.gpkg", "-o", folder / "fixed.gpkg")
    cut = "--size", 768, "--val-side", given.val_side, "--set", west
    run("tiles", scene, "--roads", folder / "fixed.gpkg", "-o", folder / "own", *cut)
    steps = f"train.steps={given.steps}"
    run("train", folder / "own", "--init", "default", "-o", folder / "run", "--set", steps)
    model = folder / "run" / "best.json"
    run("extract", scene, "-o", folder / "after.gpkg", "--model", model, "--set", east)

    names = {"west, extracted": ("west", 0), "west, corrected": ("fixed", 0)}
    names |= {"east, before": ("before", 1), "east, after": ("after", 1)}
    table(
        {
            title: scored(folder / f"{name}.gpkg", truth[side], given.buffer)
            for title, (name, side) in names.items()
        }
    )


if __name__ == "__main__":
    main()
