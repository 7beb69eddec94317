"""Masks of other tools, and what becomes of their values. The numbers are those of docs/faults.md."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import Ended, refused, typed, unchanged
from numpy.typing import NDArray

from georoads.inference import raster as raster_module
from georoads.inference.raster import ProbabilityRaster

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
ROAD = np.zeros((150, 150), np.bool_)
ROAD[73:78, 10:140] = ROAD[10:140, 73:78] = True
STRIP = np.indices(ROAD.shape)[1] >= 145


def draw(
    path: Path,
    values: NDArray[Any],
    *,
    colours: dict[int, tuple[int, int, int, int]] | None = None,
    scale: float = 1.0,
    offset: float = 0.0,
    tags: dict[str, str] | None = None,
    **profile: Any,
) -> Path:
    """Write (height, width) or (band, height, width) values as a GeoTIFF with pixels of 0.5 m."""
    bands = values if values.ndim == 3 else values[None]
    profile = {"driver": "GTiff", "dtype": bands.dtype, "crs": "EPSG:32632", "transform": PLACE} | profile
    count, height, width = bands.shape
    with rasterio.open(path, "w", count=count, height=height, width=width, **profile) as out:
        out.write(bands)
        if colours:
            out.write_colormap(1, colours)
        out.scales, out.offsets = (scale,) * count, (offset,) * count
        out.update_tags(**(tags or {}))
    return path


def classes(road: float, ground: float, strip: float | None = None, dtype: str = "uint8") -> NDArray[Any]:
    """The crossroads in these values."""
    values = np.where(ROAD, road, ground)
    return np.where(STRIP, strip, values).astype(dtype) if strip is not None else values.astype(dtype)


def faint(top: float, shift: float = 0.0, dtype: str = "float32") -> NDArray[Any]:
    """p of the crossroads, 0.9 on the road and less than 0.1 beside it, stretched."""
    noise = np.random.default_rng(1).random(ROAD.shape) / 10
    p = np.where(ROAD, 1 - noise, noise)
    p[0, 0], p[75, 75] = 0, 1
    return (p * top + shift).astype(dtype)


def lines(mask: Path, *options: str) -> Ended:
    return typed("vectorize", mask, "-o", mask.with_name("roads.gpkg"), "--overwrite", *options)


def is_crossroads(ended: Ended) -> bool:
    """Whether the four roads were found, without a word about them."""
    return ended.code == 0 and ended.err.count("\n") == 1 and ": 4 roads, 0.1" in ended.err


# 67: values that nobody can know the meaning of

AMBIGUOUS: dict[str, tuple[NDArray[Any], str, str]] = {
    "0 and 2": (classes(2, 0), "holds 0 and 2", "--set mask.road=2"),
    "1 and 2": (classes(2, 1), "holds 1 and 2", "--set mask.road=2"),
    "0, 1, 2": (classes(2, 0, 1), "holds 0, 1 and 2", "--set mask.road=2"),
    "255 ignored": (classes(1, 0, 255), "holds 0, 1 and 255", "--set mask.nodata=255"),
    "-1 ignored": (classes(1, 0, -1, "int16"), "holds -1, 0 and 1", "--set mask.nodata=-1"),
    "64 bit": (
        np.where(ROAD, np.uint64(2**64 - 1), np.uint64(0)), "holds 0 and", f"--set mask.road={2**64 - 1}",
    ),
    "16 bit": (classes(65535, 0, dtype="uint16"), "holds 0 and 65535", "--set mask.road=65535"),
    "percent": (faint(100, dtype="uint8"), "from 0 to 100", "--set mask.scale=0.01"),
    "percent, float": (faint(100), "from 0 to 100", "--set mask.scale=0.01"),
    "bytes of p": (faint(255, dtype="uint8"), "from 0 to 255", "--set mask.scale=0.00392157"),
    "0 to 255, float": (faint(255), "from 0 to 255", "--set mask.scale=0.00392157"),
    "logits": (faint(10, -5), "from -5 to 5", "--set mask.logits=true"),
    "cubic": (faint(1.1, -0.05), "from -0.05 to 1.05", "--set mask.clip=true"),
    "a fill value": (
        np.where(STRIP, np.float32(-9999), faint(1)), "from -9999 to 1", "--set mask.nodata=-9999",
    ),
    "two bands": (np.stack([classes(0, 1), classes(1, 0)]), "has 2 bands", "--bidx 2"),
}  # fmt: skip


@pytest.mark.parametrize("case", AMBIGUOUS)
def test_67_values_that_nobody_can_know_are_refused_with_a_way_out_that_works(
    case: str, tmp_path: Path
) -> None:
    values, says, way_out = AMBIGUOUS[case]
    mask = draw(tmp_path / "m.tif", values)
    with unchanged(tmp_path):
        refused("vectorize", mask, "-o", tmp_path / "r.gpkg", says=says, hint=way_out)
    assert is_crossroads(lines(mask, *shlex.split(way_out)))


@pytest.mark.parametrize("bands", [3, 4])
def test_67_a_picture_is_no_mask(bands: int, tmp_path: Path) -> None:
    photo = np.random.default_rng(1).integers(0, 256, (bands, 150, 150)).astype(np.uint8)
    picture = draw(tmp_path / "p.tif", photo, photometric="rgb")
    hint = "did you mean georoads extract?"
    refused("vectorize", picture, "-o", tmp_path / "r.gpkg", says="red, green and blue", hint=hint)
    grey = draw(tmp_path / "g.tif", photo[0])
    refused("vectorize", grey, "-o", tmp_path / "r.gpkg", says="0 to 255", hint="georoads extract if")
    refused("vectorize", picture, "-o", tmp_path / "r.gpkg", "--bidx", "2", says="0 to 255", hint="extract")
    refused("vectorize", picture, "-o", tmp_path / "r.gpkg", "--bidx", "9", says="no band 9", hint="--bidx")


def test_67_a_band_of_white_on_black_can_be_chosen(tmp_path: Path) -> None:
    picture = draw(tmp_path / "p.tif", np.stack([classes(255, 0)] * 3), photometric="rgb")
    assert is_crossroads(lines(picture, "--bidx", "1"))


def test_67_a_value_that_no_sample_saw_is_refused_during_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raster_module, "SAMPLES", 1)
    wide = np.zeros((150, 1400), np.uint8)
    wide[73:78] = 1
    for strange in (2, 255):
        wide[100, 1300] = strange
        mask = draw(tmp_path / "m.tif", wide)
        with unchanged(tmp_path):
            refused(
                "vectorize", mask, "-o", tmp_path / "r.gpkg", says=f"holds 0, 1 and {strange}", hint="mask."
            )


def test_67_blocks_of_nothing_do_not_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster_module, "SAMPLES", 1)
    wide = np.zeros((150, 1400), np.uint8)
    wide[73:78, 1100:] = 255
    ended = lines(draw(tmp_path / "m.tif", wide))
    assert ended.code == 0 and ": 1 roads, 0.15 km" in ended.err


@pytest.mark.parametrize(
    "value", ["road=true", "road=[]", "scale=0", "scale=-1", "bidx=0", "invert=2", "way=1"]
)
def test_67_what_is_said_of_values_is_checked(value: str, tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0))
    refused("vectorize", mask, "-o", tmp_path / "r.gpkg", "--set", f"mask.{value}", says="mask", hint=" ")


def test_67_what_was_said_stands_in_the_layer(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(2, 1))
    assert is_crossroads(lines(mask, "--set", "mask.road=[2]"))
    with closing(sqlite3.connect(tmp_path / "roads.gpkg")) as db:
        texts = [row[0] for row in db.execute("SELECT metadata FROM gpkg_metadata")]
    assert any('"mask": {"road": [2]}' in json.dumps(json.loads(t)) for t in texts if t.startswith("{"))


# 68: values that stand for colours, and bands beside the mask

BLACK, WHITE, RED = (0, 0, 0, 255), (255, 255, 255, 255), (200, 0, 0, 255)


@pytest.mark.parametrize(
    ("road", "ground", "colours"),
    [
        (1, 0, {0: BLACK, 1: WHITE}), (0, 1, {0: WHITE, 1: BLACK}), (1, 0, {0: BLACK, 1: RED}),
        (0, 1, {0: RED, 1: BLACK}), (7, 3, {3: BLACK, 7: WHITE}),
    ],
)  # fmt: skip
def test_68_a_palette_means_its_colours(
    road: int, ground: int, colours: dict[int, tuple[int, int, int, int]], tmp_path: Path
) -> None:
    assert is_crossroads(lines(draw(tmp_path / "m.tif", classes(road, ground), colours=colours)))


def test_68_a_colour_that_is_nodata_and_so_transparent_is_ground(tmp_path: Path) -> None:
    ended = lines(draw(tmp_path / "m.tif", classes(1, 0), colours={0: WHITE, 1: RED}, nodata=0))
    assert ended.code == 0 and ": 4 roads, 0.1" in ended.err
    assert "note: 0, its nodata value, is taken for ground" in ended.err


def test_68_a_palette_of_several_colours_is_refused(tmp_path: Path) -> None:
    colours = {0: BLACK, 1: WHITE, 2: RED}
    mask = draw(tmp_path / "m.tif", classes(2, 0, 1), colours=colours)
    refused(
        "vectorize", mask, "-o", tmp_path / "r.gpkg",
        says="2 is rgb(200, 0, 0)", hint="--set mask.road=2",
    )  # fmt: skip
    assert is_crossroads(lines(mask, "--set", "mask.road=2"))


@pytest.mark.parametrize("profile", [{"nbits": 1}, {"nbits": 1, "photometric": "miniswhite"}, {}])
def test_68_white_is_road_also_where_it_is_zero(profile: dict[str, Any], tmp_path: Path) -> None:
    is_turned = "photometric" in profile
    values = classes(0, 1) if is_turned else classes(1, 0)
    assert is_crossroads(lines(draw(tmp_path / "m.tif", values, **profile)))
    grey = draw(tmp_path / "g.tif", classes(0, 255), photometric="miniswhite")
    assert is_crossroads(lines(grey))
    assert is_crossroads(lines(draw(tmp_path / "n.tif", classes(0, 255)), "--set", "mask.invert=true"))


def test_68_minis_white_of_other_values_is_refused(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0), photometric="miniswhite")
    refused("vectorize", mask, "-o", tmp_path / "r.gpkg", says="MINISWHITE", hint="--set mask.road=1")
    mask = draw(tmp_path / "p.tif", faint(1), photometric="miniswhite")
    refused("vectorize", mask, "-o", tmp_path / "r.gpkg", says="MINISWHITE", hint="--set mask.scale=1")
    assert is_crossroads(lines(mask, "--set", "mask.scale=1"))


@pytest.mark.parametrize("nodata", [None, 0])
def test_68_an_alpha_band_says_where_a_mask_is_valid(nodata: int | None, tmp_path: Path) -> None:
    alpha = np.where(STRIP, 0, 255).astype(np.uint8)
    values = np.where(STRIP, np.uint8(1), classes(1, 0))  # under the strip lies what looks like a road
    mask = draw(tmp_path / "m.tif", np.stack([values, alpha]), alpha="yes", nodata=nodata)
    ended = lines(mask)
    assert ended.code == 0 and ": 4 roads, 0.1" in ended.err
    with ProbabilityRaster(mask) as raster:
        levels = raster.read(raster.grid.window)
    assert ((levels == 255) == STRIP).all()
    assert ((levels == 254) == (ROAD & ~STRIP)).all()


# 69: scale, offset, complex numbers, threshold


@pytest.mark.parametrize(
    ("scale", "offset"), [(np.nan, 0), (0, 0), (-1, 0), (np.inf, 0), (1, np.nan), (0.5, -np.inf)]
)
def test_69_a_scale_that_makes_no_p_is_refused(scale: float, offset: float, tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(200, 0), scale=scale, offset=offset)
    way_out = "--set mask.scale=0.005 --set mask.offset=0"
    refused("vectorize", mask, "-o", tmp_path / "r.gpkg", says=f"the scale {scale:g} and", hint=way_out)
    assert is_crossroads(lines(mask, *way_out.split()))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_69_scale_and_offset_of_the_file_are_honoured(dtype: str, tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(150, 50, dtype=dtype), scale=0.01, offset=-0.5)
    with ProbabilityRaster(mask) as raster:
        assert (raster.read(raster.grid.window) == np.where(ROAD, 254, 0)).all()
    beyond = draw(tmp_path / "n.tif", classes(160, 50, dtype=dtype), scale=0.01, offset=-0.5)
    says = "holds 50 and 160: which x 0.01 + -0.5 are no p"
    refused("vectorize", beyond, "-o", tmp_path / "r.gpkg", says=says, hint="--set mask.road=160")


def test_69_complex_numbers_are_refused(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0, dtype="complex64"))
    refused("vectorize", mask, "-o", tmp_path / "r.gpkg", says="complex", hint="gdal_translate")


@pytest.mark.parametrize("stated", ["abc", "nan", "0", "-0.5", "50", "inf"])
def test_69_a_threshold_that_is_none_is_passed_over_and_said(stated: str, tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0), tags={"GEOROADS_THRESHOLD": stated})
    ended = lines(mask)
    assert ended.code == 0 and "4 roads" in ended.err
    assert "note: its tag GEOROADS_THRESHOLD" in ended.err


def test_69_a_threshold_that_is_one_holds(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(0.4, 0, dtype="float32"), tags={"GEOROADS_THRESHOLD": "0.1"})
    assert is_crossroads(lines(mask))


def test_69_a_calibration_that_is_none_is_passed_over_and_said(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0), tags={"GEOROADS_CALIBRATION": '{"width_of": [0, 1]}'})
    ended = lines(mask)
    assert ended.code == 0 and "4 roads" in ended.err
    assert "note: its tag GEOROADS_CALIBRATION is no calibration: passed over" in ended.err


# 70: more road than ground, or none


def test_70_more_road_than_ground_or_none_is_said(tmp_path: Path) -> None:
    ended = lines(draw(tmp_path / "m.tif", classes(0, 1)))
    assert ended.code == 0 and "note: 94% of what was seen is road" in ended.err
    assert is_crossroads(lines(tmp_path / "m.tif", "--set", "mask.invert=true"))
    ended = lines(draw(tmp_path / "n.tif", classes(0.31, 0.1, dtype="float32")))
    assert ended.code == 0 and "note: no road: the highest p is 0.31, below the threshold 0.5" in ended.err
    ended = lines(draw(tmp_path / "v.tif", np.full((9, 9), np.nan, np.float32)))
    assert ended.code == 0 and "note: no pixel is valid" in ended.err
    speck = np.zeros((90, 90), np.uint8)
    speck[40:44, 40:44] = 1
    ended = lines(draw(tmp_path / "s.tif", speck))
    assert ended.code == 0 and "note: no road is left" in ended.err and "speck_m2" in ended.err


# 71: lines one pixel wide


def skeleton() -> NDArray[np.uint8]:
    """Short lines one pixel wide, as skeletons are: each has less area than a speck."""
    drawn = np.zeros((400, 400), np.uint8)
    for row in range(20, 400, 40):
        drawn[row, 20:100] = 1
        drawn[np.arange(row, row + 15), np.arange(150, 165)] = 1
        drawn[row, 200:204] = 1  # a speck: two metres
    return drawn


def test_71_lines_one_pixel_wide_are_no_specks(tmp_path: Path) -> None:
    ended = lines(draw(tmp_path / "m.tif", skeleton()), "--set", "network.min_length_m=0")
    assert ended.code == 0 and "note: its roads are lines one pixel wide" in ended.err
    assert ": 20 roads, 0.4" in ended.err  # ten of 40 m, ten of 10 m, and no speck
    # p, unsure of itself, that is one pixel wide stays a speck.
    ended = lines(draw(tmp_path / "p.tif", skeleton() * np.float32(0.6)))
    assert ended.code == 0 and ": 0 roads" in ended.err and "note: no road is left" in ended.err


# 72: names of outputs, and what a killed run leaves


@pytest.mark.parametrize("name", ["p.png", "p", "p.gpkg", "p.tif.gz"])
def test_72_a_probability_raster_is_not_written_under_another_formats_name(name: str, tmp_path: Path) -> None:
    scene = draw(tmp_path / "s.tif", np.stack([classes(200, 90)] * 3), photometric="rgb")
    for flags in ((), ("--dry-run",)):
        with unchanged(tmp_path):
            refused("predict", scene, "-o", tmp_path / name, *flags, says=name, hint=".tif or .tiff")


@POSIX
def test_72_a_name_may_be_as_long_as_the_file_system_takes(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0))
    output = tmp_path / ("n" * 250 + ".gpkg")
    assert typed("vectorize", mask, "-o", output).code == 0
    assert {file.name for file in tmp_path.iterdir()} == {"m.tif", output.name}


KILLED = """
import os, sys
from georoads.output import geopackage, write
write.finish_geopackage = lambda *_: (print("writing", flush=True), sys.stdin.read())
from georoads.cli.main import main
sys.argv[0] = "georoads"
main()
"""


@pytest.mark.slow
@POSIX
def test_72_what_a_killed_vectorize_leaves_is_cleared_by_the_next(tmp_path: Path) -> None:
    mask = draw(tmp_path / "m.tif", classes(1, 0))
    command = [sys.executable, "-c", KILLED, "vectorize", str(mask), "-o", str(tmp_path / "roads.gpkg")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"  # it stands still with half a file
        refused("vectorize", mask, "-o", tmp_path / "roads.gpkg", says=f"worked on by process {process.pid}")
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert any(".part" in file.name for file in tmp_path.iterdir())
    assert is_crossroads(lines(mask))
    assert {file.name for file in tmp_path.iterdir()} == {"m.tif", "roads.gpkg"}
