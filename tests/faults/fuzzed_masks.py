"""Masks drawn at random, and what must hold of each: the levels that docs/masks.md promises, or a refusal.

Run by test_fuzzed_masks.py, and at length by benchmarks/fuzz.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import rasterio
from affine import Affine
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

import georoads
from georoads.errors import GeoroadsError
from georoads.inference import raster as raster_module
from georoads.inference.mask_params import MaskParams
from georoads.inference.raster import ProbabilityRaster
from georoads.output.read import read_roads

DTYPES = ("uint8",) * 6 + (
    "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float32", "float64",
    "complex64",
)  # fmt: skip
COLOURS = ((0, 0, 0, 255), (255, 255, 255, 255), (255, 0, 0, 255), (0, 0, 0, 0), (128, 128, 128, 255))
NUMBERS = (0, 0, 0, 1, 1, 1, 255, 255, 2, 3, 100, 127, 128, 200, 254, -1, -9999, 65535, 0.5, 1e20, math.nan)
SCALES = (1.0,) * 12 + (1 / 254, 1 / 254, 1 / 255, 1e-4, 0.01, 2.0, 0.0, -1.0, math.nan, math.inf)


@dataclass(frozen=True)
class DrawnMask:
    """A raster to be written, and what is said of its values.

    Attributes:
        numbers: what is drawn: values of road, ground and a strip; or how strongly p is stretched.
        kind: "classes", "field" (p, blurred) or "noise".
        colours: the palette, by value; the last for all higher values.
        bands: "one", "alpha", "two" or "rgb".
        params: of MaskParams.
    """

    shape: tuple[int, int]
    dtype: str
    seed: int
    kind: str
    numbers: tuple[float, ...]
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    colours: tuple[tuple[int, int, int, int], ...] = ()
    bands: str = "one"
    profile: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)


@st.composite
def drawn_masks(draw: st.DrawFn) -> DrawnMask:
    """Any raster that GDAL can write as a GeoTIFF; the half of them what tools do write."""
    seldom = st.integers(0, 5)
    dtype = draw(st.sampled_from(DTYPES))
    kind = draw(st.sampled_from(["classes", "classes", "field", "noise"]))
    number = st.sampled_from(NUMBERS)
    usual = st.sampled_from([(1, 0, 0), (255, 0, 0), (255, 0, 255), (0, 255, 255), (2, 1, 1), (1, 0, 255)])
    numbers: tuple[float, ...] = draw(usual | st.tuples(number, number, number))
    if kind != "classes":
        top = st.sampled_from([1, 1, 0.3, 1.001, 1.05, 100, 254, 255, 10_000, 1e-3])
        numbers = draw(st.tuples(top, st.sampled_from([0, 0, 0, -0.02, -3, 1000])))
    profile: dict[str, Any] = draw(st.sampled_from([{}, {}, {}, {"photometric": "miniswhite"}, {"nbits": 1}]))
    params: dict[str, Any] = {}
    if draw(st.integers(0, 2)) == 0:
        params = draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "road": st.sampled_from([0, 1, 2, 255, (1, 2), -1]),
                    "scale": st.sampled_from([1.0, 0.01]),
                    "offset": st.sampled_from([0.0, 0.5]), "logits": st.booleans(), "clip": st.booleans(),
                    "invert": st.booleans(), "nodata": st.sampled_from([0.0, 255.0, -9999.0, 1e300]),
                    "bidx": st.integers(1, 3),
                },
            )
        )  # fmt: skip
    is_byte = dtype == "uint8"
    return DrawnMask(
        shape=draw(st.sampled_from([(64, 64), (64, 64), (40, 700), (1, 1), (1, 90)])),
        dtype=dtype,
        seed=draw(st.integers(0, 2**16)),
        kind=kind,
        numbers=numbers,
        nodata=draw(st.sampled_from([None, None, None, 0, 255, 1, -9999])),
        scale=draw(st.sampled_from(SCALES)),
        offset=draw(st.sampled_from([0.0] * 12 + [0.9, -1.0, math.nan])),
        colours=draw(st.lists(st.sampled_from(COLOURS), min_size=1, max_size=4).map(tuple))
        if is_byte and not profile and draw(seldom) == 0
        else (),
        bands=draw(st.sampled_from(["one"] * 9 + ["alpha", "two", "rgb"])) if not profile else "one",
        profile=profile if is_byte or "nbits" not in profile else {},
        params=params,
    )


def values_of(drawn: DrawnMask) -> NDArray[Any]:
    """(height, width): a crossroads on ground, and a strip of a third value; or p; or noise."""
    rng = np.random.default_rng(drawn.seed)
    height, width = drawn.shape
    rows, cols = np.indices(drawn.shape)
    road = (abs(rows - height // 2) < 4) | (abs(cols - width // 3) < 4)
    if drawn.kind == "classes":
        one, other, strip = drawn.numbers
        values = np.where(road, one, other).astype(np.float64)
        values[:, -3:] = strip
    else:
        top, shift = drawn.numbers
        noise = rng.random(drawn.shape)
        p = noise if drawn.kind == "noise" else np.where(road, 1 - noise / 3, noise / 3)
        values = p * top + shift
    dtype = np.dtype(drawn.dtype)
    if dtype.kind in "ui":
        info = np.iinfo(dtype)
        values = np.nan_to_num(values).clip(info.min, float(info.max) * (1 - 1e-15))
    with np.errstate(over="ignore"):
        stored = values.astype(dtype)
    return stored & dtype.type(1) if "nbits" in drawn.profile else stored


def write(drawn: DrawnMask, path: Path) -> None:
    """Write the raster.

    Raises:
        RasterioError, ValueError, TypeError: GDAL cannot write such a file.
    """
    values = values_of(drawn)
    count = {"one": 1, "alpha": 2, "two": 2, "rgb": 3}[drawn.bands]
    profile = drawn.profile | ({"photometric": "rgb"} if drawn.bands == "rgb" else {})
    profile |= {"alpha": "yes"} if drawn.bands == "alpha" else {}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    with rasterio.open(
        path, "w", driver="GTiff", height=drawn.shape[0], width=drawn.shape[1], count=count,
        dtype=drawn.dtype, nodata=drawn.nodata, crs="EPSG:32632", transform=transform, **profile,
    ) as out:  # fmt: skip
        for number in range(1, count + 1):
            out.write(values, number)
        if drawn.bands == "alpha":
            out.write(valid_by_alpha(drawn).astype(drawn.dtype), 2)
            out.colorinterp = [ColorInterp.gray, ColorInterp.alpha]
        if drawn.colours:
            out.write_colormap(1, dict(enumerate(drawn.colours)))
        out.scales, out.offsets = (drawn.scale,) * count, (drawn.offset,) * count


def valid_by_alpha(drawn: DrawnMask) -> NDArray[np.bool_]:
    """Where the alpha band, if there is one, says so."""
    return np.asarray(np.indices(drawn.shape)[1] >= (5 if drawn.bands == "alpha" else 0))


def levels_promised(drawn: DrawnMask, path: Path) -> NDArray[np.uint8] | None:
    """What docs/masks.md promises of the raster as a whole, said plainly; None: it is refused."""
    with rasterio.open(path) as source:
        values, flags = source.read(1), source.read_masks(1) > 0
        is_white, palette = source.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES", None
        if source.colorinterp[0] == ColorInterp.palette:
            palette, is_white = source.colormap(1), False
    if drawn.bands in ("two", "rgb") or values.dtype.kind == "c":
        return None
    valid = flags & np.isfinite(values) & valid_by_alpha(drawn)
    found = set(values[valid].tolist())
    # Ground that a program calls nodata was seen.
    is_ground = (values == drawn.nodata) & (drawn.nodata == 0) & valid_by_alpha(drawn)
    if (
        drawn.dtype == "uint8"
        and drawn.scale == 1 / 254
        and drawn.offset == 0
        and not is_white
        and not palette
    ):
        return np.asarray(np.where(valid | is_ground, values, 255), np.uint8)
    if drawn.scale != 1 or drawn.offset != 0:
        if not (0 < drawn.scale < math.inf and math.isfinite(drawn.offset)) or is_white:
            return None
        p = values.astype(np.float64) * drawn.scale + drawn.offset
    elif not found:
        p = np.zeros(values.shape)
    elif palette:
        colour = {v: rgba[:3] if rgba[3] else (0, 0, 0) for v, rgba in palette.items()}
        bright = {colour.get(v) for v in found} - {(0, 0, 0)}
        if len(bright) > 1 or None in bright:
            return None
        p = np.vectorize(lambda v: float(colour[v] in (bright or {(255, 255, 255)})))(values)
    elif values.dtype.kind == "f" and all(-0.0019 < v < 1.0019 for v in found):
        if is_white:
            return None
        p = values.astype(np.float64)
    elif found <= {0, 1} and not is_white:
        p = (values == 1).astype(np.float64)
    elif found <= {0, 255} and (drawn.dtype == "uint8" or not is_white):
        p = ((values == 255) != is_white).astype(np.float64)
    else:
        return None
    if not all(-0.0019 < v < 1.0019 for v in p[valid].tolist()):
        return None
    valid |= is_ground & (p == 0)
    with np.errstate(invalid="ignore"):
        return np.where(valid, np.rint(np.clip(p, 0, 1) * 254), 255).astype(np.uint8)


def check_mask(drawn: DrawnMask, folder: Path) -> str:
    """Write the raster into an empty folder and vectorize it.

    Returns:
        "read", "refused", or "" where GDAL cannot write it.

    Raises:
        AssertionError: the layer is not as it must be, or something is left in the folder.
    """
    path, output = folder / "mask.tif", folder / "roads.geojson"
    try:
        write(drawn, path)
    except (rasterio.errors.RasterioError, ValueError, TypeError, OverflowError):
        path.unlink(missing_ok=True)
        return ""
    params = MaskParams(**drawn.params)
    promised = None if drawn.params else levels_promised(drawn, path)
    try:
        with mock.patch.object(raster_module, "SAMPLES", 1):  # so that work meets values that nobody saw
            done = georoads.vectorize(path, output, mask=params).summary
            assert promised is not None or drawn.params, "taken for a mask"
            assert len(read_roads(output).lines) == done.roads
            assert done.roads or done.messages, "silently nothing"
            if promised is not None:
                with ProbabilityRaster(path) as found:
                    levels = found.read(found.grid.window)
                assert (abs(levels.astype(int) - promised) <= 1).all()
                assert ((levels == 255) == (promised == 255)).all()
        return "read"
    except GeoroadsError as e:
        assert promised is None, e
        assert "mask.tif" in e.message and e.hint and not output.exists()
        return "refused"
    finally:
        left = {file.name for file in folder.iterdir()} - {"mask.tif", "roads.geojson"}
        for file in folder.iterdir():
            file.unlink()
        assert not left, left
