"""Reference road lines of DeepGlobe's val tiles, drawn from their masks by another way than georoads' own.

    python benchmarks/lines/reference.py DEEPGLOBE -o FOLDER

Holes and specks of fewer than 20 pixels (5 m2) are slips of the brush: a pixel left between two strokes.
Thinning of Lee, Kashyap and Chu (scikit-image, method "lee"); branches by skan; dead ends shorter than the
road is wide where they leave it are dropped, the shortest first; dead ends at the tile's edge are drawn to
it; lines are simplified by half a pixel. Writes FOLDER/reference/NAME.gpkg, and checks the lines against
reference.sha256: what the vectorizer is tuned and judged on must not move. ``--freeze`` writes that file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import shapely
from branches import Branch, degrees, prune, skeleton_branches
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import skeletonize
from tiles import GSD_M, canonical, digest, to_layer, val_samples, write_layer

from georoads.data.pictures import read_mask
from georoads.grid import Points

FROZEN = Path(__file__).with_suffix(".sha256")
SIMPLIFY_PX = 0.5
SLIP_PX = 20
"""Of the masks' holes 109 are smaller, nearly all of them one pixel; the next is of 22 and a true gap."""
EDGE_RADII = 2.0
"""A dead end that would meet the tile's edge within this many half widths goes on to it."""


def reference_lines(mask: NDArray[np.bool_]) -> list[Points]:
    """Centrelines of a road mask, in pixel coordinates, in canonical order.

    Args:
        mask: (H, W) bool, True = road.
    """
    mask = _without_slips(mask)
    # A frame of background: the distance to the mask's side is also that to the tile's edge.
    away = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    branches = skeleton_branches(skeletonize(mask, method="lee") > 0)
    branches = prune(branches, lambda b: b.length < 2 * _at(away, b.xy[0]))
    branches = _to_the_edge(_without_blots(branches, away), away)
    lines = [shapely.get_coordinates(shapely.LineString(b.xy).simplify(SIMPLIFY_PX)) for b in branches]
    return canonical(lines)


def _without_slips(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The mask without specks (joined over corners) and holes (joined over sides) of a few pixels."""
    without = mask.copy()
    for value, joined in ((True, np.ones((3, 3))), (False, None)):
        part, _ = ndimage.label(without == value, joined)
        small = np.bincount(part.ravel()) < SLIP_PX
        small[0] = False
        without[small[part]] = not value
    return without


def _at(away: NDArray[np.float64], point: NDArray[np.float64]) -> float:
    """The half width of the road at a point: the largest around it, as a junction's middle may lie beside."""
    col, row = point.astype(int)
    return float(away[max(0, row - 1) : row + 2, max(0, col - 1) : col + 2].max())


def _without_blots(branches: list[Branch], away: NDArray[np.float64]) -> list[Branch]:
    """Without lines that stand alone and are shorter than wide."""
    degree = degrees(branches)
    return [
        b
        for b in branches
        if degree[b.start] + degree[b.end] > 2 or b.length >= 2 * _at(away, b.xy[len(b.xy) // 2])
    ]


def _to_the_edge(branches: list[Branch], away: NDArray[np.float64]) -> list[Branch]:
    """Draw dead ends out to the tile's edge where the road meets it: thinning stops half a width before."""
    degree = degrees(branches)
    drawn = []
    for b in branches:
        if degree[b.start] == 1:
            b = _extended(b.turned(), away).turned()
        if degree[b.end] == 1:
            b = _extended(b, away)
        drawn.append(b)
    return drawn


def _extended(branch: Branch, away: NDArray[np.float64]) -> Branch:
    """The branch with its last point moved out to the edge, in the direction of the stretch before."""
    height, width = away.shape
    back = branch.xy[::-1]
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(back, axis=0).T))))

    def at(distance: float) -> int:
        return int(np.searchsorted(along, min(distance, along[-1]), "right")) - 1

    half = _at(away, back[at(5.0)])
    # From one to three half widths before the end the skeleton lies true; at its very end it bends.
    near, far = back[at(half)], back[at(3 * half)]
    size = float(np.hypot(*(near - far)))
    if size < 1.0:
        return branch
    ahead = (near - far) / size
    room = np.where(ahead > 0, np.array([width, height]) - near, -near)
    reach = float((room[ahead != 0] / ahead[ahead != 0]).min())
    if reach > EDGE_RADII * max(half, 1.0) + float(np.hypot(*(back[0] - near))):
        return branch
    points = np.vstack((near + reach * ahead, back[at(half) :]))
    return Branch(branch.start, branch.end, points[::-1])


def main() -> None:
    """Draw, check, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("deepglobe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--freeze", action="store_true", help="write reference.sha256")
    args = parser.parse_args()
    folder = args.output / "reference"
    folder.mkdir(parents=True, exist_ok=True)
    tiles = {}
    for sample in val_samples(args.deepglobe):
        mask = read_mask(sample)
        tiles[sample.name] = reference_lines(mask)
        write_layer(to_layer(tiles[sample.name], mask.shape, sample.name), folder / f"{sample.name}.gpkg")
    found = digest(tiles)
    lengths = [float(np.hypot(*np.diff(line, axis=0).T).sum()) for lines in tiles.values() for line in lines]
    km = sum(lengths) * GSD_M / 1000
    print(f"{len(tiles)} tiles, {len(lengths)} lines, {km:.1f} km, sha256 {found}")
    if args.freeze:
        FROZEN.write_text(found + "\n")
    elif FROZEN.read_text().strip() != found:
        raise SystemExit(
            f"the lines are not those of {FROZEN.name}: other masks, or another scikit-image or skan"
        )


if __name__ == "__main__":
    main()
