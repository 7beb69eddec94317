"""georoads: satellite and aerial scenes in, road networks out.

    >>> import georoads
    >>> result = georoads.extract("scene.tif")  # doctest: +SKIP
    >>> result.roads.to_file("roads.gpkg")  # doctest: +SKIP

The functions of the command line, for Python, and the classes of their parameters. Each is imported when it
is first used, so that ``import georoads`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from georoads.api import (
        diff,
        evaluate,
        extract,
        load_model,
        open_scene,
        predict,
        score,
        train,
        vectorize,
    )
    from georoads.api_remote import fetch
    from georoads.data.chip import ChipParams
    from georoads.difference.params import DiffParams
    from georoads.difference.request import Difference
    from georoads.errors import CheckpointError, DatasetError, GeoroadsError, LayerError, SceneError
    from georoads.evaluation.evaluate import EvaluateParams
    from georoads.inference.mask_params import MaskParams
    from georoads.inference.raster import RasterOptions
    from georoads.inference.select import PredictParams
    from georoads.model.config import ModelConfig
    from georoads.network.params import VectorizeParams
    from georoads.output.area import read_area
    from georoads.output.format_params import FormatParams
    from georoads.output.maproulette import TaskParams
    from georoads.output.read import read_roads
    from georoads.output.write import WriteOptions
    from georoads.purposes.purpose import Purpose, find_purpose
    from georoads.remote.params import RemoteParams
    from georoads.remote.save import Saved
    from georoads.scene.scene import SceneParams
    from georoads.scoring.params import ScoreParams
    from georoads.training.recipe import DataSource, Recipe, TileParams, TrainParams
    from georoads.walk.result import RoadResult
    from georoads.workers.engine import EngineParams

__version__ = "0.2.0"

__all__ = [
    "CheckpointError", "ChipParams", "DataSource", "DatasetError", "DiffParams", "Difference",
    "EngineParams", "EvaluateParams", "FormatParams", "GeoroadsError", "LayerError", "MaskParams",
    "ModelConfig", "PredictParams", "Purpose", "RasterOptions", "Recipe", "RemoteParams", "RoadResult",
    "Saved", "SceneError", "SceneParams", "ScoreParams", "TaskParams", "TileParams", "TrainParams",
    "VectorizeParams", "WriteOptions", "__version__", "diff", "evaluate", "extract", "fetch",
    "find_purpose", "load_model", "open_scene", "predict", "read_area", "read_roads", "score", "train",
    "vectorize",
]  # fmt: skip

_HOMES = {
    "georoads.api": "diff evaluate extract load_model open_scene predict score train vectorize",
    "georoads.api_remote": "fetch",
    "georoads.data.chip": "ChipParams",
    "georoads.difference.params": "DiffParams",
    "georoads.difference.request": "Difference",
    "georoads.errors": "CheckpointError DatasetError GeoroadsError LayerError SceneError",
    "georoads.evaluation.evaluate": "EvaluateParams",
    "georoads.inference.mask_params": "MaskParams",
    "georoads.inference.raster": "RasterOptions",
    "georoads.inference.select": "PredictParams",
    "georoads.model.config": "ModelConfig",
    "georoads.network.params": "VectorizeParams",
    "georoads.output.area": "read_area",
    "georoads.output.format_params": "FormatParams",
    "georoads.output.maproulette": "TaskParams",
    "georoads.output.read": "read_roads",
    "georoads.output.write": "WriteOptions",
    "georoads.purposes.purpose": "Purpose find_purpose",
    "georoads.remote.params": "RemoteParams",
    "georoads.remote.save": "Saved",
    "georoads.scene.scene": "SceneParams",
    "georoads.scoring.params": "ScoreParams",
    "georoads.training.recipe": "DataSource Recipe TileParams TrainParams",
    "georoads.walk.result": "RoadResult",
    "georoads.workers.engine": "EngineParams",
}
"""The module of each name that is imported when it is first used."""


def __getattr__(name: str) -> Any:
    import importlib

    for module, names in _HOMES.items():
        if name in names.split():
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module 'georoads' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
