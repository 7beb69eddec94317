"""The OpenVINO runtime: reads the checkpoint's ONNX twin, needs no torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class OpenVinoRuntime:
    """An ONNX file compiled for the CPU by OpenVINO.

    bf16 is used where the CPU multiplies it in hardware; the mask then differs from fp32's in a small
    share of pixels (measured in benchmarks/README.md).
    """

    name = "openvino"
    device = "cpu"

    def __init__(self, onnx: Path, batch: int, precision: str = "auto") -> None:
        import openvino

        self.batch = batch
        core = openvino.Core()
        if precision == "auto":
            fast = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if fast else "fp32"
        self.precision = precision
        model = core.read_model(str(onnx))
        _, *rest = model.input(0).get_partial_shape()
        model.reshape([batch, *(d.get_length() for d in rest)])
        hint = {"fp32": "f32"}.get(precision, precision)
        options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        self._compiled = core.compile_model(model, "CPU", options)

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        out = np.asarray(self._compiled(batch)[0], dtype=np.float32)
        return out[:, 0] if out.shape[1] == 1 else out[:, 1] - out[:, 0]
