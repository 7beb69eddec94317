"""Scenes whose file does not say all, or says it elsewhere. The numbers are those of docs/faults.md."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import refused, typed, unchanged
from drawn_rasters import HALF_METRE, write_raster
from numpy.typing import NDArray
from test_scene_faults import cross, extract, levels, lines, local_network, mosaic, no  # noqa: F401

from georoads.scene.mosaic import open_scenes
from georoads.scene.open import open_scene
from georoads.scene.scene import SceneParams

WORLD = "0.5\n0\n0\n-0.5\n500000.25\n1499999.75\n"
"""The world file of HALF_METRE: its place is that of the first pixel's centre."""
AUX = '<PAMDataset><SRS dataAxisToSRSAxisMapping="1,2">EPSG:32647</SRS>{more}</PAMDataset>'


def info(scene: Path, *more: str) -> str:
    ended = typed("info", scene, *more)
    assert ended.code == 0, ended.err
    return ended.out


def placeless(path: Path, suffix: str = ".png") -> Path:
    """The cross as a picture without a place."""
    scene = path.with_suffix(suffix)
    height, width = cross().shape[1:]
    driver = {".png": "PNG", ".jpg": "JPEG", ".tif": "GTiff"}[suffix]
    with rasterio.open(scene, "w", driver=driver, width=width, height=height, count=3, dtype="uint8") as out:
        out.write(cross())
    return scene


