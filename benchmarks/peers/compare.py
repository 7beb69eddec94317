"""The same network, the same scene, by several tools: python benchmarks/peers/compare.py --peers PYTHON

    python -m venv peers
    peers/bin/pip install geodeep torchgeo geoai-py torch segmentation-models-pytorch onnx onnxruntime
    python benchmarks/peers/compare.py --peers peers/bin/python [--side 2048] [--rounds 3]

DeepLabV3+ with ResNet-18 and random weights (only time is compared), tiles of 512 px that share 128, a
deflate GeoTIFF of drawn ground. Each tool starts with its network loaded and ends with its raster of roads
written; in turn, each in a process of its own, medians of the rounds. georoads runs with the runtime that it
chooses, and at fp32 with ONNX Runtime, which GeoDeep uses, and torch, which torchgeo and geoai use. The peers
are never dependencies of georoads; their licences (GeoDeep: AGPL) hold for them alone.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = {
    "georoads": [],
    "georoads, ONNX Runtime fp32": ["--runtime", "onnx"],
    "georoads, torch fp32": ["--runtime", "torch", "--precision", "fp32"],
}
PEERS = ("geodeep", "torchgeo", "geoai")


def run(python: str, script: str, *arguments: str) -> dict[str, float]:
    """What a script prints as its last line: a JSON object with ``seconds`` and ``peak_mb``."""
    command = [python, str(HERE / script), *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{script} {arguments[0]} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def main() -> None:
    """Measure all in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", required=True, help="the Python in which the peers are installed")
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(sys.executable, "ours.py", "prepare", folder, str(args.side))
        times: dict[str, list[float]] = {}
        peaks: dict[str, float] = {}
        for _ in range(args.rounds):
            for name in (*OURS, *PEERS):
                if name in OURS:
                    figures = run(sys.executable, "ours.py", "predict", folder, *OURS[name])
                else:
                    figures = run(args.peers, "theirs.py", name, folder)
                times.setdefault(name, []).append(figures["seconds"])
                peaks[name] = figures["peak_mb"]
                print(f"  {name}: {figures['seconds']:.1f} s", flush=True)
    first = statistics.median(times["georoads"])
    print(f"{'':30} seconds   MP/s  times ours  peak MB")
    for name, seconds in times.items():
        median = statistics.median(seconds)
        speed = args.side**2 / median / 1e6
        print(f"{name:30} {median:7.1f} {speed:6.2f} {median / first:11.2f} {peaks[name]:8.0f}")


if __name__ == "__main__":
    main()
