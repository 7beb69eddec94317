"""A scene to a road layer, and what is in it: python examples/extract_roads.py [SCENE] [ROADS.gpkg]"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyogrio

import georoads
from georoads.inference.select import PredictParams
from georoads.network.params import VectorizeParams
from georoads.scene.scene import SceneParams

HERE = Path(__file__).resolve().parent


def main(scene_path: Path, output: Path) -> None:
    """Extract the roads of a scene, read them again and say what they are."""
    scene = georoads.open_scene(scene_path)
    print(f"{scene_path.name}: {scene.grid.width} x {scene.grid.height} px of {scene.grid.gsd_m:.2f} m")
    for message in scene.messages:
        print(f"note: {message}")

    model = georoads.load_model("default")
    lines = VectorizeParams(threshold=model.card.threshold)
    done = georoads.extract(scene_path, output, model, SceneParams(), (PredictParams(), lines))
    print(f"{done.roads} roads, {done.length_km:.2f} km, by {done.runtime} on {done.device}")

    roads = georoads.read_roads(output, with_widths=True)
    assert roads.widths_m is not None
    print(f"median width {np.median(roads.widths_m):.1f} m")
    table = pyogrio.read_dataframe(output, layer="roads")
    doubtful = table[(table["confidence"] < 0.7) | (table["bridged_m"] > 20)]
    print(f"to be looked at first: {len(doubtful)} roads, {doubtful['length_m'].sum() / 1000:.2f} km")


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    main(given[0] if given else HERE / "scene.tif", given[1] if len(given) > 1 else Path("roads.gpkg"))
