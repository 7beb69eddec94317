"""A scene to a road layer, and what is in it: python examples/extract_roads.py [SCENE] [ROADS.gpkg]"""

from __future__ import annotations

import sys
from pathlib import Path

import georoads

HERE = Path(__file__).resolve().parent


def main(scene_path: Path, output: Path) -> None:
    """Extract the roads of a scene, write them and say what they are."""
    scene = georoads.open_scene(scene_path)
    print(f"{scene_path.name}: {scene.grid.width} x {scene.grid.height} px of {scene.grid.gsd_m:.2f} m")
    for message in scene.messages:
        print(f"note: {message}")

    result = georoads.extract(scene_path, output)
    done = result.summary
    print(f"{done.roads} roads, {done.length_km:.2f} km, by {done.runtime} on {done.device}")

    roads = result.roads
    print(f"median width {roads['width_m'].median():.1f} m")
    doubtful = roads[(roads["confidence"] < 0.7) | (roads["bridged_m"] > 20)]
    print(f"to be looked at first: {len(doubtful)} roads, {doubtful['length_m'].sum() / 1000:.2f} km")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(given[0] if given else HERE / "scene.tif", given[1] if len(given) > 1 else Path("roads.gpkg"))
