"""Scenes drawn at random, and what must hold of each: a layer that can be read back, or a GeoroadsError.

Run by test_fuzzed_scenes.py, and at length by benchmarks/fuzz.py.
"""

from __future__ import annotations

import math
import shutil
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import rasterio
import shapely
from affine import Affine
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window as Area
from stub import LocalRuntime

import georoads
from georoads.crs import parse_crs
from georoads.errors import GeoroadsError
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.model.config import ModelConfig
from georoads.network.params import VectorizeParams
from georoads.output.read import read_roads
from georoads.scene.scene import SceneParams

TILE, OVERLAP = 128, 32
LINES = VectorizeParams(threshold=0.7)
PLACES: dict[str | None, tuple[float, float, float]] = {  # x, y, and units of the CRS per metre
    "EPSG:32647": (500_000, 1_500_000, 1), "EPSG:2056": (2_679_212, 1_247_810, 1),
    "EPSG:2263": (980_000, 200_000, 3.2808), "EPSG:3857": (1_000_000, 8_000_000, 2),
    "EPSG:4326": (18.9, 69.65, 1 / 111_320), "EPSG:4267": (-90, 0, 1 / 111_320),
    "OGC:CRS84": (179.9999, 10, 1 / 111_320), "EPSG:3413": (-500, 300, 1),
    "EPSG:32761": (2_000_000, 2_000_000, 1), "EPSG:4978": (0, 0, 1), "ESRI:102039": (0, 1_000_000, 1),
    "EPSG:32647+5773": (500_000, 1e6, 1), 'LOCAL_CS["here",UNIT["metre",1]]': (0, 0, 1),
    'LOCAL_CS["here",UNIT["foot",0.3048]]': (0, 0, 3.2808), None: (0, 0, 1),
}  # fmt: skip
DTYPES = (
    "uint8",
    "uint8",
    "uint8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "float32",
    "float64",
    "int8",
    "complex64",
)
LAYOUTS: tuple[dict[str, Any], ...] = (
    {}, {"blockysize": 1}, {"blockysize": 700}, {"tiled": True, "blockxsize": 16, "blockysize": 16},
    {"tiled": True, "blockxsize": 128, "blockysize": 64},
    {"tiled": True, "blockxsize": 512, "blockysize": 512},
)  # fmt: skip


@dataclass(frozen=True)
class DrawnScene:
    """A scene to be written, what is done to its file, and how it is to be read."""

    shape: tuple[int, int, int]
    dtype: str
    seed: int
    crs: str | None
    transform: Affine
    profile: dict[str, Any]
    extra: str  # "mask", "alpha", "palette", "sparse", "nan", "empty" or ""
    damage: tuple[str, float] | None
    params: dict[str, Any] = field(default_factory=dict)


@st.composite
def transforms(draw: st.DrawFn, place: tuple[float, float, float], step: float) -> Affine:
    """North-up mostly; or turned, sheared, south-up; seldom of no use."""
    x, y, unit = place
    kind = draw(st.sampled_from(["north", "north", "turned", "sheared", "south", "east", "wild", "none"]))
    if kind == "none":
        return Affine.identity()
    a = Affine.translation(x, y) @ Affine.scale(step * unit, -step * unit)
    if kind == "turned":
        return a @ Affine.rotation(draw(st.floats(-180, 180)))
    if kind == "sheared":
        return a @ Affine.shear(draw(st.floats(-60, 60)), draw(st.floats(-20, 20)))
    if kind in ("south", "east"):
        return a @ (Affine.scale(1, -1) if kind == "south" else Affine.scale(-1, 1))
    if kind == "wild":
        number = st.floats(-1e12, 1e12) | st.sampled_from([0.0, 1e-300, 1e300, math.nan, math.inf])
        return Affine(*(draw(number) for _ in range(6)))
    return a


