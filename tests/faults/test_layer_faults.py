"""Road layers and pages that are hostile or broken. The numbers are those of docs/faults.md.

The door's own cases in depth: tests/output/test_read_roads.py; the page's: tests/evaluation/test_report.py.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import struct
import subprocess
import sys
import textwrap
import threading
from contextlib import closing
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from command_line import Ended, contents, refused, typed, unchanged
from drawn_evaluation import BrightIsRoad
from drawn_pairs import draw_pairs
from scipy.sparse.csgraph import dijkstra

from georoads.model.card import ModelCard
from georoads.model.checkpoint import save_checkpoint
from georoads.model.config import ModelConfig

UTM, PLACE = "EPSG:32632", (500_000.0, 5_000_000.0)
LINES = [f"LINESTRING (0 {y}, 40 {y}, 90 {y + 5})" for y in (0, 30, 60)] + ["LINESTRING (40 0, 40 60)"]
EVIL = "x'); DROP TABLE roads;--<img src=x onerror=document.title=9>&amp;\".tif"


def placed(wkt: str) -> shapely.Geometry:
    drawn = shapely.from_wkt(wkt)
    return shapely.transform(
        drawn, lambda xyz: xyz + np.array([*PLACE, 0.0])[: xyz.shape[1]], include_z=drawn.has_z
    )


def save(path: Path, wkts: list[str], *, kind: str = "Unknown", layer: str = "any", crs: str = UTM) -> Path:
    """A layer of lines near ``PLACE``; a further call adds a layer to the file."""
    wkb = np.array([shapely.to_wkb(placed(w)) for w in wkts], dtype=object)
    values, names = [np.full(len(wkts), EVIL, dtype=object)], ['"; DROP TABLE x;--']
    pyogrio.raw.write(
        path, wkb, values, names, geometry_type=kind, layer=layer, append=path.exists(), crs=crs
    )
    return path


@pytest.fixture
def truth(tmp_path: Path) -> Path:
    return save(tmp_path / "truth.gpkg", LINES, kind="LineString")


def scored(roads: Path, truth: Path, *flags: str) -> dict[str, float]:
    ended = typed("score", roads, truth, "-q", "--json", "-", *flags)
    assert ended.code == 0, ended.err
    figures: dict[str, float] = json.loads(ended.out)
    return figures


# 53: layers


def refused_layer(roads: Path, truth: Path, says: str, hint: str = "") -> None:
    """``score`` refuses it in either place; the earlier ``--explain`` stays, and no figures are written."""
    errors = roads.parent / "errors.gpkg"
    errors.write_text("an earlier output")
    flags = ("--explain", errors, "--overwrite", "--json", roads.parent / "figures.json")
    with unchanged(roads.parent):
        refused("score", roads, truth, *flags, says=says, hint=hint)
        refused("score", truth, roads, *flags, says=says, hint=hint)


def test_53_a_layer_that_is_not_there(truth: Path, tmp_path: Path) -> None:
    refused_layer(tmp_path / "none.gpkg", truth, "none.gpkg does not exist")
    trees = save(tmp_path / "trees.gpkg", ["POINT (0 0)"], kind="Point", layer="trees")
    refused_layer(trees, truth, "trees.gpkg has 0 layers of lines", "layers: trees")
    save(trees, LINES, kind="LineString", layer="streets")
    assert scored(trees, truth)["f1"] == 1.0
    save(trees, LINES[1:], kind="LineString", layer="paths")
    refused_layer(trees, truth, "trees.gpkg has 2 layers of lines", "layers: trees, streets, paths")
    refused("score", trees, truth, says="2 layers", hint="--layer names it")
    refused("score", truth, trees, says="2 layers", hint="--reference-layer names it")
    refused("score", trees, truth, "--layer", "canals", says="no layer 'canals'", hint="streets, paths")
    assert scored(trees, truth, "--layer", "streets")["completeness"] == 1.0
    assert scored(trees, truth, "--layer", "paths")["completeness"] < 1.0
    both = "--layer", "streets", "--reference-layer", "paths"
    assert scored(trees, trees, *both)["correctness"] < 1.0 == scored(trees, trees, *both)["completeness"]


def test_53_a_geoparquet_holds_one_layer_without_a_name(truth: Path, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    roads = tmp_path / "roads.parquet"
    pyogrio.read_dataframe(truth).to_parquet(roads)
    assert scored(roads, truth)["f1"] == 1.0
    refused("score", roads, truth, "--layer", "roads", says="no layer 'roads'", hint="leave --layer out")


def test_53_another_kind_of_geometry(truth: Path, tmp_path: Path) -> None:
    areas = save(tmp_path / "areas.gpkg", ["POLYGON ((0 0, 9 0, 9 9, 0 0))"])
    refused_layer(areas, truth, "areas.gpkg, layer any: row 1 is a Polygon, not a line", "centrelines")


def test_53_a_layer_without_crs(truth: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="crs"):
        nowhere = save(tmp_path / "nowhere.fgb", LINES, kind="LineString", crs=None)  # type: ignore[arg-type]
    refused_layer(nowhere, truth, "has no CRS", "ogr2ogr -a_srs")


def test_53_coordinates_that_are_no_numbers(truth: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.fgb"
    line = struct.pack("<BII4d", 1, 2, 2, np.nan, 5e6, 500_010, 5e6)  # as WKB
    wkb = np.array([line], dtype=object)
    pyogrio.raw.write(
        bad, wkb, [np.arange(1)], ["n"], geometry_type="LineString", crs=UTM,
        layer_options={"SPATIAL_INDEX": "NO"},
    )  # fmt: skip
    refused_layer(bad, truth, "bad.fgb, layer bad: 1 lines have coordinates that are no numbers", "redraw")


def test_53_another_crs_multi_lines_z_and_m_score_the_same(truth: Path, tmp_path: Path) -> None:
    ours = save(tmp_path / "ours.gpkg", LINES[1:], kind="LineString")
    plain = scored(ours, truth)
    assert 0 < plain["completeness"] < 1 == plain["correctness"]
    multi = save(
        tmp_path / "multi.gpkg", ["MULTILINESTRING ((0 0, 40 0, 90 5), (0 30, 40 30, 90 35))", *LINES[2:]]
    )
    high = save(
        tmp_path / "z.gpkg", [LINES[0], LINES[1], "LINESTRING Z (0 60 1, 40 60 2, 90 65 3)", LINES[3]]
    )
    for other in (multi, high):
        assert scored(ours, other) == plain
    degrees = tmp_path / "degrees.geojson"
    frame = pyogrio.read_dataframe(truth).to_crs("EPSG:4326")
    rows = [
        {
            "type": "Feature",
            "properties": {},
            "geometry": {"type": "LineString", "coordinates": [(*p, 7, 8) for p in g.coords]},
        }
        for g in frame.geometry
    ]
    degrees.write_text(json.dumps({"type": "FeatureCollection", "features": rows}))
    found = scored(ours, degrees)
    assert [found[k] for k in ("f1", "apls", "topo_f1")] == pytest.approx(
        [plain[k] for k in ("f1", "apls", "topo_f1")], abs=1e-6
    )


def test_53_scores_are_defined_for_empty_layers(truth: Path, tmp_path: Path) -> None:
    empty = save(tmp_path / "empty.gpkg", [], kind="LineString")
    for pair, expected in (((empty, truth), 0.0), ((truth, empty), 0.0), ((empty, empty), 1.0)):
        found = scored(*pair)
        assert [found[k] for k in ("f1", "apls", "topo_f1", "node_f1")] == [expected] * 4


def test_53_many_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    searches = []

    def counted(matrix: Any, *, indices: Any, **options: Any) -> Any:
        searches.append((len(indices), len(indices) * matrix.shape[0]))
        return dijkstra(matrix, indices=indices, **options)

    monkeypatch.setattr("georoads.scoring.routes.dijkstra", counted)
    ys = np.arange(2000) * 20.0
    many = save(tmp_path / "many.gpkg", [f"LINESTRING (0 {y}, 50 {y})" for y in ys], kind="LineString")
    half = save(tmp_path / "half.gpkg", [f"LINESTRING (0 {y}, 50 {y})" for y in ys[::2]], kind="LineString")
    found = scored(half, many)
    assert (found["completeness"], found["correctness"]) == pytest.approx((0.5, 1.0))
    assert found["reference_km"] == pytest.approx(100, rel=1e-3)
    # However many lines there are, routes start from 500 places of either network, and from 500 for TOPO.
    starts, cells = zip(*searches, strict=True)
    assert sum(starts) <= 2 * (500 + 500) + (500 + 500)
    assert max(cells) <= 8_000_000


# 54: names that are code elsewhere


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A mask with one road, under a name of HTML, SQL and quotes, in a folder of its own."""
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    (tmp_path / "m").mkdir()
    path = tmp_path / "m" / EVIL
    place = rasterio.Affine(0.5, 0, PLACE[0], 0, -0.5, PLACE[1])
    profile = {"driver": "GTiff", "width": 100, "height": 100, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=UTM, transform=place) as out:
        road = np.zeros((100, 100), np.uint8)
        road[48:53, 10:90] = 255
        out.write(road, 1)
    return path


