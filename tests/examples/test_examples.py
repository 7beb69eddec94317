"""The examples run: the three scripts, and the notebook, in a kernel, on drawn tiles named as DeepGlobe's."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import nbformat
import numpy as np
import pytest
from documented import example_corner, module_at
from drawn_pairs import SMALL_RECIPE
from nbclient import NotebookClient

import georoads
from georoads.data.split import published_lists

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOK = EXAMPLES / "deepglobe_walkthrough.ipynb"


def example(name: str) -> ModuleType:
    return module_at(EXAMPLES / f"{name}.py")


def draw_tiles(folder: Path, names: Sequence[str]) -> None:
    """Pale bars on dark ground, in the Kaggle layout."""
    (folder / "train").mkdir(parents=True)
    rows = ["image_id,split,sat_image_path,mask_path"]
    for number, name in enumerate(names):
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


def test_the_notebook_runs_in_its_folder_twice_and_with_a_part_of_the_tiles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a user has it: the notebook and its scene in ``examples``, the tiles at the top of the checkout."""
    learnt, judged = published_lists()
    (tmp_path / "examples").mkdir()
    example_corner(tmp_path / "examples" / "scene.tif", 160)
    (tmp_path / "tiny.toml").write_text(SMALL_RECIPE.format(path="deepglobe"), encoding="utf-8")
    monkeypatch.setenv("RECIPE", str(tmp_path / "tiny.toml"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    for name in ("DEEPGLOBE", "SCENE"):
        monkeypatch.delenv(name, raising=False)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": tmp_path / "examples"}})
    with client.setup_kernel():
        draw_tiles(tmp_path / "deepglobe", (*learnt[:12], *judged[:2]))
        told = told_by(client)
        assert "kaggle layout: 14 labelled tiles" in told and "11 train, 1 val, 2 test" in told
        assert told.count("Epoch: ") == 2 and "Evaluation on Test Data" in told
        again = told_by(client)
        assert again == re.sub(r"Epoch: .*\n", "", told)  # nothing is trained twice
        shutil.rmtree(tmp_path / "deepglobe")
        draw_tiles(tmp_path / "deepglobe", learnt[4:10])  # no tile of test among them
        part = told_by(client)
        assert "5 train, 1 val, 0 test" in part and "Evaluation on Val Data" in part
    runs = sorted((tmp_path / "runs").glob("walkthrough-*"))
    assert len(runs) == 2 and all((run / "roads.gpkg").is_file() for run in runs)


def told_by(client: NotebookClient) -> str:
    """Run all cells in the kernel as it is; what they print. Every cell that draws shows its pictures."""
    told, shown = "", 0
    for number, cell in enumerate(client.nb.cells):
        if cell.cell_type == "code":
            client.execute_cell(cell, number)
            told += "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
            shown += sum("image/png" in output.get("data", {}) for output in cell.outputs)
    assert shown == 2 + 1 + 1 + 1  # two tiles, curves, one val picture, lines
    return told
