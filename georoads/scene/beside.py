"""Files beside a raster that say where it lies and what of it is valid: .aux.xml, world files, .prj, .msk.

GDAL is kept from looking for them, since what it would find it would follow. They are read here instead, for
place, nodata and mask alone, and stand above or below what the raster says itself as they do in GDAL: an
.aux.xml above, a world file and a .prj below.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.crs import parse_crs
from georoads.errors import SceneError
from georoads.scene.quiet import without
from georoads.scene.sources import driver_of, first_bytes, not_readable, read_xml

if TYPE_CHECKING:
    from rasterio.crs import CRS

_MAX_TEXT_BYTES = 2**16
_MAX_XML_BYTES = 2**25
_COLOURS = {"ColorInterp": "colours", "ColorTable": "a palette"}
_FOLD_HINT = "gdal_translate IN OUT folds it in"


@dataclass(frozen=True)
class Place:
    """Where a raster lies, as far as a file beside it says so.

    Attributes:
        crs: WKT, or None.
        transform: pixel coordinates (col, row) to CRS coordinates (x, y), or None.
    """

    crs: str | None = None
    transform: Affine | None = None


@dataclass(frozen=True)
class FilesBeside:
    """What the files beside a raster say of it.

    Attributes:
        above: the place that goes before the raster's own.
        below: the place that the raster's own goes before.
        nodata: (band from 1, value) that means no data.
        mask: a raster of the same size that is 0 where a pixel is not valid, or None.
        mask_driver: GDAL's driver that reads it.
        files: those that were read, and say something.
        messages: what is left out.
    """

    above: Place = field(default_factory=Place)
    below: Place = field(default_factory=Place)
    nodata: tuple[tuple[int, float], ...] = ()
    mask: Path | None = None
    mask_driver: str = ""
    files: tuple[Path, ...] = ()
    messages: tuple[str, ...] = ()


def find_beside(raster: Path) -> FilesBeside | None:
    """The files beside a raster under its own name; None where none of them says anything.

    Raises:
        SceneError: a mask is no raster, or a world file or .prj cannot be read.
    """
    said: list[str] = []
    aux, mask = _named(raster, ".aux.xml"), _named(raster, ".msk")
    above, nodata = _read_aux(aux, said) if aux else (Place(), ())
    world = next((found for suffix in _world_suffixes(raster) if (found := _replaced(raster, suffix))), None)
    prj = _replaced(raster, ".prj")
    below = Place(_read_prj(prj) if prj else None, _read_world(world) if world else None)
    used = (aux if above != Place() or nodata else None, world, prj, mask)
    files = tuple(file for file in used if file is not None)
    if not files and not said:
        return None
    driver = driver_of(mask, first_bytes(mask)) if mask else ""
    return FilesBeside(above, below, nodata, mask, driver, files, tuple(said))


def _is_there(file: Path) -> bool:
    try:
        return file.is_file()
    except (OSError, ValueError):  # a name that is too long, or a ring of links
        return False


def _named(raster: Path, suffix: str) -> Path | None:
    """The file of a raster's whole name and a suffix, if it is there."""
    file = raster.with_name(raster.name + suffix)
    return file if _is_there(file) else None


def _replaced(raster: Path, suffix: str) -> Path | None:
    """The file of a raster's name with another suffix, in small letters or capitals, if it is there."""
    names = (raster.with_suffix(suffix), raster.with_suffix(suffix.upper()))
    return next((file for file in names if file != raster and _is_there(file)), None)


def _world_suffixes(raster: Path) -> list[str]:
    """Suffixes of world files: of .jpeg they are .jgw, .jpegw and .wld."""
    own = raster.suffix.lower().removeprefix(".")
    return [f".{own[0]}{own[-1]}w", f".{own}w", ".wld"] if own else [".wld"]


