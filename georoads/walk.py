"""The main walk, put together from the rooms: predict, vectorize, extract."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import numpy as np
from affine import Affine

from georoads import __version__
from georoads.files.atomic import check_output, replace_when_complete
from georoads.files.work import alone_at, work_for
from georoads.grid import Grid, parse_crs
from georoads.inference.batches import Job
from georoads.inference.local import LocalPredictor, Predictor
from georoads.inference.mask_params import MaskParams, said_of
from georoads.inference.predict import StageTimes, predict_raster
from georoads.inference.raster import ProbabilityRaster, RasterOptions, check_raster_output, with_overviews
from georoads.inference.select import PredictParams, open_runtime
from georoads.inference.tiles import TilePlan
from georoads.levels import FULL
from georoads.memory import peak_rss_mb
from georoads.model.checkpoint import Checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.types import ParallelMap
from georoads.network.vectorize import trace_network
from georoads.output.address import Database, Output, work_place
from georoads.output.area import Area
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.write import WriteOptions, check_road_output, write_roads
from georoads.progress import Watch, unwatched
from georoads.resources import Needs, needs_beside
from georoads.scene.index import scene_files
from georoads.scene.mosaic import AnyScene, common_grid, open_scenes
from georoads.scene.scene import SceneParams
from georoads.scene.sources import first_bytes, remote_name
from georoads.scene.working_grid import own_corner
from georoads.workers.threads import Threads

MEMORY_MB = {"openvino": (350, 450), "onnx": (350, 700), "torch": (600, 800)}
"""Resident memory by runtime: whatever the model, and per megapixel of a batch on the CPU."""

Scenes = Path | Sequence[Path]
"""A scene, or several that are seen as one."""

GEOJSON = (".geojson", ".json")
"""Suffixes of the format that is always WGS 84."""


@dataclass(frozen=True)
class Walk:
    """What a walk did.

    Attributes:
        output: the file written, or the database as it is shown.
        roads: number of lines.
        length_km: their length.
        seconds: by stage, one after another.
        stages: seconds that predict's stages (read, network, write) were at work; they run side by side, and
            those of several workers are added.
        waited: share of predict's time in which a device had nothing to do.
        workers: networks at work at the same time, at the end.
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
    workers: int = 1


@dataclass(frozen=True)
class Plan:
    """What a walk would do.

    Attributes:
        width, height, gsd_m: of the working grid: pixels, metres.
        crs: its name.
        own_pixels: True when it has the scene's own pixels, False when these are resampled.
        tiles, tile_px, overlap_px, batch: what goes through the network.
        runtime, device, precision: of the network.
        needs: memory and disk, by estimate.
        messages: what was noticed about the scene.
    """

    width: int
    height: int
    gsd_m: float
    crs: str
    own_pixels: bool
    tiles: int
    tile_px: int
    overlap_px: int
    batch: int
    runtime: str
    device: str
    precision: str
    needs: Needs
    messages: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Ready:
    """A scene, its working grid and who predicts it, all opened and found good."""

    scene: AnyScene
    grid: Grid
    predictor: Predictor


def predict(
    scenes: Scenes,
    output: Path,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: PredictParams,
    options: RasterOptions | None = None,
    *,
    resume: bool | None = None,
    watch: Watch = unwatched,
) -> Walk:
    """Probability raster of a scene, or of several as one.

    A killed run leaves ``OUTPUT.work``, which ``resume`` goes on with.

    Raises:
        GeoroadsError: when scene, model, device or output are not usable; nothing is written then.
    """
    options = options or RasterOptions()
    check_raster_output(output, overwrite=options.overwrite, inputs=_inputs(scenes))
    started = time.monotonic()
    with _opened(scenes, checkpoint, scene_params, params) as ready:
        _needs(ready, checkpoint, output).check(output)
        opened = time.monotonic()
        with (
            work_for(output, resume=resume) as work,
            replace_when_complete(output, overwrite=options.overwrite) as part,
        ):
            times = _predict(ready, checkpoint, (part, work), watch)
            if options.cog:
                with_overviews(part, work)
    return _walk(ready, output, {"open": opened - started, "predict": time.monotonic() - opened}, times)


@contextmanager
def _opened(
    scenes: Scenes,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: PredictParams,
    area: Area | None = None,
) -> Iterator[_Ready]:
    scene = open_scenes(_paths(scenes), scene_params)
    card = checkpoint.card
    grid = common_grid(scene, card.gsd_m, scene_params)
    if area is not None:
        tiles = TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)
        grid = grid.crop(tiles.around(area.window_on(grid)))
    if params.engine.is_local:
        yield _Ready(scene, grid, LocalPredictor(open_runtime(checkpoint, params), params.prefetch))
        return
    from georoads.inference.remote import open_remote
    from georoads.workers.ray_engine import RayEngine

    with (
        RayEngine(params.engine) as engine,
        open_remote(Job(scene, grid, card), checkpoint, params, engine) as predictor,
    ):
        yield _Ready(scene, grid, predictor)


