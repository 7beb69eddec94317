"""What the readers of files are fed at random, and what must hold: a right value, or a GeoroadsError.

Run by test_fuzzed_readers.py, and at length by benchmarks/fuzz.py.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from drawn_pbf import pbf_of
from hypothesis import strategies as st
from safetensors.numpy import save

from georoads.data.dataset import open_dataset, read_split_file
from georoads.model.card import ModelCard, read_card
from georoads.model.config import ModelConfig
from georoads.model.tensors import read_tensors
from georoads.output.osm_blobs import doubt_of
from georoads.output.provenance import Provenance
from georoads.output.read import read_roads
from georoads.scene.index import named_in

CARD = ModelCard(
    "m", ModelConfig("Unet", "resnet18"), mean=(0.5,) * 3, std=(0.2,) * 3, gsd_m=0.5, tile_px=64,
    overlap_px=16, threshold=0.5, files={"m.x": "0"},
)  # fmt: skip
TENSORS = save({"a": np.ones((2, 3), np.float16), "b.c": np.zeros(4, np.float32), "n": np.array(3)})
ROWS = (
    "image_id,split,sat_image_path,mask_path\n"
    "a,train,train/a_sat.jpg,train/a_mask.png\n"
    "b,valid,train/b_sat.jpg,\n"
    '"c,""d""",train,"/kaggle/input/train/b_sat.jpg","train\\a_mask.png"\n'
)
BLOBS = pbf_of([({"highway": "road"}, [(9.0, 45.0), (9.01, 45.0)])])
LINES = [
    '{"type":"FeatureCollection","name":"r","crs":{"type":"name","properties":{"name":"EPSG:32632"}},"features":['
    '{"type":"Feature","properties":{"road_id":1,"w":4.5},"geometry":{"type":"LineString","coordinates":'
    '[[9,45],[9.1,45.2,3]]}},{"type":"Feature","properties":null,"geometry":{"type":"MultiLineString",'
    '"coordinates":[[[1,2],[3,4]],[[5,6],[7,8]]]}}]}',
    '{"type":"LineString","coordinates":[[9,45],[9.1,45.2]]}',
    '{"type":"GeometryCollection","geometries":[{"type":"LineString","coordinates":[[9,45],[9.1,45.2]]}]}',
]
SPLIT = '{"train": ["a", "b"], "val": ["c"], "test": []}'
ITEMS = [
    '{"type":"FeatureCollection","features":[{"type":"Feature","stac_version":"1.0.0","id":"i","assets":{"visual":'
    '{"href":"./a.tif","type":"image/tiff; application=geotiff","roles":["data"]},"t":{"href":"t.png"}}},'
    '{"type":"Feature","assets":{"d":{"href":"in/b%20c.tif","roles":["data","visual"]}}}]}',
    '{"type":"Feature","properties":{"location":"a.tif"},"assets":{"d":{"href":"/a.tif"},"e":{"href":"a.tif"}}}',
]
SNIPPETS = [
    b"null", b"NaN", b"1e999", b"-0", b"[]", b"{}", b'""', b"\\u0000", b"\\ud800", b"\x00", b"\xff",
    b"\xef\xbb\xbf", b"..", b"../", b"C:\\", b"\r\n", b'"', b",", b"9" * 400, b"[" * 2000, b'{"a":' * 2000,
    b"a" * 300, b"LineString", b"Point", b"coordinates", b"true", b"EPSG:4326", b"EPSG:0",
]  # fmt: skip

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def mutated(draw: st.DrawFn, *seeds: bytes) -> bytes:
    """A good file with up to four places changed."""
    content = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(content)))
        content[at : at + draw(st.integers(0, 9))] = draw(st.binary(max_size=4) | st.sampled_from(SNIPPETS))
    return bytes(content)


@st.composite
def items(draw: st.DrawFn) -> bytes:
    """STAC items whose assets are well formed, but perhaps elsewhere, missing or not the scene."""
    link = st.sampled_from(
        ["a.tif", "./in/b c.tif", "in/b%20c.tif", "../x.tif", "none.tif", "s3://b/a", "in"]
    )
    kind = st.sampled_from(["image/tiff; application=geotiff", "image/jp2", "image/png", "", "a" * 99])
    role = st.sampled_from(["data", "visual", "overview", "thumbnail", "x"])
    asset = st.fixed_dictionaries(
        {"href": link | values},
        optional={"type": kind | values, "roles": st.lists(role | values, max_size=2)},
    )
    assets = st.dictionaries(st.sampled_from(["visual", "B4", "image"]), asset | values, max_size=2)
    item = st.fixed_dictionaries({"type": st.just("Feature"), "assets": assets | values})
    found = draw(st.lists(item | values, max_size=2))
    return as_json({"type": "FeatureCollection", "features": found})


def as_json(content: Any) -> bytes:
    return json.dumps(content).encode()


