"""The nodes in a second file, beside formats that hold one layer."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
from click.testing import CliRunner
from drawn_networks import network
from drawn_rasters import write_raster
from test_write_roads import EMPTY, OPTIONS

from georoads.cli.main import cli
from georoads.errors import GeoroadsError, LayerError
from georoads.output.format_params import FormatParams
from georoads.output.write import check_road_output, write_roads

BOTH = replace(OPTIONS, formats=FormatParams(nodes=True))
SUFFIXES = [".geojson", ".json", ".fgb", ".parquet", ".geoparquet"]


def read(path: Path) -> Any:
    """The rows of a layer."""
    if "parquet" in path.suffix:
        return geopandas.read_parquet(path)
    return geopandas.read_file(path)


@pytest.fixture(autouse=True)
def _needs_pyarrow(request: pytest.FixtureRequest) -> None:
    if "parquet" in str(getattr(request.node, "callspec", None) and request.node.callspec.params):
        pytest.importorskip("pyarrow")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_ends_of_the_roads_are_found_in_the_second_file(tmp_path: Path, suffix: str) -> None:
    write_roads(network(), tmp_path / f"roads{suffix}", BOTH)
    roads, nodes = read(tmp_path / f"roads{suffix}"), read(tmp_path / f"roads_nodes{suffix}")
    assert sorted(nodes["kind"]) == ["end"] * 4 + ["junction"]
    assert roads.crs == nodes.crs
    place = dict(zip(nodes["node_id"], nodes.geometry, strict=True))
    for road in roads.itertuples():
        for end, node in ((0, road.from_node), (-1, road.to_node)):
            assert road.geometry.coords[end] == pytest.approx(place[node].coords[0], abs=1e-9)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_being_asked_for_there_is_no_second_file(tmp_path: Path, suffix: str) -> None:
    write_roads(network(), tmp_path / f"roads{suffix}", OPTIONS)
    write_roads(network(), tmp_path / f"dots{suffix}", replace(BOTH, holds="nodes"))
    assert {p.stem for p in tmp_path.iterdir()} == {"roads", "dots"}


@pytest.mark.parametrize("suffix", [".gpkg", ".osm"])
def test_formats_that_hold_the_nodes_have_no_second_file(tmp_path: Path, suffix: str) -> None:
    write_roads(network(), tmp_path / f"roads{suffix}", BOTH)
    assert [p.name for p in tmp_path.iterdir()] == [f"roads{suffix}"]


def test_empty_layers(tmp_path: Path) -> None:
    write_roads(EMPTY, tmp_path / "roads.fgb", BOTH)
    assert len(read(tmp_path / "roads_nodes.fgb")) == 0


def test_a_second_file_that_is_there_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    roads, nodes = tmp_path / "roads.geojson", tmp_path / "roads_nodes.geojson"
    nodes.write_text("mine")
    for refused in (check_road_output, lambda *given: write_roads(network(), *given)):
        with pytest.raises(GeoroadsError, match=r"roads_nodes\.geojson exists"):
            refused(roads, BOTH)
    assert not roads.exists()
    assert nodes.read_text() == "mine"
    with pytest.raises(GeoroadsError, match="is an input and the output"):
        check_road_output(roads, replace(BOTH, overwrite=True), inputs=(nodes,))
    write_roads(network(), roads, replace(BOTH, overwrite=True))
    assert len(read(nodes)) == 5


@pytest.mark.parametrize("broken", ["roads", "nodes"])
def test_what_cannot_be_written_leaves_both_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    paths = tmp_path / "roads.geojson", tmp_path / "roads_nodes.geojson"
    for path in paths:
        path.write_text("old")

    def check(part: Path, driver: str, table: Any) -> None:
        if table.layer.name == broken:
            raise LayerError("the disk is failing", "")

    monkeypatch.setattr("georoads.output.one_layer.verify_single_layer", check)
    with pytest.raises(LayerError, match="failing"):
        write_roads(network(), paths[0], replace(BOTH, overwrite=True))
    assert [path.read_text() for path in paths] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_from_the_command_line(tmp_path: Path) -> None:
    drawn = np.zeros((1, 80, 400), dtype=np.uint8)
    drawn[:, 36:44] = 255
    mask = write_raster(tmp_path / "mask.tif", drawn)
    output = tmp_path / "roads.geojson"
    command = ["vectorize", str(mask), "-o", str(output), "--set", "write.nodes=true"]
    taken = CliRunner().invoke(cli, [*command, "--json", str(tmp_path / "roads_nodes.geojson")])
    assert "named for two outputs" in str(taken.exception)
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert read(tmp_path / "roads_nodes.geojson")["kind"].tolist() == ["scene_edge", "scene_edge"]
