"""The training loop.

``train`` is the loop, ``_learn`` a step of it: batch, forward, loss, backward, step, average. Once an epoch
the averaged weights are evaluated on the validation subset, and the best are kept. Time or epochs end it. A
signal ends it between two steps, after the state is saved, as it is before and after each validation.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import nn

from georoads.allocator import keep_freed_memory
from georoads.errors import GeoroadsError
from georoads.evaluation.counts import LevelCounts, best_score, score_at
from georoads.evaluation.evaluate import EvaluateParams, Evaluation, count_samples, evaluate_samples
from georoads.evaluation.two_class import two_class_dice_loss, two_class_iou
from georoads.files.atomic import disk_errors_named
from georoads.files.lock import only_run
from georoads.inference.torch_runtime import TorchRuntime
from georoads.levels import probabilities, threshold_level
from georoads.model.card import ModelCard
from georoads.model.checkpoint import find_checkpoint, load_network, save_checkpoint
from georoads.model.pixels import road_logits
from georoads.progress import Progress, silent
from georoads.training.card import training_card
from georoads.training.chip_loader import ChipSampler, explain_dead_workers, load_chips
from georoads.training.epoch_meter import EpochMeter, TrainingClock
from georoads.training.loss import road_loss
from georoads.training.plots import draw_plots
from georoads.training.prepare import PreparedTraining, build_networks, prepare
from georoads.training.recipe import Recipe
from georoads.training.run_folder import (
    Epoch,
    check_best,
    make_folder,
    open_run_folder,
    record_environment,
    start_anew,
    write_history,
)
from georoads.training.sample_predictions import draw_sample_predictions
from georoads.training.schedule import lr_factor, update_average
from georoads.training.state import STATE, Position, TrainingState, load_state, save_state
from georoads.training.stopping import StopRequest, postpone_stops
from georoads.training.tensorboard import log_to_tensorboard

MAX_BAD_STEPS = 3


@dataclass(frozen=True)
class _Run:
    """What stays the same while a model is trained.

    Attributes:
        recipe: all parameters.
        folder: of the run.
        prepared: its data, processes and precision.
        command: what the user typed, for the card.
    """

    recipe: Recipe
    folder: Path
    prepared: PreparedTraining
    command: str


@explain_dead_workers()
def train(
    recipe: Recipe,
    folder: str | Path,
    *,
    prepared: PreparedTraining | None = None,
    resume: bool = False,
    command: str = "",
    on_progress: Progress = silent,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> ModelCard:
    """Train a model; the run folder then holds ``best.safetensors`` and its card.

    Args:
        recipe: all parameters; ``recipe.compose_recipe`` makes one from a data set and a few options.
        folder: of the run; made, or entered with ``resume``.
        prepared: what ``prepare`` made of the recipe, where that has been done.
        resume: go on with the training that the folder holds.
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
    run = _Run(recipe, Path(folder), prepared or prepare(recipe), command)
    with _holding(run), postpone_stops() as stop:
        state, history = _start_or_resume(run, resume)
        at, clock = state.position, TrainingClock(state.position.seconds)
        sampler, progress_at = _schedule_chips(run, at, clock)
        network = run.prepared.processes.wrap_network(state.network)
        bad_steps = 0
        # Its workers end with the block: Python's end would wait for them.
        with contextlib.closing(load_chips(run.prepared.chips, sampler, recipe.train.workers)) as chips:
            while not _has_stalled(history, recipe):
                _stop_if_asked(run, state, stop)
                progress, steps = progress_at(at.step), state.meter.steps
                if steps and (at.step % run.prepared.steps_per_epoch == 0 or progress >= 1.0):
                    history.append(_judge_epoch(run, state, stop, clock))
                    if run.prepared.processes.is_first:
                        _save_epoch(run, state, history)
                        on_epoch(history[-1])
                elif progress < 1.0:
                    bad_steps = 0 if _learn(run, state, network, chips, progress) else bad_steps + 1
                    _refuse_bad_steps(bad_steps)
                    at.seconds = clock.seconds
                    on_progress(*_describe_progress(recipe, at, state.meter))
                else:
                    break
    return _finish(run)