@st.composite
def cards(draw: st.DrawFn) -> bytes:
    """A card in which some keys, of the model too, have another value or are gone."""
    content = json.loads(CARD.to_json())
    for part in (content, content["model"]):
        for key in draw(st.sets(st.sampled_from(sorted(part)), max_size=2)):
            part[key] = draw(values)
        for key in draw(st.sets(st.sampled_from(sorted(part)), max_size=1)) - {"model"}:
            del part[key]
    return as_json(content)


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    """A safetensors file whose header is well formed, but perhaps untrue."""
    size = st.integers(0, 12) | st.integers(0, 2**64)
    tensor = st.fixed_dictionaries(
        {
            "dtype": st.sampled_from(
                ["F16", "F32", "F64", "BF16", "I64", "U8", "BOOL", "F8_E4M3", "C64", "F4", "X"]
            ),
            "shape": st.lists(size, max_size=3),
            "data_offsets": st.lists(size, min_size=2, max_size=2) | st.just([0, 12]),
        }
    )
    text = as_json(draw(st.dictionaries(st.text(max_size=3), tensor | values, max_size=3)))
    length = draw(st.just(len(text)) | st.integers(0, 2**64 - 1))
    return struct.pack("<Q", length) + text + draw(st.binary(max_size=24))


def _card(content: bytes, folder: Path) -> None:
    path = folder / "m.json"
    path.write_bytes(content)
    card = read_card(path)
    path.write_text(card.to_json(), encoding="utf-8")
    assert read_card(path) == card


def _tensors(content: bytes, folder: Path) -> None:
    path = folder / "m.safetensors"
    path.write_bytes(content)
    found = read_tensors(path)
    assert sum(t.numel() * t.element_size() for t in found.values()) <= len(content)


def _metadata(content: bytes, folder: Path) -> None:
    if not (folder / "train").exists():
        (folder / "train").mkdir()
        for name in ("a_sat.jpg", "b_sat.jpg", "a_mask.png"):
            (folder / "train" / name).touch()
    (folder / "metadata.csv").write_bytes(content)
    data = open_dataset(folder, skip_bad=len(content) % 2 == 0)
    assert data.samples
    for sample in data.samples:
        for file in (sample.image, sample.mask):
            assert file.is_file() and file.resolve().is_relative_to(folder.resolve())


def _split(content: bytes, folder: Path) -> None:
    path = folder / "split.json"
    path.write_bytes(content)
    subsets = read_split_file(path)
    assert {"train", "val"} <= subsets.keys()
    assert not set(subsets["train"]) & set(subsets["val"])


def _geojson(content: bytes, folder: Path) -> None:
    path = folder / "r.geojson"
    path.write_bytes(content)
    found = read_roads(path)  # checks what it holds: lines, all numbers finite
    assert not shapely.is_empty(found.lines).any()


def _blobs(content: bytes, folder: Path) -> None:
    path = folder / "map.osm.pbf"
    path.write_bytes(content)
    assert doubt_of(path) or content.startswith(BLOBS[:9])


def _items(content: bytes, folder: Path) -> None:
    root = folder / "root"
    if not root.exists():
        (root / "in").mkdir(parents=True)
        for name in ("x.tif", "root/a.tif", "root/in/b c.tif"):
            (folder / name).touch()
    (root / "i.json").write_bytes(content)
    found = named_in(root / "i.json")
    assert found and len({*found}) == len(found)
    for file in found:
        assert file.is_file() and file.is_relative_to(root.resolve())


def _provenance(content: bytes, folder: Path) -> None:
    text = content.decode("utf-8", "replace")
    record = Provenance(text, "", text, text, text, "1", datetime(2024, 1, 1, tzinfo=UTC), text).as_json()
    found = json.loads(record.encode(), parse_constant=_refuse)
    assert (found["model"], found["scene"], found.get("area", "")) == (text, text, text)
    if found["parameters"] != text:
        assert found["parameters"] == json.loads(text)


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


@dataclass(frozen=True)
class Reader:
    """A reader and its food; ``read`` raises GeoroadsError, or nothing where the value is right."""

    food: st.SearchStrategy[bytes]
    read: Callable[[bytes, Path], None]


READERS: dict[str, Reader] = {
    "card": Reader(cards() | mutated(CARD.to_json().encode()) | st.binary(max_size=99), _card),
    "safetensors": Reader(headers() | mutated(TENSORS) | st.binary(max_size=99), _tensors),
    "metadata.csv": Reader(mutated(ROWS.encode()) | st.binary(max_size=99), _metadata),
    "split": Reader(mutated(SPLIT.encode()) | values.map(as_json) | st.binary(max_size=99), _split),
    "GeoJSON": Reader(mutated(*(s.encode() for s in LINES)) | st.binary(max_size=99), _geojson),
    "blobs": Reader(mutated(BLOBS) | st.binary(max_size=99), _blobs),
    "STAC items": Reader(items() | mutated(*(s.encode() for s in ITEMS)) | st.binary(max_size=99), _items),
    "provenance": Reader(mutated(b'{"a": [1]}') | values.map(as_json) | st.binary(max_size=99), _provenance),
}
