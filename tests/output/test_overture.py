"""Road networks as segments and connectors of Overture's theme transportation."""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from affine import Affine
from click.testing import CliRunner
from drawn_networks import network
from drawn_rasters import write_raster
from overture_rules import broken_rules, loose_ends
from test_write_roads import EMPTY, OPTIONS, PROVENANCE

from georoads.cli.main import cli
from georoads.errors import GeoroadsError, LayerError
from georoads.grid import Grid
from georoads.network.types import RoadNetwork
from georoads.output.format_params import FormatParams
from georoads.output.provenance import Provenance
from georoads.output.read import read_roads
from georoads.output.write import WriteOptions, check_road_output, write_roads

SUFFIXES = [".overture.geojson", ".overture.parquet"]
Feature = dict[str, Any]


@pytest.fixture(autouse=True)
def _needs_pyarrow() -> None:
    pytest.importorskip("pyarrow")


def written(
    folder: Path, suffix: str, drawn: RoadNetwork | None = None, options: WriteOptions = OPTIONS
) -> tuple[list[Feature], list[Feature]]:
    """Segments and connectors of a network, as a reader of its files finds them: GeoJSON features."""
    write_roads(network() if drawn is None else drawn, folder / f"roads{suffix}", options)
    segments, connectors = folder / f"roads{suffix}", folder / f"roads_connectors{suffix}"
    return (read(segments), read(connectors))


def read(path: Path) -> list[Feature]:
    if path.suffix == ".geojson":
        content = json.loads(path.read_text(encoding="utf-8"))
        assert content["type"] == "FeatureCollection"
        return list(content["features"])
    from pyarrow import parquet

    found = []
    for row in parquet.read_table(path).to_pylist():
        geometry = shapely.from_wkb(row.pop("geometry"))
        box = row.pop("bbox")
        assert tuple(box[side] for side in ("xmin", "ymin", "xmax", "ymax")) == geometry.bounds
        properties = {k: v for k, v in row.items() if v is not None and k != "id"}
        for source in properties["sources"]:
            for name in [name for name, value in source.items() if value is None]:
                del source[name]
        shape = json.loads(shapely.to_geojson(geometry))
        found.append({"type": "Feature", "id": row["id"], "geometry": shape, "properties": properties})
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("drawn", [network(), EMPTY], ids=["crossroads", "empty"])
def test_the_files_keep_the_rules_of_the_schema(tmp_path: Path, suffix: str, drawn: RoadNetwork) -> None:
    segments, connectors = written(tmp_path, suffix, drawn)
    assert (len(segments), len(connectors)) == (drawn.n_edges, drawn.n_nodes)
    assert [wrong for feature in (*segments, *connectors) for wrong in broken_rules(feature)] == []
    assert loose_ends(segments, connectors) == []
    ids = [feature["id"] for feature in (*segments, *connectors)]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_a_segment_says(tmp_path: Path, suffix: str) -> None:
    (segment, *_), connectors = written(tmp_path, suffix)
    said = segment["properties"]
    assert (said["subtype"], said["class"], said["version"]) == ("road", "unknown", 1)
    assert said["width_rules"] == [{"value": 4.0}]
    assert said["sources"] == [
        {
            "property": "", "dataset": "georoads drawn", "record_id": "1", "confidence": 0.4,
            "update_time": "2020-01-02T00:00:00Z",
        }
    ]  # fmt: skip
    assert connectors[0]["properties"]["sources"] == [
        {"property": "", "dataset": "georoads drawn", "record_id": "1", "update_time": "2020-01-02T00:00:00Z"}
    ]


def test_roads_that_meet_share_a_connector(tmp_path: Path) -> None:
    """The crossroads of ``drawn_networks``: 1-3, 2-3, 3-4, 3-5."""
    segments, connectors = written(tmp_path, SUFFIXES[0])
    number = {connector["id"]: n for n, connector in enumerate(connectors, 1)}
    ends = [[number[c["connector_id"]] for c in s["properties"]["connectors"]] for s in segments]
    assert ends == [[1, 3], [2, 3], [3, 4], [3, 5]]


