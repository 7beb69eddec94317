"""Tiles of web maps: which ones an area needs, and what becomes of what a server sends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Lock
from typing import Any

import cv2
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from web_map import COL, ROW, ZOOM, WebMap, drawn, encoded
from web_server import Reply, Request, Server, serving

from georoads.errors import GeoroadsError, SceneError
from georoads.output.area import Area, read_area
from georoads.remote.address import Kind, parse_address, quadkey
from georoads.remote.fetch import FetchRequest, fetch_scenes, plan_fetch
from georoads.remote.lattice import HALF_TURN, nearest_zoom, on_mercator, tiles_for, tiles_met, web_level
from georoads.remote.params import RemoteParams
from georoads.remote.picture import read_picture

QUICK = RemoteParams(margin_m=0, pause_s=0.01, attempts=2, timeout_s=10)
INSIDE = 0.2, 3.8, 2.8, 1.2
"""West, south, east, north of the area in tiles of the drawn piece: columns 0 to 2, rows 1 to 3."""


@pytest.fixture(scope="module")
def world() -> WebMap:
    return WebMap(drawn())


@pytest.fixture
def server(world: WebMap) -> Iterator[Server]:
    with serving(world.answer) as running:
        yield running


def wanted(server: Server, world: WebMap, path: str = "/{z}/{x}/{y}.png", **params: Any) -> FetchRequest:
    area = read_area(world.bounds(*INSIDE))
    return FetchRequest(addresses=(server.url + path,), area=area, params=replace(QUICK, **params))


# Addresses


@pytest.mark.parametrize(
    ("text", "kind", "shown"),
    [
        ("https://h/{z}/{x}/{y}.png?key=s3cr3t", Kind.TILES, "https://h/{z}/{x}/{y}.png"),
        ("https://{s}.h/{zoom}/{x}/{-y}", Kind.TILES, "https://{s}.h/{zoom}/{x}/{-y}"),
        ("https://{switch:a,b}.h/{q}?a={q}", Kind.TILES, "https://{switch:a,b}.h/{q}"),
        ("https://h/ows?LAYERS=a,b&token=s3cr3t", Kind.WMS, "https://h/ows?layers=a, b"),
        ("https://h/wmts?layers=a", Kind.WMTS, "https://h/wmts?layers=a"),
        ("https://h/x?service=WMTS&layer=a", Kind.WMTS, "https://h/x?layers=a"),
        ("https://h/wmts?service=WMS&layers=a", Kind.WMS, "https://h/wmts?layers=a"),
        ("https://ann:s3cr3t@h/a.tif?sig=s3cr3t", Kind.FILE, "https://…@h/a.tif"),
    ],
)
def test_what_an_address_names(text: str, kind: Kind, shown: str) -> None:
    address = parse_address(text)
    assert (address.kind, address.shown) == (kind, shown)
    assert "s3cr3t" not in repr(address)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("https://h/{z}/{x}.png", "does not say where a tile is"),
        ("https://h/{z}/{x}/{y}/{t}.png", "{t} is not known"),
        ("https://h/{z}/{x}/{y}/{.png", "is not known"),
        ("file:///{z}/{x}/{y}.png", "is not fetched"),
        ("https://h/${NO}/{z}/{x}/{y}.png", "${NO}, which is not set"),
    ],
)
def test_addresses_that_name_nothing(text: str, says: str) -> None:
    with pytest.raises(SceneError) as caught:
        parse_address(text)
    assert says in caught.value.message


def test_keys_of_the_environment_are_in_the_address_and_nowhere_else() -> None:
    address = parse_address("https://h/${KEY}/{z}/{x}/{y}.png?k=${KEY}", {"KEY": "s3cr3t"})
    assert address.tile(1, 0, 1) == "https://h/s3cr3t/1/0/1.png?k=s3cr3t"
    assert address.shown == "https://h/${KEY}/{z}/{x}/{y}.png"
    assert "s3cr3t" not in repr(address) + address.name
    with pytest.raises(SceneError) as caught:
        parse_address("https://h/${KEY}/{z}/{x}/{y}", {"KEY": "a/{x} s3cr3t"})
    assert "s3cr3t" not in str(caught.value)


def test_tiles_by_each_way_of_counting() -> None:
    for text, tile in (
        ("https://h/{z}/{x}/{y}", "https://h/3/3/5"),
        ("https://h/{z}/{x}/{-y}", "https://h/3/3/2"),
        ("https://h/{q}.jpg", "https://h/213.jpg"),  # Bing Maps Tile System, the page's own example
        ("https://{s}.h/{z}/{x}/{y}", "https://c.h/3/3/5"),
        ("https://{switch:t0,t1,t2,t3}.h/{z}/{x}/{y}", "https://t0.h/3/3/5"),
    ):
        assert parse_address(text).tile(3, 3, 5) == tile
    assert parse_address("https://{s}.h/{q}").hosts == ("https://a.h/", "https://b.h/", "https://c.h/")


@given(st.integers(0, 24), st.data())
def test_quadkeys_lead_back(zoom: int, data: st.DataObject) -> None:
    col, row = (data.draw(st.integers(0, 2**zoom - 1)) for _ in range(2))
    key = quadkey(zoom, col, row)
    assert len(key) == zoom
    assert int("0" + "".join(str(int(d) & 1) for d in key), 2) == col
    assert int("0" + "".join(str(int(d) >> 1) for d in key), 2) == row


# Lattices


@given(st.integers(0, 20), st.data())
def test_a_tile_needs_itself(zoom: int, data: st.DataObject) -> None:
    level = web_level(zoom, 256)
    row, col = (data.draw(st.integers(0, 2**zoom - 1)) for _ in range(2))
    window, count = tiles_for(level, shapely.box(*level.bounds(row, col)))
    assert (window.row, window.col, count) == (row, col, 1)
    assert tiles_met(level, window, shapely.box(*level.bounds(row, col))).all()


@pytest.mark.parametrize(("lat", "zoom"), [(0, 18), (45, 18), (55, 17), (60, 17), (78, 16)])
def test_the_level_nearest_to_the_model(lat: float, zoom: int) -> None:
    assert nearest_zoom(lat, 0.5, 256) == zoom
    assert nearest_zoom(lat, 0.5, 512) == zoom - 1
    gsds = {z: web_level(z, 256).gsd_m(lat) for z in range(25)}
    assert min(gsds, key=lambda z: max(gsds[z] / 0.5, 0.5 / gsds[z])) == zoom


def test_only_tiles_that_the_area_meets() -> None:
    level = web_level(10, 256)
    west, south, _, _ = level.bounds(505, 500)
    triangle = shapely.Polygon(
        [(west, south), (west + 4 * level.tile, south), (west, south + 4 * level.tile)]
    )
    window, count = tiles_for(level, triangle)
    met = tiles_met(level, window, triangle)
    assert count == 16
    assert met.tolist() == [[c <= r for c in range(4)] for r in range(4)]


def test_margins_are_metres_on_the_ground() -> None:
    area = Area(shapely.box(10, 59.99, 10.01, 60.01), "EPSG:4326", "here")
    around, inside = on_mercator(area, 100).bounds, on_mercator(area, 0).bounds
    assert inside[0] - around[0] == pytest.approx(200, rel=0.01)
    with pytest.raises(SceneError, match="beyond what web maps"):
        on_mercator(Area(shapely.box(10, 86, 11, 87), "EPSG:4326", "here"), 0)
    everything = on_mercator(Area(shapely.box(-180, -90, 180, 90), "EPSG:4326", "all"), 0)
    assert everything.bounds == pytest.approx((-HALF_TURN, -HALF_TURN, HALF_TURN, HALF_TURN), rel=1e-3)


def test_an_area_in_another_crs() -> None:
    area = Area(shapely.box(500_000, 5_300_000, 501_000, 5_301_000), "EPSG:32633", "here")
    polygon = on_mercator(area, 0)
    assert polygon.area == pytest.approx(1e6 / np.cos(np.radians(47.85)) ** 2, rel=0.01)


# Pictures


@pytest.mark.parametrize("suffix", ["png", "webp", "jpg"])
def test_pictures_of_each_format(suffix: str) -> None:
    rgb = np.full((3, 256, 256), 90, np.uint8)
    rgb[0, :128] = 200
    rgba = read_picture(encoded(rgb, suffix), "it")
    assert rgba.shape == (4, 256, 256)
    assert np.abs(rgba[:3].astype(int) - rgb).max() <= (0 if suffix == "png" else 30)
    assert (rgba[3] == 255).all()


def test_alpha_grey_and_palettes() -> None:
    rgba = np.full((4, 16, 16), 90, np.uint8)
    rgba[3, :8] = 0
    read = read_picture(encoded(rgba, "png"), "it")
    assert (read[3] == rgba[3]).all() and not read[:3, :8].any() and (read[:3, 8:] == 90).all()
    grey = bytes(cv2.imencode(".png", np.full((16, 16), 7, np.uint8))[1])
    assert (read_picture(grey, "it")[:3] == 7).all()
    palette = _palette_png([(10, 20, 30), (200, 210, 220)])
    assert read_picture(palette, "it")[:, 0, 1].tolist() == [200, 210, 220, 255]


def _palette_png(colours: list[tuple[int, int, int]]) -> bytes:
    """16 x 16 pixels, columns of both colours by turns."""
    from rasterio.io import MemoryFile

    place = Affine.scale(0.5)
    with MemoryFile() as file:
        with file.open(driver="PNG", width=16, height=16, count=1, dtype="uint8", transform=place) as out:
            out.write(np.tile(np.arange(16, dtype=np.uint8) % 2, (16, 1)), 1)
            out.write_colormap(1, {n: (*colour, 255) for n, colour in enumerate(colours)})
        return bytes(file.read())


def test_what_is_no_tile_is_refused() -> None:
    whole = encoded(np.random.default_rng(1).integers(0, 255, (3, 256, 256)).astype(np.uint8), "png")
    for content, says in (
        (b"<!DOCTYPE html><html>no key", "no picture: it begins '<!DOCTYPE html>"),
        (b"", "no picture: it begins with nothing"),
        (b"\x00\x01\x02", "no picture: it begins with 000102"),
        (b"II*\0" + b"\0" * 99, "no picture"),
        (whole[:-3000], "damaged"),
        (whole[:60], "damaged"),
        (encoded(np.zeros((3, 100, 256), np.uint8), "png"), "100 pixels"),
        (encoded(np.zeros((3, 4096, 4096), np.uint8), "png"), "4096 x 4096"),
        (bytes(cv2.imencode(".png", np.zeros((256, 256), np.uint16))[1]), "uint16"),
    ):
        with pytest.raises(SceneError) as caught:
            read_picture(content, "tile 1/2/3")
        assert says in caught.value.message, caught.value
    jpeg = encoded(np.random.default_rng(1).integers(0, 255, (3, 256, 256)).astype(np.uint8), "jpg")
    with pytest.raises(SceneError, match="damaged"):
        read_picture(jpeg[: len(jpeg) // 2], "tile 1/2/3")
    with pytest.raises(SceneError, match="not 512 x 512"):
        read_picture(whole, "tile 1/2/3", 512)


# Fetching


def test_the_area_decides_the_tiles(server: Server, world: WebMap, tmp_path: Path) -> None:
    plan = plan_fetch(wanted(server, world))
    (told,) = plan.scenes
    assert (told.pieces, told.width, told.height) == (9, 768, 768)
    assert told.size_mb == pytest.approx(9 * len(world.tile(ZOOM, COL + 1, ROW + 2) or b"") / 1e6)
    assert told.notes == ("zoom 18: pixels of 0.37 m, the model's are 0.5 m",)
    assert len(server.asked) == 1
    (scene,) = fetch_scenes(wanted(server, world), tmp_path)
    asked = {request.path for request in server.asked}
    assert asked == {f"/18/{COL + x}/{ROW + y}.png" for x in (0, 1, 2) for y in (1, 2, 3)}
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb[:, 256:, :768]).all()
        assert (made.read(4) == 255).all()
        assert made.transform.almost_equals(world.transform * made.transform.translation(0, 256), 1e-6)
        assert made.tags()["GEOROADS_SOURCE"] == f"{server.url}/{{z}}/{{x}}/{{y}}.png at zoom 18"
    assert scene.source.endswith("at zoom 18")


def test_tiles_of_512_pixels_are_told_by_the_first(tmp_path: Path) -> None:
    world = WebMap(drawn(), tile_px=512)
    other = encoded(np.zeros((3, 512, 512), np.uint8), "png")

    def answer(request: Request) -> Reply:
        return Reply(other) if request.path.startswith("/18/") else world.answer(request)

    with serving(answer) as server:
        request = wanted(server, world)
        (told,) = plan_fetch(request).scenes
        assert (told.pieces, told.width, told.height) == (4, 1024, 1024)
        assert "zoom 17" in told.notes[0]
        (scene,) = fetch_scenes(request, tmp_path)
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb).all()


def test_no_area(server: Server, world: WebMap) -> None:
    with pytest.raises(SceneError) as caught:
        plan_fetch(replace(wanted(server, world), area=None))
    assert "--aoi" in caught.value.hint
    assert not server.asked


def test_a_million_tiles_are_refused_before_the_first(server: Server, world: WebMap) -> None:
    request = replace(wanted(server, world), area=read_area("10,45,11.4,46"))
    with pytest.raises(GeoroadsError) as caught:
        plan_fetch(request)
    assert "tiles at this level, more than 20,000" in caught.value.message
    assert "remote.max_tiles=" in caught.value.hint
    assert not server.asked


def test_megabytes_are_bounded_before_and_while_they_come(
    server: Server, world: WebMap, tmp_path: Path
) -> None:
    with pytest.raises(GeoroadsError, match="MB are needed, more than"):
        plan_fetch(wanted(server, world, max_mb=0.1))
    with serving(lambda r: Reply(b"", 404)) as empty, pytest.raises(SceneError, match="none of the 9 tiles"):
        fetch_scenes(wanted(empty, world), tmp_path)


def test_missing_tiles_are_nodata(world: WebMap, tmp_path: Path) -> None:
    def answer(request: Request) -> Reply:
        return Reply(b"", 404) if request.path == f"/18/{COL + 1}/{ROW + 2}.png" else world.answer(request)

    with serving(answer) as server:
        (scene,) = fetch_scenes(wanted(server, world), tmp_path)
    with rasterio.open(scene.path) as made:
        alpha = made.read(4)
        assert made.get_tag_item("BLOCK_OFFSET_1_1", "TIFF", bidx=1) is None
    hole = np.zeros((768, 768), bool)
    hole[256:512, 256:512] = True
    assert ((alpha == 0) == hole).all()
    assert "1 of 9 tiles are missing at the server" in scene.notes


BAD = f"/18/{COL + 2}/{ROW + 3}.png"
HOSTILE = {
    "HTML": (
        Reply(b"<html>Too many requests</html>", headers={"Content-Type": "text/html"}),
        "is no picture",
    ),
    "empty": (Reply(b""), "is no picture"),
    "cut": (Reply(encoded(drawn(256), "png")[:-500]), "damaged"),
    "other size": (Reply(encoded(drawn(512), "png")), "512 x 512 pixels, not 256 x 256"),
    "TIFF": (Reply(b"II*\0" + bytes(500)), "is no picture"),
    "403": (Reply(b"", 403), "refuses access (403)"),
    "400": (Reply(b"", 400), "answered 400"),
    "429": (Reply(b"", 429), "answered 429 (2 attempts)"),
    "500": (Reply(b"", 500), "answered 500 (2 attempts)"),
    "large": (Reply(b"\x89PNG\r\n\x1a\n" + bytes(9_000_000)), "sends more than 8 MB"),
    "elsewhere": (Reply(b"", 302, {"Location": "http://example.org/"}), "redirected to http://example.org"),
    "a file": (Reply(b"", 302, {"Location": "file:///etc/passwd"}), "redirected to what is no web address"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_one_bad_tile_refuses_the_scene_and_the_others_are_kept(
    case: str, world: WebMap, tmp_path: Path
) -> None:
    reply, says = HOSTILE[case]
    is_bad = True

    def answer(request: Request) -> Reply:
        return reply if is_bad and request.path == BAD else world.answer(request)

    with serving(answer) as server:
        with pytest.raises(SceneError) as caught:
            fetch_scenes(wanted(server, world), tmp_path)
        assert says in caught.value.message and caught.value.hint
        assert f"tile 18/{COL + 2}/{ROW + 3} of {server.url}" in caught.value.message
        assert not list(tmp_path.glob("*.tif"))
        is_bad = False
        before = len(server.asked)
        (scene,) = fetch_scenes(wanted(server, world), tmp_path)
        assert len(server.asked) - before <= 5  # the sample, and what had not come
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb[:, 256:, :768]).all()


def test_a_server_is_asked_by_a_few_connections(world: WebMap, tmp_path: Path) -> None:
    lock, now, most = Lock(), 0, 0

    def answer(request: Request) -> Reply:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1
        return world.answer(request)

    with serving(answer) as server:
        fetch_scenes(wanted(server, world, connections=3), tmp_path)
    assert most == 3


def test_what_is_complete_needs_no_server(world: WebMap, tmp_path: Path) -> None:
    with serving(world.answer) as server:
        request = wanted(server, world)
        first = fetch_scenes(request, tmp_path)
    stamp = first[0].path.stat().st_mtime_ns
    assert fetch_scenes(request, tmp_path) == first
    assert first[0].path.stat().st_mtime_ns == stamp
    with pytest.raises(SceneError, match="there is no connection"):
        fetch_scenes(replace(request, model_gsd_m=1.0), tmp_path)


def test_damaged_pieces_are_fetched_again(server: Server, world: WebMap, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("georoads.remote.tiled.TiledPart.write", _stopped)
        with pytest.raises(KeyboardInterrupt):
            fetch_scenes(wanted(server, world), tmp_path)
    pieces = tmp_path / "pieces.bin"
    content = bytearray(pieces.read_bytes())
    content[100] ^= 255
    pieces.write_bytes(content)
    before = len(server.asked)
    (scene,) = fetch_scenes(wanted(server, world), tmp_path)
    assert len(server.asked) - before == 2  # the sample, which is not the damaged one, and that
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb[:, 256:, :768]).all()


def _stopped(*_: Any) -> Any:
    raise KeyboardInterrupt
