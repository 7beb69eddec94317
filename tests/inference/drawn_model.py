"""A model of a few numbers, as files: bright lines are roads. Needs onnx, but no torch."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.model.config import ModelConfig

REACH = 6
"""Pixels on which an answer depends, to each side."""


def draw_model(folder: Path, *, tile: int = 128, slow: int = 0) -> Checkpoint:
    """Card, weights (which nobody reads) and ONNX twin: logit = 12 (grey - mean around it) - 3.

    Args:
        slow: convolutions of 64 by 64 channels that take time and change nothing.
    """
    weights, twin = folder / "drawn.safetensors", folder / "drawn.onnx"
    weights.write_bytes(b"no weights")
    _write_onnx(twin, tile, slow)
    files = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in (weights, twin)}
    card = ModelCard("drawn", ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, tile, 32, 0.5, files)
    path = folder / "drawn.json"
    path.write_text(card.to_json())
    return Checkpoint(card, path)


def _write_onnx(path: Path, tile: int, slow: int) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    side = 2 * REACH + 1
    kernel = np.full((1, 3, side, side), -12 / (3 * side * side), dtype=np.float32)
    kernel[:, :, REACH, REACH] += 12 / 3
    constants = {"kernel": kernel, "bias": np.array([-3], dtype=np.float32)}
    nodes = [helper.make_node("Conv", ["image", "kernel", "bias"], ["seen"], pads=[REACH] * 4)]
    last = "seen"
    if slow:
        rng = np.random.default_rng(0)
        constants["wide"] = rng.normal(0, 1, (64, 1, 1, 1)).astype(np.float32)
        constants["mixed"] = rng.normal(0, 1e-3, (64, 64, 3, 3)).astype(np.float32)
        constants["nothing"] = np.zeros((1, 64, 1, 1), dtype=np.float32)
        nodes.append(helper.make_node("Conv", ["seen", "wide"], ["busy0"]))
        nodes += [
            helper.make_node("Conv", [f"busy{i}", "mixed"], [f"busy{i + 1}"], pads=[1] * 4)
            for i in range(slow)
        ]
        nodes.append(helper.make_node("Conv", [f"busy{slow}", "nothing"], ["none"]))
        nodes.append(helper.make_node("Add", ["seen", "none"], ["logits"]))
        last = "logits"
    shape: list[str | int] = ["batch", 1, tile, tile]
    graph = helper.make_graph(
        nodes, "drawn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, tile, tile])],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
