"""Pictures and masks that a training would misread. The numbers are those of docs/faults.md."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
from command_line import refused, typed, unchanged
from drawn_pairs import SMALL_RECIPE, draw_kaggle, draw_pairs, write_index
from numpy.typing import NDArray
from PIL import Image
from small_training import one_thread  # noqa: F401 (a fixture)

from georoads.data.dataset import open_dataset
from georoads.data.mask_survey import survey_masks
from georoads.data.pictures import read_image, read_levels, read_mask
from georoads.data.split import split_dataset
from georoads.errors import DatasetError
from georoads.picture_files import read_pixels

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
PICTURE = np.asarray(cv2.GaussianBlur(NOISE, (7, 7), 2.0), dtype=np.uint8)
NAMES = [f"t{i}" for i in range(10)]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = draw_pairs(tmp_path / "d", NAMES)
    write_index(root)
    return root


@pytest.fixture
def toml(data: Path) -> Path:
    path = data.parent / "tiny.toml"
    path.write_text(SMALL_RECIPE.format(path=data))
    return path


def grey_of(path: Path) -> NDArray[np.uint8]:
    pixels = read_pixels(path, cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return np.asarray(pixels, dtype=np.uint8)


def rewrite_masks(data: Path, levels: tuple[int, int], folder: str = "masks") -> None:
    """Give background and road of every mask other levels."""
    for path in (data / folder).iterdir():
        road = grey_of(path) > 0
        cv2.imwrite(str(path), np.where(road, levels[1], levels[0]).astype(np.uint8))


# 81: what masks hold


@pytest.mark.slow
@pytest.mark.parametrize("road", [1, 2, 127])
def test_81_masks_without_a_level_of_road_are_refused_and_the_hint_works(
    data: Path, toml: Path, road: int
) -> None:
    rewrite_masks(data, (0, road))
    said = f"the masks have the grey levels 0, {road} and none from 128 on"
    found = refused("info", data, says=said, hint="write road as 255")
    with unchanged(data):
        refused("train", "--recipe", toml, "--dry-run", says=said)
    # The command of the hint, typed in the data set's folder.
    way_out = found.err.splitlines()[-1].partition("on a copy: ")[2]
    python, *more, pattern = shlex.split(way_out)
    assert (python, pattern) == ("python", "masks/*")
    masks = map(str, (data / "masks").iterdir())
    subprocess.run([sys.executable, *more, *masks], check=True, cwd=data)
    assert typed("info", data).code == 0


def test_81_masks_that_are_inverted_or_in_part_without_road_get_a_note(data: Path, toml: Path) -> None:
    rewrite_masks(data, (255, 0))
    told = typed("info", data)
    assert told.code == 0 and "train: 89.6% of the pixels are road" in told.out
    assert told.out.count("are the masks inverted?") == 2  # train and val
    assert "are the masks inverted?" in typed("train", "--recipe", toml, "--dry-run").err
    rewrite_masks(data, (255, 0))
    cv2.imwrite(str(data / "masks" / "t1.png"), np.eye(96, dtype=np.uint8))
    assert "1 masks have grey levels, but none from 128 on, so no road: t1.png" in typed("info", data).out


def test_81_validity_of_other_levels_is_refused(data: Path) -> None:
    (data / "valid").mkdir()
    cv2.imwrite(str(data / "valid" / "t1.png"), np.ones((96, 96), np.uint8))
    refused("info", data, says="valid: the masks have the grey levels 1 and none from 128 on")


def test_81_an_alpha_that_contradicts_the_colours_is_refused(tmp_path: Path) -> None:
    road = np.zeros((20, 30), np.uint8)
    road[5:9] = 255
    full, none = np.full_like(road, 255), np.zeros_like(road)
    path = tmp_path / "m.png"
    for grey, alpha in ((full, road), (none, road), (255 - road, road)):
        cv2.imwrite(str(path), np.dstack([grey] * 3 + [alpha]))
        with pytest.raises(DatasetError, match="its alpha hides"):
            read_levels(path)
    for alpha in (full, road):  # opaque, or white road on nothing
        cv2.imwrite(str(path), np.dstack([road] * 3 + [alpha]))
        np.testing.assert_array_equal(read_levels(path), road)


@pytest.mark.parametrize(
    ("kind", "top"), [("uint16", 65535), ("uint16", 255), ("int16", 255), ("int32", 255)]
)
def test_81_masks_of_more_than_8_bits_are_read(tmp_path: Path, kind: str, top: int) -> None:
    road = np.zeros((20, 30), kind)
    road[5:9] = top
    path = tmp_path / "m.tif"
    Image.fromarray(road.astype(np.int32) if kind == "int32" else road).save(path)
    np.testing.assert_array_equal(read_levels(path) >= 128, road > 0)


def test_81_masks_of_values_that_are_no_levels_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    Image.fromarray(np.linspace(-4, 4, 600, dtype=np.float32).reshape(20, 30)).save(path)
    with pytest.raises(DatasetError, match=r"m\.tif holds float32 values, -4 to 4"):
        read_levels(path)


def test_81_a_survey_of_many_masks_looks_at_some_and_at_all_where_these_show_none(tmp_path: Path) -> None:
    root = draw_pairs(tmp_path / "d", NAMES)
    samples = open_dataset(root, 0.5).samples
    assert survey_masks(samples, "train", most=3).levels.sum() == 3 * 96 * 96
    for sample in (*samples[:1], *samples[2:]):
        cv2.imwrite(str(sample.mask), np.zeros((96, 96), np.uint8))
    assert survey_masks(samples, "train", most=3).levels.sum() == 10 * 96 * 96


# 82: orientation and depth


def save_turned(path: Path, pixels: NDArray[np.uint8], orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels).save(path, exif=exif, lossless=True)  # which WebP alone heeds


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif"])
@pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
def test_82_orientation_is_ignored_as_gdal_ignores_it(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = tmp_path / f"p{suffix}"
    save_turned(path, PICTURE, orientation)
    found = read_pixels(path, cv2.IMREAD_COLOR)
    with rasterio.open(path) as source:
        pixels = source.read().transpose(1, 2, 0)
    assert found is not None and found.shape == pixels.shape == PICTURE.shape
    differ = np.abs(found[..., ::-1].astype(int) - pixels)
    assert differ.mean() < 4 if suffix == ".jpg" else not differ.any()  # decoders of JPEG differ a little


def test_82_a_tiff_whose_directory_lies_nowhere_is_no_picture(tmp_path: Path) -> None:
    for content in (b"II*\x00", b"II*\x00\xff\xff\xff\xff", b"MM\x00+\x00\x08\x00\x00" + b"\xff" * 8):
        (tmp_path / "p.tif").write_bytes(content)
        assert read_pixels(tmp_path / "p.tif", cv2.IMREAD_COLOR) is None


def test_82_a_turned_picture_lies_under_its_mask(data: Path) -> None:
    rgb = np.asarray(Image.open(data / "images" / "t0.png").convert("RGB"))
    (data / "images" / "t0.png").unlink()
    save_turned(data / "images" / "t0.jpg", rgb, 6)
    sample = open_dataset(data).samples[0]
    image, road = read_image(sample), read_mask(sample)
    assert image[road].mean() > image[~road].mean() + 60


@pytest.mark.parametrize("kind", ["uint16", "float32"])
def test_82_a_picture_that_is_not_of_bytes_is_refused(data: Path, toml: Path, kind: str) -> None:
    for name in NAMES:
        pixels = grey_of(data / "images" / f"{name}.png")
        (data / "images" / f"{name}.png").unlink()
        cv2.imwrite(str(data / "images" / f"{name}.tif"), pixels.astype(kind) * 8)
    refused("info", data, says=f"holds {kind} values", hint="-ot Byte -scale LOW HIGH")
    refused("train", "--recipe", toml, "--dry-run", says=f"holds {kind} values", hint="-ot Byte -scale")


# 83: no road


def test_83_val_without_a_road_has_no_iou_and_is_refused(data: Path, toml: Path) -> None:
    split = split_dataset(open_dataset(data))
    black = np.zeros((96, 96), np.uint8)
    for sample in split.val:
        cv2.imwrite(str(sample.mask), black)
    assert "note: val: no pixel of its masks is road" in typed("info", data).out
    no_road = "no valid pixel of the 1 val pictures is road"
    refused("train", "--recipe", toml, "-o", data.parent / "run", says=no_road, hint="--split")
    assert not (data.parent / "run").exists()


def test_83_nor_has_val_whose_roads_are_not_valid(data: Path, toml: Path) -> None:
    (data / "valid").mkdir()
    (name,) = (s.name for s in split_dataset(open_dataset(data)).val)
    road = grey_of(data / "masks" / f"{name}.png")
    cv2.imwrite(str(data / "valid" / f"{name}.png"), 255 - road)
    refused("train", "--recipe", toml, "--dry-run", says="no valid pixel of the 1 val pictures is road")


def test_83_test_without_a_road_is_not_what_the_model_is_judged_on(data: Path, toml: Path) -> None:
    rows = [
        f"{name},{'val' if i == 0 else 'test' if i == 1 else 'train'},0.5" for i, name in enumerate(NAMES)
    ]
    (data / "index.csv").write_text("\n".join(["name,split,gsd_m", *rows]))
    cv2.imwrite(str(data / "masks" / "t1.png"), np.zeros((96, 96), np.uint8))
    run = data.parent / "run"
    done = typed("train", "--recipe", toml, "-o", run, "--epochs", "1", "-q")
    assert done.code == 0 and "test shows no road; the model will be judged on val" in done.err
    assert "(val, on which the model was chosen" in done.out
    refused("evaluate", data, "--model", run, "--subset", "test", says="no road", hint="subset")


# 84: files that are found, or not


def test_84_hidden_files_are_passed_over(data: Path) -> None:
    for folder in ("images", "masks"):
        (data / folder / "._t0.png").write_bytes(b"\x00\x05\x16\x07 what a Mac leaves")
    assert typed("info", data).code == 0


def test_84_two_pictures_of_one_name_are_refused(data: Path) -> None:
    (data / "images" / "t3.jpg").write_bytes(b"")
    refused("info", data, says="images holds t3.jpg and t3.png", hint="keep one")


def test_84_a_split_that_is_none_is_refused(data: Path) -> None:
    rows = [f"{name},{'validation' if i == 0 else 'train'},0.5" for i, name in enumerate(NAMES)]
    (data / "index.csv").write_text("\n".join(["name,split,gsd_m", *rows]))
    refused("info", data, says="t0 is of the split 'validation'", hint="train, val, test")


def test_84_pairs_without_a_pixel_size_and_each_way_out(data: Path, toml: Path) -> None:
    (data / "index.csv").unlink()
    toml.write_text(SMALL_RECIPE.format(path=data).replace("gsd_m = 0.5", ""))
    hint = "--gsd-m to train and evaluate, --gsd to info"
    refused("info", data, says="the pixel size of t0 is not known", hint=hint)
    refused("train", "--recipe", toml, "--dry-run", says="the pixel size of t0 is not known", hint=hint)
    assert typed("info", data, "--gsd", "0.5").code == 0
    assert typed("train", "--recipe", toml, "--dry-run", "--gsd-m", "0.5").code == 0
    write_index(data)
    assert typed("info", data).code == 0


@pytest.mark.parametrize("folder", ["", "train"])
def test_84_deepglobe_without_its_index_is_read(tmp_path: Path, folder: str) -> None:
    rows = [f"{n},train,train/{n}_sat.jpg,train/{n}_mask.png" for n in ("7", "12")]
    root = draw_kaggle(tmp_path / "k", rows)
    indexed = open_dataset(root)
    (root / "metadata.csv").unlink()
    if not folder:
        for file in (root / "train").iterdir():
            file.rename(root / file.name)
        (root / "train").rmdir()
    (root / "valid").mkdir()
    (root / "valid" / "99_sat.jpg").write_bytes(b"no mask, as in the Kaggle set")
    (root / folder / "._12_mask.png").write_bytes(b"hidden")
    found = open_dataset(root)
    assert (found.layout, found.names) == (indexed.layout, indexed.names)
    assert [(s.image.name, s.mask.name, s.gsd_m) for s in found.samples] == [
        (s.image.name, s.mask.name, s.gsd_m) for s in indexed.samples
    ]
    assert [p.name for p in found.unlabelled] == ["99_sat.jpg"]
    assert split_dataset(found).sha256 == split_dataset(indexed).sha256
    (root / folder / "7_mask.png").unlink()
    with pytest.raises(DatasetError, match="1 pictures or masks without their counterpart: 7"):
        open_dataset(root)
    assert open_dataset(root, skip_bad=True).names == ("12",)


def test_84_deepglobe_without_its_index_keeps_its_own_division(tmp_path: Path) -> None:
    root = draw_kaggle(tmp_path / "k", [], names=("7", "12"))
    (root / "metadata.csv").unlink()
    (root / "val").mkdir()
    for end in ("sat.jpg", "mask.png"):
        (root / "train" / f"7_{end}").rename(root / "val" / f"7_{end}")
    split = split_dataset(open_dataset(root))
    assert ([s.name for s in split.train], [s.name for s in split.val]) == (["12"], ["7"])
    for end in ("sat.jpg", "mask.png"):
        (root / "val" / f"12_{end}").write_bytes((root / "train" / f"12_{end}").read_bytes())
    with pytest.raises(DatasetError, match="have the same id"):
        open_dataset(root)
