"""Choosing the runtime that predicts, and its device."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import cast

from georoads.errors import GeoroadsError
from georoads.extras import NETWORK, require_extra
from georoads.inference.cuda import check_device_name
from georoads.inference.runtime import HostRuntime, Network, Runtime, RuntimeKind, cpu_batch, gpu_batch
from georoads.model.checkpoint import Checkpoint
from georoads.model.twin import Twin, read_twin
from georoads.resources import check_address_space
from georoads.workers.engine import EngineParams

RUNTIMES = ("auto", "torch", "openvino", "onnx")
PRECISIONS = ("auto", "fp32", "bf16", "int8")
_MEMORY_MB = {"openvino": (350, 450), "onnx": (350, 700), "torch": (600, 800)}
"""Resident memory by runtime: whatever the model, and per megapixel of a batch on the CPU."""
_LIGHTER = 'or, for CPUs, python -m pip install "georoads[openvino]"'


@dataclass(frozen=True)
class PredictParams:
    """How a scene is predicted. Only ``tta`` changes what is computed; precision and batch its rounding.

    Attributes:
        device: auto, cpu, cuda, cuda:N (with the number N of a GPU) or mps.
        runtime: torch, openvino, onnx (ONNX Runtime), or auto: torch on a GPU; on a CPU the first of
            OpenVINO, ONNX Runtime and torch that is installed, which is their order by speed.
        precision: auto (bf16 where the hardware multiplies it; with OpenVINO on other CPUs int8, where the
            model has that twin), fp32, bf16, int8.
        batch: tiles at once, up to 256; 0: up to a megapixel on a CPU, about four on a GPU.
        prefetch: batches that are read ahead, 1 to 64.
        io_threads: that decode scenes, and as many that encode the raster, up to 64; 0: one for each core, up
            to eight. No byte depends on them.
        threads: of a runtime on the CPU, up to 1024; 0: as many as it finds cores (torch: as
            OMP_NUM_THREADS says).
        tta: average over the eight symmetries of the tile (eight times the work).
        engine: where the work is done.
    """

    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    batch: int = 0
    prefetch: int = 2
    io_threads: int = 0
    threads: int = 0
    tta: bool = False
    engine: EngineParams = field(default_factory=EngineParams)

    def __post_init__(self) -> None:
        if self.runtime not in RUNTIMES:
            raise ValueError(f"runtime must be one of {', '.join(RUNTIMES)}, not {self.runtime!r}")
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision must be one of {', '.join(PRECISIONS)}, not {self.precision!r}")
        check_device_name(self.device)
        limits = (("batch", 0, 256), ("threads", 0, 1024), ("prefetch", 1, 64), ("io_threads", 0, 64))
        for name, least, most in limits:
            if not least <= getattr(self, name) <= most:
                raise ValueError(f"{name} must be {least} to {most}, not {getattr(self, name)}")


def open_runtime(checkpoint: Checkpoint, params: PredictParams) -> Runtime:
    """A runtime with the checkpoint's weights.

    Raises:
        GeoroadsError: the runtime that was asked for is not installed, the device is not there, or the
            ONNX twin is damaged or no network of ours.
    """
    if not params.tta:
        return cast(Runtime, _open_single(checkpoint, params))
    from georoads.inference.symmetry import SymmetricNetwork

    network = cast(Network, _open_single(checkpoint, params))
    return HostRuntime(SymmetricNetwork(network), checkpoint.card)


def _open_single(checkpoint: Checkpoint, params: PredictParams) -> Runtime | Network:
    """A runtime; for test-time augmentation, which averages logits, a network."""
    runtime = params.runtime if params.runtime != "auto" else fastest_runtime(params.device)
    if params.runtime == "auto" and runtime != "torch" and not _has_twin(checkpoint):
        runtime = "torch"
    if runtime == "openvino":
        return _open_openvino(checkpoint, params)
    if params.precision == "int8":
        raise GeoroadsError(
            f"int8 is computed by OpenVINO alone, not by {runtime}", "--set predict.runtime=openvino"
        )
    if runtime == "onnx":
        return _open_onnx(checkpoint, params)
    require_extra("train", "the torch runtime", NETWORK, _LIGHTER)
    from georoads.inference.torch_runtime import open_torch

    return open_torch(
        checkpoint, device=params.device, precision=params.precision, batch=params.batch,
        threads=params.threads, as_network=params.tta,
    )  # fmt: skip


def memory_mb(kind: RuntimeKind, tile_px: int, *, on_cpu: bool) -> float:
    """Resident memory that a runtime takes by estimate, measured for the shipped model.

    Args:
        kind: of the runtime.
        tile_px: side of a tile.
        on_cpu: whether its batches lie in the memory of this machine's CPU.
    """
    fixed, per_megapixel = _MEMORY_MB.get(kind.name.partition("+")[0], (350, 0))
    return fixed + (per_megapixel * kind.batch * tile_px**2 / 1e6 if on_cpu else 0)


def fastest_runtime(device: str) -> str:
    """The runtime that ``auto`` takes for a device (auto, cpu, cuda, …)."""
    if device not in ("auto", "cpu") or (device == "auto" and has_gpu()):
        return "torch"
    if find_spec("openvino") is not None:
        return "openvino"
    return "onnx" if find_spec("onnxruntime") is not None else "torch"


def _has_twin(checkpoint: Checkpoint) -> bool:
    """Whether there is an ONNX file, or one can be made."""
    return checkpoint.onnx is not None or find_spec("onnx") is not None


def has_gpu() -> bool:
    """Whether torch finds a GPU; it is only asked, as its import takes seconds, where a driver is there."""
    import ctypes.util
    import sys

    if find_spec("torch") is None:
        return False
    if ctypes.util.find_library("nvcuda" if sys.platform == "win32" else "cuda") is None:
        return False
    from georoads.inference.cuda import gpu_count, torch_cuda

    return gpu_count(torch_cuda()) > 0


def _open_openvino(checkpoint: Checkpoint, params: PredictParams) -> Runtime | Network:
    require_extra("openvino", "predict.runtime=openvino", ("openvino",))
    if params.device not in ("auto", "cpu"):
        raise GeoroadsError(
            f"the OpenVINO runtime works on the CPU, not on {params.device}", "--set predict.runtime=torch"
        )
    from georoads.inference.openvino_runtime import OpenVinoNetwork, OpenVinoRuntime, cpu_precision

    precision = params.precision
    if precision == "auto":
        precision = cpu_precision(has_int8=checkpoint.int8 is not None)
    if precision == "int8" and checkpoint.int8 is None:
        raise GeoroadsError(
            f"{checkpoint.card.name} has no twin of whole numbers",
            "leave predict.precision out, or make one: docs/training.md",
        )
    path = checkpoint.int8 if precision == "int8" else None
    tile_px = checkpoint.card.tile_px
    batch = params.batch or cpu_batch(tile_px)
    kind = RuntimeKind("openvino", "cpu", precision, batch)
    check_address_space("OpenVINO", memory_mb(kind, tile_px, on_cpu=True))
    opened = OpenVinoNetwork if params.tta else OpenVinoRuntime
    return opened(_checked_twin(checkpoint, path), batch, precision, params.threads)


def _open_onnx(checkpoint: Checkpoint, params: PredictParams) -> Runtime | Network:
    require_extra("onnx", "predict.runtime=onnx", ("onnxruntime",))
    if params.precision == "bf16":
        raise GeoroadsError(
            "the ONNX Runtime runtime computes in fp32", "--set predict.runtime=openvino, or torch"
        )
    from georoads.inference.onnx_runtime import OnnxNetwork, OnnxRuntime

    device = "cpu" if params.device == "auto" else params.device
    tile_px = checkpoint.card.tile_px
    batch = params.batch or (cpu_batch(tile_px) if device == "cpu" else gpu_batch(tile_px))
    kind = RuntimeKind("onnx", device, "fp32", batch)
    check_address_space("ONNX Runtime", memory_mb(kind, tile_px, on_cpu=device == "cpu"))
    opened = OnnxNetwork if params.tta else OnnxRuntime
    return opened(_checked_twin(checkpoint), batch, device, params.threads)


def _checked_twin(checkpoint: Checkpoint, path: Path | None = None) -> Twin:
    """The ONNX twin of a checkpoint, or the one named, looked through before a runtime reads it."""
    from georoads.model.cache import onnx_twin

    return read_twin(path or onnx_twin(checkpoint), checkpoint.card)
