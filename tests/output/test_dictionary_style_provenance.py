"""The texts that a layer carries."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from georoads.errors import GeoroadsError
from georoads.network.types import Carriageway, NodeKind
from georoads.output.dictionary import CARRIAGEWAYS, KINDS, LAYERS, markdown
from georoads.output.provenance import Provenance, provenance_date, source_date
from georoads.output.style import (
    CLASSES,
    check_nodes_qml,
    check_roads_qml,
    nodes_qml,
    roads_qml,
    wide_roads_qml,
)

PAGE = Path(__file__).parents[2] / "docs" / "data-dictionary.md"


def test_page_is_made_from_the_table() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "write georoads.output.dictionary.markdown() there"


def test_titles_are_unique_in_their_layer() -> None:
    for layer in LAYERS:
        assert len({f.title for f in layer.fields}) == len(layer.fields)


def test_every_kind_is_explained() -> None:
    assert list(KINDS) == [kind.label for kind in NodeKind]
    assert list(CARRIAGEWAYS) == [side.label for side in Carriageway if side.label]


def test_classes_cover_all_confidences() -> None:
    assert CLASSES[0][0] == 0.0 and CLASSES[-1][1] == 1.0
    assert [c[1] for c in CLASSES[:-1]] == [c[0] for c in CLASSES[1:]]


def test_roads_grow_lighter_with_confidence() -> None:
    def light(colour: str) -> float:
        r, g, b, _ = (int(part) for part in colour.split(","))
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    shades = [light(c[2]) for c in CLASSES]
    assert shades == sorted(shades)


def test_qml_is_sound() -> None:
    roads, nodes = (ElementTree.fromstring(qml()) for qml in (roads_qml, nodes_qml))
    renderer = roads.find("renderer-v2")
    assert renderer is not None and renderer.get("type") == "graduatedSymbol"
    symbols = {s.get("name") for s in renderer.iterfind("symbols/symbol")}
    assert [r.get("symbol") in symbols for r in renderer.iterfind("ranges/range")] == [True] * len(CLASSES)
    values = [c.get("value") for c in nodes.iterfind("renderer-v2/categories/category")]
    assert values == [kind.label for kind in NodeKind]


def strokes_of(qml: str) -> list[list[dict[str, str]]]:
    """The properties of the strokes of each symbol; those that an expression gives are that expression."""
    found = []
    for symbol in ElementTree.fromstring(qml).iterfind("renderer-v2/symbols/symbol"):
        strokes = []
        for layer in symbol.iterfind("layer"):
            options = {o.get("name", ""): o.get("value", "") for o in layer.iterfind("Option/Option")}
            for given in layer.iterfind("data_defined_properties/Option/Option[@name='properties']/Option"):
                (text,) = given.iterfind("Option[@name='expression']")
                options[given.get("name", "")] = text.get("value", "")
            strokes.append(options)
        found.append(strokes)
    return found


def test_roads_are_thin_and_in_a_second_style_as_wide_as_on_the_ground() -> None:
    for casing, line in strokes_of(roads_qml()):
        assert (line["line_width"], line["line_width_unit"]) == ("0.55", "MM")  # 2 px of 96 dpi
        assert float(casing["line_width"]) > float(line["line_width"]) and "outlineWidth" not in line
    for casing, line in strokes_of(wide_roads_qml()):
        assert line["outlineWidth"] == 'coalesce("width_m", 4)' and casing["outlineWidth"].endswith(" + 1")
        assert line["line_width_unit"] == "RenderMetersInMapUnits"


@pytest.mark.parametrize("qml", [roads_qml, wide_roads_qml, check_roads_qml])
def test_what_is_mostly_bridged_is_dashed_over_a_whole_casing(qml: Callable[[], str]) -> None:
    for casing, line in strokes_of(qml()):
        assert line["outlineStyle"] == """if(coalesce("bridged_m", 0) > 0.5 * "length_m", 'dash', 'solid')"""
        assert "outlineStyle" not in casing


def test_what_to_check_stands_out() -> None:
    root = ElementTree.fromstring(check_roads_qml())
    renderer = root.find("renderer-v2")
    assert renderer is not None and "< 0.6 THEN 'uncertain' WHEN \"bridged_m\" >= 5" in renderer.get(
        "attr", ""
    )
    values = [c.get("value") for c in root.iterfind("renderer-v2/categories/category")]
    assert values == ["nothing to check", "bridged", "uncertain"]
    rest, *others = (float(line["line_width"]) for _, line in strokes_of(check_roads_qml()))
    assert min(others) > 2 * rest
    nodes = ElementTree.fromstring(check_nodes_qml())
    assert [c.get("value") for c in nodes.iterfind("renderer-v2/categories/category")] == ["end"]
    assert nodes.get("hasScaleBasedVisibilityFlag") is None


def test_date_is_that_of_the_youngest_scene(tmp_path: Path) -> None:
    for name, seconds in (("a.tif", 1_000_000_000), ("b.tif", 1_000_000_060.7)):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (seconds, seconds))
    date = provenance_date([tmp_path / "a.tif", tmp_path / "b.tif"])
    assert date == datetime(2001, 9, 9, 1, 47, 40, tzinfo=UTC)


def test_date_that_the_environment_asks_for() -> None:
    assert source_date({}) is None
    assert source_date({"SOURCE_DATE_EPOCH": "86400"}) == datetime(1970, 1, 2, tzinfo=UTC)
    with pytest.raises(GeoroadsError, match="'yesterday'"):
        source_date({"SOURCE_DATE_EPOCH": "yesterday"})


def test_provenance_as_json() -> None:
    date = datetime(2020, 1, 2, tzinfo=UTC)
    record = json.loads(Provenance("m", "ab", "free", "--threshold .5", "s.tif", "0.1.0", date).as_json())
    assert record["parameters"] == "--threshold .5"
    assert record["date"] == "2020-01-02T00:00:00.000Z"
    with pytest.raises(ValueError, match="time zone"):
        Provenance("m", "ab", "free", "", "s.tif", "0.1.0", datetime(2020, 1, 2))
