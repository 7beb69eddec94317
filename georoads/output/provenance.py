"""Where a road layer comes from: model, its terms, parameters, scene, version and date."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from georoads import __version__
from georoads.errors import GeoroadsError

_NO_DATE = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True)
class Provenance:
    """What a reader of the layer needs to judge it, and to make it again.

    Attributes:
        model: name of the model, "" when the lines come from somebody else's mask.
        model_sha256: of its weights.
        model_terms: the model's terms of use.
        parameters: the parameters as text, JSON where possible.
        scene: name of the scene or scenes.
        version: of georoads.
        date: with a time zone; equal runs need an equal date, so it is that of the scene.
        area: name of the area of interest, "" for all of the scene.
        model_use: what the terms allow, in a word or two (see ``model.terms``); "" without a model.
        imagery: addresses that the scene was fetched from, with whom it is to be credited to; "" for files.
    """

    model: str = ""
    model_sha256: str = ""
    model_terms: str = ""
    parameters: str = "{}"
    scene: str = ""
    version: str = __version__
    date: datetime = _NO_DATE
    area: str = ""
    model_use: str = ""
    imagery: str = ""

    def __post_init__(self) -> None:
        if self.date.tzinfo is None:
            raise ValueError("the date needs a time zone")

    @property
    def timestamp(self) -> str:
        """The date as GeoPackage writes it: UTC, milliseconds."""
        return self.date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")

    def as_json(self) -> str:
        """One JSON object with stable order; parameters that are JSON are nested, not quoted."""
        parameters: Any = self.parameters
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(self.parameters)
            # NaN, infinity and halves of a character are JSON to Python alone.
            json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
            parameters = found
        record = {
            "software": "georoads",
            "version": self.version,
            "model": self.model,
            "model_sha256": self.model_sha256,
            "model_terms": self.model_terms,
            "model_use": self.model_use,
            "scene": self.scene,
            "date": self.timestamp,
            "parameters": parameters,
        }
        if self.imagery:
            record["imagery"] = self.imagery
        if self.area:
            record["area"] = self.area
        return json.dumps(record, ensure_ascii=False, indent=1)


def provenance_date(scenes: Iterable[str | Path]) -> datetime:
    """The date of the youngest scene, to the second; 1970 where there is none.

    Raises:
        OSError: a scene does not exist.
    """
    seconds = max((int(Path(scene).stat().st_mtime) for scene in scenes), default=0)
    return datetime.fromtimestamp(seconds, UTC)


def source_date(environ: Mapping[str, str]) -> datetime | None:
    """The date that SOURCE_DATE_EPOCH asks for, as reproducible-builds.org has it; None where it is not set.

    Raises:
        GeoroadsError: SOURCE_DATE_EPOCH is no number of seconds.
    """
    epoch = environ.get("SOURCE_DATE_EPOCH")
    if epoch is None:
        return None
    try:
        return datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as e:
        raise GeoroadsError(
            f"SOURCE_DATE_EPOCH is {epoch!r}", "it must be a number of seconds since 1970, or unset"
        ) from e
