"""georoads diff, as a user types it: layers of any kind in, a styled layer and figures out."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import geopandas
import numpy as np
import pyogrio
import pytest
import shapely
from click.testing import CliRunner, Result
from drawn_maps import drawn, lines_of
from drawn_pbf import ends_of_blobs, pbf_of, write_pbf
from drawn_rasters import north_up, write_raster
from test_compare import TOWN, without

import georoads
from georoads.cli.main import cli
from georoads.errors import GeoroadsError, LayerError
from georoads.output.changes_layer import CHANGE_LOOK, ChangeKind, changes_qml
from georoads.output.dictionary import CHANGE_KINDS
from georoads.output.read import read_roads
from georoads.view.layer import read_layer

UTM = "EPSG:32632"
EAST, NORTH = 600_000.0, 5_000_000.0


def save(
    path: Path,
    drawing: str,
    *,
    crs: str = UTM,
    shift: tuple[float, float] = (0, 0),
    columns: dict[str, Any] | None = None,
) -> Path:
    """A drawn map as a file, somewhere in the zone's north-east."""
    layer = drawn(drawing, shift=(EAST + shift[0], NORTH + shift[1]), columns=columns)
    frame = geopandas.GeoDataFrame(dict(layer.columns), geometry=layer.lines, crs=UTM)
    frame.to_crs(crs).to_file(path, layer="roads" if path.suffix == ".gpkg" else path.stem)
    return path


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["diff", *map(str, arguments)])


