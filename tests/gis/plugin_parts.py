"""The parts of the QGIS plugin that need no QGIS, as a package of another name than georoads."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "qgis" / "georoads"
_NAME = "georoads_in_qgis"

if not PLUGIN.is_dir():
    pytest.skip("the source distribution does not hold the plugin", allow_module_level=True)


def plugin_part(name: str) -> ModuleType:
    """A module of the plugin."""
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            _NAME, PLUGIN / "__init__.py", submodule_search_locations=[str(PLUGIN)]
        )
        assert spec is not None and spec.loader is not None
        sys.modules[_NAME] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[_NAME])
    return importlib.import_module(f"{_NAME}.{name}")
