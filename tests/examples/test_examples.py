"""The examples run: the three scripts, and the notebook's cells on a drawn data set in DeepGlobe's layout."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
import pytest
from documented import example_corner, module_at
from drawn_pairs import SMALL_RECIPE

import georoads
from georoads.data.split import published_lists

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "deepglobe_walkthrough.ipynb"


def example(name: str) -> ModuleType:
    return module_at(EXAMPLES / f"{name}.py")


def draw_kaggle_layout(folder: Path) -> None:
    """Pale bars on dark ground, named as tiles of the published split's train and test lists."""
    learnt, judged = published_lists()
    (folder / "train").mkdir(parents=True)
    rows = ["image_id,split,sat_image_path,mask_path"]
    for number, name in enumerate((*learnt[:12], *judged[:2])):
        rng = np.random.default_rng(number)
        mask = np.zeros((96, 96), dtype=np.uint8)
        mask[20 + 3 * number : 30 + 3 * number] = 255
        picture = rng.normal(70, 6, (96, 96, 3)) + 90 * (mask[..., None] > 0)
        cv2.imwrite(str(folder / "train" / f"{name}_sat.jpg"), picture.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(folder / "train" / f"{name}_mask.png"), mask)
        rows.append(f"{name},train,train/{name}_sat.jpg,train/{name}_mask.png")
    (folder / "metadata.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def test_extract_roads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    example("extract_roads").main(example_corner(tmp_path / "corner.tif", 448), tmp_path / "roads.gpkg")
    told = capsys.readouterr().out
    assert re.search(r"448 x 448 px of 0\.50 m", told)
    assert len(georoads.read_roads(tmp_path / "roads.gpkg").lines) > 2
    assert re.search(r"median width [3-9]\.\d m", told)


def test_score_roads(capsys: pytest.CaptureFixture[str]) -> None:
    module = example("score_roads")
    truth = georoads.read_roads(EXAMPLES / "roads_truth.geojson")
    worse = module.worse(truth)
    assert len(worse.lines) == len(truth.lines) - -(-len(truth.lines) // 10)
    module.main(worse, truth)
    told = dict(re.findall(r"(\w+): ([\d.]+)", capsys.readouterr().out))
    assert float(told["correctness"]) == 1.0
    assert 0.8 < float(told["completeness"]) < 0.98
    assert float(told["missing"]) > 0.2 and float(told["false"]) == 0.0


def test_train_small(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    module = example("train_small")
    monkeypatch.setattr(module.draw_dataset, "__defaults__", (12, 0))
    module.main(tmp_path)
    told = capsys.readouterr().out
    assert told.count("epoch ") == 2
    assert re.search(r"road IoU 0\.\d+ on 1 val pictures", told)
    assert (tmp_path / "run" / "best.safetensors").is_file()


def test_the_python_of_the_page_of_examples_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (EXAMPLES.parent / "docs" / "examples.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"^```python\n(.*?)^```$", page, re.M | re.S)
    (tmp_path / "examples").mkdir()
    example_corner(tmp_path / "examples" / "scene.tif", 448)
    shutil.copy(EXAMPLES / "roads_truth.geojson", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "docs/examples.md", "exec"), {})
    count, length_m, f1 = map(float, capsys.readouterr().out.split())
    assert count > 2 and length_m > 100 and 0 < f1 < 1
    assert (tmp_path / "roads.gpkg").is_file()


def cells() -> list[dict[str, Any]]:
    content = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return list(content["cells"])


def test_the_notebook_holds_no_output() -> None:
    code = [cell for cell in cells() if "outputs" in cell]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)


def test_the_notebook_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_kaggle_layout(tmp_path / "drawn")
    (tmp_path / "tiny.toml").write_text(SMALL_RECIPE.format(path="drawn"), encoding="utf-8")
    monkeypatch.setenv("DEEPGLOBE", str(tmp_path / "drawn"))
    monkeypatch.setenv("RECIPE", str(tmp_path / "tiny.toml"))
    monkeypatch.setenv("SCENE", str(example_corner(tmp_path / "corner.tif", 160)))
    monkeypatch.chdir(tmp_path)
    mpl.use("Agg")
    from matplotlib import pyplot

    space: dict[str, Any] = {}
    try:
        for cell in cells():
            if cell["cell_type"] == "code":
                exec(compile("".join(cell["source"]), cell["id"], "exec"), space)
        assert len(pyplot.get_fignums()) == 2 + 1 + 1 + 1  # two tiles, curves, one val picture, lines
    finally:
        pyplot.close("all")
    told = capsys.readouterr().out
    assert "kaggle layout: 14 labelled tiles" in told
    assert "11 train, 1 val, 2 test" in told
    assert told.count("Epoch: ") == 2
    assert re.search(r"road IoU +0\.\d{4}", told)
    assert (tmp_path / "runs" / "walkthrough" / "roads.gpkg").is_file()
