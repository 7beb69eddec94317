"""The house rules that tools check: ruff, mypy --strict, import-linter, module sizes, light imports."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "georoads").rglob("*.py"))


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name: str) -> str:
    path = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: pip install 'georoads[test]'")
    return path


def test_ruff() -> None:
    run(tool("ruff"), "check", "georoads", "tests")


def test_mypy() -> None:
    run(tool("mypy"), "--strict", "-p", "georoads")


def test_import_contracts() -> None:
    run(tool("lint-imports"))


def test_no_module_over_400_lines() -> None:
    long = {p.name: n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long


@pytest.mark.parametrize("module", ["georoads"])
def test_light_import(module: str) -> None:
    heavy = ("torch", "rasterio", "geopandas", "skimage", "matplotlib")
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    assert run(sys.executable, "-c", code).strip() == "[]"
