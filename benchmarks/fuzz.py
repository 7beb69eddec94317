"""The readers of files, fed at random for long: ``python benchmarks/fuzz.py EXAMPLES [READER …]``.

Runs the strategies of tests/faults/fuzzed.py; as reader ``scenes`` those of fuzzed_scenes.py, drawn scenes
of all kinds through extract with a small network, about ten a second; as ``CRSs`` those of fuzzed_crs.py,
roads in drawn CRSs through every format and back, one or two a second. What makes one fail is shown as small
as it can be made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inference"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "output"))
from fuzzed import READERS
from fuzzed_crs import check_crs, drawn_crs
from fuzzed_scenes import check_scene, drawn_scenes

from georoads.errors import GeoroadsError

DRAWN: dict[str, tuple[SearchStrategy[Any], Callable[[Any, Path], str]]] = {
    "scenes": (drawn_scenes(), check_scene),
    "CRSs": (drawn_crs(), check_crs),
}
"""What is drawn, and what checks it and says whether it was read or refused."""


def feed(name: str, examples: int) -> bool:
    """Feed one reader, or what checks drawn things; True when it held."""
    ends = Counter[str]()
    long = settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    with tempfile.TemporaryDirectory() as folder:
        if name in DRAWN:
            things, check = DRAWN[name]

            @long
            @given(things)
            def one(thing: Any) -> None:
                ends[check(thing, Path(folder))] += 1
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
    parser.add_argument("readers", nargs="*", help=", ".join([*READERS, *DRAWN]))
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    warnings.filterwarnings(
        "ignore", "Use `@` matmul", PendingDeprecationWarning
    )  # rasterio 1.4 with affine 3
    held = [feed(name, arguments.examples) for name in arguments.readers or READERS]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