@pytest.mark.parametrize(
    ("suffix", "beside"),
    [
        (".png", {".pgw": WORLD, ".png.aux.xml": AUX.format(more="")}),
        (".jpg", {".JGW": WORLD.replace(".", ","), ".prj": "EPSG:32647"}),
        (".tif", {".wld": WORLD, ".PRJ": "EPSG:32647"}),
        (
            ".tif",
            {".tif.aux.xml": AUX.format(more="<GeoTransform>500000,0.5,0,1500000,0,-0.5</GeoTransform>")},
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_73_a_place_that_stands_in_files_beside(tmp_path: Path, suffix: str, beside: dict[str, str]) -> None:
    scene = placeless(tmp_path / "photo", suffix)
    for end, text in beside.items():
        (tmp_path / f"photo{end}").write_text(text)
    found = open_scene(scene)
    assert found.grid.transform == HALF_METRE and "zone 47N" in found.grid.crs
    assert set(found.file.files) == {scene, *(tmp_path / f"photo{end}" for end in beside)}
    said = extract(scene).err
    assert all(f"photo{end}" in said for end in beside)
    assert lines(scene).bounds == pytest.approx((500_000, 1_499_900, 500_150, 1_500_000), abs=1)
    file = tmp_path / f"photo{next(iter(beside))}"
    file.write_text(file.read_text() + " ")
    assert open_scene(scene).fingerprint != found.fingerprint


def test_73_the_file_goes_before_a_world_file_and_the_aux_xml_before_both(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", cross())
    (tmp_path / "a.tfw").write_text(WORLD.replace("500000.25", "700000.25"))
    found = open_scene(scene)
    assert found.grid.transform == HALF_METRE
    assert "the world file says another place, and is left out" in found.messages
    (tmp_path / "a.tfw").unlink()
    (tmp_path / "a.tif.aux.xml").write_text(AUX.format(more="").replace("32647", "32648"))
    found = open_scene(scene)
    assert "zone 48N" in found.grid.crs
    assert any("the CRS of the .aux.xml stands above" in said for said in found.messages)
    nodata = '<PAMRasterBand band="1"><NoDataValue>80</NoDataValue></PAMRasterBand>'
    (tmp_path / "a.tif.aux.xml").write_text(AUX.format(more=nodata))
    assert open_scene(scene).nodata == 80


def test_73_statistics_beside_are_no_part_of_the_scene(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", cross())
    before = open_scene(scene)
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><Metadata/></PAMRasterBand></PAMDataset>"
    )
    assert open_scene(scene) == before or open_scene(scene).fingerprint == before.fingerprint


def masked(folder: Path) -> tuple[Path, Path]:
    """A scene whose west is invalid by a mask beside it, and its twin with the mask inside."""
    seen = np.indices((200, 300))[1] >= 90
    beside, inside = (write_raster(folder / name, cross()) for name in ("beside.tif", "inside.tif"))
    for scene, place in ((beside, "FALSE"), (inside, "TRUE")):
        with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=place), rasterio.open(scene, "r+") as out:
            out.write_mask(seen)
    assert (folder / "beside.tif.msk").exists() and not (folder / "inside.tif.msk").exists()
    return beside, inside


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_74_a_mask_beside(tmp_path: Path) -> None:
    beside, inside = masked(tmp_path)
    assert (levels(beside) == levels(inside)).all()
    assert "beside.tif.msk" in extract(beside).err
    found = lines(beside)
    extract(inside)
    assert found.equals(lines(inside))
    warped = "--gsd", "0.4"
    assert (levels(beside, *warped) == levels(inside, *warped)).all()
    before = open_scene(beside)
    with rasterio.open(f"{beside}.msk", "r+") as mask:
        mask.write(np.zeros((1, 200, 300), dtype=np.uint8))
    assert open_scene(beside).fingerprint != before.fingerprint
    assert "no pixel is valid" in extract(beside).err


def test_74_a_mask_beside_a_source_of_a_mosaic_is_not_silent(tmp_path: Path) -> None:
    beside, _ = masked(tmp_path)
    scene = mosaic(tmp_path / "a.vrt", beside.name, width=300)
    said = extract(scene, "--set", "scene.allow_vrt=true").err
    assert "masks beside sources are left out: beside.tif.msk; gdal_translate" in said


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.tif.msk", b"text", "a.tif.msk is not a raster"),
        ("a.tif.msk", b"<VRTDataset/>", "a.tif.msk is not a raster"),
        ("a.tfw", b"0.5 0 0", "a.tfw is no world file"),
        ("a.tfw", b"0" * 100_000, "a.tfw is too large"),
        ("a.prj", b"moon", "a.prj holds no CRS"),
    ],
)
def test_75_files_beside_that_are_damaged(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    scene = write_raster(tmp_path / "a.tif", cross())
    (tmp_path / name).write_bytes(content)
    no(scene, tmp_path, says=says)


def test_75_a_mask_of_another_size(tmp_path: Path) -> None:
    scene, _ = masked(tmp_path)
    small = write_raster(tmp_path / "small.tif", cross(20, 30, 1))
    shutil.copy(small, f"{scene}.msk")
    no(scene, tmp_path, says="beside.tif.msk is no mask of beside.tif: it has 30 x 20 pixels, not 300 x 200")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("<PAMDataset>", "a.tif.aux.xml is left out"),
        ('<!DOCTYPE a [<!ENTITY x "y">]><PAMDataset/>', "a.tif.aux.xml is left out"),
        (AUX.format(more="").replace("EPSG:32647", "moon"), "a CRS that cannot be read, left out"),
        (
            "<PAMDataset><GeoTransform>1</GeoTransform></PAMDataset>",
            "a transform that cannot be read, left out",
        ),
        (
            "<PAMDataset><GCPList><GCP/></GCPList></PAMDataset>",
            "ground control points, left out: gdal_translate",
        ),
        ("<PAMDataset><PAMRasterBand><ColorTable/></PAMRasterBand></PAMDataset>", "a palette, left out"),
    ],
)
def test_75_what_an_aux_xml_holds_besides_is_said(tmp_path: Path, content: str, says: str) -> None:
    scene = write_raster(tmp_path / "a.tif", cross())
    before = levels(scene)
    (tmp_path / "a.tif.aux.xml").write_text(content)
    assert any(says in said for said in open_scene(scene).messages)
    assert (levels(scene) == before).all()


