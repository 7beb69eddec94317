"""The run folder: recipe, environment and history of a training, checked before it goes on there."""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch

from georoads import __version__
from georoads.errors import CheckpointError, GeoroadsError
from georoads.model.checkpoint import file_sha256, find_checkpoint
from georoads.training.recipe import Recipe
from georoads.training.teacher import read_teacher

T = TypeVar("T")

_FREE = ("workers", "cache", "tensorboard", "samples", "samples_every")
"""Parameters of the section ``train`` that no weight depends on: a resumed training may have others."""
_TRACES = ("history.csv", "state.safetensors", "best.json", "best.safetensors", "last.safetensors")
"""What a training leaves beside its recipe."""
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


def open_run_folder(
    folder: Path, recipe: Recipe, split_sha256: str, *, resume: bool, write: bool = True
) -> list[Epoch]:
    """Begin a training in a folder, or enter that of one to go on.

    Args:
        folder: of the run.
        recipe: must be the folder's own where it is entered, but for what no weight depends on.
        split_sha256: of the split, likewise.
        resume: the folder may hold a training.
        write: make and check it; False in all but one of several processes.

    Returns:
        The epochs that it already holds.

    Raises:
        GeoroadsError: when it exists without ``resume``, when the recipe or the split has changed, or when it
            holds a training whose recipe or history cannot be read.
    """
    if not write:  # the first process checks and writes, perhaps before we come here
        return read_history(folder) if resume else []
    made_with = folder / "recipe.json"
    now = json.loads(
        json.dumps(
            {"recipe": recipe.as_dict(), "split_sha256": split_sha256, "learns_from": _models_of(recipe)}
        )
    )
    if not made_with.is_file():
        _refuse_traces(folder)
        replace_file(made_with, (json.dumps(now, indent=1) + "\n").encode())
        return []
    if not resume:
        raise GeoroadsError(
            f"{folder} already holds a training", "go on with --resume, or name another --output"
        )
    then = _read_json(made_with, dict, start_anew(folder))
    then.setdefault("learns_from", now["learns_from"])  # folders of 0.1 do not say it
    changed = _find_first_difference(_without_free(then), _without_free(now))
    if changed:
        raise GeoroadsError(
            f"{folder} was started with another {changed}", "start a new run with another --output"
        )
    if then != now:
        replace_file(made_with, (json.dumps(now, indent=1) + "\n").encode())
    return read_history(folder)


def _models_of(recipe: Recipe) -> dict[str, str]:
    """sha256 of the models that it goes on from and is taught by: a name may come to mean another one."""
    found = {"init": find_checkpoint(recipe.init).sha256} if recipe.init else {}
    if recipe.train.teacher:
        found["teacher"] = read_teacher(Path(recipe.train.teacher)).teacher.sha256
    return found


def start_anew(folder: Path) -> str:
    """The way out where a training cannot go on, for hints: its models are there."""
    models = [name for name in ("last.safetensors", "best.safetensors") if (folder / name).is_file()]
    way_on = f"; --init {folder / models[0]} goes on from its model" if models else ""
    return f"put the file back from a copy, or start a new run with another --output{way_on}"


def make_folder(folder: Path) -> None:
    """Make a run folder where there is none.

    Raises:
        GeoroadsError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise GeoroadsError(f"{folder} cannot be made: {e.strerror}", "name another --output") from e


def _refuse_traces(folder: Path) -> None:
    traces = [name for name in _TRACES if (folder / name).exists()]
    if traces:
        raise GeoroadsError(
            f"{folder} holds {traces[0]} of a training, but not its recipe.json: nothing in it is replaced",
            start_anew(folder),
        )


def _read_json(path: Path, kind: type[T], hint: str) -> T:
    """The content of a JSON file, a dict or a list; the hint says what to do where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as e:
        raise GeoroadsError(f"{path} is damaged: {e}", hint) from e
    if not isinstance(content, kind):
        raise GeoroadsError(f"{path} is damaged: it holds no {kind.__name__}", hint)
    return content


def _without_free(content: dict[str, Any]) -> dict[str, Any]:
    """The content of recipe.json without the parameters that may change; what is no recipe stays as it is."""
    recipe = content.get("recipe")
    train = recipe.get("train") if isinstance(recipe, dict) else None
    if not (isinstance(recipe, dict) and isinstance(train, dict)):
        return content
    return content | {"recipe": recipe | {"train": {k: v for k, v in train.items() if k not in _FREE}}}


def check_best(folder: Path, *, judged_again: bool) -> None:
    """Refuse to go on where the best model so far is lost: a worse one would take its place.

    Args:
        folder: of the run.
        judged_again: the last epoch was cut off before its end, perhaps between the two files of the best
            model, which are then written again: nothing is lost.

    Raises:
        GeoroadsError: the card or the weights are missing or damaged.
    """
    try:
        find_checkpoint(str(folder / "best.json"))
    except CheckpointError as e:
        if judged_again and _best_is_last(folder):
            return
        raise GeoroadsError(f"the best model of the run is damaged: {e.message}", start_anew(folder)) from e


def _best_is_last(folder: Path) -> bool:
    """Whether the weights of the best model are those of the last epoch."""
    try:
        last = find_checkpoint(str(folder / "last.json"))
        return file_sha256(folder / "best.safetensors") == last.sha256
    except (CheckpointError, OSError):
        return False


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
    hint = "it only tells of earlier starts: remove it, and go on"
    starts: list[dict[str, Any]] = _read_json(path, list, hint) if path.is_file() else []
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
    """Read the epochs of history.csv; none where there is no such file.

    Raises:
        GeoroadsError: a line is not that of the epoch that comes next.
    """
    path = folder / "history.csv"
    if not path.is_file():
        return []
    epochs: list[Epoch] = []
    try:
        with path.open(newline="", encoding="utf-8") as f:
            for row in csv.DictReader(f):
                epochs.append(_parse_epoch(row, epochs))
    except (OSError, ValueError, KeyError, TypeError, csv.Error) as e:
        raise GeoroadsError(
            f"{path}: line {len(epochs) + 2} is not that of epoch {len(epochs) + 1}", start_anew(folder)
        ) from e
    return epochs


def _parse_epoch(row: Mapping[str, str], before: Sequence[Epoch]) -> Epoch:
    """An epoch from its line, if it is the one that comes next."""
    values: dict[str, Any] = {
        f.name: int(row[f.name]) if f.type == "int" else float(row[f.name]) for f in fields(Epoch)
    }
    epoch = Epoch(**values)
    if epoch.epoch != len(before) + 1 or epoch.step <= (before[-1].step if before else 0):
        raise ValueError("another epoch or step")
    if not (0 <= epoch.val_iou <= 1 and 0 <= epoch.val_pooled_iou <= 1):
        raise ValueError("no IoU")
    return epoch


def replace_file(path: Path, content: bytes) -> None:
    """Write a file of the run folder; a reader sees it whole, or the old one."""
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
