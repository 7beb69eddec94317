"""The run folder: recipe.json, history.csv, the state to go on from, best and last checkpoint, plots."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from georoads.errors import GeoroadsError
from georoads.training.recipe import Recipe

STATE = "state.safetensors"
"""Name of the file to go on from."""


@dataclass(frozen=True)
class Epoch:
    """One line of history.csv.

    IoU is of the road class, pooled over pixels, on the training chips at p >= 0.5 and on val at
    ``val_threshold``. The two ``pooled`` figures count background and road together, as the DeepGlobe
    notebook did: IoU at p >= 0.5 of both channels of the one-hot mask, and their soft Dice loss. ``waited``
    is the share of the epoch's time in which the loop waited for chips.
    """

    epoch: int
    step: int
    minutes: float
    lr: float
    train_loss: float
    train_iou: float
    val_dice_loss: float
    val_iou: float
    val_threshold: float
    val_precision: float
    val_recall: float
    val_pooled_iou: float
    val_pooled_dice_loss: float
    waited: float = 0.0


@dataclass
class Position:
    """Where a training stands: steps and epochs done, seconds spent, the best validation IoU."""

    step: int = 0
    epoch: int = 0
    seconds: float = 0.0
    best_iou: float = -1.0


def start_run(
    folder: Path, recipe: Recipe, split_sha256: str, resume: bool, *, write: bool = True
) -> list[Epoch]:
    """Make or enter the folder (only where ``write``); the epochs that it already holds.

    Raises:
        GeoroadsError: when it exists without ``resume``, or when the recipe or the split has changed.
    """
    if not write:  # the first process checks and writes, perhaps before we come here
        return read_history(folder) if resume else []
    made_with = folder / "recipe.json"
    content = {"recipe": recipe.as_dict(), "split_sha256": split_sha256}
    now = json.loads(json.dumps(content))
    if made_with.is_file():
        if not resume:
            raise GeoroadsError(
                f"{folder} already holds a training", "go on with --resume, or name another --output"
            )
        then = json.loads(made_with.read_text(encoding="utf-8"))
        changed = _first_difference(then, now, "")
        if changed:
            raise GeoroadsError(
                f"{folder} was started with another {changed}", "start a new run with another --output"
            )
        return read_history(folder)
    folder.mkdir(parents=True, exist_ok=True)
    made_with.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
    return []


def _first_difference(then: Any, now: Any, where: str) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        for key in sorted(then.keys() | now.keys()):
            found = _first_difference(then.get(key), now.get(key), f"{where}.{key}".lstrip("."))
            if found:
                return found
        return ""
    return "" if then == now else f"{where} ({then} then, {now} now)"


def write_history(folder: Path, epochs: list[Epoch]) -> None:
    """history.csv, whole."""
    part = folder / "history.csv.part"
    with part.open("w", newline="", encoding="utf-8") as f:
        writer = csv.DictWriter(f, [c.name for c in fields(Epoch)])
        writer.writeheader()
        writer.writerows(
            {k: (f"{v:.6g}" if isinstance(v, float) else v) for k, v in asdict(e).items()} for e in epochs
        )
    part.replace(folder / "history.csv")


def read_history(folder: Path) -> list[Epoch]:
    """The epochs of history.csv; none where there is no such file."""
    path = folder / "history.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as f:
        whole = {c.name for c in fields(Epoch) if c.type == "int"}
        rows = [{k: int(v) if k in whole else float(v) for k, v in row.items()} for row in csv.DictReader(f)]
    return [Epoch(**row) for row in rows]  # type: ignore[arg-type]


def save_state(
    folder: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, position: Position
) -> None:
    """Everything to go on from, as one safetensors file that is whole or absent."""
    tensors = {f"network.{k}": v for k, v in network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in average.state_dict().items()}
    for i, entry in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in entry.items()}
    whole = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    part = folder / f"{STATE}.part"
    part.write_bytes(save(whole, metadata={"position": json.dumps(asdict(position))}))
    part.replace(folder / STATE)


def history_has_state(folder: Path, history: list[Epoch]) -> bool:
    """Whether there is, or ought to be, a state to go on from: not when the first epoch was cut off while it
    was written."""
    return len(history) > 1 or (bool(history) and (folder / STATE).exists())


def load_state(
    folder: Path, network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer
) -> Position:
    """Fill network, average and optimizer in place; where the training stood.

    Raises:
        GeoroadsError: when the state is missing or damaged.
    """
    from safetensors import safe_open

    path = folder / STATE
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as f:
            position = Position(**json.loads(f.metadata()["position"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as e:
        raise GeoroadsError(f"{path} cannot be read: {e}", "start a new run with another --output") from e
    network.load_state_dict(_below(tensors, "network."))
    average.load_state_dict(_below(tensors, "average."))
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _below(tensors, "optimizer.").items():
        i, name = key.split(".", 1)
        state.setdefault(int(i), {})[name] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    return position


def _below(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
