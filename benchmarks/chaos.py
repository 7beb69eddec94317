"""Killed at random moments: python benchmarks/chaos.py [--extract 50] [--train 10] [--side 4096] [--seed 1]

EXTRACT runs of ``extract`` (and as many of ``predict``) on a drawn scene of SIDE x SIDE pixels with the
network of memory.py, each killed with SIGKILL twice at moments drawn evenly from an undisturbed run's time,
and resumed until it is done: the probability raster must have the same bytes, the road layer the same rows,
and no other file may stay. TRAIN kills of one training of a tiny network, resumed each time: the weights must
be the same bytes as those of a training that was left alone. Prints the figures; ends with 1 when anything
differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from memory import draw_scene, threshold_network

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "data"))
from drawn_pairs import SMALL_RECIPE, draw_pairs


def georoads(arguments: list[str | Path], kill_after_s: float | None = None) -> tuple[int, str]:
    """Run a command, killed after a time if it is still running: exit code and what it said."""
    command = [sys.executable, "-m", "georoads", *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        with contextlib.suppress(subprocess.TimeoutExpired):
            _, said = process.communicate(timeout=kill_after_s)
            return process.returncode, said
        process.kill()
        _, said = process.communicate()
        return process.returncode, said


def digest(path: Path) -> str:
    """SHA-256 of a layer's rows, or of another file's bytes."""
    if path.suffix != ".gpkg":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = [db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in ("roads", "nodes")]
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def until_done(command: list[str | Path], output: Path, moments: list[float]) -> int:
    """Run a command, kill it at each moment and resume it, at last to the end.

    A kill between the output's appearing and the removal of the work behind it ends the run: it is done.

    Args:
        command: with --resume.
        output: the file that it writes.
        moments: seconds from the start of each run.

    Returns:
        How many kills hit a running process.
    """
    hits = 0
    for moment in moments:
        code, said = georoads(command, moment)
        if code == 0:
            return hits
        if code != -9:
            raise SystemExit(f"ended with {code} by itself: {said}")
        hits += 1
        if output.exists():
            for left in output.parent.glob("*.work"):
                shutil.rmtree(left)
            output.with_name(f".{output.name}.lock").unlink(missing_ok=True)
            return hits
    code, said = georoads(command)
    if code:
        raise SystemExit(f"did not resume: {said}")
    return hits


def chaos_of_extract(folder: Path, runs: int, side: int, draw: random.Random) -> None:
    """Kill runs of extract and of predict; end with 1 if a result differs.

    Args:
        folder: for scene and results.
        runs: of each command.
        side: of the drawn scene, pixels.
        draw: chooses the moments.
    """
    scene, model = folder / "scene.tif", threshold_network(folder)
    draw_scene(scene, side, side)
    out = folder / "out"
    out.mkdir()
    for command, name in (("extract", "roads.gpkg"), ("predict", "p.tif")):
        arguments: list[str | Path] = [command, scene, "-o", out / name, "--model", model, "-q", "--resume"]
        georoads(arguments)  # compiles
        (out / name).unlink()
        started = time.monotonic()
        georoads(arguments)
        whole_s, whole = time.monotonic() - started, digest(out / name)
        hits = differing = left = 0
        for _ in range(runs):
            (out / name).unlink()
            hits += until_done(arguments, out / name, [draw.uniform(0, whole_s) for _ in range(2)])
            differing += digest(out / name) != whole
            left += len(list(out.iterdir())) - 1
        print(
            f"{command}: {runs} runs, {hits} kills, {differing} differ, {left} files left behind", flush=True
        )
        (out / name).unlink()
        if differing or left:
            raise SystemExit(1)


def chaos_of_training(folder: Path, kills: int, draw: random.Random) -> None:
    """Kill one training again and again, each time within an epoch of the next checkpoint.

    Args:
        folder: for data and results.
        kills: how many.
        draw: chooses the moments.
    """
    data = draw_pairs(folder / "data", [f"t{i:02d}" for i in range(12)])
    recipe = folder / "recipe.toml"
    epochs = 2 * kills + 4
    recipe.write_text(SMALL_RECIPE.replace("epochs = 2", f"epochs = {epochs}").format(path=data))
    weights, hits, epoch_s = {}, 0, 0.0
    for name in ("whole", "killed"):
        command: list[str | Path] = ["train", data, "--recipe", recipe, "-o", folder / name, "-q"]
        last = folder / name / "last.json"
        if name == "whole":
            process = subprocess.Popen([sys.executable, "-m", "georoads", *map(str, command)])
            await_change(last, process)
            started = time.monotonic()
            process.wait()
            epoch_s = (time.monotonic() - started) / epochs
        while name == "killed" and hits < kills:
            resumed = [*command, "--resume"] if last.exists() else command
            process = subprocess.Popen([sys.executable, "-m", "georoads", *map(str, resumed)])
            await_change(last, process)
            time.sleep(draw.uniform(0, epoch_s))
            process.kill()
            if process.wait() != -9:
                raise SystemExit(f"training ended with {process.returncode} by itself after {hits} kills")
            hits += 1
        if name == "killed":
            code, said = georoads([*command, "--resume"])
            if code:
                raise SystemExit(f"training ended with {code}: {said}")
        weights[name] = [digest(folder / name / f"{w}.safetensors") for w in ("best", "last")]
    equal = weights["whole"] == weights["killed"]
    print(f"train: {epochs} epochs, {hits} kills, the weights are {'equal' if equal else 'NOT equal'}")
    if not equal:
        raise SystemExit(1)


def await_change(path: Path, process: subprocess.Popen[bytes]) -> None:
    """Wait until a file is written anew, or the process has ended."""
    before = path.stat().st_mtime_ns if path.exists() else None
    while process.poll() is None and (not path.exists() or path.stat().st_mtime_ns == before):
        time.sleep(0.005)


def main() -> None:
    """Run it all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--extract", type=int, default=50)
    parser.add_argument("--train", type=int, default=10)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    draw = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.extract:
            chaos_of_extract(folder, args.extract, args.side, draw)
        if args.train:
            chaos_of_training(folder, args.train, draw)


if __name__ == "__main__":
    main()
