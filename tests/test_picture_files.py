"""Picture files: any name, and the same pixels as OpenCV reads from a file by itself."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from georoads.picture_files import encode_jpeg, read_pixels, write_png

NOISE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
PICTURE = np.asarray(cv2.GaussianBlur(NOISE, (7, 7), 2.0), np.uint8)


@pytest.mark.parametrize("pixels", [PICTURE, PICTURE[..., 0]], ids=["colours", "grey"])
def test_png_under_a_name_of_no_code_page(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "straße 道路 дорога.png"
    write_png(path, pixels)
    found = read_pixels(path, cv2.IMREAD_ANYCOLOR)
    assert found is not None
    np.testing.assert_array_equal(found[..., ::-1] if found.ndim == 3 else found, pixels)


@pytest.mark.parametrize("kept", [1.0, 0.7])
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_jpeg_that_was_cut_off_is_read_as_from_a_file(
    tmp_path: Path, orientation: int, kept: float
) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(PICTURE).save(path, exif=exif)
    content = path.read_bytes()
    path.write_bytes(content[: round(kept * len(content))])
    unturned = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
    np.testing.assert_array_equal(read_pixels(path, cv2.IMREAD_COLOR), unturned)


def test_sharp_colours_take_more_bytes() -> None:
    assert len(encode_jpeg(PICTURE, 90, sharp_colours=True)) > len(encode_jpeg(PICTURE, 90))


def test_what_is_no_picture_is_none(tmp_path: Path) -> None:
    for name, content in (("empty.png", b""), ("text.png", b"no picture")):
        (tmp_path / name).write_bytes(content)
        assert read_pixels(tmp_path / name, cv2.IMREAD_COLOR) is None
    assert read_pixels(tmp_path / "missing.png", cv2.IMREAD_COLOR) is None
