"""Preparing the walk: scenes, grid, network, outputs, area and provenance, each opened and checked once."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from georoads.calibration import Calibration
from georoads.errors import GeoroadsError
from georoads.files.atomic import check_output
from georoads.files.figures import check_figures
from georoads.grid import Grid
from georoads.inference.batches import Job
from georoads.inference.local import LocalPredictor, Predictor
from georoads.inference.mask_params import said_of
from georoads.inference.raster import ProbabilityRaster, check_raster_output
from georoads.inference.select import memory_mb, open_runtime
from georoads.inference.tiles import TilePlan
from georoads.model.checkpoint import Checkpoint
from georoads.model.terms import use_of
from georoads.output.address import Database, work_place
from georoads.output.area import Area
from georoads.output.format_params import FormatParams
from georoads.output.formats import IN_DEGREES, ROADS_WRITTEN, suffix_of
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.write import check_crs_of_grid, check_road_output, files_beside
from georoads.resources import Needs, needs_beside
from georoads.scene.index import scene_files
from georoads.scene.mosaic import AnyScene, common_grid, open_files, with_grid_notes, with_notes
from georoads.scene.open import open_scene
from georoads.scene.scene import Scene, SceneParams
from georoads.text import printable, source_name
from georoads.walk.request import (
    ExtractRequest,
    LayerRequest,
    PredictRequest,
    SceneRequest,
    VectorizeRequest,
)


@dataclass(frozen=True, kw_only=True)
class Opened:
    """Scenes, their working grid and who predicts them, opened and found good.

    Attributes:
        checkpoint: the model.
        scene: the scene, or several that are seen as one.
        grid: the working grid, cut to the tiles that bear on the area of interest.
        predictor: the network, here or in workers.
        work_beside: the path beside which unfinished work lies.
        seconds: that opening took.
    """

    checkpoint: Checkpoint
    scene: AnyScene
    grid: Grid
    predictor: Predictor
    work_beside: Path
    seconds: float

    @property
    def needs(self) -> Needs:
        """By estimate: libraries and a batch's activations (measured for the shipped model); the store of
        tiles with data, and a raster that takes a quarter of its pixels' bytes."""
        card, grid, kind = self.checkpoint.card, self.grid, self.predictor.kind
        is_here = kind.device == "cpu" and isinstance(self.predictor, LocalPredictor)
        needed_mb = memory_mb(kind, card.tile_px, on_cpu=is_here)
        held_mp = min(grid.width * grid.height, self.scene.held_m2 / grid.gsd_m**2) / 1e6
        tiles_mp = held_mp * (card.tile_px / (card.tile_px - card.overlap_px)) ** 2
        return needs_beside(self.work_beside, needed_mb, tiles_mp + held_mp / 4)


@dataclass(frozen=True)
class PreparedPredict:
    """A prediction that can begin."""

    request: PredictRequest
    opened: Opened


@dataclass(frozen=True)
class PreparedExtract:
    """An extraction that can begin.

    Attributes:
        layer: the requested layer, completed by threshold, CRS, sources and provenance.
    """

    request: ExtractRequest
    opened: Opened
    layer: LayerRequest


@dataclass(frozen=True, kw_only=True)
class PreparedVectorize:
    """A vectorization that can begin.

    Attributes:
        raster: opened; it is closed when the preparation's block ends.
        scenes: the raster as a picture, where a preview is wanted.
        layer: as for an extraction.
        seconds: that opening the raster took.
    """

    raster: ProbabilityRaster
    scenes: tuple[Scene, ...]
    layer: LayerRequest
    seconds: float


@overload
def prepare(request: PredictRequest) -> AbstractContextManager[PreparedPredict]: ...
@overload
def prepare(request: ExtractRequest) -> AbstractContextManager[PreparedExtract]: ...
@overload
def prepare(request: VectorizeRequest) -> AbstractContextManager[PreparedVectorize]: ...
def prepare(
    request: PredictRequest | ExtractRequest | VectorizeRequest,
) -> AbstractContextManager[PreparedPredict | PreparedExtract | PreparedVectorize]:
    """Open and check, once, all that a request names; what is open is closed when the block ends.

    Raises:
        GeoroadsError: scene, model, device, area or an output is not usable; nothing is written then.
    """
    if isinstance(request, PredictRequest):
        return _prepare_predict(request)
    if isinstance(request, ExtractRequest):
        return _prepare_extract(request)
    return _prepare_vectorize(request)


