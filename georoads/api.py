"""The package's functions for Python: names of files in, results out; each opens what it needs.

Files are given as str or Path, scenes also as lists of these; a model by name, by path, or loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from georoads.extras import TRAINING, require_extra

if TYPE_CHECKING:
    from georoads.difference.params import DiffParams
    from georoads.difference.request import Difference
    from georoads.evaluation.evaluate import EvaluateParams, Evaluation
    from georoads.inference.mask_params import MaskParams
    from georoads.inference.raster import RasterOptions
    from georoads.inference.select import PredictParams
    from georoads.model.checkpoint import Checkpoint
    from georoads.network.params import VectorizeParams
    from georoads.output.read import RoadLines
    from georoads.output.write import WriteOptions
    from georoads.scene.mosaic import AnyScene
    from georoads.scene.scene import SceneParams
    from georoads.scoring.params import ScoreParams
    from georoads.scoring.score import Score
    from georoads.training.recipe import Recipe
    from georoads.training.run_folder import Epoch
    from georoads.walk import LayerRequest, RoadResult, Summary

File = str | Path


def open_scene(scenes: File | Sequence[File], params: SceneParams | None = None) -> AnyScene:
    """Open a scene, several that are seen as one, or an index of scenes; nothing is decoded.

    Args:
        scenes: rasters that GDAL reads; of several the first decides the CRS.
        params: how they are read.

    Raises:
        SceneError: a scene cannot be opened or placed on the ground.

    Example:
        >>> scene = open_scene("scene.tif")
        >>> scene.grid.width, scene.grid.height, round(scene.grid.gsd_m, 2)
        (448, 448, 0.5)
    """
    from georoads.scene.mosaic import open_scenes
    from georoads.scene.scene import SceneParams

    return open_scenes(_paths(scenes), params or SceneParams())


def load_model(model: File = "default") -> Checkpoint:
    """A model by name or path: its card is read, its weights are when they are used.

    Args:
        model: ``default``, a model that ships, or the path of a card, of weights, or of a training's folder.

    Raises:
        CheckpointError: there is none, or it is damaged.

    Example:
        >>> load_model().card.gsd_m
        0.5
    """
    from georoads.model.checkpoint import find_checkpoint

    return find_checkpoint(str(model))


def extract(
    scenes: File | Sequence[File],
    output: File | None = None,
    model: File | Checkpoint = "default",
    *,
    scene: SceneParams | None = None,
    predict: PredictParams | None = None,
    network: VectorizeParams | None = None,
    write: WriteOptions | None = None,
    resume: bool | None = None,
) -> RoadResult:
    """The roads of a scene, or of several as one.

    Args:
        scenes: rasters that GDAL reads, or indexes of such.
        output: a file (.gpkg, .geojson, .fgb, .parquet, .osm) or the address of a PostGIS database; None:
            nothing is written.
        model: which network; its pixel size, tile and threshold are used.
        scene: how scenes are read.
        predict: how and where the network runs.
        network: how roads are traced.
        write: how they are written, and the area of interest (see ``read_area``).
        resume: True goes on with the work that a stopped run has left, False throws it away.

    Returns:
        The roads: ``.roads`` and ``.nodes`` as GeoDataFrames, ``.summary`` in figures.

    Raises:
        GeoroadsError: scene, model, device, area or output are not usable; nothing is written then.

    Example:
        >>> result = extract("scene.tif")
        >>> len(result.roads) == result.summary.roads
        True
        >>> list(result.roads.columns)[:3]
        ['road_id', 'length_m', 'width_m']
    """
    from georoads import walk
    from georoads.inference.select import PredictParams
    from georoads.scene.scene import SceneParams

    request = walk.ExtractRequest(
        scenes=_paths(scenes),
        checkpoint=_checkpoint(model),
        scene=scene or SceneParams(),
        predict=predict or PredictParams(),
        resume=resume,
        layer=_layer(output, network, write),
    )
    with walk.prepare(request) as prepared:
        return walk.extract(prepared)


def predict(
    scenes: File | Sequence[File],
    output: File,
    model: File | Checkpoint = "default",
    *,
    scene: SceneParams | None = None,
    predict: PredictParams | None = None,
    raster: RasterOptions | None = None,
    resume: bool | None = None,
) -> Summary:
    """Write the road probability of a scene, or of several as one, as a GeoTIFF: round(254 p), 255 = nodata.

    Args:
        scenes: rasters that GDAL reads, or indexes of such.
        output: the GeoTIFF.
        model: which network; its pixel size and tile are used.
        scene: how scenes are read.
        predict: how and where the network runs.
        raster: how the GeoTIFF is written.
        resume: True goes on with the work that a stopped run has left, False throws it away.

    Raises:
        GeoroadsError: scene, model, device or output are not usable; nothing is written then.

    Example:
        >>> predict("scene.tif", "probability.tif").output
        'probability.tif'
    """
    from georoads import walk
    from georoads.inference.raster import RasterOptions
    from georoads.inference.select import PredictParams
    from georoads.scene.scene import SceneParams

    request = walk.PredictRequest(
        scenes=_paths(scenes),
        checkpoint=_checkpoint(model),
        scene=scene or SceneParams(),
        predict=predict or PredictParams(),
        resume=resume,
        output=Path(output),
        raster=raster or RasterOptions(),
    )
    with walk.prepare(request) as prepared:
        return walk.predict(prepared)


def vectorize(
    raster: File,
    output: File | None = None,
    *,
    mask: MaskParams | None = None,
    network: VectorizeParams | None = None,
    write: WriteOptions | None = None,
) -> RoadResult:
    """The roads of a mask or probability raster, as ``predict`` or another program has written it.

    Args:
        raster: a 0/1 or 0/255 mask, floats 0 to 1, or whole numbers with a scale.
        output: as for ``extract``.
        mask: what the raster's values mean, where it does not say so itself.
        network: how roads are traced; without a threshold, that which the raster names holds, or 0.5.
        write: how they are written, and the area of interest.

    Returns:
        The roads, as ``extract`` returns them.

    Raises:
        GeoroadsError: raster, area or output are not usable; nothing is written then.

    Example:
        >>> result = vectorize("probability.tif", "roads.gpkg")
        >>> result.summary.output
        'roads.gpkg'
    """
    from georoads import walk
    from georoads.inference.mask_params import MaskParams

    layer = _layer(output, network, write)
    request = walk.VectorizeRequest(raster=Path(raster), mask=mask or MaskParams(), layer=layer)
    with walk.prepare(request) as prepared:
        return walk.vectorize(prepared)


def score(
    roads: File | RoadLines | RoadResult,
    reference: File | RoadLines | RoadResult,
    params: ScoreParams | None = None,
    *,
    layer: str | None = None,
    reference_layer: str | None = None,
    protocol: str = "georoads",
) -> Score:
    """Score roads against a reference: lengths, APLS, TOPO, nodes, and how tidy they are (docs/scoring.md).

    Args:
        roads: a road layer, lines that ``read_roads`` has read, or the result of ``extract``.
        reference: the truth, likewise.
        params, protocol: the settings, None for the protocol's; "spacenet", "cityscale" score as papers do.
        layer, reference_layer: of the two files, where they have several.

    Raises:
        LayerError: a layer cannot be read.

    Example:
        >>> score("roads.gpkg", "roads.gpkg").f1
        1.0
    """
    from georoads.scoring.score import score as score_lines

    return score_lines(_lines(roads, layer), _lines(reference, reference_layer), params, protocol)


def diff(
    roads: File | RoadLines | RoadResult,
    reference: File | RoadLines | RoadResult,
    output: File | None = None,
    *,
    params: DiffParams | None = None,
    probability: File | None = None,
    layer: str | None = None,
    reference_layer: str | None = None,
    overwrite: bool = False,
) -> Difference:
    """What is new in roads, missing from them, or moved, as against a reference (docs/diff.md).

    Args:
        roads: a road layer, lines that ``read_roads`` has read, or the result of ``extract``.
        reference: a map, or the roads of an earlier scene, likewise.
        output: a file (.gpkg, .geojson, .fgb, .parquet, .maproulette.geojson); None: nothing is written.
        params: how they are compared.
        probability: a probability raster of the scene of roads: only where it is valid can a road be missing.
        layer: of the file of roads, where it has several.
        reference_layer: of the reference's file, where it has several.
        overwrite: True when an existing file may be replaced.

    Returns:
        ``.changes`` as GeoDataFrame, ``.offset_m``, and the kilometres of each kind by ``.km``.

    Raises:
        GeoroadsError: a layer, the raster or the output is not usable; nothing is written then.

    Example:
        >>> diff("roads.gpkg", "roads.gpkg").changes.empty
        True
    """
    from georoads.difference.params import DiffParams
    from georoads.difference.request import DiffRequest
    from georoads.difference.request import diff as find_difference

    request = DiffRequest(
        _named_lines(roads), _named_lines(reference), layer, reference_layer, _path(probability),
        params or DiffParams(), output=_path(output), overwrite=overwrite,
    )  # fmt: skip
    return find_difference(request)


def train(
    data: File | None = None,
    output: File | None = None,
    *,
    recipe: str | Path | Recipe | None = None,
    init: File | None = None,
    epochs: int | None = None,
    minutes: float | None = None,
    resume: bool = False,
    on_epoch: Callable[[Epoch], None] = lambda epoch: None,
) -> Checkpoint:
    """Train a model, and return the best one.

    Args:
        data: folder of the data set; None: those that the recipe names.
        output: the run's folder; None: ``runs/DATE``.
        recipe: its name or TOML file, or the recipe itself; None: ``deepglobe``, or ``finetune`` with init.
        init: a model to go on from, instead of an encoder.
        epochs: how often each picture's ground is seen; None: as the recipe says.
        minutes: wall time of the training, instead of epochs.
        resume: True goes on with the run in the output folder.
        on_epoch: called with the figures of each epoch.

    Raises:
        GeoroadsError: data or parameters do not fit.

    Example:
        >>> model = train("deepglobe", minutes=10)  # doctest: +SKIP
        >>> extract("scene.tif", model=model)  # doctest: +SKIP
    """
    require_extra("train", "georoads.train", TRAINING)
    from georoads.training.loop import train as train_recipe
    from georoads.training.recipe import compose_recipe

    composed = compose_recipe(data, recipe=recipe, init=init or "", epochs=epochs, minutes=minutes)
    folder = Path(output) if output is not None else Path("runs") / time.strftime("%Y-%m-%d-%H%M%S")
    train_recipe(composed, folder, resume=resume, command="georoads.train", on_epoch=on_epoch)
    return load_model(folder)


def evaluate(
    data: File,
    model: File | Checkpoint = "default",
    *,
    split: str = "auto",
    subset: str = "val",
    gsd_m: float | None = None,
    predict: PredictParams | None = None,
    params: EvaluateParams | None = None,
) -> Evaluation:
    """Judge a model's pixels on a subset of a data set, at its own threshold, tile and overlap.

    Args:
        data: folder of the data set.
        model: which network.
        split: how the data set is divided: ``auto``, ``random``, ``published``, ``spatial``, or a split file.
        subset: ``train``, ``val`` or ``test``.
        gsd_m: metres per pixel, where the data set does not say it.
        predict: how the network runs.
        params: how pictures are judged.

    Raises:
        GeoroadsError: the data set, the split or the model is not usable.
    """
    from georoads.data.dataset import open_dataset
    from georoads.data.split import split_dataset
    from georoads.evaluation.evaluate import EvaluateParams, evaluate_samples
    from georoads.inference.select import PredictParams, open_runtime

    checkpoint = _checkpoint(model)
    samples = split_dataset(open_dataset(data, gsd_m), split).subset(subset)
    runtime = open_runtime(checkpoint, predict or PredictParams())
    how = replace(params or EvaluateParams(), subset=subset)
    return evaluate_samples(samples, checkpoint.card, runtime, how)


def _paths(files: File | Sequence[File]) -> tuple[Path, ...]:
    return (Path(files),) if isinstance(files, str | Path) else tuple(map(Path, files))


def _path(file: File | None) -> Path | None:
    return None if file is None else Path(file)


def _checkpoint(model: File | Checkpoint) -> Checkpoint:
    return load_model(model) if isinstance(model, str | Path) else model


def _layer(output: File | None, network: VectorizeParams | None, write: WriteOptions | None) -> LayerRequest:
    from georoads.network.params import VectorizeParams
    from georoads.output.address import output_of
    from georoads.output.write import WriteOptions
    from georoads.walk import LayerRequest

    return LayerRequest(
        output=None if output is None else output_of(output),
        network=network or VectorizeParams(),
        write=write or WriteOptions(),
    )


def _named_lines(roads: File | RoadLines | RoadResult) -> Path | RoadLines:
    return Path(roads) if isinstance(roads, str | Path) else _lines(roads, None)


def _lines(roads: File | RoadLines | RoadResult, layer: str | None) -> RoadLines:
    from georoads.output.read import RoadLines, read_roads

    if isinstance(roads, RoadLines):
        return roads
    if isinstance(roads, str | Path):
        return read_roads(roads, layer)
    table = roads.roads
    columns = {str(name): table[name].to_numpy() for name in table.columns if name != table.geometry.name}
    return RoadLines(table.geometry.to_numpy(), table.crs.to_wkt(), columns=columns)
