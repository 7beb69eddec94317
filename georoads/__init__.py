"""georoads: satellite and aerial scenes in, road networks out.

The functions of the command line, for Python; each is imported when it is first used, so that
``import georoads`` costs nothing:

    import georoads
    scene = georoads.open_scene("scene.tif")
    checkpoint = georoads.load_model("default")
    roads = georoads.read_roads("roads.gpkg")
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from georoads.evaluation.evaluate import evaluate_samples as evaluate
    from georoads.model.checkpoint import find_checkpoint as load_model
    from georoads.output.read import read_roads
    from georoads.scene.open import open_scene
    from georoads.scoring.score import score
    from georoads.training.loop import train
    from georoads.walk import extract, predict, vectorize

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "evaluate",
    "extract",
    "load_model",
    "open_scene",
    "predict",
    "read_roads",
    "score",
    "train",
    "vectorize",
]

_HOMES = {
    "evaluate": ("georoads.evaluation.evaluate", "evaluate_samples"),
    "extract": ("georoads.walk", "extract"),
    "load_model": ("georoads.model.checkpoint", "find_checkpoint"),
    "open_scene": ("georoads.scene.open", "open_scene"),
    "predict": ("georoads.walk", "predict"),
    "read_roads": ("georoads.output.read", "read_roads"),
    "score": ("georoads.scoring.score", "score"),
    "train": ("georoads.training.loop", "train"),
    "vectorize": ("georoads.walk", "vectorize"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'georoads' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(importlib.import_module(module), attribute)