@contextmanager
def _prepare_predict(request: PredictRequest) -> Iterator[PreparedPredict]:
    started = time.monotonic()
    files = scene_files(request.scenes)
    inputs = (*request.scenes, *files, *request.checkpoint.paths)
    overwrite = request.raster.overwrite
    check_raster_output(request.output, overwrite=overwrite, inputs=inputs)
    check_figures(request.figures, overwrite=overwrite, inputs=inputs, outputs=(request.output,))
    scene = open_files(files, request.scene)
    grid = _grid_around_area(scene, request, request.area)
    with _opened(request, scene, grid, request.output, started) as opened:
        yield PreparedPredict(request, opened)


@contextmanager
def _prepare_extract(request: ExtractRequest) -> Iterator[PreparedExtract]:
    started = time.monotonic()
    files = scene_files(request.scenes)
    check_layer_files(request.layer, request.figures, (*request.scenes, *files, *request.checkpoint.paths))
    scene = open_files(files, request.scene)
    grid = _grid_around_area(scene, request, request.layer.write.area)
    card = request.checkpoint.card
    said = card.threshold, card.calibration
    layer = _completed(
        request.layer, request.scenes, files, said, request.checkpoint, imagery=request.imagery
    )
    with _work_beside(layer) as work_beside:
        in_degrees = ROADS_WRITTEN.get(suffix_of(work_beside)) in IN_DEGREES
        if grid.crs != scene.grid.crs and not in_degrees:
            write = dataclasses.replace(layer.write, crs=layer.write.crs or scene.grid.crs)
            layer = dataclasses.replace(layer, write=write)
        if isinstance(layer.output, Database):
            check_output(work_beside, overwrite=True)
        _check_crs(layer, grid)
        with _opened(request, scene, grid, work_beside, started) as opened:
            yield PreparedExtract(request, opened, layer)


@contextmanager
def _prepare_vectorize(request: VectorizeRequest) -> Iterator[PreparedVectorize]:
    path = request.raster
    check_layer_files(request.layer, request.figures, (path,))
    started = time.monotonic()
    with ProbabilityRaster(path, request.mask) as raster:
        seconds = time.monotonic() - started
        said = raster.threshold, raster.calibration
        layer = _completed(request.layer, (path,), (path,), said, of_values=said_of(request.mask))
        if layer.write.area is not None:
            layer.write.area.on(raster.grid)  # refuses what misses the raster, before the work
        _check_crs(layer, raster.grid)
        whole = SceneParams(max_megapixels=math.inf)
        scenes = (open_scene(path, whole),) if layer.preview is not None else ()
        yield PreparedVectorize(raster=raster, scenes=scenes, layer=layer, seconds=seconds)


def check_layer_files(wanted: LayerRequest, figures: Path | None, inputs: tuple[Path, ...]) -> None:
    """Refuse a road layer, a preview or figures that could not be written to their files.

    Args:
        wanted: the layer.
        figures: their file; None: none.
        inputs: files that the work reads.

    Raises:
        GeoroadsError: as ``check_output``.
    """
    write = wanted.write
    if write.area is not None and write.area.file is not None:
        inputs = (*inputs, write.area.file)
    if isinstance(wanted.output, Path):
        check_road_output(wanted.output, write, inputs=inputs)
    outputs = tuple(output for output in (wanted.output, wanted.preview) if isinstance(output, Path))
    if wanted.output is not None:
        outputs += files_beside(wanted.output, write)
    check_figures(figures, overwrite=write.overwrite, inputs=inputs, outputs=outputs)
    if wanted.preview is None:
        return
    from georoads.view.preview import check_preview_output

    if not isinstance(wanted.output, Path):
        raise GeoroadsError(
            f"{printable(wanted.preview)}: previews are drawn from files, not from {wanted.output}",
            "leave the preview out, or write .gpkg",
        )
    check_preview_output(wanted.preview, inputs, overwrite=write.overwrite)


