"""The card: the JSON beside the weights that says everything needed to use and judge them."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from georoads.appearance import Seen, parse_seen
from georoads.calibration import Calibration, parse_calibration
from georoads.errors import CheckpointError, GeoroadsError
from georoads.model.config import ModelConfig
from georoads.settings import with_values
from georoads.text import printable

CARD_VERSION = 1
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Signs that a terminal obeys, and those that turn the direction of what follows; not tabs and line ends."""
MAX_CARD_BYTES = 16_000_000
"""Beyond, a file is no card, and is not read."""


@dataclass(frozen=True)
class ModelCard:
    """What a checkpoint is.

    Attributes:
        name: of the model, for users.
        model: architecture, encoder, channels: enough to build the network again.
        mean, std: of the input bands, for values 0..1 (the network sees (value/255 - mean)/std).
        gsd_m: metres per pixel that the network was trained at.
        tile_px, overlap_px: the square that goes through the network at once, and what neighbours
            share. The network pools over the tile, so the tile is part of the model.
        threshold: p at and above which a pixel is road, k/254.
        files: file name to sha256 of the weights (safetensors) and of the ONNX twin.
        terms: under which terms the weights may be used.
        data: data sets it was trained on.
        split_sha256: of the split that kept training and judging apart.
        metrics: by subset, each with what it measures and how.
        command, versions: how and with what it was made.
        calibration: what p and the widths of the mask mean.
        extra: keys of a card that this version does not know; kept.
        seen: what the pictures that it has learned from look like.
    """

    name: str
    model: ModelConfig
    mean: tuple[float, ...]
    std: tuple[float, ...]
    gsd_m: float
    tile_px: int
    overlap_px: int
    threshold: float
    files: dict[str, str] = field(default_factory=dict)
    terms: str = ""
    data: tuple[dict[str, Any], ...] = ()
    split_sha256: str = ""
    metrics: dict[str, Any] = field(default_factory=dict)
    command: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    card_version: int = CARD_VERSION
    calibration: Calibration = field(default_factory=Calibration)
    extra: dict[str, Any] = field(default_factory=dict)
    seen: Seen = field(default_factory=Seen)

    def __post_init__(self) -> None:
        bands, half = self.model.in_channels, self.tile_px // 2
        for key, value, holds, expected in (
            (
                "mean/std",
                (self.mean, self.std),
                len(self.mean) == bands == len(self.std),
                "one value per band",
            ),
            ("mean", self.mean, all(abs(m) <= 255 for m in self.mean), "values from -255 to 255"),
            ("std", self.std, all(0.001 <= s <= 255 for s in self.std), "values from 0.001 to 255"),
            ("gsd_m", self.gsd_m, 0.01 <= self.gsd_m <= 100, "metres per pixel, 0.01 to 100"),
            ("tile_px", self.tile_px, self.tile_px in range(32, 8193, 32), "a multiple of 32, 32..8192"),
            ("overlap_px", self.overlap_px, 1 <= self.overlap_px <= half, "1 to half the tile"),
            ("threshold", self.threshold, 0.5 <= 254 * self.threshold <= 254, "a probability, 1/254 to 1"),
            ("name", self.name, not _CONTROL.search(self.name), "a text without control characters"),
            ("terms", self.terms, not _CONTROL.search(self.terms), "a text without control characters"),
        ):
            if not holds:
                found = repr(value)[:80]
                raise CheckpointError(f"the card's {key} is out of range: {found}", f"expected: {expected}")

    def to_json(self) -> str:
        """Readable JSON, keys in the order of the attributes."""
        content = dataclasses.asdict(self)
        content |= content.pop("extra")
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_card(path: Path) -> ModelCard:
    """Read and check a card.

    Raises:
        CheckpointError: naming the file, the key and what it should be.
    """
    shown = printable(path)
    try:
        if path.stat().st_size > MAX_CARD_BYTES:
            raise CheckpointError(
                f"the card {shown} is larger than {MAX_CARD_BYTES / 1e6:.0f} MB",
                "give the card that belongs to the weights",
            )
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise CheckpointError(f"the card {shown} cannot be read: {e}", "copy it beside the weights") from e
    try:
        content = json.loads(text)
        # What Python's JSON takes and no other: NaN, infinity, halves of a character, nesting without end.
        json.dumps(content, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as e:
        raise CheckpointError(f"the card {shown} is not JSON: {str(e)[:200]}", "copy it again") from e
    if not isinstance(content, dict):
        raise CheckpointError(f"the card {shown} is not a JSON object", "copy it again")
    return _parse_card(content, shown)


def _parse_card(content: dict[str, Any], shown: str) -> ModelCard:
    """The card that an object of JSON states; what it does not know is kept."""
    version = content.get("card_version", CARD_VERSION)
    if not isinstance(version, int) or version > CARD_VERSION:
        raise CheckpointError(
            f"{shown} has card_version {str(version)[:80]!r}, this georoads reads up to {CARD_VERSION}",
            "install a newer georoads",
        )
    known: dict[str, Any] = {}
    for f in dataclasses.fields(ModelCard):
        required = f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
        if f.name == "extra" or (f.name not in content and not required):
            continue
        if f.name not in content:
            raise CheckpointError(
                f"{shown} lacks the key {f.name!r}", "the card is incomplete: copy it again"
            )
        known[f.name] = _parse_value(content[f.name], f.name, shown)
    try:
        extra = {k: v for k, v in content.items() if k not in known}
        return ModelCard(**known, extra=extra)
    except CheckpointError as e:
        raise CheckpointError(f"{shown}: {e.message}", e.hint) from e


def _parse_value(value: Any, key: str, shown: str) -> Any:
    """The value of a key in its Python type."""
    if key == "model" and isinstance(value, dict):
        return _parse_model(value, shown)
    if key in _PARSED:
        try:
            return _PARSED[key](value)
        except ValueError as e:
            raise CheckpointError(f"{shown}: {key}: {e}", "copy the card again") from e
    fits, expected = _EXPECTED.get(key, (_is_text, "a text"))
    if not fits(value):
        raise CheckpointError(f"{shown}: {key} is {str(value)[:80]!r}", f"expected: {expected}")
    if key in ("mean", "std"):
        return tuple(float(v) for v in value)
    if key in ("gsd_m", "threshold"):
        return float(value)
    return tuple(value) if key == "data" else value


def _parse_model(value: dict[str, Any], shown: str) -> ModelConfig:
    """The network that the card's object describes."""
    for key in ("architecture", "encoder"):
        if key not in value:
            raise CheckpointError(f"{shown} lacks the key 'model.{key}'", "copy the card again")
    try:
        return with_values(ModelConfig(), value, "model")
    except GeoroadsError as e:
        raise CheckpointError(f"{shown}: {e.message[:300]}", f"copy the card again; {e.hint}") from e


def _is_number(value: Any) -> bool:
    # A whole number of JSON may be larger than any float.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_PARSED: dict[str, Callable[[Any], Any]] = {"calibration": parse_calibration, "seen": parse_seen}
"""Keys whose values are read by who owns them."""
_EXPECTED: dict[str, tuple[Callable[[Any], bool], str]] = {
    "model": (_is_object, "an object with architecture and encoder"),
    "mean": (lambda v: isinstance(v, list) and all(map(_is_number, v)), "a list of numbers"),
    "std": (lambda v: isinstance(v, list) and all(map(_is_number, v)), "a list of numbers"),
    "gsd_m": (_is_number, "a number"),
    "threshold": (_is_number, "a number"),
    "tile_px": (_is_whole, "a whole number"),
    "overlap_px": (_is_whole, "a whole number"),
    "card_version": (_is_whole, "a whole number"),
    "files": (lambda v: _is_object(v) and all(map(_is_text, v.values())), "an object of sha256 by file name"),
    "metrics": (_is_object, "an object"),
    "versions": (_is_object, "an object"),
    "data": (lambda v: isinstance(v, list) and all(map(_is_object, v)), "a list of objects"),
}
"""What a key must be, and how to say so; a text where it is not listed."""
