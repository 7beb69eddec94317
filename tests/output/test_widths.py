"""Widths from the attributes of anybody's layer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely

from georoads.output.read import RoadLines, read_roads
from georoads.output.widths import width_fields, widths_of

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "metres"),
    [
        (7, 7.0), (7.5, 7.5), ("7.5", 7.5), ("7,5 m", 7.5), (" 6 Metres ", 6.0), ("20'", 6.096),
        ("20 ft", 6.096), ("2 lanes", NAN), ("narrow", NAN), ("", NAN), (None, NAN), (NAN, NAN), (0, NAN),
        (-3, NAN), (9999, NAN), ("3;4", NAN), ("1e3", NAN),
    ],
)  # fmt: skip
def test_values(value: object, metres: float) -> None:
    assert widths_of({"width": [value]}, 1)[0] == pytest.approx(metres, nan_ok=True)


def test_the_first_field_that_says_something_decides() -> None:
    columns: dict[str, list[object]] = {
        "lanes": ["2", 3, None, 4],
        "WIDTH": [None, 8, None, "x"],
        "Width_m": [5.5, None, NAN, None],
    }
    assert width_fields(["lanes", "name", "WIDTH", "Width_m"]) == ("Width_m", "WIDTH", "lanes")
    assert widths_of(columns, 4).tolist() == pytest.approx([5.5, 8.0, NAN, 14.0], nan_ok=True)


def test_no_field_and_no_row() -> None:
    assert np.isnan(widths_of({}, 2)).all()
    assert widths_of({"width": []}, 0).shape == (0,)


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".fgb", ".geojson"])
def test_parts_of_a_row_have_its_width(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    shapes = ["MULTILINESTRING ((0 0, 1 1), (2 2, 3 3))", "LINESTRING (5 5, 6 6)"]
    wkb = np.array([shapely.to_wkb(shapely.from_wkt(s)) for s in shapes], dtype=object)
    fields = [np.array(["a", "b"], dtype=object), np.array([4.0, np.nan]), np.array([1, 2], dtype=np.int32)]
    kind = "MultiLineString" if suffix == ".fgb" else "Unknown"
    if suffix == ".fgb":
        wkb[1] = shapely.to_wkb(shapely.from_wkt("MULTILINESTRING ((5 5, 6 6))"))
    pyogrio.raw.write(
        path, wkb, fields, ["name", "width", "lanes"], geometry_type=kind, crs="EPSG:4326", layer="any"
    )
    roads = read_roads(path, with_widths=True)
    assert roads.widths_m is not None
    found = zip(
        shapely.to_wkt(roads.lines), roads.widths_m.tolist(), strict=True
    )  # FlatGeobuf sorts by place
    assert sorted(found) == [
        ("LINESTRING (0 0, 1 1)", 4.0),
        ("LINESTRING (2 2, 3 3)", 4.0),
        ("LINESTRING (5 5, 6 6)", 7.0),
    ]
    assert read_roads(path).widths_m is None


def test_a_layer_that_says_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    wkb = np.array([shapely.to_wkb(shapely.LineString([(0, 0), (1, 1)]))], dtype=object)
    pyogrio.raw.write(path, wkb, [np.array([1])], ["n"], geometry_type="LineString", crs="EPSG:4326")
    assert np.isnan(read_roads(path, with_widths=True).widths_m).all()  # type: ignore[arg-type]


def test_as_many_widths_as_lines() -> None:
    lines = np.array([shapely.LineString([(0, 0), (1, 1)])])
    with pytest.raises(ValueError, match="widths of"):
        RoadLines(lines, "EPSG:4326", widths_m=np.zeros(2))
