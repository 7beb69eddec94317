"""The training loop.

One function, top to bottom: draw a batch, forward, loss, backward, step, average; once an epoch judge the
averaged weights on the validation subset and keep the best. Time or epochs end it; it can be stopped at
any moment and resumed from the last epoch.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from georoads.data.dataset import Sample, open_dataset
from georoads.data.split import Split, split_dataset
from georoads.errors import GeoroadsError
from georoads.evaluation.counts import LevelCounts, best_score, score_at
from georoads.evaluation.evaluate import count_samples
from georoads.evaluation.two_class import two_class_dice_loss, two_class_iou
from georoads.inference.torch_runtime import TorchRuntime, cpu_has_fast_bf16, road_logits
from georoads.jobs.allocator import keep_freed_memory
from georoads.jobs.progress import Progress, silent
from georoads.model.build import build
from georoads.model.card import ModelCard
from georoads.model.checkpoint import find_checkpoint, load_network, save_checkpoint
from georoads.model.config import input_normalization
from georoads.model.encoders import load_encoder_weights, load_strictly
from georoads.network.types import FULL
from georoads.training.card import training_card
from georoads.training.loss import road_loss
from georoads.training.ranks import Ranks, join_ranks
from georoads.training.recipe import Recipe
from georoads.training.run import Epoch, Position, load_state, save_state, start_run, write_history
from georoads.training.schedule import lr_factor, update_average
from georoads.training.stream import ChipStream, Tickets, load_chips

MAX_BAD_STEPS = 3


@dataclass(frozen=True)
class Prepared:
    """Everything a training needs before its first step."""

    stream: ChipStream
    split: Split
    steps_per_epoch: int
    total_steps: int | None
    ranks: Ranks
    precision: str


def train(
    recipe: Recipe,
    folder: Path,
    *,
    resume: bool = False,
    command: str = "",
    on_progress: Progress = silent,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> ModelCard:
    """Train a model; the run folder then holds ``best.safetensors`` and its card.

    Args:
        recipe: all parameters.
        folder: of the run; made, or entered with ``resume``.
        command: what the user typed, for the card.
        on_progress: called after each step, with steps (or seconds, where minutes end the training).
        on_epoch: called with each line of the history.

    Returns:
        The card of the best model by validation road IoU.

    Raises:
        GeoroadsError: for data or parameters that do not fit, or when the loss is no number three times
            in a row (the best checkpoint so far is kept).
    """
    keep_freed_memory()
    torch.manual_seed(recipe.train.seed)
    ranks = join_ranks()
    p = prepare(recipe, ranks)
    network, average, optimizer = _networks(recipe, ranks.device)
    history = start_run(folder, recipe, p.split.sha256, resume, write=ranks.is_first)
    at = Position()
    if history:
        at = load_state(folder, network, average, optimizer)
    clock = _Clock(at.seconds)
    progress_of = _progress_function(recipe, p, clock)
    shared = ranks.wrap(network)
    batch = recipe.train.batch
    step_size = batch * ranks.world
    tickets = Tickets(at.step * step_size + ranks.rank * batch, batch, step_size, progress_of)
    chips = load_chips(p.stream, tickets, recipe.train.workers)
    meter = _Meter()
    while (progress := ranks.agree(progress_of(at.step * step_size))) < 1.0:
        # Dropout is a function of the step, so that a resumed run repeats it.
        torch.manual_seed(recipe.train.seed + 1_000_003 * at.step)
        lr = _set_rate(optimizer, recipe, progress)
        image, road, valid = (t.to(ranks.device, non_blocking=True) for t in next(chips))
        loss, logits = _forward(shared, image, road, valid, recipe.train.dice, p.precision)
        if _step(loss, network, optimizer, recipe.train.clip, meter):
            at.step += 1
            meter.add(loss, logits, road, valid)
            update_average(average, network, recipe.train.ema, at.step)
        at.seconds = clock.seconds
        on_progress(*_report(recipe, at, meter))
        if at.step % p.steps_per_epoch == 0 or ranks.agree(progress_of(at.step * step_size)) >= 1.0:
            at.epoch += 1
            counts = _validate(average, recipe, p)
            at.seconds = clock.seconds
            history.append(_epoch_line(at, counts, meter, lr, recipe.train.threshold))
            if ranks.is_first:
                _keep(folder, recipe, p, average, history, at, command)
                save_state(folder, network, average, optimizer, at)
                on_epoch(history[-1])
            meter = _Meter()
    return _finish(folder, recipe, p, history) if ranks.is_first else training_card(recipe, p.split, 0.5)


def prepare(recipe: Recipe, ranks: Ranks | None = None) -> Prepared:
    """Open and divide the data sets; choose the precision."""
    ranks = ranks or join_ranks()
    sources = []
    for source in recipe.data:
        split = split_dataset(open_dataset(source.path, source.gsd_m), source.split, recipe.train.seed)
        sources.append((source, split))
    primary = sources[0][1]
    primary.subset("train"), primary.subset("val")
    mean, std = input_normalization(recipe.model.encoder)
    stream = ChipStream(
        tuple((source, split.train) for source, split in sources if split.train),
        recipe.chip,
        recipe.train.augmentation,
        mean,
        std,
        recipe.train.seed,
    )
    steps = max(1, round(_ground(primary.train) / (_ground_of_step(recipe) * ranks.world)))
    precision = recipe.train.precision
    if precision == "auto":
        precision = "bf16" if ranks.device != "cpu" or cpu_has_fast_bf16() else "fp32"
    total = None if recipe.train.minutes else recipe.train.steps or steps * recipe.train.epochs
    if total and recipe.train.steps:
        steps = max(1, total // 10)
    return Prepared(stream, primary, steps, total, ranks, precision)


def _ground(samples: tuple[Sample, ...]) -> float:
    """Square metres that the pictures show, from the size of the first (the sets are uniform)."""
    from georoads.data.pictures import read_image

    height, width = read_image(samples[0]).shape[:2]
    return float(sum(height * width * s.gsd_m**2 for s in samples))


def _ground_of_step(recipe: Recipe) -> float:
    return recipe.train.batch * (recipe.chip.size_px * recipe.chip.gsd_m) ** 2


def _networks(recipe: Recipe, device: str) -> tuple[nn.Module, nn.Module, torch.optim.Optimizer]:
    network = build(recipe.model)
    if recipe.init:
        source = find_checkpoint(recipe.init)
        load_strictly(network, load_network(source).state_dict(), f"--init {recipe.init}")
    else:
        load_encoder_weights(network, recipe.model, recipe.encoder_weights)
    network = network.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(network).eval()
    decayed = [w for w in network.parameters() if w.ndim >= 2]
    plain = [w for w in network.parameters() if w.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": recipe.train.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if recipe.train.optimizer == "adamw" else torch.optim.Adam
    return network, average, kind(groups, lr=recipe.train.lr)


def _set_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, progress: float) -> float:
    """Give the optimizer the learning rate of this point of the training."""
    lr = recipe.train.lr
    if recipe.train.schedule == "cosine":
        lr *= lr_factor(progress, recipe.train.warmup, recipe.train.lr_end)
    for group in optimizer.param_groups:
        group["lr"] = lr
    return lr


class _Clock:
    """Seconds of training over all sittings."""

    def __init__(self, before: float) -> None:
        self._start = time.monotonic() - before

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start


def _progress_function(recipe: Recipe, p: Prepared, clock: _Clock) -> Callable[[int], float]:
    """Progress 0..1 of a sample number: by time where minutes are given, else by the number alone."""
    if recipe.train.minutes is not None:
        budget = recipe.train.minutes * 60.0
        return lambda number: float(clock.seconds / budget)
    total = (p.total_steps or 1) * recipe.train.batch * p.ranks.world
    return lambda number: number / total


def _forward(
    network: nn.Module,
    image: torch.Tensor,
    road: torch.Tensor,
    valid: torch.Tensor,
    dice: float,
    precision: str,
) -> tuple[torch.Tensor, torch.Tensor]:
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        out = network(image)
    out = out.float()
    return road_loss(out, road, valid, dice), road_logits(out).detach()


def _step(
    loss: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, clip: float, meter: _Meter
) -> bool:
    """One step of the optimiser; skipped (False) where the loss or its gradient is no number."""
    optimizer.zero_grad(set_to_none=True)
    # Backward even from a loss that is no number: the gradients are summed over all processes, so all of them
    # see it and skip the step together.
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    if torch.isfinite(norm):
        optimizer.step()
        meter.bad = 0
        return True
    meter.bad += 1
    if meter.bad >= MAX_BAD_STEPS:
        raise GeoroadsError(
            f"the loss was no number {MAX_BAD_STEPS} times in a row",
            "lower --set train.lr, or use --set train.precision=fp32; the best checkpoint so far is kept",
        )
    return False


class _Meter:
    """Loss and road IoU (p >= 0.5) of the training chips since the last epoch."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.true = self.union = 0
        self.bad = 0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, road: torch.Tensor, valid: torch.Tensor) -> None:
        self.losses.append(float(loss.detach()))
        found, real = (logits > 0) & (valid > 0), (road > 0) & (valid > 0)
        self.true += int((found & real).sum())
        self.union += int((found | real).sum())

    @property
    def loss(self) -> float:
        return float(np.mean(self.losses)) if self.losses else math.nan

    @property
    def iou(self) -> float:
        return self.true / self.union if self.union else 1.0


