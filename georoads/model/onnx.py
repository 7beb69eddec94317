"""The ONNX twin of a checkpoint, so that OpenVINO and ONNX Runtime work without torch.

Matrices are stored as fp16 with a cast to fp32 behind them: the file is half as big, and the arithmetic is
exactly that of the fp16 safetensors loaded as fp32. Batch norms are kept apart for the same reason (fused
into a convolution, the product would be rounded once more); runtimes fuse them when they load.
"""

from __future__ import annotations

import importlib
import json
import warnings
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from georoads.extras import require_extra
from georoads.model.card import ModelCard
from georoads.model.pixels import road_logits

INPUT = "image"
OUTPUT = "logits"
OPSET = 17


def _import_onnx() -> ModuleType:
    require_extra("onnx", "writing ONNX", ("onnx",))
    return importlib.import_module("onnx")


def _store_as_half(module: nn.Module) -> None:
    """Keep a module's weight as an fp16 buffer and let it be read as fp32."""
    half = module.weight.detach().half()  # type: ignore[operator]
    del module.weight
    module.register_buffer("weight_half", half)
    as_float = property(lambda self: self.weight_half.float())
    module.__class__ = type(type(module).__name__, (type(module),), {"weight": as_float})


def export_onnx(network: nn.Module, card: ModelCard, path: Path) -> None:
    """Write a network as ONNX: ``image`` (N, bands, tile, tile) float32, normalised, to ``logits``
    (N, classes, tile, tile) float32; N is free.

    Args:
        network: is changed (its matrices become fp16) and must not be used afterwards.
        card: of the network, for the size of the tile.
        path: of the file, which appears whole or not at all.

    Raises:
        GeoroadsError: the package onnx is not installed.
    """
    _import_onnx()  # the exporter needs it
    network = network.cpu().eval().requires_grad_(False)
    for module in list(network.modules()):
        weight = module._parameters.get("weight")
        if weight is not None and weight.ndim >= 2:
            _store_as_half(module)
    _trace_to_file(network, card, path, OUTPUT, free_batch=True)


def _trace_to_file(network: nn.Module, card: ModelCard, path: Path, output: str, *, free_batch: bool) -> None:
    """Trace a network on one tile and write it, whole or not at all."""
    part = path.with_name(path.name + ".part")
    example = torch.zeros(1, card.model.in_channels, card.tile_px, card.tile_px)
    axes = {INPUT: {0: "n"}, output: {0: "n"}} if free_batch else None
    with warnings.catch_warnings():
        # The tracing exporter is kept on purpose: its files have the IR version and opset that plugins of
        # GIS programs still read.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(part),
            input_names=[INPUT],
            output_names=[output],
            dynamic_axes=axes,
            opset_version=OPSET,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    part.replace(path)


class _Plugin(nn.Module):
    """A network between what plugins of GIS programs hand over and what they take."""

    def __init__(self, network: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.network = network
        self.mean = nn.Parameter(torch.tensor(card.mean).reshape(1, -1, 1, 1), requires_grad=False)
        self.std = nn.Parameter(torch.tensor(card.std).reshape(1, -1, 1, 1), requires_grad=False)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(1, bands, H, W) values 0..1 to (1, 2, H, W) probabilities of background and road."""
        # As pixels.normalize, which the graph cannot call: it has the values from 0 to 1.
        out = self.network((image - self.mean) / self.std)
        p = torch.sigmoid(road_logits(out))[:, None]
        return torch.cat((1.0 - p, p), dim=1)


def export_for_plugins(network: nn.Module, card: ModelCard, path: Path) -> None:
    """Write an ONNX file that the QGIS plugin Deepness and the tool GeoDeep open.

    ``image`` (1, bands, tile, tile) float32, values 0..1, to ``probabilities`` (1, 2, tile, tile) float32 of
    background and road. The normalisation is inside, the tile's size is fixed, and the metadata has the keys
    that the two read, each as JSON text.

    Args:
        network: is moved to the CPU and set to evaluation.
        card: of the network.
        path: of the file; it is written twice, the second time with the metadata.

    Raises:
        GeoroadsError: the package onnx is not installed.
    """
    onnx = _import_onnx()
    plugin = _Plugin(network.cpu().eval().requires_grad_(False), card)
    _trace_to_file(plugin, card, path, "probabilities", free_batch=False)
    model = onnx.load(str(path))
    for key, value in plugin_metadata(card).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    onnx.save(model, str(path))


def plugin_metadata(card: ModelCard) -> dict[str, object]:
    """The keys that Deepness and GeoDeep read; both spellings of the tile's size are in use."""
    bands = card.model.in_channels
    return {
        "model_type": "Segmentor",
        "class_names": {"0": "not_road", "1": "road"},
        "resolution": round(100 * card.gsd_m),  # centimetres per pixel
        "tile_size": card.tile_px,
        "tiles_size": card.tile_px,
        "tiles_overlap": round(100 * card.overlap_px / card.tile_px),  # percent
        "seg_thresh": round(card.threshold, 4),
        "seg_small_segment": 11,
        # The network normalises by itself: nothing is left to do for those who read these.
        "standardization_mean": [0.0] * bands,
        "standardization_std": [1.0] * bands,
    }
