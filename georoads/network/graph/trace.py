"""Tracing: a skeleton to a graph of nodes and pixel paths.

Two neighbouring skeleton pixels are linked when they share a side, or a corner and no third skeleton
pixel joins them around that corner; so a T or an L has one junction or none, not a triangle.

- A pixel with one link is an end; one with three or more, or in a full 2 x 2 square, a junction. Linked
  junction pixels form one node at the mean of their positions.
- The pixels with two links between two nodes are an edge's path. Parallel edges and self-loops are kept.
- A ring without any node gets one: its first pixel in reading order; its edge is a self-loop.
- A pixel without links is dropped: it has a place but no length.

Pixels are named by their place in the skeleton's list, so nothing here depends on the raster's size.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Points
from georoads.network.graph.graph import Graph
from georoads.network.mask.anchors import near_edge
from georoads.network.mask.measure import MAX_RADIUS_PX, chords, distances
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import Pixels, RunMask
from georoads.network.skeleton.neighbours import BLOCK, COUNT, LINKS, Table, neighbour_steps
from georoads.network.skeleton.skeleton import Skeleton, place_of
from georoads.network.union import join, numbered

PATH, NODE, SEEN = 1, 2, 3

MAX_LEAN_PX = 1.0
"""A skeleton lies no farther from its road's middle than this; chords that say more run into side roads."""

Places = NDArray[np.int64]
"""(K,) int64 places in a skeleton's list of pixels."""


def trace(skeleton: Skeleton, mask: RoadMask, levels: NDArray[np.uint8], anchors: Pixels) -> Graph:
    """The graph of a skeleton; see the module.

    Args:
        skeleton: one pixel wide.
        mask: the road mask that was thinned.
        levels: (S,) uint8, round(254 p) at the skeleton's pixels.
        anchors: (K,) int64 ids of the skeleton's pixels that ``edge_anchors`` chose.

    Returns:
        Paths through the pixels' centres, without widths. Nodes in reading order of their first pixel; edges
        in the order in which their nodes are left.
    """
    width = skeleton.shape[1]
    walk = _walk(skeleton)
    nodes = skeleton.pixels[walk.nodes]
    n_nodes = int(walk.node_of.max(initial=-1)) + 1
    # A node lies at the mean of its pixels; paths begin and end there.
    counts = np.bincount(walk.node_of, minlength=n_nodes)
    node_xy = _centres(nodes, width)
    node_xy = np.column_stack([np.bincount(walk.node_of, node_xy[:, k]) / counts for k in (0, 1)])
    # Of the node's pixels the one farthest from the background gives its radius.
    away = distances(mask.road.complement().runs, skeleton.shape, nodes, MAX_RADIUS_PX)
    node_radius = np.zeros(n_nodes)
    np.maximum.at(node_radius, walk.node_of, away)
    anchored, at_edge = np.zeros((2, n_nodes), np.bool_)
    anchored[walk.node_of[np.isin(nodes, anchors)]] = True
    at_edge[walk.node_of[near_edge(nodes, skeleton.shape, mask.nodata.runs)]] = True
    return Graph(
        node_xy=node_xy,
        node_radius=node_radius,
        anchored=anchored,
        at_edge=at_edge,
        edge_nodes=walk.edge_nodes,
        offsets=walk.offsets,
        xy=_centres(skeleton.pixels[walk.path], width),
        level=levels[walk.path],
    ).pin_ends()


def measure_widths(graph: Graph, road: RunMask, block_px: int) -> Graph:
    """The graph with the road's width at every point, and its points moved to the middle of the road.

    The skeleton of a road of even width lies half a pixel off its middle. Where a side road makes the chord
    lean to one side, and at nodes where roads meet, points stay.

    Args:
        graph: as traced.
        road: the mask whose skeleton was traced.
        block_px: widths are measured in blocks of this side; the result does not depend on it.
    """
    across = chords(road, graph.xy, graph.offsets, block_px)
    moved = np.where(np.hypot(*across.lean.T)[:, None] <= MAX_LEAN_PX, across.lean, 0.0)
    single = graph.degree() == 1
    node_xy = graph.node_xy.copy()
    for side, ends in ((0, graph.offsets[:-1]), (1, graph.offsets[1:] - 1)):
        node = graph.edge_nodes[:, side]
        alone = single[node]
        node_xy[node[alone]] += moved[ends[alone]]
    return replace(graph, node_xy=node_xy, xy=graph.xy + moved, width=across.width).pin_ends()


def _centres(pixels: Pixels, width: int) -> Points:
    """(K, 2) float64 coordinates of the middles of pixels of a raster of that width."""
    rows, cols = np.divmod(pixels, width)
    return np.column_stack((cols + 0.5, rows + 0.5))


@dataclass(frozen=True)
class _Walk:
    """What is found when a skeleton's paths are walked.

    Attributes:
        nodes: (K,) places of the nodes' pixels.
        node_of: (K,) int64, the number of the node that each is part of.
        edge_nodes: (E, 2) int64 numbers of the nodes that each path joins.
        offsets: (E + 1,) int64; path i is path[offsets[i]:offsets[i + 1]].
        path: (P,) places of the paths' pixels.
    """

    nodes: Places
    node_of: NDArray[np.int64]
    edge_nodes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    path: Places


