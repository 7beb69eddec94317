"""Optional parts of the installation: what is missing is said before the work, with its pip command."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from georoads.errors import GeoroadsError

NETWORK = ("torch", "segmentation_models_pytorch", "safetensors")
"""Modules that build a network in torch and load its weights."""

TRAINING = (*NETWORK, "albumentations", "matplotlib", "skimage")
"""Modules of the extra ``train``."""


def require_extra(extra: str, needed_by: str, modules: Sequence[str], otherwise: str = "") -> None:
    """Refuse work whose packages are not installed; nothing is imported.

    Args:
        extra: name of the extra in pyproject.toml that brings the modules; several are parted by commas.
        needed_by: the command, option or format that needs them, for the message.
        modules: top-level modules that the work imports.
        otherwise: another way out, for the hint.

    Raises:
        GeoroadsError: one of the modules is not installed; the hint is the command that installs the extra.
    """
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        verb = "is" if len(missing) == 1 else "are"
        install = f'python -m pip install "georoads[{extra}]"'
        raise GeoroadsError(
            f"{needed_by} needs {', '.join(missing)}, which {verb} not installed",
            f"{install}; {otherwise}" if otherwise else install,
        )
