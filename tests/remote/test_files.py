"""GeoTIFFs read by ranges, and STAC items that name them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from drawn_rasters import HALF_METRE, write_raster
from rasterio.windows import Window as RasterioWindow
from web_server import Reply, Request, Server, ranged, serving

from georoads.errors import GeoroadsError, LayerError, SceneError
from georoads.grid import Grid
from georoads.output.area import Area, read_area
from georoads.remote.fetch import FetchRequest, fetch_scenes, plan_fetch
from georoads.remote.params import RemoteParams
from georoads.remote.ranges import PAGE, PagedFile, opener_of, spans_of

QUICK = RemoteParams(margin_m=0, pause_s=0.01, attempts=2, timeout_s=10)
SIDE = 1536
COG: dict[str, Any] = {
    "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate", "interleave": "pixel",
}  # fmt: skip


def noise(bands: int = 3, dtype: str = "uint8", side: int = SIDE) -> np.ndarray[Any, Any]:
    """(bands, side, side): it does not pack, so that files are large."""
    return np.random.default_rng(2).integers(1, 255, (bands, side, side)).astype(dtype)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of rasters with overviews: a.tif as COG, b.tif of 16 bits with nodata and a mask-like hole."""
    folder = tmp_path_factory.mktemp("served")
    with rasterio.open(write_raster(folder / "a.tif", noise(), **COG), "r+") as made:
        made.build_overviews([2, 4])
    deep = noise(1, "uint16")
    deep[:, :600, :600] = 0
    write_raster(folder / "b.tif", deep, nodata=0, **COG)
    mask = np.full((SIDE, SIDE), 255, np.uint8)
    mask[:700, 500:] = 0
    masked = write_raster(folder / "m.tif", noise(), **COG)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(masked, "r+") as made:
        made.write_mask(mask)
    write_raster(folder / "placeless.tif", noise(side=64), crs=None)
    write_raster(folder / "small.tif", noise(side=64))
    return folder


@pytest.fixture
def server(files: Path) -> Iterator[Server]:
    with serving(file_server(files)) as running:
        yield running


def file_server(folder: Path, **headers: str) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        path = folder / request.path.partition("?")[0].lstrip("/")
        return ranged(path.read_bytes(), request, **headers) if path.is_file() else Reply(b"", 404)

    return answer


def area(west: int, north: int, east: int, south: int) -> Area:
    """A rectangle of pixels of the drawn rasters."""
    t = HALF_METRE
    (left, top), (right, bottom) = t * (west, north), t * (east, south)
    import shapely

    return Area(shapely.box(left, bottom, right, top), "EPSG:32647", "there")


INSIDE = 300, 600, 700, 900


def wanted(server: Server, path: str = "/a.tif", inside: Area | None = None, **more: Any) -> FetchRequest:
    params = replace(QUICK, **more.pop("params", {}))
    return FetchRequest(addresses=(server.url + path,), area=inside, params=params, **more)


def around(path: Path) -> tuple[Grid, RasterioWindow]:
    """The grid of a raster that was fetched, and its window in the drawn ones."""
    with rasterio.open(path) as made:
        t = ~HALF_METRE * made.transform
        window = RasterioWindow(round(t.c), round(t.f), made.width, made.height)
        return Grid(made.crs.to_wkt(), made.transform, made.width, made.height), window


def test_neighbours_are_asked_for_at_once() -> None:
    assert list(spans_of([])) == []
    assert list(spans_of(range(40))) == [(0, 15), (16, 31), (32, 39)]


@pytest.mark.parametrize("name", ["a.tif", "b.tif", "m.tif"])
def test_the_window_of_the_area_comes_as_it_is(
    name: str, files: Path, server: Server, tmp_path: Path
) -> None:
    request = wanted(server, f"/{name}", area(*INSIDE))
    (told,) = plan_fetch(request).scenes
    (scene,) = fetch_scenes(request, tmp_path)
    assert scene.path.name == name
    _, window = around(scene.path)
    assert 0 <= 300 - window.col_off <= 2 and 0 <= window.width - 400 <= 4
    with rasterio.open(scene.path) as made, rasterio.open(files / name) as whole:
        assert (made.read() == whole.read(window=window)).all()
        assert (made.dataset_mask() == whole.dataset_mask(window=window)).all()
        assert (made.dtypes, made.nodata, made.colorinterp) == (whole.dtypes, whole.nodata, whole.colorinterp)
    received = sum(
        int(r.headers["Range"].split("-")[1]) + 1 - int(r.headers["Range"][6:].split("-")[0])
        for r in server.asked
    )
    assert all("Range" in request.headers for request in server.asked)
    assert received < (files / name).stat().st_size
    assert told.pieces * PAGE < (files / name).stat().st_size


