"""The scores once more, slow and plain: lists, dicts and loops, sharing no code with the package."""

from __future__ import annotations

import heapq
import math
from collections import defaultdict
from itertools import pairwise
from typing import Any

from georoads.scoring.params import ScoreParams

Point = tuple[float, float]
Key = tuple[Any, ...]
"""Of a place in the graph: a vertex in centimetres, or a word and a number."""
Near = defaultdict[Key, list[tuple[Key, float]]]
"""The neighbours of each key, and the metres to them."""


class SlowGraph:
    """Edges as lists of points; ``ends`` are the keys of their two nodes."""

    def __init__(self, lines: list[list[Point]]) -> None:
        place: dict[Key, Point] = {}
        near: defaultdict[Key, set[Key]] = defaultdict(set)
        for line in lines:
            keys = [(round(x * 100), round(y * 100)) for x, y in line]
            for key, point in zip(keys, line, strict=True):
                place.setdefault(key, point)
            for a, b in pairwise(keys):
                if a != b:
                    near[a].add(b)
                    near[b].add(a)
        self.place = place
        self.nodes = sorted(k for k in near if len(near[k]) != 2)
        self.edges: list[list[Point]] = []
        self.ends: list[tuple[Key, Key]] = []
        done = set()
        for start in self.nodes:
            for step in sorted(near[start]):
                if (start, step) in done:
                    continue
                way = [start, step]
                while way[-1] not in self.nodes:
                    (further,) = near[way[-1]] - {way[-2]}
                    way.append(further)
                for a, b in pairwise(way):
                    done |= {(a, b), (b, a)}
                self.edges.append([place[k] for k in way])
                self.ends.append((way[0], way[-1]))
        left = {k for k in near if len(near[k]) == 2 and any((k, o) not in done for o in near[k])}
        while left:  # rings without a junction: their node is the vertex furthest to the south-west
            way = [min(left, key=lambda k: 0.8507 * place[k][0] + 0.5257 * place[k][1])]
            way.append(min(near[way[0]]))
            while way[-1] != way[0]:
                (further,) = near[way[-1]] - {way[-2]}
                way.append(further)
            left -= set(way)
            self.edges.append([place[k] for k in way])
            self.ends.append((way[0], way[0]))

    def length(self, edge: int) -> float:
        return sum(math.dist(a, b) for a, b in pairwise(self.edges[edge]))

    def point_at(self, edge: int, along: float) -> Point:
        line = self.edges[edge]
        for a, b in pairwise(line):
            step = math.dist(a, b)
            if along <= step:
                return a[0] + (b[0] - a[0]) * along / step, a[1] + (b[1] - a[1]) * along / step
            along -= step
        return line[-1]

    def snapped(self, point: Point, distance: float) -> tuple[int, float] | None:
        best = (math.inf, -1, 0.0)
        for e, line in enumerate(self.edges):
            before = 0.0
            for a, b in pairwise(line):
                step = math.dist(a, b)
                t = ((point[0] - a[0]) * (b[0] - a[0]) + (point[1] - a[1]) * (b[1] - a[1])) / step**2
                t = min(max(t, 0.0), 1.0)
                foot = a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])
                best = min(best, (math.dist(point, foot), e, before + t * step))
                before += step
        return (best[1], best[2]) if best[0] <= distance else None

    def with_stops(self, stops: list[tuple[int, float]]) -> Near:
        """Cut the edges at the stops: neighbours of each key, and the key of each stop."""
        by_edge = defaultdict(list)
        for number, (edge, along) in enumerate(stops):
            by_edge[edge].append((along, ("stop", number)))
        near: Near = defaultdict(list)
        for e, (a, b) in enumerate(self.ends):
            chain = [(0.0, a), *sorted(by_edge[e]), (self.length(e), b)]
            for (m, p), (n, q) in pairwise(chain):
                near[p].append((q, n - m))
                near[q].append((p, n - m))
        return near


def dijkstra(near: Near, start: Key) -> dict[Key, float]:
    known: dict[Key, float] = {}
    queue = [(0.0, 0, start)]
    count = 0
    while queue:
        metres, _, here = heapq.heappop(queue)
        if here in known:
            continue
        known[here] = metres
        for other, step in near[here]:
            if other not in known:
                count += 1
                heapq.heappush(queue, (metres + step, count, other))
    return known


