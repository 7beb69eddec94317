"""A GeoTIFF on a server: the window of an area, of the overview that suits the model, by range requests."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.output.area import Area
from georoads.remote.address import Address
from georoads.remote.client import Answer, Client
from georoads.remote.lattice import MERCATOR
from georoads.remote.part import Tell, Told, Wanted
from georoads.remote.pieces import Pieces
from georoads.remote.ranges import PAGE, PagedFile, Pages, RemoteFile, opener_of, spans_of
from georoads.remote.together import asked_together
from georoads.scene.blocks import MAX_BLOCK_BYTES, REWRITE, block_offset
from georoads.scene.guard import LOCAL_OPTIONS, gdal_errors, usable_grid
from georoads.scene.quiet import without

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How GeoTIFFs begin."""
_DOWNLOAD = "download it, and use the file"
_BLOCK = 512
_NAME = "remote.tif"
_MOST_BLOCKS = 4_000_000
_MOST_PIXELS = 1e11


@dataclass(frozen=True, eq=False)
class CogPart:
    """A window of a GeoTIFF on a server.

    Attributes:
        about: what is said of it.
        file: on the server.
        overview: number of the overview, from 0; None: the full resolution.
        window: of its pixels.
        needed: pages that hold the window's blocks, in order.
        seen: pages that have come already.
        client: the door: what no index tells beforehand (masks) is fetched while the window is written.
    """

    about: Told
    file: RemoteFile
    overview: int | None
    window: Window
    needed: tuple[int, ...]
    seen: dict[int, bytes] = field(repr=False)
    client: Client = field(repr=False)

    @property
    def told(self) -> Told:
        """What is said of it."""
        return self.about

    def fetch(self, client: Client, pieces: Pieces, key: str, tell: Tell) -> None:
        """Bring the pages that have not come yet, neighbours at once.

        Args:
            client: the door.
            pieces: where they are kept.
            key: how their names begin.
            tell: told of each.

        Raises:
            SceneError: the server refuses; the file has changed.
        """
        pages = Pages(self.file, client, pieces, key)
        for page, content in self.seen.items():
            if not pages.has(page):
                pages.put(page, content)
        missing = [page for page in self.needed if not pages.has(page)]
        tell(len(self.needed) - len(missing))

        def ask(span: tuple[int, int]) -> list[bytes]:
            return self.file.fetch(client, *span)

        for (first, _), contents in asked_together(client, ask, spans_of(missing), pieces.note):
            for page, content in enumerate(contents, first):
                pages.put(page, content)
            tell(len(contents))

    def write(self, pieces: Pieces, key: str, target: Path) -> tuple[str, ...]:
        """Make a GeoTIFF of the window: the same values, bands, nodata and mask.

        Args:
            pieces: where the pages are kept.
            key: how their names begin.
            target: the file.

        Raises:
            SceneError: the file is damaged; the server refuses.
        """
        pages = Pages(self.file, self.client, pieces, key)
        with _opened(pages, self.overview) as source:
            _copy(source, self.window, target, self.about.tags)
        return ()


def plan_cog(address: Address, begin: Answer, wanted: Wanted, client: Client) -> CogPart:
    """The window of a GeoTIFF that an area needs, at the overview nearest in pixel size to the model.

    Args:
        address: of the file.
        begin: its first page.
        wanted: area, pixel size and limits; without an area, the whole is wanted.
        client: fetches its index.

    Raises:
        GeoroadsError: it cannot be read by ranges, has no place, or does not meet the area.
    """
    if begin.status != 206:
        raise SceneError(
            f"{address.shown}: the server does not send parts of files", "download it, and use the file"
        )
    file = RemoteFile(address, begin.total, begin.validator)
    pages = Pages(file, client)
    pages.put(0, begin.content[:PAGE])
    with _opened(pages, None) as source:
        own = _grid_of(address, source)
        factors = source.overviews(1)
    overview = _nearest_overview(own.gsd_m, factors, wanted.model_gsd_m)
    with _opened(pages, overview) as source:
        grid = _grid_of(address, source)
        window = _window_of(grid, wanted)
        needed = _pages_under(pages, source, window, overview)
    about = _told(file, wanted, grid.crop(window), needed, overview)
    identity = [overview, window.row, window.col, window.height, window.width]
    about = replace(about, identity=about.identity | {"window": identity})
    return CogPart(about, file, overview, window, needed, pages.seen, client)


def _told(
    file: RemoteFile, wanted: Wanted, part: Grid, needed: tuple[int, ...], overview: int | None
) -> Told:
    """What is said of a window of a file."""
    address = file.address
    level = "" if overview is None else f" at overview {overview + 1}"
    return Told(
        name=address.name if address.name.lower().endswith((".tif", ".tiff")) else f"{address.name}.tif",
        source=address.shown + level,
        kind="GeoTIFF",
        pieces=len(needed),
        unit=f"parts of {PAGE / 1e3:.0f} kB",
        size_mb=sum(min(PAGE, file.size - page * PAGE) for page in needed) / 1e6,
        width=part.width,
        height=part.height,
        gsd_m=part.gsd_m,
        hosts=(str(address.origin),),
        attribution=wanted.params.attribution,
        notes=() if overview is None else (f"read{level}: pixels of {part.gsd_m:.2f} m",),
        identity={"address": address.shown, "file": [file.size, file.validator]},
    )


