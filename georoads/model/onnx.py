"""The ONNX twin of a checkpoint, so that OpenVINO and ONNX Runtime work without torch.

Matrices are stored as fp16 with a cast to fp32 behind them: the file is half as big, and the arithmetic is
exactly that of the fp16 safetensors loaded as fp32. Batch norms are kept apart for the same reason (fused
into a convolution, the product would be rounded once more); runtimes fuse them when they load.
"""

from __future__ import annotations

import warnings
from pathlib import Path

import torch
from torch import nn

from georoads.errors import CheckpointError
from georoads.model.card import ModelCard

INPUT = "image"
OUTPUT = "logits"
OPSET = 17


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

    The network is changed (its matrices become fp16) and must not be used afterwards.

    Raises:
        CheckpointError: when the package onnx is not installed.
    """
    try:
        import onnx  # noqa: F401  # the exporter needs it
    except ImportError as e:
        raise CheckpointError("writing ONNX needs the package onnx", "pip install 'georoads[onnx]'") from e
    network = network.cpu().eval().requires_grad_(False)
    for module in list(network.modules()):
        weight = module._parameters.get("weight")
        if weight is not None and weight.ndim >= 2:
            _store_as_half(module)
    part = path.with_name(path.name + ".part")
    example = torch.zeros(1, card.model.in_channels, card.tile_px, card.tile_px)
    with warnings.catch_warnings():
        # The tracing exporter is kept on purpose: its files have the IR version and opset that plugins of
        # GIS programs still read.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (example,),
            str(part),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
            opset_version=OPSET,
            do_constant_folding=False,
            training=torch.onnx.TrainingMode.PRESERVE,
            dynamo=False,
        )
    part.replace(path)
