"""The verbs of the walk: each takes what was prepared for it, and answers with figures or roads."""

from __future__ import annotations

import dataclasses
import time
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Thread

import numpy as np
from affine import Affine

from georoads.appearance import Appearance
from georoads.crs import parse_crs
from georoads.files.atomic import replace_when_complete
from georoads.files.work import alone_at, work_for
from georoads.grid import Grid
from georoads.inference.predict import StageTimes, predict_raster
from georoads.inference.raster import ProbabilityRaster, with_overviews
from georoads.inference.tiles import TilePlan
from georoads.levels import FULL
from georoads.memory import peak_rss_mb
from georoads.network.params import VectorizeParams
from georoads.network.types import ParallelMap, RoadNetwork
from georoads.network.vectorize import trace_network
from georoads.output.write import clipped, layer_crs, write_roads
from georoads.progress import Watch, unwatched
from georoads.scene.mosaic import members_of
from georoads.scene.scene import Scene
from georoads.scene.working_grid import own_corner
from georoads.walk.prepared import Opened, PreparedExtract, PreparedPredict, PreparedVectorize
from georoads.walk.request import LayerRequest
from georoads.walk.result import Plan, RoadResult, Summary
from georoads.workers.threads import Threads

_NONE_INSIDE = "no road lies inside the area"
_SURROUND = 0.03
"""Of the tiles: fewer plain ones are no surround."""


def plan(prepared: PreparedPredict | PreparedExtract) -> Plan:
    """What ``predict`` or ``extract`` would do; nothing is predicted or written."""
    opened = prepared.opened
    grid, card, kind = opened.grid, opened.checkpoint.card, opened.predictor.kind
    return Plan(
        width=grid.width, height=grid.height, gsd_m=grid.gsd_m, crs=parse_crs(grid.crs).name,
        own_pixels=own_corner(opened.scene.grid, grid) is not None,
        tiles=len(TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)),
        tile_px=card.tile_px, overlap_px=card.overlap_px, batch=kind.batch,
        runtime=kind.name, device=kind.device, precision=kind.precision,
        needs=opened.needs, messages=opened.scene.messages,
    )  # fmt: skip


def predict(prepared: PreparedPredict, *, watch: Watch = unwatched) -> Summary:
    """Write the probability raster of a scene, or of several as one.

    A killed run leaves ``OUTPUT.work``, which a request with ``resume`` goes on with.

    Raises:
        GeoroadsError: memory or disk do not suffice; the scene is damaged or changes meanwhile.
    """
    request, opened = prepared.request, prepared.opened
    opened.needs.check(opened.work_beside)
    started = time.monotonic()
    with (
        work_for(request.output, resume=request.resume) as work,
        replace_when_complete(request.output, overwrite=request.raster.overwrite) as part,
    ):
        times = _predict(opened, part, work, watch)
        if request.raster.cog:
            with_overviews(part, work)
    seconds = {"open": opened.seconds, "predict": time.monotonic() - started}
    return _summary(opened, str(request.output), seconds, times)


def extract(prepared: PreparedExtract, *, watch: Watch = unwatched) -> RoadResult:
    """The roads of a scene, or of several as one, traced in the same raster that ``predict`` writes.

    A killed run leaves ``OUTPUT.work`` (for a database see ``work_place``), which a request with ``resume``
    goes on with.

    Raises:
        GeoroadsError: memory or disk do not suffice; the scene is damaged or changes meanwhile; the output
            can no longer be written.
    """
    opened, layer = prepared.opened, prepared.layer
    opened.needs.check(opened.work_beside)
    started = time.monotonic()
    with work_for(opened.work_beside, resume=prepared.request.resume) as work:
        path = work / "probability.tif"
        Thread(target=_load_what_follows, daemon=True).start()
        times = _predict(opened, path, work, watch)
        predicted = time.monotonic()
        with ProbabilityRaster(path) as raster:
            network = _trace_and_write(raster, layer, opened.predictor.parallel_map)
    seconds = {"open": opened.seconds, "predict": predicted - started}
    seconds["vectorize"] = time.monotonic() - predicted
    summary = _summary(opened, _shown(layer), seconds, times)
    _draw_preview(layer, members_of(opened.scene))
    return _result(summary, network, layer)


def vectorize(prepared: PreparedVectorize, *, parallel_map: ParallelMap | None = None) -> RoadResult:
    """The roads of a mask or probability raster.

    Args:
        prepared: the opened raster, and what becomes of the roads.
        parallel_map: does what can be done block by block; None: the threads of this process.

    Raises:
        GeoroadsError: the raster is damaged; the output can no longer be written.
    """
    started = time.monotonic()
    layer = prepared.layer
    with alone_at(layer.output) if isinstance(layer.output, Path) else nullcontext():
        network = _trace_and_write(prepared.raster, layer, parallel_map or Threads())
    summary = Summary(
        output=_shown(layer),
        seconds={"vectorize": prepared.seconds + time.monotonic() - started},
        gsd_m=network.grid.gsd_m,
        peak_rss_mb=peak_rss_mb(),
        messages=prepared.raster.messages,
    )
    _draw_preview(layer, prepared.scenes)
    return _result(summary, network, layer)


