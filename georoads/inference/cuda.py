"""All that is only for CUDA GPUs: their number, their names, and what to do when a GPU's memory is full.

Everything touches torch.cuda through a ``Cuda`` value, so that tests can put a fake in its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError


class Cuda(Protocol):
    """The part of the module torch.cuda that is used here."""

    OutOfMemoryError: type[BaseException]

    def is_available(self) -> bool: ...
    def device_count(self) -> int: ...
    def get_device_name(self, index: int) -> str: ...
    def mem_get_info(self, index: int) -> tuple[int, int]: ...
    def empty_cache(self) -> None: ...


def check_device_name(device: str) -> None:
    """Refuse what names no device, whether there is one or not.

    Raises:
        GeoroadsError: the name is none.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", device):
        raise GeoroadsError(
            f"there is no device {device!r}", "--device cuda for a GPU (cuda:1: the second), mps, cpu or auto"
        )


def torch_cuda() -> Any:
    """The module torch.cuda, imported now."""
    import torch

    return torch.cuda


def gpu_count(cuda: Cuda) -> int:
    """Number of GPUs that can be used."""
    return cuda.device_count() if cuda.is_available() else 0


def describe_gpu(cuda: Cuda, index: int) -> str:
    """Name and free memory, for the summary."""
    free, total = cuda.mem_get_info(index)
    return f"{cuda.get_device_name(index)} ({free / 2**30:.1f} of {total / 2**30:.1f} GiB free)"


def with_smaller_batches(
    run: Callable[[NDArray[Any]], NDArray[Any]], batch: NDArray[Any], cuda: Cuda, index: int = 0
) -> NDArray[Any]:
    """Run a batch; when the GPU's memory runs out, halve it down to single tiles.

    The tile itself never shrinks: that would change the result.

    Args:
        run: the network, from (N, bands, H, W) to (N, H, W).
        batch: (N, bands, H, W).
        cuda: torch.cuda, or what stands for it in a test.
        index: number of the GPU.

    Returns:
        What ``run`` gives for the whole batch.

    Raises:
        GeoroadsError: a single tile does not fit; says how much memory is free.
    """
    try:
        return run(batch)
    except cuda.OutOfMemoryError as e:
        cuda.empty_cache()
        if len(batch) == 1:
            free, total = cuda.mem_get_info(index)
            raise GeoroadsError(
                f"one tile of {batch.shape[-1]} px does not fit the GPU: {free / 2**30:.1f} of "
                f"{total / 2**30:.1f} GiB are free",
                "stop other programs that use the GPU, or use --device cpu",
            ) from e
    half = (len(batch) + 1) // 2
    parts = [with_smaller_batches(run, part, cuda, index) for part in (batch[:half], batch[half:])]
    return np.concatenate(parts)
