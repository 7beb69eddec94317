"""Imagery by address: planned, fetched piece by piece, and made local GeoTIFFs."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from georoads.errors import GeoroadsError, LayerError, SceneError
from georoads.files.atomic import replace_when_complete
from georoads.output.area import Area
from georoads.progress import Watch, unwatched
from georoads.remote.address import Address, Kind, parse_address
from georoads.remote.client import Answer, Client, Span
from georoads.remote.cog import is_geotiff, plan_cog
from georoads.remote.lattice import on_mercator
from georoads.remote.params import RemoteParams
from georoads.remote.part import Part, Told, Wanted
from georoads.remote.pieces import Pieces
from georoads.remote.ranges import PAGE
from georoads.remote.stac import DOCUMENT_BYTES, assets_of, is_json
from georoads.remote.tiled import plan_tiles
from georoads.remote.wms import plan_wms
from georoads.remote.wmts import plan_wmts
from georoads.resources import needs_beside

_DONE = "done.json"
"""The note beside scenes that are complete."""
_DISK_MB_PER_MP = 3.0
"""Of the GeoTIFF that is made: red, green and blue, packed, are less."""


@dataclass(frozen=True, kw_only=True)
class FetchRequest:
    """Imagery that is wanted from servers.

    Attributes:
        addresses: as the user typed them.
        area: where; None: all that a file shows.
        model_gsd_m: metres per pixel that are wanted.
        params: limits and choices.
        keys: the environment, by which ``${NAME}`` in an address is replaced.
        headers: sent to the servers of the addresses.
    """

    addresses: tuple[str, ...]
    area: Area | None = None
    model_gsd_m: float = 0.5
    params: RemoteParams = field(default_factory=RemoteParams)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def digest(self) -> str:
        """Differs where what is wanted does."""
        area = None if self.area is None else [self.area.polygon.wkb_hex, self.area.crs]
        shown = [parse_address(text, self.keys).shown for text in self.addresses]
        what = [shown, area, self.model_gsd_m, dataclasses.asdict(self.params)]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()


@dataclass(frozen=True)
class FetchPlan:
    """What would be fetched.

    Attributes:
        scenes: what is said of each.
        disk_mb: of pieces and scenes together, by estimate.
    """

    scenes: tuple[Told, ...]
    disk_mb: float


@dataclass(frozen=True)
class FetchedScene:
    """A scene that has come.

    Attributes:
        path: the local GeoTIFF.
        source: the address without secrets, and the level.
        number: of the address that it comes from, from 0.
        attribution: whom the imagery is to be credited to; "" where nobody says it.
        notes: what the summary must say of it.
    """

    path: Path
    source: str
    number: int
    attribution: str = ""
    notes: tuple[str, ...] = ()

    @property
    def imagery(self) -> str:
        """Where it comes from, for the provenance."""
        return self.source + (f"; {self.attribution}" if self.attribution else "")


def plan_fetch(request: FetchRequest) -> FetchPlan:
    """What would be fetched: the servers are asked for descriptions and samples only.

    Raises:
        GeoroadsError: an address is none, is not reached, or shows nothing of the area; it is too much.
    """
    with _planned(request) as (_, parts):
        return FetchPlan(tuple(part.told for _, part in parts), _disk_mb(parts))


def fetch_scenes(
    request: FetchRequest, folder: Path, *, watch: Watch = unwatched
) -> tuple[FetchedScene, ...]:
    """Fetch scenes to a work folder, going on with what is there.

    Args:
        request: what is wanted.
        folder: of the work, which holds nothing else. Scenes that are complete are not asked for again.
        watch: starts the progress.

    Raises:
        GeoroadsError: as ``plan_fetch``; a server refuses, or is given up; the disk is full. What has come
            is kept.
    """
    done = _read_done(folder, request)
    if done:
        return done
    with _cleared_if_empty(folder), _planned(request) as (client, parts):
        needs_beside(folder, 0.0, _disk_mb(parts)).check(folder)
        header = {
            f"{key} of scene {n}": v
            for n, (_, p) in enumerate(parts, 1)
            for key, v in p.told.identity.items()
        }
        with Pieces(folder, header) as pieces:
            _fetch_pieces(parts, client, pieces, watch)
            scenes = tuple(
                _write_scene(part, pieces, number, order, folder)
                for order, (number, part) in enumerate(parts)
            )
            _write_done(folder, request, scenes)
            pieces.discard()
    return scenes


@contextmanager
def _cleared_if_empty(folder: Path) -> Iterator[None]:
    """Remove the folder where the block fails before anything has come: what is refused leaves nothing."""
    try:
        yield
    except BaseException:
        with suppress(OSError):
            folder.rmdir()
        raise


def _fetch_pieces(parts: list[tuple[int, Part]], client: Client, pieces: Pieces, watch: Watch) -> None:
    total, come = sum(part.told.pieces for _, part in parts), 0
    unit = parts[0][1].told.unit if len({part.told.unit for _, part in parts}) == 1 else "pieces"
    with watch("fetch", total, unit) as progress:

        def tell(count: int) -> None:
            nonlocal come
            come += count
            progress(come, f"{client.received / 1e6:.1f} MB")

        for order, (_, part) in enumerate(parts):
            part.fetch(client, pieces, f"{order}:", tell)


def _write_scene(part: Part, pieces: Pieces, number: int, order: int, folder: Path) -> FetchedScene:
    """The GeoTIFF of a scene whose pieces are all there."""
    told = part.told
    path = folder / (told.name if order == 0 else f"{order + 1}-{told.name}")
    path.unlink(missing_ok=True)
    with replace_when_complete(path) as new:
        notes = part.write(pieces, f"{order}:", new)
    _stamp(path)
    terms = f"the imagery is that of {', '.join(told.hosts)}: keeping to its terms is up to you"
    return FetchedScene(path, told.source, number, told.attribution, (*told.notes, *notes, terms))


@contextmanager
def _planned(request: FetchRequest) -> Iterator[tuple[Client, list[tuple[int, Part]]]]:
    """The parts that addresses lead to, each with the number of its address."""
    addresses = [parse_address(text, request.keys) for text in request.addresses]
    polygon = None if request.area is None else on_mercator(request.area, request.params.margin_m)
    wanted = Wanted(polygon, request.model_gsd_m, request.params)
    typed = tuple(url for address in addresses for url in address.hosts)
    with Client(request.params, typed, request.headers) as client:
        parts = [(n, part) for n, address in enumerate(addresses) for part in _parts(address, wanted, client)]
        tiles = sum(part.told.pieces for _, part in parts if part.told.unit == "tiles")
        if tiles > request.params.max_tiles:
            raise GeoroadsError(
                f"{tiles:,} tiles are needed, more than {request.params.max_tiles:,}",
                f"a smaller --aoi, or a lower --zoom; --set remote.max_tiles={tiles} takes them",
            )
        size_mb = sum(part.told.size_mb or 0.0 for _, part in parts)
        if size_mb > request.params.max_mb:
            raise GeoroadsError(
                f"about {size_mb:,.0f} MB are needed, more than {request.params.max_mb:,.0f}",
                f"a smaller --aoi; --set remote.max_mb={1.5 * size_mb:.0f} takes them",
            )
        yield client, parts


def _parts(address: Address, wanted: Wanted, client: Client) -> list[Part]:
    """The scenes that an address leads to."""
    if address.kind is Kind.TILES:
        return [plan_tiles(address, wanted, client)]
    if address.kind is Kind.WMS:
        return [plan_wms(address, wanted, client)]
    if address.kind is Kind.WMTS:
        return [plan_wmts(address, wanted, client)]
    begin = begin_of(address, client)
    if is_geotiff(begin):
        return [plan_cog(address, begin, wanted, client)]
    if not is_json(begin):
        raise SceneError(
            f"{address.shown} is neither a GeoTIFF nor a STAC item",
            "of tiles give the address with {z}, {x} and {y}, of a WMS or WMTS the one with layers=",
        )
    return _assets(assets_of(address, begin, wanted, client), wanted, client)


def begin_of(address: Address, client: Client) -> Answer:
    """The first bytes at an address of a file.

    Raises:
        SceneError: there is nothing.
    """
    begin = client.get(address.url, address.shown, DOCUMENT_BYTES, Span(0, PAGE))
    if begin.is_missing:
        raise SceneError(f"there is nothing at {address.shown}", "check the address")
    return begin


def _assets(found: list[tuple[Address, str]], wanted: Wanted, client: Client) -> list[Part]:
    """The scenes that items name, but for those that do not meet the area: bounds are larger than scenes.

    Raises:
        GeoroadsError: none of them meets it; one is no GeoTIFF, or cannot be read.
    """
    parts: list[Part] = []
    outside: LayerError | None = None
    for asset, credit in found:
        begin = begin_of(asset, client)
        if not is_geotiff(begin):
            raise SceneError(f"{asset.shown} is no GeoTIFF", "download it, and use the file")
        credited = dataclasses.replace(wanted.params, attribution=wanted.params.attribution or credit)
        try:
            parts.append(plan_cog(asset, begin, dataclasses.replace(wanted, params=credited), client))
        except LayerError as e:
            outside = e
    if not parts and outside is not None:
        raise outside
    return parts


def _disk_mb(parts: list[tuple[int, Part]]) -> float:
    pieces = sum(part.told.size_mb or 0.0 for _, part in parts)
    return pieces + _DISK_MB_PER_MP * sum(part.told.width * part.told.height for _, part in parts) / 1e6


def _stamp(path: Path) -> None:
    """Give a scene a time of modification that its content tells: scenes are known by it, and when the same
    imagery is fetched again, the same bytes shall come of it."""
    with path.open("rb") as file:
        seconds = int.from_bytes(hashlib.file_digest(file, "sha256").digest()[:4], "big") >> 1
    os.utime(path, (seconds, seconds))


def _write_done(folder: Path, request: FetchRequest, scenes: tuple[FetchedScene, ...]) -> None:
    """Note what is complete, so that a run that goes on needs no server."""
    listed = []
    for scene in scenes:
        status = scene.path.stat()
        stamp = [status.st_size, status.st_mtime_ns]
        listed.append(dataclasses.asdict(scene) | {"path": scene.path.name, "stamp": stamp})
    with replace_when_complete(folder / _DONE, overwrite=True) as part:
        part.write_text(json.dumps({"request": request.digest, "scenes": listed}), encoding="utf-8")


def _read_done(folder: Path, request: FetchRequest) -> tuple[FetchedScene, ...]:
    """The scenes that an earlier run has completed for the same request; none where it has not."""
    try:
        note: dict[str, Any] = json.loads((folder / _DONE).read_text(encoding="utf-8"))
        if note["request"] != request.digest:
            return ()
        found = []
        for entry in note["scenes"]:
            path = folder / entry.pop("path")
            status = path.stat()
            if entry.pop("stamp") != [status.st_size, status.st_mtime_ns]:
                return ()
            found.append(FetchedScene(path, **entry | {"notes": tuple(entry["notes"])}))
        return tuple(found)
    except (OSError, ValueError, KeyError, TypeError):
        return ()
