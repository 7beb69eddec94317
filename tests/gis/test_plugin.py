"""The plugin in a real QGIS: its algorithms, their results with their styles, stopped and gone on with."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
from documented import example_corner
from plugin_parts import PLUGIN, ROOT
from skimage.io import imread
from test_qgis import PYTHON, environment, qgis  # noqa: F401  # the fixture, too

pytestmark = [pytest.mark.slow, pytest.mark.qgis]

HELPER = Path(__file__).with_name("run_in_qgis.py")
# Debian's qgis_process passes an option on that it does not know itself; the program behind it does not.
PROCESS = shutil.which("qgis_process.bin") or shutil.which("qgis_process")
SIZE_PX = 448


@pytest.fixture(scope="module")
def user(qgis: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:  # noqa: F811
    """The environment of a user who has the plugin enabled and georoads on the PATH."""
    profile = qgis / ".local" / "share" / "QGIS" / "QGIS3" / "profiles" / "default"
    (profile / "python" / "plugins").mkdir(parents=True)
    (profile / "python" / "plugins" / "georoads").symlink_to(PLUGIN)
    (profile / "QGIS").mkdir()
    (profile / "QGIS" / "QGIS3.ini").write_text("[PythonPlugins]\ngeoroads=true\n", encoding="utf-8")
    folder = tmp_path_factory.mktemp("bin")
    cache = os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")
    program = folder / "georoads"
    program.write_text(
        f'#!/bin/sh\nXDG_CACHE_HOME="{cache}" HOME="{Path.home()}" PYTHONPATH="{ROOT}" '
        f'exec "{sys.executable}" -P -m georoads "$@"\n',
        encoding="utf-8",
    )
    program.chmod(0o755)
    return {**environment(qgis), "PATH": f"{folder}:/usr/bin:/bin"}


@pytest.fixture(scope="module")
def report(user: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What QGIS makes of a walk through the algorithms on a corner of the example scene."""
    place = tmp_path_factory.mktemp("place")
    scene = example_corner(place / "scene.tif", SIZE_PX)
    with rasterio.open(scene) as opened:
        crs, (west, south, east, north) = opened.crs.to_string(), opened.bounds
    truth = str(ROOT / "examples" / "roads_truth.geojson")
    jobs = [
        {"algorithm": "georoads:extract", "parameters": {
            "SCENE": str(scene), "OUTPUT": "TEMPORARY_OUTPUT", "THRESHOLD": 0.45,
             "SETTINGS": "network.spur_m=12",
            "EXTENT": f"{west},{east},{south},{north - 20} [{crs}]"}},
        {"algorithm": "georoads:errors", "parameters": {
            "ROADS": "the first result", "REFERENCE": truth, "BUFFER_M": 6.0,
            "EXPLAIN": str(place / "errors.gpkg")}},
        {"algorithm": "georoads:extract", "parameters": {
            "SCENE": str(scene), "OUTPUT": str(place / "none.gpkg"), "THRESHOLD": 45}},
        {"algorithm": "georoads:extract", "parameters": {
            "SCENE": "tiles", "OUTPUT": str(place / "none.gpkg")}},
    ]  # fmt: skip
    told = {"scene": str(scene), "jobs": jobs}
    (place / "jobs.json").write_text(json.dumps(told), encoding="utf-8")
    files = [place / name for name in ("jobs.json", "report.json", "picture.png")]
    done = subprocess.run(
        [PYTHON, str(HELPER), str(PLUGIN), *map(str, files)],
        env=user, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(files[1].read_text(encoding="utf-8"))
    return {**found, "picture": files[2]}


def test_first_sight_is_short_and_everything_has_its_help(report: dict[str, Any]) -> None:
    algorithms = report["algorithms"]
    assert algorithms.keys() == {"setup", "extract", "vectorize", "score", "diff", "errors", "page"}
    assert algorithms["extract"]["shown"] == ["SCENE", "EXTENT", "OUTPUT", "MODEL", "THRESHOLD"]
    assert algorithms["extract"]["types"]["SCENE"] == "raster"
    assert algorithms["extract"]["types"]["EXTENT"] == "extent"
    assert algorithms["score"]["types"]["ROADS"] == "vector"
    assert algorithms["diff"]["types"]["ALIGN"] == "enum"
    assert "network.spur_m" in algorithms["extract"]["help"]
    inputs = {"SCENE", "RASTER", "ROADS", "REFERENCE"}  # arguments have no help of their own
    assert all(set(each["silent"]) <= inputs | {"PYTHON"} for each in algorithms.values())


def test_results_are_loaded_with_all_layers_and_the_style_of_their_file(report: dict[str, Any]) -> None:
    extracted, errors, refused, _ = report["jobs"]
    assert extracted["ok"] and errors["ok"] and "error" in refused
    assert extracted["results"]["OUTPUT"].endswith(".gpkg|layername=roads")
    renderers = {layer["name"]: layer["renderer"] for layer in report["layers"]}
    assert renderers == {
        "nodes": "categorizedSymbol", "roads": "graduatedSymbol", "errors": "categorizedSymbol"
    }  # fmt: skip
    assert all(layer["valid"] and layer["crs"] == "EPSG:32647" for layer in report["layers"])
    names = [layer["name"] for layer in report["layers"]]
    assert names.index("nodes") < names.index("roads")  # nodes lie on top


def test_what_was_asked_for_reaches_georoads(report: dict[str, Any]) -> None:
    extracted, errors, *_ = report["jobs"]
    said = "\n".join(extracted["lines"])
    assert "unfinished" in said  # where work towards a temporary output is found again
    assert "--threshold 0.45" in said and "--set network.spur_m=12" in said and "--resume" in said
    assert any("Predicting" in line for line in extracted["lines"]) and max(extracted["shares"]) == 100
    assert 0 < errors["results"]["F1"] < 1 and 0 < errors["results"]["APLS"] <= 1
    assert "--layer roads" in "\n".join(errors["lines"]) and "--buffer 6" in "\n".join(errors["lines"])
    assert "--set scene.bounds=[" in said.replace("'", "")


def test_a_refusal_is_the_error_with_its_hint(report: dict[str, Any]) -> None:
    *_, refused, tiles = report["jobs"]
    assert "--threshold 45 is no probability" in refused["error"] and "0.45" in refused["error"]
    assert "tiles comes from a server (wms)" in tiles["error"] and "as GeoTIFF first" in tiles["error"]


def test_the_layers_are_drawn(report: dict[str, Any]) -> None:
    assert report["errors"] == []
    colours = imread(report["picture"])[:, :, :3].reshape(-1, 3).astype(int)
    ground = np.abs(colours - np.array([250, 246, 92])).max(axis=1) < 30  # the colour of confident roads
    assert ground.sum() > 200


@pytest.mark.skipif(PROCESS is None, reason="there is no qgis_process")
def test_a_stopped_run_goes_on_where_it_was(user: dict[str, str], tmp_path: Path) -> None:
    scene = example_corner(tmp_path / "scene.tif", 900)
    words = [str(PROCESS), "run", "georoads:extract", f"--SCENE={scene}", "--SETTINGS=predict.batch=1"]
    output = tmp_path / "roads.gpkg"
    with subprocess.Popen(
        [*words, f"--OUTPUT={output}"], env=user, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        assert process.stdout is not None
        said = read_until(process, b" tiles\n0")
        process.send_signal(signal.SIGTERM)
        said += process.stdout.read()
    assert process.returncode == 1, said
    assert b"the same parameters again go on where it was" in said
    assert not output.exists() and (tmp_path / "roads.gpkg.work").is_dir()
    again = subprocess.run([*words, f"--OUTPUT={output}"], env=user, capture_output=True, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert not (tmp_path / "roads.gpkg.work").exists()
    assert len(geopandas.read_file(output, layer="roads"))


def read_until(process: subprocess.Popen[bytes], words: bytes) -> bytes:
    """What a process said until these words came."""
    assert process.stdout is not None
    said, until = b"", time.monotonic() + 120
    while words not in said:
        ready = select.select([process.stdout], [], [], max(0.0, until - time.monotonic()))[0]
        part = os.read(process.stdout.fileno(), 4096) if ready else b""
        assert part, said
        said += part
    return said