def _learn(
    run: _Run,
    state: TrainingState,
    network: nn.Module,
    chips: Iterator[Sequence[torch.Tensor]],
    progress: float,
) -> bool:
    """One step of the training: batch, forward, loss, backward, step, average.

    Args:
        run: what stays the same.
        state: is changed.
        network: that of the state, wrapped where several processes train it.
        chips: batches without end.
        progress: of the training, 0..1.

    Returns:
        False where the loss or its gradient is no number: the weights then stay as they were.
    """
    at, meter, params = state.position, state.meter, run.recipe.train
    # Dropout is a function of the step, so that a resumed training repeats it.
    torch.manual_seed(params.seed + 1_000_003 * at.step)
    meter.lr = _set_learning_rate(state.optimizer, run.recipe, progress)
    with meter.waiting():
        chip = next(chips)
    image, road, valid = (t.to(run.prepared.processes.device, non_blocking=True) for t in chip)
    logits = forward(network, image, run.prepared.precision)
    loss = road_loss(logits, road, valid, params.dice, params.cldice)
    # A step that is skipped counts too: the number of a step is that of its chips.
    at.step += 1
    meter.steps += 1
    if not _step(loss, state.network, state.optimizer, params.clip):
        return False
    meter.add(loss, road_logits(logits).detach(), road, valid)
    update_average(state.average, state.network, params.ema, at.step)
    return True


def evaluate_best(recipe: Recipe, prepared: PreparedTraining, folder: Path) -> tuple[str, Evaluation]:
    """Evaluate the best model of a run folder, on test where the split has one, else on val.

    The best model was chosen on val: its figures there flatter it a little.

    Args:
        recipe: of the training.
        prepared: its data, device and precision.
        folder: its run folder, which holds ``best.json``.

    Returns:
        The name of the subset, and what the model reaches on it.
    """
    subset = "test" if prepared.judges_test else "val"
    best = find_checkpoint(str(folder / "best.json"))
    runtime = TorchRuntime(load_network(best), best.card, prepared.processes.device, prepared.precision)
    params = EvaluateParams(subset, recipe.data[0].white_is_nodata)
    return subset, evaluate_samples(prepared.split.subset(subset), best.card, runtime, params)


@contextlib.contextmanager
def _holding(run: _Run) -> Iterator[None]:
    """Keep other trainings out of the run folder, and say what to do where the disk is full."""
    folder = run.folder
    if not run.prepared.processes.is_first:
        yield
        return
    make_folder(folder)
    try:
        with (
            disk_errors_named(f"{folder} cannot be written to", "free some space, and go on with --resume"),
            only_run(folder / ".lock", str(folder)),
        ):
            yield
    finally:
        with contextlib.suppress(OSError):
            folder.rmdir()  # if nothing came of it


def _start_or_resume(run: _Run, resume: bool) -> tuple[TrainingState, list[Epoch]]:
    """Networks and history, as they begin or as the run folder holds them."""
    processes, folder, recipe = run.prepared.processes, run.folder, run.recipe
    state = build_networks(recipe, processes.device)
    history = open_run_folder(
        folder, recipe, run.prepared.split.sha256, resume=resume, write=processes.is_first
    )
    if resume and (folder / STATE).exists():
        load_state(folder, state, [_choosing_iou(epoch, recipe) for epoch in history], history)
        if state.position.epoch:
            check_best(folder, judged_again=len(history) > state.position.epoch)
    elif history or (resume and (folder / "best.json").exists()):
        raise GeoroadsError(f"{folder / STATE} is missing", start_anew(folder))
    if processes.is_first:
        record_environment(
            folder, run.command, processes.device, run.prepared.precision, processes.world_size
        )
    return state, history[: state.position.epoch]


