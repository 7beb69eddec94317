"""The errors that georoads expects and explains. Only the command line catches them."""

from __future__ import annotations

from georoads.text import without_secrets


class GeoroadsError(Exception):
    """An expected failure: what is wrong (with the name of the file) and what to do about it.

    Addresses in it have lost their secrets.

    Args:
        message: one sentence that names the file or value seen and what is wrong with it.
        hint: one sentence with a way out.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        self.message = without_secrets(message)
        self.hint = without_secrets(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class SceneError(GeoroadsError):
    """A scene cannot be opened, placed on the ground or read."""


class CheckpointError(GeoroadsError):
    """A checkpoint or its card is missing, damaged or does not fit."""


class DatasetError(GeoroadsError):
    """A training data set is incomplete, unreadable or contradicts itself."""


class LayerError(GeoroadsError):
    """A road layer cannot be read or written."""
