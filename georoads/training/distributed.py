"""Training on several processes (torchrun): which one this is, and the few things that all must agree on.

In a single process every method is the identity, so the training loop reads the same.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn

LAST_S = 0.2
"""Seconds between the end of the group and that of the process."""


@dataclass(frozen=True)
class ProcessGroup:
    """The processes that train one model together, seen from this one.

    Attributes:
        rank: number of this process, from 0; rank 0 alone writes files.
        world_size: number of processes.
        device: of this process: cuda:LOCAL_RANK, or cpu.
    """

    rank: int
    world_size: int
    device: str

    @property
    def is_first(self) -> bool:
        """True in the one process that writes."""
        return self.rank == 0

    def wrap_network(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes."""
        if self.world_size == 1:
            return network
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def sum_counts(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum over all processes, in each of them."""
        if self.world_size == 1:
            return counts
        tensor = torch.from_numpy(counts).to(self.device)
        distributed.all_reduce(tensor)
        return np.asarray(tensor.cpu().numpy())

    def broadcast(self, value: float) -> float:
        """The value that rank 0 has, in each process: their clocks differ."""
        if self.world_size == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(tensor, src=0)
        return float(tensor.item())

    def leave(self) -> None:
        """Wait for the other processes and end the group."""
        if self.world_size > 1:
            distributed.barrier()
            distributed.destroy_process_group()
            # Gloo's threads outlive the group, and need Python to let go of the last tensors: if it ends
            # at that moment, the process is aborted.
            time.sleep(LAST_S)


def join_process_group(environment: Mapping[str, str]) -> ProcessGroup:
    """Join the processes that torchrun has started; a group of one where it has not.

    Args:
        environment: variables of the process, of which WORLD_SIZE and LOCAL_RANK are torchrun's.
    """
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    world_size = int(environment.get("WORLD_SIZE", "1"))
    if world_size == 1:
        return ProcessGroup(0, 1, "cuda" if gpus else "cpu")
    local_rank = int(environment.get("LOCAL_RANK", "0"))
    device = f"cuda:{local_rank}" if gpus else "cpu"
    if not distributed.is_initialized():
        if gpus:
            torch.cuda.set_device(local_rank)
        distributed.init_process_group("nccl" if gpus else "gloo")
    return ProcessGroup(distributed.get_rank(), world_size, device)
