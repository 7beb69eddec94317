"""The probability raster: one band uint8 on the working grid, round(254 p), 255 = nodata."""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.calibration import TAG as CALIBRATION_TAG
from georoads.calibration import Calibration, parse_calibration
from georoads.errors import GeoroadsError, SceneError
from georoads.files.atomic import check_output
from georoads.grid import Window
from georoads.inference.mask_judgement import Band, Colour, choose_band, judge, refusal
from georoads.inference.mask_params import MaskParams
from georoads.inference.mask_values import Found, Meaning, is_one_of
from georoads.levels import NODATA
from georoads.scene.blocks import BlockMap, written_blocks
from georoads.scene.guard import find_raster, gdal_errors, usable_grid
from georoads.scene.read import CACHE_BYTES
from georoads.scene.sources import not_readable
from georoads.text import printable

BLOCK = 512
"""Side of the blocks of the file, pixels."""
SAMPLES = 64
"""What values mean is told from so many blocks."""
THRESHOLD_TAG = "GEOROADS_THRESHOLD"
"""Metadata: p from which a pixel is road."""
SUFFIXES = (".tif", ".tiff")
"""Of the files that are written."""


def check_raster_output(path: Path, *, overwrite: bool = False, inputs: Iterable[Path] = ()) -> None:
    """Refuse a probability raster that could not be written, before any work is done for it.

    Args:
        path: the output.
        overwrite: True when an existing file may be replaced.
        inputs: files that the output must not be.

    Raises:
        GeoroadsError: its suffix is that of another format; as ``check_output``.
    """
    if path.suffix.lower() not in SUFFIXES and not path.is_dir():
        raise GeoroadsError(
            f"{printable(path)} is no name of a GeoTIFF, which is what is written", "name it .tif or .tiff"
        )
    check_output(path, overwrite=overwrite, inputs=inputs)


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


@dataclass(frozen=True)
class _Reading:
    """How the band of a raster is read: found out once, and handed to workers.

    Attributes:
        number: of the band, from 1.
        band: what the file says of it.
        sample: values that were looked at; None: none had to be.
        meaning: what its values mean; None: they are levels, as ``raster_file`` writes them.
        nodata: value that means no data, besides what the file says.
        has_mask: the file says that some pixels are not valid (nodata, alpha, a mask).
        alpha: band number of an alpha band that this does not take in; 0: there is none.
        takes_nodata_for_ground: the file's nodata value is that of ground without road, and taken for it.
        is_as_is: what is stored is what is read.
    """

    number: int
    band: Band
    sample: Found | None = None
    meaning: Meaning | None = None
    nodata: float | None = None
    has_mask: bool = True
    alpha: int = 0
    takes_nodata_for_ground: bool = False
    is_as_is: bool = False