def plan(
    scenes: Scenes,
    output: Output,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: PredictParams,
    area: Area | None = None,
) -> Plan:
    """What ``predict`` or ``extract`` would do; nothing is predicted or written.

    Raises:
        GeoroadsError: what they would refuse: scene, model, device, area.
    """
    with _opened(scenes, checkpoint, scene_params, params, area) as ready:
        grid, card, kind = ready.grid, checkpoint.card, ready.predictor.kind
        tiles = TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)
        return Plan(
            grid.width, grid.height, grid.gsd_m, parse_crs(grid.crs).name,
            own_corner(ready.scene.grid, grid) is not None, len(tiles), card.tile_px, card.overlap_px,
            kind.batch, kind.name, kind.device, kind.precision,
            _needs(ready, checkpoint, work_place(output)), ready.scene.messages,
        )  # fmt: skip


def _needs(ready: _Ready, checkpoint: Checkpoint, output: Path) -> Needs:
    """By estimate: libraries and a batch's activations (measured for the shipped model); the spool of tiles
    with data, and a raster that takes a quarter of its pixels' bytes."""
    grid, card, kind = ready.grid, checkpoint.card, ready.predictor.kind
    fixed_mb, per_megapixel_mb = MEMORY_MB.get(kind.name, (350, 0))
    is_here = kind.device == "cpu" and isinstance(ready.predictor, LocalPredictor)
    memory_mb = fixed_mb + (per_megapixel_mb * kind.batch * card.tile_px**2 / 1e6 if is_here else 0)
    held_mp = min(grid.width * grid.height, ready.scene.held_m2 / grid.gsd_m**2) / 1e6
    tiles_mp = held_mp * (card.tile_px / (card.tile_px - card.overlap_px)) ** 2
    return needs_beside(output, memory_mb, tiles_mp + held_mp / 4)


def _predict(ready: _Ready, checkpoint: Checkpoint, target: tuple[Path, Path], watch: Watch) -> StageTimes:
    raster, work = target
    times = predict_raster(
        ready.scene, ready.grid, checkpoint, ready.predictor, raster=raster, work=work, watch=watch
    )
    ready.scene.refuse_if_changed()
    return times


def _walk(ready: _Ready, output: Output, seconds: dict[str, float], times: StageTimes) -> Walk:
    kind, messages = ready.predictor.kind, (*ready.scene.messages, *ready.predictor.messages)
    if times.saw_nothing:
        messages = (*messages, "no pixel is valid")
    return Walk(
        str(output), 0, 0.0, seconds, kind.name, kind.device, kind.precision, ready.grid.gsd_m,
        peak_rss_mb(), messages,
        {"read": times.read_s, "network": times.network_s, "write": times.write_s}, times.waited,
        times.workers,
    )  # fmt: skip


def vectorize(
    raster_path: Path,
    output: Output,
    params: VectorizeParams,
    options: WriteOptions | None = None,
    *,
    mask: MaskParams | None = None,
    parallel_map: ParallelMap | None = None,
) -> Walk:
    """Road layer of a mask or probability raster.

    Args:
        mask: what the raster's values mean, where it does not say so itself.
        parallel_map: does what can be done block by block; None: the threads of this process.

    Raises:
        GeoroadsError: when raster, area or output are not usable; nothing is written then.
    """
    provenance = provenance_of(raster_path, params, mask=mask)
    options = options or WriteOptions(provenance, sources=(raster_path.name,))
    check_road_output(output, options, inputs=(raster_path,))
    with alone_at(output) if isinstance(output, Path) else nullcontext():
        return _vectorize(
            raster_path, output, params, options, mask=mask, parallel_map=parallel_map or Threads()
        )


def _vectorize(
    raster_path: Path,
    output: Output,
    params: VectorizeParams,
    options: WriteOptions,
    *,
    parallel_map: ParallelMap,
    mask: MaskParams | None = None,
) -> Walk:
    """As ``vectorize``, with the output checked and locked."""
    started = time.monotonic()
    with ProbabilityRaster(raster_path, mask) as raster:
        if options.area is not None:
            options.area.on(raster.grid)  # refuses what misses the raster, before the work
        _check_crs(output, options, raster.grid.crs)
        network = trace_network(raster.read, raster.grid, params, parallel_map=parallel_map)
        messages = (*raster.messages, *network.messages)
    network = write_roads(network, output, options)
    seconds = {"vectorize": time.monotonic() - started}
    km = float(network.length_m.sum()) / 1000
    return Walk(
        str(output), network.n_edges, km, seconds, gsd_m=network.grid.gsd_m, peak_rss_mb=peak_rss_mb(),
        messages=messages,
    )  # fmt: skip