def test_the_overview_nearest_to_the_model(files: Path, server: Server, tmp_path: Path) -> None:
    for model_m, factor in ((0.5, 1), (0.6, 1), (0.8, 2), (1.1, 2), (9.0, 4)):
        request = wanted(server, "/a.tif", area(*INSIDE), model_gsd_m=model_m)
        (told,) = plan_fetch(request).scenes
        assert told.gsd_m == pytest.approx(0.5 * factor, rel=0.01)
        assert bool(told.notes) == (factor > 1)
    (scene,) = fetch_scenes(wanted(server, "/a.tif", area(*INSIDE), model_gsd_m=1.0), tmp_path)
    with rasterio.open(scene.path) as made, rasterio.open(files / "a.tif", overview_level=0) as half:
        t = ~half.transform * made.transform
        window = RasterioWindow(round(t.c), round(t.f), made.width, made.height)
        assert (made.read() == half.read(window=window)).all()
    assert scene.source.endswith("/a.tif at overview 1")


def test_without_an_area_the_whole_comes_within_bounds(files: Path, server: Server, tmp_path: Path) -> None:
    (scene,) = fetch_scenes(wanted(server), tmp_path)
    with rasterio.open(scene.path) as made, rasterio.open(files / "a.tif") as whole:
        assert (made.read() == whole.read()).all() and made.transform == whole.transform
    with pytest.raises(GeoroadsError, match="MB are needed, more than 1"):
        fetch_scenes(wanted(server, params={"max_mb": 1.0}), tmp_path / "none")


def test_what_cannot_be_read_by_ranges_is_refused(files: Path, server: Server, tmp_path: Path) -> None:
    whole = (files / "small.tif").read_bytes()
    with serving(lambda r: Reply(whole)) as rangeless, pytest.raises(SceneError) as caught:
        plan_fetch(wanted(rangeless))
    assert "does not send parts" in caught.value.message and "download" in caught.value.hint
    large = {"Content-Length": "99000000"}
    with serving(lambda r: Reply(b"", headers=large)) as rangeless, pytest.raises(SceneError, match="parts"):
        plan_fetch(wanted(rangeless))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>sign in</html>", "neither a GeoTIFF nor a STAC item"),
        (b"", "neither a GeoTIFF nor a STAC item"),
        (b"\x89PNG\r\n\x1a\n", "neither a GeoTIFF nor a STAC item"),
        (b"II*\0" + bytes(300), "damaged, or no GeoTIFF"),
        (b"{", "not JSON"),
        (b"{}", "no list of scenes"),
        (b'{"type": "Catalog"}', "no list of scenes"),
    ],
)
def test_what_is_no_scene_is_refused(content: bytes, says: str) -> None:
    answer: Callable[[Request], Reply] = lambda r: ranged(content, r) if content else Reply(b"")  # noqa: E731
    with serving(answer) as server, pytest.raises(SceneError) as caught:
        plan_fetch(wanted(server, "/x?token=s3cr3t"))
    assert says in caught.value.message
    assert "s3cr3t" not in str(caught.value)


def test_files_without_a_place_outside_or_not_there(server: Server) -> None:
    with pytest.raises(SceneError, match="no CRS"):
        plan_fetch(wanted(server, "/placeless.tif"))
    with pytest.raises(SceneError, match="there is nothing at"):
        plan_fetch(wanted(server, "/none.tif"))
    with pytest.raises(LayerError, match="does not meet the scene"):
        plan_fetch(wanted(server, "/a.tif", read_area("9,45,9.1,45.1")))


def test_a_file_that_changes_while_it_is_read_is_refused(files: Path, tmp_path: Path) -> None:
    content = (files / "a.tif").read_bytes()
    asked = 0

    def answer(request: Request) -> Reply:
        nonlocal asked
        asked += 1
        return ranged(content, request, ETag=f'"{asked > 2}"')

    with serving(answer) as server, pytest.raises(SceneError, match="was changed while it was read"):
        fetch_scenes(wanted(server), tmp_path)


def test_a_file_goes_on_where_it_was(files: Path, tmp_path: Path) -> None:
    content = (files / "b.tif").read_bytes()
    is_busy = True

    def answer(request: Request) -> Reply:
        first = int(request.headers["Range"][6:].split("-")[0])
        return Reply(b"", 503) if is_busy and first > 1_500_000 else ranged(content, request, ETag='"1"')

    with serving(answer) as server:
        with pytest.raises(SceneError, match=r"answered 503 \(2 attempts\)"):
            fetch_scenes(wanted(server, "/b.tif"), tmp_path)
        is_busy, before = False, len(server.asked)
        (scene,) = fetch_scenes(wanted(server, "/b.tif"), tmp_path)
        starts = [int(r.headers["Range"][6:].split("-")[0]) for r in server.asked[before:]]
    assert all(start == 0 or start > 1_500_000 for start in starts), starts
    with rasterio.open(scene.path) as made, rasterio.open(files / "b.tif") as whole:
        assert (made.read() == whole.read()).all()


