"""A scene's own pixels: values and validity as stored, bytes by its stretch, blocks that cannot be read."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.scene.blocks import BlockMap, block_offset
from georoads.scene.guard import failures

if TYPE_CHECKING:
    from georoads.scene.scene import Scene

# The 2nd and 98th percentile of DeepGlobe's pictures lie near these levels (median over tiles); scenes of
# other kinds are stretched to them, since that is the brightness that the network has seen most.
LOW, HIGH = 30.0, 190.0

Pixels = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values (3, H, W) as stored, and validity (H, W)."""


def read_native(source: Any, scene: Scene, window: Window) -> Pixels:
    """Values (3, H, W) as stored and validity (H, W) of a window inside the raster.

    Blocks that the file does not hold, and those known to be bad, are invalid.

    Raises:
        SceneError: naming the block that cannot be read.
    """
    if scene.bad is not None and scene.bad.any(window):
        values, valid = _around_bad(source, scene, scene.bad, window)
    else:
        try:
            values, valid = _stored(source, scene, window)
        except failures() as e:
            raise _unreadable(source, scene, window, e) from e
    if not scene.written.all(window):
        valid &= scene.written.dense(window)
    return values, valid


def _stored(source: Any, scene: Scene, window: Window) -> Pixels:
    from rasterio.windows import Window as RasterioWindow

    area = RasterioWindow(window.col, window.row, window.width, window.height)
    values = source.read(list(scene.bands), window=area)
    valid = _stated_valid(source, scene, area)
    if scene.alpha:
        valid &= source.read(scene.alpha, window=area) > 0
    if scene.nodata is not None and not math.isnan(scene.nodata):
        with np.errstate(over="ignore"):  # 1e300 is infinite as float32, and so are no valid pixels
            valid &= ~(values == scene.nodata).all(axis=0)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return values, valid


def _stated_valid(source: Any, scene: Scene, area: Any) -> NDArray[np.bool_]:
    """(H, W) True where the file's own mask says so for any of the bands."""
    from rasterio.enums import MaskFlags
    from rasterio.errors import NodataShadowWarning

    flags = source.mask_flag_enums
    if all(MaskFlags.all_valid in flags[band - 1] for band in scene.bands):
        return np.ones((area.height, area.width), dtype=bool)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NodataShadowWarning)  # alpha is read besides
        masks = source.read_masks(list(dict.fromkeys(scene.bands)), window=area)
    return np.asarray(masks.any(axis=0))


def _around_bad(source: Any, scene: Scene, bad: BlockMap, window: Window) -> Pixels:
    """A window read block by block; what is bad is invalid."""
    values = np.zeros((3, window.height, window.width), dtype=scene.dtype)
    valid = np.zeros((window.height, window.width), dtype=bool)
    for block in bad.touched(window):
        if not bad.any(block):
            here = (slice(None), *block.relative_to(window).slices)
            values[here], valid[here[1:]] = _stored(source, scene, block)
    return values, valid


def _unreadable(source: Any, scene: Scene, window: Window, error: Exception) -> SceneError:
    row, col, reason = window.row, window.col, str(error)
    for block in scene.written.touched(window):
        failed = _failure(source, scene, block)
        if failed is not None:
            row, col, reason = block.row, block.col, failed
            break
    height, width = scene.written.shape
    offset = block_offset(source, row // height, col // width, scene.bands[0])
    byte = "" if offset is None else f" (byte {offset})"
    return SceneError(
        f"{scene.path} cannot be read at row {row}, column {col}{byte}: {reason}",
        "the file is damaged there: copy it again; or --set scene.skip_bad=true takes the block for nodata",
    )


def _failure(source: Any, scene: Scene, block: Window) -> str | None:
    """What GDAL says of a block that cannot be read."""
    try:
        _stored(source, scene, block)
    except failures() as e:
        return str(e.__cause__ or e)
    return None


def find_bad(source: Any, scene: Scene) -> BlockMap | None:
    """The blocks that cannot be read; None where there are none. All of the scene is decoded once."""
    at = np.zeros_like(scene.written.at)
    height, width = reading_unit(scene.written.shape, scene.grid)
    for row in range(0, scene.grid.height, height):
        for col in range(0, scene.grid.width, width):
            unit = Window(row, col, height, width).intersect(scene.grid.window)
            if not scene.written.any(unit) or _failure(source, scene, unit) is None:
                continue
            for block in scene.written.touched(unit):
                if _failure(source, scene, block) is not None:
                    at[block.row // scene.written.shape[0], block.col // scene.written.shape[1]] = True
    return BlockMap(scene.written.shape, at, scene.grid.window) if at.any() else None


def describe_bad(source: Any, scene: Scene, bad: BlockMap) -> str:
    """How many blocks are bad, and where the first of them are."""
    first = []
    for row, col in bad.places()[:5].tolist():
        block, offset = bad.block(row, col), block_offset(source, row, col, scene.bands[0])
        byte = "" if offset is None else f" (byte {offset})"
        first.append(f"row {block.row}, column {block.col}{byte}")
    count, more = int(bad.at.sum()), "; …" if len(bad.places()) > 5 else ""
    return f"{count} of {bad.at.size} blocks cannot be read and count as nodata: {'; '.join(first)}{more}"


def to_bytes(values: NDArray[Any], scene: Scene) -> NDArray[np.uint8]:
    """(3, H, W) values to uint8: by the palette, by the scene's stretch, or as they are."""
    if scene.palette:
        table = np.array(scene.palette, dtype=np.uint8)
        return np.ascontiguousarray(table[np.clip(values[0], 0, len(table) - 1)].transpose(2, 0, 1))
    if values.dtype == np.uint8 and not scene.stretch:
        return values
    if not scene.stretch:  # no pixel is valid
        return np.zeros(values.shape, dtype=np.uint8)
    is_narrow = values.dtype.itemsize <= 2 and max(abs(v) for pair in scene.stretch for v in pair) < 1e9
    kind: Any = np.float32 if is_narrow else np.float64
    low = np.array([s[0] for s in scene.stretch], dtype=kind)[:, None, None]
    high = np.array([s[1] for s in scene.stretch], dtype=kind)[:, None, None]
    # Differences of the largest numbers there are, and signalling NaNs, are no cause for a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        finite: NDArray[Any] = np.nan_to_num(values.astype(kind), posinf=0.0, neginf=0.0)
        scaled = np.clip((finite - low) / (high - low) * (HIGH - LOW) + LOW, 0, 255)
    return np.asarray(np.rint(np.nan_to_num(scaled)), dtype=np.uint8)


def reading_unit(block: tuple[int, int], grid: Grid) -> tuple[int, int]:
    """Rows and columns to decode at once, of a file with blocks of (rows, columns)."""
    height, width = block
    if width >= grid.width:
        rows = height * max(1, 128 // height)
        return (rows if rows <= 1024 else 512), grid.width
    if max(block) > 2048:  # then GDAL's cache keeps the rest of the block
        return 512, 512
    return height * max(1, 512 // height), width * max(1, 512 // width)
