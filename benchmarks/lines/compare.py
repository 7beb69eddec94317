"""Road lines of six ways against the reference of DeepGlobe's val tiles: what is gained by our cleaning?

    python benchmarks/lines/reference.py DEEPGLOBE -o FOLDER
    python benchmarks/lines/compare.py DEEPGLOBE -o FOLDER
    python benchmarks/lines/compare.py DEEPGLOBE -o FOLDER --only ours --set network.bridge_m=20
    python benchmarks/lines/compare.py DEEPGLOBE -o FOLDER --only ours --vary network.spur_m=5,10,15

plain, sknw, pygeoops, cresi, ours: from the shipped model's probabilities (cached in FOLDER); ceiling: ours
from the masks themselves, which shows what vectorization alone costs. Prints tables, and the faults of our
lines; writes all numbers by tile as JSON with --json, and pictures with --draw.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "network"))
from baselines import cresi_lines, our_network, plain_lines
from drawing import draw_tile
from libraries import pygeoops_lines, sknw_lines
from numpy.typing import NDArray
from reference import FROZEN
from soundness import check
from tiles import digest, predicted_levels, tile_grid, to_layer, truth_levels, val_samples

from georoads.data.dataset import Sample
from georoads.grid import Points
from georoads.model.checkpoint import find_checkpoint
from georoads.network.params import VectorizeParams
from georoads.output.read import RoadLines, read_roads
from georoads.scoring.buffered import match_lengths
from georoads.scoring.params import ScoreParams
from georoads.scoring.score import score
from georoads.scoring.segments import local_crs, to_segments
from georoads.settings import parse_assignments, with_values

WAYS = ("plain", "sknw", "pygeoops", "cresi", "ours", "ceiling")
NARROW_M, BUFFER_M = 1.5, 2.0
"""3 and 4 pixels: a line beside the middle of a road is no longer right at the first."""
DRAWN = 12


@dataclass(frozen=True)
class Tile:
    """What a tile gives: its name, the reference, and round(254 p) of the model and of the truth."""

    sample: Sample
    reference: RoadLines
    levels: NDArray[np.uint8]
    truth: NDArray[np.uint8]


def read_tiles(deepglobe: Path, folder: Path, names: list[str]) -> Iterator[Tile]:
    """The tiles, with their cached probabilities and the frozen reference."""
    samples = val_samples(deepglobe, names)
    cache = predicted_levels(samples, folder)
    layers = {s.name: read_roads(folder / "reference" / f"{s.name}.gpkg") for s in samples}
    if not names:
        grid = tile_grid((1024, 1024))
        drawn = {n: [grid.to_px(np.array(line.coords)) for line in v.lines] for n, v in layers.items()}
        if digest(drawn) != FROZEN.read_text().strip():
            raise SystemExit(f"{folder / 'reference'} is not the frozen reference: run reference.py again")
    for s in samples:
        yield Tile(s, layers[s.name], np.load(cache / f"{s.name}.npy"), truth_levels(s))


def lines_of_way(way: str, tile: Tile, params: VectorizeParams) -> tuple[list[Points], dict[str, int]]:
    """Lines in pixel coordinates; and the faults of our network."""
    if way == "plain":
        return plain_lines(tile.levels, params.road_p), {}
    if way == "sknw":
        return sknw_lines(tile.levels, params.road_p), {}
    if way == "pygeoops":
        return pygeoops_lines(tile.levels, params.road_p), {}
    if way == "cresi":
        return cresi_lines(tile.levels), {}
    network = our_network(tile.levels if way == "ours" else tile.truth, params)
    faults = dataclasses.asdict(check(network))
    return [network.line(i) for i in range(network.n_edges)], faults


def numbers(lines: list[Points], tile: Tile) -> dict[str, float]:
    """All scores of a tile's lines, and the lengths that they are pooled by."""
    layer = to_layer(lines, tile.levels.shape, tile.sample.name)
    crs = local_crs((tile.reference, layer))
    segments = to_segments(layer, crs), to_segments(tile.reference, crs)
    found = {f"narrow.{k}": v for k, v in dataclasses.asdict(match_lengths(*segments, NARROW_M)).items()}
    found |= {f"wide.{k}": v for k, v in dataclasses.asdict(match_lengths(*segments, BUFFER_M)).items()}
    scored = score(layer, tile.reference, ScoreParams(buffer_m=BUFFER_M)).as_dict()
    scored.pop("parameters")
    found |= flat(scored)
    return found


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """Nested dictionaries to one with dotted names; only numbers are kept."""
    found: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        elif isinstance(value, int | float) and not isinstance(value, bool):
            found[prefix + key] = float(value)
    return found


