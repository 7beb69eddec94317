"""What a map is made of: lines in metres, their classes, widths, ends and attributes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_map import CROSS, draw_roads

from georoads.errors import LayerError
from georoads.output.errors_layer import ErrorKind, ErrorLines, write_errors
from georoads.output.provenance import Provenance
from georoads.view import layer as layer_module
from georoads.view.checks import checks_of, mostly_bridged
from georoads.view.layer import read_layer
from georoads.view.plane import outline, plane_around, round_length


@pytest.mark.parametrize("crs", ["EPSG:32632", "EPSG:4326", "EPSG:3857", "EPSG:3035"])
def test_lines_are_metres_around_the_middle_whatever_the_crs(tmp_path: Path, crs: str) -> None:
    found = read_layer(draw_roads(tmp_path / "r.gpkg", crs=crs))
    expected = np.array([p for line in CROSS for p in line], dtype=float) * (1, -1) + (-100, 100)
    # The scale of UTM is 0.9996 at its central meridian.
    assert found.points == pytest.approx(expected / 0.9996, abs=0.1)
    assert found.length_m == pytest.approx([60 / 0.9996] * 4, abs=0.02)


def test_a_layer_on_both_sides_of_the_date_line_hangs_together(tmp_path: Path) -> None:
    plane = plane_around(np.array([[179.999, 10.0], [-179.999, 10.0]]), "EPSG:4326")
    assert abs(plane.lon) == pytest.approx(180)
    east = plane.project(np.array([[179.999, 10.0], [-179.999, 10.0]]), "EPSG:4326")[:, 0]
    assert east == pytest.approx([-109.6, 109.6], abs=0.1)


def test_to_the_plane_and_back() -> None:
    plane = plane_around(np.array([[9.0, 45.0]]), "EPSG:4326")
    there = outline((500_000, 5_000_000, 501_000, 5_002_000))
    assert plane.unproject(plane.project(there, "EPSG:32632"), "EPSG:32632") == pytest.approx(there, abs=1e-3)


def test_classes_are_those_of_the_style(tmp_path: Path) -> None:
    p = [0.0, 0.5, 0.51, 0.7, 0.85, 0.86, 1.0]
    lines = [[(0, y), (50, y)] for y in range(7)]
    found = read_layer(draw_roads(tmp_path / "r.gpkg", lines, {"confidence": p}))
    assert found.subject == "Confidence"
    assert found.class_of.tolist() == [0, 0, 1, 2, 3, 4, 4]
    assert [c.colour for c in found.classes][::4] == ["#ba2cb2", "#faf65c"]


def test_a_confidence_that_is_not_stated_has_its_own_class(tmp_path: Path) -> None:
    found = read_layer(draw_roads(tmp_path / "r.gpkg", CROSS[:2], {"confidence": [np.nan, 0.9]}))
    assert [found.classes[c].label for c in found.class_of] == ["not stated", "0.85 – 1.00"]


@pytest.mark.parametrize("columns", [{}, {"confidence": [1.0, 95.0]}, {"confidence": ["good", "bad"]}])
def test_lines_without_a_confidence_are_all_alike(tmp_path: Path, columns: dict[str, list[float]]) -> None:
    found = read_layer(draw_roads(tmp_path / "r.gpkg", CROSS[:2], columns))
    assert (found.subject, found.class_of.tolist(), len(found.classes)) == ("Lines", [0, 0], 1)


def test_the_layer_of_errors_is_coloured_by_kind(tmp_path: Path) -> None:
    kinds = (ErrorKind.FALSE, ErrorKind.RIGHT, ErrorKind.MISSING)
    lines = np.array([shapely.LineString([(5e5, 5e6 + y), (5e5 + 60, 5e6 + y)]) for y in range(3)])
    provenance = Provenance("", "", "", "{}", "", "", datetime(2020, 1, 2, tzinfo=UTC))
    errors = ErrorLines(lines, kinds, np.full(3, 60.0), "EPSG:32632")
    write_errors(errors, tmp_path / "e.gpkg", provenance)
    found = read_layer(tmp_path / "e.gpkg")
    looks = [found.classes[c] for c in found.class_of]
    assert [look.label for look in looks] == ["false", "right", "missing"]
    assert [look.is_dashed for look in looks] == [False, False, True]
    assert found.width_m.tolist() == [0, 0, 0]


def test_widths_come_from_any_layer(tmp_path: Path) -> None:
    found = read_layer(draw_roads(tmp_path / "r.gpkg", CROSS[:3], {"width": ["7,5 m", "20 ft", ""]}))
    assert found.width_m.round(2).tolist() == [7.5, 6.1, layer_module.USUAL_WIDTH_M]


def test_ends_where_roads_meet_and_where_they_end(tmp_path: Path) -> None:
    passing = [[(0, 0), (50, 0), (100, 0)], [(50, 0), (50, 50)], [(50, 50), (90, 50)]]
    found = read_layer(draw_roads(tmp_path / "r.gpkg", passing, {}))
    assert found.line_ends.tolist() == [[1, 1], [2, 0], [0, 1]]


def test_what_to_check_of_lines(tmp_path: Path) -> None:
    columns = {"confidence": [0.59, 0.6, 0.9, 0.9], "bridged_m": [0.0, 4.9, 5.0, 31.0]}  # of 60 m each
    layer = read_layer(draw_roads(tmp_path / "r.gpkg", CROSS, columns))
    found = checks_of(layer)
    assert found.is_uncertain.tolist() == [True, False, False, False]
    assert found.is_bridged.tolist() == [False, False, True, True]
    assert mostly_bridged(layer).tolist() == [False, False, False, True]


# Metres east and south. The road a lies along the south; what ends above it, and how far:
#
#   b |     c \      d |     e ---    f |
#     |        \       |                | it joins a, and its northern end
#    10 m     10 m     16 m   10 m       | is 12 m from it
#   aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
#                                        |
ENDS: dict[str, list[tuple[float, float]]] = {
    "a": [(0, 100), (220, 100)],
    "b": [(10, 50), (10, 90)],
    "c": [(50, 50), (90, 90)],
    "d": [(115, 50), (115, 84)],
    "e": [(135, 90), (165, 90)],
    "f": [(190, 88), (190, 100), (190, 130)],
}


def test_dead_ends_that_almost_meet_a_line(tmp_path: Path) -> None:
    found = checks_of(read_layer(draw_roads(tmp_path / "r.gpkg", list(ENDS.values()), {})))
    near = {name: ends.tolist() for name, ends in zip(ENDS, found.is_near, strict=True) if ends.any()}
    assert near == {"b": [False, True], "c": [False, True]}


@pytest.mark.parametrize(("gap", "is_near"), [(14, True), (16, False)])
def test_two_ends_that_face_each_other(tmp_path: Path, gap: float, is_near: bool) -> None:
    lines: list[list[tuple[float, float]]] = [[(0, 50), (50, 50)], [(50 + gap, 50), (150, 50)]]
    found = checks_of(read_layer(draw_roads(tmp_path / "r.gpkg", lines, {})))
    assert found.is_near.tolist() == [[False, is_near], [is_near, False]]


def test_parts_of_a_row_share_its_attributes(tmp_path: Path) -> None:
    path = tmp_path / "m.geojson"
    parts = [[[9, 45], [9, 45.001]], [[9.001, 45], [9.001, 45.001]]]
    geometry = {"type": "MultiLineString", "coordinates": parts}
    row = {"type": "Feature", "properties": {"name": "a"}, "geometry": geometry}
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [row]}))
    found = read_layer(path)
    assert (found.n_lines, found.rows.tolist()) == (2, [0, 0])
    assert found.columns["name"].tolist() == ["a"]


def test_more_points_than_a_browser_handles_are_refused(tmp_path: Path) -> None:
    with pytest.raises(LayerError, match="has 8 points; 7 can be shown"):
        read_layer(draw_roads(tmp_path / "r.gpkg"), most_points=7)


def test_scale_bars_are_round() -> None:
    assert [round_length(m) for m in (9.99, 1, 2.4, 7300, 0.03)] == [5, 1, 2, 5000, 0.02]
