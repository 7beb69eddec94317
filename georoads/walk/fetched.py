"""Scenes on servers, before the walk: fetched beside the output, then files like any other."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from georoads.files.figures import check_figures
from georoads.files.work import work_for
from georoads.inference.raster import check_raster_output
from georoads.output.address import work_place
from georoads.output.area import Area
from georoads.progress import Watch, unwatched
from georoads.walk.prepared import check_layer_files
from georoads.walk.request import ExtractRequest, PredictRequest, RemoteScenes

if TYPE_CHECKING:
    from georoads.remote.fetch import FetchedScene, FetchPlan, FetchRequest

R = TypeVar("R", PredictRequest, ExtractRequest)


def names_servers(request: PredictRequest | ExtractRequest) -> bool:
    """Whether scenes lie on servers, and may be fetched."""
    return request.remote is not None and bool(request.remote.addresses)


def plan_fetch(request: PredictRequest | ExtractRequest) -> FetchPlan:
    """What would be fetched for a request that names servers; nothing is written.

    Raises:
        GeoroadsError: as ``georoads.remote.fetch.plan_fetch``; an output could not be written.
    """
    from georoads.remote.fetch import plan_fetch as plan

    _check_outputs(request)
    return plan(_wanted(request))


@contextmanager
def fetched(request: R, *, watch: Watch = unwatched) -> Iterator[R]:
    """The request with local files in the place of addresses; they go when the block ends well.

    They lie in ``OUTPUT.scene.work``, which stays when the run is stopped, and which one with ``resume`` goes
    on with. A request without addresses is handed on as it is.

    Args:
        request: what is wanted.
        watch: follows the fetching.

    Raises:
        GeoroadsError: an output could not be written; as ``georoads.remote.fetch.fetch_scenes``.
    """
    if not names_servers(request):
        yield request
        return
    from georoads.remote.fetch import fetch_scenes

    _check_outputs(request)
    wanted = _wanted(request)
    with _beside(request) as place, work_for(place, resume=request.resume) as folder:
        yield _with_files(request, fetch_scenes(wanted, folder, watch=watch))


def _wanted(request: PredictRequest | ExtractRequest) -> FetchRequest:
    from georoads.remote.fetch import FetchRequest

    remote = request.remote or RemoteScenes()
    return FetchRequest(
        addresses=tuple(remote.addresses.values()),
        area=_area_of(request),
        model_gsd_m=request.scene.stated_gsd or request.checkpoint.card.gsd_m,
        params=remote.params,
        keys=remote.keys,
        headers=remote.headers,
    )


def _with_files(request: R, scenes: tuple[FetchedScene, ...]) -> R:
    """The request with what was fetched in the place of each address."""
    numbers = list((request.remote or RemoteScenes()).addresses)
    files: list[Path] = []
    for position, path in enumerate(request.scenes):
        if position in numbers:
            number = numbers.index(position)
            files += [scene.path for scene in scenes if scene.number == number]
        else:
            files.append(path)
    return dataclasses.replace(
        request,
        scenes=tuple(files),
        remote=None,
        imagery=tuple(scene.imagery for scene in scenes),
        notes=tuple(dict.fromkeys(note for scene in scenes for note in scene.notes)),
    )


def _area_of(request: PredictRequest | ExtractRequest) -> Area | None:
    return request.area if isinstance(request, PredictRequest) else request.layer.write.area


def _check_outputs(request: PredictRequest | ExtractRequest) -> None:
    """Refuse outputs that could not be written, before anything is fetched for them."""
    local = [
        path for n, path in enumerate(request.scenes) if n not in (request.remote or RemoteScenes()).addresses
    ]
    inputs = (*local, *request.checkpoint.paths)
    if isinstance(request, ExtractRequest):
        check_layer_files(request.layer, request.figures, inputs)
        return
    check_raster_output(request.output, overwrite=request.raster.overwrite, inputs=inputs)
    check_figures(
        request.figures, overwrite=request.raster.overwrite, inputs=inputs, outputs=(request.output,)
    )


@contextmanager
def _beside(request: PredictRequest | ExtractRequest) -> Iterator[Path]:
    """The path after which the work folder of the scenes is called."""
    if isinstance(request, PredictRequest):
        place = request.output
    elif request.layer.output is not None:
        place = work_place(request.layer.output, request.layer.write.layer_names[0])
    else:
        with tempfile.TemporaryDirectory(prefix="georoads-") as folder:
            yield Path(folder) / "roads.scene"
        return
    yield place.with_name(f"{place.name}.scene")
