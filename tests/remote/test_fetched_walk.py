"""The commands by address: the same lines as of files, also when they are stopped on the way."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from command_line import Ended, contents, refused, typed, unchanged
from documented import ROOT, Command, steps
from stub import LocalRuntime
from web_map import ROW, WebMap, drawn
from web_server import Reply, Request, ranged, serving

import georoads
from georoads.errors import GeoroadsError
from georoads.output.read import read_roads

pytestmark = pytest.mark.slow

FAST = ("--set", "remote.pause_s=0.01", "--set", "remote.attempts=2", "--set", "remote.margin_m=0")
INSIDE = 0.2, 3.8, 2.8, 1.2
TILES = "/{z}/{x}/{y}.png"


@pytest.fixture(scope="module")
def world() -> WebMap:
    return WebMap(drawn())


@pytest.fixture(autouse=True)
def quick_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())


def predicted(scene: str | Path, world: WebMap, output: Path, *more: str | Path) -> Ended:
    return typed("predict", scene, "-o", output, "--aoi", world.bounds(*INSIDE), *FAST, *more)


def pixels(path: Path) -> Any:
    with rasterio.open(path) as raster:
        return raster.read(1), raster.transform


def rows(path: Path) -> list[Any]:
    """The roads of a GeoJSON, but for the name of their scene."""
    features = json.loads(path.read_text())["features"]
    return [(f["geometry"], {k: v for k, v in f["properties"].items() if k != "source"}) for f in features]


def extracted(scene: str | Path, world: WebMap, output: Path, *more: str) -> list[Any]:
    area = world.bounds(*INSIDE)
    done = typed("extract", scene, "-o", output, "--aoi", area, "--threshold", "0.5", *FAST, *more)
    assert done.code == 0, done.err
    return rows(output)


def test_extract_by_address_is_extract_of_the_file(world: WebMap, tmp_path: Path) -> None:
    local = world.write(tmp_path / "local.tif", 0, 1, 3, 4)
    with serving(world.answer) as server:
        address = server.url + TILES
        by_address = extracted(address, world, tmp_path / "a.geojson", "--allow-remote", "--zoom", "auto")
    assert len(by_address) > 10
    assert by_address == extracted(local, world, tmp_path / "b.geojson")
    assert not list(tmp_path.glob("*.work")) and not list(tmp_path.glob(".*"))


def test_what_is_fetched_is_a_cog(world: WebMap, tmp_path: Path) -> None:
    with serving(world.answer) as server:
        made = georoads.fetch(
            server.url + TILES, tmp_path / "s.tif", world.bounds(*INSIDE),
            params=georoads.RemoteParams(margin_m=0, attribution="© A mapper"),
        )  # fmt: skip
    assert (made.width, made.height, made.attribution) == (768, 768, "© A mapper")
    with rasterio.open(tmp_path / "s.tif") as cog:
        assert cog.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert cog.tags()["TIFFTAG_COPYRIGHT"] == "© A mapper"
        assert (cog.read([1, 2, 3]) == world.rgb[:, 256:, :768]).all()
        assert cog.overviews(1)


def test_dark_imagery_is_stretched_alike(tmp_path: Path) -> None:
    """By samples of its blocks, which are those of the tiles in what is fetched, too."""
    dark = WebMap(drawn() // 4 + np.uint8(3))
    with serving(dark.answer) as server:
        address = server.url + TILES
        assert predicted(address, dark, tmp_path / "a.tif", "--allow-remote").code == 0
        done = typed("fetch", address, "-o", tmp_path / "s.tif", "--aoi", dark.bounds(*INSIDE), *FAST)
        assert done.code == 0, done.err
    done = predicted(tmp_path / "s.tif", dark, tmp_path / "b.tif")
    assert done.code == 0 and "stretched" in done.err, done.err
    (levels, place), (expected, there) = pixels(tmp_path / "a.tif"), pixels(tmp_path / "b.tif")
    assert place == there and (levels == expected).all()


def test_predict_by_address_also_of_several_scenes(world: WebMap, tmp_path: Path) -> None:
    """A file on top, tiles below: as two files."""
    top = world.write(tmp_path / "top.tif", 0, 1, 2, 3)
    below = world.write(tmp_path / "below.tif", 0, 1, 3, 4)
    with serving(world.answer) as server:
        done = predicted(top, world, tmp_path / "a.tif", server.url + TILES, "--allow-remote")
    assert done.code == 0, done.err
    done = predicted(top, world, tmp_path / "b.tif", below)
    assert done.code == 0, done.err
    (levels, place), (expected, there) = pixels(tmp_path / "a.tif"), pixels(tmp_path / "b.tif")
    assert place == there
    assert (levels == expected).all() and levels.max() > 150


def test_a_geotiff_and_an_item_are_the_file(world: WebMap, tmp_path: Path) -> None:
    content = world.write(tmp_path / "a.tif", 0, 1, 3, 4).read_bytes()
    item = {"type": "Feature", "assets": {"visual": {"href": "a.tif", "type": "image/tiff"}}}

    def answer(request: Request) -> Reply:
        return ranged(content if request.path == "/a.tif" else json.dumps(item).encode(), request)

    everything = "--aoi", world.bounds(0, 4, 3, 1)
    assert typed("predict", tmp_path / "a.tif", "-o", tmp_path / "local.tif", *everything).code == 0
    with serving(answer) as server:
        for number, path in enumerate(("/a.tif", "/item")):
            output = tmp_path / f"{number}.tif"
            done = typed("predict", server.url + path, "-o", output, *everything, "--allow-remote", *FAST)
            assert done.code == 0, done.err
            (levels, place), (expected, there) = pixels(output), pixels(tmp_path / "local.tif")
            assert place == there and (levels == expected).all() and levels.max() > 150


def test_a_run_that_is_stopped_goes_on(world: WebMap, tmp_path: Path) -> None:
    """While it fetches; and while it predicts, for which no server is needed any more."""
    is_busy = False

    def answer(request: Request) -> Reply:
        return Reply(b"", 503) if is_busy and f"{ROW + 3}.png" in request.path else world.answer(request)

    output = tmp_path / "r.tif"
    with serving(answer) as server:
        address = server.url + TILES
        assert predicted(address, world, tmp_path / "whole.tif", "--allow-remote").code == 0
        is_busy = True
        ended = predicted(address, world, output, "--allow-remote")
        assert ended.code == 1 and "answered 503" in ended.err and "--resume" in ended.err
        assert not output.exists()
        refused(
            "predict", address, "-o", output, "--aoi", world.bounds(*INSIDE), "--allow-remote", *FAST,
            says="r.tif.scene.work holds the work of a run that was stopped", hint="--resume",
        )  # fmt: skip
        is_busy, before = False, len(server.asked)
        with pytest.MonkeyPatch.context() as patch:
            stopping = lambda *_: LocalRuntime(stop_after=1)  # noqa: E731
            patch.setattr("georoads.walk.prepared.open_runtime", stopping)
            assert predicted(address, world, output, "--allow-remote", "--resume").code == 130
        assert len(server.asked) - before <= 4  # a sample, and the last row of tiles
    kept = contents(tmp_path)
    assert {"r.tif.scene.work", "r.tif.work"} <= kept.keys()
    assert predicted(address, world, output, "--allow-remote", "--resume").code == 0  # the server is gone
    assert output.read_bytes() == (tmp_path / "whole.tif").read_bytes()
    assert not list(tmp_path.glob("*.work"))


def test_dry_run_says_what_would_be_fetched_and_writes_nothing(world: WebMap, tmp_path: Path) -> None:
    with serving(world.answer) as server, unchanged(tmp_path):
        for command, output in (("extract", "r.gpkg"), ("predict", "r.tif"), ("fetch", "s.tif")):
            allow = () if command == "fetch" else ("--allow-remote",)
            done = typed(
                command, server.url + TILES + "?key=s3cr3t", "-o", tmp_path / output, *allow, "--dry-run",
                "--aoi", world.bounds(*INSIDE), *FAST,
            )  # fmt: skip
            assert done.code == 0, done.err
            assert f"scene: {server.url}/{{z}}/{{x}}/{{y}}.png at zoom 18" in done.out
            assert "fetched: 9 tiles, about" in done.out and "768 x 768 px of 0.3" in done.out
            assert "zoom 18: pixels of 0.37 m, the model's are 0.5 m" in done.out
            assert "s3cr3t" not in done.out + done.err
        assert len(server.asked) == 3


def test_outputs_are_looked_at_before_anything_is_fetched(world: WebMap, tmp_path: Path) -> None:
    (tmp_path / "r.gpkg").write_text("old")
    with serving(world.answer) as server, unchanged(tmp_path):
        address, area = server.url + TILES, ("--aoi", world.bounds(*INSIDE))
        refused("extract", address, "-o", tmp_path / "r.gpkg", *area, "--allow-remote", says="exists")
        refused(
            "predict", address, "-o", tmp_path / "no" / "r.tif", *area, "--allow-remote", says="not exist"
        )
        refused("fetch", address, "-o", tmp_path / "s.png", *area, says="no name of a GeoTIFF")
        refused("fetch", "scene.tif", "-o", tmp_path / "s.tif", *area, says="is no address")
        assert not server.asked


def test_addresses_need_the_flag(world: WebMap, tmp_path: Path) -> None:
    with serving(world.answer) as server, unchanged(tmp_path):
        for command, name in (("extract", "r.gpkg"), ("predict", "r.tif")):
            address = server.url + TILES
            refused(
                command, address, "-o", tmp_path / name, "--set", "remote.max_tiles=9",
                says="is not a local file", hint="--allow-remote",
            )  # fmt: skip
            refused(
                command, "s3://bucket/a.tif", "-o", tmp_path / name, "--allow-remote", says="not a local file"
            )
            assert typed(command, address, "-o", tmp_path / name, "--allow-remote", "--zoom", "x").code == 2
        assert not server.asked


def test_keys_headers_and_signatures_are_sent_and_kept_nowhere(
    world: WebMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAPS_KEY", "s3cr3t1")
    monkeypatch.setenv("GEOROADS_HEADERS", "X-Token: s3cr3t2\nReferer: https://here.example")
    out = tmp_path / "out"
    out.mkdir()

    is_busy = False

    def answer(request: Request) -> Reply:
        if is_busy and f"/{ROW + 3}.png" in request.path:
            return Reply(b"", 503)
        key, _, path = request.path.removeprefix("/").partition("/")
        return world.answer(Request(f"/{path}", request.headers)) if key == "s3cr3t1" else Reply(b"", 403)

    with serving(answer) as server:
        address = server.url.replace("://", "://ann:s3cr3t3@") + "/${MAPS_KEY}" + TILES + "?sig=s3cr3t4"
        done = typed(
            "extract", address, "-o", out / "r.gpkg", "--aoi", world.bounds(*INSIDE), "--allow-remote", *FAST,
            "--json", out / "r.json", "--debug", "--set", "remote.attribution=Imagery of a mapper",
        )  # fmt: skip
        assert done.code == 0, done.err
        headers = server.asked[-1].headers
        assert (headers["X-Token"], headers["authorization"]) == ("s3cr3t2", "Basic YW5uOnMzY3IzdDM=")
        is_busy = True
        ask = "extract", address, "-o", out / "m.gpkg", "--aoi", world.bounds(*INSIDE), "--allow-remote"
        assert "answered 503" in typed(*ask, *FAST).err
        assert (out / "m.gpkg.scene.work" / "ledger.jsonl").is_file()
        monkeypatch.setenv("MAPS_KEY", "other")
        failed = typed(
            "extract", address, "-o", out / "n.gpkg", "--aoi", world.bounds(*INSIDE), "--allow-remote",
            "--debug", *FAST,
        )  # fmt: skip
    assert failed.code == 1 and "refuses access (403)" in failed.err and "docs/remote.md" in failed.err
    written = [p.read_bytes().decode("latin-1") for p in out.rglob("*.*") if p.is_file()]
    for text in (done.out, done.err, failed.err, *written):
        assert "s3cr3t" not in text and "Basic" not in text
    with closing(sqlite3.connect(out / "r.gpkg")) as db:
        found = db.execute("SELECT metadata FROM gpkg_metadata WHERE metadata LIKE '%imagery%'").fetchone()
    shown = f"http://…@127.0.0.1:{server.port}/${{MAPS_KEY}}/{{z}}/{{x}}/{{y}}.png at zoom 18"
    assert f"{shown}; Imagery of a mapper" in found[0]


@pytest.mark.parametrize("text", ["no header", "X: a\n: b", "X-Y: a\nHost: evil", '{"a": 1}', "{", "X: \x00"])
def test_headers_that_are_none(text: str) -> None:
    from georoads.cli.remote_options import headers_of

    with pytest.raises(GeoroadsError):
        headers_of({"GEOROADS_HEADERS": text})
    assert headers_of({"GEOROADS_HEADERS": '{"A-b": "c: d"}'}) == headers_of(
        {"GEOROADS_HEADERS": "A-b: c: d"}
    )


def test_the_guide_from_the_first_line_to_the_last(
    world: WebMap, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server is one of ours, and its area lies in the drawn piece."""
    monkeypatch.chdir(tmp_path)
    area = world.bounds(1.2, 2.4, 1.9, 1.6)
    printed: list[str] = []
    with serving(world.answer) as server:

        def here(text: str) -> str:
            ours = text.replace("https://tiles.example.org", server.url)
            return ours.replace("2.6577,51.6920,2.6610,51.6945", area)

        for step in steps(ROOT / "docs" / "remote.md"):
            if isinstance(step, Command):
                done = typed(*map(here, step.words))
                assert done.code == 0, f"{step.text}\n{done.err}"
            else:
                exec(compile(here(step), "remote.md", "exec"), {"print": printed.append})
    assert {p.name for p in tmp_path.iterdir()} == {"scene.tif", "roads.gpkg", "direct.gpkg", "again.tif"}
    assert printed == [f"{server.url}/{{z}}/{{x}}/{{y}}.png at zoom 18"]
    lines = [read_roads(tmp_path / name).lines for name in ("roads.gpkg", "direct.gpkg")]
    assert len(lines[0]) > 0 and shapely.equals_exact(*map(shapely.multilinestrings, lines))
