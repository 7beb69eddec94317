"""Our files of OpenStreetMap in the programs that they are for: JOSM, osmium, Routino, osmnx."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from drawn_rasters import write_raster

from georoads.cli.main import cli
from georoads.output.read import read_roads

pytestmark = pytest.mark.slow

GAP = """
    ..........#.............................#.........
    ..........#.............................#.........
    ##########################.#######################
    ..........#.............................#.........
    ..........#.............................#.........
"""
"""A road of 200 m with a gap of 4 m, and two that cross it: a sign is a square of 4 m, # is road."""
ENDS = (13.5683643, 99.0000026), (13.5683643, 99.0018460)
"""Latitude and longitude of its ends."""
ROUTINO = Path("/usr/share/routino")
FOR_JOSM = Path("/usr/share/josm/josm.jar")


def written(path: Path, *settings: str) -> Path:
    """The file of a drawn mask."""
    drawn = np.array([[sign == "#" for sign in row] for row in GAP.split()], dtype=np.uint8)
    levels = np.kron(drawn, np.full((8, 8), 255, dtype=np.uint8))[None]
    mask = write_raster(path.with_suffix(".tif"), levels)
    command = ["vectorize", str(mask), "-o", str(path), *(f"--set={setting}" for setting in settings)]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return path


@pytest.fixture(scope="module")
def routed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """The file for routes, with the gap bridged (10 m) and open (0)."""
    folder = tmp_path_factory.mktemp("routes")
    shared = "for=routing", "network.min_length_m=15", "network.reach_m=0"
    return {m: written(folder / f"r{m}.osm", *shared, f"network.bridge_m={m}") for m in (10, 0)}


def run(*command: str | Path, folder: Path) -> str:
    program = str(command[0])
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(
        [*map(str, command)], cwd=folder, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def test_josm_reads_the_file_and_asks_for_nothing_but_the_class(tmp_path: Path) -> None:
    """Beside it a file in which two roads cross without a node, which JOSM has to find."""
    if not FOR_JOSM.exists():
        pytest.skip("JOSM is not installed")
    ours, crossed = written(tmp_path / "ours.osm", "for=osm"), tmp_path / "crossed.osm"
    corners = ((1, 45.0, 9.0), (2, 45.001, 9.001), (3, 45.001, 9.0), (4, 45.0, 9.001))
    nodes = "".join(f'<node id="-{i}" lat="{lat}" lon="{lon}"/>' for i, lat, lon in corners)
    road = '<tag k="highway" v="road"/></way>'
    ways = "".join(f'<way id="-{i}"><nd ref="-{i}"/><nd ref="-{i + 1}"/>{road}' for i in (1, 3))
    crossed.write_text(f'<osm version="0.6" upload="false">{nodes}{ways}</osm>')
    alone = "-Djava.awt.headless=true", f"-Djosm.home={tmp_path / 'josm'}", "-jar", FOR_JOSM
    files = [word for file in (ours, crossed) for word in ("-i", file, "-o", told_of(file))]
    run("java", *alone, "validate", *files, folder=tmp_path)
    roads = len(read_roads(ours).lines)
    assert roads > 4
    assert findings(ours) == {"Unspecific highway type": roads}
    assert "Crossing highways" in findings(crossed)


def told_of(path: Path) -> Path:
    """Where JOSM's validator writes what it has to say of a file."""
    return path.with_suffix(".geojson")


def findings(path: Path) -> Counter[str]:
    """How often it said what of a file."""
    lines = told_of(path).read_text(encoding="utf-8").split("\x1e")[1:]
    tasks = [json.loads(line) for line in lines]
    return Counter(task["features"][0]["properties"]["message"] for task in tasks)


@pytest.mark.parametrize("purpose", ["routing", "osm"])
def test_osmium_finds_all_nodes_and_packs_them(routed: dict[int, Path], tmp_path: Path, purpose: str) -> None:
    """What it packs is read as the file itself is, also with ids below 0; but it has no relations."""
    path = routed[10] if purpose == "routing" else written(tmp_path / "ours.osm", "for=osm")
    packed = tmp_path / "roads.osm.pbf"
    run("osmium", "check-refs", path, folder=tmp_path)
    told = json.loads(run("osmium", "fileinfo", "-e", "-j", path, folder=tmp_path))
    plain = read_roads(path)
    assert told["data"]["count"]["ways"] == len(plain.lines) and told["data"]["objects_ordered"]
    assert told["header"]["option"]["xml_josm_upload"] == "false"
    run("osmium", "cat", path, "-o", packed, folder=tmp_path)
    found = read_roads(packed)
    assert [line.wkt for line in found.lines] == [line.wkt for line in plain.lines]
    assert found.notes and "it ends with ways" in found.notes[0]


@pytest.mark.parametrize(("bridge_m", "route_m"), [(10, 200), (0, math.inf)])
def test_routino_leads_a_car_over_a_gap_that_was_bridged(
    routed: dict[int, Path], tmp_path: Path, bridge_m: int, route_m: float
) -> None:
    if not (ROUTINO / "profiles.xml").exists():
        pytest.skip("Routino is not installed")
    # By default it leaves out networks of less than 500 m.
    rules = f"--dir={tmp_path}", f"--tagging={ROUTINO / 'tagging.xml'}", "--prune-none"
    run("planetsplitter", *rules, routed[bridge_m], folder=tmp_path)
    ends = [f"--lat{i}={lat} --lon{i}={lon}" for i, (lat, lon) in enumerate(ENDS, 1)]
    files = [f"--{name}={ROUTINO / name}.xml" for name in ("profiles", "translations")]
    asked = [
        f"--dir={tmp_path}",
        *files,
        "--transport=motorcar",
        "--shortest",
        *" ".join(ends).split(),
        "--output-text",
    ]
    if math.isinf(route_m):
        with pytest.raises(AssertionError, match="Cannot find"):
            run("routino-router", *asked, folder=tmp_path)
        return
    run("routino-router", *asked, folder=tmp_path)
    rows = (tmp_path / "shortest.txt").read_text(encoding="utf-8").splitlines()
    steps_km = [float(row.split("\t")[2].removesuffix("km")) for row in rows if not row.startswith("#")]
    assert 1000 * sum(steps_km) == pytest.approx(route_m, abs=5)


@pytest.mark.parametrize(("bridge_m", "route_m"), [(10, 200), (0, math.inf)])
def test_osmnx_leads_over_a_gap_that_was_bridged(
    routed: dict[int, Path], bridge_m: int, route_m: float
) -> None:
    osmnx = pytest.importorskip("osmnx")
    graph = osmnx.graph_from_xml(routed[bridge_m], bidirectional=True, simplify=False, retain_all=True)
    east = {node: data["x"] for node, data in graph.nodes(data=True)}
    ends = min(east, key=east.__getitem__), max(east, key=east.__getitem__)
    path = osmnx.shortest_path(graph, *ends, weight="length")
    found = sum(graph.edges[a, b, 0]["length"] for a, b in pairwise(path)) if path else math.inf
    assert found == pytest.approx(route_m, abs=3)
