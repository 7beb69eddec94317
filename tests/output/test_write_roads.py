"""Road networks to files."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from drawn_networks import CROSSROADS, UTM, lines_of, network

from georoads.errors import GeoroadsError, LayerError
from georoads.grid import Grid
from georoads.network.types import RoadNetwork
from georoads.output.provenance import Provenance
from georoads.output.read import read_roads
from georoads.output.write import WriteOptions, check_road_output, write_roads

PROVENANCE = Provenance(
    "drawn",
    "ab" * 32,
    "CC BY-NC 4.0",
    '{"threshold": 0.5}',
    "a.tif",
    "0.1.0",
    datetime(2020, 1, 2, tzinfo=UTC),
)
OPTIONS = WriteOptions(PROVENANCE, sources=("a.tif",))
ROAD_FIELDS = {
    "road_id": "OFTInteger64",
    "length_m": "OFTReal",
    "width_m": "OFTReal",
    "width_std_m": "OFTReal",
    "confidence": "OFTReal",
    "confidence_p05": "OFTReal",
    "bridged_m": "OFTReal",
    "carriageway": "OFTString",
    "from_node": "OFTInteger64",
    "to_node": "OFTInteger64",
    "source": "OFTString",
}
NODE_FIELDS = {"node_id": "OFTInteger64", "degree": "OFTInteger", "kind": "OFTString"}
TYPED = [".gpkg", ".fgb"]
EMPTY = network(())


def read(path: Path, layer: str = "roads") -> tuple[dict[str, list[object]], list[str]]:
    """Columns by name, and the geometries as WKT, in the order of the file."""
    meta, _, wkb, columns = pyogrio.raw.read(path, layer=layer)
    named = {name: list(column) for name, column in zip(meta["fields"], columns, strict=True)}
    return named, [shapely.to_wkt(shapely.from_wkb(g), rounding_precision=3) for g in wkb]


def query(path: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


def test_geopackage_holds_what_was_drawn(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, OPTIONS)
    roads, lines = read(path)
    assert lines == [
        "LINESTRING (500100 4999950, 500100 4999900)",
        "LINESTRING (500050 4999900, 500100 4999900)",
        "LINESTRING (500100 4999900, 500125 4999895, 500150 4999900)",
        "LINESTRING (500100 4999900, 500100 4999850)",
    ]
    assert roads["road_id"] == [1, 2, 3, 4]
    assert roads["length_m"] == [50.0, 50.0, 50.99, 50.0]
    assert roads["width_m"] == [4.0, 6.667, 9.333, 12.0]
    assert roads["confidence"] == [0.4, 0.5833, 0.7667, 0.95]
    assert (roads["from_node"], roads["to_node"]) == ([1, 2, 3, 3], [3, 3, 4, 5])
    assert roads["source"] == ["a.tif"] * 4
    nodes, points = read(path, "nodes")
    assert nodes == {
        "node_id": [1, 2, 3, 4, 5],
        "degree": [1, 1, 4, 1, 1],
        "kind": ["end", "end", "junction", "end", "end"],
    }
    assert points[2] == "POINT (500100 4999900)"


def test_roads_are_numbered_in_reading_order(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(CROSSROADS[::-1]), path, OPTIONS)
    roads, lines = read(path)
    assert roads["road_id"] == [1, 2, 3, 4]
    assert lines[0] == "LINESTRING (500100 4999950, 500100 4999900)"
    assert roads["width_m"][0] == 12.0  # the attributes moved with their line


@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["full", "empty"])
@pytest.mark.parametrize("suffix", TYPED)
def test_schema_is_the_same_when_empty(tmp_path: Path, suffix: str, drawn: RoadNetwork) -> None:
    layers: dict[Literal["roads", "nodes"], Any] = {"roads": ROAD_FIELDS, "nodes": NODE_FIELDS}
    for layer, fields in layers.items():
        path = tmp_path / f"{layer}{suffix}"
        write_roads(drawn, path, replace(OPTIONS, holds=layer))
        info = pyogrio.read_info(path, layer=layer, force_feature_count=True)
        assert dict(zip(info["fields"], info["ogr_types"], strict=True)) == fields
        assert info["geometry_type"] == ("LineString" if layer == "roads" else "Point")
        assert info["crs"] == "EPSG:32632"
        assert info["features"] == (0 if drawn is EMPTY else 4 if layer == "roads" else 5)


@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["full", "empty"])
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson"])
def test_equal_runs_give_equal_bytes(tmp_path: Path, suffix: str, drawn: RoadNetwork) -> None:
    digests = set()
    for run in "ab":
        path = tmp_path / run / f"roads{suffix}"
        path.parent.mkdir()
        write_roads(drawn, path, OPTIONS)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".geojson"])
def test_write_then_read_gives_the_same_lines(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"roads{suffix}"
    write_roads(network(), path, OPTIONS)
    found = read_roads(path)
    expected = lines_of(network())
    if suffix == ".geojson":
        assert found.crs == "EPSG:4326"
        return
    # FlatGeobuf sorts along a Hilbert curve.
    assert sorted(shapely.to_wkb(found.lines)) == sorted(shapely.to_wkb(expected))


def test_geojson_is_rfc_7946(tmp_path: Path) -> None:
    path = tmp_path / "roads.geojson"
    write_roads(network(), path, OPTIONS)
    document = json.loads(path.read_text(encoding="utf-8"))
    assert "crs" not in document
    assert json.loads(document["description"])["model_terms"] == "CC BY-NC 4.0"
    first = document["features"][0]
    assert list(first["properties"]) == list(ROAD_FIELDS)
    assert first["geometry"]["coordinates"] == [[9.0012722, 45.1530271], [9.0012722, 45.152577]]


def test_one_layer_formats_hold_the_layer_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "nodes.geojson"
    write_roads(network(), path, replace(OPTIONS, holds="nodes"))
    document = json.loads(path.read_text(encoding="utf-8"))
    assert [f["geometry"]["type"] for f in document["features"]] == ["Point"] * 5


def test_other_crs(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, replace(OPTIONS, crs="EPSG:4326"))
    _, lines = read(path, "nodes")
    assert lines[2] == "POINT (9.001 45.153)"  # longitude first
    assert pyogrio.read_info(path, layer="roads")["crs"] == "EPSG:4326"
    with pytest.raises(LayerError, match="always WGS 84"):
        write_roads(network(), tmp_path / "a.geojson", replace(OPTIONS, crs="EPSG:32632"))
    with pytest.raises(LayerError, match="is no CRS"):
        write_roads(network(), tmp_path / "a.gpkg", replace(OPTIONS, crs="EPSG:nonsense"))
    with pytest.raises(LayerError, match="cannot be transformed"):
        far = Grid("EPSG:4326", Affine(0.001, 0, 9, 0, -0.001, 100), 400, 400)
        write_roads(network(grid=far), tmp_path / "a.gpkg", replace(OPTIONS, crs="EPSG:32632"))
    assert [p.name for p in tmp_path.iterdir()] == ["roads.gpkg"]


def test_rotated_grid_and_crs_without_code(tmp_path: Path) -> None:
    wkt = "+proj=tmerc +lat_0=45.1 +lon_0=9.05 +ellps=WGS84 +units=m"
    grid = Grid(wkt, Affine(0.433, 0.25, 0, 0.25, -0.433, 0), 400, 400)
    path = tmp_path / "roads.gpkg"
    write_roads(network(grid=grid), path, OPTIONS)
    assert shapely.equals(read_roads(path).lines, lines_of(network(grid=grid))).all()
    assert "Transverse Mercator" in read_roads(path).crs.replace("_", " ")


def test_geopackage_is_version_1_3_with_dates_of_the_scene(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, OPTIONS)
    assert query(path, "PRAGMA user_version") == [(10300,)]
    contents = query(path, "SELECT table_name, data_type, last_change FROM gpkg_contents ORDER BY 1")
    date = "2020-01-02T00:00:00.000Z"
    assert contents == [
        ("layer_styles", "attributes", date),
        ("nodes", "features", date),
        ("roads", "features", date),
    ]


def test_data_dictionary_and_provenance_are_inside(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, OPTIONS)
    columns = query(path, "SELECT table_name, column_name FROM gpkg_data_columns ORDER BY rowid")
    assert columns == [("roads", f) for f in ROAD_FIELDS] + [("nodes", f) for f in NODE_FIELDS]
    extensions = query(path, "SELECT table_name, extension_name, scope FROM gpkg_extensions")
    assert ("gpkg_data_columns", "gpkg_schema", "read-write") in extensions
    assert ("gpkg_metadata", "gpkg_metadata", "read-write") in extensions
    (found,) = query(
        path,
        "SELECT reference_scope, mime_type, metadata FROM gpkg_metadata JOIN gpkg_metadata_reference "
        "ON md_file_id = id",
    )
    assert found[:2] == ("geopackage", "application/json")
    assert json.loads(str(found[2]))["parameters"] == {"threshold": 0.5}
    assert query(path, "PRAGMA integrity_check") == [("ok",)]
    assert query(path, "PRAGMA foreign_key_check") == []


def test_style_is_the_default_of_its_layer(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, OPTIONS)
    styles = query(path, "SELECT f_table_name, f_geometry_column, styleName, useAsDefault FROM layer_styles")
    assert styles == [
        ("roads", "geom", "georoads roads", 1),
        ("roads", "geom", "georoads roads wide", 0),
        ("roads", "geom", "georoads roads check", 0),
        ("nodes", "geom", "georoads nodes", 1),
        ("nodes", "geom", "georoads nodes check", 0),
    ]


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    bad = "<script>alert(1)</script>'; DROP TABLE roads;--\n%s.tif"
    path = tmp_path / 'it\'s "%41" <b>🛣.gpkg'
    write_roads(
        network(), path, replace(OPTIONS, provenance=replace(PROVENANCE, scene=bad), sources=(bad, "b.tif"))
    )
    roads, _ = read(path)
    assert roads["source"] == [f"{bad}; b.tif"] * 4
    ((text,),) = query(path, "SELECT metadata FROM gpkg_metadata")
    assert json.loads(str(text))["scene"] == bad


def test_suffix_is_checked_before_work(tmp_path: Path) -> None:
    for name in ("roads.tif", "roads"):
        with pytest.raises(LayerError, match="cannot be written as") as e:
            check_road_output(tmp_path / name, OPTIONS)
        assert ".gpkg, .geojson, .json, .fgb, .parquet, .geoparquet" in e.value.hint


@pytest.mark.skipif(find_spec("pyarrow") is not None, reason="pyarrow is here")
def test_parquet_without_pyarrow_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GeoroadsError, match="pyarrow"):
        write_roads(network(), tmp_path / "roads.parquet", OPTIONS)


@pytest.mark.skipif(find_spec("pyarrow") is None, reason="needs pyarrow")
@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["full", "empty"])
def test_parquet(tmp_path: Path, drawn: RoadNetwork) -> None:
    from pyarrow import parquet

    path = tmp_path / "roads.parquet"
    write_roads(drawn, path, OPTIONS)
    schema = parquet.read_schema(path)
    assert schema.names == [*ROAD_FIELDS, "geometry"]
    types = {name: str(schema.field(name).type) for name in ("road_id", "length_m", "source")}
    assert types["road_id"] == "int64" and types["length_m"] == "double" and "string" in types["source"]
    assert shapely.equals(read_roads(path).lines, lines_of(drawn)).all()


def test_existing_file_needs_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, OPTIONS)
    before = path.read_bytes()
    with pytest.raises(GeoroadsError, match="exists"):
        write_roads(EMPTY, path, OPTIONS)
    assert path.read_bytes() == before
    write_roads(EMPTY, path, replace(OPTIONS, overwrite=True))
    assert len(read_roads(path).lines) == 0


@pytest.mark.parametrize("mode", ["WAL", "DELETE"])
def test_geopackage_that_is_open_elsewhere_is_left_alone(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "roads.gpkg"
    write_roads(network(), path, OPTIONS)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute(f"PRAGMA journal_mode={mode}")
        db.execute("BEGIN")
        db.execute("SELECT count(*) FROM roads").fetchone()
        with pytest.raises(LayerError, match="open in another program"):
            write_roads(EMPTY, path, replace(OPTIONS, overwrite=True))
        db.execute("COMMIT")
    assert len(read_roads(path).lines) == 4
    write_roads(EMPTY, path, replace(OPTIONS, overwrite=True))
    assert [p.name for p in tmp_path.iterdir()] == ["roads.gpkg"]


def test_file_that_is_no_geopackage_can_be_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    path.write_text("notes")
    write_roads(network(), path, replace(OPTIONS, overwrite=True))
    assert len(read_roads(path).lines) == 4


FULL_DISK = """
import resource, signal, sys
from dataclasses import replace
sys.path.insert(0, sys.argv[2])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
import test_write_roads as t
from georoads.errors import GeoroadsError
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]), resource.RLIM_INFINITY))
try:
    t.write_roads(t.EMPTY, sys.argv[1], replace(t.OPTIONS, overwrite=True))
except GeoroadsError as e:
    print("refused:", e.message)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs limits of file size")
@pytest.mark.parametrize(
    "suffix, room", [(".gpkg", 30_000), (".gpkg", 120_000), (".fgb", 500), (".geojson", 100)]
)
def test_full_disk_keeps_the_old_file(tmp_path: Path, suffix: str, room: int) -> None:
    path = tmp_path / f"roads{suffix}"
    path.write_text("old")
    command = [sys.executable, "-c", FULL_DISK, str(path), str(Path(__file__).parent), str(room)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "refused:" in done.stdout, done.stderr
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_large_network_keeps_every_line_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    lines = [tuple(map(tuple, rng.uniform(0, 400, (rng.integers(2, 9), 2)))) for _ in range(500)]
    drawn = network(lines, UTM)
    path = tmp_path / "roads.gpkg"
    write_roads(drawn, path, OPTIONS)
    order = sorted(range(500), key=lambda i: (lines[i][0][1], lines[i][0][0]))
    assert shapely.equals_exact(read_roads(path).lines, lines_of(drawn)[order]).all()
