"""The run folder: recipe, environment, history, and the state that a resumed training goes on from."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import time
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from georoads import __version__
from georoads.errors import GeoroadsError
from georoads.training.recipe import Recipe

STATE = "state.safetensors"
"""Name of the file that a resumed training goes on from."""


_PACKAGES = ("torch", "segmentation-models-pytorch", "albumentations", "numpy", "opencv-python-headless")
"""Whose versions ``environment.json`` names."""


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
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    position: Position = field(default_factory=Position)


def open_run_folder(
    folder: Path, recipe: Recipe, split_sha256: str, *, resume: bool, write: bool = True
) -> list[Epoch]:
    """Make a run folder, or enter one to go on.

    Args:
        folder: of the run.
        recipe: must be the folder's own where it is entered.
        split_sha256: of the split, likewise.
        resume: the folder may exist.
        write: make and check it; False in all but one of several processes.

    Returns:
        The epochs that it already holds.

    Raises:
        GeoroadsError: when it exists without ``resume``, or when the recipe or the split has changed.
    """
    if not write:  # the first process checks and writes, perhaps before we come here
        return read_history(folder) if resume else []
    made_with = folder / "recipe.json"
    now = json.loads(json.dumps({"recipe": recipe.as_dict(), "split_sha256": split_sha256}))
    if not made_with.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        made_with.write_text(json.dumps(now, indent=1) + "\n", encoding="utf-8")
        return []
    if not resume:
        raise GeoroadsError(
            f"{folder} already holds a training", "go on with --resume, or name another --output"
        )
    changed = _find_first_difference(json.loads(made_with.read_text(encoding="utf-8")), now)
    if changed:
        raise GeoroadsError(
            f"{folder} was started with another {changed}", "start a new run with another --output"
        )
    return read_history(folder)


def _find_first_difference(then: Any, now: Any, where: str = "") -> str:
    """Name and values of the first entry that two JSON contents do not share, or nothing."""
    if isinstance(then, dict) and isinstance(now, dict):
        inside = (
            _find_first_difference(then.get(key), now.get(key), f"{where}.{key}".lstrip("."))
            for key in sorted(then.keys() | now.keys())
        )
        return next(filter(None, inside), "")
    return "" if then == now else f"{where} ({then} then, {now} now)"


def record_environment(folder: Path, command: str, device: str, precision: str, processes: int) -> None:
    """Append to ``environment.json`` when a training was started or resumed, with which versions, on what.

    Args:
        folder: of the run.
        command: what the user typed.
        device: as torch names it.
        precision: fp32 or bf16.
        processes: that train together.
    """
    path = folder / "environment.json"
    starts: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    starts.append(
        {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": command,
            "georoads": __version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **{name: version(name) for name in _PACKAGES},
            "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
            "precision": precision,
            "processes": processes,
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
        }
    )
    replace_file(path, (json.dumps(starts, indent=1) + "\n").encode())


def write_history(folder: Path, epochs: list[Epoch]) -> None:
    """Write all lines of history.csv anew; the file is whole or the old one."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [c.name for c in fields(Epoch)])
    writer.writeheader()
    writer.writerows(
        {k: (f"{v:.6g}" if isinstance(v, float) else v) for k, v in asdict(e).items()} for e in epochs
    )
    replace_file(folder / "history.csv", text.getvalue().encode())


def read_history(folder: Path) -> list[Epoch]:
    """Read the epochs of history.csv; none where there is no such file."""
    path = folder / "history.csv"
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as f:
        whole = {c.name for c in fields(Epoch) if c.type == "int"}
        rows = [{k: int(v) if k in whole else float(v) for k, v in row.items()} for row in csv.DictReader(f)]
    return [Epoch(**row) for row in rows]  # type: ignore[arg-type]


def save_state(folder: Path, state: TrainingState) -> None:
    """Write everything to go on from, as one safetensors file that is whole or the old one."""
    tensors = {f"network.{k}": v for k, v in state.network.state_dict().items()}
    tensors |= {f"average.{k}": v for k, v in state.average.state_dict().items()}
    for i, entry in state.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{k}": v for k, v in entry.items()}
    whole = {k: v.detach().cpu().contiguous() for k, v in tensors.items()}
    replace_file(folder / STATE, save(whole, metadata={"position": json.dumps(asdict(state.position))}))


def history_has_state(folder: Path, history: list[Epoch]) -> bool:
    """Whether a state to go on from is there, or ought to be.

    None is when the first epoch was cut off between its line of the history and its state.
    """
    return len(history) > 1 or (bool(history) and (folder / STATE).exists())


def load_state(folder: Path, state: TrainingState) -> None:
    """Fill a state in place with what the folder's training had saved.

    Raises:
        GeoroadsError: when the file is missing or damaged.
    """
    path = folder / STATE
    try:
        tensors = load_file(path)
        with safe_open(path, framework="pt") as f:
            state.position = Position(**json.loads(f.metadata()["position"]))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as e:
        raise GeoroadsError(f"{path} cannot be read: {e}", "start a new run with another --output") from e
    state.network.load_state_dict(_select_prefixed(tensors, "network."))
    state.average.load_state_dict(_select_prefixed(tensors, "average."))
    entries: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _select_prefixed(tensors, "optimizer.").items():
        i, name = key.split(".", 1)
        entries.setdefault(int(i), {})[name] = value
    groups = state.optimizer.state_dict()["param_groups"]
    state.optimizer.load_state_dict({"state": entries, "param_groups": groups})


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of the run folder; a reader sees it whole, or the old one."""
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)


def _select_prefixed(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names begin with the prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
