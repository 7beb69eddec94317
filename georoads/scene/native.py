"""A scene's own pixels: values and validity as stored, bytes by its stretch, blocks that cannot be read."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.scene.blocks import BlockMap, block_offset
from georoads.scene.guard import gdal_errors
from georoads.scene.quiet import without
from georoads.scene.scene import Scene

# The 2nd and 98th percentile of DeepGlobe's pictures lie near these levels (median over tiles); scenes of
# other kinds are stretched to them, since that is the brightness that the network has seen most.
LOW, HIGH = 30.0, 190.0

Pixels = tuple[NDArray[Any], NDArray[np.bool_]]
"""Values (3, H, W) as stored, and validity (H, W)."""


def read_native(source: Any, scene: Scene, window: Window) -> Pixels:
    """Values (3, H, W) as stored and validity (H, W) of a window inside the raster.

    Blocks that the file does not hold, and those known to be bad, are invalid.

    Args:
        source: the opened rasterio dataset of the scene.
        scene: what was found out about it.
        window: in pixels of the raster.

    Raises:
        SceneError: naming the block that cannot be read.
    """
    if scene.bad is not None and scene.bad.any(window):
        values, valid = _read_around_bad(source, scene, scene.bad, window)
    else:
        try:
            values, valid = _read_stored(source, scene, window)
        except gdal_errors() as e:
            raise _explain_failure(source, scene, window, e) from e
    if not scene.written.all(window):
        valid &= scene.written.per_pixel(window)
    return values, valid


def _read_stored(source: Any, scene: Scene, window: Window) -> Pixels:
    """Values and validity as the file gives them, whatever GDAL raises."""
    from rasterio.windows import Window as RasterioWindow

    area = RasterioWindow(window.col, window.row, window.width, window.height)
    values = source.read(list(scene.bands), window=area)
    # A pixel is valid where the mask, the alpha band, the nodata value and the numbers all say so.
    valid = _read_mask(source, scene, area)
    if scene.alpha:
        valid &= source.read(scene.alpha, window=area) > 0
    return values, valid & states_values(values, scene)


def states_values(values: NDArray[Any], scene: Scene) -> NDArray[np.bool_]:
    """(H, W) True where values (3, H, W) as stored are those of ground.

    They are numbers or opaque colours, none of them is a fill value, and not all are the nodata value.
    """
    stated = np.ones(values.shape[1:], dtype=bool)
    if scene.nodata is not None and not math.isnan(scene.nodata):
        with np.errstate(over="ignore"):  # 1e300 is infinite as float32, as no valid pixel is
            stated &= ~(values == scene.nodata).all(axis=0)
    for fill in scene.fills:
        stated &= ~(values == fill).any(axis=0)
    if scene.palette:
        stated &= _palette_of(scene)[np.clip(values[0], 0, len(scene.palette) - 1), 3] > 0
    if values.dtype.kind == "f":
        stated &= np.isfinite(values).all(axis=0)
    return stated


def _read_mask(source: Any, scene: Scene, area: Any) -> NDArray[np.bool_]:
    """(H, W) True where the file's own mask says so for any of the bands; an alpha not asked is none."""
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.errors import NodataShadowWarning

    flags = source.mask_flag_enums
    if not scene.alpha and any(MaskFlags.alpha in flags[band - 1] for band in scene.bands):
        return np.ones((area.height, area.width), dtype=bool)
    if all(MaskFlags.all_valid in flags[band - 1] for band in scene.bands):
        return np.ones((area.height, area.width), dtype=bool)
    bands = list(dict.fromkeys(scene.bands))
    if all(value is None for value in source.nodatavals) or ColorInterp.alpha not in source.colorinterp:
        masks = source.read_masks(bands, window=area)
    else:
        with without(NodataShadowWarning):  # alpha is read besides
            masks = source.read_masks(bands, window=area)
    return np.asarray(masks.any(axis=0))


def _read_around_bad(source: Any, scene: Scene, bad: BlockMap, window: Window) -> Pixels:
    """A window read block by block; what is bad is invalid."""
    values = np.zeros((3, window.height, window.width), dtype=scene.dtype)
    valid = np.zeros((window.height, window.width), dtype=bool)
    for block in bad.split(window):
        if not bad.any(block):
            here = (slice(None), *block.relative_to(window).slices)
            values[here], valid[here[1:]] = _read_stored(source, scene, block)
    return values, valid