def _read_text(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(_MAX_TEXT_BYTES + 1)
    except OSError as e:
        raise SceneError(f"{file} cannot be read: {e.strerror}", "check its permissions") from e
    if len(content) > _MAX_TEXT_BYTES:
        raise SceneError(f"{file} is too large to say where a raster lies", "move it away")
    return content.decode("utf-8-sig", errors="replace")


def _read_world(file: Path) -> Affine:
    """The transform of a world file: six numbers, of which the last two are the first pixel's centre."""
    try:
        a, d, b, e, x, y = (float(part.replace(",", ".")) for part in _read_text(file).split())
    except ValueError as error:
        raise SceneError(
            f"{file} is no world file, which holds six numbers", "mend it, or move it away"
        ) from error
    return Affine(a, b, x - (a + b) / 2, d, e, y - (d + e) / 2)


def _read_prj(file: Path) -> str:
    crs = _wkt_of(_read_text(file))
    if crs is None:
        raise SceneError(f"{file} holds no CRS", "mend it, or move it away")
    return crs


def _wkt_of(text: str) -> str | None:
    from pyproj.exceptions import CRSError

    try:
        return str(parse_crs(text.strip()).to_wkt())
    except CRSError:
        return None


def _read_aux(file: Path, said: list[str]) -> tuple[Place, tuple[tuple[int, float], ...]]:
    """Place and nodata values of GDAL's .aux.xml; what cannot be used is ``said``."""
    try:
        root = read_xml(file, _MAX_XML_BYTES, "an .aux.xml", "move it away")
    except SceneError:
        said.append(f"{file.name} is left out: it is no XML that can be read, or too large")
        return Place(), ()
    srs, numbers = root.findtext("SRS"), root.findtext("GeoTransform")
    crs, transform = srs and _wkt_of(srs), numbers and _transform_of(numbers)
    nodata = [_nodata_of(band) for band in root.iterfind("PAMRasterBand")]
    left = [what for tag, what in _COLOURS.items() if root.find(f"PAMRasterBand/{tag}") is not None]
    left += ["ground control points"] if root.find("GCPList/GCP") is not None else []
    left += ["a CRS that cannot be read"] if srs and not crs else []
    left += ["a transform that cannot be read"] if numbers and not transform else []
    if left:
        said.append(f"{file.name} holds {', '.join(left)}, left out: {_FOLD_HINT}")
    return Place(crs or None, transform or None), tuple(found for found in nodata if found)


def _transform_of(text: str) -> Affine | None:
    try:
        x, a, b, y, d, e = (float(part) for part in text.split(","))
    except ValueError:
        return None
    return Affine(a, b, x, d, e, y)


def _nodata_of(band: ElementTree.Element) -> tuple[int, float] | None:
    try:
        return int(band.get("band", "")), float(band.findtext("NoDataValue", ""))
    except ValueError:
        return None


class RasterWithBeside:
    """An open rasterio dataset with place, nodata and mask as the files beside it say; otherwise the dataset.

    Args:
        source: the opened dataset, closed with this.
        beside: what the files say.
        path: of the raster, for messages.
    """

    def __init__(self, source: Any, beside: FilesBeside, path: Path) -> None:
        self._source = source
        self._beside = beside
        self._path = path
        self._mask = self._open_mask(beside.mask) if beside.mask else None

    def _open_mask(self, file: Path) -> Any:
        import rasterio
        from rasterio.errors import NotGeoreferencedWarning, RasterioError

        try:
            with without(NotGeoreferencedWarning):
                mask = rasterio.open(str(file.absolute()), driver=self._beside.mask_driver)
        except RasterioError as e:
            raise not_readable(file, e) from e
        if mask.shape != self._source.shape:
            size = f"{mask.width} x {mask.height} pixels, not {self._source.width} x {self._source.height}"
            mask.close()
            raise SceneError(
                f"{file} is no mask of {self._path.name}: it has {size}", "make it anew, or move it away"
            )
        return mask

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __enter__(self) -> RasterWithBeside:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the dataset and its mask."""
        self._source.close()
        if self._mask is not None:
            self._mask.close()

    @cached_property
    def crs(self) -> CRS | None:
        """The CRS of the .aux.xml, else the dataset's own, else that of the .prj."""
        from rasterio.crs import CRS

        own, above, below = self._source.crs, self._beside.above.crs, self._beside.below.crs
        if above is not None and CRS.from_wkt(above) != own:
            return CRS.from_wkt(above)
        return own if own is not None or below is None else CRS.from_wkt(below)

    @property
    def transform(self) -> Affine:
        """The transform of the .aux.xml, else the dataset's own, else that of the world file."""
        own: Affine = self._source.transform
        if self._beside.above.transform is not None:
            return self._beside.above.transform
        return self._beside.below.transform or own if own.is_identity else own

    @property
    def nodatavals(self) -> tuple[float | None, ...]:
        """The nodata value of each band."""
        said = dict(self._beside.nodata)
        return tuple(said.get(band, own) for band, own in enumerate(self._source.nodatavals, 1))

    @property
    def nodata(self) -> float | None:
        """The nodata value of the first band."""
        return self.nodatavals[0]

    @property
    def mask_flag_enums(self) -> tuple[list[Any], ...]:
        """Of each band, what its mask is made of."""
        from rasterio.enums import MaskFlags

        said = dict(self._beside.nodata)
        return tuple(
            [MaskFlags.per_dataset] if self._mask is not None else [MaskFlags.nodata] if band in said else own
            for band, own in enumerate(self._source.mask_flag_enums, 1)
        )

    def read_masks(self, indexes: Any = None, **how: Any) -> NDArray[np.uint8]:
        """As rasterio's: 0 where a band is not valid. Beside a mask, an alpha band is no mask, as in GDAL."""
        from rasterio.enums import MaskFlags

        bands = list(self._source.indexes) if indexes is None else indexes
        first = bands if isinstance(bands, int) else bands[0]
        masks = self._source.read_masks(bands, **how)
        if self._mask is not None and MaskFlags.alpha in self._source.mask_flag_enums[first - 1]:
            masks = np.full_like(masks, 255)
        return self._hide(masks, bands, how)

    def dataset_mask(self, **how: Any) -> NDArray[np.uint8]:
        """As rasterio's: 0 where no band is valid."""
        masks: NDArray[np.uint8] = self.read_masks(**_for_all_bands(how, self._source.count)).max(axis=0)
        return masks

    def _hide(self, masks: NDArray[np.uint8], bands: Any, how: dict[str, Any]) -> NDArray[np.uint8]:
        """Masks (H, W) or (bands, H, W) with 0 where the files beside say so, too."""
        said = dict(self._beside.nodata)
        if said:
            values = self._source.read(bands, **how)
            every = [bands] if isinstance(bands, int) else bands
            missing = np.array([said.get(band, np.nan) for band in every])
            masks = masks * (values != (missing[0] if isinstance(bands, int) else missing[:, None, None]))
        if self._mask is not None:
            values = self._mask.read(**_for_all_bands(how, self._mask.count))
            masks = masks * (values > 0).any(axis=0)  # of floats, NaN hides too
        return masks.astype(np.uint8)

    @property
    def messages(self) -> tuple[str, ...]:
        """What the summary must say of the files beside the raster."""
        beside, names = self._beside, [file.name for file in self._beside.files]
        own_crs, own, world = self._source.crs, self._source.transform, beside.below.transform
        said = [f"read beside it: {', '.join(names)}"] if names else []
        if own_crs is not None and own_crs != self.crs:
            said.append("the CRS of the .aux.xml stands above the raster's own")
        if not own.is_identity and self.transform != own:
            said.append("the transform of the .aux.xml stands above the raster's own")
        if world is not None and not _is_same_place(world, self.transform):
            said.append("the world file says another place, and is left out")
        return (*said, *beside.messages)


def _is_same_place(one: Affine, other: Affine) -> bool:
    """Whether two transforms agree within a hundredth of a pixel."""
    return one == other or (
        not other.is_degenerate and (~other @ one).almost_equals(Affine.identity(), precision=0.01)
    )


def _for_all_bands(how: dict[str, Any], count: int) -> dict[str, Any]:
    """Arguments of a read of all bands: the shape of the result begins with their number."""
    shape = how.get("out_shape")
    return how if shape is None else how | {"out_shape": (count, *shape[-2:])}


def masks_left_out(files: tuple[Path, ...]) -> tuple[str, ...]:
    """What to say of masks beside the sources of a mosaic, which are not read."""
    found = [mask.name for file in files if (mask := _named(file, ".msk"))]
    if not found:
        return ()
    some = ", ".join(found[:5]) + (", …" if len(found) > 5 else "")
    return (f"masks beside sources are left out: {some}; gdal_translate SOURCE OUT folds one in",)
