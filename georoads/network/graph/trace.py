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

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.levels import FULL, NODATA
from georoads.network.compiled import compiled
from georoads.network.graph.graph import Graph
from georoads.network.mask.anchors import near_edge
from georoads.network.mask.measure import chords, radii
from georoads.network.mask.runs import Pixels, RunMask
from georoads.network.skeleton.neighbours import BLOCK, COUNT, LINKS, Table, steps
from georoads.network.skeleton.skeleton import Skeleton, place_of
from georoads.network.union import join, numbered

PATH, NODE, SEEN = 1, 2, 3

MAX_LEAN_PX = 1.0
"""A skeleton lies no farther from its road's middle than this; chords that say more run into side roads."""

Places = NDArray[np.int64]
"""(K,) int64 places in a skeleton's list of pixels."""


def trace(
    skeleton: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    probability: NDArray[np.uint8] | None = None,
    anchors: Pixels | None = None,
) -> Graph:
    """The graph of a skeleton whose raster is held whole.

    Args:
        skeleton: (H, W) bool, one pixel wide, as ``thin`` makes it.
        mask: (H, W) bool, the road mask that was thinned; for widths.
        probability: (H, W) uint8, round(254 p), 255 = nodata; None means p = 1 on the whole skeleton.
        anchors: ids of the skeleton's pixels that ``edge_anchors`` chose.
    """
    thinned = Skeleton.of(RunMask.of(skeleton))
    if probability is None:
        probability = np.full(mask.shape, FULL, np.uint8)
    levels = probability.reshape(-1)[thinned.pixels]
    masks = RunMask.of(mask), RunMask.of(probability == NODATA)
    return traced(thinned, masks, levels, anchors, max(mask.shape), centre=False)


def traced(
    skeleton: Skeleton,
    masks: tuple[RunMask, RunMask],
    levels: NDArray[np.uint8],
    anchors: Pixels | None,
    block_px: int,
    *,
    centre: bool = True,
) -> Graph:
    """The graph of a skeleton.

    Args:
        skeleton: one pixel wide.
        masks: the road mask that was thinned, for widths; and nodata.
        levels: (S,) uint8, round(254 p) at the skeleton's pixels.
        anchors: ids of the skeleton's pixels that ``edge_anchors`` chose.
        block_px: widths are measured in blocks of this side; the result does not depend on it.
        centre: move the points from their pixels' centres to the middle of the road.

    Returns:
        Nodes in reading order of their first pixel; edges in the order in which their nodes are left.
    """
    mask, nodata = masks
    width = skeleton.shape[1]
    walk = _walk(skeleton)
    nodes = skeleton.pixels[walk.nodes]
    n_nodes = int(walk.node_of.max(initial=-1)) + 1
    counts = np.bincount(walk.node_of, minlength=n_nodes)
    node_xy = _centres(nodes, width)
    node_xy = np.column_stack([np.bincount(walk.node_of, node_xy[:, k]) / counts for k in (0, 1)])
    xy = _centres(skeleton.pixels[walk.path], width)
    xy[walk.offsets[:-1]] = node_xy[walk.edge_nodes[:, 0]]
    xy[walk.offsets[1:] - 1] = node_xy[walk.edge_nodes[:, 1]]
    node_radius = np.zeros(n_nodes)
    np.maximum.at(node_radius, walk.node_of, radii(mask, nodes))
    anchored, at_edge = np.zeros((2, n_nodes), np.bool_)
    if anchors is not None:
        anchored[walk.node_of[np.isin(nodes, anchors)]] = True
    at_edge[walk.node_of[near_edge(nodes, skeleton.shape, nodata.runs)]] = True
    widths, leans = chords(mask, xy, walk.offsets, block_px)
    if centre:
        xy, node_xy = _centred(xy, node_xy, leans, walk)
    return Graph(
        node_xy=node_xy,
        node_radius=node_radius,
        anchored=anchored,
        at_edge=at_edge,
        edge_nodes=walk.edge_nodes,
        offsets=walk.offsets,
        xy=xy,
        width=widths,
        level=levels[walk.path],
        bridged_px=np.zeros(len(walk.edge_nodes)),
    )


def _centred(xy: Points, node_xy: Points, leans: Points, walk: _Walk) -> tuple[Points, Points]:
    """Points and nodes moved to the middle of the road.

    The skeleton of a road of even width lies half a pixel off its middle. Where a side road makes the chord
    lean to one side, and at nodes where roads meet, points stay.
    """
    moved = np.where(np.hypot(*leans.T)[:, None] <= MAX_LEAN_PX, leans, 0.0)
    first, last = walk.offsets[:-1], walk.offsets[1:] - 1
    single = np.bincount(walk.edge_nodes.ravel(), minlength=len(node_xy)) == 1
    node_xy = node_xy.copy()
    for side, ends in ((0, first), (1, last)):
        node = walk.edge_nodes[:, side]
        alone = single[node]
        node_xy[node[alone]] += moved[ends[alone]]
    xy = xy + moved
    xy[first], xy[last] = node_xy[walk.edge_nodes[:, 0]], node_xy[walk.edge_nodes[:, 1]]
    return xy, node_xy


