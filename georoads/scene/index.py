"""Indexes of scenes: a STAC item collection, or a tile index of GDAL, stands for the scenes that it names.

As in a VRT, these are local files in the folder of the index or below it. An index in an index is no scene.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Any
from urllib.parse import unquote

from georoads.errors import SceneError
from georoads.scene.sources import check_regular, first_bytes, remote_name, resolve_source
from georoads.scene.vrt import MAX_BYTES, MAX_SOURCES

TILE_INDEXES = {".gti.gpkg": ("GPKG", b"SQLite format 3\0"), ".gti.fgb": ("FlatGeobuf", b"fgb\x03fgb")}
"""Ends of the names of tile indexes that GDAL reads, their drivers and first bytes."""
JSON_INDEXES = (".gti.geojson", ".geojson", ".json")
"""Ends of the names of a tile index in GeoJSON, and of STAC items."""
LOCATION = "location"
"""The field of a tile index that names the file."""
_XML = ".gti"
_RASTERS = ("image/tiff", "image/vnd.stac.geotiff", "image/jp2")
_RASTER_SUFFIXES = (".tif", ".tiff", ".jp2")
_BESIDE = {"thumbnail", "overview", "metadata"}
"""Roles of assets that are no scene."""
_FORMAT_HINT = (
    "a list of scenes is a STAC item collection (.json), or a tile index with a field location, as "
    "gdaltindex writes it (.gti.gpkg, .gti.fgb, .gti.geojson)"
)
_PLACE_HINT = "copy the scenes into the folder of the index, and name them there relative to it"


def is_index(path: Path) -> bool:
    """Whether a local file is a list of scenes, by its name."""
    return path.name.lower().endswith((*TILE_INDEXES, *JSON_INDEXES, _XML)) and remote_name(path) is None


def scene_files(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files of scenes, in order: indexes among the paths are replaced by what they name.

    Raises:
        SceneError: as ``named_in``.
    """
    return tuple(file for path in paths for file in (named_in(path) if is_index(path) else (path,)))


def named_in(path: Path) -> tuple[Path, ...]:
    """The files that an index names, links followed, in its order.

    Raises:
        SceneError: the index is missing, too large or none; it names nothing, one file twice, a file that is
            missing, lies elsewhere or on a server; which asset of an item is the scene cannot be told.
    """
    check_regular(path)
    root = path.resolve().parent
    found: dict[Path, None] = {}
    for number, named in enumerate(_read_names(path)):
        if number == MAX_SOURCES:
            raise SceneError(f"{path} names more than {MAX_SOURCES} scenes", "split it")
        file = resolve_source(named, path, root=root, folder=root, hint=_PLACE_HINT)
        if file in found:
            raise SceneError(f"{path} names {named[:200]} twice", "name each scene once")
        found[file] = None
        try:
            check_regular(file)
        except SceneError as e:
            raise SceneError(f"{path}: a scene cannot be used: {e.message}", _PLACE_HINT) from e
    if not found:
        raise SceneError(f"{path} names no scene", _FORMAT_HINT)
    return tuple(found)


def _read_names(path: Path) -> Iterator[str]:
    """The files by the names that stand in the index."""
    name = path.name.lower()
    start = first_bytes(path)
    if name.endswith(_XML):
        raise SceneError(
            f"{path} is a description of a tile index", "give the index that it names: .gti.gpkg, .gti.fgb"
        )
    content = _read_content(path)
    for suffix, (driver, begins) in TILE_INDEXES.items():
        if name.endswith(suffix):
            if not start.startswith(begins):
                raise SceneError(f"{path} is no {driver} file, though its name says so", _FORMAT_HINT)
            return _read_tile_index(path, content, driver)
    features = parse_features(path, content)
    if name.endswith(JSON_INDEXES[0]):
        return _locations_of(path, features)
    return map(unquote, links_of(path, features))


