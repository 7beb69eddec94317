"""The main walk, put together from the rooms: predict, vectorize, extract."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import numpy as np

from georoads import __version__
from georoads.errors import GeoroadsError
from georoads.grid import Grid, Window
from georoads.inference.predict import StageTimes, predict_raster
from georoads.inference.raster import ProbabilityRaster
from georoads.inference.runtime import Runtime
from georoads.inference.select import PredictParams, open_runtime
from georoads.inference.tiles import TilePlan
from georoads.jobs.atomic import check_output, replace_when_complete
from georoads.jobs.memory import peak_rss_mb
from georoads.jobs.progress import Watch, unwatched
from georoads.model.checkpoint import Checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.types import FULL
from georoads.network.vectorize import trace_network
from georoads.output.area import Area
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.write import WriteOptions, check_road_output, write_roads
from georoads.scene.read import working_grid
from georoads.scene.scene import Scene, SceneParams, open_scene

GEOJSON = (".geojson", ".json")
"""Suffixes of the format that is always WGS 84."""


@dataclass(frozen=True)
class Walk:
    """What a walk did.

    Attributes:
        output: the file written.
        roads: number of lines.
        length_km: their length.
        seconds: by stage, one after another.
        stages: seconds that predict's stages (read, network, write) were at work; they run side by side.
        waited: share of predict's time in which the device had nothing to do.
        runtime, device, precision: of the network.
        gsd_m: of the working grid.
        peak_rss_mb: largest resident memory so far; None where the system does not tell.
        messages: what was noticed about the scene.
    """

    output: str
    roads: int = 0
    length_km: float = 0.0
    seconds: dict[str, float] = dataclasses.field(default_factory=dict)
    runtime: str = ""
    device: str = ""
    precision: str = ""
    gsd_m: float = 0.0
    peak_rss_mb: float | None = None
    messages: tuple[str, ...] = ()
    stages: dict[str, float] = dataclasses.field(default_factory=dict)
    waited: float = 0.0


@dataclass(frozen=True)
class _Ready:
    """A scene, its working grid and the runtime, all opened and found good."""

    scene: Scene
    grid: Grid
    runtime: Runtime


def predict(
    scene_path: Path,
    output: Path,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: PredictParams,
    *,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> Walk:
    """Probability raster of a scene. A killed run leaves ``OUTPUT.work``, which ``resume`` goes on with.

    Raises:
        GeoroadsError: when scene, model, device or output are not usable; nothing is written then.
    """
    check_output(output, overwrite=overwrite, inputs=(scene_path,))
    started = time.monotonic()
    ready = _open(scene_path, checkpoint, scene_params, params)
    opened = time.monotonic()
    work = _work_folder(output, resume=resume)
    with replace_when_complete(output, overwrite=overwrite) as part:
        times = _predict(ready, checkpoint, (part, work), params, watch)
    shutil.rmtree(work)
    return _walk(ready, output, {"open": opened - started, "predict": time.monotonic() - opened}, times)


def _open(
    scene_path: Path,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: PredictParams,
    area: Area | None = None,
) -> _Ready:
    scene = open_scene(scene_path, scene_params)
    card = checkpoint.card
    grid = working_grid(scene, card.gsd_m, scene_params)
    plan = TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)
    if area is not None:
        grid = grid.crop(plan.around(area.window_on(grid)))
        plan = TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)
    return _Ready(scene, grid, open_runtime(checkpoint, params, len(plan)))


def _work_folder(output: Path, *, resume: bool) -> Path:
    """Where the unfinished work for an output lies; emptied unless it is to be gone on with."""
    work = output.with_name(output.name + ".work")
    if work.exists() and not resume:
        shutil.rmtree(work)
    return work


def _predict(
    ready: _Ready, checkpoint: Checkpoint, target: tuple[Path, Path], params: PredictParams, watch: Watch
) -> StageTimes:
    before = ready.scene.fingerprint
    times = predict_raster(
        ready.scene, ready.grid, checkpoint, ready.runtime, target,
        prefetch=params.prefetch, watch=watch,
    )  # fmt: skip
    if ready.scene.fingerprint != before:
        raise GeoroadsError(
            f"{ready.scene.path} was changed while it was read", "run again when nothing writes to it"
        )
    return times


def _walk(ready: _Ready, output: Path, seconds: dict[str, float], times: StageTimes) -> Walk:
    runtime = ready.runtime
    return Walk(
        str(output), 0, 0.0, seconds, runtime.name, runtime.device, runtime.precision, ready.grid.gsd_m,
        peak_rss_mb(), ready.scene.messages,
        {"read": times.read_s, "network": times.network_s, "write": times.write_s}, times.waited,
    )  # fmt: skip


def vectorize(
    raster_path: Path, output: Path, params: VectorizeParams, options: WriteOptions | None = None
) -> Walk:
    """Road layer of a mask or probability raster.

    Raises:
        GeoroadsError: when raster, area or output are not usable; nothing is written then.
    """
    options = options or WriteOptions(provenance_of(raster_path, params), sources=(raster_path.name,))
    check_road_output(output, options, inputs=(raster_path,))
    started = time.monotonic()
    with ProbabilityRaster(raster_path) as raster:
        if options.area is not None:
            options.area.on(raster.grid)  # refuses what misses the raster, before the work
        network = trace_network(raster.read, raster.grid, params)
    network = write_roads(network, output, options)
    seconds = {"vectorize": time.monotonic() - started}
    km = float(network.length_m.sum()) / 1000
    return Walk(
        str(output), network.n_edges, km, seconds, gsd_m=network.grid.gsd_m, peak_rss_mb=peak_rss_mb()
    )


def extract(
    scene_path: Path,
    output: Path,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: tuple[PredictParams, VectorizeParams],
    options: WriteOptions | None = None,
    *,
    resume: bool = False,
    watch: Watch = unwatched,
) -> Walk:
    """Road layer of a scene: predict and vectorize, through the same quantised raster.

    Where the options have an area, only the tiles that bear on it are predicted. A killed run leaves
    ``OUTPUT.work``, which ``resume`` goes on with.

    Raises:
        GeoroadsError: when scene, model, device, area or output are not usable; nothing is written then.
    """
    options = options or WriteOptions(provenance_of(scene_path, params[1], checkpoint))
    options = dataclasses.replace(options, sources=(scene_path.name,))
    check_road_output(output, options, inputs=(scene_path,))
    started = time.monotonic()
    ready = _open(scene_path, checkpoint, scene_params, params[0], options.area)
    opened = time.monotonic()
    work = _work_folder(output, resume=resume)
    raster = work / "probability.tif"
    Thread(target=_load_what_follows, args=(ready.grid,), daemon=True).start()
    times = _predict(ready, checkpoint, (raster, work), params[0], watch)
    predicted = time.monotonic()
    if ready.grid.crs != ready.scene.grid.crs and output.suffix.lower() not in GEOJSON:
        options = dataclasses.replace(options, crs=options.crs or ready.scene.grid.crs)
    lines = vectorize(raster, output, params[1], options)
    shutil.rmtree(work)
    seconds = {"open": opened - started, "predict": predicted - opened} | lines.seconds
    walk = _walk(ready, output, seconds, times)
    return dataclasses.replace(walk, roads=lines.roads, length_km=lines.length_km, peak_rss_mb=peak_rss_mb())


def _load_what_follows(grid: Grid) -> None:
    """Import and load, beside the network, what the lines need then: half a second of a small scene."""
    import pyogrio  # noqa: F401

    small = grid.crop(Window(0, 0, min(16, grid.height), min(16, grid.width)))
    cross = np.zeros((small.height, small.width), dtype=np.uint8)
    cross[4:8] = cross[:, 4:8] = FULL
    trace_network(lambda window: cross[window.slices], small, VectorizeParams())


def provenance_of(path: Path, params: VectorizeParams, checkpoint: Checkpoint | None = None) -> Provenance:
    """Where a layer comes from.

    Raises:
        GeoroadsError: when the input does not exist.
    """
    if not path.is_file():
        raise GeoroadsError(f"{path} does not exist", "check the path")
    card = checkpoint.card if checkpoint else None
    return Provenance(
        model=card.name if card else "",
        model_sha256=checkpoint.sha256 if checkpoint else "",
        model_terms=card.terms if card else "",
        parameters=json.dumps(dataclasses.asdict(params), sort_keys=True),
        scene=path.name,
        version=__version__,
        date=provenance_date([path]),
    )
