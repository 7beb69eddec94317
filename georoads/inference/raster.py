"""The probability raster: one band uint8 on the working grid, round(254 p), 255 = nodata."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError, SceneError
from georoads.grid import Grid, Window
from georoads.levels import FULL, NODATA, p_of
from georoads.scene.guard import find_raster, gdal_errors, usable_grid
from georoads.scene.read import CACHE_BYTES
from georoads.scene.sources import not_readable

BLOCK = 512
"""Side of the blocks of the file, pixels."""


def write_raster(
    path: Path, grid: Grid, blocks: Iterator[tuple[Window, NDArray[np.uint8]]], tags: Mapping[str, str]
) -> None:
    """Write a probability raster.

    Args:
        path: the file to write.
        grid: of the raster.
        blocks: windows of BLOCK x BLOCK pixels and their (height, width) uint8 levels, written as they come:
            reading order makes equal input give equal bytes. Blocks that are not given, or hold nothing but
            nodata, are not in the file; GDAL reads nodata there.
        tags: metadata by name.
    """
    import rasterio

    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "width": grid.width, "height": grid.height,
        "crs": grid.crs, "transform": grid.transform, "nodata": NODATA, "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "predictor": 2,
        "BIGTIFF": "IF_SAFER", "SPARSE_OK": True,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as out:
        out.scales = (p_of(1),)
        out.set_band_description(1, "road_probability")
        out.update_tags(**tags)
        for window, levels in blocks:
            out.write(levels, 1, window=_rasterio_window(window))


@dataclass(frozen=True)
class RasterOptions:
    """How a probability raster is written.

    Attributes:
        overwrite: replace a file that exists.
        cog: as a cloud-optimized GeoTIFF, with overviews.
    """

    overwrite: bool = False
    cog: bool = False


def with_overviews(path: Path, scratch: Path) -> None:
    """Rewrite a probability raster as a cloud-optimized GeoTIFF: the same pixels, with overviews that are
    means of the valid pixels, in the order in which programs ask for them over a network.

    Args:
        path: the raster, which is replaced.
        scratch: folder on the same file system; it holds the new file until it is complete.
    """
    import rasterio
    from rasterio.shutil import copy

    part = scratch / "cog.tif"
    part.unlink(missing_ok=True)
    with rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES):
        copy(
            path, part, driver="COG", compress="deflate", predictor="yes", blocksize=BLOCK,
            overview_resampling="average", bigtiff="if_safer", sparse_ok=True,
        )  # fmt: skip
    part.replace(path)


class ProbabilityRaster:
    """Any mask or probability raster of one band, read as levels.

    uint8 with scale 1/254 is taken as it is; other whole numbers with a scale are multiplied by it; bytes
    without a scale are 0/1 or 0/255 masks (told apart by the largest value of the file); floats are 0..1.
    Where 0 is nodata, it is taken for ground without road (see ``messages``).

    Attributes:
        grid: of the raster.
        tags: its metadata by name.
    """

    def __init__(self, path: Path) -> None:
        import rasterio
        from rasterio.enums import MaskFlags

        self._file = file = find_raster(path)
        with ExitStack() as opened:
            opened.enter_context(rasterio.Env(**file.options, GDAL_CACHEMAX=CACHE_BYTES))
            self._source = opened.enter_context(file.open())
            s = self._source
            if s.crs is None:
                raise GeoroadsError(
                    f"{path} has no CRS", "assign one, as in: gdal_translate -a_srs EPSG:32633 IN OUT"
                )
            self.grid = usable_grid(path, s.crs.to_wkt(), s.transform, s.width, s.height)
            self.tags: dict[str, str] = s.tags()
            self._ours = s.dtypes[0] == "uint8" and abs(s.scales[0] - p_of(1)) < 1e-9
            # In a mask, 0 is no road. Programs that write masks often call it nodata too, although the
            # ground was seen there.
            self._is_ground = s.nodata == 0 and s.mask_flag_enums[0] == [MaskFlags.nodata]
            self._as_is = self._ours and s.nodata == NODATA and s.mask_flag_enums[0] == [MaskFlags.nodata]
            self._path = path
            self._lock = Lock()  # GDAL takes one thread at a time
            self._factor = self._factor_to_level(path)
            self._closing = opened.pop_all()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by name; unpickled, it is opened again if the same file lies there."""
        return _reopen, (self._file.path.absolute(), tuple(self._file.stamps()))

    @property
    def messages(self) -> tuple[str, ...]:
        """What the summary must say."""
        return ("0, its nodata value, is taken for ground without road",) if self._is_ground else ()

    def _factor_to_level(self, path: Path) -> float:
        """What a stored value is multiplied by to be a level."""
        s = self._source
        if s.dtypes[0].startswith("float"):
            return float(FULL)
        if s.scales[0] != 1.0:
            return float(s.scales[0] * FULL)
        top = max((int(self._values(w)[0].max(initial=0)) for w in self.grid.blocks(1024)), default=0)
        if top <= 1:
            return float(FULL)
        if top <= 255:
            return FULL / 255
        raise GeoroadsError(f"{path} has values up to {top}", "give 0/1, 0/255, floats 0..1, or set a scale")

    def _values(self, window: Window) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Stored values, 0 where they are not valid, and where they are valid; both (height, width)."""
        values = self._stored(window)
        valid = np.ones(values.shape, bool) if self._is_ground else self._stored(window, mask=True) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        return np.where(valid, values, 0).astype(np.float64), valid

    def _stored(self, window: Window, *, mask: bool = False) -> NDArray[Any]:
        try:
            read = self._source.read_masks if mask else self._source.read
            with self._lock:
                return np.asarray(read(1, window=_rasterio_window(window)))
        except gdal_errors() as e:
            raise not_readable(self._path, e) from e

    def read(self, window: Window) -> NDArray[np.uint8]:
        """(height, width) uint8 levels of a window inside the grid, 255 = nodata.

        Raises:
            SceneError: the file is damaged there.
        """
        if self._as_is:
            return np.asarray(self._stored(window), dtype=np.uint8)
        values, valid = self._values(window)
        levels = values if self._ours else np.rint(np.clip(values * self._factor, 0, FULL))
        return np.where(valid, levels, NODATA).astype(np.uint8)

    def __enter__(self) -> ProbabilityRaster:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()


def _reopen(path: Path, stamps: tuple[tuple[str, int, int], ...]) -> ProbabilityRaster:
    """Open a raster if it is the file with these stamps.

    Raises:
        SceneError: no file is there, or another one.
    """
    raster = ProbabilityRaster(path)
    if tuple(raster._file.stamps()) != stamps:
        raise SceneError(f"{path} is another file here", "nodes must share the folder of the output")
    return raster


def _rasterio_window(window: Window) -> Any:
    from rasterio.windows import Window as RasterioWindow

    return RasterioWindow(window.col, window.row, window.width, window.height)
