"""Readers of files, fed at random for long: ``python benchmarks/fuzz.py EXAMPLES [READER|scenes|masks …]``.

Runs the strategies of tests/faults/fuzzed.py; with ``scenes`` those of fuzzed_scenes.py, drawn scenes of
all kinds through extract with a small network, about ten a second; with ``masks`` those of fuzzed_masks.py,
drawn rasters of all kinds through vectorize. What makes a reader fail is shown as small as it can be made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inference"))
from fuzzed import READERS
from fuzzed_masks import DrawnMask, check_mask, drawn_masks
from fuzzed_scenes import DrawnScene, check_scene, drawn_scenes

from georoads.errors import GeoroadsError


def feed(name: str, examples: int) -> bool:
    """Feed one reader, extract with scenes, or vectorize with masks; True when it held."""
    ends = Counter[str]()
    long = settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    with tempfile.TemporaryDirectory() as folder:
        if name == "scenes":

            @long
            @given(drawn_scenes())
            def one(scene: DrawnScene) -> None:
                ends[check_scene(scene, Path(folder))] += 1
        elif name == "masks":

            @long
            @given(drawn_masks())
            def one(mask: DrawnMask) -> None:
                ends[check_mask(mask, Path(folder))] += 1
        else:

            @long
            @given(READERS[name].food)
            def one(content: bytes) -> None:
                try:
                    READERS[name].read(content, Path(folder))
                    ends["read"] += 1
                except GeoroadsError:
                    ends["refused"] += 1

        failure = None
        try:
            one()
        except BaseException as e:  # noqa: BLE001  # whatever it is, it is what is looked for
            failure = e
    print(f"{name}: {ends['read']} read, {ends['refused']} refused")
    if failure is not None:
        print(f"  {type(failure).__name__}: {failure}", *getattr(failure, "__notes__", ()), sep="\n  ")
    return failure is None


def main() -> None:
    """Feed each reader EXAMPLES times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", type=int)
    parser.add_argument("readers", nargs="*", help=", ".join([*READERS, "scenes", "masks"]))
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    warnings.filterwarnings(
        "ignore", "Use `@` matmul", PendingDeprecationWarning
    )  # rasterio 1.4 with affine 3
    held = [feed(name, arguments.examples) for name in arguments.readers or READERS]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
