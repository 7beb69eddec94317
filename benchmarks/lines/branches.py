"""A skeleton as branches between nodes, by skan, and what is usually done to them: merge, prune, drop.

Written for the comparison only, with none of georoads' tracing in it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import skan
from numpy.typing import NDArray

from georoads.grid import Points

CLUSTER_PX = 2.5
"""Pixels of one junction touch each other; skan makes a node of each, with branches of 1 to 2 px between."""


@dataclass(frozen=True)
class Branch:
    """A line between two nodes: (K, 2) x and y in pixels, from the node ``start`` to the node ``end``."""

    start: int
    end: int
    xy: Points

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(*np.diff(self.xy, axis=0).T).sum())

    @property
    def is_loop(self) -> bool:
        """Both ends are one node."""
        return self.start == self.end

    def turned(self) -> Branch:
        """The other way round."""
        return Branch(self.end, self.start, self.xy[::-1])


def degrees(branches: list[Branch]) -> Counter[int]:
    """Branch ends at each node."""
    return Counter(node for b in branches for node in (b.start, b.end))


def skeleton_branches(skeleton: NDArray[np.bool_]) -> list[Branch]:
    """The branches of a one-pixel skeleton; the pixels of one junction are one node at their middle."""
    if not skeleton.any():
        return []
    pixels = np.pad(skeleton, 1)
    try:
        found = skan.Skeleton(pixels)
    except ValueError:  # skan refuses a picture in which no two pixels touch
        return []
    width = pixels.shape[1]
    branches = []
    for i in range(found.n_paths):
        rc = found.path_coordinates(i).astype(np.int64) - 1
        if len(rc) < 2:
            continue
        start, end = (int(r * width + c) for r, c in (rc[0], rc[-1]))
        branches.append(Branch(start, end, rc[:, ::-1] + 0.5))
    return merge_through(_one_node_per_junction(branches))


def _one_node_per_junction(branches: list[Branch]) -> list[Branch]:
    degree = degrees(branches)
    short = [
        b for b in branches
        if not b.is_loop and b.length < CLUSTER_PX and degree[b.start] >= 3 and degree[b.end] >= 3
    ]  # fmt: skip
    owner: dict[int, int] = {}

    def find(node: int) -> int:
        while owner.get(node, node) != node:
            node = owner[node]
        return node

    for b in short:
        a, z = sorted((find(b.start), find(b.end)))
        owner[z] = a
    members: dict[int, set[tuple[float, float]]] = defaultdict(set)
    for b in short:
        for node, point in ((b.start, b.xy[0]), (b.end, b.xy[-1])):
            members[find(node)].add((float(point[0]), float(point[1])))
    middle = {node: np.mean(sorted(points), axis=0) for node, points in members.items()}
    merged = []
    for b in branches:
        start, end = find(b.start), find(b.end)
        if start == end and b.length < 2 * CLUSTER_PX:
            continue
        xy = b.xy
        if start in middle:
            xy = np.vstack((middle[start], xy))
        if end in middle:
            xy = np.vstack((xy, middle[end]))
        merged.append(Branch(start, end, _without_repeats(xy)))
    return merged


def _without_repeats(xy: Points) -> Points:
    return xy[np.concatenate(([True], (np.diff(xy, axis=0) != 0).any(axis=1)))]


def merge_through(branches: list[Branch]) -> list[Branch]:
    """Join the two branches at every node where only two meet. A ring keeps one node."""
    at: dict[int, list[int]] = defaultdict(list)
    rows: dict[int, Branch] = dict(enumerate(branches))
    for i, b in rows.items():
        at[b.start].append(i)
        at[b.end].append(i)
    for node in sorted(at):
        if len(at[node]) != 2 or at[node][0] == at[node][1]:
            continue
        i, j = sorted(at[node])
        first = rows[i] if rows[i].end == node else rows[i].turned()
        second = rows.pop(j)
        second = second if second.start == node else second.turned()
        rows[i] = Branch(first.start, second.end, np.vstack((first.xy, second.xy[1:])))
        at[second.end] = [i if k == j else k for k in at[second.end]]
        at[node] = []
    return [rows[i] for i in sorted(rows)]


def prune(branches: list[Branch], is_spur: Callable[[Branch], bool]) -> list[Branch]:
    """Drop dead ends for which ``is_spur`` holds, at each junction the shortest first, until none is left.

    Args:
        is_spur: asked of branches turned so that they run from the junction to the dead end.
    """
    while True:
        degree = degrees(branches)
        shortest: dict[int, tuple[float, int]] = {}
        for i, b in enumerate(branches):
            hanging = b if degree[b.end] == 1 else b.turned()
            if degree[hanging.end] != 1 or degree[hanging.start] < 3 or not is_spur(hanging):
                continue
            key = (b.length, i)
            shortest[hanging.start] = min(shortest.get(hanging.start, key), key)
        if not shortest:
            return branches
        gone = {i for _, i in shortest.values()}
        branches = merge_through([b for i, b in enumerate(branches) if i not in gone])


def drop_islands(branches: list[Branch], least_px: float) -> list[Branch]:
    """Drop connected networks of less total length."""
    part: dict[int, int] = {}

    def find(node: int) -> int:
        while part.setdefault(node, node) != node:
            node = part[node]
        return node

    for b in branches:
        part[find(b.start)] = find(b.end)
    total: dict[int, float] = defaultdict(float)
    for b in branches:
        total[find(b.start)] += b.length
    return [b for b in branches if total[find(b.start)] >= least_px]
