"""The readers of files, fed at random for long: ``python benchmarks/fuzz.py EXAMPLES [READER …]``.

Runs the strategies of tests/faults/fuzzed.py. What makes a reader fail is shown as small as it can be made.
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
from fuzzed import READERS

from georoads.errors import GeoroadsError


def feed(name: str, examples: int) -> bool:
    """Feed one reader; True when it held."""
    reader, ends = READERS[name], Counter[str]()
    with tempfile.TemporaryDirectory() as folder:

        @settings(
            max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
        )
        @given(reader.food)
        def one(content: bytes) -> None:
            try:
                reader.read(content, Path(folder))
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
    parser.add_argument("readers", nargs="*", help=", ".join(READERS))
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    held = [feed(name, arguments.examples) for name in arguments.readers or READERS]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