@st.composite
def drawn_scenes(draw: st.DrawFn) -> DrawnScene:
    """Any scene that GDAL can write as a GeoTIFF, and some that nobody can read."""
    step = draw(st.sampled_from([0.5, 0.5, 0.5, 0.45, 0.3, 0.1, 0.7, 1.5, 3.0]))
    most = draw(st.sampled_from([200, 200, 200, 700])) if step <= 0.5 else 100
    size = st.integers(1, most) | st.sampled_from([1, 2, 127, 128, 129])
    shape = draw(st.integers(1, 5)), draw(size), draw(size)
    dtype = draw(st.sampled_from(DTYPES))
    crs = draw(st.sampled_from(["EPSG:32647", *PLACES]))
    profile = dict(draw(st.sampled_from(LAYOUTS)))
    lossy = ["jpeg", "webp"] if dtype == "uint8" and shape[0] in (1, 3, 4) else []
    profile["compress"] = draw(st.sampled_from(["none", "deflate", "lzw", "packbits", "zstd", *lossy]))
    profile["interleave"] = draw(st.sampled_from(["pixel", "pixel", "band"]))
    kinds = [math.nan, math.inf, 1e30, -9999] if dtype.startswith("float") else []
    nodata = st.sampled_from([None, None, 0, 1, 80, *([255] if dtype != "int8" else []), *kinds])
    extra = draw(
        st.sampled_from(["", "", "", "mask", "alpha", "palette", "sparse", "sparse", "nan", "empty"])
    )
    damage = st.tuples(st.sampled_from(["cut", "flip", "zero", "header"]), st.floats(0, 1))
    params: dict[str, Any] = {}
    few = st.integers(0, 5)
    if draw(few) == 0:
        params["bidx"] = tuple(draw(st.lists(st.integers(0, 6), max_size=4)))
    if draw(few) == 0:
        params["gsd"] = draw(st.sampled_from(["native", 0.5, 0.4, 0.25, 1e-9, 1e9]))
    if draw(few) == 0:
        params["rescale"] = draw(st.sampled_from([(0.0, 100.0), (-1e300, 1e300), (0.5, 0.6)]))
    if draw(few) == 0:
        params["assume_crs"] = draw(st.sampled_from(["local", "EPSG:32647", "EPSG:4326", "EPSG:0", "x"]))
    if draw(few) == 0:
        params["nodata"] = draw(st.sampled_from([0.0, 80.0, -1.0, 1e300, math.nan]))
    if draw(few) == 0:
        x, y, unit = PLACES[crs]
        w, n = draw(st.floats(-100, 400)) * unit, draw(st.floats(-400, 100)) * unit
        span = draw(st.floats(0.01, 300)) * unit
        params["bounds"] = (x + w, y + n - span, x + w + span, y + n)
    params["skip_bad"] = draw(st.booleans())
    return DrawnScene(
        shape=shape,
        dtype=dtype,
        seed=draw(st.integers(0, 2**16)),
        crs=crs,
        transform=draw(transforms(PLACES[crs], step)),
        profile=profile | {"nodata": draw(nodata)},
        extra=extra,
        damage=draw(st.none() | st.none() | damage),
        params=params,
    )


