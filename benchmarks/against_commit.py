"""Does the tool still give the results of an earlier commit? python benchmarks/against_commit.py REV SCENE...

Every scene is predicted and extracted by this checkout and by REV (in a worktree of its own, removed
afterwards), with the defaults of each; a picture without a place gets DeepGlobe's 0.5 m. Compared are the
pixels of the probability rasters, their grids, and every value and vertex of roads and nodes. The example
scene is always among them. Exits with 1 where anything differs.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio

HERE = Path(__file__).resolve().parent.parent


@contextmanager
def checkout_of(revision: str, folder: Path) -> Iterator[Path]:
    """A worktree of the revision, for as long as the block lasts."""
    git = ("git", "-C", str(HERE), "worktree")
    place = folder / "before"
    subprocess.run([*git, "add", "--quiet", "--detach", str(place), revision], check=True)
    try:
        yield place
    finally:
        subprocess.run([*git, "remove", "--force", str(place)], check=True)


def run(checkout: Path, *arguments: str) -> None:
    """A georoads command of one checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout)}
    subprocess.run([sys.executable, "-m", "georoads", *arguments], cwd=checkout, env=environment, check=True)


def results_of(checkout: Path, scene: Path, folder: Path) -> tuple[Path, Path]:
    """The probability raster and the road layer that a checkout makes of a scene."""
    folder.mkdir()
    raster, roads = folder / "p.tif", folder / "roads.gpkg"
    size = ("--gsd", "0.5") if scene.suffix in (".jpg", ".png") else ()
    run(checkout, "predict", str(scene), "-o", str(raster), "-q", *size)
    run(checkout, "extract", str(scene), "-o", str(roads), "-q", *size)
    return raster, roads


def raster_difference(before: Path, after: Path) -> str:
    """What differs between two probability rasters; empty: nothing."""
    with rasterio.open(before) as a, rasterio.open(after) as b:
        if (a.crs, a.transform, a.shape) != (b.crs, b.transform, b.shape):
            return "another grid"
        moved = int(np.count_nonzero(a.read() != b.read()))
        return f"{moved} pixels moved" if moved else ""


def layer_difference(before: Path, after: Path) -> str:
    """What differs between the layers of two GeoPackages; empty: nothing."""
    for name in ("roads", "nodes"):
        a, b = (gpd.read_file(path, layer=name) for path in (before, after))
        if a.crs != b.crs or len(a) != len(b):
            return f"{name}: {len(a)} rows in {a.crs}, now {len(b)} in {b.crs}"
        if not (a.geometry.to_wkb() == b.geometry.to_wkb()).all():
            return f"{name}: other vertices"
        if not a.drop(columns="geometry").equals(b.drop(columns="geometry")):
            return f"{name}: other values"
    return ""


def main() -> None:
    """Compare all scenes, a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("revision")
    parser.add_argument("scenes", nargs="*", type=Path)
    options = parser.parse_args()
    differ = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        with checkout_of(options.revision, folder) as before:
            for n, scene in enumerate((HERE / "examples" / "scene.tif", *options.scenes)):
                old = results_of(before, scene.resolve(), folder / f"{n}-before")
                new = results_of(HERE, scene.resolve(), folder / f"{n}-after")
                found = [raster_difference(old[0], new[0]), layer_difference(old[1], new[1])]
                differ += any(found)
                print(
                    f"{scene.name}: {'; '.join(filter(None, found)) or 'the same bytes, the same layers'}",
                    flush=True,
                )
    sys.exit(bool(differ))


if __name__ == "__main__":
    main()
