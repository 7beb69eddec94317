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
from georoads.scene.sources import driver_of, first_bytes, is_vrt, read_xml, resolve_source

MAX_BYTES = 2**25
MAX_SOURCES = 20_000
MAX_DEPTH = 4
"""Limits of what is read of a list of rasters: bytes, files, and VRTs in VRTs."""
_BAND = "VRTSourcedRasterBand"
_SOURCES = ("SimpleSource", "ComplexSource")
_SOURCES_HINT = "every source must be a raster in the VRT's folder; or gdal_translate the VRT to a GeoTIFF"
# fmt: off
_PLAIN_ELEMENTS = frozenset((
    "VRTDataset", "SRS", "GeoTransform", "Metadata", "MDI", "VRTRasterBand", "MaskBand", "SimpleSource",
    "ComplexSource", "NODATA", "NoDataValue", "HideNoDataValue", "ColorInterp", "ColorTable", "Entry",
    "SourceFilename", "SourceBand", "SourceProperties", "SrcRect", "DstRect", "ScaleOffset",
    "ScaleRatio", "UseMaskBand", "Description", "Offset", "Scale", "UnitType", "BlockXSize",
    "BlockYSize", "OverviewList", "Histograms", "HistItem", "HistMin", "HistMax", "BucketCount",
    "IncludeOutOfRange", "Approximate", "HistCounts", "CategoryNames", "Category",
))
# fmt: on
"""Elements of a plain mosaic; others compute, or read in other ways."""


@dataclass(frozen=True)
class CheckedVrt:
    """A VRT that is a plain mosaic of files in its folder.

    Attributes:
        text: the VRT as GDAL is to see it.
        sources: every file that it reads.
    """

    text: str
    sources: tuple[Path, ...]


def check_vrt(file: Path) -> CheckedVrt:
    """Check a VRT and the files that it names, VRTs among them.

    Raises:
        SceneError: it is no plain mosaic, or a source is missing, lies elsewhere, or is no raster.
    """
    checker = _SourceChecker(file)
    text = checker.rewrite(file.resolve(), 0)
    return CheckedVrt(text, tuple(checker.names))


class _SourceChecker:
    """Walks a VRT and those in it; each source is checked once.

    Attributes:
        names: by resolved path of a source, what GDAL is to open for it: the path, or the text of a VRT.
    """

    def __init__(self, file: Path) -> None:
        self.names: dict[Path, str] = {}
        self._file = file
        self._root = file.resolve().parent
        self._length = 0

    def rewrite(self, vrt: Path, depth: int) -> str:
        """The text that stands for a VRT, its sources named by whole paths.

        Args:
            vrt: resolved path.
            depth: VRTs around it.
        """
        if depth > MAX_DEPTH:
            raise SceneError(f"{self._file} holds VRTs in VRTs, more than {MAX_DEPTH} deep", "build one VRT")
        root = read_xml(vrt, MAX_BYTES, "a VRT", "build it with gdalbuildvrt")
        _check_plain(vrt, root, 0)
        for element in root.iter("SourceFilename"):
            element.text = self._name_source(vrt, element, depth)
            self._length += len(element.text)
            if self._length > 2 * MAX_BYTES:  # a VRT is repeated wherever it is named
                raise SceneError(f"{self._file} names more than can be meant", "split it")
            element.attrib.clear()
            element.set("relativeToVRT", "0")
        _add_mask(root)
        return ElementTree.tostring(root, encoding="unicode")

    def _name_source(self, vrt: Path, element: ElementTree.Element, depth: int) -> str:
        """What GDAL is to open for a source."""
        folder = vrt.parent if element.get("relativeToVRT") == "1" else Path.cwd()
        named = element.text or ""
        real = resolve_source(named, vrt, root=self._root, folder=folder, hint=_SOURCES_HINT)
        if real not in self.names:
            self.names[real] = self._check_source(vrt, real, depth)
        return self.names[real]

    def _check_source(self, vrt: Path, real: Path, depth: int) -> str:
        """What GDAL is to open for a source that comes for the first time."""
        if len(self.names) >= MAX_SOURCES:
            raise SceneError(f"{self._file} has more than {MAX_SOURCES} sources", "split it")
        try:
            start = first_bytes(real)
            if is_vrt(real, start):
                return self.rewrite(real, depth + 1)
            driver_of(real, start)
        except SceneError as e:
            raise SceneError(f"{vrt}: a source cannot be used: {e.message}", _SOURCES_HINT) from e
        return str(real)


def _check_plain(vrt: Path, element: ElementTree.Element, depth: int) -> None:
    """Refuse elements that are not those of a plain mosaic, and a dataset in a dataset."""
    subclass = element.get("subClass", _BAND)
    kind = element.tag if subclass == _BAND else subclass
    if depth > 8 or kind not in _PLAIN_ELEMENTS or (depth == 0) != (kind == "VRTDataset"):
        raise SceneError(f"{vrt} is not a plain mosaic: it has <{kind}>", "gdal_translate it to a GeoTIFF")
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
