"""The torch runtime on CPUs (and, through inference.cuda, on GPUs)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from georoads.allocator import keep_freed_memory
from georoads.errors import GeoroadsError
from georoads.inference.cuda import (
    Gpu,
    GpuQueue,
    TorchGpu,
    check_device_name,
    gpu_count,
    torch_cuda,
    with_smaller_batches,
)
from georoads.inference.runtime import cpu_batch, gpu_batch
from georoads.levels import FULL, NODATA
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint, load_network
from georoads.model.pixels import road_logits, scale_and_shift


def cpu_has_fast_bf16() -> bool:
    """True where the CPU multiplies bf16 in hardware (avx512_bf16 or amx)."""
    capability = torch.backends.cpu.get_cpu_capability()
    if "AVX512" not in capability and "AMX" not in capability:
        return False
    probe = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    return bool(probe()) if probe is not None else False


class _ToLevels(nn.Module):
    """A network with normalisation before it and levels behind it: see ``pixels`` and ``runtime``."""

    def __init__(self, network: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.network = network
        scale, shift = scale_and_shift(card.mean, card.std)
        self.scale = nn.Buffer(torch.from_numpy(scale)[:, None, None])
        self.shift = nn.Buffer(torch.from_numpy(shift)[:, None, None])

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        """Levels (N, H, W) uint8 of tiles (N, bands, H, W) uint8."""
        image = pixels.float() * self.scale - self.shift
        road = road_logits(self.network(image.contiguous(memory_format=torch.channels_last)).float())
        levels = torch.round(torch.sigmoid(road) * FULL)
        return torch.where(torch.isfinite(road), levels, float(NODATA)).to(torch.uint8)


class _ToLogits(nn.Module):
    """A network of which the road's logits are wanted."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        """Logits (N, H, W) of a normalised batch (N, bands, H, W)."""
        out: torch.Tensor = self.network(batch.contiguous(memory_format=torch.channels_last))
        return road_logits(out.float())


class _Torch:
    """A torch module on the CPU or another torch device, channels_last, under autocast for bf16/fp16."""

    name = "torch"

    def __init__(
        self, network: nn.Module, device: str = "cpu", precision: str = "fp32", batch: int = 1
    ) -> None:
        """
        Args:
            network: takes and gives arrays of tiles.
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

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        if self.device.startswith("cuda"):
            return with_smaller_batches(self._forward, batch, torch_cuda(), int(self.device[5:] or 0))
        return self._forward(batch)

    def _forward(self, batch: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(self._on_device(torch.from_numpy(batch).to(self.device)).cpu().numpy())

    @torch.inference_mode()
    def _on_device(self, given: torch.Tensor) -> torch.Tensor:
        with torch.autocast(
            self.device.split(":")[0], dtype=self._autocast, enabled=self._autocast is not None
        ):
            out: torch.Tensor = self._network(given)
        return out


class TorchRuntime(_Torch):
    """Bytes in, bytes out; see ``Runtime``."""

    def __init__(
        self,
        network: nn.Module,
        card: ModelCard,
        device: str = "cpu",
        precision: str = "fp32",
        batch: int = 1,
    ) -> None:
        """
        Args:
            network: takes (N, bands, H, W) normalised, gives (N, classes, H, W).
            card: of the model; says how pixels are normalised.
            device: as torch names it.
            precision: fp32, bf16 or fp16.
            batch: tiles that it takes at once, at most.
        """
        super().__init__(_ToLevels(network, card), device, precision, batch)

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """round(254 p), (N, H, W) uint8, of tiles (N, bands, H, W) uint8; 255 where p is no number."""
        return self._run(pixels)


class CudaTorchRuntime(TorchRuntime):
    """Bytes in, bytes out, on a GPU, which has the next batches already; see ``QueuedRuntime``."""

    in_flight = 3

    def __init__(
        self, network: nn.Module, card: ModelCard, device: str, precision: str, batch: int, gpu: Gpu
    ) -> None:
        """
        Args:
            network: takes (N, bands, H, W) normalised, gives (N, classes, H, W).
            card: of the model; says how pixels are normalised.
            device: cuda, or cuda:N.
            precision: fp32, bf16 or fp16.
            batch: tiles that it takes at once, at most.
            gpu: the device.
        """
        super().__init__(network, card, device, precision, batch)
        self._gpu = gpu
        self._queue = GpuQueue(self._on_device, gpu)

    def new_buffer(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Memory for a batch (N, bands, H, W) uint8, from which the GPU copies by itself."""
        return self._gpu.pinned(shape)

    @torch.inference_mode()
    def start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Begin with a batch, which is left alone until what is returned has given its ``levels``."""
        return self._queue.start(pixels)


class TorchNetwork(_Torch):
    """Floats in, logits out; see ``Network``."""

    def __init__(
        self, network: nn.Module, device: str = "cpu", precision: str = "fp32", batch: int = 1
    ) -> None:
        """
        Args:
            network: takes (N, bands, H, W) normalised, gives (N, classes, H, W).
            device: as torch names it.
            precision: fp32, bf16 or fp16.
            batch: tiles that it takes at once, at most.
        """
        super().__init__(_ToLogits(network), device, precision, batch)

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        return self._run(batch)


def open_torch(
    checkpoint: Checkpoint, *, device: str, precision: str, batch: int, threads: int, as_network: bool
) -> TorchRuntime | TorchNetwork:
    """A torch runtime with a checkpoint's weights.

    Args:
        checkpoint: the model.
        device: auto (a GPU where there is one), cpu, cuda, cuda:N or mps.
        precision: auto (bf16 where the hardware multiplies it), fp32 or bf16.
        batch: tiles that it takes at once, at most; 0: by the device.
        threads: of the CPU; 0: as torch has set them.
        as_network: True gives logits instead of levels.

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
        batch = (gpu_batch if kind == "cuda" else cpu_batch)(checkpoint.card.tile_px)
    if threads:
        torch.set_num_threads(threads)
    network = load_network(checkpoint)
    if as_network:
        return TorchNetwork(network, device, precision, batch)
    if kind == "cuda":
        gpu = TorchGpu(torch, int(number or 0))
        return CudaTorchRuntime(network, checkpoint.card, device, precision, batch, gpu)
    return TorchRuntime(network, checkpoint.card, device, precision, batch)