def test_gdal_is_given_one_file_and_no_other() -> None:
    """Neither what lies beside it, nor an address."""
    opened = opener_of(PagedFile(None), "remote.tif")  # type: ignore[arg-type]
    for name in ("remote.tif.aux.xml", "remote.tif.ovr", "http://h/a.tif", "/etc/passwd"):
        with pytest.raises(FileNotFoundError):
            opened(name, "rb")
    with pytest.raises(FileNotFoundError):
        opened("remote.tif", "wb")


# STAC


def item(href: str, **fields: Any) -> dict[str, Any]:
    asset = {"href": href, "type": "image/tiff; application=geotiff", "roles": ["visual"]}
    return {"type": "Feature", "stac_version": "1.0.0", "assets": {"visual": asset}} | fields


def catalogue(files: Path, document: Any) -> Callable[[Request], Reply]:
    rest = file_server(files)

    def answer(request: Request) -> Reply:
        if request.path.startswith("/items"):
            return ranged(json.dumps(document).encode(), request)
        return rest(request)

    return answer


def test_an_item_stands_for_its_scene(files: Path, tmp_path: Path) -> None:
    properties = {"license": "CC-BY-4.0", "providers": [{"name": "A mapper"}, {"no": "name"}]}
    with serving(catalogue(files, item("../a.tif?sig=s3cr3t", properties=properties))) as server:
        (scene,) = fetch_scenes(wanted(server, "/items/1", area(*INSIDE)), tmp_path)
    assert scene.path.name == "a.tif"
    assert scene.imagery == f"{server.url}/a.tif; A mapper, CC-BY-4.0"
    _, window = around(scene.path)
    with rasterio.open(scene.path) as made, rasterio.open(files / "a.tif") as whole:
        assert (made.read() == whole.read(window=window)).all()
        assert made.tags()["TIFFTAG_COPYRIGHT"] == "A mapper, CC-BY-4.0"


def test_items_that_do_not_meet_the_area_are_passed_over(files: Path, tmp_path: Path) -> None:
    with rasterio.open(files / "a.tif") as whole:
        from rasterio.warp import transform_bounds

        here = list(transform_bounds(whole.crs, "EPSG:4326", *whole.bounds))
    document = {
        "type": "FeatureCollection",
        "features": [
            item("/none.tif", bbox=[9, 45, 9.1, 45.1]),
            item("/a.tif", bbox=here),
            item("/b.tif", bbox=[*here[:2], 0, *here[2:], 100]),
        ],
    }
    with serving(catalogue(files, document)) as server:
        scenes = fetch_scenes(wanted(server, "/items.json", area(*INSIDE)), tmp_path)
        assert [scene.path.name for scene in scenes] == ["a.tif", "2-b.tif"]
        with pytest.raises(SceneError, match="none of 3 items meets the area"):
            plan_fetch(wanted(server, "/items.json", read_area("20,45,20.1,45.1")))


@pytest.mark.parametrize(
    ("href", "says"),
    [
        ("file:///etc/passwd", "only https:// is fetched"),
        ("s3://bucket/a.tif", "only https:// is fetched"),
        ("http://169.254.169.254/latest/a.tif", "private network"),
        ("http://localhost:1/a.tif", "private network"),
        ("/vsicurl/http://x/a.tif", "there is nothing at"),
        ("/items", "is no GeoTIFF"),
    ],
)
def test_links_lead_to_public_servers_only(href: str, says: str, files: Path) -> None:
    """Whoever wrote the document: what is private must stand on the command line."""
    with serving(catalogue(files, item(href))) as server, pytest.raises(SceneError) as caught:
        plan_fetch(wanted(server, "/items/1"))
    assert says in caught.value.message + caught.value.hint


def test_blocks_that_the_file_lacks_are_lacking_in_what_is_made_of_it(tmp_path: Path) -> None:
    path = tmp_path / "served" / "sparse.tif"
    path.parent.mkdir()
    profile = COG | {"width": 1024, "height": 512, "count": 3, "dtype": "uint8", "sparse_ok": True}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32647", transform=HALF_METRE, **profile) as out:
        out.write(noise(side=256), window=RasterioWindow(0, 0, 256, 256))
    with serving(file_server(path.parent)) as server:
        (scene,) = fetch_scenes(wanted(server, "/sparse.tif"), tmp_path)
    with rasterio.open(scene.path) as made:
        held = [made.get_tag_item(f"BLOCK_OFFSET_{col}_0", "TIFF", bidx=1) is not None for col in (0, 1)]
    assert held == [True, False]