@contextmanager
def _opened(pages: Pages, overview: int | None) -> Iterator[Any]:
    """The rasterio dataset over pages; what went wrong with a server is raised in its own words."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    file, shown = PagedFile(pages), pages.file.address.shown
    level = {} if overview is None else {"overview_level": overview}
    try:
        with (
            rasterio.Env(**LOCAL_OPTIONS),
            without(NotGeoreferencedWarning),
            rasterio.open(_NAME, driver="GTiff", opener=opener_of(file, _NAME), **level) as source,
        ):
            yield source
    except gdal_errors() as e:
        raise file.error or SceneError(
            f"{shown} is damaged, or no GeoTIFF: {str(e)[:200]}", "check the file"
        ) from e
    if file.error is not None:
        raise file.error


def _grid_of(address: Address, source: Any) -> Grid:
    if source.width * source.height > _MOST_PIXELS:
        raise SceneError(
            f"{address.shown} has {source.width} x {source.height} pixels", "cut it, and serve parts"
        )
    if source.crs is None or source.transform.is_identity:
        raise SceneError(
            f"{address.shown} lies nowhere: it has no CRS or transform", "download it, and place it"
        )
    return usable_grid(Path(address.name), source.crs.to_wkt(), source.transform, source.width, source.height)


def _nearest_overview(own_m: float, factors: list[int], model_gsd_m: float) -> int | None:
    """The number of the overview whose pixels are nearest in size to the model's, as a ratio."""
    # A damaged overview may have no size.
    sizes = [own_m, *(own_m * factor if factor > 1 else math.inf for factor in factors)]
    best = min(range(len(sizes)), key=lambda n: abs(math.log(sizes[n] / model_gsd_m)))
    return best - 1 if best else None


def _window_of(grid: Grid, wanted: Wanted) -> Window:
    if wanted.polygon is None:
        return grid.window
    return Area(wanted.polygon, MERCATOR, "of interest").window_on(grid)


def _pages_under(pages: Pages, source: Any, window: Window, overview: int | None) -> tuple[int, ...]:
    """The pages that hold the blocks of a window, by the file's index."""
    height, width = source.block_shapes[0]
    rows = range(window.row // height, -(-(window.row + window.height) // height))
    cols = range(window.col // width, -(-(window.col + window.width) // width))
    by_pixel = source.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL"
    bands = [1] if by_pixel else list(range(1, source.count + 1))
    pixel_bytes = sum(np.dtype(kind).itemsize for kind in source.dtypes)
    if height * width * pixel_bytes > MAX_BLOCK_BYTES:
        raise SceneError(f"{pages.file.address.shown} has blocks that are too large to be decoded", REWRITE)
    if len(rows) * len(cols) * len(bands) > _MOST_BLOCKS:
        raise SceneError(f"{pages.file.address.shown} has too many blocks in the area", "a smaller --aoi")
    needed: set[int] = set()
    for band in bands:
        for row in rows:
            for col in cols:
                start = block_offset(source, row, col, band)
                length = int(source.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=band) or 0)
                if start and length:
                    needed.update(range(start // PAGE, (start + length - 1) // PAGE + 1))
    if needed and max(needed) >= pages.file.pages:
        raise SceneError(
            f"{pages.file.address.shown} was cut off: a block lies beyond its end", "check the file"
        )
    return tuple(sorted(needed))


def _copy(source: Any, window: Window, target: Path, tags: dict[str, str]) -> None:
    """A window of an opened raster as a GeoTIFF; blocks without data take no room."""
    import rasterio
    from rasterio.enums import ColorInterp, MaskFlags
    from rasterio.windows import Window as RasterioWindow

    flags = source.mask_flag_enums[0]
    has_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    is_rgb = source.colorinterp[:3] == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    corner = source.transform @ source.transform.translation(window.col, window.row)
    profile = {
        "driver": "GTiff", "width": window.width, "height": window.height, "count": source.count,
        "dtype": source.dtypes[0], "crs": source.crs, "transform": corner, "nodata": source.nodata,
        "tiled": True, "blockxsize": _BLOCK, "blockysize": _BLOCK, "compress": "deflate", "zlevel": 4,
        "interleave": "pixel", "bigtiff": "if_safer", "sparse_ok": True,
        **({"photometric": "rgb"} if is_rgb else {}),
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(target, "w", **profile) as out:
        out.colorinterp = source.colorinterp
        out.update_tags(**tags)
        if source.colorinterp[0] == ColorInterp.palette:
            out.write_colormap(1, source.colormap(1))
        for part in Grid(MERCATOR, corner, window.width, window.height).blocks(_BLOCK):
            if not _holds(source, window.row + part.row, window.col + part.col, part):
                continue
            there = RasterioWindow(window.col + part.col, window.row + part.row, part.width, part.height)
            here = RasterioWindow(part.col, part.row, part.width, part.height)
            values = source.read(window=there)
            valid = source.dataset_mask(window=there) if has_mask else None
            is_empty = source.nodata is not None and (values == source.nodata).all()
            if is_empty or (valid is not None and not valid.any()):
                continue
            out.write(values, window=here)
            if valid is not None:
                out.write_mask(valid, window=here)


def _holds(source: Any, row: int, col: int, part: Window) -> bool:
    """Whether the file holds a block of a part, whose upper left pixel is told; of any of the bands."""
    height, width = source.block_shapes[0]
    rows = range(row // height, -(-(row + part.height) // height))
    cols = range(col // width, -(-(col + part.width) // width))
    bands = range(1, source.count + 1)
    return any(block_offset(source, r, c, band) is not None for r in rows for c in cols for band in bands)


def is_geotiff(answer: Answer) -> bool:
    """Whether what came begins as a GeoTIFF does."""
    return answer.content.startswith(TIFF)