def _stop_if_asked(run: _Run, state: TrainingState, stop: StopRequest) -> None:
    """End the training where the first process has been asked to, so that all end after the same step."""
    processes = run.prepared.processes
    if not processes.broadcast(float(stop.reason is not None)):
        return
    if processes.is_first and state.position.step:
        save_state(run.folder, state)
    raise stop.reason or KeyboardInterrupt


def _schedule_chips(
    run: _Run, at: Position, clock: TrainingClock
) -> tuple[ChipSampler, Callable[[int], float]]:
    """Which chips this process takes, and the progress 0..1 at a step, which all processes agree on."""
    processes, batch, minutes = run.prepared.processes, run.recipe.train.batch, run.recipe.train.minutes
    step_size = batch * processes.world_size
    total = (run.prepared.total_steps or 1) * step_size

    def progress_of(chip: int) -> float:
        """The share of the time where minutes are given, else of the chips."""
        return chip / total if minutes is None else float(clock.seconds / (minutes * 60.0))

    first = at.step * step_size + processes.rank * batch
    sampler = ChipSampler(first, batch, step_size, progress_of)
    return sampler, lambda step: processes.broadcast(progress_of(step * step_size))


def _set_learning_rate(optimizer: torch.optim.Optimizer, recipe: Recipe, progress: float) -> float:
    """Give the optimizer the learning rate of this point of the training."""
    lr = recipe.train.lr
    if recipe.train.schedule == "cosine":
        lr *= lr_factor(progress, recipe.train.warmup, recipe.train.lr_end)
    for group in optimizer.param_groups:
        group["lr"] = lr
    return lr


def forward(network: nn.Module, image: torch.Tensor, precision: str) -> torch.Tensor:
    """The logits of a batch.

    Args:
        network: in whichever mode it is.
        image: (N, 3, H, W) float32.
        precision: fp32 or bf16.

    Returns:
        (N, C, H, W) float32.
    """
    image = image.contiguous(memory_format=torch.channels_last)
    with torch.autocast(image.device.type, dtype=torch.bfloat16, enabled=precision == "bf16"):
        out: torch.Tensor = network(image)
    return out.float()


def _step(loss: torch.Tensor, network: nn.Module, optimizer: torch.optim.Optimizer, clip: float) -> bool:
    """One step of the optimiser; skipped (False) where the loss or its gradient is no number."""
    optimizer.zero_grad(set_to_none=True)
    # Backward even from a loss that is no number: the gradients are summed over all processes, so all of them
    # see it and skip the step together.
    loss.backward()
    norm = nn.utils.clip_grad_norm_(network.parameters(), clip)
    if not torch.isfinite(norm):
        return False
    optimizer.step()
    return True


def _refuse_bad_steps(bad_steps: int) -> None:
    if bad_steps == MAX_BAD_STEPS:
        raise GeoroadsError(
            f"the loss was no number {MAX_BAD_STEPS} times in a row",
            "lower --set train.lr, or use --set train.precision=fp32; the best checkpoint so far is kept",
        )


def _describe_progress(recipe: Recipe, at: Position, meter: EpochMeter) -> tuple[float, str]:
    done = at.seconds if recipe.train.minutes is not None else at.step
    return done, f"step {at.step}, loss {meter.recent_loss:.3f}, best val IoU {max(0.0, at.best_iou):.4f}"


def _judge_epoch(run: _Run, state: TrainingState, stop: StopRequest, clock: TrainingClock) -> Epoch:
    """Validate the averaged network: the epoch's line. The state is saved before, and ready for the next."""
    at, meter = state.position, state.meter
    if run.prepared.processes.is_first:
        save_state(run.folder, state)
    with stop.raised_at_once():
        counts = _validate(run, state.average)
    at.epoch += 1
    at.seconds = clock.seconds
    state.meter = EpochMeter()
    return _epoch_line(at, counts, meter, run.recipe.train.threshold)


