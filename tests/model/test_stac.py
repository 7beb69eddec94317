"""Cards as STAC items: valid, up to date, and what they say is what the network does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from georoads.model.card import ModelCard, read_card
from georoads.model.checkpoint import SHIPPED_DEFAULT, find_checkpoint, models_folder, shipped_models
from georoads.model.config import IMAGENET, ModelConfig
from georoads.model.pixels import normalize
from georoads.model.stac import SUFFIX, item_of_card, item_of_plugin_file

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = sorted(shipped_models())


def card(name: str = "small", classes: int = 1) -> ModelCard:
    config = ModelConfig("Unet", "resnet18", classes=classes)
    files = {f"{name}.safetensors": "cd" * 32}
    return ModelCard(
        name, config, *IMAGENET, gsd_m=0.3, tile_px=96, overlap_px=24, threshold=0.4, files=files
    )


ITEMS = {
    **{name: item_of_card(read_card(shipped_models()[name])) for name in SHIPPED},
    "small": item_of_card(card()),
    "two classes": item_of_card(card(classes=2)),
    "plugin": item_of_plugin_file(card(), "roads.onnx", "ab" * 32),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_the_items_beside_the_cards_are_up_to_date(name: str) -> None:
    written = json.loads((models_folder() / f"{name}{SUFFIX}").read_text(encoding="utf-8"))
    assert written == ITEMS[name], "run: python packaging/make_items.py"


def test_items_are_no_models() -> None:
    assert not [name for name in SHIPPED if name.endswith(".stac")]
    assert len(list(models_folder().glob(f"*{SUFFIX}"))) == len(SHIPPED)


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_the_extension_takes_its_properties(item: dict[str, Any]) -> None:
    schema = pytest.importorskip("stac_model.schema", reason="stac-model validates MLM properties")
    taken = schema.MLModelProperties.model_validate(item["properties"])
    assert taken.name == item["properties"]["mlm:name"]
    assert [band for entry in taken.input for band in entry.bands] == item["properties"]["mlm:input"][0][
        "bands"
    ]
    # What the extension knows comes back as it was given: nothing was ignored.
    back = json.loads(taken.model_dump_json(by_alias=True))
    for key in ("mlm:architecture", "mlm:tasks", "mlm:hyperparameters"):
        assert back[key] == item["properties"][key]
    (scaling,) = (entry["value_scaling"] for entry in back["mlm:input"])
    assert scaling == item["properties"]["mlm:input"][0]["value_scaling"]


def test_the_extension_refuses_what_is_wrong() -> None:
    schema = pytest.importorskip("stac_model.schema", reason="stac-model validates MLM properties")
    wrong = json.loads(json.dumps(ITEMS["small"]["properties"]))
    wrong["mlm:input"][0]["input"]["shape"] = [1, 2]
    with pytest.raises(ValueError, match="equal length"):
        schema.MLModelProperties.model_validate(wrong)


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_items_are_items_of_stac(item: dict[str, Any]) -> None:
    """By the schemas of STAC 1.1 that pystac brings along, without a network; so without the extensions'."""
    validation = pytest.importorskip("pystac.validation", reason="pystac brings the schemas of STAC")
    assert validation.validate_dict(item, extensions=[])
    with pytest.raises(Exception, match="assets"):
        validation.validate_dict({**item, "assets": None}, extensions=[])


@pytest.mark.parametrize("item", ITEMS.values(), ids=ITEMS)
def test_what_mlm_asks_of_an_item(item: dict[str, Any]) -> None:
    properties = item["properties"]
    assert {"mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output"} <= properties.keys()
    named = [band["name"] for band in properties["bands"]]
    (model_input,), (output,) = properties["mlm:input"], properties["mlm:output"]
    assert model_input["bands"] == named
    shape = dict(zip(model_input["input"]["dim_order"], model_input["input"]["shape"], strict=True))
    assert shape["channel"] == len(named)
    assert len(model_input["value_scaling"]) in (1, len(named))
    assert len(output["result"]["shape"]) == len(output["result"]["dim_order"])
    models = [asset for asset in item["assets"].values() if "mlm:model" in asset["roles"]]
    assert all(asset["mlm:artifact_type"] for asset in models)
    assert models and all([band["name"] for band in asset["bands"]] == named for asset in models)


def test_the_scaling_is_that_of_the_network() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    of_small = item_of_card(card())["properties"]["mlm:input"][0]["value_scaling"]
    mean, stddev = (np.array([band[key] for band in of_small])[:, None, None] for key in ("mean", "stddev"))
    np.testing.assert_allclose((rgb - mean) / stddev, normalize(rgb, *IMAGENET), atol=1e-5)


@pytest.mark.parametrize("name", SHIPPED)
def test_the_assets_are_the_files(name: str) -> None:
    checkpoint = find_checkpoint(name)
    assets = {asset["href"]: asset["file:checksum"] for asset in ITEMS[name]["assets"].values()}
    assert assets == {f"./{file}": f"1220{sha256}" for file, sha256 in checkpoint.card.files.items()}
    assert all((models_folder() / href).is_file() for href in assets)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("best", "best"), ("städte 3", "st-dte-3"), ("3", "model-3"), ("", "model-unnamed")],
)
def test_names_that_the_extension_allows(name: str, expected: str) -> None:
    assert item_of_card(card(name))["properties"]["mlm:name"] == expected


def test_terms_are_told() -> None:
    assert "research only" in ITEMS[SHIPPED_DEFAULT]["properties"]["description"]
