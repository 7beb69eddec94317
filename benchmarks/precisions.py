"""How fast is a precision on this CPU? python benchmarks/precisions.py [--model default] [--rounds 25]

One batch of tiles goes through OpenVINO in each precision in turn. Prints the median megapixels of tiles a
second of each, the same by processor time, which other programs disturb less, and the speed over fp32.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections import defaultdict

import numpy as np

from georoads.inference.select import PRECISIONS, PredictParams, open_runtime
from georoads.model.checkpoint import find_checkpoint


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="default")
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    model = find_checkpoint(args.model)
    kinds = [p for p in PRECISIONS[1:] if p != "int8" or model.int8 is not None]
    runtimes = {kind: open_runtime(model, PredictParams("cpu", "openvino", kind)) for kind in kinds}
    tile, batch = model.card.tile_px, runtimes["fp32"].batch
    pixels = np.random.default_rng(0).integers(0, 256, (batch, 3, tile, tile), dtype=np.uint8)
    wall, processor = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    for _ in range(args.rounds):
        for kind, runtime in runtimes.items():
            began = time.perf_counter(), time.process_time()
            runtime.levels(pixels)
            wall[kind].append(time.perf_counter() - began[0])
            processor[kind].append(time.process_time() - began[1])
    mp = batch * tile * tile / 1e6
    for kind in kinds:
        seconds, of_processor = (statistics.median(times[kind]) for times in (wall, processor))
        full = [statistics.median(times["fp32"]) for times in (wall, processor)]
        print(
            f"{kind}: {mp / seconds:.2f} MP/s, {mp / of_processor:.2f} a processor second; "
            f"{full[0] / seconds:.2f} x fp32, {full[1] / of_processor:.2f} x by processor time"
        )


if __name__ == "__main__":
    main()
