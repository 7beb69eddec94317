"""The page of view on a map of many lines: python benchmarks/page.py [--side 225] [--px 2] [-o FOLDER]

Draws a town of 2 * side * (side - 1) streets (100,800 for 225) with the attributes that extract writes, and
p at --px metres a pixel along all of them; one street of fifty is missing in the layer. Writes the page and
opens it in headless Chromium. Prints: seconds to write it, its megabytes; from opening it to the legend, to
the first road that was drawn by two clicks, and to all lines; seconds of the two clicks that draw a missing
street (with all the town in view, and near by), of a deletion, of apply. With -o, all files stay in FOLDER.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import geopandas
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from georoads.correction.request import CorrectionRequest, apply_edits
from georoads.grid import Grid
from georoads.memory import peak_rss_mb
from georoads.view.layer import read_layer
from georoads.view.write import write_view

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "gis"))
from browser import BROWSER, Browser

SEED, SPACING_M, BENDS = 7, 100.0, 7
CRS, WEST, NORTH = "EPSG:32633", 400_000.0, 5_000_000.0
MISSING_OF = 50
LEVEL, LEVEL_NOISE = 235, 12
ROUNDS = 7
SAVED = (
    "(() => { let kept; URL.createObjectURL = (blob) => { kept = blob; return 'blob:null/x'; };"
    "HTMLAnchorElement.prototype.click = () => {}; document.getElementById('save').onclick();"
    "return kept.text(); })()"
)
"""What the button Save would have the browser download."""


def town(side: int) -> NDArray[np.float64]:
    """(N, BENDS, 2) metres east and south of the town's corner: winding streets between shaken corners."""
    rng = np.random.default_rng(SEED)
    corners = SPACING_M * np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1) + SPACING_M
    corners = corners + rng.normal(0, 10, corners.shape)
    ends = [(corners[:, :-1], corners[:, 1:]), (corners[:-1], corners[1:])]
    start, end = (np.concatenate([pair[i].reshape(-1, 2) for pair in ends]) for i in (0, 1))
    share = np.linspace(0, 1, BENDS)[None, :, None]
    wind = np.sin(np.pi * share) * rng.normal(0, 6, (len(start), 1, 2)) + rng.normal(
        0, 0.7, (len(start), BENDS, 2)
    )
    wind[:, [0, -1]] = 0
    streets: NDArray[np.float64] = start[:, None] + share * (end - start)[:, None] + wind
    return streets


def write_layer(streets: NDArray[np.float64], path: Path) -> None:
    """A layer of roads with the fields of extract."""
    rng = np.random.default_rng(SEED)
    n = len(streets)
    lines = shapely.linestrings(np.array([WEST, NORTH]) + streets * (1, -1))
    confidence = rng.beta(6, 1.5, n)
    columns: dict[str, Any] = {
        "road_id": np.arange(1, n + 1),
        "length_m": shapely.length(lines).round(2),
        "width_m": rng.normal(6, 1, n).clip(2).round(2),
        "width_std_m": rng.random(n).round(2),
        "confidence": confidence.round(4),
        "confidence_p05": (confidence * 0.6).round(4),
        "bridged_m": np.where(rng.random(n) < 0.03, 12.0, 0.0),
        "from_node": np.arange(n),
        "to_node": np.arange(1, n + 1),
        "source": "town.tif",
    }
    geopandas.GeoDataFrame(columns, geometry=lines, crs=CRS).to_file(path, layer="roads")


@dataclass(frozen=True)
class Levels:
    """A raster of levels in memory, as the page's room asks for it."""

    grid: Grid
    levels: NDArray[np.uint8]

    def read(self, window: Any) -> NDArray[np.uint8]:
        """(height, width) uint8 of a window inside the grid."""
        return self.levels[window.row : window.row + window.height, window.col : window.col + window.width]