def _explain_failure(source: Any, scene: Scene, window: Window, error: Exception) -> SceneError:
    """The refusal of a window that cannot be read: names the first block in it that cannot."""
    row, col, reason = window.row, window.col, str(error)
    for block in scene.written.split(window):
        failed = _find_failure(source, scene, block)
        if failed is not None:
            row, col, reason = block.row, block.col, failed
            break
    height, width = scene.written.block_shape
    offset = block_offset(source, row // height, col // width, scene.bands[0])
    byte = "" if offset is None else f" (byte {offset})"
    return SceneError(
        f"{scene.path} cannot be read at row {row}, column {col}{byte}: {reason}",
        "the file is damaged there: copy it again; or --set scene.skip_bad=true takes the block for nodata",
    )


def _find_failure(source: Any, scene: Scene, block: Window) -> str | None:
    """What GDAL says of a block that cannot be read; None where it can."""
    try:
        _read_stored(source, scene, block)
    except gdal_errors() as e:
        return str(e.__cause__ or e)
    return None


def find_bad(source: Any, scene: Scene) -> BlockMap | None:
    """The blocks that cannot be read, found by decoding all of the scene; None where there are none."""
    marked = np.zeros_like(scene.written.marked)
    block_height, block_width = scene.written.block_shape
    height, width = reading_unit(scene.written.block_shape, scene.grid)
    for row in range(0, scene.grid.height, height):
        for col in range(0, scene.grid.width, width):
            unit = Window(row, col, height, width).intersect(scene.grid.window)
            if not scene.written.any(unit) or _find_failure(source, scene, unit) is None:
                continue
            # Something in the unit cannot be read: ask block by block what it is.
            for block in scene.written.split(unit):
                if _find_failure(source, scene, block) is not None:
                    marked[block.row // block_height, block.col // block_width] = True
    return BlockMap(scene.written.block_shape, marked, scene.grid.window) if marked.any() else None


def describe_bad(source: Any, scene: Scene, bad: BlockMap) -> str:
    """How many blocks cannot be read, and where the first five of them are.

    Args:
        source: the opened rasterio dataset of the scene.
        scene: what was found out about it.
        bad: the blocks that cannot be read.
    """
    first = []
    for row, col in bad.positions()[:5].tolist():
        block, offset = bad.block(row, col), block_offset(source, row, col, scene.bands[0])
        byte = "" if offset is None else f" (byte {offset})"
        first.append(f"row {block.row}, column {block.col}{byte}")
    count, more = int(bad.marked.sum()), "; …" if len(bad.positions()) > 5 else ""
    return f"{count} of {bad.marked.size} blocks cannot be read and count as nodata: {'; '.join(first)}{more}"


def to_bytes(values: NDArray[Any], scene: Scene) -> NDArray[np.uint8]:
    """(3, H, W) values to uint8: by the palette, by the scene's stretch, or as they are."""
    if scene.palette:
        # An index beyond the palette takes its last colour.
        table = _palette_of(scene)[:, :3]
        return np.ascontiguousarray(table[np.clip(values[0], 0, len(table) - 1)].transpose(2, 0, 1))
    if values.dtype == np.uint8 and not scene.stretch:
        return values
    if not scene.stretch:  # no pixel is valid
        return np.zeros(values.shape, dtype=np.uint8)
    # float32 holds 16 bits and their differences exactly; larger values and stretches need float64.
    is_narrow = values.dtype.itemsize <= 2 and max(abs(v) for pair in scene.stretch for v in pair) < 1e9
    kind: Any = np.float32 if is_narrow else np.float64
    low = np.array([s[0] for s in scene.stretch], dtype=kind)[:, None, None]
    high = np.array([s[1] for s in scene.stretch], dtype=kind)[:, None, None]
    # What is no finite number, as invalid pixels may be, counts as 0; then low..high becomes LOW..HIGH.
    # Differences of the largest numbers there are, and signalling NaNs, are no cause for a warning.
    with np.errstate(over="ignore", invalid="ignore"):
        finite: NDArray[Any] = np.nan_to_num(values.astype(kind), posinf=0.0, neginf=0.0)
        scaled = np.clip((finite - low) / (high - low) * (HIGH - LOW) + LOW, 0, 255)
    return np.asarray(np.rint(np.nan_to_num(scaled)), dtype=np.uint8)


def _palette_of(scene: Scene) -> NDArray[np.uint8]:
    """(N, 4) colours and opacities of a scene's palette."""
    return np.array(scene.palette, dtype=np.uint8)


def reading_unit(block: tuple[int, int], grid: Grid) -> tuple[int, int]:
    """Rows and columns of pixels to decode at once.

    Args:
        block: (height, width) of the file's blocks, pixels.
        grid: of the scene.
    """
    height, width = block
    if width >= grid.width:  # strips: bands as wide as the scene, of about 128 rows
        rows = height * max(1, 128 // height)
        return (rows if rows <= 1024 else 512), grid.width
    if max(block) > 2048:  # then GDAL's cache keeps the rest of the block
        return 512, 512
    # Small tiles: as many as fit into 512 x 512 pixels.
    return height * max(1, 512 // height), width * max(1, 512 // width)
