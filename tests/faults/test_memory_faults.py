"""Little memory. The numbers are those of docs/faults.md."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from georoads import resources
from georoads.errors import GeoroadsError

ROOT = Path(__file__).resolve().parents[2]
LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (int(sys.argv.pop(1)) * 10**6,) * 2)
from georoads.cli.main import main
main()
"""


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
@pytest.mark.skipif(find_spec("openvino") is None, reason="needs openvino")
@pytest.mark.parametrize("megabytes", [600, 1000, 1300, 1600])
def test_93_too_little_address_space_is_said_in_two_lines(tmp_path: Path, megabytes: int) -> None:
    scene, output = tmp_path / "scene.tif", tmp_path / "p.tif"
    picture = np.random.default_rng(0).integers(1, 255, (3, 512, 512), dtype=np.uint8)
    profile = {"driver": "GTiff", "width": 512, "height": 512, "count": 3, "dtype": "uint8"}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    with rasterio.open(scene, "w", crs="EPSG:32632", transform=transform, **profile) as out:
        out.write(picture)
    words = ["predict", scene, "-o", output, "-q", "--set", "predict.runtime=openvino"]
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GEOROADS_CACHE": str(tmp_path)}
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LIMITED, str(megabytes), *map(str, words)], cwd=ROOT,
        env=os.environ | threads, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ended.returncode in (0, 1), ended  # how much it takes depends on the libraries
    if ended.returncode == 1:
        error, hint = ended.stderr.splitlines()
        assert error.startswith("error: ") and ("memory" in error or "address space" in error), ended.stderr
        assert hint.startswith("hint: ") and "ulimit -v" in hint, ended.stderr
        assert not output.exists()


def test_93_what_a_limit_leaves_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_address_space_mb", lambda: 500.0)
    resources.check_address_space("OpenVINO", 400)
    with pytest.raises(GeoroadsError, match="about 1,000 MB of address space, 500 MB are left"):
        resources.check_address_space("OpenVINO", 800)