class _Image(NamedTuple):
    """A skeleton as compiled code takes it: ids of its pixels, to which neighbours each is linked (by bits),
    and how far the eight neighbours' ids are away."""

    pixels: Pixels
    links: Table
    steps: NDArray[np.int64]


def _walk(skeleton: Skeleton) -> _Walk:
    """All paths between nodes, and the rings."""
    links = LINKS[skeleton.codes]
    degree = COUNT[links]
    is_node = (degree > 0) & ((degree != 2) | (BLOCK[skeleton.codes] > 0))
    state = np.where(is_node, NODE, np.where(degree > 0, PATH, 0)).astype(np.uint8)
    nodes = np.flatnonzero(is_node)
    image = _Image(skeleton.pixels, links, neighbour_steps(skeleton.shape[1]))
    node_of = _node_numbers(image, nodes, COUNT)
    most = int(degree[nodes].sum()) + len(links) // 4 + 1  # a ring has four pixels at least
    edge_nodes, offsets, path, rings = _walk_paths(image, state, nodes, node_of, most)
    ring_of = int(node_of.max(initial=-1)) + 1 + np.arange(len(rings))
    nodes, node_of = np.concatenate((nodes, rings)), np.concatenate((node_of, ring_of))
    return _Walk(nodes, node_of, edge_nodes, offsets, path)


@compiled
def _node_numbers(image: _Image, nodes: Places, count: Table) -> NDArray[np.int64]:
    """(K,) int64: linked junction pixels share a number; numbers follow the first pixel's order."""
    pixels, links, steps = image
    parent = np.arange(len(nodes))
    for i in range(len(nodes)):
        here = nodes[i]
        if count[links[here]] < 2:
            continue  # an end is a node of its own
        # The four neighbours that come earlier: west, and three in the row above.
        for k in (6, 7, 0, 1):
            if not links[here] >> k & 1:
                continue
            there = place_of(pixels, pixels[here] + steps[k], here)
            j = int(np.searchsorted(nodes, there))
            if j < i and nodes[j] == there and count[links[there]] >= 2:
                join(parent, i, j)
    return numbered(parent)


@compiled
def _follow(image: _Image, state: NDArray[np.uint8], path: Places, count: int) -> int:
    """Extend the path, whose last two pixels are given, to the next node pixel; the new length."""
    pixels, links, steps = image
    while state[path[count - 1]] == PATH:
        here, before = path[count - 1], path[count - 2]
        state[here] = SEEN
        # Of its two links the one that does not lead back.
        for k in range(8):
            if links[here] >> k & 1 and pixels[here] + steps[k] != pixels[before]:
                path[count] = place_of(pixels, pixels[here] + steps[k], here)
                count += 1
                break
    return count


@compiled
def _walk_paths(
    image: _Image, state: NDArray[np.uint8], nodes: Places, node_of: NDArray[np.int64], most: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], Places, Places]:
    """Walk all paths: first those that begin at nodes; of what is left then, all are rings.

    Args:
        image: the skeleton.
        state: (S,) uint8: PATH, NODE or SEEN of each pixel; changed in place.
        nodes: (K,) places of the nodes' pixels, ascending.
        node_of: (K,) int64 number of each one's node.
        most: paths that there are at most.

    Returns:
        (E, 2) node numbers, (E + 1,) offsets, the paths' pixels, and the first pixel of each ring. A ring's
        first pixel is a further node.
    """
    pixels, links, steps = image
    path = np.empty(len(pixels) + 2 * most, np.int64)
    edge_nodes, offsets = np.empty((most, 2), np.int64), np.zeros(most + 1, np.int64)
    edges, count = 0, 0
    for i in range(len(nodes)):
        start = nodes[i]
        for k in range(8):
            if not links[start] >> k & 1:
                continue
            second = place_of(pixels, pixels[start] + steps[k], start)
            if state[second] == SEEN:
                continue  # walked from its other end
            # Two nodes side by side are joined once, and pixels of one node not at all.
            if state[second] == NODE and (
                second < start or node_of[np.searchsorted(nodes, second)] == node_of[i]
            ):
                continue
            path[count], path[count + 1] = start, second
            count = _follow(image, state, path, count + 2)
            edge_nodes[edges, 0] = node_of[i]
            edge_nodes[edges, 1] = node_of[np.searchsorted(nodes, path[count - 1])]
            edges += 1
            offsets[edges] = count
    first_ring = edges
    n_nodes = node_of.max() + 1 if len(node_of) else 0
    for i in range(len(pixels)):
        if state[i] == PATH:
            state[i] = NODE
            # Of its two links the first, clockwise from north.
            k = 0
            while not links[i] >> k & 1:
                k += 1
            path[count], path[count + 1] = i, place_of(pixels, pixels[i] + steps[k], i)
            count = _follow(image, state, path, count + 2)
            edge_nodes[edges] = n_nodes + edges - first_ring
            edges += 1
            offsets[edges] = count
    rings = path[offsets[first_ring:edges]]
    return edge_nodes[:edges].copy(), offsets[: edges + 1].copy(), path[:count].copy(), rings