def done(ended: Ended) -> None:
    assert ended.code == 0, ended.err


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_54_a_geopackage_keeps_the_name_as_text(mask: Path) -> None:
    output = mask.with_suffix(".gpkg")
    done(typed("vectorize", mask, "-o", output))
    assert rows(output, "SELECT source FROM roads") == [(EVIL,)]
    (record,) = rows(output, "SELECT metadata FROM gpkg_metadata")
    assert json.loads(str(record[0]))["scene"] == EVIL
    styles = rows(output, "SELECT styleQML FROM layer_styles")
    assert len(styles) == 5
    for (qml,) in styles:
        assert ElementTree.fromstring(str(qml)).tag == "qgis"
        assert "DROP" not in str(qml) and "onerror" not in str(qml)
    assert rows(output, "PRAGMA integrity_check") == [("ok",)]
    assert sorted(p.name for p in mask.parent.iterdir()) == sorted([EVIL, output.name])


@pytest.mark.parametrize("suffix", [".geojson", ".fgb"])
def test_54_other_formats_keep_it_too(mask: Path, suffix: str) -> None:
    output = mask.with_suffix(suffix)
    done(typed("vectorize", mask, "-o", output))
    (mask.parent / f"plain{suffix}").write_bytes(output.read_bytes())
    assert list(pyogrio.read_dataframe(mask.parent / f"plain{suffix}")["source"]) == [EVIL]
    if suffix == ".geojson":
        assert json.loads(json.loads(output.read_text())["description"])["scene"] == EVIL
    errors = mask.parent / "errors.gpkg"
    done(typed("score", output, output, "--explain", errors))
    ((record,),) = rows(errors, "SELECT metadata FROM gpkg_metadata")
    assert json.loads(str(record))["scene"] == f"{output.name} against {output.name}"


