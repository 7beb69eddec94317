"""What is wanted of the walk: requests, each a frozen value that nothing has checked yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from georoads.inference.mask_params import MaskParams
from georoads.inference.raster import RasterOptions
from georoads.inference.select import PredictParams
from georoads.model.checkpoint import Checkpoint
from georoads.network.params import VectorizeParams
from georoads.output.address import Output
from georoads.output.area import Area
from georoads.output.write import WriteOptions
from georoads.remote.params import RemoteParams
from georoads.scene.scene import SceneParams


@dataclass(frozen=True, kw_only=True)
class LayerRequest:
    """The road layer that is wanted.

    Attributes:
        output: the file or database to write; None: the roads are returned only.
        network: how roads are traced.
        write: how they are written, and the area of interest.
        preview: a picture of the lines to write too; None: none.
        date: of the layer; None: that of the youngest input, so that equal runs give equal bytes.
    """

    output: Output | None = None
    network: VectorizeParams = field(default_factory=VectorizeParams)
    write: WriteOptions = field(default_factory=WriteOptions)
    preview: Path | None = None
    date: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class RemoteScenes:
    """Which of the scenes lie on servers, and may be fetched (see ``walk.fetched``).

    Attributes:
        addresses: as they were typed, by their place among the scenes: a Path would mangle them.
        params: limits and choices.
        keys: the environment, by which ``${NAME}`` in an address is replaced.
        headers: sent to the servers of the addresses.
    """

    addresses: Mapping[int, str] = field(default_factory=dict, repr=False)
    params: RemoteParams = field(default_factory=RemoteParams)
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class SceneRequest:
    """What is predicted, and how.

    Attributes:
        scenes: rasters, or indexes of such; several are seen as one, the first on top.
        checkpoint: the model.
        scene: how scenes are read.
        predict: how and where the network runs.
        resume: True goes on with the work that a stopped run has left, False throws it away; None refuses
            where such work would be lost.
        figures: file that the figures will be written to, ``-`` for standard output; None: none.
        remote: which of the scenes are to be fetched first; None: none may be.
        imagery: where scenes were fetched from, for the provenance.
        notes: what the summary must say of that.
    """

    scenes: tuple[Path, ...]
    checkpoint: Checkpoint
    scene: SceneParams = field(default_factory=SceneParams)
    predict: PredictParams = field(default_factory=PredictParams)
    resume: bool | None = None
    figures: Path | None = None
    remote: RemoteScenes | None = None
    imagery: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PredictRequest(SceneRequest):
    """A probability raster of scenes.

    Attributes:
        output: the GeoTIFF to write.
        raster: how it is written.
        area: of which p is wanted; None: of all that scenes show.
    """

    output: Path
    raster: RasterOptions = field(default_factory=RasterOptions)
    area: Area | None = None


@dataclass(frozen=True, kw_only=True)
class ExtractRequest(SceneRequest):
    """A road layer of scenes.

    Attributes:
        layer: what becomes of the roads.
    """

    layer: LayerRequest = field(default_factory=LayerRequest)


@dataclass(frozen=True, kw_only=True)
class VectorizeRequest:
    """A road layer of a mask or probability raster.

    Attributes:
        raster: the file.
        mask: what its values mean, where it does not say so itself.
        layer: what becomes of the roads.
        figures: as for scenes.
    """

    raster: Path
    mask: MaskParams = field(default_factory=MaskParams)
    layer: LayerRequest = field(default_factory=LayerRequest)
    figures: Path | None = None
