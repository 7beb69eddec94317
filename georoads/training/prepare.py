"""What happens before a training's first step: data sets are opened and divided, networks made."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from georoads.data.dataset import Sample, open_dataset
from georoads.data.mask_survey import QUICK, describe_doubts, shows_road, survey_masks
from georoads.data.pictures import read_image, without_broken
from georoads.data.split import Split, split_dataset
from georoads.errors import DatasetError, GeoroadsError
from georoads.extras import require_extra
from georoads.inference.torch_runtime import cpu_has_fast_bf16
from georoads.model.build import build
from georoads.model.checkpoint import find_checkpoint, load_network
from georoads.model.config import input_normalization
from georoads.model.encoders import load_encoder_weights
from georoads.model.tensors import load_strictly
from georoads.training.card import training_card
from georoads.training.chip_loader import ChipDataset, ChipSource
from georoads.training.distributed import ProcessGroup, join_process_group
from georoads.training.hard_places import read_hard_places
from georoads.training.recipe import DataSource, Recipe
from georoads.training.state import TrainingState
from georoads.training.teacher import TaughtPictures, Teacher, read_teacher


@dataclass(frozen=True)
class PreparedTraining:
    """Everything a training needs before its first step.

    Attributes:
        chips: to learn from.
        split: of the first data set, whose val subset chooses the best model.
        steps_per_epoch: optimizer steps from one validation to the next.
        total_steps: of the training; None where minutes end it.
        processes: that train together.
        precision: fp32 or bf16.
        judges_test: whether the finished model can be judged on test: the split has one, and it shows a road.
        messages: for the user.
    """

    chips: ChipDataset
    split: Split
    steps_per_epoch: int
    total_steps: int | None
    processes: ProcessGroup
    precision: str
    judges_test: bool = False
    messages: tuple[str, ...] = ()

    @property
    def teacher(self) -> Teacher | None:
        """Whose p stands beside the masks."""
        return self.chips.teacher.teacher if self.chips.teacher else None


def prepare(recipe: Recipe, processes: ProcessGroup | None = None) -> PreparedTraining:
    """Open and divide the data sets, choose precision and number of steps, find what would fail later.

    Args:
        recipe: all parameters.
        processes: that train together; by default this one alone.

    Raises:
        DatasetError: for data sets that cannot be opened, or have nothing to learn from or to be judged on.
        GeoroadsError: for a network that cannot be built, or trained with these chips, tiles and batches; for
            a package that is not installed.
    """
    processes = processes or join_process_group({})
    check_network(recipe)
    messages: list[str] = []
    splits = [_open_source(source, recipe, messages) for source in recipe.data]
    primary = splits[0]
    primary.subset("train")
    if not primary.val:
        primary = replace(primary, val=primary.train, method=f"{primary.method}, val = train")
        messages.append(
            f"{recipe.data[0].path}: no picture is left for validation, so the model is judged on what it "
            "learns from: its figures are no result"
        )
    judges_test = _check_roads(recipe, [primary, *splits[1:]], messages)
    chips = _chip_dataset(recipe, splits, messages)
    training_card(recipe, primary, threshold=0.5)  # which refuses what no card can hold
    precision = "bf16" if processes.device != "cpu" or cpu_has_fast_bf16() else "fp32"
    epoch_steps, total_steps = _count_steps(recipe, primary.train, processes.world_size)
    return PreparedTraining(
        chips=chips,
        split=primary,
        steps_per_epoch=epoch_steps,
        total_steps=total_steps,
        processes=processes,
        precision=precision if recipe.train.precision == "auto" else recipe.train.precision,
        judges_test=judges_test,
        messages=tuple(messages),
    )


def check_network(recipe: Recipe) -> None:
    """Refuse a recipe whose network cannot be built or run, before any data is read.

    Raises:
        GeoroadsError: naming the network, the chip, the tile or the package.
    """
    if recipe.train.tensorboard:
        require_extra(
            "tensorboard", "train.tensorboard", ("tensorboard",), "or --set train.tensorboard=false"
        )
    if recipe.train.batch == 1 and recipe.model.architecture.startswith("DeepLabV3"):
        raise GeoroadsError(
            f"{recipe.model.architecture} pools each chip to one value, and batch norm needs two",
            "--set train.batch=2, with a smaller chip.size_px if memory is short",
        )
    with torch.random.fork_rng(devices=[]):  # the training draws its weights from the seed alone
        network = build(recipe.model).to("meta").eval()  # where there are shapes, but no numbers
    freeze(network, recipe.train.frozen)
    for name, side in (("chip.size_px", recipe.chip.size_px), ("tile.tile_px", recipe.tile.tile_px)):
        try:
            network(torch.empty(1, recipe.model.in_channels, side, side, device="meta"))
        except NotImplementedError:
            continue  # a network with operations that have no shapes
        except (RuntimeError, ValueError, AssertionError) as e:
            raise GeoroadsError(
                f"{name}={side} does not fit {recipe.model.architecture} with {recipe.model.encoder}: "
                f"{' '.join(str(e).split())}",
                f"--set {name}={max(32, side // 32 * 32)}",
            ) from e


def _check_roads(recipe: Recipe, splits: list[Split], messages: list[str]) -> bool:
    """Look at the masks; doubts are added to the messages. Whether the test subset can be judged.

    Raises:
        DatasetError: no mask has a level of road, or no road can be judged on.
    """
    for source, split in zip(recipe.data, splits, strict=True):
        for name in ("train", "val", "test") if split is splits[0] else ("train",):
            if samples := getattr(split, name):
                what = f"{source.path}, {name}"
                messages += describe_doubts(survey_masks(samples, what, QUICK), what)
    first, gsd_m, white = splits[0], recipe.chip.gsd_m, recipe.data[0].white_is_nodata
    if not shows_road(first.val, gsd_m, white):
        raise DatasetError(
            f"{recipe.data[0].path}: no valid pixel of the {len(first.val)} val pictures is road, so no "
            "model has an IoU there and none could be chosen",
            "choose another --split, or a split file whose val pictures show roads",
        )
    judges_test = shows_road(first.test, gsd_m, white)
    if first.test and not judges_test:
        messages.append(f"{recipe.data[0].path}: test shows no road; the model will be judged on val")
    return judges_test


def build_networks(recipe: Recipe, device: str) -> TrainingState:
    """The network with its starting weights, a copy for the moving average, and the optimizer."""
    network = build(recipe.model)
    if recipe.init:
        source = find_checkpoint(recipe.init)
        load_strictly(network, load_network(source).state_dict(), f"--init {recipe.init}")
    else:
        load_encoder_weights(network, recipe.model, recipe.encoder_weights)
    network = network.to(device=device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    freeze(network, recipe.train.frozen)
    # Biases and the scales of batch norms, which have one axis, are not pulled towards zero.
    decayed = [w for w in network.parameters() if w.ndim >= 2]
    plain = [w for w in network.parameters() if w.ndim < 2]
    groups = [
        {"params": decayed, "weight_decay": recipe.train.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if recipe.train.optimizer == "adamw" else torch.optim.Adam
    return TrainingState(network, copy.deepcopy(network).eval(), kind(groups, lr=recipe.train.lr))


def freeze(network: nn.Module, names: str) -> None:
    """Keep modules as they are: no gradient for their weights, and batch norms keep their statistics.

    Args:
        network: in training mode; is changed.
        names: of modules, with commas between.

    Raises:
        GeoroadsError: the network has no module of that name, or all of it is named.
    """
    modules = dict(network.named_modules())
    for name in filter(None, (part.strip() for part in names.split(","))):
        if name not in modules:
            raise GeoroadsError(
                f"train.frozen: the network has no module {name!r}",
                f"its outermost are {', '.join(key for key in modules if key and key.count('.') < 2)}",
            )
        modules[name].eval().requires_grad_(False)
    if not any(weight.requires_grad for weight in network.parameters()):
        raise GeoroadsError(f"train.frozen = {names!r} leaves nothing that learns", "name fewer modules")


def _open_source(source: DataSource, recipe: Recipe, messages: list[str]) -> Split:
    """The split of a data set of the mix; what was left out is added to the messages."""
    data = open_dataset(source.path, source.gsd_m, skip_bad=recipe.train.skip_bad)
    data = without_broken(data) if recipe.train.skip_bad else data
    if data.skipped:
        first = ", ".join(data.skipped[:5])
        messages.append(f"{source.path}: {len(data.skipped)} pictures left out: {first}")
    return split_dataset(data, source.split, recipe.train.seed)


def _chip_dataset(recipe: Recipe, splits: list[Split], messages: list[str]) -> ChipDataset:
    mean, std = input_normalization(recipe.model.encoder)
    sources = tuple(
        ChipSource(source, split.train)
        for source, split in zip(recipe.data, splits, strict=True)
        if split.train
    )
    if not all(sum(each.source.share_at(progress) for each in sources) > 0 for progress in (0.0, 1.0)):
        raise GeoroadsError(
            "the shares of the data sets add up to 0 at an end of the training", "give one of them a share"
        )
    if recipe.train.hard:
        named = [(each.source.path, [sample.name for sample in each.samples]) for each in sources]
        found = read_hard_places(Path(recipe.train.hard), named)
        sources = tuple(replace(each, hard=hard) for each, hard in zip(sources, found, strict=True))
    return ChipDataset(
        sources=sources,
        chip=recipe.chip,
        augmentation=recipe.train.augmentation,
        mean=mean,
        std=std,
        seed=recipe.train.seed,
        cache=Path(recipe.train.cache) if recipe.train.cache else None,
        hard_share=recipe.train.hard_share,
        strip_weight=recipe.train.strip_weight,
        teacher=_taught(recipe.train.teacher, sources, messages) if recipe.train.teacher else None,
        teacher_share=recipe.train.teacher_share,
    )


def _taught(folder: str, sources: tuple[ChipSource, ...], messages: list[str]) -> TaughtPictures:
    """What the teacher sees of the pictures; how many of them, is added to the messages."""
    found = read_teacher(Path(folder))
    pictures = [found.path(each.source.path, sample.name) for each in sources for sample in each.samples]
    seen = sum(path.is_file() for path in pictures)
    if not seen:
        raise GeoroadsError(
            f"train.teacher: {folder} holds none of the {len(pictures)} pictures to learn from",
            "make it with this recipe, whose data sets are named as they are now, by benchmarks/teacher.py",
        )
    messages.append(f"{found.teacher.name} teaches {seen} of {len(pictures)} pictures")
    return found


def _count_steps(recipe: Recipe, samples: tuple[Sample, ...], processes: int) -> tuple[int, int | None]:
    """Optimizer steps of an epoch, and of the training (None where minutes end it)."""
    params = recipe.train
    ground_of_step = params.batch * (recipe.chip.size_px * recipe.chip.gsd_m) ** 2 * processes
    epoch = max(1, round(_ground_m2(samples) / ground_of_step))
    total = None if params.minutes else params.steps or epoch * params.epochs
    if total and params.steps:
        epoch = max(1, total // 10)
    return params.validate_every or epoch, total


def _ground_m2(samples: tuple[Sample, ...]) -> float:
    """Square metres that the pictures show, from the size of the first (the sets are uniform)."""
    height, width = read_image(samples[0]).shape[:2]
    return float(sum(height * width * s.gsd_m**2 for s in samples))
