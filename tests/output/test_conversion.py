"""What is not written is refused with the line that makes it of a GeoPackage."""

from __future__ import annotations

import shlex
from pathlib import Path

import pyogrio
import pytest
from documented import ROOT
from drawn_networks import network
from test_write_roads import OPTIONS, ROAD_FIELDS

from georoads.errors import LayerError
from georoads.output.changes_layer import check_changes_output
from georoads.output.conversion import LONGEST_FIELD, converting
from georoads.output.write import check_road_output, write_roads


def hint_for(name: str) -> str:
    """What is said to somebody who wants roads in such a file."""
    with pytest.raises(LayerError, match="roads cannot be written as") as e:
        check_road_output(Path(name), OPTIONS)
    return e.value.hint


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("roads.kml", 'ogr2ogr "roads.kml" "roads.gpkg" roads'),
        ("roads.v2.KMZ", 'ogr2ogr "roads.v2.KMZ" "roads.v2.gpkg" roads'),
        ("my roads.tab", 'ogr2ogr "my roads.tab" "my roads.gpkg" roads'),
        ("$HOME.gml", "ogr2ogr '$HOME.gml' '$HOME.gpkg' roads"),
        ("a.dxf", 'ogr2ogr "a.dxf" "a.gpkg" -sql "SELECT geom FROM roads"'),
        ("a.gpx", 'ogr2ogr "a.gpx" "a.gpkg" -t_srs EPSG:4326 -sql "SELECT geom FROM roads"'),
        ("a.csv", 'ogr2ogr "a.csv" "a.gpkg" roads -lco GEOMETRY=AS_WKT'),
    ],
)
def test_the_hint_is_the_line_to_type(name: str, line: str) -> None:
    assert hint_for(name) == f"write .gpkg, then: {line}"


@pytest.mark.parametrize("name", ["a.tif", "a", "a.osm.pbf"])
def test_where_no_line_is_known_the_suffixes_are(name: str) -> None:
    known = ".gpkg, .geojson, .json, .fgb, .parquet, .geoparquet, .osm, .overture.geojson, .overture.parquet"
    assert hint_for(name) == f"known: {known}"


def test_the_line_for_a_shapefile_takes_all_fields_under_names_that_fit(tmp_path: Path) -> None:
    _, output, source, _, sql = shlex.split(converting(tmp_path / "roads.shp"))
    write_roads(network(), source, OPTIONS)
    meta, _, wkb, columns = pyogrio.raw.read(source, sql=sql)
    names = list(meta["fields"])
    assert len(columns[0]) == len(wkb) == 4
    assert len(names) == len(ROAD_FIELDS)
    shortened = [a for a, b in zip(names, ROAD_FIELDS, strict=True) if a != b]
    assert shortened == ["width_std", "conf_p05", "carriage"]
    assert max(map(len, names)) <= LONGEST_FIELD
    pyogrio.raw.write(
        output, wkb, columns, names, driver="ESRI Shapefile", geometry_type="LineString", crs=meta["crs"]
    )
    assert list(pyogrio.read_info(output)["fields"]) == names


@pytest.mark.parametrize("suffix", [".shp", ".kml", ".dxf"])
def test_the_page_of_questions_shows_the_same_lines(suffix: str) -> None:
    line = converting(Path(f"roads{suffix}")).replace('"roads', "roads").replace(f'{suffix}"', suffix)
    assert line.replace('.gpkg"', ".gpkg") in (ROOT / "docs" / "faq.md").read_text(encoding="utf-8")


def test_layers_of_changes_are_converted_by_their_own_name() -> None:
    with pytest.raises(LayerError, match="cannot be written as") as e:
        check_changes_output(Path("changes.shp"), overwrite=False)
    assert e.value.hint == 'write .gpkg, then: ogr2ogr "changes.shp" "changes.gpkg" changes'
