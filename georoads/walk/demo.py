"""The first run: the example scene, its roads, and the page that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.inference.raster import ProbabilityRaster, RasterOptions
from georoads.model.checkpoint import find_checkpoint, models_folder
from georoads.output.write import WriteOptions
from georoads.progress import Watch, unwatched
from georoads.view.layer import MapSize
from georoads.view.write import write_view
from georoads.walk.prepared import prepare
from georoads.walk.request import LayerRequest, PredictRequest, VectorizeRequest
from georoads.walk.result import Summary
from georoads.walk.verbs import predict, vectorize


@dataclass(frozen=True)
class Demo:
    """What was made.

    Attributes:
        scene: the example.
        probability, roads, page: the files.
        summary: of the roads.
        size: of the page.
    """

    scene: Path
    probability: Path
    roads: Path
    page: Path
    summary: Summary
    size: MapSize


def example_scene() -> Path:
    """The scene that ships: inside the installed package, or in the folder examples of a checkout.

    Raises:
        GeoroadsError: it is missing.
    """
    for path in (models_folder() / "example.tif", models_folder().parent / "examples" / "scene.tif"):
        if path.is_file():
            return path
    raise GeoroadsError("the example scene is missing", "install georoads again")


def demo(folder: Path, *, watch: Watch = unwatched) -> Demo:
    """Find the roads of the example scene, and draw them over it.

    Args:
        folder: of the files; made where it is missing. Those of an earlier demo are replaced.
        watch: follows the prediction.

    Raises:
        GeoroadsError: the folder cannot be written to.
    """
    scene, checkpoint = example_scene(), find_checkpoint("default")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise GeoroadsError(f"{folder} cannot be made: {e}", "name another folder: -o FOLDER") from e
    probability, roads, page = (folder / name for name in ("probability.tif", "roads.gpkg", "map.html"))
    wanted = PredictRequest(
        scenes=(scene,), output=probability, raster=RasterOptions(overwrite=True), checkpoint=checkpoint
    )
    with prepare(wanted) as opened:
        predict(opened, watch=watch)
    layer = LayerRequest(output=roads, write=WriteOptions(overwrite=True))
    with prepare(VectorizeRequest(raster=probability, layer=layer)) as raster:
        summary = vectorize(raster).summary
    with ProbabilityRaster(probability) as levels:
        size = write_view(roads, page, (scene,), overwrite=True, probability=levels)
    return Demo(scene, probability, roads, page, summary, size)
