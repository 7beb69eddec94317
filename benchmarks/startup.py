"""How long until something happens, beside what importing torch alone takes: python benchmarks/startup.py

``georoads --help``; and ``extract`` of 512 x 512 pixels (a corner of the example scene) through OpenVINO,
when the compiled model and numba's code are kept from the run before. Medians of five, in turn.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import rasterio
from rasterio.windows import Window

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "scene.tif"
SIDE = 512


def seconds(*arguments: str) -> float:
    """Wall time of a fresh Python process."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def corner(path: Path) -> Path:
    """A part of the example scene with roads in it."""
    with rasterio.open(EXAMPLE) as source:
        window = Window(500, 500, SIDE, SIDE)
        profile = source.profile | {
            "width": SIDE,
            "height": SIDE,
            "transform": source.window_transform(window),
        }
        with rasterio.open(path, "w", **profile) as out:
            out.write(source.read(window=window))
    return path


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        scene = corner(Path(folder) / "scene.tif")
        output = Path(folder) / "roads.gpkg"
        commands = {
            "import torch": ("-c", "import torch"),
            "georoads --help": ("-m", "georoads", "--help"),
            f"extract {SIDE} x {SIDE}": (
                "-m", "georoads", "extract", str(scene), "-o", str(output), "--overwrite", "-q",
            ),
        }  # fmt: skip
        times: dict[str, list[float]] = {name: [] for name in commands}
        for turn in range(6):
            for name, arguments in commands.items():
                taken = seconds(*arguments)
                if turn:  # the first warms the caches
                    times[name].append(taken)
    torch = statistics.median(times["import torch"])
    for name, turns in times.items():
        median = statistics.median(turns)
        print(f"{name}: {median:.2f} s, {median / torch:.2f} x import torch")


if __name__ == "__main__":
    main()