def test_both_formats_hold_the_same(tmp_path: Path) -> None:
    assert written(tmp_path, SUFFIXES[0]) == written(tmp_path, SUFFIXES[1])


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_equal_runs_give_equal_bytes(tmp_path: Path, suffix: str) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        written(tmp_path / name, suffix)
    for name in (f"roads{suffix}", f"roads_connectors{suffix}"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_a_road_keeps_its_id_when_others_come_and_go(tmp_path: Path) -> None:
    lines = [[(200, 100), (200, 200)], [(100, 200), (200, 200)], [(200, 200), (200, 300)]]
    more, _ = written(tmp_path, SUFFIXES[0], network(lines))
    (last,), connectors = written(tmp_path, SUFFIXES[0], network(lines[2:]), replace(OPTIONS, overwrite=True))
    assert last["id"] == more[2]["id"]
    assert last["properties"]["connectors"] == more[2]["properties"]["connectors"]
    assert len(connectors) == 2


def test_a_ring_has_one_connector_at_both_ends(tmp_path: Path) -> None:
    ring = network([[(100, 100), (200, 100), (200, 200), (100, 200), (100, 100)]])
    (segment,), (connector,) = written(tmp_path, SUFFIXES[1], ring)
    assert list(broken_rules(segment)) == []
    assert segment["properties"]["connectors"] == [
        {"connector_id": connector["id"], "at": 0.0}, {"connector_id": connector["id"], "at": 1.0}
    ]  # fmt: skip


def test_two_roads_on_one_place_have_ids_of_their_own(tmp_path: Path) -> None:
    line = [(100, 100), (200, 100)]
    segments, _ = written(tmp_path, SUFFIXES[0], network([line, line]))
    assert segments[0]["id"] != segments[1]["id"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_not_known_is_left_out(tmp_path: Path, suffix: str) -> None:
    unknown = replace(
        network(), width_m=np.array([np.nan, 0.0, 5.0, 6.0]), confidence=np.array([0.5, np.nan, 0.5, 0.5])
    )
    plain = replace(OPTIONS, provenance=Provenance())
    segments, connectors = written(tmp_path, suffix, unknown, plain)
    assert [segment["properties"].get("width_rules") for segment in segments] == [
        None, None, [{"value": 5.0}], [{"value": 6.0}]
    ]  # fmt: skip
    assert segments[1]["properties"]["sources"] == [{"property": "", "dataset": "georoads", "record_id": "2"}]
    assert [wrong for feature in (*segments, *connectors) for wrong in broken_rules(feature)] == []


def test_the_licence_is_what_the_user_says(tmp_path: Path) -> None:
    options = replace(OPTIONS, formats=FormatParams(overture_license="CC-BY-4.0"))
    segments, connectors = written(tmp_path, SUFFIXES[1], options=options)
    for feature in (*segments, *connectors):
        assert feature["properties"]["sources"][0]["license"] == "CC-BY-4.0"
    with pytest.raises(ValueError, match="overture_license"):
        FormatParams(overture_license=" CC-BY-4.0")


def test_the_provenance_stands_in_both_files(tmp_path: Path) -> None:
    from pyarrow import parquet

    for suffix in SUFFIXES:
        written(tmp_path, suffix)
    for name in ("roads", "roads_connectors"):
        collection = json.loads((tmp_path / f"{name}{SUFFIXES[0]}").read_text(encoding="utf-8"))
        metadata = parquet.read_schema(tmp_path / f"{name}{SUFFIXES[1]}").metadata
        expected = json.loads(PROVENANCE.as_json())
        assert json.loads(collection["description"]) == json.loads(metadata[b"georoads"]) == expected


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_it_is_read_back(tmp_path: Path, suffix: str) -> None:
    write_roads(network(), tmp_path / "a.geojson", OPTIONS)
    written(tmp_path, suffix)
    expected, found = read_roads(tmp_path / "a.geojson"), read_roads(tmp_path / f"roads{suffix}")
    assert shapely.equals_exact(found.lines, expected.lines, tolerance=1e-9).all()
    if suffix == ".overture.parquet":
        frame = geopandas.read_parquet(tmp_path / f"roads{suffix}")
        assert frame.crs == "OGC:CRS84"
        assert len(geopandas.read_parquet(tmp_path / f"roads{suffix}", bbox=frame.total_bounds)) == 4


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_other_commands_take_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, suffix)
    roads = f"roads{suffix}"
    for words in (
        ("score", roads, roads), ("diff", roads, roads, "-o", "changes.gpkg", "--same"),
        ("view", roads, "-o", "map.html"),
    ):  # fmt: skip
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.output + repr(done.exception)
    assert set(geopandas.read_file("changes.gpkg", layer="changes")["kind"]) == {"same"}


def test_rows_are_written_in_portions_without_a_seam(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = written(tmp_path, SUFFIXES[1])
    monkeypatch.setattr("georoads.output.overture._AT_ONCE", 3)
    assert written(tmp_path, SUFFIXES[1], options=replace(OPTIONS, overwrite=True)) == whole


def test_across_the_antimeridian_a_segment_goes_the_short_way(tmp_path: Path) -> None:
    """A grid in degrees whose pixels run on beyond the antimeridian."""
    grid = Grid("EPSG:4326", Affine(1e-5, 0, 179.999, 0, -1e-5, 0), 400, 400)
    segments, connectors = written(tmp_path, SUFFIXES[0], network([[(0, 100), (300, 100)]], grid))
    (west, _), (east, _) = segments[0]["geometry"]["coordinates"]
    assert abs(east - west) == pytest.approx(0.003)
    assert loose_ends(segments, connectors) == []


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roads.overture.parquet"
    for options, said in (
        (replace(OPTIONS, crs="EPSG:32632"), "always WGS 84"),
        (replace(OPTIONS, layer="mine"), "no named layers"),
    ):
        with pytest.raises(LayerError, match=said):
            check_road_output(path, options)
    beside = tmp_path / "roads_connectors.overture.parquet"
    beside.write_text("mine")
    with pytest.raises(GeoroadsError, match=r"roads_connectors\.overture\.parquet exists"):
        check_road_output(path, OPTIONS)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_cannot_be_written_leaves_both_files_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    paths = tmp_path / f"roads{suffix}", tmp_path / f"roads_connectors{suffix}"
    for path in paths:
        path.write_text("old")
    rows = "georoads.output.overture._connector_rows"
    monkeypatch.setattr(rows, lambda roads, about: iter(()))
    with pytest.raises(LayerError, match="holds 0 of 5 features"):
        write_roads(network(), paths[0], replace(OPTIONS, overwrite=True))
    assert [path.read_text() for path in paths] == ["old", "old"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)


def test_from_the_command_line(tmp_path: Path) -> None:
    drawn = np.zeros((1, 80, 400), dtype=np.uint8)
    drawn[:, 36:44] = 255
    mask, output = write_raster(tmp_path / "mask.tif", drawn), tmp_path / "roads.overture.geojson"
    command = ["vectorize", str(mask), "-o", str(output)]
    taken = CliRunner().invoke(cli, [*command, "--json", str(tmp_path / "roads_connectors.overture.geojson")])
    assert "named for two outputs" in str(taken.exception)
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (segment,), connectors = read(output), read(tmp_path / "roads_connectors.overture.geojson")
    assert [*broken_rules(segment), *loose_ends([segment], connectors)] == []
    assert segment["properties"]["sources"][0]["confidence"] == 1.0


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("properties", "class"), "road", "class is 'road'"),
        (("properties", "subtype"), None, "subtype is missing"),
        (("properties", "connectors"), [{"connector_id": "a", "at": 0}], "connectors is"),
        (("properties", "width_rules"), [{"value": 0.0}], "width_rules is"),
        (("properties", "sources"), [{"dataset": "a"}], "sources is"),
        (("properties", "road_id"), 1, "road_id is unknown"),
        (("id",), "with space", "id"),
        (("geometry", "type"), "MultiLineString", "geometry"),
    ],
)
def test_broken_features_are_found(tmp_path: Path, path: tuple[str, ...], value: object, said: str) -> None:
    (segment, *_), _ = written(tmp_path, SUFFIXES[0])
    broken = copy.deepcopy(segment)
    place = broken
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    assert list(broken_rules(segment)) == []
    assert [wrong for wrong in broken_rules(broken) if wrong.startswith(said)]


def test_loose_ends_are_found(tmp_path: Path) -> None:
    segments, connectors = written(tmp_path, SUFFIXES[0])
    assert len(loose_ends(segments, connectors[1:])) == 1
    connectors[2]["geometry"]["coordinates"][0] += 1e-7
    assert len(loose_ends(segments, connectors)) == 4
