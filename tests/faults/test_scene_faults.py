"""Scenes that go wrong. The numbers are those of docs/faults.md."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from affine import Affine
from command_line import Ended, refused, typed, unchanged
from drawn_rasters import north_up, write_raster
from numpy.typing import NDArray
from pyproj import Geod, Transformer
from rasterio.enums import ColorInterp
from rasterio.windows import Window as Area
from stub import LocalRuntime
from web_server import Reply, ranged, serving

from georoads.model.checkpoint import SHIPPED_DEFAULT
from georoads.output.read import read_roads

UTM = north_up(0.5)
VRT = """<VRTDataset rasterXSize="{width}" rasterYSize="200"><SRS>EPSG:32647</SRS>
<GeoTransform>500000, 0.5, 0, 1500000, 0, -0.5</GeoTransform>{bands}</VRTDataset>"""
SOURCE = """<SimpleSource><SourceFilename relativeToVRT="1">{source}</SourceFilename>
<SourceBand>{band}</SourceBand><SrcRect xOff="0" yOff="0" xSize="300" ySize="200"/>
<DstRect xOff="{left}" yOff="0" xSize="300" ySize="200"/></SimpleSource>"""


@pytest.fixture(autouse=True)
def local_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that sees bright bars, in no time."""
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())


def cross(height: int = 200, width: int = 300, bands: int = 3) -> NDArray[np.uint8]:
    """(bands, height, width): two bright roads that cross at (width // 3, height // 2)."""
    values = np.random.default_rng(1).normal(80, 1, (bands, height, width))
    values[:, height // 2 - 2 : height // 2 + 2] = 150
    values[:, :, width // 3 - 2 : width // 3 + 2] = 150
    return values.astype(np.uint8)


def extract(scene: Path | str, *more: str | Path) -> Ended:
    """Extract into roads.gpkg, with roads.json, and see that it went well."""
    folder = Path(scene).parent if Path(scene).is_file() else Path(str(more[-1]))
    ended = typed(
        "extract", scene, "-o", folder / "roads.gpkg", "--threshold", "0.7", "--overwrite", "--json",
        folder / "roads.json", *(m for m in more if m != folder),
    )  # fmt: skip
    assert ended.code == 0, ended.err
    return ended


def lines(scene: Path) -> Any:
    return shapely.multilinestrings([*read_roads(scene.parent / "roads.gpkg").lines])


def levels(scene: Path, *more: str | Path) -> NDArray[np.uint8]:
    """What predict writes of a scene."""
    out = scene.parent / "p.tif"
    ended = typed("predict", scene, "-o", out, "--overwrite", "-q", *more)
    assert ended.code == 0, ended.err
    with rasterio.open(out) as raster:
        return np.asarray(raster.read(1), np.uint8)


def no(scene: Path | str, folder: Path, *more: str, says: str, hint: str = "") -> None:
    """Both commands refuse the scene, and write nothing."""
    with unchanged(folder):
        for command, out in (("extract", "new.gpkg"), ("predict", "new.tif")):
            refused(command, scene, "-o", folder / out, *more, says=says, hint=hint)


def test_01_missing_a_folder_or_no_file_at_all(tmp_path: Path) -> None:
    no(tmp_path / "none.tif", tmp_path, says="none.tif does not exist")
    (tmp_path / "dir.tif").mkdir()
    no(tmp_path / "dir.tif", tmp_path, says="dir.tif is a folder")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.tif")
        refused(
            "extract", tmp_path / "pipe.tif", "-o", tmp_path / "r.gpkg", says="pipe.tif is not a regular file"
        )


@pytest.mark.parametrize("content", [b"", b"<html><body>404</body></html>", b"II*\0", b"text"])
def test_02_no_raster(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    no(
        tmp_path / "a.tif", tmp_path, hint="GTiff",
        says="a.tif is not a raster that GDAL's allowed drivers can read",
    )  # fmt: skip


@pytest.mark.parametrize(
    "layout", [{"compress": "deflate"}, {"tiled": True, "blockxsize": 64, "blockysize": 64}]
)
def test_03_cut_off(tmp_path: Path, layout: dict[str, Any]) -> None:
    scene = write_raster(tmp_path / "a.tif", cross(), **layout)
    scene.write_bytes(scene.read_bytes()[: int(0.6 * scene.stat().st_size)])
    no(scene, tmp_path, says="a.tif was cut off", hint="--set scene.skip_bad=true")
    ended = extract(scene, "--set", "scene.skip_bad=true")
    assert "cannot be read and count as nodata" in ended.err


def broken(path: Path) -> tuple[Path, int]:
    """A scene whose block at row 64, column 128 is no deflate stream; and the block's offset."""
    scene = write_raster(path, cross(), tiled=True, blockxsize=64, blockysize=64, compress="deflate")
    with rasterio.open(scene) as source:
        offset = int(source.get_tag_item("BLOCK_OFFSET_2_1", "TIFF", bidx=1))
    content = bytearray(scene.read_bytes())
    content[offset : offset + 30] = bytes(30)
    scene.write_bytes(content)
    return scene, offset


def test_04_a_block_that_cannot_be_read(tmp_path: Path) -> None:
    scene, offset = broken(tmp_path / "a.tif")
    before = scene.read_bytes()
    says = f"a.tif cannot be read at row 64, column 128 (byte {offset})"
    refused("extract", scene, "-o", tmp_path / "r.gpkg", says=says, hint="--set scene.skip_bad=true")
    assert not (tmp_path / "r.gpkg").exists()
    assert scene.read_bytes() == before
    ended = extract(scene, "--set", "scene.skip_bad=true")
    said = f"1 of 20 blocks cannot be read and count as nodata: row 64, column 128 (byte {offset})"
    assert said in ended.err
    assert any(said in m for m in json.loads((tmp_path / "roads.json").read_text())["messages"])
    invalid = np.zeros((200, 300), dtype=bool)
    invalid[64:128, 128:192] = True
    assert ((levels(scene, "--set", "scene.skip_bad=true") == 255) == invalid).all()


def test_05_no_place(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", cross(), crs=None, transform=Affine.identity())
    no(scene, tmp_path, says="a.tif has no CRS", hint="--gsd METRES")
    no(scene, tmp_path, says="a.tif has no CRS", hint="--set scene.assume_crs=EPSG:")
    ended = extract(scene, "--gsd", "0.5")
    assert "no place: pixels of 0.5 m as stated" in ended.err
    km = json.loads((tmp_path / "roads.json").read_text())["length_km"]
    assert km == pytest.approx((300 + 200) * 0.5 / 1000, rel=0.01)
    left, bottom, right, top = lines(scene).bounds
    assert (left, bottom, right, top) == pytest.approx((0, 0, 150, 100), abs=1)
    no_crs = write_raster(tmp_path / "b.tif", cross(), crs=None)
    no(no_crs, tmp_path, "--gsd", "0.5", says="b.tif has no CRS")
    extract(no_crs, "--set", "scene.assume_crs=EPSG:32647")
    assert "32647" in read_roads(tmp_path / "roads.gpkg").crs
    assert lines(no_crs).bounds == pytest.approx((500_000, 1_499_900, 500_150, 1_500_000), abs=1)
    no(no_crs, tmp_path, "--set", "scene.assume_crs=moon", says="'moon' is none")


TURNED = {
    "turned": UTM @ Affine.rotation(30),
    "sheared": UTM @ Affine.shear(8, 0),
    "south-up": UTM @ Affine.scale(1, -1),
    "east to west": UTM @ Affine.scale(-1, 1),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", TURNED)
@pytest.mark.parametrize("step", [1.0, 0.6])
def test_06_turned_sheared_and_south_up(tmp_path: Path, kind: str, step: float) -> None:
    """The lines lie on the same pixels as those of the upright twin, whether warped or not."""
    on_pixels = []
    for name, transform in (("a.tif", UTM), ("b.tif", TURNED[kind])):
        transform = transform @ Affine.scale(step)
        scene = write_raster(tmp_path / name, cross(), transform=transform)
        extract(scene)
        back = ~transform
        on_pixels.append(
            shapely.transform(lines(scene), lambda xy, t=back: np.stack(t @ tuple(xy.T), axis=1))
        )
    upright, turned = on_pixels
    assert upright.length == pytest.approx(500, rel=0.02)
    assert turned.hausdorff_distance(upright) < 3
    assert turned.length == pytest.approx(upright.length, rel=0.02)


def test_07_bands(tmp_path: Path) -> None:
    def seen(bands: int, *more: str, alpha: bool = False) -> str:
        values = cross(bands=bands)
        scene = write_raster(tmp_path / "a.tif", values, alpha="yes" if alpha else "no")
        ended = typed("info", scene, *more)
        assert ended.code == 0, ended.err
        return ended.out

    assert "(1, 1, 1), alpha none" in seen(1) and "grey: one band" in seen(1)
    assert "(1, 1, 1), alpha 2" in seen(2, alpha=True)
    assert "(1, 2, 3), alpha none" in seen(3)
    assert "(1, 2, 3), alpha 4" in seen(4, alpha=True)
    assert "(1, 2, 3), alpha none" in seen(4) and "bands 1, 2, 3 of 4 used" in seen(4)
    assert "bands 1, 2, 3 of 5 used" in seen(5) or "first three of 5 bands used" in seen(5)
    assert "(5, 3, 1)" in seen(5, "--bidx", "5,3,1") and "bands (5, 3, 1) used" in seen(5, "--bidx", "5,3,1")
    scene = write_raster(tmp_path / "a.tif", cross(bands=5))
    with rasterio.open(scene, "r+") as out:
        out.colorinterp = [
            getattr(ColorInterp, c) for c in ("blue", "green", "red", "undefined", "undefined")
        ]
    assert "(3, 2, 1), alpha none" in typed("info", scene).out
    no(scene, tmp_path, "--bidx", "1,9,2", says="a.tif has 5 bands")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "factor"), [("uint16", 20), ("int16", 20), ("float32", 0.01), ("float64", 1e6)]
)
def test_08_values_that_are_not_bytes(tmp_path: Path, dtype: str, factor: float) -> None:
    extract(write_raster(tmp_path / "bytes.tif", cross()))
    twin = lines(tmp_path / "bytes.tif")
    scene = write_raster(tmp_path / "a.tif", (cross().astype(np.float64) * factor).astype(dtype))
    assert "values stretched from" in extract(scene).err
    assert lines(scene).hausdorff_distance(twin) < 2
    extract(scene, "--set", f"scene.rescale=[{70 * factor}, {160 * factor}]")
    assert lines(scene).hausdorff_distance(twin) < 2
    no(scene, tmp_path, "--set", "scene.rescale=[5, 5]", says="rescale is two numbers")


def test_08_complex_numbers(tmp_path: Path) -> None:
    no(
        write_raster(tmp_path / "a.tif", cross().astype(np.complex64)),
        tmp_path,
        says="a.tif holds complex numbers",
    )


def test_09_a_palette(tmp_path: Path) -> None:
    index = (cross(bands=1) // 8).astype(np.uint8)
    table = {i: (8 * i, 255 - 8 * i, 4 * i, 255) for i in range(32)}
    rgb = np.array([table[i][:3] for i in range(32)], dtype=np.uint8)[index[0]].transpose(2, 0, 1)
    scene = write_raster(tmp_path / "a.tif", index, photometric="palette")
    with rasterio.open(scene, "r+") as out:
        out.write_colormap(1, table)
    assert (levels(scene) == levels(write_raster(tmp_path / "rgb.tif", rgb))).all()
    assert "the palette's colours are used" in extract(scene).err


def half_invalid(path: Path, kind: str) -> Path:
    """A scene whose western 90 columns are invalid; what stands there would be a road."""
    values = cross()
    values[:, :, 40:60] = 200
    if kind == "nodata":
        values[:, :, :90] = 7
        return write_raster(path, values, nodata=7)
    if kind == "infrared":  # one band of four has a valid value where nodata is stated: it is valid
        values = np.concatenate([values, cross(bands=1)])
        values[:3, :, :90] = 0
        return write_raster(path, values, nodata=0)
    if kind == "alpha":
        seen = np.full((1, 200, 300), 255, dtype=np.uint8)
        seen[:, :, :90] = 0
        return write_raster(path, np.concatenate([values, seen]), alpha="yes")
    if kind in ("nan", "inf"):
        floats = values.astype(np.float32)
        floats[1, :, :90] = np.nan if kind == "nan" else -np.inf
        return write_raster(path, floats)
    write_raster(path, values)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as out:
        out.write_mask(np.indices((200, 300))[1] >= 90)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nodata", "infrared", "alpha", "nan", "inf", "mask"])
def test_10_pixels_without_data(tmp_path: Path, kind: str) -> None:
    scene = half_invalid(tmp_path / "a.tif", kind)
    found = levels(scene)
    assert (found[:, :90] == 255).all()
    assert (found[:, 90:] < 255).all()
    extract(scene)
    border = 500_000 + 45
    west = shapely.box(0, 0, border - 0.5, 9e9)
    assert lines(scene).intersection(west).length == 0
    along = shapely.box(border - 1, 0, border + 3, 9e9)
    assert lines(scene).intersection(along).length < 8  # the road that crosses it, not one beside it
    assert lines(scene).length == pytest.approx(105 + 100, rel=0.05)


def test_107_a_scene_unlike_what_the_model_has_learned_from_is_said(tmp_path: Path) -> None:
    assert "unlike the pictures" not in extract(write_raster(tmp_path / "a.tif", coloured(cross()))).err
    night = np.where(cross() < 120, cross() // 8, cross())  # not dark as a whole: it is taken as it is
    dark = extract(write_raster(tmp_path / "a.tif", coloured(night))).err
    assert f"unlike the pictures that {SHIPPED_DEFAULT} has learned from: darker (brightness " in dark
    (advice,) = re.findall(r"or brighten what is dark by (--set scene\.rescale=\[0,\d+\])", dark)
    brightened = extract(tmp_path / "a.tif", *advice.split()).err
    assert "darker (" not in brightened and "brighten" not in brightened
    grey = extract(write_raster(tmp_path / "a.tif", cross()[:1])).err
    assert "less colourful (colour 0, there " in grey


def test_108_a_surround_that_is_not_declared_is_said(tmp_path: Path) -> None:
    picture = np.full((3, 200, 1600), 255, np.uint8)
    picture[:, :, :400] = coloured(cross(width=400))
    picture[:, 7, 1500] = 254  # as compression leaves it
    scene = write_raster(tmp_path / "a.tif", picture)
    (advice,) = re.findall(r"are plain white, .* (--set scene\.nodata=255) lets", extract(scene).err)
    assert "are plain" not in extract(scene, *advice.split()).err
    assert "are plain" not in extract(write_raster(tmp_path / "a.tif", coloured(cross()))).err


def coloured(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The same picture, its first band brighter and its right half darker."""
    out = rgb.copy()
    out[0] = out[0] + out[0] // 4
    out[:, :, 200:] //= 2
    return out


def test_11_nothing_but_nodata(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", np.zeros((3, 200, 300), dtype=np.uint8), nodata=0)
    assert "no pixel is valid" in extract(scene).err
    assert len(read_roads(tmp_path / "roads.gpkg").lines) == 0
    info = pyogrio.read_info(tmp_path / "roads.gpkg", layer="roads")
    empty = [*info["fields"]]
    extract(write_raster(tmp_path / "a.tif", cross()))
    assert empty == [*pyogrio.read_info(tmp_path / "roads.gpkg", layer="roads")["fields"]]
    assert len(empty) > 5


@pytest.mark.parametrize("number", [np.inf, np.nan, -np.inf])
@pytest.mark.parametrize("place", range(6))
def test_06_a_transform_that_is_no_place(tmp_path: Path, number: float, place: int) -> None:
    transform = Affine(*(number if i == place else value for i, value in enumerate(UTM[:6])))
    scene = write_raster(tmp_path / "a.tif", cross(), transform=transform)
    no(scene, tmp_path, says="a.tif", hint="gdalwarp")


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2), (449, 97)])
def test_12_odd_sizes(tmp_path: Path, shape: tuple[int, int]) -> None:
    scene = write_raster(tmp_path / "a.tif", cross(*shape))
    extract(scene)
    assert levels(scene).shape == shape


@pytest.mark.parametrize(
    ("step", "grid"),
    [(0.5, "own pixels"), (0.62, "own pixels"), (0.41, "own pixels"), (0.3, "warped to 180 x 120"),
     (0.02, "warped to 12 x 8"), (1.9, "warped to 1140 x 760")],
)  # fmt: skip
def test_13_pixels_of_another_size(tmp_path: Path, step: float, grid: str) -> None:
    scene = write_raster(tmp_path / "a.tif", cross(), transform=north_up(step))
    assert grid in typed("info", scene).out


def test_13_coarse_pixels_are_worked_at_the_models(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", cross(50, 70), transform=north_up(3))
    assert "pixels of 3.00 m are coarse for a model trained at 0.5 m" in extract(scene).err
    assert levels(scene).shape == pytest.approx((300, 420), abs=2)
    beside = write_raster(tmp_path / "b.tif", cross(50, 70), transform=north_up(3, 500_210))
    ended = typed("predict", scene, beside, "-o", tmp_path / "p.tif", "--overwrite")
    assert ended.code == 0 and ended.err.count("m are coarse for a model") == 2
    assert "are coarse" not in extract(write_raster(scene, cross(50, 70), transform=north_up(1.9))).err


def test_13_pixels_too_coarse(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", cross(50, 70), transform=north_up(10))
    no(scene, tmp_path, says="a.tif has 10.00 m pixels, the model was trained at 0.5 m", hint="--gsd 0.5")
    extract(scene, "--gsd", "0.5")
    extract(scene, "--gsd", "native")


DEGREE = 1 / 111_320
GROUND = {
    "degrees": ("EPSG:4326", Affine(0.5 * DEGREE / 0.34830, 0, 18.9, 0, -0.5 / 111_500, 69.65)),
    "feet": ("EPSG:2263", north_up(1.64042, 980_000, 200_000)),
    "beyond 84 N": ("EPSG:4326", Affine(0.5 * DEGREE / 0.08716, 0, 18.9, 0, -0.5 / 111_690, 85.0)),
    "polar": ("EPSG:3413", north_up(0.5, -500_000, 300_000)),
}


@pytest.mark.parametrize("kind", GROUND)
def test_14_metres_on_the_ground(tmp_path: Path, kind: str) -> None:
    crs, transform = GROUND[kind]
    values = np.full((3, 300, 900), 80, dtype=np.uint8)
    values[:, 148:152] = values[:, :, 98:102] = values[:, :, 798:802] = 150
    extract(write_raster(tmp_path / "a.tif", values, crs=crs, transform=transform))
    _, _, _, (metres,) = pyogrio.raw.read(tmp_path / "roads.gpkg", layer="roads", columns=["length_m"])
    ends = np.array([transform @ (100, 150), transform @ (800, 150)])
    lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(*ends.T)
    assert metres.max() == pytest.approx(Geod(ellps="WGS84").line_length(lon, lat), rel=0.005)


def test_14_the_antimeridian(tmp_path: Path) -> None:
    transform = north_up(0.5 * DEGREE, 179.9995, 1)
    scene = write_raster(tmp_path / "a.tif", cross(), crs="EPSG:4326", transform=transform)
    no(scene, tmp_path, says="a.tif crosses the antimeridian", hint="split it")


def sparse(path: Path, size: int, block: int) -> Path:
    """A square raster of which one block is written."""
    profile = {"tiled": True, "blockxsize": block, "blockysize": block, "SPARSE_OK": True, "BIGTIFF": "YES"}
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=3, dtype="uint8", crs="EPSG:32647",
        transform=UTM, compress="deflate", **profile,
    ) as out:  # fmt: skip
        if block <= 512:
            at = size // 2 // block * block
            out.write(cross(block, block), window=Area(at, at, block, block))
    return path


def test_15_a_bomb(tmp_path: Path) -> None:
    scene = sparse(tmp_path / "a.tif", 1_000_000, 65_536)
    assert scene.stat().st_size < 10_000
    no(scene, tmp_path, says="a.tif has 1000000 x 1000000 pixels", hint="--set scene.max_megapixels=")
    no(scene, tmp_path, "--set", "scene.max_megapixels=2e6", says="blocks of 65536 x 65536 pixels")


@pytest.mark.slow
def test_15_what_a_sparse_file_lacks_is_nodata_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from georoads.scene.native import read_native

    native = mock.Mock(wraps=read_native)
    monkeypatch.setattr("georoads.scene.read.read_native", native)
    scene = sparse(tmp_path / "a.tif", 15_000, 512)
    found = levels(scene)
    at = 7500 // 512 * 512
    assert sum(call.args[2].size for call in native.call_args_list) == 512 * 512
    assert (found[at : at + 512, at : at + 512] < 255).all()
    assert (found < 255).sum() == 512 * 512
    assert (tmp_path / "p.tif").stat().st_size < 400_000


def mosaic(path: Path, *sources: str, width: int = 700, extra: str = "") -> Path:
    """A VRT of sources side by side, 400 pixels apart, without nodata."""
    bands = ""
    for band in (1, 2, 3):
        parts = (SOURCE.format(band=band, source=s, left=400 * i) for i, s in enumerate(sources))
        bands += f'<VRTRasterBand dataType="Byte" band="{band}">{"".join(parts)}</VRTRasterBand>'
    path.write_text(VRT.format(width=width, bands=bands + extra))
    return path


def test_16_a_mosaic_is_read_when_allowed(tmp_path: Path) -> None:
    tile = write_raster(tmp_path / "t i'le.tif", cross())
    (tmp_path / "more").mkdir()
    shutil.copy(tile, tmp_path / "more" / "b.tif")
    scene = mosaic(tmp_path / "a.vrt", "t i'le.tif", "more/b.tif")
    no(scene, tmp_path, says="a.vrt is a VRT, which points to other files", hint="--set scene.allow_vrt=true")
    found = levels(scene, "--set", "scene.allow_vrt=true")
    assert (found[:, 300:400] == 255).all()  # no source covers them
    assert (found[:, :300] < 255).all() and (found[:, 400:] < 255).all()
    nested = mosaic(tmp_path / "b.vrt", "a.vrt", width=300)
    assert (levels(nested, "--set", "scene.allow_vrt=true")[:, 50:250] == found[:, 50:250]).all()
    extract(scene, "--set", "scene.allow_vrt=true")
    gap = shapely.box(500_150.6, 0, 500_199.4, 9e9)
    assert lines(scene).intersection(gap).length == 0
    assert lines(scene).length == pytest.approx(2 * 250, rel=0.05)
    refused("vectorize", scene, "-o", tmp_path / "v.gpkg", says="a.vrt is a VRT", hint="gdal_translate")


def test_16_sources_that_may_not_be_read(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    write_raster(tmp_path / "out.tif", cross())
    (folder / "link.tif").symlink_to(tmp_path / "out.tif")
    (folder / "text.tif").write_text("text")
    for source, says in (
        ("none.tif", "none.tif does not exist"),
        ("../out.tif", "the source ../out.tif lies outside"),
        ("link.tif", "the source link.tif lies outside"),
        ("text.tif", "text.tif is not a raster"),
        ("http://localhost:9/a.tif", "no plain file: 'http://localhost:9/a.tif'"),
        ("/vsicurl/http://localhost:9/a.tif", "no plain file: '/vsicurl/"),
        ("GTIFF_DIR:1:text.tif", "no plain file: 'GTIFF_DIR"),
        ("a.vrt", "more than 4 deep"),
    ):
        scene = mosaic(folder / "a.vrt", source)
        no(scene, tmp_path, "--set", "scene.allow_vrt=true", says=says)
    derived = '<VRTRasterBand dataType="Byte" band="4" subClass="VRTDerivedRasterBand"/>'
    write_raster(folder / "t.tif", cross())
    for extra, says in (
        (derived, "it has <VRTDerivedRasterBand>"),
        ("<OverviewList/><GDALWarpOptions/>", "it has <GDALWarpOptions>"),
        ("<sourcefilename/>", "it has <sourcefilename>"),
    ):
        no(
            mosaic(folder / "a.vrt", "t.tif", extra=extra),
            tmp_path,
            "--set",
            "scene.allow_vrt=true",
            says=says,
        )
    text = '<!DOCTYPE x [<!ENTITY a "b">]>' + mosaic(folder / "a.vrt", "t.tif").read_text()
    (folder / "a.vrt").write_text(text)
    no(folder / "a.vrt", tmp_path, "--set", "scene.allow_vrt=true", says="defines entities")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("http://127.0.0.1:9/a.tif", "--allow-remote fetches it"),
        ("https://x/a.tif", "--allow-remote fetches it"),
        ("s3://b/a.tif", "begins with https://"),
        ("/vsicurl/http://x/a", "begins with https://"),
        ("/vsizip/a.zip/a.tif", "unpack it"),
    ],
)
def test_16_remote_names(tmp_path: Path, name: str, hint: str) -> None:
    no(name, tmp_path, says="is not a local file", hint=hint)


def test_16_a_scene_on_a_server_is_fetched_when_allowed(tmp_path: Path) -> None:
    # As what is made of it has: the samples of the stretch are blocks.
    blocks: dict[str, Any] = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    content = write_raster(tmp_path / "served.tif", cross(), **blocks).read_bytes()
    here = levels(tmp_path / "served.tif")
    answer = lambda r: ranged(content, r) if r.path == "/a.tif" else Reply(b"", 404)  # noqa: E731
    with serving(answer) as server:
        done = typed("predict", f"{server.url}/a.tif", "-o", tmp_path / "r.tif", "--allow-remote")
        assert done.code == 0, done.err
        no(f"{server.url}/none.tif", tmp_path, "--allow-remote", says="there is nothing at")
    with rasterio.open(tmp_path / "r.tif") as raster:
        assert (raster.read(1) == here).all()


def test_17_a_scene_that_changes_on_its_server(tmp_path: Path) -> None:
    content = write_raster(tmp_path / "served.tif", np.repeat(cross(), 4, axis=1)).read_bytes() + bytes(
        300_000
    )
    tags = itertools.cycle(['"1"', '"2"'])
    answer = lambda r: ranged(content, r, ETag=next(tags))  # noqa: E731
    with serving(answer) as server:
        for command, output in (("extract", tmp_path / "r.gpkg"), ("predict", tmp_path / "r.tif")):
            says = "was changed while it was read"
            refused(command, f"{server.url}/a.tif", "-o", output, "--allow-remote", says=says)
            assert not output.exists()


@pytest.mark.parametrize("name", ["a.tif", "a.vrt"])
def test_17_a_file_that_changes_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    tile = write_raster(tmp_path / "a.tif", cross())
    mosaic(tmp_path / "a.vrt", "a.tif", width=300)
    output = tmp_path / "r.gpkg"
    output.write_text("old")

    class Writing(LocalRuntime):
        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            os.utime(tile, ns=(1, 1))
            return super().logits(batch)

    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: Writing())
    refused(
        "extract", tmp_path / name, "-o", tmp_path / "n.gpkg", "--set", "scene.allow_vrt=true",
        says=f"{name} was changed while it was read",
    )  # fmt: skip
    assert not (tmp_path / "n.gpkg").exists()
