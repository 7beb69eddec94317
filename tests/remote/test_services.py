"""WMS and WMTS: what we ask of them, and what they may say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import rasterio
from web_map import COL, ROW, WebMap, drawn, encoded
from web_server import Reply, Request, Server, serving

from georoads.errors import SceneError
from georoads.output.area import read_area
from georoads.remote.fetch import FetchRequest, fetch_scenes, plan_fetch
from georoads.remote.lattice import HALF_TURN, web_level
from georoads.remote.params import RemoteParams

QUICK = RemoteParams(margin_m=0, pause_s=0.01, attempts=2, timeout_s=10)
INSIDE = 0.2, 3.8, 2.8, 1.2
WMS = """<?xml version="1.0"?>
<WMS_Capabilities version="1.3.0" xmlns="http://www.opengis.net/wms">
<Service><Name>WMS</Name><MaxWidth>2048</MaxWidth></Service>
<Capability><Request><GetMap><Format>image/jpeg</Format><Format>image/png</Format></GetMap></Request>
<Layer><Title>all</Title><CRS>EPSG:4326</CRS><CRS>EPSG:3857</CRS>
<Attribution><Title>A surveyor</Title></Attribution>
<Layer><Name>ortho</Name></Layer><Layer><Name>other</Name></Layer></Layer></Capability></WMS_Capabilities>"""


@pytest.fixture(scope="module")
def world() -> WebMap:
    return WebMap(drawn())


def query_of(request: Request) -> dict[str, str]:
    return {
        k.lower(): v[0] for k, v in parse_qs(urlsplit(request.path).query, keep_blank_values=True).items()
    }


def wms(world: WebMap, text: str = WMS) -> Callable[[Request], Reply]:
    """A WMS that shows the drawn piece, and nothing around it."""

    def answer(request: Request) -> Reply:
        query = query_of(request)
        if query["request"] == "GetCapabilities":
            return Reply(text.encode(), headers={"Content-Type": "text/xml"})
        west, _, _, north = map(float, query["bbox"].split(","))
        side, step = int(query["width"]), world.level.pixel
        x = round((west + HALF_TURN) / step) - COL * 256
        y = round((HALF_TURN - north) / step) - ROW * 256
        part = world.rgb[:, max(0, y) : y + side, max(0, x) : x + side]
        return Reply(encoded(part, query["format"].partition("/")[2]))

    return answer


def wanted(server: Server, world: WebMap, path: str, **params: Any) -> FetchRequest:
    area = read_area(world.bounds(*INSIDE))
    return FetchRequest(addresses=(server.url + path,), area=area, params=replace(QUICK, **params))


def test_pictures_of_a_wms(world: WebMap, tmp_path: Path) -> None:
    with serving(wms(world)) as server:
        request = wanted(server, world, "/ows?map=/a.map&Layers=ortho&token=s3cr3t")
        (told,) = plan_fetch(request).scenes
        assert (told.pieces, told.width, told.height, told.attribution) == (4, 1024, 1024, "A surveyor")
        (scene,) = fetch_scenes(request, tmp_path)
        asked = [query_of(r) for r in server.asked]
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb).all()
        assert made.transform.almost_equals(world.transform, 1e-6)
    assert scene.imagery == f"{server.url}/ows?layers=ortho at zoom 18; A surveyor"
    capabilities, picture = asked[0], asked[1]
    assert capabilities == {
        "map": "/a.map", "token": "s3cr3t", "service": "WMS", "request": "GetCapabilities",
        "version": "1.3.0",
    }  # fmt: skip
    box = picture.pop("bbox")
    assert picture == {
        "map": "/a.map", "token": "s3cr3t", "service": "WMS", "request": "GetMap", "version": "1.3.0",
        "layers": "ortho", "styles": "", "crs": "EPSG:3857", "width": "512", "height": "512",
        "format": "image/png", "transparent": "TRUE",
    }  # fmt: skip
    level = web_level(17, 512)
    assert tuple(map(float, box.split(","))) == pytest.approx(level.bounds(ROW // 2 + 1, COL // 2 + 1))


def test_an_older_wms_is_asked_in_its_own_words(world: WebMap) -> None:
    text = WMS.replace('version="1.3.0"', 'version="1.1.1"', 1).replace("CRS>", "SRS>")
    text = text.replace("?>", '?>\n<!DOCTYPE WMT_MS_Capabilities SYSTEM "http://127.0.0.1:1/a.dtd">', 1)
    with serving(wms(world, text)) as server:
        plan_fetch(wanted(server, world, "/ows?layers=ortho&styles=s&format=image/jpeg"))
        picture = query_of(server.asked[-1])
    assert (picture["version"], picture["srs"], picture["styles"]) == ("1.1.1", "EPSG:3857", "s")
    assert (picture["format"], picture["transparent"]) == ("image/jpeg", "FALSE")


def test_a_wms_of_small_pictures(world: WebMap, tmp_path: Path) -> None:
    with serving(wms(world, WMS.replace("2048", "400"))) as server:
        (scene,) = fetch_scenes(wanted(server, world, "/ows?layers=ortho"), tmp_path)
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb[:, 256:, :768]).all()


BOMB = '<!DOCTYPE a [<!ENTITY x "y"><!ENTITY z SYSTEM "file:///etc/passwd">]><a>&z;</a>'


@pytest.mark.parametrize(
    ("text", "layers", "says"),
    [
        (WMS, "nothing", "there is no layer 'nothing'"),
        (WMS.replace("EPSG:3857", "EPSG:25832"), "ortho", "not offered in EPSG:3857"),
        (WMS.replace("image/", "text/"), "ortho", "offers text/jpeg, text/png"),
        (BOMB, "ortho", "defines entities"),
        ("<html><br></html>", "ortho", "no XML"),
        ("", "ortho", "no XML"),
    ],
)
def test_what_a_wms_may_say_wrong(world: WebMap, text: str, layers: str, says: str) -> None:
    with serving(wms(world, text)) as server, pytest.raises(SceneError) as caught:
        plan_fetch(wanted(server, world, f"/ows?layers={layers}"))
    assert says in caught.value.message


def test_an_exception_in_the_place_of_a_picture(world: WebMap) -> None:
    said = b"<?xml version='1.0'?><Report><ServiceException>no map today</ServiceException></Report>"

    def answer(request: Request) -> Reply:
        return Reply(said) if "GetMap" in request.path else wms(world)(request)

    with serving(answer) as server, pytest.raises(SceneError, match="it says 'no map today'"):
        plan_fetch(wanted(server, world, "/ows?layers=ortho"))


def matrix(zoom: int, side: int = 256) -> str:
    level = web_level(zoom, side)
    return f"""<TileMatrix><ows:Identifier>EPSG:3857:{zoom}</ows:Identifier>
    <ScaleDenominator>{level.pixel / 0.00028!r}</ScaleDenominator>
    <TopLeftCorner>{level.left!r} {level.top!r}</TopLeftCorner>
    <TileWidth>{side}</TileWidth><TileHeight>{side}</TileHeight>
    <MatrixWidth>{level.cols}</MatrixWidth><MatrixHeight>{level.rows}</MatrixHeight></TileMatrix>"""


def wmts_text(template: str = "") -> str:
    resource = (
        f'<ResourceURL format="image/png" resourceType="tile" template="{template}"/>' if template else ""
    )
    return f"""<?xml version="1.0"?><Capabilities xmlns="http://www.opengis.net/wmts/1.0" version="1.0.0"
    xmlns:ows="http://www.opengis.net/ows/1.1">
    <ows:ServiceProvider><ows:ProviderName>A county</ows:ProviderName>
    </ows:ServiceProvider><Contents><Layer><ows:Identifier>ortho</ows:Identifier>
    <Style><ows:Identifier>plain</ows:Identifier></Style>
    <Style isDefault="true"><ows:Identifier>usual</ows:Identifier></Style><Format>image/png</Format>
    <Dimension><ows:Identifier>Time</ows:Identifier><Default>2026</Default></Dimension>
    <TileMatrixSetLink><TileMatrixSet>local</TileMatrixSet></TileMatrixSetLink>
    <TileMatrixSetLink><TileMatrixSet>web</TileMatrixSet></TileMatrixSetLink>{resource}</Layer>
    <TileMatrixSet><ows:Identifier>local</ows:Identifier>
    <ows:SupportedCRS>urn:ogc:def:crs:EPSG::25832</ows:SupportedCRS>
    </TileMatrixSet><TileMatrixSet><ows:Identifier>web</ows:Identifier>
    <ows:SupportedCRS>urn:ogc:def:crs:EPSG:6.18:3:3857</ows:SupportedCRS>{"".join(map(matrix, range(12, 19)))}
    </TileMatrixSet></Contents></Capabilities>"""


def wmts(world: WebMap, text: str) -> Callable[[Request], Reply]:
    def answer(request: Request) -> Reply:
        query = query_of(request)
        if request.path.startswith("/wmts.xml") or query.get("request") == "GetCapabilities":
            return Reply(text.encode())
        if query:
            place = query["tilematrix"], query["tilecol"], query["tilerow"]
        else:
            *_, zoom, row, col = request.path.partition(".png")[0].split("/")
            place = zoom, col, row
        content = world.tile(int(place[0].rpartition(":")[2]), int(place[1]), int(place[2]))
        return Reply(content) if content else Reply(b"", 404)

    return answer


@pytest.mark.parametrize(
    ("template", "path", "asked"),
    [
        (
            "",
            "/wmts?layers=ortho&key=s3cr3t",
            "key=s3cr3t&service=WMTS&request=GetTile&version=1.0.0&layer=ortho",
        ),
        (
            "/t/{Style}/{Time}/{TileMatrixSet}/{TileMatrix}/{TileRow}/{TileCol}.png",
            "/wmts.xml?layer=ortho&service=WMTS",
            f"/t/usual/2026/web/EPSG:3857:18/{ROW + 1}/{COL}.png",
        ),
    ],
)
def test_tiles_of_a_wmts(world: WebMap, template: str, path: str, asked: str, tmp_path: Path) -> None:
    with serving(wmts(world, wmts_text(template))) as server:
        (scene,) = fetch_scenes(wanted(server, world, path), tmp_path)
        assert any(asked in request.path for request in server.asked)
        if not template:
            known = query_of(server.asked[-1])
            assert (known["tilematrixset"], known["style"], known["time"]) == ("web", "usual", "2026")
    with rasterio.open(scene.path) as made:
        assert (made.read([1, 2, 3]) == world.rgb[:, 256:, :768]).all()
        assert made.transform.almost_equals(world.transform * made.transform.translation(0, 256), 1e-3)
    assert (
        scene.imagery
        == f"{server.url}/{path[1:].partition('?')[0]}?layers=ortho at level EPSG_3857_18; A county"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (wmts_text().replace(">ortho<", ">another<"), "there is no layer 'ortho'"),
        (wmts_text().replace(":3857", ":25833"), "no tiles in EPSG:3857"),
        (wmts_text("/{Place}/{TileRow}"), "asked for by {'place'}"),
        (wmts_text().replace("<TileWidth>256", "<TileWidth>100"), "not usable"),
        (wmts_text().replace("<TopLeftCorner>", "<TopLeftCorner>x "), "no place or size"),
        (wmts_text("file:///etc/passwd"), "is not fetched"),
        (wmts_text("http://169.254.169.254/{TileRow}/{TileCol}"), "private network"),
    ],
)
def test_what_a_wmts_may_say_wrong(world: WebMap, text: str, says: str) -> None:
    with serving(wmts(world, text)) as server, pytest.raises(SceneError) as caught:
        plan_fetch(wanted(server, world, "/wmts?layers=ortho"))
    assert says in caught.value.message


def test_the_level_that_is_asked_for(world: WebMap) -> None:
    grey = encoded(np.full((3, 512, 512), 80, np.uint8), "png")

    def answer(request: Request) -> Reply:
        return Reply(grey) if "GetMap" in request.path else wms(world)(request)

    with serving(answer) as server:
        (told,) = plan_fetch(wanted(server, world, "/ows?layers=ortho", zoom=16)).scenes
        assert told.gsd_m == pytest.approx(web_level(16, 256).gsd_m(51.8), rel=0.02)
