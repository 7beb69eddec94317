"""``georoads apply`` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas
import numpy as np
import shapely
from command_line import refused, typed, unchanged
from drawn_map import CROSS, draw_roads

from georoads.output.geopackage import provenance_in
from georoads.output.read import read_roads


def draw_edits(path: Path, roads: Path, kinds: dict[int, str], drawn: list[tuple[float, float]]) -> Path:
    """Edits of the lines with these numbers, and a drawn line in metres east and south of the first."""
    layer = read_roads(roads)
    x, y = layer.lines[0].coords[0]
    line = shapely.LineString([(x + east, y - south) for east, south in drawn])
    lines = [*(layer.lines[number] for number in kinds), line]
    frame = geopandas.GeoDataFrame({"edit": [*kinds.values(), "add"]}, geometry=lines, crs=layer.crs)
    frame.to_crs("EPSG:4326").to_file(path)
    return path


def test_edits_become_a_network(tmp_path: Path) -> None:
    roads = tmp_path / "r.gpkg"
    draw_roads(roads, CROSS, {"source": ["s.tif"] * 4, "width_m": [6.0] * 4, "name": ["a", "b", "c", "d"]})
    edits = draw_edits(tmp_path / "edits.geojson", roads, {3: "delete", 1: "right"}, [(-20, 0), (-20, 59)])
    target, figures = tmp_path / "fixed.gpkg", tmp_path / "done.json"
    ended = typed("apply", edits, roads, "-o", target, "--json", figures)
    assert ended.code == 0, ended.err
    assert "attributes that are not kept: name" in ended.err
    assert (
        f"{target}: 5 lines, 0.24 km (before 0.24); 1 deleted, 1 drawn, 1 ends joined, 1 right" in ended.err
    )
    assert json.loads(figures.read_text())["deleted"] == 1
    fixed = geopandas.read_file(target, layer="roads")
    assert set(fixed["source"]) == {"s.tif; edits.geojson"} and (fixed["width_m"] == 6.0).all()
    nodes = geopandas.read_file(target, layer="nodes")
    assert sorted(nodes["kind"]) == ["end"] * 4 + ["junction"] * 2
    ends = {tuple(row) for row in np.round(shapely.get_coordinates(nodes.geometry), 3).tolist()}
    assert {
        tuple(np.round(p, 3)) for line in fixed.geometry for p in (line.coords[0], line.coords[-1])
    } == ends
    again = provenance_in(target)
    assert again is not None and json.loads(again.parameters)["edits"] == {
        "deleted": 1,
        "added": 1,
        "right": 1,
    }
    with unchanged(tmp_path):
        other = tmp_path / "other.gpkg"
        refused("apply", edits, target, "-o", other, says="deleted line 1 is not in", hint="georoads view")
        refused("apply", roads, roads, "-o", other, says="no field 'edit'", hint="add, delete, right")
        refused("apply", edits, roads, "-o", roads, says="r.gpkg", hint="")
