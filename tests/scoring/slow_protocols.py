"""APLS by protocols once more, slow and plain: dicts and loops, sharing no code with the package."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise

from slow_scores import Key, Near, Point, SlowGraph, dijkstra


def slow_spacenet(graph: SlowGraph, other: SlowGraph, spacing: float, snap: float) -> float:
    """One direction, of networks without specks."""
    points = [(e, along) for e, along in _nodes_in_order(graph)]
    for e, (a, b) in enumerate(graph.ends):
        length = graph.length(e)
        parts = 1 if length < 0.75 * spacing else max(2, math.ceil((length - 0.01) / spacing))
        assert a != b or length > spacing  # a short loop is not divided: no town here has one
        points += [(e, length * k / parts) for k in range(1, parts)]
    partners = [other.snapped(graph.point_at(*p), snap) for p in points]
    # At a node of the other network the last one stays.
    owner: dict[Key, int] = {}
    for i, partner in enumerate(partners):
        if partner:
            e, along = partner
            at = other.ends[e][0] if along < 1e-6 else other.ends[e][1]
            key = at if min(along, other.length(e) - along) < 1e-6 else ("on", e, round(along, 6))
            if key in owner:
                partners[owner[key]] = None
            owner[key] = i
    here, there = graph.with_stops(points), other.with_stops([p or (-1, 0.0) for p in partners])
    total, pairs = 0.0, 0
    for i in range(len(points)):
        ours = dijkstra(here, ("stop", i))
        theirs = dijkstra(there, ("stop", i)) if partners[i] else {}
        for j in range(len(points)):
            length = ours.get(("stop", j), math.inf)
            if 1e-3 <= length < math.inf:
                pairs += 1
                found = theirs.get(("stop", j), math.inf) if partners[j] else math.inf
                total += min(1.0, abs(length - found) / length)
    return 1 - total / pairs


def _nodes_in_order(graph: SlowGraph) -> list[tuple[int, float]]:
    where: dict[Key, tuple[int, float]] = {}
    for e, (a, b) in enumerate(graph.ends):
        where.setdefault(a, (e, 0.0))
        where.setdefault(b, (e, graph.length(e)))
    return [where[node] for node in sorted(where)]


def _turn(node: Key, line: list[Point]) -> tuple[bool, Key]:
    """By which the package sorts the roads that begin at a node: where their second vertex lies."""
    vertex = round(line[1][0] * 100), round(line[1][1] * 100)
    return vertex < node, vertex


class SlowHops:
    """The neighbours of each place, about 2 m apart, and the roads as lists of places."""

    def __init__(self, graph: SlowGraph) -> None:
        self.place: dict[Key, Point] = {}
        self.near: Near = defaultdict(list)
        self.roads: list[list[Key]] = []
        self.degree: defaultdict[Key, int] = defaultdict(int)
        self.turns: list[tuple[bool, Key]] = []
        for e, drawn in enumerate(graph.edges):
            line = drawn
            if graph.ends[e][0] == graph.ends[e][1]:
                line = min(drawn, drawn[::-1], key=lambda way: _turn(graph.ends[e][0], way))
            way: list[Point] = [line[0]]
            for a, b in pairwise(line):
                step = math.dist(a, b)
                parts = int(step / 2) + 1 if step > 3 else 1
                way += [
                    (a[0] + (b[0] - a[0]) * k / parts, a[1] + (b[1] - a[1]) * k / parts)
                    for k in range(1, parts + 1)
                ]
            keys: list[Key] = [
                graph.ends[e][0],
                *(("hop", e, k) for k in range(1, len(way) - 1)),
                graph.ends[e][1],
            ]
            self.roads.append(keys)
            self.turns.append(_turn(keys[0], line))
            self.place.update(zip(keys, way, strict=True))
            for p, q in pairwise(keys):
                metres = int(math.dist(self.place[p], self.place[q]) * 100 + 1e-6) / 100
                self.near[p].append((q, metres))
                self.near[q].append((p, metres))
            for end in graph.ends[e]:
                self.degree[end] += 1

    def around(self, place: Key) -> set[Key]:
        reached = {place}
        for _ in range(4):
            reached |= {q for p in reached for q, _ in self.near[p]}
        return reached

    def control_points(self, spacing: float, inside: Callable[[Point], bool]) -> list[Key]:
        chosen: list[Key] = []
        covered: set[Key] = set()
        cells = set()
        done = set()

        def choose(key: Key, anyway: bool = False) -> None:
            x, y = self.place[key]
            cell = math.floor(x / math.cos(math.radians(41)) / 2), math.floor(y / 2)
            if inside((x, y)) and cell not in cells and (anyway or key not in covered):
                cells.add(cell)
                chosen.append(key)
                covered.update(self.around(key))

        for node in sorted(k for k in self.degree if self.degree[k] != 2):
            own = [r for r, keys in enumerate(self.roads) if node in (keys[0], keys[-1]) and r not in done]
            for r in sorted(own, key=self.turns.__getitem__):
                keys = self.roads[r] if self.roads[r][0] == node else self.roads[r][::-1]
                done.add(r)
                if len(keys) > 0.75 * spacing:
                    parts = int(len(keys) / (spacing / 2)) + 1
                    for k in range(1, parts):
                        choose(keys[len(keys) * k // parts])
            choose(node, self.degree[node] == 1)
        return chosen

    def partners(self, points: list[Point], snap: float) -> list[Key | None]:
        covered: set[Key] = set()
        found: list[Key | None] = []
        east = 1 / math.cos(math.radians(41))
        for x, y in points:
            by_degrees = sorted(
                self.place, key=lambda k: math.hypot((self.place[k][0] - x) * east, self.place[k][1] - y)
            )
            free = [
                k for k in by_degrees[:10] if k not in covered and math.dist(self.place[k], (x, y)) < snap
            ]
            found.append(free[0] if free else None)
            if free:
                covered |= self.around(free[0])
        return found


def slow_cityscale(
    graph: SlowGraph, other: SlowGraph, inside: Callable[[Point], bool], least: float
) -> float:
    """One direction."""
    here, there = SlowHops(graph), SlowHops(other)
    points = here.control_points(50.0, inside)
    partners = there.partners([here.place[p] for p in points], 10.0)
    total, pairs = 0.0, 0
    for i, p in enumerate(points):
        ours = dijkstra(here.near, p)
        q = partners[i]
        theirs = dijkstra(there.near, q) if q else {}
        for j in range(i + 1, len(points)):
            r = partners[j]
            if q is None or r is None:
                pairs, total = pairs + 1, total + 1.0
            elif least < ours.get(points[j], math.inf) < math.inf:
                length = ours[points[j]]
                pairs, total = pairs + 1, total + min(1.0, abs(length - theirs.get(r, math.inf)) / length)
    return 1 - total / pairs if pairs else 0.0