class ProbabilityRaster:
    """Any mask or probability raster, read as levels; ``mask_judgement`` tells what its values mean.

    Attributes:
        grid: of the raster.
        tags: its metadata by name.
    """

    def __init__(
        self, path: Path, params: MaskParams | None = None, *, known: _Reading | None = None
    ) -> None:
        """Open a raster, and find out what its values mean.

        Args:
            path: the file.
            params: what the user says of its values.
            known: how it is read, where that was found out before.
        """
        import rasterio

        self._path = path
        self._file = file = find_raster(path)
        self._lock = Lock()  # GDAL takes one thread at a time
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
            self._reading = known or self._find_out(params or MaskParams())
            self._closing = opened.pop_all()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by name; unpickled, it is opened again if the same file lies there."""
        return _reopen, (self._file.path.absolute(), tuple(self._file.stamps()), self._reading)

    @property
    def threshold(self) -> float:
        """p from which a pixel is road: what the raster's tag says, or 0.5."""
        stated = self._stated_threshold()
        return 0.5 if stated is None else stated

    @property
    def messages(self) -> tuple[str, ...]:
        """What the summary must say."""
        said = []
        if self._reading.takes_nodata_for_ground:
            said.append("0, its nodata value, is taken for ground without road")
        if THRESHOLD_TAG in self.tags and self._stated_threshold() is None:
            stated = self.tags[THRESHOLD_TAG][:40]
            said.append(f"its tag {THRESHOLD_TAG}={stated} is no number above 0 and up to 1: passed over")
        if CALIBRATION_TAG in self.tags and self._stated_calibration() is None:
            said.append(f"its tag {CALIBRATION_TAG} is no calibration: passed over")
        return tuple(said)

    @property
    def calibration(self) -> Calibration:
        """What p and widths mean: what the raster's tag says, or nothing but themselves."""
        return self._stated_calibration() or Calibration()

    def _stated_calibration(self) -> Calibration | None:
        try:
            return parse_calibration(self.tags.get(CALIBRATION_TAG, ""))
        except (ValueError, RecursionError):
            return None

    def _stated_threshold(self) -> float | None:
        try:
            stated = float(self.tags.get(THRESHOLD_TAG, ""))
        except ValueError:
            return None
        return stated if 0 < stated <= 1 else None

    def _find_out(self, params: MaskParams) -> _Reading:
        """How the band that holds the roads is to be read.

        Raises:
            GeoroadsError: nobody can know what its values mean.
        """
        from rasterio.enums import MaskFlags

        s = self._source
        colours = [colour.name for colour in s.colorinterp]
        number = choose_band(self._path, colours, params.bidx)
        band, flags, nodata = self._band(number), s.mask_flag_enums[number - 1], s.nodatavals[number - 1]
        has_value = flags == [MaskFlags.nodata]
        has_alpha = "alpha" in colours and MaskFlags.alpha not in flags and len(colours) > 1
        reading = _Reading(
            number, band, nodata=params.nodata,
            has_mask=flags != [MaskFlags.all_valid] and not (has_value and nodata in params.road_values),
            alpha=colours.index("alpha") + 1 if has_alpha and colours[number - 1] != "alpha" else 0,
        )  # fmt: skip
        if band.holds_levels and params == MaskParams(params.bidx):
            is_ground = has_value and nodata == 0
            is_as_is = has_value and nodata == NODATA and not reading.alpha
            return replace(
                reading, has_mask=not is_ground, takes_nodata_for_ground=is_ground, is_as_is=is_as_is
            )
        sample = None if params.road_values else self._sample(reading)
        meaning = judge(band, params, sample)
        if has_value and nodata == 0 and reading.has_mask and params.nodata != 0 and meaning.zero_is_ground:
            reading = replace(reading, has_mask=False, takes_nodata_for_ground=True)
        return replace(reading, sample=sample, meaning=meaning)

    def _band(self, number: int) -> Band:
        """What the file says of a band."""
        from rasterio.enums import ColorInterp

        s = self._source
        palette: tuple[Colour, ...] = ()
        if s.colorinterp[number - 1] == ColorInterp.palette:
            table = s.colormap(number)
            palette = tuple(table.get(i, (0, 0, 0, 255)) for i in range(max(table, default=-1) + 1))
        return Band(
            path=self._path,
            dtype=s.dtypes[number - 1],
            scale=float(s.scales[number - 1]),
            offset=float(s.offsets[number - 1]),
            palette=palette,
            white_is_zero=not palette and s.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES",
        )

    def _sample(self, reading: _Reading) -> Found:
        """Values of up to SAMPLES blocks, spread evenly; of more only while they are nothing but 0."""
        if np.dtype(reading.band.dtype).kind == "c":
            return Found(np.zeros(0), 0)  # they are refused, whatever they are
        held = self._find_held(reading)
        windows = [window for window in self.grid.blocks(BLOCK) if held is None or held.any(window)]
        if not windows:
            return Found(np.zeros(0), 0)
        # Multiples of the golden ratio spread evenly, along the rows of blocks and across them.
        shares = np.arange(SAMPLES) * ((math.sqrt(5) - 1) / 2) % 1.0
        chosen = np.unique((shares * len(windows)).astype(np.int64))
        parts = [self._sample_block(reading, windows[i]) for i in chosen]
        rest = iter(np.setdiff1d(np.arange(len(windows)), chosen))
        while not any(part.any() for part in parts) and (i := next(rest, None)) is not None:
            parts = [*parts[:1], self._sample_block(reading, windows[i])]
        return Found.of(parts)

    def _sample_block(self, reading: _Reading, window: Window) -> NDArray[Any]:
        """(N,) some thousand valid values of a block, the lowest and the highest among them."""
        values = self._stored(reading.number, window)
        values = values[self._valid(reading, values, window)]
        if not values.size:
            return values
        # An odd step does not fall on the same columns in each row.
        return np.concatenate([values[:: values.size // 4096 | 1], [values.min(), values.max()]])

    def _valid(self, reading: _Reading, values: NDArray[Any], window: Window) -> NDArray[np.bool_]:
        """Where stored values are valid."""
        valid = np.ones(values.shape, np.bool_)
        if reading.has_mask:
            valid = self._stored(reading.number, window, mask=True) > 0
        if reading.alpha:
            valid &= self._stored(reading.alpha, window) > 0
        if values.dtype.kind == "f":
            valid &= np.isfinite(values)
        if reading.nodata is not None:
            valid &= ~is_one_of(values, (reading.nodata,))
        return valid

    def _stored(self, number: int, window: Window, *, mask: bool = False) -> NDArray[Any]:
        try:
            read = self._source.read_masks if mask else self._source.read
            with self._lock:
                return np.asarray(read(number, window=_rasterio_window(window)))
        except gdal_errors() as e:
            raise not_readable(self._path, e) from e

    def _find_held(self, reading: _Reading) -> BlockMap | None:
        """The blocks that the file holds, where all others are nodata; None: others say something, too."""
        if not reading.has_mask:
            return None
        with self._lock:
            held = written_blocks(self._path, self._source, [reading.number], None)
        lacking = np.argwhere(~held.marked)
        if not len(lacking):
            return None
        # GDAL reads one value from all of them.
        block = held.block(*lacking[0].tolist())
        return None if self._valid(reading, self._stored(reading.number, block), block).any() else held

    @cached_property
    def _held(self) -> BlockMap | None:
        return self._find_held(self._reading)

    def holds(self, window: Window) -> bool:
        """False of a window inside the grid where certainly all is nodata: the file holds no block of it."""
        return self._held is None or self._held.any(window)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """(height, width) uint8 levels of a window inside the grid, 255 = nodata.

        Raises:
            SceneError: the file is damaged there.
            GeoroadsError: it holds a value there that was not expected.
        """
        reading = self._reading
        values = self._stored(reading.number, window)
        if reading.is_as_is:
            return values
        valid = self._valid(reading, values, window)
        levels = values if reading.meaning is None else reading.meaning.levels(values, valid)
        if levels is None:
            looked_at = [values[valid]] if reading.sample is None else [reading.sample.values, values[valid]]
            raise refusal(reading.band, Found.of(looked_at), reading.meaning)
        return np.where(valid, levels, np.uint8(NODATA))

    def __enter__(self) -> ProbabilityRaster:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()


def _reopen(path: Path, stamps: tuple[tuple[str, int, int], ...], known: _Reading) -> ProbabilityRaster:
    """Open a raster, whose reading is known, if it is the file with these stamps.

    Raises:
        SceneError: no file is there, or another one.
    """
    raster = ProbabilityRaster(path, known=known)
    if tuple(raster._file.stamps()) != stamps:
        raise SceneError(f"{path} is another file here", "nodes must share the folder of the output")
    return raster


def _rasterio_window(window: Window) -> Any:
    from rasterio.windows import Window as RasterioWindow

    return RasterioWindow(window.col, window.row, window.width, window.height)