def _check_crs(layer: LayerRequest, grid: Grid) -> None:
    """Refuse an output that cannot hold the roads, now that their CRS is known."""
    if layer.output is not None:
        check_crs_of_grid(layer.output, layer.write, grid.crs)


def _grid_around_area(scene: AnyScene, request: SceneRequest, area: Area | None) -> Grid:
    """The working grid; where there is an area of interest, only the tiles that bear on it."""
    card = request.checkpoint.card
    grid = common_grid(scene, card.gsd_m, request.scene)
    if area is None:
        return grid
    tiles = TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)
    return grid.crop(tiles.around(area.window_on(grid)))


@contextmanager
def _work_beside(layer: LayerRequest) -> Iterator[Path]:
    """The path beside which unfinished work lies; without an output, one that goes when the block ends."""
    if layer.output is not None:
        yield work_place(layer.output, layer.write.layer_names[0])
        return
    with tempfile.TemporaryDirectory(prefix="georoads-") as folder:
        yield Path(folder) / "roads"


@contextmanager
def _opened(
    request: SceneRequest, scene: AnyScene, grid: Grid, work_beside: Path, started: float
) -> Iterator[Opened]:
    """The scene with its network, which goes when the block ends; ``started`` is when opening began."""
    with _predictor(request, scene, grid) as predictor:
        yield Opened(
            checkpoint=request.checkpoint,
            scene=with_notes(with_grid_notes(scene, request.checkpoint.card.gsd_m), request.notes),
            grid=grid,
            predictor=predictor,
            work_beside=work_beside,
            seconds=time.monotonic() - started,
        )


@contextmanager
def _predictor(request: SceneRequest, scene: AnyScene, grid: Grid) -> Iterator[Predictor]:
    """The network, in this process or in workers of an engine."""
    checkpoint, params = request.checkpoint, request.predict
    if params.engine.is_local:
        runtime = open_runtime(checkpoint, params)
        yield LocalPredictor(runtime, params.prefetch, io_threads=params.io_threads)
        return
    from georoads.inference.remote import open_remote
    from georoads.workers.ray_engine import RayEngine

    with (
        RayEngine(params.engine) as engine,
        open_remote(Job(scene, grid, checkpoint.card), checkpoint, params, engine) as predictor,
    ):
        yield predictor


def _completed(
    wanted: LayerRequest,
    named: tuple[Path, ...],
    files: tuple[Path, ...],
    said: tuple[float, Calibration],
    checkpoint: Checkpoint | None = None,
    of_values: Mapping[str, object] | None = None,
    imagery: tuple[str, ...] = (),
) -> LayerRequest:
    """The layer with what is known of its inputs: threshold, calibration, sources and provenance.

    Args:
        wanted: the layer as it was requested; a threshold that it states holds.
        named: the inputs as they were given.
        files: the rasters that these stand for.
        said: threshold and calibration of the model.
        checkpoint: the model; None where the lines come from somebody's raster.
        of_values: what the user said of that raster's values, to stand among the parameters.
        imagery: where scenes were fetched from; such have no date.
    """
    network, card = wanted.network.completed(*said), checkpoint.card if checkpoint else None
    sources = tuple(source_name(path) for path in named)
    provenance = Provenance(
        model=card.name if card else "",
        model_sha256=checkpoint.sha256 if checkpoint else "",
        model_terms=card.terms if card else "",
        model_use=use_of(card.terms) if card else "",
        parameters=json.dumps(
            dataclasses.asdict(network) | _said_of_formats(wanted.write.formats) | dict(of_values or {}),
            sort_keys=True,
        ),
        scene=", ".join(sources),
        date=wanted.date or provenance_date(() if imagery else files),
        imagery=", ".join(imagery),
    )
    write = dataclasses.replace(wanted.write, provenance=provenance, sources=sources)
    return dataclasses.replace(wanted, network=network, write=write)


def _said_of_formats(formats: FormatParams) -> dict[str, object]:
    """What the user said of the formats, to stand among the parameters."""
    usual = dataclasses.asdict(FormatParams())
    said = dataclasses.asdict(formats)
    return {f"write.{name}": value for name, value in said.items() if value != usual[name]}
