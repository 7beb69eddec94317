"""Named layers, and layers added to a GeoPackage that holds others."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from drawn_networks import network
from test_write_roads import EMPTY, NODE_FIELDS, OPTIONS, ROAD_FIELDS, query

from georoads.errors import LayerError
from georoads.output import write
from georoads.output.geopackage import finish_geopackage
from georoads.output.read import read_roads
from georoads.output.write import check_road_output, write_roads

STREETS = replace(OPTIONS, layer="streets")
ADDED = replace(STREETS, append=True)


def contents(path: Path, tables: list[str]) -> dict[str, list[tuple[object, ...]]]:
    """All rows of some tables, geometries as stored."""
    return {table: query(path, f'SELECT * FROM "{table}"') for table in tables}


def somebodys(path: Path) -> Path:
    """A GeoPackage with a layer of points in another CRS, written without georoads."""
    points = shapely.to_wkb(np.array([shapely.Point(9, 45), shapely.Point(9.1, 45)], dtype=object))
    names = [np.array(["oak", None], dtype=object)]
    pyogrio.raw.write(path, points, names, ["kind"], layer="trees", geometry_type="Point", crs="EPSG:4326")
    return path


def test_named_layer(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_roads(network(), path, STREETS)
    assert [str(name) for name, kind in pyogrio.list_layers(path) if kind] == ["streets", "streets_nodes"]
    assert len(read_roads(path).lines) == len(read_roads(path, "streets").lines) == 4
    columns = query(path, "SELECT table_name, column_name FROM gpkg_data_columns ORDER BY rowid")
    assert columns == [("streets", f) for f in ROAD_FIELDS] + [("streets_nodes", f) for f in NODE_FIELDS]
    styles = query(path, "SELECT f_table_name, useAsDefault FROM layer_styles WHERE useAsDefault")
    assert styles == [("streets", 1), ("streets_nodes", 1)]


@pytest.mark.parametrize(
    "name",
    [
        *("", "a b", 'a"b', "a;DROP TABLE x", "1a", "_a", "ä", "x" * 51),
        *("layer_styles", "GPKG_contents", "sqlite_x", "rtree_a"),
        *("select", "Table", "order"),
    ],
)
def test_bad_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(LayerError, match=r"cannot be the name|is reserved|word of SQL") as e:
        check_road_output(tmp_path / "a.gpkg", replace(OPTIONS, layer=name))
    assert "roads_2020" in e.value.hint


@pytest.mark.parametrize("suffix", [".geojson", ".json", ".fgb"])
def test_formats_without_layers_refuse_names_and_append(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(LayerError, match="has no named layers"):
        check_road_output(tmp_path / f"a{suffix}", STREETS)
    with pytest.raises(LayerError, match="added to a GeoPackage only"):
        check_road_output(tmp_path / f"a{suffix}", replace(OPTIONS, append=True))


def test_append_keeps_what_is_there(tmp_path: Path) -> None:
    path = somebodys(tmp_path / "a.gpkg")
    before = contents(path, ["trees", "rtree_trees_geom"])
    row = query(path, "SELECT * FROM gpkg_contents WHERE table_name = 'trees'")
    write_roads(network(), path, replace(OPTIONS, append=True))
    first = contents(path, ["roads", "nodes", "rtree_roads_geom"])
    write_roads(EMPTY, path, ADDED)
    assert contents(path, list(before)) == before
    assert contents(path, list(first)) == first
    assert query(path, "SELECT * FROM gpkg_contents WHERE table_name = 'trees'") == row
    layers = [str(name) for name, kind in pyogrio.list_layers(path) if kind]
    assert layers == ["trees", "roads", "nodes", "streets", "streets_nodes"]
    assert pyogrio.read_info(path, layer="trees")["crs"] == "EPSG:4326"
    assert pyogrio.read_info(path, layer="streets")["crs"] == "EPSG:32632"
    assert (len(read_roads(path).lines), len(read_roads(path, "streets").lines)) == (4, 0)
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "PRAGMA foreign_key_check") == []
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]


def test_appended_layers_have_their_own_provenance_and_style(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    write_roads(network(), path, OPTIONS)
    write_roads(network(), path, ADDED)
    scopes = query(path, "SELECT reference_scope, table_name, md_file_id FROM gpkg_metadata_reference")
    assert scopes == [("geopackage", None, 1), ("table", "streets", 2), ("table", "streets_nodes", 2)]
    styles = query(path, "SELECT f_table_name FROM layer_styles WHERE useAsDefault")
    assert styles == [("roads",), ("nodes",), ("streets",), ("streets_nodes",)]
    for table in ("gpkg_extensions", "gpkg_data_column_constraints"):
        found = query(path, f"SELECT * FROM {table}")
        assert len(found) == len(set(found))


@pytest.mark.parametrize("taken", ["streets", "STREETS", "streets_nodes"])
def test_names_that_are_taken_are_refused(tmp_path: Path, taken: str) -> None:
    path = tmp_path / "a.gpkg"
    write_roads(network(), path, replace(OPTIONS, layer=taken))
    before = path.read_bytes()
    with pytest.raises(LayerError, match="already"):
        write_roads(EMPTY, path, ADDED)
    assert path.read_bytes() == before


def test_append_to_what_is_no_geopackage(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    path.write_text("notes")
    with pytest.raises(LayerError, match="is no GeoPackage"):
        check_road_output(path, ADDED)
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE a (b)")
    with pytest.raises(LayerError, match="is no sound GeoPackage"):
        check_road_output(path, ADDED)


def test_append_makes_the_file_where_there_is_none(tmp_path: Path) -> None:
    write_roads(network(), tmp_path / "a.gpkg", ADDED)
    write_roads(network(), tmp_path / "b.gpkg", STREETS)
    assert (tmp_path / "a.gpkg").read_bytes() == (tmp_path / "b.gpkg").read_bytes()


def test_append_or_overwrite(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="--append keeps what is there"):
        check_road_output(tmp_path / "a.gpkg", replace(ADDED, overwrite=True))


def test_failed_append_leaves_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = somebodys(tmp_path / "a.gpkg")
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise LayerError("the disk is full")

    monkeypatch.setattr(write, "finish_geopackage", fail)
    with pytest.raises(LayerError, match="disk is full"):
        write_roads(network(), path, ADDED)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.gpkg"]


def test_file_that_changes_meanwhile_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = somebodys(tmp_path / "a.gpkg")

    def finish_late(*arguments: Any) -> None:
        finish_geopackage(*arguments)
        with closing(sqlite3.connect(path)) as db:
            db.execute("CREATE TABLE late (a)")

    monkeypatch.setattr(write, "finish_geopackage", finish_late)
    with pytest.raises(LayerError, match="changed meanwhile"):
        write_roads(network(), path, ADDED)
    assert query(path, "SELECT count(*) FROM late") == [(0,)]
