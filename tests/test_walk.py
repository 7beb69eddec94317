"""The walk from scenes to roads: what it writes, what is checked how often, and with which threshold."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from click.testing import CliRunner
from stub import LocalRuntime

import georoads
from georoads import walk
from georoads.calibration import Calibration
from georoads.cli.main import cli
from georoads.errors import GeoroadsError
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.model.config import ModelConfig
from georoads.output.read import read_roads
from georoads.output.write import WriteOptions

CARD = ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, 128, 32, 0.5)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    picture = rng.normal(80, 8, (3, 700, 1100))
    picture[:, 340:356] = 150
    picture[:, :, 500:514] = 150
    path = tmp_path / "field.tif"
    profile = {"driver": "GTiff", "width": 1100, "height": 700, "count": 3, "dtype": "uint8", "nodata": 0}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000)
    picture[:, :100, :100] = 0
    with rasterio.open(path, "w", crs="EPSG:32647", transform=transform, **profile) as out:
        out.write(picture.astype(np.uint8))
    return path


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path, Path]:
    """A crossing as one scene, and its west and east, which overlap."""
    picture = np.random.default_rng(2).normal(120, 5, (3, 480, 640)).astype(np.uint8)
    picture[:, 240:256] = picture[:, :, 300:314] = 220
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32647"}
    paths = []
    for name, first, last in (("whole", 0, 640), ("west", 0, 350), ("east", 270, 640)):
        transform = Affine(0.5, 0, 500_000 + first / 2, 0, -0.5, 1_500_000)
        paths.append(tmp_path / f"{name}.tif")
        with rasterio.open(
            paths[-1], "w", width=last - first, height=480, transform=transform, **profile
        ) as out:
            out.write(picture[:, :, first:last])
    return paths[0], paths[1], paths[2]


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A model that needs no weights: its network is a few lines of numpy."""
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    path = tmp_path / "stub.json"
    path.write_text("{}")
    checkpoint = Checkpoint(CARD, path)
    monkeypatch.setattr("georoads.model.checkpoint.find_checkpoint", lambda name: checkpoint)
    return checkpoint


@pytest.mark.slow
def test_prefetch_depth_does_not_change_a_byte(scene: Path, tmp_path: Path) -> None:
    for name, depth in (("a.tif", 1), ("b.tif", 4)):
        georoads.predict(scene, tmp_path / name, predict=georoads.PredictParams(prefetch=depth))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as raster:
        levels = raster.read(1)
    assert (levels[:100, :100] == 255).all()
    assert (levels[100:] < 255).all()


def test_extract_writes_lines_in_the_scenes_crs(scene: Path, tmp_path: Path) -> None:
    done = georoads.extract(scene, tmp_path / "roads.gpkg")
    roads = read_roads(tmp_path / "roads.gpkg")
    assert len(roads.lines) == done.summary.roads
    assert "32647" in roads.crs or "UTM zone 47N" in roads.crs


def test_overlapping_parts_of_a_scene_become_the_network_of_the_scene(
    parts: tuple[Path, Path, Path], stub: Checkpoint, tmp_path: Path
) -> None:
    layers = []
    for name, scenes in (("one", parts[:1]), ("two", parts[1:]), ("back", parts[:0:-1])):
        output = tmp_path / f"{name}.gpkg"
        georoads.extract(scenes, output, stub)
        layers.append(read_roads(output).lines)
    assert len(layers[0]) >= 4
    for found in layers[1:]:
        assert shapely.equals(found, layers[0]).all()


@contextmanager
def counted() -> Iterator[Counter[str]]:
    """How often outputs are checked, indexes are read and heads of files are looked at, by file."""
    counts: Counter[str] = Counter()
    watched = {"check_output": "path", "check_road_output": "path", "named_in": "path", "first_bytes": "file"}

    def look(frame: FrameType, event: str, _: Any) -> None:
        name = frame.f_code.co_name
        if event == "call" and name in watched and "georoads" in frame.f_code.co_filename:
            counts[f"{name} {Path(str(frame.f_locals[watched[name]])).name}"] += 1

    threading.setprofile(look)
    sys.setprofile(look)
    try:
        yield counts
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def index_of(folder: Path, *names: str) -> Path:
    features = [{"type": "Feature", "properties": {"location": n}, "geometry": None} for n in names]
    path = folder / "scenes.gti.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def run(*arguments: str | Path) -> None:
    done = CliRunner().invoke(cli, [*map(str, arguments), "-q"], catch_exceptions=False)
    assert done.exit_code == 0, done.output