def figures(*arguments: str | Path) -> dict[str, Any]:
    done = typed(*arguments, "--json", "-", "-q", "--overwrite")
    assert done.exit_code == 0, done.output + repr(done.exception)
    return dict(json.loads(done.stdout))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A town with e but without b, and a map of it with b but without e, in degrees and 3 m to the east."""
    columns = {"road_id": np.arange(1, 7), "confidence": np.linspace(0.5, 1, 6), "length_m": np.zeros(6)}
    theirs = {"osm_id": [f"w{i}" for i in range(6)], "highway": ["residential"] * 6, "road_id": np.arange(6)}
    return (
        save(tmp_path / "roads.gpkg", without(TOWN, "b"), columns=columns),
        save(tmp_path / "map.geojson", without(TOWN, "e"), columns=theirs, crs="EPSG:4326", shift=(3, -2)),
    )


def test_the_layer_and_its_figures(files: tuple[Path, Path], tmp_path: Path) -> None:
    output, stated = tmp_path / "changes.gpkg", tmp_path / "figures.json"
    done = typed(*files, "-o", output, "--json", stated)
    assert done.exit_code == 0, done.output
    found = json.loads(stated.read_text())
    assert found["offset_m"] == pytest.approx([3, -2], abs=0.05)
    assert (found["new"], found["missing"], found["moved"]) == (1, 1, 0)
    assert (found["new_km"], found["missing_km"]) == pytest.approx((0.05, 0.11), abs=1e-3)
    assert found["same_km"] == pytest.approx(0.47, abs=1e-3)  # a, d, f, g, h
    assert found["parameters"]["match_m"] == 8.0
    assert "REFERENCE lies +2.97 m east, -2.05 m north" in done.stdout
    assert "new           0.05 km  1 row\n" in done.stdout and "hull of ROADS" in done.stderr
    frame = geopandas.read_file(output, layer="changes").set_index("kind")
    assert list(frame.index) == ["new", "missing"]
    new, missing = frame.loc["new"], frame.loc["missing"]
    assert (new["name"], new["road_id"], new["confidence"]) == ("e", 3, pytest.approx(0.7))
    assert new[["ref_osm_id", "ref_road_id", "p"]].isna().all()
    assert (missing["ref_name"], missing["ref_osm_id"], missing["ref_road_id"]) == ("b", "w1", 1)
    assert missing[["name", "road_id", "p"]].isna().all()
    assert missing["ref_highway"] == "residential"
    # It lies as the map does, in the CRS of ROADS.
    assert frame.crs == UTM
    there = shapely.get_coordinates(lines_of(TOWN)["e"]) + np.array([EAST + 3, NORTH - 2])
    assert shapely.get_coordinates(new.geometry) == pytest.approx(there, abs=0.05)


def test_the_file_describes_itself(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "changes.gpkg"
    assert typed(*files, "-o", output).exit_code == 0
    with closing(sqlite3.connect(output)) as db:
        ((table, qml),) = db.execute("SELECT f_table_name, styleQML FROM layer_styles").fetchall()
        assert (table, qml) == ("changes", changes_qml())
        meanings = dict(db.execute("SELECT column_name, description FROM gpkg_data_columns").fetchall())
        assert meanings["ref_osm_id"] == "The attribute osm_id of REFERENCE"
        ((text,),) = db.execute("SELECT metadata FROM gpkg_metadata").fetchall()
    known = json.loads(text)
    assert known["scene"] == "roads.gpkg against map.geojson"
    assert known["parameters"]["offset_m"] == pytest.approx([3, -2], abs=0.05)


@pytest.mark.parametrize("suffix", [".geojson", ".fgb", ".parquet", ".gpkg"])
def test_every_format_has_the_same_rows(files: tuple[Path, Path], tmp_path: Path, suffix: str) -> None:
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    output = tmp_path / f"changes{suffix}"
    assert typed(*files, "-o", output, "--same").exit_code == 0
    named = {"layer": "changes"} if suffix == ".gpkg" else {}
    frame = geopandas.read_parquet(output) if suffix == ".parquet" else geopandas.read_file(output, **named)
    frame = frame.sort_values("change_id")
    assert frame["kind"].tolist() == ["new", "missing"] + ["same"] * 5
    assert frame["ref_road_id"].dropna().tolist() == [1, 0, 2, 3, 4, 5]  # b; a, d, f, g, h
    assert frame.crs == ("EPSG:4326" if suffix == ".geojson" else UTM)
    assert frame.to_crs(UTM).length.round(1).tolist() == pytest.approx(frame["length_m"].tolist(), abs=0.2)


def test_two_dates_are_change_detection(files: tuple[Path, Path], tmp_path: Path) -> None:
    found = georoads.diff(files[0], files[0], params=georoads.DiffParams(same=True))
    assert set(found.changes["kind"]) == {"same"}
    assert found.changes["road_id"].tolist() == found.changes["ref_road_id"].tolist()
    assert found.offset_m == [0, 0]
    assert found.km(ChangeKind.NEW) == 0
    lines = read_roads(files[0], with_columns=True)
    assert georoads.diff(lines, lines, tmp_path / "none.fgb").changes.empty
    assert (tmp_path / "none.fgb").exists()


def degrees(drawing: str) -> dict[str, list[tuple[float, float]]]:
    """Roads of a drawing as places in degrees."""
    layer = drawn(drawing, shift=(EAST, NORTH))
    lines = geopandas.GeoSeries(layer.lines, crs=UTM).to_crs("EPSG:4326")
    return {name: list(line.coords) for name, line in zip(layer.columns["name"], lines, strict=True)}


def osm_text(ways: Sequence[tuple[dict[str, str], list[tuple[float, float]]]]) -> str:
    nodes, text, number = "", "", 0
    for way, (tags, places) in enumerate(ways):
        refs = ""
        for lon, lat in places:
            number += 1
            nodes += f'<node id="{number}" lon="{lon}" lat="{lat}"/>'
            refs += f'<nd ref="{number}"/>'
        refs += "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())
        text += f'<way id="{way}">{refs}</way>'
    return f'<osm version="0.6">{nodes}{text}</osm>'


@pytest.mark.parametrize("suffix", [".osm", ".osm.pbf", ".geojson"])
def test_an_extract_of_openstreetmap(files: tuple[Path, Path], tmp_path: Path, suffix: str) -> None:
    places = degrees(TOWN)
    # A path beside a (5 m), which is no road; e is a path in the map, too.
    beside = [(lon, lat + 5 / 111_000) for lon, lat in places["a"]]
    ways = [({"highway": "path", "name": "beside"}, beside)]
    ways += [({"highway": "footway", "name": "e"}, places["e"])]
    ways += [({"highway": "track", "name": name}, places[name]) for name in "abdfgh"]
    far = [(lon + 1, lat) for lon, lat in places["a"]]
    ways += [({"highway": "primary", "name": "far"}, far), ({"building": "yes"}, places["h"])]
    reference = tmp_path / f"extract{suffix}"
    if suffix == ".osm":
        reference.write_text(osm_text(ways))
    elif suffix == ".osm.pbf":
        write_pbf(reference, ways)
    else:  # as Overpass serves it: points and polygons among the lines
        lines = [(tags, line) for tags, line in ways if "highway" in tags]
        rows: list[Any] = [({"type": "LineString", "coordinates": line}, tags) for tags, line in lines]
        rows.append(({"type": "Point", "coordinates": places["a"][0]}, {"highway": "crossing"}))
        features = [{"type": "Feature", "properties": p | {"@id": "way/1"}, "geometry": g} for g, p in rows]
        reference.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    output = tmp_path / "changes.gpkg"
    done = typed(files[0], reference, "-o", output, "--align", "no")
    assert done.exit_code == 0, done.output + repr(done.exception)
    frame = geopandas.read_file(output, layer="changes")
    names = frame[["kind", "name", "ref_name"]].fillna("").to_numpy().tolist()
    assert names == [["new", "e", ""], ["missing", "", "b"]]
    assert "2 lines are no roads (1 footway, 1 path)" in done.stderr or "(1 path, 1 footway)" in done.stderr
    all_ways = figures(files[0], reference, "-o", output, "--align", "no", "--set", "diff.no_roads=[]")
    assert all_ways["new"] == 0


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:2263"])
def test_any_crs_compares_with_any_other(tmp_path: Path, crs: str) -> None:
    if crs == "EPSG:2263":
        crs = "EPSG:3035"
    ours = save(tmp_path / "ours.gpkg", without(TOWN, "b"), crs=crs)
    theirs = save(tmp_path / "theirs.fgb", without(TOWN, "e"), shift=(-4, 1))
    found = figures(ours, theirs, "-o", tmp_path / "c.gpkg")
    assert (found["new"], found["missing"], found["moved"]) == (1, 1, 0)
    # The plane's north is not that of the grid: at this place they differ by about a degree.
    assert found["offset_m"] == pytest.approx([-4, 1], abs=0.1)


def draw_probability(path: Path) -> Path:
    """p = 0.25 everywhere but along e (0.75), nothing seen south of 25 m; 1 m pixels."""
    p = np.full((120, 300), 0.25, np.float32)
    p[:, 145:156] = 0.75
    p[-45:] = np.nan
    return write_raster(path, p[None], north_up(1, EAST - 20, NORTH + 100), UTM)


def test_missing_is_what_was_seen_and_is_not_there(tmp_path: Path) -> None:
    raster = draw_probability(tmp_path / "p.tif")
    ours = save(tmp_path / "ours.gpkg", without(TOWN, "b", "e", "h"))
    theirs = save(tmp_path / "theirs.gpkg", TOWN)
    output = tmp_path / "c.gpkg"
    assert figures(ours, theirs, "-o", output)["missing"] == 3
    found = figures(ours, theirs, "-o", output, "--probability", raster)
    frame = geopandas.read_file(output, layer="changes").set_index("ref_name")
    assert (set(frame.index), found["missing"]) == ({"b", "e"}, 2)  # h was not seen
    assert frame.loc["b", "p"] == pytest.approx(0.25, abs=0.03)
    assert frame.loc["e", "p"] == pytest.approx(0.75, abs=0.03)
    assert frame.loc["e", "length_m"] == pytest.approx(25, abs=2)
    assert georoads.diff(ours, theirs, probability=raster).count(ChangeKind.MISSING) == 2


def test_without_roads_a_raster_says_what_was_seen(tmp_path: Path) -> None:
    ours, theirs = save(tmp_path / "o.gpkg", TOWN), save(tmp_path / "t.gpkg", TOWN)
    frame = geopandas.read_file(ours)
    frame[:0].to_file(ours, layer="roads", geometry_type="LineString")
    done = typed(ours, theirs, "-o", tmp_path / "c.gpkg")
    assert done.exit_code == 0 and "none is looked for as missing" in done.stderr
    raster = draw_probability(tmp_path / "p.tif")
    found = figures(ours, theirs, "-o", tmp_path / "c.gpkg", "--probability", raster)
    assert found["missing_km"] == pytest.approx(0.24 + 3 * 0.025, abs=0.005)


def test_only_what_is_near_is_read(files: tuple[Path, Path], tmp_path: Path) -> None:
    near = geopandas.read_file(files[1]).to_crs(UTM)
    far = near.copy()
    far["geometry"] = far.translate(50_000)
    whole = geopandas.GeoDataFrame(geopandas.pd.concat([near, far]), crs=UTM)
    for suffix in (".gpkg", ".fgb", ".parquet", ".geojson"):
        file = tmp_path / f"whole{suffix}"
        if suffix == ".parquet":
            whole.to_parquet(file)
        else:
            whole.to_crs("EPSG:4326" if suffix == ".geojson" else "EPSG:3035").to_file(file)
        assert figures(files[0], file, "-o", tmp_path / "c.gpkg")["missing"] == 1
    (tmp_path / "elsewhere.gpkg").unlink(missing_ok=True)
    far.to_file(tmp_path / "elsewhere.gpkg")
    done = typed(files[0], tmp_path / "elsewhere.gpkg", "-o", tmp_path / "d.gpkg")
    assert "holds no road near" in done.stderr


def test_on_the_map_changes_have_their_colours(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "changes.gpkg"
    typed(*files, "-o", output, "--same")
    layer = read_layer(output)
    assert layer.subject == "Changes"
    assert [c.label for c in layer.classes] == ["same", "moved", "missing", "new"]
    assert set(layer.width_m.tolist()) == {0.0}
    for map_file in ("map.html", "map.qgz"):
        done = CliRunner().invoke(cli, ["view", str(output), "-o", str(tmp_path / map_file)])
        assert done.exit_code == 0, done.output


def test_kinds_are_explained_and_drawn() -> None:
    assert list(CHANGE_KINDS) == [kind.value for kind in ChangeKind]
    assert set(CHANGE_LOOK) == set(ChangeKind)
    root = ElementTree.fromstring(changes_qml().split("\n", 1)[1])
    assert {c.get("value") for c in root.iter("category")} == set(CHANGE_KINDS)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["-o", "changes.shp"], "cannot be written as '.shp'", "write .gpkg, then: ogr2ogr"),
        (["-o", "roads.gpkg", "--overwrite"], "is an input and the output", "another name"),
        (["-o", "c.gpkg", "--reference-layer", "x"], "has no layer 'x'", "layers: map"),
        (["-o", "c.gpkg", "--set", "diff.match_m=0"], "diff.match_m must be 0.1 to 1,000", "--set help"),
        (["-o", "c.gpkg", "--set", "score.buffer_m=3"], "no section 'score'", "known: diff"),
        (["-o", "c.gpkg", "--probability", "none.tif"], "none.tif does not exist", "check the path"),
        (["-o", "c.gpkg", "--json", "c.gpkg"], "is named for two outputs", "name of its own"),
        (["-o", "there.gpkg"], "there.gpkg exists", "--overwrite"),
    ],
)  # fmt: skip
def test_what_is_refused(
    files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, words: list[str], message: str, hint: str
) -> None:
    monkeypatch.chdir(files[0].parent)
    Path("there.gpkg").touch()
    before = sorted(Path.cwd().iterdir())
    done = typed("roads.gpkg", "map.geojson", *words)
    assert isinstance(done.exception, GeoroadsError), done.output
    assert message in done.exception.message and hint in done.exception.hint
    assert sorted(Path.cwd().iterdir()) == before


def test_a_damaged_extract_is_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    good = write_pbf(tmp_path / "good.osm.pbf", [({"highway": "road"}, degrees(TOWN)["a"])]).read_bytes()
    for name, content in (("cut", good[:-20]), ("other", b"PK\x03\x04" + good), ("empty", b"")):
        file = tmp_path / f"{name}.osm.pbf"
        file.write_bytes(content)
        done = typed(files[0], file, "-o", tmp_path / "c.gpkg")
        assert isinstance(done.exception, GeoroadsError), (name, done.output)
    assert pyogrio.list_drivers()["OSM"]
    assert shapely.length(read_roads(tmp_path / "good.osm.pbf").lines).sum() > 0


def test_an_extract_that_ends_early_is_told(tmp_path: Path) -> None:
    """Between two blobs nothing shows a cut but what comes last: relations, in whole extracts."""
    path = write_pbf(
        tmp_path / "map.osm.pbf", [({"highway": "road"}, line) for line in degrees(TOWN).values()]
    )
    whole, drawn = path.read_bytes(), len(degrees(TOWN))
    header, nodes, ways, relation = ends_of_blobs(path)
    assert relation == len(whole)
    for end, roads, said in (
        (relation, drawn, []),
        (ways, drawn, ["it ends with ways, where whole extracts end with relations"]),
        (nodes, 0, ["it ends with nodes, where whole extracts end with relations"]),
        (header, 0, ["it holds nothing"]),
    ):
        path.write_bytes(whole[:end])
        found = read_roads(path)
        assert len(found.lines) == roads
        assert len(found.notes) == len(said) and all(map(str.__contains__, found.notes, said)), found.notes
        for more in (whole[end : end + 3], whole[end : end + 9], b"\0\0\0\2\x18\x80", b"\xff" * 40):
            if more:
                path.write_bytes(whole[:end] + more)
                with pytest.raises(LayerError, match="is cut off or damaged"):
                    read_roads(path)


def test_an_extract_of_which_gdal_would_say_nothing_is_refused(tmp_path: Path) -> None:
    """Packed by lz4, or with places in its ways: GDAL finds no road there, and does not say why."""
    path, way = tmp_path / "map.osm.pbf", ({"highway": "road"}, degrees(TOWN)["a"])
    path.write_bytes(pbf_of([way], [b"Sort.Type_then_ID", b"LocationsOnWays"]))
    with pytest.raises(LayerError, match="LocationsOnWays"):
        read_roads(path)
    whole = pbf_of([way], [b"Sort.Type_then_ID"])
    path.write_bytes(whole)
    assert len(read_roads(path).lines) == 1
    last = ends_of_blobs(path)[-2]
    packed = whole.index(b"\x1a", last + 4 + whole[last + 3])  # the field of what is deflated; 6 is lz4's
    path.write_bytes(whole[:packed] + b"\x32" + whole[packed + 1 :])
    with pytest.raises(LayerError, match="packed in a way that is not read") as refused:
        read_roads(path)
    assert "osmium cat" in refused.value.hint


def test_equal_runs_give_equal_files(files: tuple[Path, Path], tmp_path: Path) -> None:
    outputs = [tmp_path / name for name in ("one.gpkg", "two.gpkg")]
    for output in outputs:
        typed(*files, "-o", output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
