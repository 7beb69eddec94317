# SPDX-License-Identifier: GPL-2.0-or-later
"""What is offered in Processing: for each algorithm its command, and what of it is special in QGIS.

All else (which parameters there are, their types, defaults, choices and help) is what georoads says of itself
(``command.py``). Imports nothing of QGIS.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

LABELS = {
    "scenes": "Scene", "raster": "Mask or probability raster", "roads": "Roads", "reference": "Reference",
    "output": "Roads", "aoi": "Only roads inside", "bidx": "Bands", "nodata": "No-data value",
    "gsd": "Pixel size to work at (GSD)", "buffer_m": "Buffer (m)", "explain": "Errors",
    "same": "Unchanged too",
    "align": "Offset between the layers", "probability": "Probability raster of the roads",
    "width": "Width of the lines", "json_file": "Figures as JSON", "layer": "Name of the layer",
}  # fmt: skip
"""Where a parameter's name, with a capital, is no good label."""


@dataclass(frozen=True)
class Offer:
    """An algorithm of Processing.

    Attributes:
        id: its name behind ``georoads:``.
        title: in the toolbox.
        command: of georoads that it runs.
        about: one sentence for the toolbox.
        roles: what a parameter is in QGIS, where its type does not say it: the kind of its control
            (``controls.py``).
        shown: parameters at first sight; the others are advanced.
        left_out: parameters that make no sense in QGIS.
        output: the parameter that names what is made; "": nothing but figures.
        labels: where they differ from LABELS.
        layers: names of the layers of the output to load, where there are several; the first is the result.
        extent: what the extent becomes: "bounds" (that part is worked on), "aoi" (what is inside is kept).
        figures: numbers of ``--json`` that are results, by their name there.
    """

    id: str
    title: str
    command: str
    about: str
    roles: Mapping[str, str]
    shown: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    output: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    layers: tuple[str, ...] = ()
    extent: str = ""
    figures: tuple[str, ...] = ()

    def label(self, name: str) -> str:
        """What a parameter is called in the dialog."""
        plain = name.replace("_", " ").capitalize()
        return {**LABELS, **self.labels}.get(name, plain)


_SCORES = ("f1", "completeness", "correctness", "quality", "apls", "topo_f1", "node_f1", "reference_km",
           "proposal_km")  # fmt: skip
_TWO_LAYERS = {"roads": "lines", "reference": "lines"}

OFFERS = (
    Offer(
        "extract", "Extract roads", "extract",
        "Extract the roads of a scene: centrelines with width and confidence, joined at junctions.",
        roles={"scenes": "scenes", "output": "layer", "aoi": "area"},
        shown=("scenes", "output", "model", "threshold"),
        left_out=("append", "preview", "dry_run", "engine", "layer", "json_file"),
        output="output", layers=("roads", "nodes"), extent="bounds",
    ),
    Offer(
        "vectorize", "Vectorize mask", "vectorize",
        "Trace the roads of a mask or probability raster, of georoads or any other tool.",
        roles={"raster": "raster", "output": "layer", "aoi": "area", "bidx": "band"},
        shown=("raster", "output", "threshold"), left_out=("append", "preview", "layer", "json_file"),
        output="output", layers=("roads", "nodes"), extent="aoi",
    ),
    Offer(
        "score", "Score", "score",
        "Score the lines of roads against a reference: F1, APLS, TOPO and more.",
        roles=_TWO_LAYERS, shown=("roads", "reference", "buffer_m"), left_out=("explain",), figures=_SCORES,
    ),
    Offer(
        "diff", "Difference", "diff",
        "Find what is new, missing or moved between two layers of roads.",
        roles={**_TWO_LAYERS, "probability": "raster", "output": "layer"},
        shown=("roads", "reference", "output", "same"), left_out=("json_file",),
        output="output", labels={"output": "Changes"}, layers=("changes",),
    ),
    Offer(
        "errors", "View errors", "score",
        "Show where the lines of roads are right, missing or false against a reference.",
        roles={**_TWO_LAYERS, "explain": "layer"}, shown=("roads", "reference", "buffer_m", "explain"),
        left_out=("json_file",), output="explain", layers=("errors",), figures=_SCORES,
    ),
    Offer(
        "page", "Map as a page", "view",
        "Draw roads over their scene as one HTML page that any browser opens, without a network.",
        roles={"roads": "lines", "output": "page", "scenes": "scenes", "probability": "raster"},
        shown=("roads", "scenes", "output", "width"), output="output", labels={"output": "Page"},
    ),
)  # fmt: skip
"""In the order of the toolbox."""
