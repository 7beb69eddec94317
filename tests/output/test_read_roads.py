"""Road layers from files, and what is refused (FAULTS 53, 55)."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from georoads.crs import parse_crs
from georoads.errors import LayerError
from georoads.output import vector_files as door
from georoads.output.read import RoadLines, read_roads

UTM = "EPSG:32632"
LINE = "LINESTRING (0 0, 3 4)"


def save(
    path: Path, wkts: Sequence[str | None], *, kind: str = "Unknown", layer: str = "any", **options: object
) -> Path:
    """A layer of the given WKT texts, None for a row without geometry; further calls add layers."""
    wkb = np.array([None if w is None else shapely.to_wkb(shapely.from_wkt(w)) for w in wkts], dtype=object)
    append = path.exists()
    options = {"crs": UTM, **options}
    pyogrio.raw.write(
        path, wkb, [np.arange(len(wkts))], ["n"], geometry_type=kind, layer=layer, append=append, **options
    )
    return path


def wkts(path: Path, layer: str | None = None) -> list[str]:
    return [shapely.to_wkt(line) for line in read_roads(path, layer).lines]


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb"])
def test_formats(tmp_path: Path, suffix: str) -> None:
    path = save(tmp_path / f"a{suffix}", [LINE], kind="LineString")
    assert wkts(path) == [LINE]
    assert parse_crs(read_roads(path).crs).to_epsg() == 32632


def test_multi_lines_are_exploded_and_z_is_dropped(tmp_path: Path) -> None:
    multi = "MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))"
    path = save(tmp_path / "a.gpkg", [multi, "LINESTRING Z (0 0 9, 5 5 9)"])
    assert wkts(path) == ["LINESTRING (0 0, 1 1)", "LINESTRING (2 2, 3 3)", "LINESTRING (0 0, 5 5)"]


def test_m_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    line = {"type": "LineString", "coordinates": [[9, 45, 1, 7], [9.1, 45, 1, 8]]}
    path.write_text(json.dumps({"type": "Feature", "properties": {}, "geometry": line}))
    assert wkts(path) == ["LINESTRING (9 45, 9.1 45)"]


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb"])
def test_empty_layer_is_fine(tmp_path: Path, suffix: str) -> None:
    assert wkts(save(tmp_path / f"a{suffix}", [], kind="LineString")) == []


def test_empty_geojson_is_fine(tmp_path: Path) -> None:
    path = tmp_path / "a.geojson"
    path.write_text('{"type": "FeatureCollection", "features": []}')
    assert wkts(path) == []


def test_choice_of_the_layer(tmp_path: Path) -> None:
    path = save(tmp_path / "a.gpkg", ["POINT (0 0)"], kind="Point", layer="trees")
    save(path, [LINE], kind="LineString", layer="streets")
    assert wkts(path) == [LINE]  # the only layer of lines
    save(path, ["LINESTRING (7 7, 8 8)"], kind="LineString", layer="paths")
    with pytest.raises(LayerError, match="2 layers of lines") as e:
        read_roads(path)
    assert "trees, streets, paths" in e.value.hint
    assert wkts(path, "paths") == ["LINESTRING (7 7, 8 8)"]
    save(path, ["LINESTRING (1 1, 2 2)"], kind="LineString", layer="roads")
    assert wkts(path) == ["LINESTRING (1 1, 2 2)"]
    with pytest.raises(LayerError, match="no layer 'rivers'") as e:
        read_roads(path, "rivers")
    assert "trees, streets, paths, roads" in e.value.hint
    with pytest.raises(LayerError, match="row 1 is a Point"):
        read_roads(path, "trees")


def test_rows_without_geometry(tmp_path: Path) -> None:
    path = save(tmp_path / "a.gpkg", [LINE, None, "LINESTRING EMPTY"])
    with pytest.raises(LayerError, match="2 rows have no geometry, the first is row 2"):
        read_roads(path)


def test_coordinates_that_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.fgb"
    bad = struct.pack("<BII6d", 1, 2, 3, 0, 0, np.nan, 1, 2, 2)  # WKB of a line through (nan, 1)
    wkb = np.array([shapely.to_wkb(shapely.from_wkt(LINE)), bad], dtype=object)
    pyogrio.raw.write(
        path,
        wkb,
        [np.arange(2)],
        ["n"],
        geometry_type="LineString",
        crs=UTM,
        layer_options={"SPATIAL_INDEX": "NO"},
    )
    with pytest.raises(LayerError, match="1 lines have coordinates that are no numbers"):
        read_roads(path)


def test_what_is_no_line_among_lines_is_left_out(tmp_path: Path) -> None:
    path = save(tmp_path / "a.gpkg", [LINE, "POLYGON ((0 0, 1 0, 1 1, 0 0))"])
    assert wkts(path) == [LINE]
    assert read_roads(path).notes == (f"{path}, layer any: 1 rows are lines; left out: 1 Polygon",)
    with pytest.raises(LayerError, match="row 1 is a Polygon, not a line"):
        read_roads(save(tmp_path / "b.gpkg", ["POLYGON ((0 0, 1 0, 1 1, 0 0))"]))


def test_layer_without_crs(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="crs"):
        path = save(tmp_path / "a.fgb", [LINE], kind="LineString", crs=None)
    with pytest.raises(LayerError, match="has no CRS") as e:
        read_roads(path)
    assert "ogr2ogr" in e.value.hint


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="does not exist"):
        read_roads(tmp_path / "no.gpkg")
    with pytest.raises(LayerError, match="is not a file"):
        read_roads(tmp_path)
    (tmp_path / "a.tif").write_text("x")
    with pytest.raises(LayerError, match="not a known kind"):
        read_roads(tmp_path / "a.tif")
    with pytest.raises(LayerError, match="does not exist"):
        read_roads("https://example.org/a.geojson")


@pytest.mark.parametrize("name", ["a.gpkg", "a.geojson", "a.fgb", "a.shp"])
@pytest.mark.parametrize("content", [b"", b"<OGRVRTDataSource/>", b"\x00" * 200])
def test_content_must_agree_with_the_name(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(LayerError, match="though its name says so"):
        read_roads(path)


def test_json_of_another_driver_is_refused(tmp_path: Path) -> None:
    topology = {
        "type": "Topology",
        "arcs": [[[0, 0], [1, 1]]],
        "objects": {"o": {"type": "LineString", "arcs": [0]}},
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(topology))
    with pytest.raises(LayerError):
        read_roads(path)


@pytest.mark.parametrize(
    "text",
    [
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": {"type": "LineStr',
        '{"type": "FeatureCollection", "features": ' + "[" * 100_000,
        '{"a": ' * 50_000,
        '{"hello": 1}',
    ],
    ids=["unclosed", "deep arrays", "deep objects", "no GeoJSON"],
)
def test_broken_geojson(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.geojson"
    path.write_text(text)
    with pytest.raises(LayerError):
        read_roads(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
def test_truncated(tmp_path: Path, suffix: str, keep: float) -> None:
    lines = [f"LINESTRING ({i} 0, {i} 5)" for i in range(3000)]
    path = save(tmp_path / f"a{suffix}", lines, kind="LineString")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(LayerError):
        read_roads(path)


def test_huge_geojson_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save(tmp_path / "a.geojson", ["LINESTRING (9 45, 9 46)"], kind="LineString", crs="EPSG:4326")
    monkeypatch.setattr(door, "MAX_GEOJSON_BYTES", 50)
    with pytest.raises(LayerError, match="GeoJSON is read up to") as e:
        read_roads(path)
    assert "ogr2ogr" in e.value.hint


def test_road_lines_hold_lines_only() -> None:
    with pytest.raises(ValueError, match="LineStrings only"):
        RoadLines(np.array([shapely.Point(0, 0)]), UTM)
    with pytest.raises(ValueError, match="finite"):
        RoadLines(np.array([shapely.LineString([(0, 0), (np.inf, 0)])]), UTM)