def values_of(scene: DrawnScene) -> np.ndarray:
    """Noise with two roads across it; some of it not valid."""
    rng = np.random.default_rng(scene.seed)
    _, height, width = scene.shape
    values = 80 + 3 * rng.standard_normal(scene.shape)
    row, col = int(rng.integers(height)), int(rng.integers(width))
    values[:, row : row + 4] = values[:, :, col : col + 4] = 140
    dtype = np.dtype(scene.dtype)
    if dtype.kind in "ui" and dtype.itemsize > 1:
        values *= 10 ** rng.integers(0, 3)
    if dtype.kind == "f":
        values *= 10.0 ** rng.integers(-3, 4)
    if scene.extra == "nan" and dtype.kind == "f":
        values[:, : height // 2 + 1, : width // 3 + 1] = rng.choice([np.nan, np.inf, -np.inf, 3e38])
    if scene.profile["nodata"] in (0, 1, 80, 255):
        values[:, height // 3 : height // 2] = scene.profile["nodata"]
    low, high = (np.iinfo(dtype).min, np.iinfo(dtype).max) if dtype.kind in "ui" else (-3e38, 3e38)
    return np.clip(values, low, high).astype(dtype)


def write(scene: DrawnScene, path: Path) -> None:
    """Write the scene, and damage the file.

    Raises:
        RasterioError, ValueError, TypeError: GDAL cannot write such a file.
    """
    values = values_of(scene)
    count, height, width = scene.shape
    profile = {k: v for k, v in scene.profile.items() if v is not None}
    if scene.extra == "sparse":
        profile["SPARSE_OK"] = True
    with warnings.catch_warnings(), rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=count, dtype=scene.dtype,
            crs=scene.crs, transform=scene.transform, **profile,
        ) as out:  # fmt: skip
            _fill(scene, out, values)
    if scene.damage:
        _damage(path, *scene.damage)


def _fill(scene: DrawnScene, out: Any, values: np.ndarray) -> None:
    count, height, width = scene.shape
    if scene.extra == "sparse":
        rows, cols = max(1, height // 3), max(1, width // 2)
        out.write(values[:, :rows, :cols], window=Area(0, 0, cols, rows))
        return
    if scene.extra == "alpha" and count in (2, 4):
        out.colorinterp = [*[ColorInterp.gray, *[ColorInterp.undefined] * 3][: count - 1], ColorInterp.alpha]
        values[-1, :, : width // 2] = 0
    if scene.extra == "palette" and count == 1 and scene.dtype == "uint8":
        out.write_colormap(1, {i: (i, 255 - i, i // 2, 255) for i in range(200)})
    if scene.extra != "empty":
        out.write(values)
    if scene.extra == "mask":
        out.write_mask(np.indices((height, width)).sum(axis=0) % 97 > 5)


def _damage(path: Path, kind: str, where: float) -> None:
    content = bytearray(path.read_bytes())
    at = min(len(content) - 1, int(where * len(content)))
    if kind == "cut":
        del content[at:]
    elif kind == "header":
        content[8 + at % 400 : 12 + at % 400] = b"\xff\x7f\x01\x80"
    else:
        content[at : at + 40] = (
            bytes(c ^ 0xA5 for c in content[at : at + 40]) if kind == "flip" else bytes(40)
        )
    path.write_bytes(content)


def check_scene(scene: DrawnScene, folder: Path) -> str:
    """Write the scene into an empty folder and extract it.

    Returns:
        "read", "refused", or "" where GDAL cannot write it.

    Raises:
        AssertionError: the layer is not as it must be, or something is left in the folder.
    """
    path, output = folder / "scene.tif", folder / "roads.gpkg"
    try:
        write(scene, path)
    except (rasterio.errors.RasterioError, ValueError, TypeError, OverflowError, SystemError):
        path.unlink(missing_ok=True)
        return ""
    try:
        params = SceneParams(**scene.params)
    except ValueError:  # the command line says so, and ends
        params = SceneParams()
    card = ModelCard(
        "stub", ModelConfig(), mean=(0.5,) * 3, std=(0.25,) * 3, gsd_m=0.5, tile_px=TILE, overlap_px=OVERLAP,
        threshold=0.5,
    )  # fmt: skip
    model = folder / "stub.json"
    model.write_text("{}")
    before = {scene.name for scene in folder.iterdir()}
    try:
        with mock.patch("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime(batch=2)):
            done = georoads.extract(path, output, Checkpoint(card, model), scene=params, network=LINES)
        _check_layer(scene, output, done.summary.roads)
        return "read"
    except GeoroadsError as e:
        assert not output.exists()
        assert "scene.tif" in e.message
        before.add("roads.gpkg.work")  # finished tiles, for --resume
        return "refused"
    finally:
        left = {file.name for file in folder.iterdir()} - before - {"roads.gpkg"}
        shutil.rmtree(folder / "roads.gpkg.work", ignore_errors=True)
        for file in folder.iterdir():
            file.unlink()
        assert not left, left


def _check_layer(scene: DrawnScene, output: Path, count: int) -> None:
    roads = read_roads(output)
    assert len(roads.lines) == count
    if not count or scene.damage or scene.crs is None or scene.transform == Affine.identity():
        return
    if parse_crs(roads.crs).equals(parse_crs(scene.crs), ignore_axis_order=True):
        xy = shapely.get_coordinates(roads.lines)
        px = np.stack((~scene.transform) @ (xy[:, 0], xy[:, 1]))
        limit = np.array([[scene.shape[2]], [scene.shape[1]]])
        assert (px > -0.01 * limit - 2).all() and (px < 1.01 * limit + 2).all()
