"""The main walk, put together from the rooms: from scenes to a probability raster or a road layer.

A request says what is wanted. ``prepare`` opens and checks all of it once; then one verb does the work, and
only publishing looks at the output again. Where scenes lie on servers, ``fetched`` goes before:

    request ──prepare──▶ prepared ──┬─ plan ──────▶ Plan
                                    ├─ predict ───▶ Summary, a raster
                                    ├─ extract ───▶ RoadResult, a layer
                                    └─ vectorize ─▶ RoadResult, a layer
"""

from georoads.walk.fetched import fetched, names_servers, plan_fetch
from georoads.walk.prepared import prepare
from georoads.walk.request import ExtractRequest, LayerRequest, PredictRequest, RemoteScenes, VectorizeRequest
from georoads.walk.result import Plan, RoadResult, Summary
from georoads.walk.verbs import extract, plan, predict, vectorize

__all__ = [
    "ExtractRequest",
    "LayerRequest",
    "Plan",
    "PredictRequest",
    "RemoteScenes",
    "RoadResult",
    "Summary",
    "VectorizeRequest",
    "extract",
    "fetched",
    "names_servers",
    "plan",
    "plan_fetch",
    "predict",
    "prepare",
    "vectorize",
]
