"""The errors as lines: what they are, that they add up, and the file that QGIS opens styled."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import shapely
from drawn_layers import LOCAL, moved, random_town, roads

from georoads.errors import GeoroadsError, LayerError
from georoads.output.errors_layer import KINDS, ErrorKind, ErrorLines, errors_qml
from georoads.output.read import RoadLines, read_roads
from georoads.scoring.explain import explain, write_explained
from georoads.scoring.params import ScoreParams
from georoads.scoring.score import score

REFERENCE = roads([(0, 0), (100, 0), (100, 100)])
PROPOSAL = roads([(50, 0), (0, 0)], [(0, 0), (0, -40)])


def stretches(found: ErrorLines) -> list[tuple[str, str]]:
    lines = shapely.set_precision(found.lines, 0.01)
    return sorted((kind.value, line.wkt) for kind, line in zip(found.kinds, lines, strict=True))


def test_by_hand() -> None:
    #  reference  +--------+ 100      proposal   x----- 50
    #             0        |                     | -40
    #                      100
    found = explain(PROPOSAL, REFERENCE)
    assert stretches(found) == [
        ("false", "LINESTRING (0 -4, 0 -40)"),
        ("missing", "LINESTRING (54 0, 100 0, 100 100)"),
        ("right", "LINESTRING (0 0, 0 -4)"),
        ("right", "LINESTRING (50 0, 0 0)"),
    ]
    assert sorted(found.length_m.round(4).tolist()) == [4, 36, 50, 146]
    assert found.crs == LOCAL


def test_a_false_piece_in_the_middle_of_a_line() -> None:
    #  ---\  /---   leaves the road by 20 m and comes back
    found = explain(roads([(0, 0), (40, 0), (50, 20), (60, 0), (100, 0)]), roads([(0, 0), (100, 0)]))
    assert [kind.value for kind in found.kinds] == ["right", "right", "false", "missing"]
    #  It is 4 m away where it has gone √20 m to the side, at 40 + √5 · 2 m along.
    assert found.length_m[3] == pytest.approx(20 - 4 * math.sqrt(5))
    assert found.lines[2].coords[1] == pytest.approx((50, 20), abs=1e-6)
    assert len(found.lines[0].coords) == len(found.lines[1].coords) == 3


@pytest.mark.parametrize("crs", [LOCAL, "EPSG:4326", "EPSG:32632"])
def test_lengths_add_up_to_the_score(crs: str) -> None:
    proposal, reference = moved(random_town(71), crs), random_town(70)
    found, scored = explain(proposal, reference), score(proposal, reference)
    right, false, missing = (found.total_m(k) for k in (ErrorKind.RIGHT, ErrorKind.FALSE, ErrorKind.MISSING))
    assert right / (right + false) == pytest.approx(scored.correctness, abs=1e-6)
    assert (right + false) / 1000 == pytest.approx(scored.proposal_km, abs=1e-6)
    assert 1 - missing / 1000 / scored.reference_km == pytest.approx(scored.completeness, abs=1e-6)
    assert min(right, false, missing) > 10
    # The lines lie where the proposal lies, in its CRS.
    everything = shapely.union_all(proposal.lines)
    ours = found.lines[np.array([k is not ErrorKind.MISSING for k in found.kinds])]
    assert float(shapely.distance(shapely.get_point(ours, 0), everything).max()) < 1e-3


def test_empty_layers() -> None:
    assert len(explain(roads(), roads()).lines) == 0
    assert [k.value for k in explain(roads(), REFERENCE).kinds] == ["missing"]
    assert [k.value for k in explain(REFERENCE, roads()).kinds] == ["false"]


def written(folder: Path, *layers: RoadLines, name: str = "errors.gpkg", overwrite: bool = False) -> Path:
    proposal, reference = layers or (PROPOSAL, REFERENCE)
    files = {"proposal_file": folder / "roads.gpkg", "reference_file": folder / "truth.geojson"}
    for file in files.values():
        file.touch()
    path = folder / name
    date = datetime(2020, 9, 13, tzinfo=UTC)
    write_explained(path, proposal, reference, ScoreParams(), **files, overwrite=overwrite, date=date)
    return path


@pytest.mark.parametrize("empty", [False, True])
def test_the_file(tmp_path: Path, empty: bool) -> None:
    layers = (roads(), roads()) if empty else (moved(PROPOSAL, "EPSG:32632"), REFERENCE)
    path = written(tmp_path, *layers)
    info = pyogrio.read_info(path, layer="errors")
    assert (list(info["fields"]), info["geometry_type"]) == (["kind", "length_m"], "LineString")
    assert info["features"] == (0 if empty else 4)
    frame = pyogrio.read_dataframe(path, layer="errors")
    if not empty:
        assert info["crs"] == "EPSG:32632"
        assert sorted(frame["kind"]) == ["false", "missing", "right", "right"]
        assert sorted(frame["length_m"].round(1)) == [4, 36, 50, 146]
        assert len(read_roads(path, "errors").lines) == 4
    with closing(sqlite3.connect(path)) as db:
        row = db.execute("SELECT f_table_name, f_geometry_column, styleQML, useAsDefault FROM layer_styles")
        ((table, column, qml, default),) = row.fetchall()
        assert (table, column, qml, default) == ("errors", "geom", errors_qml(), 1)
        described = db.execute("SELECT column_name FROM gpkg_data_columns").fetchall()
        assert [name for (name,) in described] == ["kind", "length_m"]
        ((text,),) = db.execute("SELECT metadata FROM gpkg_metadata").fetchall()
        known = json.loads(text)
        assert (known["scene"], known["parameters"]["buffer_m"]) == ("roads.gpkg against truth.geojson", 4.0)


def test_the_style_has_one_category_per_kind() -> None:
    root = ElementTree.fromstring(errors_qml().split("\n", 1)[1])
    renderer = root.find("renderer-v2")
    assert renderer is not None
    assert (renderer.get("type"), renderer.get("attr")) == ("categorizedSymbol", "kind")
    assert {c.get("value") for c in renderer.iter("category")} == {kind.value for kind in KINDS}
    colours = {o.get("value") for o in renderer.iter("Option") if o.get("name") == "line_color"}
    assert len(colours) == len(KINDS) + 1
    symbols = {s.get("name") for s in renderer.iter("symbol")}
    assert {c.get("symbol") for c in renderer.iter("category")} == symbols


def test_equal_runs_give_equal_files(tmp_path: Path) -> None:
    first = written(tmp_path).read_bytes()
    assert written(tmp_path, overwrite=True).read_bytes() == first


def test_what_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path)
    before = path.read_bytes()
    with pytest.raises(GeoroadsError, match="exists"):
        written(tmp_path)
    assert path.read_bytes() == before
    written(tmp_path, roads(), roads(), overwrite=True)
    assert pyogrio.read_info(path, layer="errors")["features"] == 0
    with pytest.raises(LayerError, match="GeoPackage"):
        written(tmp_path, name="errors.geojson")
    assert not list(tmp_path.glob(".*"))


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: Path, counts: dict[str, int]) -> None:
        raise LayerError(f"{path} is damaged", "")

    monkeypatch.setattr("georoads.output.one_layer.verify_geopackage", fail)
    with pytest.raises(LayerError, match="damaged"):
        written(tmp_path)
    assert {p.name for p in tmp_path.iterdir()} == {"roads.gpkg", "truth.geojson"}


def test_lines_and_kinds_are_as_many() -> None:
    with pytest.raises(ValueError, match="differ in number"):
        ErrorLines(REFERENCE.lines, (), np.zeros(1), LOCAL)
