"""What is fed at random for long: ``python benchmarks/fuzz.py EXAMPLES [READER …|scenes|models|settings]``.

Runs the strategies of tests/faults/fuzzed.py, which feed the readers of files; with ``scenes``, ``models``
and ``settings`` those of fuzzed_scenes.py (drawn scenes through extract with a small network),
fuzzed_models.py (ONNX files through predict) and fuzzed_settings.py (``--set`` of seven commands), three to
ten a second. What makes one fail is shown as small as it can be made; more than a minute is a failure, too.
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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "faults"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "inference"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "data"))
from fuzzed import READERS, Reader

from georoads.errors import GeoroadsError

LONGEST_S = 60
"""What takes longer hangs."""


@dataclass(frozen=True)
class Fed:
    """What is fed, and what eats it: it returns "read", "refused" or "", or raises where it does not hold."""

    food: st.SearchStrategy[Any]
    eat: Callable[[Any], str]


def _reader(reader: Reader, folder: Path) -> Fed:
    def eat(content: bytes) -> str:
        try:
            reader.read(content, folder)
        except GeoroadsError:
            return "refused"
        return "read"

    return Fed(reader.food, eat)


def _scenes(folder: Path) -> Fed:
    from fuzzed_scenes import check_scene, drawn_scenes

    return Fed(drawn_scenes(), lambda scene: check_scene(scene, folder))


def _models(folder: Path) -> Fed:
    from fuzzed_models import check_model, draw_scene, drawn_models

    scene, models = draw_scene(folder), folder / "models"
    models.mkdir()
    return Fed(drawn_models(("openvino", "onnx")), lambda model: check_model(model, scene, models))


def _settings(folder: Path) -> Fed:
    from fuzzed_settings import check_settings, draw_inputs, drawn_settings

    inputs, outputs = folder / "in", folder / "out"
    inputs.mkdir()
    outputs.mkdir()
    draw_inputs(inputs)
    return Fed(drawn_settings(), lambda drawn: check_settings(drawn, inputs, outputs))


LARGER: dict[str, Callable[[Path], Fed]] = {"scenes": _scenes, "models": _models, "settings": _settings}
"""What goes through whole commands."""


def feed(name: str, examples: int) -> bool:
    """Feed one reader, or commands; True when it held."""
    ends = Counter[str]()
    long = settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    with tempfile.TemporaryDirectory() as folder:
        os.environ["GEOROADS_CACHE"] = str(Path(folder) / "cache")
        place = Path(folder) / "work"
        place.mkdir()
        fed = LARGER[name](place) if name in LARGER else _reader(READERS[name], place)

        @long
        @given(fed.food)
        def one(drawn: Any) -> None:
            started = time.monotonic()
            ends[fed.eat(drawn)] += 1
            assert time.monotonic() - started < LONGEST_S, "it hangs"

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
    parser.add_argument("readers", nargs="*", help=", ".join([*READERS, *LARGER]))
    arguments = parser.parse_args()
    warnings.simplefilter("error")
    warnings.filterwarnings(
        "ignore", "Use `@` matmul", PendingDeprecationWarning
    )  # rasterio 1.4 with affine 3
    held = [feed(name, arguments.examples) for name in arguments.readers or READERS]
    sys.exit(not all(held))


if __name__ == "__main__":
    main()
