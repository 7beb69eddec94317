"""The readers of files, fed at random for long: ``python benchmarks/fuzz.py EXAMPLES [READER …]``.

Runs the strategies of tests/faults/fuzzed.py; as reader ``scenes`` those of fuzzed_scenes.py, drawn scenes
of all kinds through extract with a small network, about ten a second; as ``masks`` those of fuzzed_masks.py,
drawn rasters of all kinds through vectorize; as ``CRSs`` those of fuzzed_crs.py, roads in drawn CRSs through
every format and back, one or two a second; as ``models`` and ``settings`` those of fuzzed_models.py (ONNX
files through predict) and fuzzed_settings.py (``--set`` of seven commands), three to ten a second; as
``networks`` drawn probabilities, whose road network must be sound, ten a second. What makes one fail is shown
as small as it can be made; a minute for one is a failure, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy, integers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inference"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "output"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "data"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "network"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "difference"))
from fuzzed import READERS
from fuzzed_crs import check_crs, drawn_crs
from fuzzed_masks import check_mask, drawn_masks
from fuzzed_models import DrawnModel, check_model, draw_scene, drawn_models
from fuzzed_scenes import check_scene, drawn_scenes
from fuzzed_settings import Settings, check_settings, draw_inputs, drawn_settings
from network_drawings import drawn_levels, drawn_network
from soundness import check_levels

from georoads.errors import GeoroadsError

LONGEST_S = 60
"""What takes longer hangs."""


def _check_model(model: DrawnModel, folder: Path) -> str:
    models = folder / "models"
    if not models.exists():
        draw_scene(folder)
        models.mkdir()
    return check_model(model, folder / "scene.tif", models)


def _check_settings(drawn: Settings, folder: Path) -> str:
    inputs, outputs = folder / "in", folder / "out"
    if not inputs.exists():
        inputs.mkdir()
        outputs.mkdir()
        draw_inputs(inputs)
    return check_settings(drawn, inputs, outputs)


def _check_network(seed: int, _: Path) -> str:
    check_levels((drawn_levels if seed % 2 else drawn_network)(seed))
    return "read"


DRAWN: dict[str, tuple[SearchStrategy[Any], Callable[[Any, Path], str]]] = {
    "scenes": (drawn_scenes(), check_scene),
    "masks": (drawn_masks(), check_mask),
    "CRSs": (drawn_crs(), check_crs),
    "models": (drawn_models(("openvino", "onnx")), _check_model),
    "settings": (drawn_settings(), _check_settings),
    "networks": (integers(0, 2**31), _check_network),
}
"""What is drawn, and what checks it and says whether it was read or refused."""


def feed(name: str, examples: int) -> bool:
    """Feed one reader, or what checks drawn things; True when it held."""
    ends = Counter[str]()
    long = settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as cache:
        os.environ["GEOROADS_CACHE"] = cache
        if name in DRAWN:
            things, check = DRAWN[name]

            @long
            @given(things)
            def one(thing: Any) -> None:
                started = time.monotonic()
                ends[check(thing, Path(folder))] += 1
                assert time.monotonic() - started < LONGEST_S, "it hangs"
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