def _read_content(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as e:
        raise SceneError(f"{path} cannot be read: {e.strerror}", "check its permissions") from e
    if len(content) > MAX_BYTES:
        raise SceneError(f"{path} is larger than {MAX_BYTES / 1e6:.0f} MB, too large for a list", "split it")
    return content


def _read_tile_index(path: Path, content: bytes, driver: str) -> Iterator[str]:
    """The names in a tile index that GDAL reads, from memory: no name leads GDAL to other files."""
    import pyogrio
    from pyogrio import raw
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of geometries, which are not asked for
            layers = [str(name) for name, _ in pyogrio.list_layers(content)]
            infos = [pyogrio.read_info(content, layer=name) for name in layers]
            holding = [n for n, i in zip(layers, infos, strict=True) if LOCATION in i["fields"]]
            if any(info["driver"] != driver for info in infos):
                raise SceneError(f"{path} is no {driver} file to GDAL", _FORMAT_HINT)
            if len(holding) != 1:
                raise SceneError(
                    f"{path} has {len(holding)} layers with a field {LOCATION}, one is needed", _FORMAT_HINT
                )
            _, _, _, (values,) = raw.read(content, layer=holding[0], columns=[LOCATION], read_geometry=False)
    except (DataLayerError, DataSourceError, UnicodeDecodeError) as e:
        raise SceneError(f"{path} cannot be read: {e}", "make it anew with gdaltindex") from e
    return (_checked_text(path, row, value) for row, value in enumerate(values.tolist(), 1))


def parse_features(path: PurePath, content: bytes) -> list[Any]:
    """The features of GeoJSON, of which STAC items are a kind.

    Raises:
        SceneError: it is no JSON, or no list of features.
    """
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as e:
        raise SceneError(f"{path} is not JSON: {str(e)[:200]}", _FORMAT_HINT) from e
    kind = found.get("type") if isinstance(found, dict) else None
    features = (
        [found] if kind == "Feature" else found.get("features") if kind == "FeatureCollection" else None
    )
    if not isinstance(features, list) or not all(isinstance(f, dict) for f in features):
        raise SceneError(f"{path} is no list of scenes", _FORMAT_HINT)
    return features


def _locations_of(path: Path, features: list[dict[str, Any]]) -> Iterator[str]:
    """The names in a tile index in GeoJSON."""
    for row, feature in enumerate(features, 1):
        fields = feature.get("properties")
        yield _checked_text(path, row, fields.get(LOCATION) if isinstance(fields, dict) else None)


def _checked_text(path: Path, row: int, value: object) -> str:
    if not isinstance(value, str):
        raise SceneError(f"{path}: row {row} names no file in its field {LOCATION}", _FORMAT_HINT)
    return value


def links_of(path: PurePath, features: list[dict[str, Any]]) -> Iterator[str]:
    """The link to the asset of each STAC item that is the scene: a URL, in which a space is %20.

    Raises:
        SceneError: a feature is no item, or it cannot be told which asset is the scene.
    """
    for row, item in enumerate(features, 1):
        assets = item.get("assets")
        if not isinstance(assets, dict):
            raise SceneError(f"{path}: feature {row} is no STAC item: it has no assets", _FORMAT_HINT)
        ranked = [(_rank(key, a), key, a) for key, a in assets.items() if _is_raster(a)]
        least = min((rank for rank, _, _ in ranked), default=0)
        best = [(key, a) for rank, key, a in ranked if rank == least]
        if not best:
            raise SceneError(f"{path}: item {row} has no asset that is a GeoTIFF or JPEG 2000", _FORMAT_HINT)
        if len(best) > 1:
            keys = ", ".join(key[:40] for key, _ in best[:12])
            raise SceneError(
                f"{path}: item {row} has {len(best)} assets that could be the scene: {keys}",
                "give the one that is meant the role visual, or leave the others out",
            )
        yield str(best[0][1]["href"])


def _is_raster(asset: Any) -> bool:
    """Whether an asset is a GeoTIFF or JPEG 2000 that may be the scene."""
    if not isinstance(asset, dict) or not isinstance(asset.get("href"), str) or _roles(asset) & _BESIDE:
        return False
    media = asset.get("type")
    if isinstance(media, str):
        return media.partition(";")[0].strip().lower() in _RASTERS
    return bool(asset["href"].lower().endswith(_RASTER_SUFFIXES))


def _rank(key: str, asset: dict[str, Any]) -> int:
    """Pictures in natural colours first, then data, then what does not say what it is."""
    roles = _roles(asset)
    return 0 if "visual" in {key, *roles} else 1 if "data" in roles else 2


def _roles(asset: dict[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {role for role in roles if isinstance(role, str)} if isinstance(roles, list) else set()
