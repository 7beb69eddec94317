"""A scene on a server made a file: the pixels that ``extract`` would see, as a cloud-optimized GeoTIFF."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from georoads.errors import SceneError
from georoads.files.atomic import check_output, replace_when_complete
from georoads.files.work import work_for
from georoads.progress import Watch, unwatched
from georoads.remote.fetch import FetchedScene, FetchRequest, fetch_scenes, plan_fetch
from georoads.remote.part import Told
from georoads.text import printable

_SUFFIXES = (".tif", ".tiff")
_CACHE_BYTES = 64_000_000


@dataclass(frozen=True, kw_only=True)
class Saved:
    """What was written.

    Attributes:
        output: the GeoTIFF.
        source: the address without secrets, and the level.
        attribution: whom the imagery is to be credited to; "" where nobody says it.
        width, height: pixels.
        size_mb: of the file.
        messages: what was noticed.
    """

    output: str
    source: str
    attribution: str
    width: int
    height: int
    size_mb: float
    messages: tuple[str, ...] = ()


def plan_save(request: FetchRequest, output: Path, *, overwrite: bool = False) -> tuple[Told, float]:
    """What ``save_scene`` would fetch, and the megabytes of disk that it takes meanwhile.

    Args:
        request: what is wanted.
        output: the GeoTIFF.
        overwrite: True when an existing file may be replaced.

    Raises:
        GeoroadsError: as ``save_scene``.
    """
    _check_output(request, output, overwrite=overwrite)
    plan = plan_fetch(request)
    _refuse_several([told.name for told in plan.scenes], request)
    return plan.scenes[0], plan.disk_mb


def save_scene(
    request: FetchRequest,
    output: Path,
    *,
    overwrite: bool = False,
    resume: bool | None = None,
    watch: Watch = unwatched,
) -> Saved:
    """Fetch a scene to a cloud-optimized GeoTIFF, which appears whole or not at all.

    A run that is stopped leaves ``OUTPUT.work``, which one with ``resume`` goes on with.

    Args:
        request: what is wanted: one address, that leads to one scene.
        output: the GeoTIFF.
        overwrite: True when an existing file may be replaced.
        resume: True goes on with the work that a stopped run has left, False throws it away.
        watch: follows the fetching.

    Raises:
        GeoroadsError: the output cannot be written; the address leads to several scenes; as
            ``fetch_scenes``.
    """
    import rasterio
    from rasterio.shutil import copy

    _check_output(request, output, overwrite=overwrite)
    with work_for(output, resume=resume) as folder:
        scenes = fetch_scenes(request, folder, watch=watch)
        _refuse_several([scene.path.name for scene in scenes], request)
        with rasterio.open(scenes[0].path, driver="GTiff") as scene:
            side = scene.block_shapes[0][0]  # samples of the stretch are blocks: as where extract fetches
        with (
            replace_when_complete(output, overwrite=overwrite) as part,
            rasterio.Env(GDAL_CACHEMAX=_CACHE_BYTES),
        ):
            copy(
                scenes[0].path, part, driver="COG", compress="deflate", predictor="yes", blocksize=side,
                overview_resampling="average", bigtiff="if_safer", sparse_ok=True,
            )  # fmt: skip
    return _saved(output, scenes[0])


def _saved(output: Path, scene: FetchedScene) -> Saved:
    import rasterio

    with rasterio.open(output, driver="GTiff") as made:
        width, height = made.width, made.height
    size_mb = output.stat().st_size / 1e6
    return Saved(
        output=str(output), source=scene.source, attribution=scene.attribution, width=width, height=height,
        size_mb=size_mb, messages=scene.notes,
    )  # fmt: skip


def _check_output(request: FetchRequest, output: Path, *, overwrite: bool) -> None:
    if output.suffix.lower() not in _SUFFIXES:
        raise SceneError(
            f"{printable(output)} is no name of a GeoTIFF", f"it ends in {' or '.join(_SUFFIXES)}"
        )
    inputs = [request.area.file] if request.area is not None and request.area.file is not None else []
    check_output(output, overwrite=overwrite, inputs=inputs)


def _refuse_several(names: list[str], request: FetchRequest) -> None:
    if len(names) > 1:
        raise SceneError(
            f"{len(names)} scenes are to be fetched, and a file holds one: {', '.join(names[:8])[:400]}",
            "give the address of one of them; extract --allow-remote sees all of them as one",
        )