@pytest.mark.slow
@pytest.mark.usefixtures("stub")
def test_each_thing_is_checked_once_and_its_output_again_when_it_is_published(
    parts: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    index = index_of(tmp_path, "west.tif", "east.tif")
    with counted() as counts:
        run(
            "extract", index, "-o", tmp_path / "r.gpkg", "--preview", tmp_path / "r.png",
            "--json", tmp_path / "r.json",
        )  # fmt: skip
    scenes = {"named_in scenes.gti.geojson": 1}
    scenes |= {f"first_bytes {name}": 1 for name in ("scenes.gti.geojson", "west.tif", "east.tif")}
    outputs = {
        "check_road_output r.gpkg": 1,
        "check_output r.gpkg": 2,
        "check_output r.png": 2,
        "check_output r.json": 2,
    }
    assert counts == scenes | outputs | {"first_bytes probability.tif": 1}
    with counted() as counts:
        run("predict", index, "-o", tmp_path / "p.tif")
    assert counts == scenes | {"check_output p.tif": 2}
    with counted() as counts:
        run("vectorize", tmp_path / "p.tif", "-o", tmp_path / "v.gpkg")
    outputs = {"check_road_output v.gpkg": 1, "check_output v.gpkg": 2}
    assert counts == outputs | {"first_bytes p.tif": 1}


@pytest.mark.usefixtures("stub")
def test_a_database_is_asked_twice(
    parts: tuple[Path, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # unfinished work lies there
    asked = []
    monkeypatch.setattr("georoads.output.write.check_database", lambda *a: asked.append(("try", a[-1])))
    monkeypatch.setattr("georoads.output.write.write_database", lambda *a: asked.append(("write", a[-1])))
    run("extract", parts[0], "-o", "postgresql://h/gis")
    (tried, crs), written = asked
    assert (tried, written) == ("try", ("write", "refuse"))
    assert "UTM zone 47N" in crs  # it is known by then


@pytest.mark.usefixtures("stub")
def test_nothing_is_begun_where_an_output_cannot_be_written(
    parts: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    for flags in (
        ("-o", tmp_path / "none" / "r.gpkg"),
        ("-o", tmp_path / "r.gpkg", "--preview", tmp_path / "r.jpg"),
        ("-o", tmp_path / "r.gpkg", "--json", tmp_path / "none" / "r.json"),
        ("-o", tmp_path / "r.gpkg", "--json", parts[0]),
        ("-o", tmp_path / "r.gpkg", "--aoi", "0,0,1,1"),
    ):
        done = CliRunner().invoke(cli, ["extract", str(parts[0]), *map(str, flags)])
        assert isinstance(done.exception, GeoroadsError), flags
        assert sorted(tmp_path.iterdir()) == before


def test_the_threshold_is_the_models_where_none_is_stated(
    parts: tuple[Path, Path, Path], stub: Checkpoint, tmp_path: Path
) -> None:
    for stated, holds in ((None, 0.5), (0.75, 0.75)):
        layer = walk.LayerRequest(
            output=tmp_path / "r.gpkg", network=georoads.VectorizeParams(stated, spur_m=8)
        )
        request = walk.ExtractRequest(scenes=parts[:1], checkpoint=stub, layer=layer)
        with walk.prepare(request) as prepared:
            wanted = georoads.VectorizeParams(holds, spur_m=8, confidence_at=(), width_of=())
            assert prepared.layer.network == wanted
            assert json.loads(prepared.layer.write.provenance.parameters)["threshold"] == holds
    georoads.predict(parts[0], tmp_path / "p.tif", stub)
    with rasterio.open(tmp_path / "p.tif", "r+") as raster:
        raster.update_tags(GEOROADS_THRESHOLD="0.625")
    with walk.prepare(walk.VectorizeRequest(raster=tmp_path / "p.tif")) as prepared:
        assert prepared.layer.network.threshold == 0.625


def test_the_calibration_is_the_models_however_its_raster_is_traced(
    parts: tuple[Path, Path, Path], stub: Checkpoint, tmp_path: Path
) -> None:
    said = Calibration(tuple(np.linspace(0, 0.9, 11).round(2).tolist()), (0.5, 1.0))
    calibrated = dataclasses.replace(stub, card=dataclasses.replace(stub.card, calibration=said))
    plain, roads = (georoads.extract(parts[0], model=model).network for model in (stub, calibrated))
    assert plain.n_edges and roads.confidence == pytest.approx(0.9 * plain.confidence)
    assert roads.width_m == pytest.approx(plain.width_m / 2)
    georoads.predict(parts[0], tmp_path / "p.tif", calibrated)
    again = georoads.vectorize(tmp_path / "p.tif").network
    assert np.array_equal(again.width_m, roads.width_m) and np.array_equal(again.confidence, roads.confidence)


def test_roads_that_are_not_written_are_those_that_would_be(
    parts: tuple[Path, Path, Path], stub: Checkpoint, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    area = georoads.read_area("98.99,13.56,99.0005,13.58")
    write = WriteOptions(crs="EPSG:4326", area=area)
    kept = georoads.extract(parts[0], model=stub, write=write)
    assert sorted(tmp_path.iterdir()) == before
    written = georoads.extract(parts[0], tmp_path / "r.gpkg", stub, write=write)
    assert 0 < len(kept.roads) == kept.summary.roads
    assert kept.roads.equals(written.roads) and kept.nodes.equals(written.nodes)
    assert kept.roads.crs == "EPSG:4326"
    import geopandas

    for name, frame in (("roads", kept.roads), ("nodes", kept.nodes)):
        there = geopandas.read_file(tmp_path / "r.gpkg", layer=name)
        assert list(there.columns) == list(frame.columns)
        assert there.drop(columns="geometry").equals(frame.drop(columns="geometry"))
        assert shapely.equals_exact(there.geometry, frame.geometry, 1e-9).all()