def _predict(opened: Opened, raster: Path, work: Path, watch: Watch) -> StageTimes:
    """Write a probability raster; ``work`` is the folder of finished tiles."""
    times = predict_raster(
        opened.scene, opened.grid, opened.checkpoint, opened.predictor, raster=raster, work=work, watch=watch
    )
    opened.scene.refuse_if_changed()
    return times


def _trace_and_write(
    raster: ProbabilityRaster, layer: LayerRequest, parallel_map: ParallelMap
) -> RoadNetwork:
    """Trace the roads and write them where there is an output; of the area only."""
    network = trace_network(
        raster.read, raster.grid, layer.network, parallel_map=parallel_map, holds=raster.holds
    )
    if layer.output is None:
        kept = clipped(network, layer.write)
    else:
        kept = write_roads(network, layer.output, layer.write)
    return dataclasses.replace(kept, messages=network.messages)


def _draw_preview(layer: LayerRequest, scenes: tuple[Scene, ...]) -> None:
    if layer.preview is not None and isinstance(layer.output, Path):
        from georoads.view.preview import write_preview

        name, overwrite = layer.write.layer, layer.write.overwrite
        write_preview(layer.preview, layer.output, scenes, layer=name, overwrite=overwrite)


def _summary(opened: Opened, output: str, seconds: dict[str, float], times: StageTimes) -> Summary:
    kind = opened.predictor.kind
    messages = (*opened.scene.messages, *opened.predictor.messages)
    if times.saw_nothing:
        messages = (*messages, "no pixel is valid")
    if times.look is not None:
        messages = (*messages, *_unlike_the_known(opened, times.look), *_not_declared(opened, *times.plain))
    return Summary(
        output=output, seconds=seconds, gsd_m=opened.grid.gsd_m, peak_rss_mb=peak_rss_mb(), messages=messages,
        runtime=kind.name, device=kind.device, precision=kind.precision,
        stages={"read": times.read_s, "network": times.network_s, "write": times.write_s},
        waited=times.waited, workers=times.workers,
    )  # fmt: skip


def _unlike_the_known(opened: Opened, look: Appearance) -> tuple[str, ...]:
    """What is to be said of a scene that looks like nothing its model has learned from."""
    card = opened.checkpoint.card
    if not (how := card.seen.differences(look)):
        return ()
    said = f"unlike the pictures that {card.name} has learned from: {how}; check the lines"
    gain = card.seen.gain(look)
    if gain > 1 and all(scene.is_as_stored for scene in members_of(opened.scene)):
        # Not done unasked: where most of a scene is dark water, its land is bright enough.
        said += f", or brighten what is dark by --set scene.rescale=[0,{max(1, int(255 / gain))}]"
    return (said,)


def _not_declared(opened: Opened, value: int, share: float) -> tuple[str, ...]:
    """What is to be said of a surround that is nodata by its look alone: roads end there, as dead ends."""
    scenes = members_of(opened.scene)
    if share < _SURROUND or not all(s.is_as_stored and s.nodata != value for s in scenes):
        return ()
    colour = "white" if value else "black"
    return (
        f"{share:.0%} of the tiles are plain {colour}, and the scene does not say that this is nodata: if it "
        f"is no imagery, --set scene.nodata={value} lets roads leave the scene there",
    )


def _result(summary: Summary, network: RoadNetwork, layer: LayerRequest) -> RoadResult:
    found = network.messages or (() if network.n_edges else (_NONE_INSIDE,))
    messages = tuple(dict.fromkeys((*summary.messages, *found)))  # an empty scene is an empty mask, too
    km = float(network.length_m.sum()) / 1000
    return RoadResult(
        summary=dataclasses.replace(summary, roads=network.n_edges, length_km=km, messages=messages),
        network=network,
        crs=layer_crs(layer.output, layer.write, network),
        sources=layer.write.sources,
    )


def _shown(layer: LayerRequest) -> str:
    return "" if layer.output is None else str(layer.output)


def _load_what_follows() -> None:
    """Import and load, beside the network, what the lines need then: half a second of a small scene.

    Where it does not succeed, the lines will say why.
    """
    with suppress(ImportError, OSError, MemoryError, RuntimeError):
        import pyogrio  # noqa: F401

        anywhere = Grid("EPSG:32631", Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000), 16, 16)
        cross = np.zeros((16, 16), dtype=np.uint8)
        cross[4:8] = cross[:, 4:8] = FULL
        trace_network(lambda window: cross[window.slices], anywhere, VectorizeParams())
