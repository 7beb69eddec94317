"""Training on several processes (torchrun): who we are, and the few things that all must agree on.

In a single process every method is the identity, so the loop reads the same.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import distributed, nn

LAST_S = 0.2
"""Seconds between the end of the group and that of the process."""


@dataclass(frozen=True)
class Ranks:
    """This process among all.

    Attributes:
        rank: 0... of this process; rank 0 alone writes files.
        world: number of processes.
        device: of this process: cuda:LOCAL_RANK, or cpu.
    """

    rank: int
    world: int
    device: str

    @property
    def is_first(self) -> bool:
        """True in the one process that writes."""
        return self.rank == 0

    def wrap(self, network: nn.Module) -> nn.Module:
        """The network with gradients averaged over all processes."""
        if self.world == 1:
            return network
        devices = [torch.device(self.device)] if self.device.startswith("cuda") else None
        return nn.parallel.DistributedDataParallel(network, device_ids=devices)

    def total(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """The sum over all processes, in each of them."""
        if self.world == 1:
            return counts
        tensor = torch.from_numpy(counts).to(self.device)
        distributed.all_reduce(tensor)
        return np.asarray(tensor.cpu().numpy())

    def agree(self, value: float) -> float:
        """What rank 0 says, as clocks differ."""
        if self.world == 1:
            return value
        tensor = torch.tensor([value], dtype=torch.float64, device=self.device)
        distributed.broadcast(tensor, src=0)
        return float(tensor.item())

    def leave(self) -> None:
        """Let go of the others."""
        if self.world > 1:
            distributed.barrier()
            distributed.destroy_process_group()
            # Gloo's threads outlive the group, and need Python to let go of the last tensors: if it ends
            # at that moment, the process is aborted.
            time.sleep(LAST_S)


def join_ranks() -> Ranks:
    """This process's place, from the variables that torchrun sets; alone where it did not start us."""
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Ranks(0, 1, "cuda" if gpus else "cpu")
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = f"cuda:{local}" if gpus else "cpu"
    if not distributed.is_initialized():
        if gpus:
            torch.cuda.set_device(local)
        distributed.init_process_group("nccl" if gpus else "gloo")
    return Ranks(distributed.get_rank(), world, device)