def _validate(run: _Run, average: nn.Module) -> LevelCounts:
    """Level counts of the averaged network on val; each process takes its part of the pictures."""
    processes, split = run.prepared.processes, run.prepared.split
    card = training_card(run.recipe, split, threshold=0.5, teacher=run.prepared.teacher)
    runtime = TorchRuntime(average, card, processes.device, run.prepared.precision)
    mine = split.val[processes.rank :: processes.world_size]
    counts = count_samples(mine, card, runtime, run.recipe.data[0].white_is_nodata)
    return processes.sum_counts(counts)


def _epoch_line(at: Position, counts: LevelCounts, meter: EpochMeter, threshold: float | None) -> Epoch:
    score = best_score(counts) if threshold is None else score_at(counts, threshold_level(threshold))
    p = probabilities()
    dice = 1 - 2 * float(p @ counts[1]) / float(p @ counts.sum(axis=0) + counts[1].sum())
    return Epoch(
        epoch=at.epoch, step=at.step, minutes=at.seconds / 60, lr=meter.lr, waited=meter.waited,
        train_loss=meter.loss, train_iou=meter.iou, val_dice_loss=dice, val_iou=score.iou,
        val_threshold=score.threshold, val_precision=score.precision, val_recall=score.recall,
        val_pooled_iou=two_class_iou(counts), val_pooled_dice_loss=two_class_dice_loss(counts),
    )  # fmt: skip


def _has_stalled(history: list[Epoch], recipe: Recipe) -> bool:
    """Whether the last ``patience`` epochs brought no better model."""
    reached = [_choosing_iou(epoch, recipe) for epoch in history]
    return bool(reached) and 0 < recipe.train.patience <= len(reached) - 1 - reached.index(max(reached))


def _choosing_iou(epoch: Epoch, recipe: Recipe) -> float:
    """The figure that chooses the best model."""
    return epoch.val_iou if recipe.train.choose_by == "road_iou" else epoch.val_pooled_iou


def _save_epoch(run: _Run, state: TrainingState, history: list[Epoch]) -> None:
    """Write what an epoch leaves in the run folder.

    The history, the averaged weights as ``last`` and, when they are the best so far, as ``best``, the plots,
    and at the end the state, which counts as there once it is whole.
    """
    folder, recipe, epoch = run.folder, run.recipe, history[-1]
    write_history(folder, history)
    card = training_card(
        recipe, run.prepared.split, epoch.val_threshold, asdict(epoch), run.command, run.prepared.teacher
    )
    card = replace(card, seen=run.prepared.chips.seen)
    save_checkpoint(folder, "last", state.average.state_dict(), card)
    reached = _choosing_iou(epoch, recipe)
    if reached > state.position.best_iou:
        state.position.best_iou = reached
        save_checkpoint(folder, "best", state.average.state_dict(), card)
    draw_plots(history, folder, pooled=recipe.train.choose_by == "pooled_iou")
    if recipe.train.tensorboard:
        log_to_tensorboard(folder, epoch)
    if recipe.train.samples_every and epoch.epoch % recipe.train.samples_every == 0:
        _draw_samples(run, state.average, card, f"epoch_{epoch.epoch:03d}")
    save_state(folder, state)


def _finish(run: _Run) -> ModelCard:
    """Pictures of what the best model sees; its card."""
    if not run.prepared.processes.is_first:
        return training_card(run.recipe, run.prepared.split, 0.5, teacher=run.prepared.teacher)
    best = find_checkpoint(str(run.folder / "best.json"))
    if run.recipe.train.samples:
        _draw_samples(run, load_network(best), best.card)
    return best.card


def _draw_samples(run: _Run, network: nn.Module, card: ModelCard, subfolder: str = "") -> None:
    runtime = TorchRuntime(network, card, run.prepared.processes.device, run.prepared.precision)
    samples = run.prepared.split.val[: run.recipe.train.samples]
    draw_sample_predictions(samples, card, runtime, run.folder / "sample_predictions" / subfolder)