def extract(
    scenes: Scenes,
    output: Output,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: tuple[PredictParams, VectorizeParams],
    options: WriteOptions | None = None,
    *,
    resume: bool | None = None,
    watch: Watch = unwatched,
) -> Walk:
    """Road layer of a scene, or of several as one: predict and vectorize, through the same quantised raster.

    Where the options have an area, only the tiles that bear on it are predicted. A killed run leaves
    ``OUTPUT.work`` (for a database see ``work_place``), which ``resume`` goes on with.

    Raises:
        GeoroadsError: when scene, model, device, area or output are not usable; nothing is written then.
    """
    options = options or WriteOptions(provenance_of(scenes, params[1], checkpoint))
    options = dataclasses.replace(options, sources=tuple(p.name for p in _paths(scenes)))
    check_road_output(output, options, inputs=_inputs(scenes))
    started = time.monotonic()
    with _opened(scenes, checkpoint, scene_params, params[0], options.area) as ready:
        place = work_place(output, options.layer_names[0])
        _needs(ready, checkpoint, place).check(place)
        if ready.grid.crs != ready.scene.grid.crs and place.suffix.lower() not in GEOJSON:
            options = dataclasses.replace(options, crs=options.crs or ready.scene.grid.crs)
        if isinstance(output, Database):
            check_output(place, overwrite=True)
        _check_crs(output, options, ready.grid.crs)
        opened = time.monotonic()
        with work_for(place, resume=resume) as work:
            raster = work / "probability.tif"
            Thread(target=_load_what_follows, daemon=True).start()
            times = _predict(ready, checkpoint, (raster, work), watch)
            predicted = time.monotonic()
            lines = _vectorize(raster, output, params[1], options, parallel_map=ready.predictor.parallel_map)
    seconds = {"open": opened - started, "predict": predicted - opened} | lines.seconds
    walk = _walk(ready, output, seconds, times)
    return dataclasses.replace(walk, roads=lines.roads, length_km=lines.length_km, peak_rss_mb=peak_rss_mb())


def _check_crs(output: Output, options: WriteOptions, crs: str) -> None:
    """Refuse a database that does not take the CRS, now that it is known, before the work."""
    if isinstance(output, Database):
        check_road_output(output, dataclasses.replace(options, crs=options.crs or crs))


def _load_what_follows() -> None:
    """Import and load, beside the network, what the lines need then: half a second of a small scene."""
    import pyogrio  # noqa: F401

    anywhere = Grid("EPSG:32631", Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000), 16, 16)
    cross = np.zeros((16, 16), dtype=np.uint8)
    cross[4:8] = cross[:, 4:8] = FULL
    trace_network(lambda window: cross[window.slices], anywhere, VectorizeParams())


def provenance_of(
    inputs: Scenes,
    params: VectorizeParams,
    checkpoint: Checkpoint | None = None,
    *,
    mask: MaskParams | None = None,
) -> Provenance:
    """Where a layer comes from; files on servers have no date.

    Args:
        inputs: scenes, or a raster.
        params: how lines are traced.
        checkpoint: the model; None where somebody's raster is traced.
        mask: what was said of that raster's values.

    Raises:
        GeoroadsError: when an input does not exist or cannot be read.
    """
    paths = _paths(inputs)
    local = [path for path in scene_files(paths) if remote_name(path) is None]
    for path in local:
        first_bytes(path)
    card = checkpoint.card if checkpoint else None
    return Provenance(
        model=card.name if card else "",
        model_sha256=checkpoint.sha256 if checkpoint else "",
        model_terms=card.terms if card else "",
        parameters=json.dumps(dataclasses.asdict(params) | said_of(mask), sort_keys=True),
        scene=", ".join(path.name for path in paths),
        version=__version__,
        date=provenance_date(local),
    )


def _paths(scenes: Scenes) -> tuple[Path, ...]:
    return (scenes,) if isinstance(scenes, Path) else tuple(scenes)


def _inputs(scenes: Scenes) -> tuple[Path, ...]:
    """Every file that is read: indexes, and the scenes that they name."""
    return (*_paths(scenes), *scene_files(_paths(scenes)))
