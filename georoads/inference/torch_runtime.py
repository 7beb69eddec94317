"""The torch runtime on CPUs (and, through inference.cuda, on GPUs)."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from georoads.allocator import keep_freed_memory
from georoads.errors import GeoroadsError
from georoads.inference.cuda import check_device_name, gpu_count, torch_cuda, with_smaller_batches
from georoads.inference.runtime import GPU_BATCH, cpu_batch
from georoads.model.checkpoint import Checkpoint, load_network
from georoads.model.pixels import road_logits


def cpu_has_fast_bf16() -> bool:
    """True where the CPU multiplies bf16 in hardware (avx512_bf16 or amx)."""
    capability = torch.backends.cpu.get_cpu_capability()
    if "AVX512" not in capability and "AMX" not in capability:
        return False
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe()) if probe is not None else False


class TorchRuntime:
    """A torch module on the CPU or another torch device, channels_last, under autocast for bf16/fp16."""

    name = "torch"

    def __init__(
        self, network: nn.Module, device: str = "cpu", precision: str = "fp32", batch: int = 1
    ) -> None:
        """
        Args:
            network: takes (N, bands, H, W), gives (N, classes, H, W).
            device: as torch names it.
            precision: fp32, bf16 or fp16.
            batch: tiles that it takes at once, at most.
        """
        self.device = device
        self.precision = precision
        self.batch = batch
        self._autocast = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        if device == "cpu":
            keep_freed_memory()
        self._network = network.to(device=device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        if self.device.startswith("cuda"):
            return with_smaller_batches(self._forward, batch, torch_cuda(), int(self.device[5:] or 0))
        return self._forward(batch)

    @torch.inference_mode()
    def _forward(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        x = torch.from_numpy(batch).to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(
            self.device.split(":")[0], dtype=self._autocast, enabled=self._autocast is not None
        ):
            out: torch.Tensor = self._network(x)
        return road_logits(out.float()).cpu().numpy()


def open_torch(
    checkpoint: Checkpoint, *, device: str, precision: str, batch: int, threads: int
) -> TorchRuntime:
    """A torch runtime with a checkpoint's weights.

    Args:
        checkpoint: the model.
        device: auto (a GPU where there is one), cpu, cuda, cuda:N or mps.
        precision: auto (bf16 where the hardware multiplies it), fp32 or bf16.
        batch: tiles that it takes at once, at most; 0: by the device.
        threads: of the CPU; 0: as torch has set them.

    Raises:
        GeoroadsError: the device is not there.
    """
    check_device_name(device)
    if device == "auto":
        device = "cuda" if gpu_count(torch_cuda()) else "cpu"
    kind, _, number = device.partition(":")
    there = {
        "cpu": True,
        "cuda": gpu_count(torch_cuda()) > int(number or 0),
        "mps": torch.backends.mps.is_available(),
    }
    if not there.get(kind, False):
        raise GeoroadsError(
            f"there is no device {device!r}", "--device cpu; or install torch with GPU support"
        )
    if precision == "auto":
        fast = kind == "cuda" or (kind == "cpu" and cpu_has_fast_bf16())
        precision = "bf16" if fast else "fp32"
    if not batch:
        batch = GPU_BATCH if kind == "cuda" else cpu_batch(checkpoint.card.tile_px)
    if threads:
        torch.set_num_threads(threads)
    return TorchRuntime(load_network(checkpoint), device, precision, batch)
