"""The training loop.

One function, top to bottom: draw a batch, forward, loss, backward, step, average; once an epoch judge the
averaged weights on the validation subset and keep the best. Time or epochs end it; it can be stopped at
any moment and resumed from the last epoch.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from georoads.allocator import keep_freed_memory
from georoads.data.dataset import Sample, open_dataset
from georoads.data.pictures import without_broken
from georoads.data.split import Split, split_dataset
from georoads.errors import GeoroadsError
from georoads.evaluation.counts import LevelCounts, best_score, score_at
from georoads.evaluation.evaluate import count_samples
from georoads.evaluation.two_class import two_class_dice_loss, two_class_iou
from georoads.inference.torch_runtime import TorchRuntime, cpu_has_fast_bf16
from georoads.levels import COUNT, probabilities, threshold_level
from georoads.model.build import build
from georoads.model.card import ModelCard
from georoads.model.checkpoint import find_checkpoint, load_network, save_checkpoint
from georoads.model.config import input_normalization
from georoads.model.encoders import load_encoder_weights
from georoads.model.pixels import road_logits
from georoads.model.tensors import load_strictly
from georoads.progress import Progress, silent
from georoads.training.board import write_to_board
from georoads.training.card import training_card
from georoads.training.environment import note_sitting
from georoads.training.loss import road_loss
from georoads.training.meter import Clock, Meter
from georoads.training.plots import draw_plots
from georoads.training.ranks import Ranks, join_ranks
from georoads.training.recipe import Recipe
from georoads.training.run import (
    Epoch,
    Position,
    history_has_state,
    load_state,
    save_state,
    start_run,
    write_history,
)
from georoads.training.samples import draw_samples
from georoads.training.schedule import lr_factor, update_average
from georoads.training.stream import ChipStream, Tickets, explain_dead_workers, load_chips

MAX_BAD_STEPS = 3


@dataclass(frozen=True)
class Prepared:
    """Everything a training needs before its first step; the messages are for the user."""

    stream: ChipStream
    split: Split
    steps_per_epoch: int
    total_steps: int | None
    ranks: Ranks
    precision: str
    messages: tuple[str, ...] = ()


@explain_dead_workers()
def train(
    recipe: Recipe,
    folder: Path,
    *,
    prepared: Prepared | None = None,
    resume: bool = False,
    command: str = "",
    on_progress: Progress = silent,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> ModelCard:
    """Train a model; the run folder then holds ``best.safetensors`` and its card.

    Args:
        recipe: all parameters.
        folder: of the run; made, or entered with ``resume``.
        prepared: what ``prepare`` made of the recipe, where that has been done.
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
    p = prepared or prepare(recipe)
    ranks = p.ranks
    network, average, optimizer = _networks(recipe, ranks.device)
    history = start_run(folder, recipe, p.split.sha256, resume, write=ranks.is_first)
    # A kill may have come between the history's line and the state that belongs to it.
    at = load_state(folder, network, average, optimizer) if history_has_state(folder, history) else Position()
    history = history[: at.epoch]
    if ranks.is_first:
        note_sitting(folder, command, ranks.device, p.precision, ranks.world)
    clock = Clock(at.seconds)
    progress_of = _progress_function(recipe, p, clock)
    shared = ranks.wrap(network)
    batch = recipe.train.batch
    step_size = batch * ranks.world
    tickets = Tickets(at.step * step_size + ranks.rank * batch, batch, step_size, progress_of)
    chips = load_chips(p.stream, tickets, recipe.train.workers)
    meter, bad_steps = Meter(), 0
    while (progress := ranks.agree(progress_of(at.step * step_size))) < 1.0 and not _stalled(history, recipe):
        # Dropout is a function of the step, so that a resumed run repeats it.
        torch.manual_seed(recipe.train.seed + 1_000_003 * at.step)
        lr = _set_rate(optimizer, recipe, progress)
        with meter.waiting():
            chip = next(chips)
        image, road, valid = (t.to(ranks.device, non_blocking=True) for t in chip)
        logits = _forward(shared, image, p.precision)
        loss = road_loss(logits, road, valid, recipe.train.dice, recipe.train.cldice)
        # A step that is skipped counts too: the number of a step is that of its chips.
        at.step += 1
        bad_steps = 0 if _step(loss, network, optimizer, recipe.train.clip) else bad_steps + 1
        if bad_steps == 0:
            meter.add(loss, road_logits(logits).detach(), road, valid)
            update_average(average, network, recipe.train.ema, at.step)
        elif bad_steps == MAX_BAD_STEPS:
            raise GeoroadsError(
                f"the loss was no number {MAX_BAD_STEPS} times in a row",
                "lower --set train.lr, or use --set train.precision=fp32; the best checkpoint so far is kept",
            )
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
            meter = Meter()
    return _finish(folder, recipe, p) if ranks.is_first else training_card(recipe, p.split, 0.5)


