"""ONNX Runtime, on a CPU, or on a GPU with its own package: reads the ONNX twin, needs no torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError
from georoads.inference.runtime import refusing, try_out
from georoads.model.pixels import road_logits
from georoads.model.twin import Twin


class OnnxRuntime:
    """An ONNX file in a session of ONNX Runtime; fp32."""

    name = "onnx"
    precision = "fp32"

    def __init__(self, twin: Twin, batch: int, device: str = "cpu", threads: int = 0) -> None:
        """
        Args:
            twin: the network.
            batch: tiles that it takes at once, at most.
            device: cpu, cuda or cuda:N.
            threads: of the CPU; 0: one for each core.

        Raises:
            GeoroadsError: the GPU cannot be used, or the network.
        """
        import onnxruntime

        self.batch = batch
        self.device = device
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4  # what is wrong is raised, too
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        providers = _providers(device)
        with refusing("ONNX Runtime", twin, _failures()):
            session = onnxruntime.InferenceSession(twin.content, options, providers=providers)
        if device != "cpu" and "CUDAExecutionProvider" not in session.get_providers():
            raise GeoroadsError(
                "ONNX Runtime could not start on the GPU (its CUDA libraries do not load)",
                "--set predict.runtime=torch, or --device cpu; georoads doctor says more",
            )
        self._session = session
        self._input = session.get_inputs()[0].name
        with refusing("ONNX Runtime", twin, _failures()):
            try_out(self._run, twin)

    def _run(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        out: NDArray[np.float32] = self._session.run(None, {self._input: batch})[0]
        return out

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        return road_logits(self._run(batch))


def _failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises when it cannot read a file, or run what it holds; they have no base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    named = (
        state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented,
        state.RuntimeException, state.EPFail,
    )  # fmt: skip
    return (*named, RuntimeError)


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """ONNX Runtime's providers for a device (cpu, cuda, cuda:N).

    Raises:
        GeoroadsError: when the installed package cannot use the GPU.
    """
    import onnxruntime

    if device == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise GeoroadsError(
            "the installed ONNX Runtime has no GPU provider",
            "pip install onnxruntime-gpu in its place, or --set predict.runtime=torch",
        )
    return [("CUDAExecutionProvider", {"device_id": device.partition(":")[2] or "0"}), "CPUExecutionProvider"]