def summary(rows: list[dict[str, float]]) -> dict[str, float]:
    """The table's numbers over all tiles.

    Buffered scores, TOPO and nodes are pooled: their lengths or counts are added up and divided once. APLS
    has no such parts: its mean over tiles, and that with the reference's kilometres as weights. Tidiness
    is per kilometre of proposal.
    """

    def total(name: str) -> float:
        return sum(r[name] for r in rows)

    def mean(name: str, weight: str = "") -> float:
        pairs = [(r[name], r[weight] if weight else 1.0) for r in rows if name in r]
        return ratio(sum(v * w for v, w in pairs), sum(w for _, w in pairs))

    found: dict[str, float] = {}
    for buffer, metres in (("narrow", NARROW_M), ("wide", BUFFER_M)):
        right = ratio(total(f"{buffer}.proposal_matched_m"), total(f"{buffer}.proposal_m"))
        seen = ratio(total(f"{buffer}.reference_matched_m"), total(f"{buffer}.reference_m"))
        found |= {f"completeness {metres} m": seen, f"correctness {metres} m": right}
        found |= {f"F1 {metres} m": harmonic(seen, right)}
    found["F1 2 m, mean over tiles"] = mean("f1")
    found["APLS, mean over tiles"] = mean("apls")
    found["APLS, by reference km"] = mean("apls", "reference_km")
    found["APLS reference onto proposal"] = mean("apls_reference_onto_proposal.score", "reference_km")
    found["APLS proposal onto reference"] = mean("apls_proposal_onto_reference.score", "reference_km")
    recall = ratio(total("topo.matched"), total("topo.holes"))
    precision = ratio(total("topo.matched"), total("topo.marbles"))
    found |= {"TOPO recall": recall, "TOPO precision": precision, "TOPO F1": harmonic(recall, precision)}
    found["TOPO F1, mean over tiles"] = mean("topo_f1")
    recall = ratio(total("nodes.matched"), total("nodes.reference"))
    precision = ratio(total("nodes.matched"), total("nodes.proposal"))
    found["nodes F1"] = harmonic(recall, precision)
    found["km"] = total("proposal_km")
    for name in [k for k in rows[0] if k.startswith("tidiness.")]:
        found[name.removeprefix("tidiness.").replace("_per_km", " / km")] = mean(name, "proposal_km")
    return found


def ratio(part: float, whole: float) -> float:
    """part / whole, 0 of nothing."""
    return part / whole if whole else 0.0


def harmonic(a: float, b: float) -> float:
    """Harmonic mean."""
    return ratio(2 * a * b, a + b)


def table(columns: dict[str, dict[str, float]]) -> str:
    """Markdown: a row for each number, a column for each way."""
    lines = ["| | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for key in next(iter(columns.values())):
        values = [shown(c.get(key, math.nan)) for c in columns.values()]
        lines.append(f"| {key} | " + " | ".join(values) + " |")
    return "\n".join(lines)


def shown(value: float) -> str:
    """Scores with four digits behind the point, larger numbers with fewer."""
    return f"{value:.4f}" if abs(value) <= 1 else f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"


def variants(base: VectorizeParams, vary: list[str]) -> dict[str, VectorizeParams]:
    """``network.name=1,2,3`` to a column for each value."""
    found = {}
    for text in vary:
        target, _, values = text.partition("=")
        for value in values.split(","):
            changed = parse_assignments([f"{target}={value}"])["network"]
            found[f"{target.partition('.')[2]} {value}"] = with_values(base, changed, "network")
    return found


def main() -> None:
    """Trace, score, print."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("deepglobe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="where reference.py wrote")
    parser.add_argument("--only", default=",".join(WAYS), help=f"some of {','.join(WAYS)}")
    parser.add_argument("--set", action="append", default=[], help="network.NAME=VALUE, for ours")
    parser.add_argument("--vary", action="append", default=[], help="network.NAME=V1,V2: a column for each")
    parser.add_argument("--tiles", default="", help="names, with commas between")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--draw", type=Path, help="a folder for pictures of the tiles that are worst")
    args = parser.parse_args()
    card = find_checkpoint("default").card
    values = {"threshold": card.threshold} | parse_assignments(args.set).get("network", {})
    params = with_values(VectorizeParams(), values, "network")
    columns = {(way, ""): params for way in args.only.split(",")}
    if args.vary:
        columns |= {("ours", name): p for name, p in variants(params, args.vary).items()}
    tiles = list(read_tiles(args.deepglobe, args.output, [n for n in args.tiles.split(",") if n]))
    rows: dict[str, dict[str, dict[str, float]]] = {}
    faults: dict[str, dict[str, int]] = {}
    for (way, name), how in columns.items():
        rows[name or way], faults[name or way] = {}, {}
        for tile in tiles:
            lines, wrong = lines_of_way(way, tile, how)
            rows[name or way][tile.sample.name] = numbers(lines, tile)
            for key, count in wrong.items():
                faults[name or way][key] = faults[name or way].get(key, 0) + count
    found = {name: summary(list(by_tile.values())) for name, by_tile in rows.items()}
    print(table(found))
    print("\nfaults over all tiles:")
    for name, counts in faults.items():
        if counts:
            print(f"  {name}: " + ", ".join(f"{k} {v}" for k, v in counts.items()))
    if args.json:
        args.json.write_text(json.dumps({"pooled": found, "faults": faults, "tiles": rows}, indent=1))
    if args.draw:
        args.draw.mkdir(parents=True, exist_ok=True)
        judged = next(iter(rows.values()))
        worst = sorted(tiles, key=lambda t: judged[t.sample.name]["f1"])
        for tile in worst if args.tiles else worst[:: max(1, len(worst) // DRAWN)]:
            ways = {way: lines_of_way(way, tile, params)[0] for way in ("plain", "ours")}
            draw_tile(tile.sample, tile.reference, ways, args.draw / f"{tile.sample.name}.png")


if __name__ == "__main__":
    main()
