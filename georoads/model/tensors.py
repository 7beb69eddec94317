"""Tensors by name: read from safetensors files, loaded into a network where all of them fit, stored small."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from georoads.errors import CheckpointError
from georoads.text import printable

State = dict[str, torch.Tensor]
"""Tensors of a network by name, as of ``Module.state_dict``."""
_DTYPES = ("float16", "bfloat16", "float32", "float64", "int64")
"""What tensors may hold; int64 are the counters of batch norms."""


def read_tensors(path: Path) -> State:
    """The tensors of a safetensors file, by name.

    The library checks the header before it makes any tensor: the file must hold what the header states,
    without gaps and overlaps.

    Raises:
        CheckpointError: the file is damaged, no safetensors file, or holds what no network of ours does.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state: State = load_file(path)
    except (SafetensorError, OSError) as e:
        raise CheckpointError(f"{printable(path)} is damaged: {e}", "copy it again") from e
    for name, tensor in state.items():
        kind = str(tensor.dtype).removeprefix("torch.")
        if kind not in _DTYPES:
            raise CheckpointError(
                f"{printable(path)}: {printable(name)} holds {kind}", f"expected: {', '.join(_DTYPES)}"
            )
    return state


def load_strictly(module: nn.Module, state: State, what: str) -> None:
    """Load tensors into a module if every one is present, expected, finite and of the right shape.

    Args:
        module: is changed; counters of its batch norms may be missing in the state.
        state: tensors by the module's own names.
        what: where the tensors come from, for messages.

    Raises:
        CheckpointError: naming the first three that are not.
    """
    own = module.state_dict()
    wrong = [f"{k} is missing" for k in own if k not in state and not k.endswith("num_batches_tracked")]
    wrong += [f"{k} is not expected" for k in state if k not in own]
    wrong += [
        f"{k} is {tuple(state[k].shape)}, not {tuple(own[k].shape)}"
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    wrong += [
        f"{k} holds {str(state[k].dtype).removeprefix('torch.')}, not floats"
        for k in own
        if k in state and own[k].is_floating_point() and not state[k].is_floating_point()
    ]
    if not wrong:
        wrong = [
            f"{k} has values that are no numbers"
            for k, v in state.items()
            if not torch.isfinite(v.float()).all()
        ]
    if wrong:
        raise CheckpointError(
            f"{what}: {'; '.join(wrong[:3])}{f' and {len(wrong) - 3} more' if len(wrong) > 3 else ''}",
            "the weights belong to another architecture or encoder",
        )
    module.load_state_dict(state, strict=False)


def to_stored(state: Mapping[str, torch.Tensor]) -> State:
    """The tensors as a checkpoint stores them, on the CPU: matrices as fp16, vectors as they are."""
    return {
        k: (
            v.detach().to("cpu", torch.float16) if v.ndim >= 2 and v.is_floating_point() else v.detach().cpu()
        ).contiguous()
        for k, v in state.items()
    }