def draw_levels(streets: NDArray[np.float64], side: int, px_m: float) -> Levels:
    """p along all streets, soft at their sides, with the slow noise that a network leaves elsewhere."""
    size = round((side + 1) * SPACING_M / px_m)
    levels = np.zeros((size, size), np.uint8)
    points = np.rint(streets / px_m * 16).astype(np.int32)
    cv2.polylines(levels, list(points), False, (LEVEL,), max(1, round(8 / px_m)), cv2.LINE_AA, 4)
    levels = np.asarray(cv2.GaussianBlur(levels, (0, 0), 2 / px_m), np.uint8)
    rng = np.random.default_rng(SEED)
    coarse = rng.gamma(0.3, LEVEL_NOISE, (size // 8 + 1, size // 8 + 1)).clip(0, 120).astype(np.uint8)
    slow = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_LINEAR)
    grid = Grid(CRS, Affine(px_m, 0, WEST, 0, -px_m, NORTH), size, size)
    return Levels(grid, np.maximum(levels, slow))


class Map:
    """The page in a browser, and where places of its plane are in the window."""

    def __init__(self, browser: Browser, page: Path) -> None:
        self.browser = browser
        browser.do("Performance.enable", timeDomain="threadTicks")
        self.opened = time.perf_counter()
        browser.do("Page.navigate", url=page.as_uri())
        browser.until("document.getElementById('map') && document.querySelector('#legend button')")
        # As fit() in map.js places the lines' box.
        sizes = (
            "(() => { const b = JSON.parse(document.getElementById('data').textContent).bounds, "
            "w = (id) => document.getElementById(id).offsetWidth, m = document.getElementById('map'); "
            "return [b, w('tools') + 16, w('panel') + 16, m.clientWidth, m.clientHeight]; })()"
        )
        (west, south, east, north), left, right, width, height = browser.value(sizes)
        self.k = min((width - left - right - 32) / (east - west), (height - 80) / (north - south))
        self.x = (west + east) / 2 + (right - left) / 2 / self.k
        self.y = (south + north) / 2
        self.width, self.height = width, height

    def since(self) -> str:
        """Seconds since it was opened, and of its thread's processor time: what they are on idle cores."""
        seconds = time.perf_counter() - self.opened
        told = {m["name"]: m["value"] for m in self.browser.do("Performance.getMetrics")["metrics"]}
        return f"{seconds:.1f} s ({told['ThreadTime']:.1f} s of processor time)"

    def at(self, place: NDArray[np.float64]) -> tuple[float, float]:
        """Where a place of the plane is in the window."""
        return (place[0] - self.x) * self.k + self.width / 2, self.height / 2 - (place[1] - self.y) * self.k

    def zoom_to(self, place: NDArray[np.float64], px_per_m: float) -> None:
        """Turn the wheel over a place until the map has this scale."""
        while self.k < px_per_m:
            px, py = self.at(place)
            factor = min(1.7, px_per_m / self.k)
            self.browser.mouse("mouseWheel", px, py, deltaX=0, deltaY=-np.log(factor) / 0.0018)
            self.k *= factor
            self.x = place[0] - (px - self.width / 2) / self.k
            self.y = place[1] + (py - self.height / 2) / self.k

    def draw(self, street: NDArray[np.float64]) -> float:
        """Draw a street by two clicks on its ends; seconds until it is there and shown."""
        drawn = int(self.browser.text("#done").split()[0] or 0)
        began = time.perf_counter()
        for end in (street[0], street[-1]):
            self.browser.click(*self.at(end))
        self.browser.until(f"document.getElementById('done').textContent.startsWith('{drawn + 1} drawn')")
        shown(self.browser)
        return time.perf_counter() - began


def shown(browser: Browser) -> None:
    """Wait until what was asked for has been painted."""
    browser.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def measure(page: Path, roads: Path, streets: NDArray[np.float64]) -> None:
    """Open the page, repair it, and say how long each takes.

    Args:
        page: the page; pictures go beside it.
        roads: its layer.
        streets: (N, BENDS, 2) in its plane, those that the layer lacks.
    """
    folder = page.parent
    middle = np.abs(streets[:, BENDS // 2]).sum(axis=1).argsort()  # from the middle of the map outwards
    with Browser(timeout_s=300) as browser:
        shown_map = Map(browser, page)
        print(f"opened: legend and keys after {shown_map.since()}")
        browser.key("r")
        browser.key("d")
        shown_map.draw(streets[middle[0]])
        print(f"first road drawn by two clicks after {shown_map.since()}")
        browser.settle()
        print(f"all lines there after {shown_map.since()}, {browser.text('#done')}")
        (folder / "whole.png").write_bytes(browser.screenshot())
        far = [shown_map.draw(streets[i]) for i in middle[1:ROUNDS]]
        shown_map.zoom_to(streets[middle[ROUNDS], BENDS // 2], 1.0)
        browser.settle()
        near = [shown_map.draw(streets[middle[ROUNDS]])]
        for i in middle[ROUNDS + 1 :]:
            x, y = np.transpose([shown_map.at(end) for end in (streets[i, 0], streets[i, -1])])
            is_seen = x.min() > 60 and x.max() < shown_map.width - 340
            if is_seen and y.min() > 0 and y.max() < shown_map.height:
                near.append(shown_map.draw(streets[i]))
        for name, seconds in (("with all in view", far), ("near by", near)):
            print(
                f"a road by two clicks, {name}: {statistics.median(seconds):.2f} s (most {max(seconds):.2f})"
            )
        print(browser.text("#note"))
        browser.settle()
        (folder / "near.png").write_bytes(browser.screenshot())
        browser.key("d")
        took = []
        for _ in range(ROUNDS):
            browser.key("n")
            shown(browser)
            began = time.perf_counter()
            browser.key("x")
            shown(browser)
            took.append(time.perf_counter() - began)
        print(f"a line deleted, the next one shown: {statistics.median(took):.2f} s; {browser.text('#done')}")
        print("complaints:", browser.complaints() or "none")
        (folder / "roads.edits.geojson").write_text(browser.value(SAVED))
    began = time.perf_counter()
    request = CorrectionRequest(folder / "roads.edits.geojson", roads, folder / "fixed.gpkg", overwrite=True)
    done = apply_edits(request)
    print(f"apply: {done.added} drawn, {done.deleted} deleted in {time.perf_counter() - began:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--side", type=int, default=225, help="corners along each side of the town")
    parser.add_argument("--px", type=float, default=2.0, help="metres a pixel of p")
    parser.add_argument("-o", "--output", type=Path, help="a folder that keeps files and pictures")
    given = parser.parse_args()
    if BROWSER is None:
        sys.exit("there is no Chromium here")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.output or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        streets = town(given.side)
        keep = np.random.default_rng(SEED).random(len(streets)) >= 1 / MISSING_OF
        write_layer(streets[keep], folder / "roads.gpkg")
        plane = read_layer(folder / "roads.gpkg").plane
        levels = draw_levels(streets, given.side, given.px)
        began, cpu = time.perf_counter(), time.process_time()
        made = write_view(folder / "roads.gpkg", folder / "map.html", probability=levels, overwrite=True)
        print(
            f"{made.lines:,} lines, {made.length_m / 1000:,.0f} km: {made.file_bytes / 1e6:.1f} MB in "
            f"{time.perf_counter() - began:.0f} s ({time.process_time() - cpu:.0f} of them processor time), "
            f"peak {peak_rss_mb():,.0f} MB"
        )
        gone = plane.project((np.array([WEST, NORTH]) + streets[~keep] * (1, -1)).reshape(-1, 2), CRS)
        measure(folder / "map.html", folder / "roads.gpkg", gone.reshape(-1, BENDS, 2))


if __name__ == "__main__":
    main()