def _centres(pixels: Pixels, width: int) -> NDArray[np.float64]:
    rows, cols = np.divmod(pixels, width)
    return np.column_stack((cols + 0.5, rows + 0.5))


@dataclass(frozen=True)
class _Walk:
    """Node pixels, their node's number, (E, 2) edge nodes, offsets and the paths' pixels."""

    nodes: Places
    node_of: NDArray[np.int64]
    edge_nodes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    path: Places


def _walk(skeleton: Skeleton) -> _Walk:
    """All paths between nodes, and the rings."""
    links = LINKS[skeleton.codes]
    degree = COUNT[links]
    is_node = (degree > 0) & ((degree != 2) | (BLOCK[skeleton.codes] > 0))
    state = np.where(is_node, NODE, np.where(degree > 0, PATH, 0)).astype(np.uint8)
    nodes = np.flatnonzero(is_node)
    image = skeleton.pixels, links, steps(skeleton.shape[1])
    node_of = _node_numbers(image, nodes, COUNT)
    most = int(degree[nodes].sum()) + len(links) // 4 + 1  # a ring has four pixels at least
    edge_nodes, offsets, path, rings = _paths(image, state, nodes, node_of, most)
    ring_of = int(node_of.max(initial=-1)) + 1 + np.arange(len(rings))
    return _Walk(
        np.concatenate((nodes, rings)), np.concatenate((node_of, ring_of)), edge_nodes, offsets, path
    )


@compiled
def _node_numbers(
    image: tuple[Pixels, Table, NDArray[np.int64]], nodes: Places, count: Table
) -> NDArray[np.int64]:
    """(K,) int64: linked junction pixels share a number; numbers follow the first pixel's order."""
    pixels, links, offsets = image
    parent = np.arange(len(nodes))
    for i in range(len(nodes)):
        here = nodes[i]
        if count[links[here]] < 2:
            continue
        for k in (6, 7, 0, 1):
            if not links[here] >> k & 1:
                continue
            there = place_of(pixels, pixels[here] + offsets[k], here)
            j = int(np.searchsorted(nodes, there))
            if j < i and nodes[j] == there and count[links[there]] >= 2:
                join(parent, i, j)
    return numbered(parent)


@compiled
def _follow(
    image: tuple[Pixels, Table, NDArray[np.int64]],
    state: NDArray[np.uint8],
    path: Places,
    count: int,
) -> int:
    """Extend the path, whose last two pixels are given, to the next node pixel; the new length."""
    pixels, links, offsets = image
    while state[path[count - 1]] == PATH:
        here, before = path[count - 1], path[count - 2]
        state[here] = SEEN
        for k in range(8):
            if links[here] >> k & 1 and pixels[here] + offsets[k] != pixels[before]:
                path[count] = place_of(pixels, pixels[here] + offsets[k], here)
                count += 1
                break
    return count


@compiled
def _paths(
    image: tuple[Pixels, Table, NDArray[np.int64]],
    state: NDArray[np.uint8],
    nodes: Places,
    node_of: NDArray[np.int64],
    most: int,
) -> tuple[NDArray[np.int64], NDArray[np.int64], Places, Places]:
    """(E, 2) node numbers, (E + 1,) offsets, the paths' pixels, and the first pixel of each ring.

    There are ``most`` edges at most.
    """
    pixels, links, steps_to = image
    path = np.empty(len(pixels) + 2 * most, np.int64)
    edge_nodes = np.empty((most, 2), np.int64)
    offsets = np.zeros(most + 1, np.int64)
    rings = np.empty(most, np.int64)
    edges, count, n_rings = 0, 0, 0
    n_nodes = node_of.max() + 1 if len(node_of) else 0
    for i in range(len(nodes)):
        start = nodes[i]
        for k in range(8):
            if not links[start] >> k & 1:
                continue
            second = place_of(pixels, pixels[start] + steps_to[k], start)
            if state[second] == SEEN:
                continue
            if state[second] == NODE and (
                second < start or node_of[np.searchsorted(nodes, second)] == node_of[i]
            ):
                continue
            path[count] = start
            path[count + 1] = second
            count = _follow(image, state, path, count + 2)
            edge_nodes[edges, 0] = node_of[i]
            edge_nodes[edges, 1] = node_of[np.searchsorted(nodes, path[count - 1])]
            edges += 1
            offsets[edges] = count
    for i in range(len(pixels)):
        if state[i] != PATH:
            continue
        state[i] = NODE
        path[count] = i
        for k in range(8):
            if links[i] >> k & 1:
                path[count + 1] = place_of(pixels, pixels[i] + steps_to[k], i)
                break
        count = _follow(image, state, path, count + 2)
        rings[n_rings] = i
        edge_nodes[edges] = n_nodes + n_rings
        n_rings += 1
        edges += 1
        offsets[edges] = count
    return edge_nodes[:edges].copy(), offsets[: edges + 1].copy(), path[:count].copy(), rings[:n_rings].copy()
