"""The map of ``georoads view`` in a real browser: drawn, moved, zoomed, asked, without a request."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from browser import BROWSER, Browser
from drawn_map import CROSS, GREEN, NORTH, UTM, WEST, draw_roads, draw_scene
from drawn_rasters import north_up, write_raster

from georoads.correction.request import CorrectionRequest, apply_edits
from georoads.inference.raster import ProbabilityRaster
from georoads.view.write import write_view

pytestmark = pytest.mark.slow

YELLOW, PURPLE, ORANGE = (250, 246, 92), (186, 44, 178), (253, 188, 44)
"""The colours of confidence 0.95, of 0.4, and of lines without one."""
PINK, BLUE, WHITE = (255, 90, 150), (70, 205, 255), (255, 255, 255)
"""The colours of uncertain and of bridged lines where they are to be checked, and of where roads meet."""
LEFT_OF_PANEL = 860


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if BROWSER is None or os.name == "nt":
        pytest.skip("there is no Chromium that can be driven through a pipe")
    try:
        started = Browser().__enter__()
    except OSError as e:
        pytest.skip(f"Chromium does not start here: {e}")
    yield started
    started.__exit__()


@pytest.fixture
def cross(browser: Browser, tmp_path: Path) -> Browser:
    """The map of the cross of four roads over its scene."""
    columns = {"confidence": [0.4, 0.65, 0.75, 0.95], "name": ["a", "b", "c", "d"]}
    roads = draw_roads(tmp_path / "cross.gpkg", CROSS, columns)
    return opened(browser, roads, draw_scene(tmp_path / "s.tif"))


def opened(browser: Browser, roads: Path, *scenes: Path) -> Browser:
    write_view(roads, roads.with_suffix(".html"), scenes)
    browser.events.clear()
    browser.mouse("mouseMoved", 5, 400)
    browser.open(roads.with_suffix(".html"))
    return browser


def shown(browser: Browser, colour: tuple[int, ...]) -> np.ndarray:
    """(N, 2) places x, y of the window, beside the panel, that have a colour."""
    browser.settle()
    picture = np.asarray(cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR_RGB))
    rows, cols = np.nonzero((np.abs(picture[:, :LEFT_OF_PANEL].astype(int) - colour) <= 6).all(axis=2))
    return np.column_stack((cols, rows))


def middle(browser: Browser, colour: tuple[int, int, int]) -> np.ndarray:
    found = shown(browser, colour)
    assert len(found), f"nothing is drawn in {colour}"
    return np.asarray(found.mean(axis=0))


def test_the_map_is_drawn_north_up_without_a_request(cross: Browser) -> None:
    north, south, east = (middle(cross, c) for c in (PURPLE, YELLOW, ORANGE))
    assert north[0] == pytest.approx(south[0], abs=4) and north[1] < south[1]
    assert east[0] > south[0]
    assert cross.text("h1") == "cross.gpkg"
    assert "4 lines, 0.24 km, over s.tif" in cross.text("header")
    assert cross.text("#legend").split("\n")[1:3] == ["0.85 – 1.00", "0.06 km"]
    assert cross.complaints() == []


def test_a_click_shows_the_attributes_and_keeps_them(cross: Browser) -> None:
    south, north = middle(cross, YELLOW), middle(cross, PURPLE)
    cross.mouse("mouseMoved", *north)
    cross.until("document.getElementById('road').innerText.includes('Confidence')")
    assert cross.text("#road").split() == ["Line", "1", "of", "4", "Confidence", "0.4", "name", "a"]
    cross.click(*south)
    cross.mouse("mouseMoved", *north)
    assert cross.text("#road").split() == ["Line", "4", "of", "4", "Confidence", "0.95", "name", "d"]
    cross.click(30, 500)
    assert "Point at a line" in cross.text("#road")


def test_the_map_follows_the_mouse(cross: Browser) -> None:
    before = middle(cross, YELLOW)
    cross.drag((400, 300), (460, 250))
    assert middle(cross, YELLOW) - before == pytest.approx([60, -50], abs=3)


def test_the_wheel_zooms_at_the_pointer(cross: Browser) -> None:
    before, length = middle(cross, YELLOW), cross.text("#length")
    bar = float(cross.value("document.getElementById('bar').offsetWidth"))
    cross.mouse("mouseWheel", *before, deltaX=0, deltaY=300)  # smaller, so that the road stays in view
    after = middle(cross, YELLOW)
    assert after == pytest.approx(before, abs=4)
    factor = np.exp(-300 * 0.0018)
    apart = middle(cross, PURPLE)[1] - after[1]
    cross.key("0")
    assert apart == pytest.approx(factor * (middle(cross, PURPLE)[1] - before[1]), rel=0.05)
    assert cross.text("#length") == length
    assert float(cross.value("document.getElementById('bar').offsetWidth")) == pytest.approx(bar)


def test_all_of_it_works_from_the_keyboard(cross: Browser) -> None:
    before = middle(cross, YELLOW)
    cross.key("ArrowRight")
    assert middle(cross, YELLOW) - before == pytest.approx([-80, 0], abs=3)
    cross.key("n")
    cross.until("document.getElementById('road').innerText.includes('Line 1 of 4')")
    cross.key("p")
    cross.until("document.getElementById('road').innerText.includes('Line 4 of 4')")
    cross.key("Escape")
    assert "Point at a line" in cross.text("#road")
    cross.key("+")
    assert len(shown(cross, PURPLE)) > 0
    cross.key("0")
    assert middle(cross, YELLOW) == pytest.approx(before, abs=2)


def test_a_class_can_be_hidden_and_cannot_be_hit_then(cross: Browser) -> None:
    north = middle(cross, PURPLE)
    cross.value("[...document.querySelectorAll('#legend button:not(.row)')].at(-1).click()")
    assert len(shown(cross, PURPLE)) == 0 < len(shown(cross, YELLOW))
    cross.click(*north)
    assert "Point at a line" in cross.text("#road")


def test_the_scene_lies_below_and_can_be_switched_off(cross: Browser) -> None:
    dimmed = tuple(round(0.75 * c + 0.25 * b) for c, b in zip(GREEN, (16, 21, 28), strict=True))
    place = shown(cross, dimmed)
    assert len(place) > 50_000
    # The scene has no pixels in its north-western quarter.
    road = middle(cross, PURPLE)
    assert not ((place[:, 0] < road[0] - 30) & (place[:, 1] < road[1])).any()
    cross.key("i")
    assert len(shown(cross, dimmed)) == 0


def test_what_to_check_stands_out(browser: Browser, tmp_path: Path) -> None:
    columns = {"confidence": [0.4, 0.95, 0.95, 0.95], "bridged_m": [0.0, 0.0, 0.0, 50.0]}
    opened(browser, draw_roads(tmp_path / "r.gpkg", CROSS, columns))
    north = middle(browser, PURPLE)
    browser.key("c")
    assert len(shown(browser, YELLOW)) == len(shown(browser, PURPLE)) == 0
    assert middle(browser, PINK) == pytest.approx(north, abs=4)
    assert middle(browser, BLUE)[1] > north[1]
    for name in ("Line 1 of 4", "Line 4 of 4", "Line 1 of 4"):
        browser.key("n")
        browser.until(f"document.getElementById('road').innerText.includes('{name}')")
    browser.key("c")
    assert len(shown(browser, YELLOW)) > 0


def test_dark_imagery_is_brightened(browser: Browser, tmp_path: Path) -> None:
    opened(
        browser, draw_roads(tmp_path / "r.gpkg"), draw_scene(tmp_path / "s.tif", (28, 28, 28))
    )  # stretched to 30
    for lift in (3, 4, 1):  # it begins with what it needs
        grey = 255 * (1 - (1 - 30 / 255) ** lift)
        dimmed = tuple(round(0.75 * grey + 0.25 * b) for b in (16, 21, 28))
        assert len(shown(browser, dimmed)) > 50_000
        browser.key("b")


def test_roads_are_as_wide_as_on_the_ground_and_nodes_appear_near_by(
    browser: Browser, tmp_path: Path
) -> None:
    roads = draw_roads(tmp_path / "r.gpkg", CROSS, {"width_m": [12.0, 3.0, 3.0, 3.0]})
    opened(browser, roads)
    for _ in range(2):
        browser.key("+")
    thin = shown(browser, ORANGE)
    assert np.ptp(thin[thin[:, 1] == thin[:, 1].min() + 30][:, 0]) + 1 <= 3
    browser.key("w")
    found = shown(browser, ORANGE)
    per_m = float(browser.value("document.getElementById('bar').offsetWidth")) - 4
    per_m /= float(browser.text("#length").split()[0])
    row = found[found[:, 1] == found[:, 1].min() + 30]
    assert np.ptp(row[:, 0]) + 1 == pytest.approx(12 * per_m, rel=0.15)
    places = [shown(browser, WHITE)]
    browser.key("o")
    places.append(shown(browser, WHITE))
    # Buttons and the scale bar have white, too.
    met, hidden = (int(((at[:, 0] > 130) & (at[:, 1] < 700)).sum()) for at in places)
    assert met > 10 and hidden == 0  # where they meet


def test_an_empty_layer_says_so(browser: Browser, tmp_path: Path) -> None:
    opened(browser, draw_roads(tmp_path / "none.gpkg", [], {}))
    assert "This layer has no lines." in browser.text("#road")
    assert browser.complaints() == []


def test_attributes_are_text(browser: Browser, tmp_path: Path) -> None:
    evil = "<img src=x onerror='document.title=9'></dd><script>document.title=9</script>"
    opened(browser, draw_roads(tmp_path / "r.gpkg", CROSS[:1], {"<b>n</b>": [evil]}))
    browser.key("n")
    browser.until("document.querySelector('#road dd')")
    assert (browser.text("#road dt"), browser.text("#road dd")) == ("<b>n</b>", evil)
    assert browser.value("document.querySelectorAll('#road img, #road b, #road script').length") == 0
    assert browser.complaints() == []


def test_the_policy_stops_any_other_script(browser: Browser, tmp_path: Path) -> None:
    roads = draw_roads(tmp_path / "r.gpkg")
    write_view(roads, tmp_path / "r.html")
    page = tmp_path / "r.html"
    more = "<script>document.title = 9</script><img src=x onerror='document.title = 9'></body>"
    page.write_text(page.read_text(encoding="utf-8").replace("</body>", more), encoding="utf-8")
    browser.events.clear()
    browser.open(page)
    assert browser.value("document.title") == "r.gpkg"
    assert any("Content Security Policy" in said for said in browser.complaints())


def test_lines_are_repaired_by_hand_and_applied(browser: Browser, tmp_path: Path) -> None:
    """
    ::

        aaaaa+bbbbb##    a goes; from b's end to e's a road is drawn by two clicks: p leads it round corners
             c     #
             c     #     #: p = 1
        ddddd+eeee##
    """
    lines = [
        [(20, 40), (100, 40)], [(100, 40), (160, 40)], [(100, 40), (100, 160)], [(20, 160), (100, 160)],
        [(100, 160), (140, 160)],
    ]  # fmt: skip
    roads = draw_roads(tmp_path / "r.gpkg", lines)
    levels = np.zeros((1, 200, 200), np.uint8)
    levels[:, 38:43, 156:184] = levels[:, 38:163, 180:185] = levels[:, 158:163, 136:184] = 255
    p = write_raster(tmp_path / "p.tif", levels, north_up(1, WEST, NORTH), UTM)
    page = tmp_path / "map.html"
    with ProbabilityRaster(p) as raster:
        write_view(roads, page, probability=raster)
    browser.events.clear()
    browser.open(page)
    browser.key("r")
    browser.settle()
    # Places of the window: the lines' box is shown whole.
    west, north, k = (float(v) for v in window_of(browser))
    at = {name: (west + x * k, north + y * k) for name, (x, y) in
          {"a": (50, 40), "b": (160, 40), "e": (140, 160), "d": (50, 160)}.items()}  # fmt: skip
    browser.click(*at["a"])
    browser.key("x")
    browser.click(*at["d"])
    browser.key("y")
    browser.key("d")
    for name in ("b", "e"):
        browser.click(at[name][0] + 3, at[name][1] + 2)  # beside the end, which it is led to
    browser.until("document.getElementById('edits').innerText.includes('1 drawn, 1 deleted, 1 right')")
    assert "Drawn along the highest p, " in browser.text("#note")
    saved = browser.value(
        "(() => { let kept; URL.createObjectURL = (blob) => { kept = blob; return 'blob:null/x'; };"
        "HTMLAnchorElement.prototype.click = () => {}; document.getElementById('save').onclick();"
        "return kept.text(); })()"
    )
    edits = tmp_path / "r.edits.geojson"
    edits.write_text(saved)
    done = apply_edits(CorrectionRequest(edits, roads, tmp_path / "fixed.gpkg"))
    assert (done.deleted, done.added, done.right, done.joined) == (1, 1, 1, 2)
    # b, the drawn road, e and c are a ring by now; d leads away from it.
    assert done.network.n_edges == 2
    ring, corner = done.network.length_m.max(), 22 + 120 + 42
    assert ring == pytest.approx(60 + 120 + 40 + corner, rel=0.03)
    assert not browser.complaints()


def window_of(browser: Browser) -> list[float]:
    """Where the drawing's corner is in the window, and pixels per metre, by what is drawn there."""
    bgr = cv2.imdecode(np.frombuffer(browser.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert bgr is not None
    rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
    seen = np.abs(rgb[:, 60:LEFT_OF_PANEL].astype(int) - (16, 21, 28)).sum(axis=2) > 60
    seen[-60:] = seen[:, :60] = False
    cols, rows = np.flatnonzero(seen.any(axis=0)) + 60, np.flatnonzero(seen.any(axis=1))
    k = (cols[-1] - cols[0] - 2) / 140
    return [cols[0] + 1 - 20 * k, (rows[0] + rows[-1]) / 2 - 100 * k, k]
