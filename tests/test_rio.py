"""rio roads: declared for rasterio's command line, found by it, and refusing as a command of rio does."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from click.testing import CliRunner

from georoads.cli.rio import roads

ROOT = Path(__file__).resolve().parent.parent


def test_rio_finds_the_command(tmp_path: Path) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"]
    # As an installation leaves it; the checkout itself may be older than the entry point.
    info = tmp_path / "declared-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: declared\nVersion: 0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        f"[rasterio.rio_plugins]\nroads = {declared['rasterio.rio_plugins']['roads']}\n", encoding="utf-8"
    )
    code = "import sys; from rasterio.rio.main import main_group; sys.argv[0] = 'rio'; main_group()"
    done = subprocess.run(
        [sys.executable, "-c", code, "roads", "--help"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(ROOT)))},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Usage: rio roads [OPTIONS] SCENES...")
    assert "--overwrite" in done.stdout


def test_it_refuses_in_words_with_a_hint(tmp_path: Path) -> None:
    done = CliRunner().invoke(roads, [str(tmp_path / "none.tif"), "-o", str(tmp_path / "roads.gpkg")])
    assert done.exit_code == 1
    assert "none.tif" in done.output and "\nhint: " in done.output
    assert not list(tmp_path.iterdir())
