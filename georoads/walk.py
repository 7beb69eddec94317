"""The main walk, put together from the rooms: predict, vectorize, extract."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from georoads import __version__
from georoads.errors import GeoroadsError
from georoads.inference.predict import predict_raster
from georoads.inference.raster import ProbabilityRaster
from georoads.inference.select import PredictParams, open_runtime
from georoads.jobs.atomic import check_output, replace_when_complete
from georoads.jobs.progress import Watch, unwatched
from georoads.model.checkpoint import Checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.vectorize import trace_network
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.write import WriteOptions, check_road_output, write_roads
from georoads.scene.read import working_grid
from georoads.scene.scene import SceneParams, open_scene


@dataclass(frozen=True)
class Walk:
    """What a walk did.

    Attributes:
        output: the file written.
        roads: number of lines.
        length_km: their length.
        seconds: by stage.
        runtime, device, precision: of the network.
        gsd_m: of the working grid.
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
    messages: tuple[str, ...] = ()


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
    scene = open_scene(scene_path, scene_params)
    grid = working_grid(scene, checkpoint.card.gsd_m, scene_params.gsd)
    work = output.with_name(output.name + ".work")
    if work.exists() and not resume:
        shutil.rmtree(work)
    runtime, batch = open_runtime(checkpoint, params)
    ready = time.monotonic()
    with replace_when_complete(output, overwrite=overwrite) as part:
        predict_raster(
            scene, grid, checkpoint, runtime, (part, work),
            ahead=(batch, params.prefetch), watch=watch,
        )  # fmt: skip
    shutil.rmtree(work)
    seconds = {"open": ready - started, "predict": time.monotonic() - ready}
    return Walk(
        str(output), 0, 0.0, seconds, runtime.name, runtime.device, runtime.precision, grid.gsd_m,
        scene.messages,
    )  # fmt: skip


def vectorize(
    raster_path: Path, output: Path, params: VectorizeParams, options: WriteOptions | None = None
) -> Walk:
    """Road layer of a mask or probability raster."""
    options = options or WriteOptions(provenance_of(raster_path, params))
    check_road_output(output, options, inputs=(raster_path,))
    started = time.monotonic()
    with ProbabilityRaster(raster_path) as raster:
        network = trace_network(raster.read, raster.grid, params)
    write_roads(network, output, options)
    seconds = {"vectorize": time.monotonic() - started}
    km = float(network.length_m.sum()) / 1000
    return Walk(str(output), network.n_edges, km, seconds, gsd_m=network.grid.gsd_m)


def extract(
    scene_path: Path,
    output: Path,
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: tuple[PredictParams, VectorizeParams],
    *,
    resume: bool = False,
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> Walk:
    """Road layer of a scene: predict and vectorize, through the same quantised raster."""
    options = WriteOptions(
        provenance_of(scene_path, params[1], checkpoint),
        sources=(scene_path.name,),
        overwrite=overwrite,
    )
    check_road_output(output, options, inputs=(scene_path,))
    raster = output.with_name(f".{output.stem}.probability.tif")
    first = predict(
        scene_path, raster, checkpoint, scene_params, params[0],
        resume=resume, overwrite=True, watch=watch,
    )  # fmt: skip
    try:
        second = vectorize(raster, output, params[1], options)
    finally:
        raster.unlink(missing_ok=True)
    return dataclasses.replace(
        first,
        output=str(output),
        roads=second.roads,
        length_km=second.length_km,
        seconds=first.seconds | second.seconds,
    )


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
