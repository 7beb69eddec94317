"""The scripts that measure run, at toy size: what they say is for a quiet machine and their usual sizes."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import shapely
from drawn_pairs import SMALL_RECIPE, draw_pairs

from georoads.model.card import read_card
from georoads.model.checkpoint import find_checkpoint, load_network
from georoads.training.prepare import prepare
from georoads.training.recipe import load_recipe
from georoads.training.teacher import ABOUT, read_teacher

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"

pytestmark = pytest.mark.slow


def said(script: str, *arguments: str | Path) -> str:
    """What a script prints; it must end well."""
    command = [sys.executable, BENCHMARKS / script, *arguments]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr[-2000:]
    return ended.stdout


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("predict_speed.py", "--side 512 --rounds 1", "predict: "),
        (
            "feeding.py",
            "--side 512 --rounds 1 --ms 0 1 --cores 1 2",
            "1 ms a tile: busy 90% of ",
        ),
        ("precisions.py", "--rounds 1", "x fp32"),
        ("memory.py", "--sparse 20000x20000", "20000x20000: peak "),
        ("scaling.py", "simulate --side 8192", "lines: "),
        ("fuzz.py", "3", "provenance: "),
    ],
)
def test_a_script_runs_and_prints_its_figures(script: str, arguments: str, says: str) -> None:
    pytest.importorskip("openvino")
    assert says in said(script, *arguments.split())


def test_the_ceiling_of_each_kind_of_scene_is_measured_and_the_lowest_is_said_last() -> None:
    pytest.importorskip("openvino")
    *scenes, last = said("ceiling.py", "--side", "700", "--rounds", "1").splitlines()[-4:]
    rates = {line.partition(":")[0]: float(line.split()[1]) for line in scenes}
    assert set(rates) == {"deflate", "jpeg", "raw"}
    assert last == f"{min(rates.values()):.1f} MP/s"
    for line in scenes:
        shares = [float(part) for part in re.findall(r"(-?\d+)%", line)]
        assert len(shares) == 7
        assert 95 <= sum(shares) <= 105


def refused(script: str, *arguments: str | Path) -> str:
    """What a script says of why it does not run."""
    command = [sys.executable, BENCHMARKS / script, *arguments]
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600)
    assert ended.returncode != 0
    return ended.stderr


def test_the_mean_of_a_model_and_itself_is_that_model(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    said("average_models.py", "default", "default", "--name", "mean", "-o", tmp_path)
    one, mean = (load_network(find_checkpoint(name)) for name in ("default", str(tmp_path / "mean.json")))
    for a, b in zip(one.state_dict().values(), mean.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-3)


def test_our_part_of_the_comparison_with_other_tools_runs(tmp_path: Path) -> None:
    said("peers/ours.py", "prepare", tmp_path, "512")
    assert '"seconds"' in said("peers/ours.py", "predict", tmp_path, "--precision", "fp32")


def test_the_gpu_script_says_so_where_there_is_none() -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    command = [sys.executable, str(BENCHMARKS / "gpu.py"), "--megapixels", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 1
    assert "no CUDA GPU" in ended.stderr + ended.stdout


def test_hard_places_and_looks_of_a_drawn_data_set(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("openvino")
    draw_pairs(tmp_path / "a", [f"a{i}" for i in range(4)])
    recipe = tmp_path / "drawn.toml"
    recipe.write_text(SMALL_RECIPE.format(path=tmp_path / "a"))
    places, sheet, card = tmp_path / "hard.json", tmp_path / "hard.jpg", tmp_path / "card.json"
    assert " missed" in said("hard_places.py", "--recipe", recipe, "-o", places, "--sheet", sheet)
    assert set(json.loads(places.read_text())) == {"model", "places"}
    card.write_bytes(find_checkpoint("default").path.read_bytes())
    said("seen.py", card, "--recipe", recipe)
    assert read_card(card).seen.brightness != find_checkpoint("default").card.seen.brightness


def test_a_teacher_sees_each_training_picture_once_and_what_was_damaged_again(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("openvino")
    draw_pairs(tmp_path / "a", [f"a{i}" for i in range(4)])
    recipe, folder = tmp_path / "drawn.toml", tmp_path / "taught"
    recipe.write_text(SMALL_RECIPE.format(path=tmp_path / "a"))
    told = said("teacher.py", "--recipe", recipe, "-o", folder).splitlines()
    (data,) = (each.source.path for each in prepare(load_recipe(str(recipe))).chips.sources)
    files = [read_teacher(folder).path(data, line.partition(": ")[2]) for line in told]
    assert len(files) == len(list(folder.rglob("*.npy"))) > 1
    assert json.loads((folder / ABOUT).read_text())["looks"] == 8
    whole = [path.read_bytes() for path in files]
    files[0].write_bytes(whole[0][:100])
    assert said("teacher.py", "--recipe", recipe, "-o", folder).splitlines() == told[:1]
    assert [path.read_bytes() for path in files] == whole
    said("teacher.py", "--recipe", recipe, "-o", tmp_path / "plain", "--plain")
    assert [path.read_bytes() for path in sorted((tmp_path / "plain").rglob("*.npy"))] != sorted(whole)
    assert "another teacher" in refused("teacher.py", "--recipe", recipe, "-o", folder, "--plain")
    assert "no nowhere" in refused("teacher.py", "--recipe", recipe, "-o", folder, "--data", "nowhere")


def test_overlap_and_lines_are_told_apart_from_opening(capsys: pytest.CaptureFixture[str]) -> None:
    spec = importlib.util.spec_from_file_location("predict_speed", BENCHMARKS / "predict_speed.py")
    assert spec is not None and spec.loader is not None
    script = sys.modules["predict_speed"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def run(wall_s: float, bare_s: float) -> object:
        return script.Timed(wall_s + 3, 0.0, 3.0), script.Timed(bare_s, 0.0)

    # The network takes 10 s for twice the pixels, then 20 s on a machine that is half as fast.
    script.report_limits(
        {"predict": [run(12.5, 10.0), run(25.0, 20.0)], "extract": [run(27.5, 20.0), run(13.75, 10.0)]}, 2.0
    )
    assert "reaches 0.40 of the speed" in (out := capsys.readouterr().out) and "predict 1.100" in out


def test_models_are_compared_picture_by_picture(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    draw_pairs(tmp_path / "a", [f"a{i}" for i in range(4)])
    sheet = tmp_path / "sheet.png"
    line, again = said(
        "side_by_side.py", tmp_path / "a", "--models", "default", "default",
        "--subset", "train", "--shown", "2", "--gsd-m", "0.5", "-o", sheet,
    ).splitlines()  # fmt: skip
    assert line == again and "two-fold 0." in line
    drawn = np.asarray(cv2.imread(str(sheet)))
    assert drawn.shape == (2 * 400, 3 * 400, 3)
    assert (drawn[:, 400:800] == drawn[:, 800:]).all() and (drawn[:, :400] != drawn[:, 400:800]).any()


def test_profiles_lie_across_roads_that_are_wide(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    pairs, sheet = draw_pairs(tmp_path / "a", [f"a{i}" for i in range(4)], size=320), tmp_path / "sheet.png"
    band = np.zeros((320, 320), np.uint8)
    band[100:160] = 255
    wide = {path.name for path in sorted((pairs / "masks").iterdir())[::2]}
    for name in wide:
        cv2.imwrite(str(pairs / "masks" / name), band)
    lines = said("lines/strips.py", pairs, "--models", "default", "-o", sheet).splitlines()
    found = [re.match(r"\w+: (\d) pictures, (\d+) profiles", line) for line in lines]
    counts = [(int(match[1]), int(match[2])) for match in found if match]
    assert sum(pictures for pictures, _ in counts) == len(wide)
    # 160 m of a road of 30 m, whose first and last 15 m are left out, one every 5 m.
    assert sum(profiles for _, profiles in counts) == pytest.approx(26 * len(wide), abs=2)
    told = next(line for line in lines if "no line" in line)
    none, one, more, _ = map(float, re.findall(r"\d\.\d\d", told))
    assert none + one + more == pytest.approx(1, abs=0.02)
    assert np.asarray(cv2.imread(str(sheet))).shape == (2 * 420, 2 * 420, 3)


def test_a_profile_tells_lines_and_dips_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS / "lines"))
    strips = importlib.import_module("strips")
    profile = np.array([[10.0, 20.0], [52.0, 20.0]])
    lines = shapely.MultiLineString([[(20, 0), (20, 40)], [(40, 0), (40, 40)]])
    assert [
        strips.n_crossing(few, profile) for few in (lines, lines.geoms[0], shapely.MultiLineString())
    ] == [2, 1, 0]
    band = np.zeros((40, 64), np.uint8)
    band[:, 10:52] = 230
    assert not strips.dips(band, profile)
    band[:, 30:32] = 150
    assert strips.dips(band, profile)


def test_renewed_norms_are_those_of_the_chips(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    draw_pairs(tmp_path / "a", [f"a{i}" for i in range(4)])
    recipe = tmp_path / "drawn.toml"
    recipe.write_text(SMALL_RECIPE.format(path=tmp_path / "a"))
    for name, start in (("one", "default"), ("two", tmp_path / "one.json")):
        said("renew_norms.py", start, "--recipe", recipe, "--chips", "4", "--name", name, "-o", tmp_path)
    before, one, two = (
        load_network(find_checkpoint(str(name))).state_dict()
        for name in ("default", tmp_path / "one.json", tmp_path / "two.json")
    )
    moved = {key for key in before if not torch.equal(before[key], one[key])}
    moved = {key for key in moved if not key.endswith("num_batches_tracked")}
    assert moved == {key for key in before if key.endswith(("running_mean", "running_var"))}
    for key in moved:  # of the same chips they are the same, whatever they were before
        torch.testing.assert_close(one[key], two[key], rtol=2e-2, atol=2e-2)