def prepare(recipe: Recipe, ranks: Ranks | None = None) -> Prepared:
    """Open and divide the data sets; choose the precision.

    Raises:
        DatasetError: for data sets that cannot be opened, or have nothing to learn from.
        GeoroadsError: for a batch that the network cannot be trained with.
    """
    ranks = ranks or join_ranks()
    if recipe.train.batch == 1 and recipe.model.architecture.startswith("DeepLabV3"):
        raise GeoroadsError(
            f"{recipe.model.architecture} pools each chip to one value, and batch norm needs two",
            "--set train.batch=2, with a smaller chip.size_px if memory is short",
        )
    sources = []
    messages = []
    for source in recipe.data:
        data = open_dataset(source.path, source.gsd_m, skip_bad=recipe.train.skip_bad)
        data = without_broken(data) if recipe.train.skip_bad else data
        if data.skipped:
            first = ", ".join(data.skipped[:5])
            messages.append(f"{source.path}: {len(data.skipped)} pictures left out: {first}")
        sources.append((source, split_dataset(data, source.split, recipe.train.seed)))
    primary = sources[0][1]
    primary.subset("train")
    if not primary.val:
        primary = replace(primary, val=primary.train, method=f"{primary.method}, val = train")
        messages.append(
            f"{recipe.data[0].path}: no picture is left for validation, so the model is judged on what it "
            "learns from: its figures are no result"
        )
    mean, std = input_normalization(recipe.model.encoder)
    stream = ChipStream(
        tuple((source, split.train) for source, split in sources if split.train),
        recipe.chip,
        recipe.train.augmentation,
        mean,
        std,
        recipe.train.seed,
        Path(recipe.train.cache) if recipe.train.cache else None,
    )
    steps = max(1, round(_ground(primary.train) / (_ground_of_step(recipe) * ranks.world)))
    precision = recipe.train.precision
    if precision == "auto":
        precision = "bf16" if ranks.device != "cpu" or cpu_has_fast_bf16() else "fp32"
    total = None if recipe.train.minutes else recipe.train.steps or steps * recipe.train.epochs
    if total and recipe.train.steps:
        steps = max(1, total // 10)
    steps = recipe.train.validate_every or steps
    return Prepared(stream, primary, steps, total, ranks, precision, tuple(messages))


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


def _progress_function(recipe: Recipe, p: Prepared, clock: Clock) -> Callable[[int], float]:
    """Progress 0..1 of a sample number: by time where minutes are given, else by the number alone."""
    if recipe.train.minutes is not None:
        budget = recipe.train.minutes * 60.0
        return lambda number: float(clock.seconds / budget)
    total = (p.total_steps or 1) * recipe.train.batch * p.ranks.world
    return lambda number: number / total


def _forward(network: nn.Module, image: torch.Tensor, precision: str) -> torch.Tensor:
    """(N, C, H, W) float32 logits of (N, 3, H, W)."""
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        out: torch.Tensor = network(image)
    return out.float()


def _step(loss: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, clip: float) -> bool:
    """One step of the optimiser; skipped (False) where the loss or its gradient is no number."""
    optimizer.zero_grad(set_to_none=True)
    # Backward even from a loss that is no number: the gradients are summed over all processes, so all of them
    # see it and skip the step together.
    loss.backward()  # type: ignore[no-untyped-call]
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    return True


def _report(recipe: Recipe, at: Position, meter: Meter) -> tuple[float, str]:
    done = at.seconds if recipe.train.minutes is not None else at.step
    return done, f"step {at.step}, loss {meter.recent_loss:.3f}, best val IoU {max(0.0, at.best_iou):.4f}"


def _validate(average: nn.Module, recipe: Recipe, p: Prepared) -> LevelCounts:
    runtime = TorchRuntime(average, p.ranks.device, p.precision)
    card = training_card(recipe, p.split, threshold=0.5)
    mine = p.split.val[p.ranks.rank :: p.ranks.world]
    counts = count_samples(mine, card, runtime, recipe.data[0].white_is_nodata)
    total = sum((c for _, c in counts), start=np.zeros((2, COUNT), dtype=np.int64))
    return p.ranks.total(total)


def _epoch_line(at: Position, counts: LevelCounts, meter: Meter, lr: float, threshold: float | None) -> Epoch:
    score = best_score(counts) if threshold is None else score_at(counts, threshold_level(threshold))
    p = probabilities()
    dice = 1 - 2 * float(p @ counts[1]) / float(p @ counts.sum(axis=0) + counts[1].sum())
    return Epoch(
        at.epoch, at.step, at.seconds / 60, lr, meter.loss, meter.iou, dice, score.iou, score.threshold,
        score.precision, score.recall, two_class_iou(counts), two_class_dice_loss(counts), meter.waited,
    )  # fmt: skip


def _stalled(history: list[Epoch], recipe: Recipe) -> bool:
    """No better model within the last ``patience`` epochs."""
    reached = [_reached(epoch, recipe) for epoch in history]
    return bool(reached) and 0 < recipe.train.patience <= len(reached) - 1 - reached.index(max(reached))


def _reached(epoch: Epoch, recipe: Recipe) -> float:
    """The figure that chooses the best model."""
    return epoch.val_iou if recipe.train.choose_by == "road_iou" else epoch.val_pooled_iou


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
    reached = _reached(epoch, recipe)
    if reached > at.best_iou:
        at.best_iou = reached
        save_checkpoint(folder, "best", average.state_dict(), card)
    draw_plots(history, folder, pooled=recipe.train.choose_by == "pooled_iou")
    if recipe.train.tensorboard:
        write_to_board(folder, epoch)
    if recipe.train.samples_every and epoch.epoch % recipe.train.samples_every == 0:
        runtime = TorchRuntime(average, p.ranks.device, p.precision)
        place = folder / "sample_predictions" / f"epoch_{epoch.epoch:03d}"
        draw_samples(p.split.val[: recipe.train.samples], card, runtime, place)


def _finish(folder: Path, recipe: Recipe, p: Prepared) -> ModelCard:
    """Pictures of what the best model sees; its card."""
    best = find_checkpoint(str(folder / "best.json"))
    if recipe.train.samples:
        runtime = TorchRuntime(load_network(best), p.ranks.device, p.precision)
        draw_samples(p.split.val[: recipe.train.samples], best.card, runtime, folder / "sample_predictions")
    return best.card