def filled(path: Path, dtype: str, fill: float, factor: float, **profile: Any) -> Path:
    """The cross, its western 90 columns filled with a value."""
    values = (cross().astype(np.float64) * factor).astype(dtype)
    values[:, :, :90] = fill
    return write_raster(path, values, **profile)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "fill", "factor"),
    [
        ("float32", -9999, 0.001), ("float32", 1e20, 0.001), ("float64", -3.4028234663852886e38, 1),
        ("uint16", 65535, 10), ("int16", -32768, 10), ("int32", -99999, 10), ("float32", -1, 0.001),
        ("uint16", 10_000, 1),
    ],
)  # fmt: skip
def test_76_fill_values_that_the_file_does_not_declare(
    tmp_path: Path, dtype: str, fill: float, factor: float
) -> None:
    scene = filled(tmp_path / "a.tif", dtype, fill, factor)
    declared = filled(tmp_path / "declared.tif", dtype, fill, factor, nodata=fill)
    assert (levels(scene) == levels(declared)).all()
    assert f"value {fill:g} on 30% of the pixels is taken for nodata" in extract(scene).err
    rescale = SceneParams(rescale=(0.0, 200 * factor))
    assert open_scene(scene, rescale).fills == ()


def test_76_in_one_band_alone(tmp_path: Path) -> None:
    values = cross().astype(np.float32)
    values[1, :, :90] = -9999
    found = levels(write_raster(tmp_path / "a.tif", values))
    assert (found[:, :90] == 255).all() and (found[:, 90:] < 255).all()


def ramp(dtype: str, low: float, high: float, at_end: float) -> NDArray[Any]:
    """(1, 200, 300) values spread between two numbers; a tenth of them hold another one."""
    values = np.random.default_rng(3).uniform(low, high, (1, 200, 300))
    values[:, :20] = at_end
    return values.astype(dtype)


@pytest.mark.parametrize(
    ("dtype", "low", "high", "at_end"),
    [
        ("uint16", 0, 65_535, 65_535),  # saturated
        ("uint16", 200, 2000, 0),  # dark, or no data: it does not say
        ("float32", -1, 1, -1),
        ("float32", 0, 1, 1),
        ("uint16", 100, 4095, 4095),
        ("uint8", 20, 60, 255),
        ("float32", 80, 81, 90),
    ],
)
def test_76_values_that_may_be_measured_stay(
    tmp_path: Path, dtype: str, low: float, high: float, at_end: float
) -> None:
    assert open_scene(write_raster(tmp_path / "a.tif", ramp(dtype, low, high, at_end))).fills == ()


def infrared(path: Path) -> Path:
    """The cross with an infrared band flagged as alpha, which is 0 on a road, as on asphalt."""
    band = np.random.default_rng(2).integers(1, 255, (1, 200, 300)).astype(np.uint8)
    band[:, 98:102] = 0
    return write_raster(path, np.concatenate([cross(), band]), photometric="RGB", alpha="yes")


def test_77_alpha_that_is_an_image_band(tmp_path: Path) -> None:
    scene = infrared(tmp_path / "a.tif")
    twin = levels(write_raster(tmp_path / "rgb.tif", cross()))
    said = extract(scene).err
    assert "alpha (band 4) decides what is valid and hides 2.0%, but has 255 levels" in said
    assert (levels(scene)[98:102] == 255).all()
    for free in (("--bidx", "1,2,3"), ("--set", "scene.alpha=false")):
        assert (levels(scene, *free) == twin).all()
    assert "band 4 has 255 levels and is not taken for alpha" in info(scene, "--bidx", "1,2,3")
    assert (levels(scene, "--bidx", "4,1,2") < 255).all()


def test_77_alpha_proper_is_named(tmp_path: Path) -> None:
    seen = np.full((1, 200, 300), 255, dtype=np.uint8)
    scene = write_raster(tmp_path / "a.tif", np.concatenate([cross(), seen]), alpha="yes")
    assert "hides" not in extract(scene).err
    seen[:, :, :90] = np.arange(90)[None, None] // 6 * 17  # faded at its border
    seen[:, :, :30] = 0
    write_raster(scene, np.concatenate([cross(), seen]), alpha="yes")
    assert "alpha (band 4) decides what is valid and hides 10.0%\n" in extract(scene).err
    assert (levels(scene, "--bidx", "1,2,3")[:, :30] == 255).all()


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("dark", [0, 60])
def test_78_grey_whose_smallest_value_is_white(tmp_path: Path, dtype: str, dark: int) -> None:
    values = (cross(bands=1) - dark).astype(dtype)
    top = 255 if dtype != "float32" else 1
    twin = write_raster(tmp_path / "twin.tif", values if top == 255 else values / np.float32(255))
    white = (top - (values if top == 255 else values / np.float32(255))).astype(dtype)
    scene = write_raster(tmp_path / "a.tif", white, photometric="MINISWHITE")
    assert np.abs(levels(scene).astype(int) - levels(twin)).max() <= 2
    assert "its smallest value is white: inverted" in extract(scene).err
    rescaled = "--set", f"scene.rescale=[{white.min()},{white.max()}]"
    assert levels(scene, *rescaled)[98:102, 150:].min() > levels(scene, *rescaled)[20:80, 150:].max()


