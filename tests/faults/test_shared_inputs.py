"""Every input of the development data's folder ``faults2`` gives what the README beside it asks for.

What each of them is an example of has a row in docs/faults.md and drawn tests of its own.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from command_line import Ended, typed

from georoads.data.dataset import open_dataset
from georoads.data.pictures import read_image
from georoads.model.checkpoint import find_checkpoint

ROOT = Path(__file__).resolve().parents[2]
INPUTS = ROOT.parent / "shared" / "data" / "faults2"

pytestmark = [
    pytest.mark.shared,
    pytest.mark.slow,
    pytest.mark.skipif(not INPUTS.is_dir(), reason="the development data is not beside the checkout"),
]

TRIED_ELSEWHERE = {
    "17_crossing_lines": "tests/network/test_vectorize.py",
    "16_run_folders": "tests/faults/test_run_faults.py and test_training_run_faults.py",
}

# Command, with the inputs after @ and outputs after >; what must be said; 1: refused, 0: done.
GIVEN = [
    ("vectorize @1_values_of_masks/good_01.tif -o >r.gpkg", "3 roads, 0.23 km", 0),
    ("vectorize @1_values_of_masks/miniswhite_1bit.tif -o >r.gpkg", "3 roads, 0.23 km", 0),
    ("vectorize @1_values_of_masks/inverted_1_is_background.tif -o >r.gpkg", "note: 92%", 0),
    ("vectorize @1_values_of_masks/classes_0_1_2.tif -o >r.gpkg", "holds 0, 1 and 2", 1),
    ("vectorize @1_values_of_masks/classes_1_2.tif -o >r.gpkg", "holds 1 and 2", 1),
    ("vectorize @1_values_of_masks/fill_minus9999_undeclared.tif -o >r.gpkg", "mask.nodata=-9999", 1),
    ("vectorize @1_values_of_masks/float_0_255.tif -o >r.gpkg", "mask.scale=0.00392157", 1),
    ("vectorize @1_values_of_masks/ignore_0_1_255.tif -o >r.gpkg", "mask.nodata=255", 1),
    ("vectorize @1_values_of_masks/percent_0_100.tif -o >r.gpkg", "mask.scale=0.01", 1),
    ("vectorize @1_values_of_masks/two_bands_background_road.tif -o >r.gpkg", "2 bands", 1),
    ("info @3_files_beside/crs_beside.tif", "crs_beside.tif.aux.xml", 0),
    ("score @4_local_crs/local.gpkg @4_local_crs/local.gpkg", "1.000", 0),
    ("score @4_local_crs/local.gpkg @4_local_crs/utm.gpkg", "no way leads", 1),
    ("tiles @4_local_crs/scene_utm.tif --roads @4_local_crs/local.gpkg --width 6 -o >t", "no way leads", 1),
    ("extract @4_local_crs/scene_utm.tif @4_local_crs/scene_local.tif -o >r.gpkg", "no way leads", 1),
    ("extract @4_local_crs/photo.png --gsd 0.5 -o >r.geojson", "has no place", 1),
    ("extract @5_fill_not_declared/float_m9999.tif -o >r.gpkg", "value -9999 on 15% of the pixels", 0),
    ("extract @5_fill_not_declared/uint16_65535.tif -o >r.gpkg", "value 65535 on 14% of the pixels", 0),
    ("info @6a_masks_0_1/data", "grey levels 0, 1 and none from 128 on", 1),
    ("info @6b_masks_0_2/data", "grey levels 0, 2 and none from 128 on", 1),
    ("info @6c_masks_inverted/data", "92% of the pixels are road; road is white: are the masks inverted?", 0),
    ("vectorize @8_skeleton_raster/skeleton.tif -o >r.gpkg", "8 roads, 0.94 km", 0),
    ("vectorize @8_skeleton_raster/mask.tif -o >r.gpkg", "9 roads, 0.95 km", 0),
    ("extract @9_longitudes_beyond_180/lon190.tif -o >r.gpkg", "3 roads, 0.23 km", 0),
    ("score @10_layers_apart/a.gpkg @10_layers_apart/b.gpkg", "49.9 km apart", 0),
    ("info @11_pairs_without_gsd/data", "--gsd to info", 1),
    ("info @11_pairs_without_gsd/data --gsd 0.5", "can be read", 0),
    ("vectorize @13_rasters/cplx.tif -o >r.gpkg", "complex", 1),
    ("vectorize @13_rasters/scale_nan.tif -o >r.gpkg", "the scale nan", 1),
    ("vectorize @13_rasters/scale_neg.tif -o >r.gpkg", "the scale -1", 1),
    ("vectorize @13_rasters/scale_zero.tif -o >r.gpkg", "the scale 0", 1),
    ("vectorize @13_rasters/offset.tif -o >r.gpkg", "100% of what was seen is road", 0),
    ("vectorize @13_rasters/thr_abc.tif -o >r.gpkg", "GEOROADS_THRESHOLD=abc", 0),
    ("score @14_layers/antim.geojson @14_layers/antim.geojson", "1.000", 0),
    ("score @14_layers/pole.geojson @14_layers/pole.geojson", "1.000", 0),
    ("score @14_layers/overpass.geojson @14_layers/overpass.geojson", "left out: 1 Point, 1 Polygon", 0),
    ("score @14_layers/big.geojson @14_layers/big.geojson", "1e+300", 1),
    ("score @14_layers/lon400.geojson @14_layers/lon400.geojson", "from a point to the next", 1),
    ("score @14_layers/world.geojson @14_layers/world.geojson", "from a point to the next", 1),
    ("score @14_layers/recview.gpkg @14_layers/recview.gpkg", "is a view", 1),
    ("view @14_layers/recview.gpkg -o >v.html", "is a view", 1),
    ("info @20_training_16bit", "holds uint16 values, 0 to 2040", 1),
]


def run(command: str, folder: Path) -> Ended:
    """Run a command of the table; its outputs go into a folder."""
    places = {"@": INPUTS, ">": folder}
    return typed(*(places[w[0]] / w[1:] if w[0] in places else w for w in command.split()))


@pytest.mark.parametrize(("command", "says", "code"), GIVEN, ids=[row[0] for row in GIVEN])
def test_what_is_asked_for_is_given(command: str, says: str, code: int, tmp_path: Path) -> None:
    ended = run(command, tmp_path)
    assert says in ended.out + ended.err
    assert ended.code == code
    assert ("error: " in ended.err) == (code == 1)
    if code:
        assert not [*tmp_path.iterdir()]


def test_every_input_is_tried() -> None:
    here = Path(__file__).read_text(encoding="utf-8")
    for folder in INPUTS.iterdir():
        assert not folder.is_dir() or folder.name in here, folder.name
    for file in (*INPUTS.glob("1_*/*.tif"), *INPUTS.glob("13_*/*.tif"), *INPUTS.glob("14_*/*.g*")):
        assert f"@{file.relative_to(INPUTS)}" in here, file


@pytest.mark.parametrize(
    "command",
    ["extract @2_crs_utm_in_feet/utm10_ftus.tif", "vectorize @2_crs_utm_in_feet/mask_utm10_ftus.tif"],
)
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson"])
def test_a_layer_in_feet_lies_where_its_scene_lies(command: str, suffix: str, tmp_path: Path) -> None:
    assert run(f"{command} -o >r{suffix}", tmp_path).code == 0
    west, south, east, north = gpd.read_file(tmp_path / f"r{suffix}", layer=0).to_crs(4326).total_bounds
    assert np.allclose([west, south, east, north], [-121.9, 37.3, -121.9, 37.3], atol=0.01)


def test_a_layer_in_kilometres_lies_where_its_scene_lies(tmp_path: Path) -> None:
    assert run("extract @2_crs_utm_in_feet/utm47_km.tif -o >r.gpkg", tmp_path).code == 0
    with rasterio.open(INPUTS / "2_crs_utm_in_feet" / "utm47_km.tif") as scene:
        bounds = rasterio.warp.transform_bounds(scene.crs, "EPSG:4326", *scene.bounds)
    west, south, east, north = gpd.read_file(tmp_path / "r.gpkg", layer="roads").to_crs(4326).total_bounds
    assert bounds[0] <= west < east <= bounds[2] and bounds[1] <= south < north <= bounds[3]


def kilometres(command: str, folder: Path) -> float:
    """Length of the roads that a command reports."""
    return float(re.findall(r"([\d.]+) km", run(command, folder).err)[0])


def test_what_lies_beside_a_scene_is_read(tmp_path: Path) -> None:
    beside = [
        kilometres(f"extract @3_files_beside/{name} -o >{name}.gpkg", tmp_path)
        for name in ("masked_beside.tif", "masked_inside.tif", "crs_beside.tif", "photo.jpg")
    ]
    assert beside[0] == beside[1] < 0.15
    assert beside[2] > 0.2 and beside[3] > 0.2


def test_a_fill_value_need_not_be_declared(tmp_path: Path) -> None:
    for name in ("float_m9999", "float_m9999_declared"):
        run(f"extract @5_fill_not_declared/{name}.tif -o >{name}.geojson", tmp_path)
    found = [gpd.read_file(file) for file in sorted(tmp_path.glob("*.geojson"))]
    assert len(found) == 2 and len(found[0]) == 3
    assert found[0].geometry.geom_equals(found[1].geometry).all()


@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_a_turned_picture_is_not_turned() -> None:
    for sample in open_dataset(INPUTS / "7_exif_orientation" / "data").samples:
        with rasterio.open(sample.image) as source:
            assert np.abs(read_image(sample).transpose(2, 0, 1).astype(int) - source.read()).mean() < 4


def test_a_recipe_asks_for_tensorboard_where_there_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = (INPUTS / "18_training" / "tensorboard_recipe.toml").read_text(encoding="utf-8")
    recipe = recipe.replace('"dg"', json.dumps(str(INPUTS / "6c_masks_inverted" / "data")))
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    monkeypatch.setattr(
        "georoads.extras.find_spec", lambda name: None if name == "tensorboard" else find_spec(name)
    )
    ended = typed("train", "--recipe", tmp_path / "recipe.toml", "-o", tmp_path / "run", "--dry-run")
    assert ended.code == 1 and "train.tensorboard needs tensorboard" in ended.err
    assert not (tmp_path / "run").exists()


def test_the_dateline_parts_no_road(tmp_path: Path) -> None:
    layers = "@19_dateline_score/lonlat.geojson @19_dateline_score/utm60s.gpkg"
    assert run(f"score {layers} --json >s.json", tmp_path).code == 0
    score = json.loads((tmp_path / "s.json").read_text(encoding="utf-8"))
    assert score["apls"] > 0.99 and score["topo_f1"] > 0.99


def test_no_broken_model_is_run(tmp_path: Path) -> None:
    script = INPUTS / "15_models" / "make_models.py"
    # It changes the model of its time, whose tiles had 448 px.
    of_then, shipped = tmp_path / "checkout" / "models" / "roads-lite2.json", find_checkpoint("default")
    of_then.parent.mkdir(parents=True)
    card = json.loads(shipped.path.read_text(encoding="utf-8")) | {"tile_px": 448, "overlap_px": 128}
    of_then.write_text(json.dumps(card), encoding="utf-8")
    of_then.with_suffix(".safetensors").write_bytes(shipped.weights.read_bytes())
    (tmp_path / "made").mkdir()
    made = subprocess.run(
        [sys.executable, script, of_then.parent.parent], cwd=tmp_path / "made", capture_output=True
    )
    assert made.returncode == 0, made.stderr
    models = sorted((tmp_path / "made").glob("*/*.json"))
    assert len(models) == 39
    for model in models:
        for runtime in ("openvino", "onnx"):
            ended = typed(
                "extract", ROOT / "examples" / "scene.tif", "-o", tmp_path / "r.gpkg", "--model", model,
                "--set", f"predict.runtime={runtime}",
            )  # fmt: skip
            assert ended.code == 1 and len(re.findall("^error: ", ended.err, re.M)) == 1, (model, ended)
    assert not [*tmp_path.glob("r.gpkg*")]