def slow_apls(graph: SlowGraph, other: SlowGraph, spacing: float, snap: float) -> float:
    """One direction."""
    points = []
    seen = set()
    for e, (a, b) in enumerate(graph.ends):
        length = graph.length(e)
        for key, along in ((a, 0.0), (b, length)):
            if key not in seen:
                seen.add(key)
                points.append((e, along))
        parts = max(2, math.ceil((length - 0.01) / spacing))
        if length < 0.75 * spacing:
            parts = 2 if a == b else 1
        points += [(e, length * k / parts) for k in range(1, parts)]
    partners = [other.snapped(graph.point_at(*p), snap) for p in points]
    here = graph.with_stops(points)
    there = other.with_stops([p or (-1, 0.0) for p in partners])
    total, pairs = 0.0, 0
    for i in range(len(points)):
        ours = dijkstra(here, ("stop", i))
        theirs = dijkstra(there, ("stop", i)) if partners[i] else {}
        for j in range(len(points)):
            length = ours.get(("stop", j), math.inf)
            if not 1e-3 <= length < math.inf:
                continue
            pairs += 1
            found = theirs.get(("stop", j), math.inf) if partners[j] else math.inf
            total += 1.0 if found == math.inf else min(1.0, abs(length - found) / length)
    return 1 - total / pairs


def slow_reached(graph: SlowGraph, seed: tuple[int, float], step: float, radius: float) -> list[Point]:
    """Places at whole steps from the seed: all candidates on each edge are tried, the true ones kept."""
    near = graph.with_stops([seed])
    known = dijkstra(near, ("stop", 0))
    places: dict[Key, Point] = {
        ("node", k): graph.place[k] for k in known if k != ("stop", 0) and whole(known[k], step, radius)
    }
    places[("stop", 0)] = graph.point_at(*seed)
    for e, (a, b) in enumerate(graph.ends):
        length = graph.length(e)
        chain: list[tuple[float, Key]] = [(0.0, a), (length, b)]
        if e == seed[0]:
            chain.insert(1, (seed[1], ("stop", 0)))
        for (m, p), (n, q) in pairwise(chain):
            for k in range(int(radius / step) + 1):
                for along in (k * step - known.get(p, math.inf), n - m - (k * step - known.get(q, math.inf))):
                    if not 1e-6 < along < n - m - 1e-6:
                        continue
                    true = min(known.get(p, math.inf) + along, known.get(q, math.inf) + n - m - along)
                    if abs(true - k * step) < 1e-6:
                        places[(e, round(m + along, 4))] = graph.point_at(e, m + along)
    return list(places.values())


def whole(metres: float, step: float, radius: float) -> bool:
    return metres <= radius and abs(metres - step * round(metres / step)) < 1e-6


def slow_topo(graph: SlowGraph, other: SlowGraph, params: ScoreParams) -> tuple[int, int, int]:
    """Holes, marbles and matches; seeds are on ``graph``."""
    holes = marbles = matched = 0
    for e in range(len(graph.edges)):
        length = graph.length(e)
        parts = max(1, math.ceil(length / params.topo_seed_every_m))
        for k in range(parts):
            seed = e, length * (k + 0.5) / parts
            dug = slow_reached(graph, seed, params.topo_step_m, params.topo_radius_m)
            holes += len(dug)
            partner = other.snapped(graph.point_at(*seed), params.topo_match_m)
            if partner:
                rolled = slow_reached(other, partner, params.topo_step_m, params.topo_radius_m)
                marbles += len(rolled)
                matched += slow_matches(dug, rolled, params.topo_match_m)
    return holes, marbles, matched


def slow_matches(a: list[Point], b: list[Point], distance: float) -> int:
    """Kuhn's augmenting paths."""
    near = [[j for j, q in enumerate(b) if math.dist(p, q) <= distance] for p in a]
    taken: dict[int, int] = {}

    def find(i: int, tried: set[int]) -> bool:
        for j in near[i]:
            if j not in tried:
                tried.add(j)
                if j not in taken or find(taken[j], tried):
                    taken[j] = i
                    return True
        return False

    return sum(find(i, set()) for i in range(len(a)))