def separated(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Cyan, magenta, yellow and an empty black plate of bytes."""
    return np.concatenate([255 - rgb, np.zeros_like(rgb[:1])])


def test_78_cmyk_and_lab(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", separated(cross()), photometric="CMYK")
    twin = levels(write_raster(tmp_path / "rgb.tif", cross()))
    assert np.abs(levels(scene).astype(int) - twin).max() <= 2
    wide = write_raster(tmp_path / "w.tif", separated(cross()).astype(np.uint16) * 257, photometric="CMYK")
    no(wide, tmp_path, says="w.tif is CMYK of uint16, not grey or RGB", hint="gdal_translate -ot Byte")
    for name, dtype in (("CIELAB", "uint16"), ("ICCLAB", "uint8")):
        lab = write_raster(tmp_path / f"{name}.tif", cross().astype(dtype), photometric=name, BIGTIFF="YES")
        no(lab, tmp_path, says=f"Lab of {dtype}, not grey or RGB", hint="--bidx")
        assert (levels(lab, "--bidx", "1") < 255).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_78_colours_of_a_palette_that_are_transparent(tmp_path: Path) -> None:
    index = (cross(bands=1) // 8).astype(np.uint8)
    index[:, :, :90] = np.array([40, 41])[np.arange(90) % 2]
    table = {
        i: (min(255, 8 * i), min(255, 8 * i), min(255, 8 * i), 0 if i in (40, 41) else 200) for i in range(64)
    }
    scene = tmp_path / "a.png"
    with rasterio.open(scene, "w", driver="PNG", width=300, height=200, count=1, dtype="uint8") as out:
        out.write_colormap(1, table)
        out.write(index)
    with rasterio.open(scene) as source:
        assert source.nodata is None and source.colormap(1)[40][3] == 0
    found = levels(scene, "--gsd", "0.5")
    assert (found[:, :90] == 255).all() and (found[:, 90:] < 255).all()


def bounds_of(text: str) -> dict[str, str]:
    """The lines of info by name."""
    return dict(line.strip().split(": ", 1) for line in text.splitlines())


@pytest.mark.slow
@pytest.mark.parametrize("between", [",", " ", ", "])
def test_79_bounds_of_info_can_be_given_again(tmp_path: Path, between: str) -> None:
    scene = write_raster(tmp_path / "a.tif", cross())
    whole = levels(scene)
    told = bounds_of(info(scene))
    assert told["bounds"] == "500000,1499900,500150,1500000"
    bounds, degrees = (told[key].replace(",", between) for key in ("bounds", "in degrees"))
    assert (levels(scene, "--set", f"scene.bounds={bounds}") == whole).all()
    assert (levels(scene, "--set", f"scene.bounds=[{told['bounds']}]") == whole).all()
    extract(scene)
    roads = lines(scene)
    for area in (degrees, f"[{degrees}]"):
        extract(scene, "--aoi", area)
        assert lines(scene).hausdorff_distance(roads) < 0.1


@pytest.mark.parametrize(
    ("profile", "tells", "refuses"),
    [
        ({"crs": None}, "CRS: none", "has no CRS"),
        ({"crs": None, "transform": Affine.identity()}, "transform: none", "has no CRS"),
        (
            {"crs": "EPSG:4326", "transform": Affine(1e-5, 0, 179.998, 0, -1e-5, 1)},
            "bounds: 179.998,",
            "antimer",
        ),
        ({"transform": Affine(50, 0, 5e5, 0, -50, 1.5e6)}, "pixel: 50.0", "has 50.02 m pixels"),
        ({"dtype": "complex64"}, "complex64", "holds complex numbers"),
    ],
)
def test_79_info_describes_what_extract_refuses(
    tmp_path: Path, profile: dict[str, Any], tells: str, refuses: str
) -> None:
    values = cross().astype(profile.pop("dtype", "uint8"))
    scene = write_raster(tmp_path / "a.tif", values, **profile)
    refusal = refused("extract", scene, "-o", tmp_path / "r.gpkg", says=refuses)
    told = info(scene)
    assert "size: 300 x 200 px" in told and tells in told
    for line, key in zip(refusal.err.splitlines()[-2:], ("refused", "hint"), strict=True):
        assert f"{key}: {line.split(': ', 1)[1]}" in told


def test_79_points_instead_of_a_transform(tmp_path: Path) -> None:
    from rasterio.control import GroundControlPoint

    corners = ((0, 0, 0, 0), (0, 300, 150, 0), (200, 0, 0, -100), (200, 300, 150, -100))
    points = [GroundControlPoint(row, col, 5e5 + x, 1.5e6 + y) for row, col, x, y in corners]
    scene = write_raster(
        tmp_path / "a.tif", cross(), crs="EPSG:32647", transform=Affine.identity(), gcps=points
    )
    no(scene, tmp_path, says="a.tif is placed by ground control points alone", hint="gdalwarp")


def test_79_words_that_users_try(tmp_path: Path) -> None:
    scene = write_raster(tmp_path / "a.tif", cross())
    output = "-o", tmp_path / "r.gpkg"
    with unchanged(tmp_path):
        refused("extract", scene, *output, "--threshold", "50", says="50 is no probability", hint="0.5")


@pytest.mark.parametrize("device", ["gpu", "0", "cuda:x"])
def test_79_devices_that_are_none(device: str) -> None:
    from georoads.errors import GeoroadsError
    from georoads.inference.select import PredictParams

    with pytest.raises(GeoroadsError, match="there is no device") as found:
        PredictParams(device=device)
    assert "--device cuda" in found.value.hint
    for name in ("auto", "cpu", "mps", "cuda", "cuda:12"):
        PredictParams(device=name)


LOCAL = (
    'ENGCRS["Local grid",EDATUM["here"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],LENGTHUNIT["metre",1]]'
)


def test_80_scenes_that_no_way_leads_between(tmp_path: Path) -> None:
    local = write_raster(tmp_path / "local.tif", cross(), crs=LOCAL)
    utm = write_raster(tmp_path / "utm.tif", cross())
    for first, second in ((local, utm), (utm, local)):
        with unchanged(tmp_path):
            says = f"{second.name} cannot lie beside the first scene"
            refused("extract", first, second, "-o", tmp_path / "r.gpkg", says=says)
    assert "in degrees" not in info(local)
    east = write_raster(tmp_path / "east.tif", cross(), HALF_METRE @ Affine.translation(300, 0), LOCAL)
    assert len(open_scenes((local, east), SceneParams()).messages) == 0  # one CRS: side by side


def test_80_rings_of_links_and_long_names(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    scene = write_raster(folder / "s.tif", cross())
    for one, other in (("a.tif", "b.tif"), ("b.tif", "a.tif"), ("i.json", "j.json"), ("j.json", "i.json")):
        (folder / one).symlink_to(other)
    output = "-o", tmp_path / "r.gpkg"
    for scenes in ((folder / "a.tif",), (folder / "a.tif", scene), (folder / "i.json",)):
        refused("extract", *scenes, *output, says=f"{scenes[0].name} cannot be read: Too many levels")
    (folder / "s.tif.msk").symlink_to("s.tif.msk")  # a ring is no mask
    assert open_scene(scene).file.beside is None
    for length in (230, 250, 255):
        long = folder / ("n" * (length - 4) + ".tif")
        shutil.copy(scene, long)
        extract(long)
    refused("extract", folder / ("n" * 300), *output, says="File name too long")