@pytest.mark.parametrize(
    "name", ['a"; DROP TABLE roads;--', "<script>", "select", "gpkg_contents", "a'b", "a b"]
)
def test_54_a_layers_name_is_a_plain_word(mask: Path, name: str) -> None:
    output = mask.parent / "out.gpkg"
    with unchanged(mask.parent):
        refused("vectorize", mask, "-o", output, "--layer", name, says=f"{name!r}", hint="letters")


def test_54_layers_of_others_may_have_any_name(mask: Path) -> None:
    output = save(mask.parent / "o.gpkg", LINES, kind="LineString", layer='a"; DROP TABLE roads;--')
    done(typed("vectorize", mask, "-o", output, "--append", "--layer", "ours"))
    assert set(pyogrio.list_layers(output)[:, 0]) >= {'a"; DROP TABLE roads;--', "ours", "ours_nodes"}
    assert rows(output, 'SELECT count(*) FROM "a""; DROP TABLE roads;--"') == [(len(LINES),)]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such names")
def test_54_messages_hold_no_control_characters(tmp_path: Path) -> None:
    name = tmp_path / "\x1b[2J\x1b]0;owned\x07\n\rerror: fine\u202e.gpkg"
    for command in (("score", name, name), ("info", name), ("models", str(name))):
        ended = refused(*command, says="\\x1b[2J")
        assert all(line.isprintable() for line in ended.err.splitlines())
    save(tmp_path / "a.gpkg", LINES, kind="LineString").rename(name)
    ended = typed("score", name, name, "--explain", tmp_path / "\x1b[2J.gpkg")
    done(ended)
    assert all(line.isprintable() for line in (ended.out + ended.err).splitlines())


