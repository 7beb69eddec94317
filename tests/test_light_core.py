"""What works without any extra, and what a command says that lacks its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
FILES = {"SCENE": EXAMPLES / "scene.tif", "TRUTH": EXAMPLES / "roads_truth.geojson"}
ABSENT = (
    "torch", "torchvision", "segmentation_models_pytorch", "timm", "safetensors", "albumentations", "skimage",
    "matplotlib", "kaggle", "kagglesdk", "requests", "onnx", "ray", "psycopg", "pyarrow", "tensorboard",
)  # fmt: skip
WITHOUT = f"""
import sys
sys.modules.update(dict.fromkeys({ABSENT!r}))  # each import of them fails, as where they are not installed
from georoads.cli.main import main
main()
"""


def run_without_extras(folder: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a Python in which the packages of all extras but OpenVINO are missing.

    Args:
        folder: to run in.
        command: words after ``georoads``; SCENE and TRUTH stand for the files of examples/.
    """
    words = [str(FILES.get(word, word)) for word in command.split()]
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the lines and the probabilities of the example scene."""
    pytest.importorskip("openvino")
    folder = tmp_path_factory.mktemp("light")
    for command in ("predict SCENE -o probability.tif", "extract SCENE -o roads.gpkg"):
        done = run_without_extras(folder, command)
        assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize(
    "command",
    [
        "vectorize probability.tif -o vectorized.gpkg",
        "score roads.gpkg TRUTH",
        "diff roads.gpkg TRUTH -o changes.gpkg --probability probability.tif",
        "view roads.gpkg --scene SCENE -o map.html",
        "view roads.gpkg --scene SCENE -o project.qgz",
        "info SCENE",
        "models",
        "tiles SCENE --roads roads.gpkg -o mine",
        "doctor",
    ],
)
def test_the_core_does_without_extras(folder: Path, command: str) -> None:
    done = run_without_extras(folder, command)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("train mine", "train"),
        ("evaluate mine", "train"),
        ("export -o roads.onnx", "train,onnx"),
        ("download", "download"),
        ("extract SCENE -o new.gpkg --runtime torch", "train"),
        ("extract SCENE -o new.gpkg --preview new.png", "preview"),
        ("view roads.gpkg -o new.png", "preview"),
        ("vectorize probability.tif -o new.parquet", "parquet"),
        ("vectorize probability.tif -o postgresql://localhost/gis", "postgis"),
        ("predict SCENE -o new.tif --engine ray", "ray"),
    ],
)
def test_a_command_says_which_extra_it_lacks(folder: Path, command: str, extra: str) -> None:
    before = sorted(folder.iterdir())
    done = run_without_extras(folder, command)
    assert done.returncode == 1, done.stderr
    error, hint = done.stderr.splitlines()[-2:]
    assert error.startswith("error: ") and "not installed" in error, done.stderr
    assert hint.startswith(f'hint: python -m pip install "georoads[{extra}]"'), done.stderr
    assert sorted(folder.iterdir()) == before