def _report(recipe: Recipe, at: Position, meter: _Meter) -> tuple[float, str]:
    done = at.seconds if recipe.train.minutes is not None else at.step
    recent = float(np.mean(meter.losses[-20:])) if meter.losses else math.nan
    return done, f"step {at.step}, loss {recent:.3f}, best val IoU {max(0.0, at.best_iou):.4f}"


def _validate(average: nn.Module, recipe: Recipe, p: Prepared) -> LevelCounts:
    runtime = TorchRuntime(average, p.ranks.device, p.precision)
    card = training_card(recipe, p.split, threshold=0.5)
    mine = p.split.val[p.ranks.rank :: p.ranks.world]
    counts = count_samples(mine, card, runtime, recipe.data[0].white_is_nodata)
    total = sum((c for _, c in counts), start=np.zeros((2, FULL + 1), dtype=np.int64))
    return p.ranks.total(total)


def _epoch_line(
    at: Position, counts: LevelCounts, meter: _Meter, lr: float, threshold: float | None
) -> Epoch:
    score = best_score(counts) if threshold is None else score_at(counts, max(1, round(threshold * FULL)))
    p = np.arange(FULL + 1) / FULL
    dice = 1 - 2 * float(p @ counts[1]) / float(p @ counts.sum(axis=0) + counts[1].sum())
    return Epoch(
        at.epoch, at.step, at.seconds / 60, lr, meter.loss, meter.iou, dice, score.iou, score.threshold,
        score.precision, score.recall, two_class_iou(counts), two_class_dice_loss(counts),
    )  # fmt: skip


