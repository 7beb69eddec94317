"""The same rows in every format, whatever the suffix; and what is refused."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from drawn_networks import UTM, lines_of, network
from test_write_roads import EMPTY, OPTIONS, ROAD_FIELDS

from georoads.crs import parse_crs
from georoads.errors import GeoroadsError, LayerError
from georoads.grid import Grid
from georoads.network.types import RoadNetwork
from georoads.output.read import read_roads
from georoads.output.write import check_road_output, write_roads

SUFFIXES = [".gpkg", ".geojson", ".json", ".fgb", ".parquet", ".geoparquet"]
PARQUET = [".parquet", ".geoparquet"]


@pytest.fixture(autouse=True)
def _needs_pyarrow(request: pytest.FixtureRequest) -> None:
    suffix = getattr(request.node, "callspec", None) and request.node.callspec.params.get("suffix")
    if suffix in PARQUET:
        pytest.importorskip("pyarrow")


def rows(path: Path) -> list[tuple[object, ...]]:
    """The attributes of each road, by road_id."""
    if path.suffix in PARQUET:
        frame = geopandas.read_parquet(path).drop(columns="geometry")
        names = list(frame.columns)
        columns = [frame[c].astype(object).where(frame[c].notna(), None).tolist() for c in names]
    else:
        meta, _, _, columns = pyogrio.raw.read(path, layer="roads", read_geometry=False)
        names = list(meta["fields"])
    assert names == list(ROAD_FIELDS)
    return sorted(zip(*columns, strict=True))


def many(count: int = 40) -> RoadNetwork:
    """Lines scattered over the grid, so that an index does not keep them in order."""
    rng = np.random.default_rng(5)
    lines = [tuple(map(tuple, rng.uniform(0, 400, (3, 2)))) for _ in range(count)]
    return network(lines, UTM)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_format_holds_the_same_rows_in_the_same_order(tmp_path: Path, suffix: str) -> None:
    drawn = many()
    write_roads(drawn, tmp_path / "first.gpkg", OPTIONS)
    path = tmp_path / f"roads{suffix}"
    write_roads(drawn, path, OPTIONS)
    assert rows(path) == rows(tmp_path / "first.gpkg")
    expected, found = read_roads(tmp_path / "first.gpkg"), read_roads(path, with_widths=True)
    if "json" in suffix:
        assert found.crs == "EPSG:4326"
        x, y = shapely.get_coordinates(found.lines).T
        assert (x.min() > 8.9) and (y.min() > 45)
        assert len(found.lines) == len(expected.lines)
    else:
        assert parse_crs(found.crs).to_epsg() == 32632
        assert shapely.equals_exact(found.lines, expected.lines).all()
    assert found.widths_m is not None
    assert found.widths_m.tolist() == [row[2] for row in rows(path)]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_layers_are_read_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"roads{suffix}"
    write_roads(EMPTY, path, OPTIONS)
    assert len(read_roads(path, with_widths=True).lines) == 0


@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["full", "empty"])
@pytest.mark.parametrize("suffix", PARQUET)
def test_equal_runs_give_equal_geoparquet(tmp_path: Path, suffix: str, drawn: RoadNetwork) -> None:
    digests = set()
    for run in "ab":
        (tmp_path / run).mkdir()
        path = tmp_path / run / f"roads{suffix}"
        write_roads(drawn, path, OPTIONS)
        digests.add(hashlib.sha256(path.read_bytes()).hexdigest())
    assert len(digests) == 1


@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["full", "empty"])
def test_geoparquet_says_version_crs_and_types(tmp_path: Path, drawn: RoadNetwork) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "roads.parquet"
    write_roads(drawn, path, OPTIONS)
    schema = parquet.read_schema(path)
    geo = json.loads(schema.metadata[b"geo"])
    assert geo["version"] == "1.1.0"
    column = geo["columns"][geo["primary_column"]]
    assert column["encoding"] == "WKB"
    assert column["crs"]["id"] == {"authority": "EPSG", "code": 32632}
    assert {name: str(schema.field(name).type) for name in schema.names} == {
        "road_id": "int64",
        **dict.fromkeys(
            ("length_m", "width_m", "width_std_m", "confidence", "confidence_p05", "bridged_m"), "double"
        ),
        "carriageway": "string",
        "from_node": "int64",
        "to_node": "int64",
        "source": "string",
        "geometry": "binary",
    }
    assert json.loads(schema.metadata[b"georoads"])["model_terms"] == "CC BY-NC 4.0"


def test_flatgeobuf_has_an_index_and_the_provenance(tmp_path: Path) -> None:
    path = tmp_path / "roads.fgb"
    write_roads(many(), path, OPTIONS)
    info = pyogrio.read_info(path)
    assert info["capabilities"]["fast_spatial_filter"]
    assert json.loads(info["layer_metadata"]["DESCRIPTION"])["model"] == "drawn"


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet"])
def test_crs_without_code(tmp_path: Path, suffix: str) -> None:
    proj = "+proj=tmerc +lat_0=45.1 +lon_0=9.05 +ellps=WGS84 +units=m"
    drawn = network(grid=Grid(proj, Affine(0.5, 0, 0, 0, -0.5, 0), 400, 400))
    path = tmp_path / f"roads{suffix}"
    write_roads(drawn, path, OPTIONS)
    found = read_roads(path)
    assert "Transverse Mercator" in found.crs.replace("_", " ")
    assert sorted(shapely.to_wkb(found.lines)) == sorted(shapely.to_wkb(lines_of(drawn)))


def test_missing_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.extras.find_spec", lambda name: None)
    with pytest.raises(GeoroadsError, match="needs pyarrow") as e:
        check_road_output(tmp_path / "roads.geoparquet", OPTIONS)
    assert "georoads[parquet]" in e.value.hint
    (tmp_path / "old.parquet").write_bytes(b"PAR1")
    with pytest.raises(GeoroadsError, match="needs pyarrow"):
        read_roads(tmp_path / "old.parquet")


@pytest.mark.parametrize("geo", [None, b"{}", b"[]", b"{", b'{"columns": {}, "primary_column": "g"}'])
def test_parquet_that_is_no_geoparquet_is_refused(tmp_path: Path, geo: bytes | None) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    path = tmp_path / "a.parquet"
    table = pyarrow.table({"g": [b"abc"]})
    parquet.write_table(table.replace_schema_metadata(None if geo is None else {b"geo": geo}), path)
    with pytest.raises(LayerError, match=r"a\.parquet"):
        read_roads(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_truncated_parquet(tmp_path: Path, keep: float) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    write_roads(network(), path, OPTIONS)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(LayerError, match="cannot be read"):
        read_roads(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_existing_files_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"roads{suffix}"
    path.write_text("old")
    with pytest.raises(GeoroadsError, match="exists") as e:
        write_roads(network(), path, OPTIONS)
    assert ("--append" in e.value.hint) == (suffix == ".gpkg")
    assert path.read_text() == "old"
    write_roads(network(), path, replace(OPTIONS, overwrite=True))
    assert len(read_roads(path).lines) == 4
