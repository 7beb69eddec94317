"""The attributes of both layers in the rows of changes, and the part of a layer that is read."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from drawn_maps import drawn
from test_compare import TOWN, without

from georoads.difference.compare import compare
from georoads.difference.params import DiffParams
from georoads.difference.table import change_table
from georoads.output.box import Box
from georoads.output.frame import frame_of
from georoads.output.table import Table


def table_of(ours: dict[str, object], theirs: dict[str, object]) -> Table:
    """The rows of a new road, e, a missing one, b, and five that are the same (in this order)."""
    roads, reference = drawn(without(TOWN, "b"), columns=ours), drawn(without(TOWN, "e"), columns=theirs)
    params = replace(DiffParams(align=False), same=True)
    found = compare(roads, reference, params)
    return change_table(found.changes, roads, reference, found.crs)


def test_attributes_keep_their_names_and_types() -> None:
    days = np.array(["2020-05-01", "NaT", "2020-05-03"] * 2, dtype="datetime64[D]")
    table = table_of(
        {"lanes": np.arange(6), "paved": np.array([True, False] * 3), "seen": days},
        {"lanes": [1.5, np.nan] * 3, "@id": [f"way/{i}" for i in range(6)]},
    )
    frame = frame_of(table)
    assert list(frame.columns[5:-1]) == ["name", "lanes", "paved", "seen", "ref_name", "ref_lanes", "ref_id"]
    kinds = {field.name: field.type for field in table.layer.fields}
    assert (kinds["lanes"], kinds["ref_lanes"], kinds["paved"]) == ("int64", "float64", "int64")
    assert frame["lanes"].tolist()[0] == 2 and frame["lanes"].isna().tolist() == [False, True] + [False] * 5
    assert frame["seen"].fillna("").tolist()[:3] == ["2020-05-03", "", "2020-05-01"]
    assert frame["ref_id"].fillna("").tolist()[:3] == ["", "way/1", "way/0"]


def test_names_that_are_taken_get_another_one() -> None:
    columns = {"kind": ["a"] * 6, "P": np.zeros(6), "fid": np.arange(6), "length_m": np.zeros(6)}
    table = table_of(columns, {"Ref_x": np.zeros(6), "x": np.zeros(6), "kind": ["b"] * 6})
    names = [field.name for field in table.layer.fields]
    assert names[5:] == [
        "name",
        "road_kind",
        "road_P",
        "road_fid",
        "ref_name",
        "ref_Ref_x",
        "ref_x",
        "ref_kind",
    ]
    assert len({name.lower() for name in names}) == len(names)


def test_what_no_format_holds_is_left_out() -> None:
    odd = np.empty(6, dtype=object)
    odd[:] = [{"a": 1}, [1], None, b"x", "t", 1]
    names = [field.name for field in table_of({"odd": odd, "!!": np.zeros(6)}, {}).layer.fields]
    assert names[5:] == ["name", "ref_name"]


def test_rows_are_numbered_by_kind() -> None:
    columns = table_of({}, {}).columns
    assert columns[0].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert columns[1].tolist() == ["new", "missing"] + ["same"] * 5


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:25832"])
def test_a_box_holds_the_same_ground_in_any_crs(crs: str) -> None:
    from pyproj import Transformer

    box = Box((500_000, 5_000_000, 510_000, 5_020_000), "EPSG:32632")
    west, south, east, north = box.bounds_in(crs) or (0, 0, 0, 0)
    way = Transformer.from_crs("EPSG:32632", crs, always_xy=True)
    for x in np.linspace(500_000, 510_000, 7):
        for y in np.linspace(5_000_000, 5_020_000, 7):
            a, b = way.transform(x, y)
            assert west <= a <= east and south <= b <= north
    far = way.transform(530_000, 5_010_000)
    lines = np.array([shapely.LineString([way.transform(505_000, 5_010_000), far]), shapely.Point(far)])
    assert box.meets(lines, crs).tolist() == [True, False]


def test_a_box_at_the_antimeridian_or_nowhere_lets_all_through() -> None:
    box = Box((-50_000, -50_000, 50_000, 50_000), "+proj=aeqd +lat_0=10 +lon_0=180 +datum=WGS84")
    assert box.bounds_in("EPSG:4326") is None
    assert box.bounds_in("") is None
    assert box.meets(np.array([shapely.Point(0, 0)]), "EPSG:4326").all()
