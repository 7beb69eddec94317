"""Whatever is typed, and whatever a server sends: read as promised, or refused in words of ours."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any, cast

import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from web_map import drawn, encoded

from georoads.errors import SceneError
from georoads.remote.address import Kind, parse_address
from georoads.remote.client import Answer, Client
from georoads.remote.hosts import origin_of
from georoads.remote.params import RemoteParams
from georoads.remote.part import Wanted
from georoads.remote.picture import read_picture
from georoads.remote.stac import assets_of

SIGNS = "{}xyzqs-:,switch$KEY/?&=@#%[]. aé\\\"'layersWMS0\n"
PICTURES = [encoded(drawn(64), suffix) for suffix in ("png", "jpg", "webp")]
FIELDS = ["type", "features", "assets", "href", "bbox", "properties", "providers", "name", "roles", "license"]
JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.sampled_from(["a.tif", "image/tiff", "Feature", ""]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=12,
)


@given(st.sampled_from(["https://h/", "https://", "http://[", "https://{s}"]), st.text(SIGNS, max_size=60))
def test_any_address(begin: str, text: str) -> None:
    with suppress(SceneError):
        address = parse_address(begin + text, {"KEY": "s3cr3t"})
        assert "s3cr3t" not in address.shown + address.name + repr(address)
        assert address.origin.host and address.hosts
        if address.kind is Kind.TILES:
            origin_of(address.tile(3, 1, 2))


@given(st.text(max_size=40))
def test_any_host(text: str) -> None:
    for url in (text, f"https://{text}"):
        with suppress(SceneError):
            assert origin_of(url).port in range(65536)


@settings(deadline=None)
@given(
    st.sampled_from(PICTURES),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 255)), max_size=6),
    st.integers(0, 8000),
)
def test_any_picture(content: bytes, edits: list[tuple[int, int]], length: int) -> None:
    damaged = bytearray(content)
    for place, value in edits:
        damaged[place % len(damaged)] = value
    with suppress(SceneError):
        assert read_picture(bytes(damaged[:length]), "it").shape[0] == 4


@given(JSON, JSON, JSON)
def test_any_item(first: Any, second: Any, third: Any) -> None:
    wanted = Wanted(shapely.box(0, 0, 1e6, 1e6), 0.5, RemoteParams())
    item = {"type": "Feature", "assets": {"x": {"href": "a.tif"}}, "bbox": first, "properties": second}
    for document in (
        first,
        item,
        item | {"assets": third},
        {"type": "FeatureCollection", "features": [first]},
    ):
        content = json.dumps(document).encode()
        answer = Answer(206, content, len(content), "", "https://h/a.json")
        with suppress(SceneError):
            found = assets_of(parse_address("https://h/a.json"), answer, wanted, cast(Client, None))
            assert all(asset.url.startswith("https://") for asset, _ in found)