class _Page(HTMLParser):
    """Tags and attributes that a browser would act upon."""

    def __init__(self, content: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(content)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


@pytest.fixture
def report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A report in which data set, picture, model and terms have a hostile name."""
    if os.name == "nt":
        pytest.skip("Windows has no such names")
    monkeypatch.setattr("georoads.inference.select.open_runtime", lambda checkpoint, params: BrightIsRoad())
    evil = EVIL.removesuffix(".tif")
    pairs = draw_pairs(tmp_path / evil, ["plain"])
    for folder in ("images", "masks"):
        (pairs / folder / "plain.png").rename(pairs / folder / f"{evil}.png")
    (pairs / "split.json").write_text(json.dumps({"train": [], "val": [evil]}))
    card = ModelCard(evil, ModelConfig(), (0.5,) * 3, (0.5,) * 3, 0.5, 64, 16, 0.5, terms=evil)
    model = save_checkpoint(tmp_path, "m", {}, card).path
    done(typed("evaluate", pairs, "--gsd-m", "0.5", "--model", model, "--report", tmp_path / "report"))
    return tmp_path / "report"


def test_54_the_report_of_an_evaluation_runs_nothing(report: Path) -> None:
    content = (report / "report.html").read_text(encoding="utf-8")
    page = _Page(content)
    assert content.count("&lt;img src=x onerror=document.title=9&gt;&amp;amp;") >= 4
    assert not any(tag in ("script", "iframe", "object", "form", "base") for tag, _ in page.tags)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    addresses = [a[k] for _, a in page.tags for k in ("src", "href") if k in a]
    assert all(str(a).startswith("data:") for a in addresses)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert "default-src 'none'" in str(policy)
    names = json.loads((report / "metrics.json").read_text())["per_tile"].keys()
    assert names == {EVIL.removesuffix(".tif")}


def title_in_a_browser(page: Path) -> str:
    """The title of a page once its scripts, if any, have run."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no Chromium")
    flags = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={page.parent / 'profile'}")
    shown = subprocess.run(
        [browser, *flags, "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    return shown.stdout.partition("<title>")[2].partition("</title>")[0]


def test_54_a_browser_runs_nothing_of_a_report(report: Path, tmp_path: Path) -> None:
    naive = tmp_path / "naive.html"
    naive.write_text(f"<!DOCTYPE html><title>as it was</title>{EVIL}")
    if title_in_a_browser(naive) != "9":
        pytest.skip("this browser does not run here")
    assert title_in_a_browser(report / "report.html") not in ("", "9")


@pytest.fixture
def map_page(mask: Path) -> Path:
    """A map in which file, layer, scene, attribute and its name are hostile."""
    end = "</script><script>document.title=9</script><!--"
    frame = pyogrio.read_dataframe(save(mask.parent / "a.gpkg", LINES, kind="LineString"))
    frame[end], frame["<b>"] = end, f"{end}\x1b[2J\u2028"
    pyogrio.write_dataframe(frame, mask.parent / "b.gpkg", layer=EVIL)
    roads = (mask.parent / "b.gpkg").rename(mask.parent / f"{EVIL}.gpkg")
    shutil.copy(mask, mask.parent / "scene <i>.tif")
    done(typed("view", roads, "--scene", mask.parent / "scene <i>.tif", "-o", mask.parent / "map.html"))
    return mask.parent / "map.html"


def test_54_the_map_runs_nothing_but_its_own_script(map_page: Path) -> None:
    content = map_page.read_text(encoding="utf-8")
    page = _Page(content)
    assert content.count("&lt;img src=x onerror=document.title=9&gt;&amp;amp;") >= 2
    assert "scene &lt;i&gt;.tif" in content and "<i>" not in content
    scripts = [a for t, a in page.tags if t == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {}]
    assert not any(tag in ("iframe", "object", "form", "base") for tag, _ in page.tags)
    assert not any(name.startswith("on") or name == "style" for _, a in page.tags for name in a)
    assert all(str(a[k]).startswith("data:") for _, a in page.tags for k in ("src", "href") if k in a)
    policy = next(a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv"))
    assert "default-src 'none'" in str(policy) and "unsafe" not in str(policy) and "http" not in str(policy)


def test_54_a_browser_runs_nothing_of_the_names_in_a_map(map_page: Path) -> None:
    title = title_in_a_browser(map_page)
    assert title.startswith("x'); DROP TABLE roads;--") and title.endswith(".gpkg")


# 55: GeoJSON without end


def test_55_a_geojson_beyond_the_limit_is_refused_unread(truth: Path, tmp_path: Path) -> None:
    huge = tmp_path / "huge.geojson"
    with huge.open("wb") as file:
        file.write(b'{"type": "FeatureCollection", "features": [')
        file.truncate(2**40)  # sparse: it takes no room
    says = "huge.geojson has 1099.5 GB; GeoJSON is read up to 1.1 GB"
    refused("score", huge, truth, says=says, hint="convert it to GeoPackage or FlatGeobuf")


LIST = b'{"type": "FeatureCollection", "features": ['
LINE = LIST + b'{"type": "Feature", "geometry": {"type": "LineString", "coordinates": ['
NUMBERS = b"1," * 5_000_000 + b"1]"
ENDLESS = {
    "unclosed": LINE,
    "long line": LINE + b"[9.5,45.5]," * 1_000_000,
    "late features": b'{"type": "FeatureCollection", "more": [' + NUMBERS + b', "features": []}',
    "late numbers": LIST + b'], "more": [' + NUMBERS + b"}",
    "one geometry": b'{"type": "LineString", "coordinates": [[9, 45]' + b",[9,45]" * 1_200_000 + b"]}",
    "false list": b'{"name": "\\"features\\":[", "a": {"features": [1]}, "more": [' + NUMBERS + b"}",
    "open text": b'{"name": "' + b'\\"' * 5_000_000,
    "deep arrays": LIST + b"[" * 100_000,
    "deep closed": LIST + b"[" * 100_000 + b"]" * 100_000 + b"]}",
    "deep objects": b'{"a": ' * 100_000,
    "deep attribute": LIST + b'{"type": "Feature", "properties": {"a": ' + b'{"a": ' * 100_000,
}


@pytest.mark.slow
def test_55_geojson_without_end_is_refused_in_bounded_memory(truth: Path, tmp_path: Path) -> None:
    pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("the size of the process is read from /proc")
    for name, content in ENDLESS.items():
        (tmp_path / f"{name}.geojson").write_bytes(content)
    limited = """
        import resource, sys
        from pathlib import Path
        from georoads.errors import GeoroadsError
        from georoads.output.read import read_roads
        folder = Path(sys.argv[1])
        read_roads(folder / "truth.gpkg")  # all libraries are in memory from here on
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + 800_000_000,) * 2)
        for path in sorted(folder.glob("*.geojson")):
            try:
                read_roads(path)
                print(path.stem, "READ")
            except GeoroadsError as e:
                print(path.stem, "NO MEMORY" if "memory" in e.message else "refused")
    """
    code = textwrap.dedent(limited)
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr[-2000:]
    assert ended.stdout.splitlines() == [f"{name} refused" for name in sorted(ENDLESS)]


def test_a_geojson_makes_nobody_ask_an_address(tmp_path: Path) -> None:
    asked = []

    class Spy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with HTTPServer(("127.0.0.1", 0), Spy) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        crs = {"type": "link", "properties": {"href": f"http://127.0.0.1:{server.server_address[1]}/crs"}}
        line = {"type": "LineString", "coordinates": [[9, 45], [9.1, 45]]}
        content = {
            "type": "FeatureCollection",
            "crs": crs,
            "features": [{"type": "Feature", "geometry": line}],
        }
        path = tmp_path / "a.geojson"
        path.write_text(json.dumps(content))
        done(typed("score", path, path, "-q"))
        server.shutdown()
    assert asked == []


def test_55_what_does_not_fit_into_memory_is_said(truth: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object, **options: object) -> None:
        raise MemoryError

    monkeypatch.setattr("pyogrio.raw.read", full)
    before = contents(truth.parent)
    refused("score", truth, truth, says=f"there is not enough memory for {truth}", hint="area of interest")
    assert contents(truth.parent) == before
