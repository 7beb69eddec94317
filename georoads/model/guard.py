"""Importing segmentation-models-pytorch where torchvision's compiled part does not load.

torch and torchvision wheels from different places do not fit each other: ``import torchvision`` (and
so timm and smp) then stops with ``operator torchvision::nms does not exist``, though none of its
compiled operators is ever called here. torchvision's Python registers shape functions for exactly two
of its operators unconditionally; with these two declared, the import goes through.
"""

from __future__ import annotations

import importlib
import os
import warnings
from types import ModuleType
from typing import Any

import torch

_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[Any] = []  # a torch Library takes its declarations with it when it is collected


def torchvision_is_usable() -> bool:
    """True when torchvision imports by itself."""
    try:
        importlib.import_module("torchvision")
    except (RuntimeError, ImportError, OSError):
        return False
    return True


def declare_missing_operators() -> None:
    """Declare the operators that torchvision's Python expects, where they are missing."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for schema in _SCHEMAS:
        name = schema.split("(", 1)[0]
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)


def import_smp() -> ModuleType:
    """The module segmentation_models_pytorch, whether torchvision fits the installed torch or not."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    if not torchvision_is_usable():
        declare_missing_operators()
    smp = importlib.import_module("segmentation_models_pytorch")
    # The names are part of our cards; the dependency's upper bound keeps them meaning what they mean.
    warnings.filterwarnings("ignore", "`timm-` encoders are deprecated", DeprecationWarning)
    return smp