def _keep(
    folder: Path,
    recipe: Recipe,
    p: Prepared,
    average: nn.Module,
    history: list[Epoch],
    at: Position,
    command: str,
) -> None:
    """History, and the averaged weights as ``last`` and, when they are the best so far, as ``best``."""
    epoch = history[-1]
    write_history(folder, history)
    card = training_card(recipe, p.split, epoch.val_threshold, asdict(epoch), command)
    save_checkpoint(folder, "last", average.state_dict(), card)
    reached = epoch.val_iou if recipe.train.choose_by == "road_iou" else epoch.val_pooled_iou
    if reached > at.best_iou:
        at.best_iou = reached
        save_checkpoint(folder, "best", average.state_dict(), card)


def _finish(folder: Path, recipe: Recipe, p: Prepared, history: list[Epoch]) -> ModelCard:
    """The plots, and pictures of what the best model sees."""
    from georoads.training.plots import draw_plots
    from georoads.training.samples import draw_samples

    draw_plots(history, folder, pooled=recipe.train.choose_by == "pooled_iou")
    best = find_checkpoint(str(folder / "best.json"))
    if recipe.train.samples:
        runtime = TorchRuntime(load_network(best), p.ranks.device, p.precision)
        draw_samples(p.split.val[: recipe.train.samples], best.card, runtime, folder / "sample_predictions")
    return best.card
