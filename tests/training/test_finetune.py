"""Going on from a finished model: what comes from its card, and what is said of the new one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from drawn_pairs import draw_pairs, hide_columns, write_index
from small_training import SMALL, one_thread  # noqa: F401 (a fixture)

from georoads.cli.main import cli
from georoads.data.dataset import open_dataset
from georoads.errors import GeoroadsError
from georoads.model.build import build
from georoads.model.card import ModelCard, read_card
from georoads.model.checkpoint import find_checkpoint, save_checkpoint
from georoads.model.config import IMAGENET
from georoads.training.chip_loader import ChipDataset, ChipRequest, ChipSource
from georoads.training.recipe import load_recipe
from georoads.training.run_folder import read_history

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that nothing was taught."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("base")
    card = ModelCard(
        "small", SMALL, *IMAGENET, gsd_m=0.7, tile_px=96, overlap_px=32, threshold=0.5,
        terms="ask first; and again", data=({"path": "old"},),
    )  # fmt: skip
    return save_checkpoint(folder, "small", build(SMALL).state_dict(), card).path


def fine_tune(data: Path, base: Path, run: Path, *more: str) -> None:
    sets = [f"--set=train.{p}" for p in ("workers=0", "precision=fp32", "samples=0")]
    command = ["train", str(data), "--init", str(base), "-o", str(run), "-q", *sets, *more]
    assert CliRunner().invoke(cli, command, catch_exceptions=False).exit_code == 0


def test_network_pixel_size_and_tile_come_from_the_checkpoint(base: Path) -> None:
    recipe = load_recipe("finetune", init=str(base))
    assert (recipe.init, recipe.model) == (str(base), SMALL)
    assert (recipe.chip.gsd_m, recipe.chip.size_px) == (0.7, 96)
    assert (recipe.tile.tile_px, recipe.tile.overlap_px) == (96, 32)
    shipped = find_checkpoint("default").card
    recipe = load_recipe("finetune")
    assert (recipe.init, recipe.model, recipe.tile.tile_px) == ("default", shipped.model, shipped.tile_px)


def test_unless_the_recipe_says_otherwise(base: Path, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[chip]\nsize_px = 64\n[tile]\noverlap_px = 16\n", encoding="utf-8")
    recipe = load_recipe(str(file), {"chip": {"gsd_m": 0.5}}, str(base))
    assert (recipe.chip.size_px, recipe.chip.gsd_m) == (64, 0.5)
    assert (recipe.tile.tile_px, recipe.tile.overlap_px) == (96, 16)
    assert recipe.model == SMALL
    assert load_recipe(str(file), {"model": {"init": str(base)}}).model == SMALL
    assert load_recipe("deepglobe", init=str(base)).model.encoder == "resnet50"
    with pytest.raises(GeoroadsError, match="no model"):
        load_recipe("finetune", init="nobody")


def test_the_command_fine_tunes_and_the_card_inherits(base: Path, tmp_path: Path) -> None:
    data = draw_pairs(tmp_path / "d", [f"t{i}" for i in range(6)])
    (data / "index.csv").write_text(
        "name,split,gsd_m\n" + "".join(f"t{i},{'val' if i > 3 else 'train'},0.7\n" for i in range(6))
    )
    run = tmp_path / "run"
    fine_tune(data, base, run, "--set=train.steps=3", "--set=train.lr=1e-5")
    assert [e.step for e in read_history(run)] == [1, 2, 3]
    assert json.loads((run / "recipe.json").read_text())["recipe"]["name"] == "finetune"
    card = read_card(run / "best.json")
    assert (card.model, card.gsd_m, card.tile_px, card.overlap_px) == (SMALL, 0.7, 96, 32)
    assert card.terms == "ask first; and again"
    assert [d["path"] for d in card.data] == ["old", str(data)]
    old = find_checkpoint(str(base))
    assert card.extra["fine_tuned_from"] == {"name": "small", "sha256": old.sha256}


def test_epochs_on_the_command_line_rule_over_a_recipes_steps(tmp_path: Path, base: Path) -> None:
    data = draw_pairs(tmp_path / "d", [f"t{i}" for i in range(10)], size=64)
    write_index(data, gsd_m=0.7)
    run = tmp_path / "run"
    fine_tune(data, base, run, "--epochs", "2")
    assert [e.step for e in read_history(run)] == [1, 2]


def test_ground_without_data_does_not_count(tmp_path: Path) -> None:
    root = draw_pairs(tmp_path / "d", ["t0", "t1"], size=80)
    shown = hide_columns(root, "t1", 50, size=80)
    data = open_dataset(root, 0.5)
    assert [s.valid is None for s in data.samples] == [True, False]
    recipe = load_recipe("deepglobe", {"chip": {"size_px": 80, "scale": 1.0, "road_centred": 0.0}})
    mean, std = IMAGENET
    chips = ChipDataset(
        (ChipSource(recipe.data[0], data.samples[1:]),), recipe.chip, "none", mean, std, seed=1
    )
    image, _, valid = chips[ChipRequest(0, 0.0)]
    assert (valid.numpy() == shown).all()
    assert torch.equal(image[:, :, 50:], image[:, :, 49:50].expand_as(image[:, :, 50:]))  # as beside it
