"""The state of a training: what changes while a model is trained, saved so that it can go on at any step."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from georoads.errors import CheckpointError, GeoroadsError
from georoads.model.tensors import State, load_strictly
from georoads.training.epoch_meter import EpochMeter
from georoads.training.run_folder import Epoch, replace_file, start_anew

STATE = "state.safetensors"
"""Name of the file that a resumed training goes on from."""

_COUNTED = ("steps", "lr", "true", "union")
"""What is kept of the meter beside its losses."""
_ROUNDED = 1e-5
"""The history holds six digits of what the state holds whole."""


@dataclass
class Position:
    """How far a training is: steps and epochs done, seconds spent, the best validation IoU."""

    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    best_iou: float = -1.0


@dataclass
class TrainingState:
    """What changes while a model is trained, and is saved to go on from.

    Attributes:
        network: takes the steps.
        average: moving average of its weights, which is evaluated and kept.
        optimizer: of the network.
        position: how far the training is.
        meter: of the epoch that has begun.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    position: Position = field(default_factory=Position)
    meter: EpochMeter = field(default_factory=EpochMeter)


def save_state(folder: Path, state: TrainingState) -> None:
    """Write everything to go on from, as one safetensors file that is whole or the old one."""
    tensors = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in state.average.state_dict().items()}
    for i, entry in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in entry.items()}
    tensors["losses"] = torch.tensor(state.meter.losses, dtype=torch.float64)
    whole = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    metadata = {
        "position": json.dumps(asdict(state.position)),
        "meter": json.dumps({name: getattr(state.meter, name) for name in _COUNTED}),
    }
    replace_file(folder / STATE, save(whole, metadata=metadata))


def load_state(folder: Path, state: TrainingState, chosen_by: Sequence[float], history: list[Epoch]) -> None:
    """Fill a state in place with what the folder's training had saved.

    Args:
        folder: of the run.
        state: of new networks.
        chosen_by: the figure of each epoch of the history that chooses the best model.
        history: the folder's epochs; one more than the state's where it was saved before it was judged.

    Raises:
        GeoroadsError: when the file is missing or damaged, or does not belong to the history.
    """
    path = folder / STATE
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as f:
            metadata = f.metadata()
        state.position = Position(**json.loads(metadata["position"]))
        state.meter = EpochMeter(**json.loads(metadata.get("meter", "{}")))
        state.meter.losses = tensors.get("losses", torch.zeros(0)).tolist()
        _check_position(state.position, state.meter.steps, chosen_by, history)
        for name, module in (("network", state.network), ("average", state.average)):
            _load_module(module, _select_prefixed(tensors, f"{name}."), name)
        _load_optimizer(state.optimizer, _select_prefixed(tensors, "optimizer."))
    except CheckpointError as e:
        raise GeoroadsError(f"{path}: {e.message}", start_anew(folder)) from e
    except KeyError as e:
        raise GeoroadsError(f"{path} lacks {e}", start_anew(folder)) from e
    except (OSError, SafetensorError, ValueError, TypeError, AttributeError) as e:
        raise GeoroadsError(f"{path} cannot be gone on from: {e}", start_anew(folder)) from e


def saved_step(folder: Path) -> int | None:
    """The step that a resumed training goes on from; None where no state can be read."""
    try:
        with safe_open(folder / STATE, framework="pt") as f:
            return int(json.loads(f.metadata()["position"])["step"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError):
        return None


def _check_position(
    position: Position, steps: int, chosen_by: Sequence[float], history: Sequence[Epoch]
) -> None:
    """Refuse a position that is not the history's, or is none. ``steps`` are those since its last epoch."""
    if not all(type(number) is int and number >= 0 for number in (position.step, position.epoch, steps)):
        raise ValueError(f"it is at step {position.step!r} of epoch {position.epoch!r}")
    if position.epoch > len(history):
        raise ValueError(f"history.csv holds {len(history)} of its {position.epoch} epochs")
    before = history[position.epoch - 1].step if position.epoch else 0
    if position.step != before + steps:
        raise ValueError(f"it is at step {position.step}, history.csv at {before} and {steps} more")
    best = max(chosen_by[: position.epoch], default=-1.0)
    if not abs(position.best_iou - best) < _ROUNDED:
        raise ValueError(f"its best IoU is {position.best_iou}, that of history.csv {best}")
    if not 0 <= position.seconds < math.inf:
        raise ValueError(f"it has trained for {position.seconds} seconds")


def _load_module(module: nn.Module, tensors: State, name: str) -> None:
    missing = sorted(module.state_dict().keys() - tensors.keys())  # counters too, which a checkpoint may lack
    if missing:
        raise KeyError(f"{name}.{missing[0]}")
    load_strictly(module, tensors, name)


def _load_optimizer(optimizer: torch.optim.Optimizer, tensors: State) -> None:
    weights = [weight for group in optimizer.param_groups for weight in group["params"]]
    entries: dict[int, State] = {}
    for key, value in tensors.items():
        number, name = key.split(".", 1)
        entries.setdefault(int(number), {})[name] = value
    for index, entry in entries.items():
        shape = weights[index].shape if 0 <= index < len(weights) else None
        moments = {"step": torch.Size(()), "exp_avg": shape, "exp_avg_sq": shape}
        if {name: value.shape for name, value in entry.items()} != moments:
            raise ValueError(f"optimizer.{index} is not of its weight")
        if not all(bool(torch.isfinite(value).all()) for value in entry.values()):
            raise ValueError(f"optimizer.{index} holds values that are no numbers")
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": entries, "param_groups": groups})


def _select_prefixed(tensors: State, prefix: str) -> State:
    """The tensors whose names begin with the prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
