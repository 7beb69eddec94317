"""VRT mosaics, guarded: plain lists of rasters that lie in the VRT's own folder.

GDAL never sees the file itself, only our own spelling of what was checked, with whole paths. A VRT that does
not say where it has no data is given a mask: there a pixel is valid where a source has a valid one.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from georoads.errors import SceneError
from georoads.scene.guard import driver_of, first_bytes, is_vrt, source_in

MAX_BYTES = 2**25
MAX_SOURCES = 20_000
MAX_DEPTH = 4
_BAND = "VRTSourcedRasterBand"
_SOURCES = ("SimpleSource", "ComplexSource")
# fmt: off
_PLAIN = frozenset((
    "VRTDataset", "SRS", "GeoTransform", "Metadata", "MDI", "VRTRasterBand", "MaskBand", "SimpleSource",
    "ComplexSource", "NODATA", "NoDataValue", "HideNoDataValue", "ColorInterp", "ColorTable", "Entry",
    "SourceFilename", "SourceBand", "SourceProperties", "SrcRect", "DstRect", "ScaleOffset",
    "ScaleRatio", "UseMaskBand", "Description", "Offset", "Scale", "UnitType", "BlockXSize",
    "BlockYSize", "OverviewList", "Histograms", "HistItem", "HistMin", "HistMax", "BucketCount",
    "IncludeOutOfRange", "Approximate", "HistCounts", "CategoryNames", "Category",
))
# fmt: on
"""Elements of a mosaic; others compute, or read in other ways."""


@dataclass(frozen=True)
class Mosaic:
    """A VRT that was checked.

    Attributes:
        text: the VRT as GDAL is to see it.
        sources: every file that it reads.
    """

    text: str
    sources: tuple[Path, ...]


def read_vrt(file: Path) -> Mosaic:
    """Check a VRT and the files it names, VRTs among them too.

    Raises:
        SceneError: it is no plain mosaic, or a source is missing, lies elsewhere, or is no raster.
    """
    reader = _Reader(file, file.resolve().parent)
    text = reader.spelled(file.resolve(), 0)
    return Mosaic(text, tuple(reader.found))


class _Reader:
    """Walks a VRT and those in it; each source is checked once."""

    def __init__(self, file: Path, root: Path) -> None:
        self._file = file
        self._root = root
        self.found: dict[Path, str] = {}
        self._length = 0

    def spelled(self, vrt: Path, depth: int) -> str:
        """The text that stands for a VRT."""
        if depth > MAX_DEPTH:
            raise SceneError(f"{self._file} holds VRTs in VRTs, more than {MAX_DEPTH} deep", "build one VRT")
        root = _parsed(vrt)
        _check_plain(vrt, root, 0)
        for element in root.iter("SourceFilename"):
            element.text = self._source(vrt, element, depth)
            self._length += len(element.text)
            if self._length > 2 * MAX_BYTES:  # a VRT is repeated wherever it is named
                raise SceneError(f"{self._file} names more than can be meant", "split it")
            element.attrib.clear()
            element.set("relativeToVRT", "0")
        _add_mask(root)
        return ElementTree.tostring(root, encoding="unicode")

    def _source(self, vrt: Path, element: ElementTree.Element, depth: int) -> str:
        """What GDAL is to open for a source."""
        folder = vrt.parent if element.get("relativeToVRT") == "1" else Path.cwd()
        real = source_in(self._root, vrt, element.text or "", folder, self._way_out())
        if real not in self.found:
            self.found[real] = self._checked(vrt, real, depth)
        return self.found[real]

    def _checked(self, vrt: Path, real: Path, depth: int) -> str:
        if len(self.found) >= MAX_SOURCES:
            raise SceneError(f"{self._file} has more than {MAX_SOURCES} sources", "split it")
        try:
            start = first_bytes(real)
            if is_vrt(real, start):
                return self.spelled(real, depth + 1)
            driver_of(real, start)
        except SceneError as e:
            raise SceneError(f"{vrt}: a source cannot be used: {e.message}", self._way_out()) from e
        return str(real)

    def _way_out(self) -> str:
        return "every source must be a raster in the VRT's folder; or gdal_translate the VRT to a GeoTIFF"


def _parsed(vrt: Path) -> ElementTree.Element:
    try:
        with vrt.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
        text = raw.decode("utf-8-sig")
        if len(raw) > MAX_BYTES or "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise SceneError(f"{vrt} is too large or defines entities", "build it with gdalbuildvrt")
        return ElementTree.fromstring(text)
    except (OSError, ValueError, ElementTree.ParseError) as e:
        raise SceneError(f"{vrt} is not a VRT that can be read: {e}", "build it with gdalbuildvrt") from e


def _check_plain(vrt: Path, element: ElementTree.Element, depth: int) -> None:
    kind = element.get("subClass", _BAND)
    strange = element.tag if kind == _BAND else kind
    if depth > 8 or strange not in _PLAIN or (depth == 0) != (strange == "VRTDataset"):
        raise SceneError(f"{vrt} is not a plain mosaic: it has <{strange}>", "gdal_translate it to a GeoTIFF")
    for child in element:
        _check_plain(vrt, child, depth + 1)


def _add_mask(root: ElementTree.Element) -> None:
    """Say where the sources have no data, when the VRT does not: GDAL reads zeros there."""
    bands = root.findall("VRTRasterBand")
    says = any(b.find("NoDataValue") is not None or b.findtext("ColorInterp") == "Alpha" for b in bands)
    if says or not bands or any(True for _ in root.iter("MaskBand")):
        return
    mask = ElementTree.SubElement(ElementTree.SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
    for source in bands[0]:
        if source.tag not in _SOURCES:
            continue
        plain = ElementTree.SubElement(mask, "SimpleSource")
        for tag in ("SourceFilename", "SourceBand", "SrcRect", "DstRect"):
            plain.extend(copy.deepcopy(source.findall(tag)))
        band = plain.find("SourceBand")
        if band is None:
            band = ElementTree.SubElement(plain, "SourceBand")
            band.text = "1"
        if not (band.text or "").startswith("mask"):
            band.text = f"mask,{(band.text or '1').strip()}"
