"""Does diff find what changed? python benchmarks/diff.py scene SCENE REFERENCE | tiles LAYER ... | million

scene: the roads of SCENE are extracted. Of REFERENCE 30 % of the lines are taken away (drawn by chance,
with a seed), the rest is moved by (3, -2) m. Prints the offset that is found, and that of the unmoved
reference; of the length that was taken away, and that ROADS show (within 6 m), the share that comes back as
new; of the length that stayed, and is shown, the share that is called new or missing (lies beside nothing
that is the same or moved); of what is called new the share that is truly absent (farther than match_m from
what stayed). Once with the hull of ROADS, once with the probability raster.
tiles: the same of each LAYER against itself, where all is shown. What was taken away counts where it lies
farther than match_m from what stayed, in pieces that are no crumbs.
million: a drawn town of a million lines as REFERENCE, and a tenth of it as ROADS; prints time and peak
memory.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import shapely

import georoads
from georoads.difference.networks import without_crumbs
from georoads.difference.params import DiffParams
from georoads.difference.request import Difference, DiffRequest, diff, diff_lines
from georoads.inference.raster import ProbabilityRaster
from georoads.output.changes_layer import ChangeKind
from georoads.output.read import RoadLines, read_roads
from georoads.scoring.segments import local_crs, project_points, to_segments
from georoads.scoring.stretches import LaidLines

SHIFT = np.array([3.0, -2.0])
REMOVED, SEED, SHOWN_M = 0.3, 7, 6.0
SIDE = 708
"""Junctions along each side of the drawn town: two lines start at each."""


def in_plane(layer: RoadLines, crs: str, shift: np.ndarray | None = None) -> RoadLines:
    """A layer in a metric plane, moved."""
    moved = shapely.transform(layer.lines, lambda xy: project_points(xy, layer, crs))
    if shift is not None:
        moved = shapely.transform(moved, lambda xy: xy + shift)
    return RoadLines(np.asarray(moved, dtype=object), crs)


def length_m(layer: RoadLines) -> float:
    """Metres of a layer in a plane."""
    return float(shapely.length(layer.lines).sum())


def of_kinds(found: Difference, crs: str, *kinds: ChangeKind) -> RoadLines:
    """The lines of some kinds, moved back to where ROADS lie."""
    lines = found.table.geometry[np.isin(found.table.columns[1].astype(str), kinds)]
    return in_plane(RoadLines(lines, found.table.crs), crs, -np.array(found.offset_m))


def part(layer: RoadLines, near: RoadLines, within_m: float, *, beyond: bool = False) -> RoadLines:
    """The stretches of a layer within a distance of another one that runs alike, or beyond it."""
    if not len(layer.lines):
        return layer
    laid = LaidLines(to_segments(layer, layer.crs))
    found = laid.covered(LaidLines(to_segments(near, layer.crs)), within_m, DiffParams().angle_deg)
    return RoadLines(laid.cut(laid.rest(found) if beyond else found), layer.crs)


def no_crumbs(layer: RoadLines, least_m: float) -> RoadLines:
    """What hangs together for a length."""
    laid = LaidLines(to_segments(layer, layer.crs))
    return layer.kept(without_crumbs(laid, laid.whole, least_m))


def compare(
    name: str,
    roads: RoadLines,
    reference: RoadLines,
    request: DiffRequest,
    raster: ProbabilityRaster | None = None,
    *,
    exact: bool = False,
) -> None:
    """Print the figures of one pair."""
    crs, match_m = local_crs((roads,)), request.params.match_m
    gone = np.random.default_rng(SEED).random(len(reference.lines)) < REMOVED
    whole, ours = in_plane(reference, crs), in_plane(roads, crs)
    removed, kept = whole.kept(gone), whole.kept(~gone)
    same = replace(request, params=replace(request.params, same=True))
    plain = diff_lines(roads, whole, request, raster).offset_m
    found = diff_lines(roads, in_plane(kept, crs, SHIFT), same, raster)
    new, matched = (
        of_kinds(found, crs, ChangeKind.NEW),
        of_kinds(found, crs, ChangeKind.SAME, ChangeKind.MOVED),
    )
    removed, shown = part(removed, ours, SHOWN_M), part(kept, ours, SHOWN_M)
    if exact:
        removed = no_crumbs(part(removed, kept, match_m, beyond=True), request.params.min_length_m)
    back = length_m(part(removed, new, 1.0 if exact else match_m)) / length_m(removed)
    false = length_m(part(shown, matched, SHOWN_M, beyond=True)) / length_m(shown)
    absent = length_m(part(new, kept, match_m, beyond=True)) / length_m(new)
    added = np.array(found.offset_m) - plain
    print(
        f"{name}: offset {added[0]:+.2f}, {added[1]:+.2f} m, besides {plain[0]:+.2f}, {plain[1]:+.2f}; "
        f"taken away and shown {length_m(removed) / 1000:.2f} km, {back:.1%} back as new; "
        f"stayed and shown {length_m(shown) / 1000:.2f} km, {false:.2%} called new or missing; "
        f"new {length_m(new) / 1000:.2f} km, {absent:.1%} truly absent; "
        f"km: { {kind.value: round(found.km(kind), 2) for kind in ChangeKind} }"
    )


def scene(path: Path, reference: Path, params: DiffParams) -> None:
    """The figures of a scene."""
    with tempfile.TemporaryDirectory() as folder:
        probability, roads = Path(folder) / "p.tif", Path(folder) / "roads.gpkg"
        georoads.predict(path, probability)
        georoads.vectorize(probability, roads)
        ours, truth = read_roads(roads), read_roads(reference)
        request = DiffRequest(roads, reference, params=params)
        compare(f"{path.stem}, hull", ours, truth, request)
        with ProbabilityRaster(probability) as raster:
            compare(f"{path.stem}, p", ours, truth, request, raster)


def town(side: int) -> np.ndarray:
    """(N,) LineStrings: streets between the corners of a shaken grid, each with a bend."""
    rng = np.random.default_rng(SEED)
    corners = 80.0 * np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1)
    corners += rng.normal(0, 8, corners.shape)
    ends = [(corners[:, :-1], corners[:, 1:]), (corners[:-1], corners[1:])]
    start, end = (np.concatenate([pair[i].reshape(-1, 2) for pair in ends]) for i in (0, 1))
    middle = (start + end) / 2 + rng.normal(0, 3, start.shape)
    return np.asarray(shapely.linestrings(np.stack((start, middle, end), axis=1)))


def million() -> None:
    """Time and memory of a large reference."""
    with tempfile.TemporaryDirectory() as folder:
        lines = town(SIDE)
        print(f"{len(lines):,} lines")
        rng = np.random.default_rng(SEED)
        names = np.array([f"way/{i}" for i in range(len(lines))], dtype=object)
        whole = geopandas.GeoDataFrame(
            {"osm_id": names, "highway": "residential"}, geometry=lines, crs="EPSG:32633"
        )
        reference, roads = Path(folder) / "reference.gpkg", Path(folder) / "roads.gpkg"
        whole.to_file(reference)
        few = shapely.transform(lines[rng.random(len(lines)) < 0.1], lambda xy: xy - SHIFT)
        geopandas.GeoDataFrame(geometry=few, crs="EPSG:32633").to_file(roads)
        print(f"{reference.stat().st_size / 1e6:.0f} MB")
        del whole, names, lines, few
        request = DiffRequest(roads, reference, output=Path(folder) / "changes.gpkg")
        run_alone(request)


def run_alone(request: DiffRequest) -> None:
    """Compare in a process of its own, whose memory is measured."""
    import multiprocessing

    child = multiprocessing.get_context("spawn").Process(target=_measured, args=(request,))
    child.start()
    child.join()


def _measured(request: DiffRequest) -> None:
    began = time.perf_counter()
    found = diff(request)
    seconds = time.perf_counter() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{seconds:.0f} s, {peak:,.0f} MB; {found.as_dict() | {'parameters': ''}}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["scene", "tiles", "million"])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--match", type=float, default=DiffParams().match_m)
    given = parser.parse_args()
    params = replace(DiffParams(), match_m=given.match)
    if given.what == "scene":
        scene(given.files[0], given.files[1], params)
    elif given.what == "million":
        million()
    for file in given.files if given.what == "tiles" else ():
        layer = read_roads(file)
        compare(file.stem, layer, layer, DiffRequest(file, file, params=params), exact=True)


if __name__ == "__main__":
    main()
