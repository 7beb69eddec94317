"""Readers fed at random: a right value or a GeoroadsError, never another exception or a warning.

benchmarks/fuzz.py does the same at length.
"""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from fuzzed import READERS
from hypothesis import HealthCheck, given, settings

from georoads.errors import GeoroadsError

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("name", READERS)
def test_a_reader_gives_a_right_value_or_refuses(name: str, tmp_path: Path) -> None:
    reader = READERS[name]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(reader.food)
    def feed(content: bytes) -> None:
        with contextlib.suppress(GeoroadsError):
            reader.read(content, tmp_path)

    feed()


HEAD = b"image_id,split,sat_image_path,mask_path\na,train,"
FOUND = {
    "a root of another system": ("metadata.csv", HEAD + b"\\etc\\passwd,train/a_mask.png\n"),
    "a name longer than any": ("metadata.csv", HEAD + b"9" * 400 + b",train/a_mask.png\n"),
    "a field that is not UTF-8": (
        "GeoJSON",
        b'{"type":"Feature","properties":{"\x80":1},"geometry":{"type":"LineString","coordinates":[[1,2],[3,4]]}}',
    ),
    "a split nested without end": ("split", b"[" * 100_000),
}


@pytest.mark.parametrize("case", FOUND)
def test_what_fuzzing_found_is_refused(case: str, tmp_path: Path) -> None:
    name, content = FOUND[case]
    with pytest.raises(GeoroadsError):
        READERS[name].read(content, tmp_path)


def test_what_fuzzing_found_is_kept_as_text(tmp_path: Path) -> None:
    for content in (b'{"\\ud800": 1}', b"[NaN]", b"[1e999]", b"[" * 100_000):
        READERS["provenance"].read(content, tmp_path)
