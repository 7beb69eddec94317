"""Tracing: a skeleton to a graph of nodes and pixel paths.

Two neighbouring skeleton pixels are linked when they share a side, or a corner and no third skeleton
pixel joins them around that corner; so a T or an L has one junction or none, not a triangle.

- A pixel with one link is an end; one with three or more, or in a full 2 x 2 square, a junction. Linked
  junction pixels form one node at the mean of their positions.
- The pixels with two links between two nodes are an edge's path. Parallel edges and self-loops are kept.
- A ring without any node gets one: its first pixel in reading order; its edge is a self-loop.
- A pixel without links is dropped: it has a place but no length.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.network.compiled import compiled
from georoads.network.graph import Graph
from georoads.network.measure import chord_widths, radii
from georoads.network.neighbours import BLOCK, COUNT, LINKS, code_at, framed, steps
from georoads.network.thin import Pixels
from georoads.network.types import FULL, NODATA
from georoads.network.union import join, numbered

EDGE_PX = 3
"""An end this near to the raster's edge or to nodata is a road that leaves the scene."""

PATH, NODE, SEEN = 1, 2, 3


def trace(
    skeleton: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    probability: NDArray[np.uint8] | None = None,
    anchors: Pixels | None = None,
) -> Graph:
    """The graph of a skeleton.

    Args:
        skeleton: (H, W) bool, one pixel wide, as ``thin`` makes it.
        mask: (H, W) bool, the road mask that was thinned; for widths.
        probability: (H, W) uint8, round(254 p), 255 = nodata; None means p = 1 on the whole skeleton.
        anchors: ids of the skeleton's pixels that ``edge_anchors`` chose.

    Returns:
        Nodes in reading order of their first pixel; edges in the order in which their nodes are left.
    """
    width = skeleton.shape[1]
    nodes, node_of, edge_nodes, offsets, pixels = _walk(skeleton)
    xy = _centres(pixels, width)
    counts = np.bincount(node_of)
    node_xy = _centres(nodes, width)
    node_xy = np.column_stack([np.bincount(node_of, node_xy[:, k]) / counts for k in (0, 1)]).reshape(-1, 2)
    xy[offsets[:-1]] = node_xy[edge_nodes[:, 0]]
    xy[offsets[1:] - 1] = node_xy[edge_nodes[:, 1]]
    node_radius = np.zeros(len(node_xy))
    np.maximum.at(node_radius, node_of, radii(mask, nodes))
    anchored, at_edge = np.zeros((2, len(node_xy)), np.bool_)
    if anchors is not None:
        anchored[node_of[np.isin(nodes, anchors)]] = True
    empty = np.zeros((0, 0), np.uint8)
    at_edge[node_of[_near_edge(nodes, skeleton.shape, empty if probability is None else probability)]] = True
    return Graph(
        node_xy=node_xy,
        node_radius=node_radius,
        anchored=anchored,
        at_edge=at_edge,
        edge_nodes=edge_nodes,
        offsets=offsets,
        xy=xy,
        width=chord_widths(mask, xy, offsets),
        level=np.full(len(pixels), FULL, np.uint8)
        if probability is None
        else probability.reshape(-1)[pixels],
        bridged_px=np.zeros(len(edge_nodes)),
    )


def _centres(pixels: Pixels, width: int) -> NDArray[np.float64]:
    rows, cols = np.divmod(pixels, width)
    return np.column_stack((cols + 0.5, rows + 0.5))


def _walk(
    skeleton: NDArray[np.bool_],
) -> tuple[Pixels, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], Pixels]:
    """Node pixels, their node's number, (E, 2) edge nodes, offsets and the paths' pixels."""
    image = framed(skeleton)
    width = image.shape[1]
    flat = image.reshape(-1)
    pixels = np.flatnonzero(flat)
    links, is_node = _classify(flat, width, pixels, (LINKS, BLOCK, COUNT))
    flat[pixels] = np.where(is_node, NODE, np.where(links > 0, PATH, 0))
    all_nodes = pixels[is_node]
    node_of = _node_numbers(all_nodes, links[is_node], steps(width), COUNT)
    ends, offsets, path, rings = _paths(
        flat, (pixels, links), (all_nodes, node_of), (steps(width), int(COUNT[links[is_node]].sum()))
    )
    all_nodes = np.concatenate((all_nodes, rings))
    n_nodes = int(node_of.max(initial=-1)) + 1
    node_of = np.concatenate((node_of, n_nodes + np.arange(len(rings))))

    def unframed(framed_pixels: Pixels) -> Pixels:
        rows, cols = np.divmod(framed_pixels, width)
        return np.asarray((rows - 1) * (width - 2) + cols - 1)

    return unframed(all_nodes), node_of, ends, offsets, unframed(path)


@compiled
def _classify(
    image: NDArray[np.uint8],
    width: int,
    pixels: Pixels,
    tables: tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]],
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Links of every skeleton pixel, and whether it belongs to a node."""
    links_of, block, count = tables
    links = np.empty(len(pixels), np.uint8)
    is_node = np.empty(len(pixels), np.bool_)
    for i in range(len(pixels)):
        code = code_at(image, pixels[i], width)
        links[i] = links_of[code]
        degree = count[links[i]]
        is_node[i] = degree > 0 and (degree != 2 or block[code])
    return links, is_node


@compiled
def _node_numbers(
    pixels: Pixels, links: NDArray[np.uint8], offsets: NDArray[np.int64], count: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """(K,) int64: linked junction pixels share a number; numbers follow the first pixel's order."""
    parent = np.arange(len(pixels))
    for i in range(len(pixels)):
        if count[links[i]] < 2:
            continue
        for k in (6, 7, 0, 1):
            if not links[i] >> k & 1:
                continue
            j = np.searchsorted(pixels, pixels[i] + offsets[k])
            if j >= i or pixels[j] != pixels[i] + offsets[k] or count[links[j]] < 2:
                continue
            join(parent, i, j)
    return numbered(parent)


@compiled
def _follow(
    image: NDArray[np.uint8],
    skeleton: tuple[Pixels, NDArray[np.uint8]],
    offsets: NDArray[np.int64],
    path: Pixels,
    count: int,
) -> int:
    """Extend the path, whose last two pixels are given, to the next node pixel; the new length."""
    pixels, links = skeleton
    while image[path[count - 1]] == PATH:
        here, before = path[count - 1], path[count - 2]
        image[here] = SEEN
        joined = links[np.searchsorted(pixels, here)]
        for k in range(8):
            if joined >> k & 1 and here + offsets[k] != before:
                path[count] = here + offsets[k]
                count += 1
                break
    return count


@compiled
def _paths(
    image: NDArray[np.uint8],
    skeleton: tuple[Pixels, NDArray[np.uint8]],
    nodes: tuple[Pixels, NDArray[np.int64]],
    sizes: tuple[NDArray[np.int64], int],
) -> tuple[NDArray[np.int64], NDArray[np.int64], Pixels, Pixels]:
    """(E, 2) node numbers, (E + 1,) offsets, the paths' pixels, and the first pixel of each ring."""
    pixels, links = skeleton
    node_pixels, node_of = nodes
    steps_to, ends = sizes
    most = ends + len(pixels) // 4 + 1  # a ring has four pixels at least
    path = np.empty(len(pixels) + 2 * most, np.int64)
    edge_nodes = np.empty((most, 2), np.int64)
    offsets = np.zeros(most + 1, np.int64)
    rings = np.empty(most, np.int64)
    edges, count, n_rings = 0, 0, 0
    n_nodes = node_of.max() + 1 if len(node_of) else 0
    for i in range(len(node_pixels)):
        start = node_pixels[i]
        joined = links[np.searchsorted(pixels, start)]
        for k in range(8):
            second = start + steps_to[k]
            if not joined >> k & 1 or image[second] == SEEN:
                continue
            if image[second] == NODE and (
                second < start or node_of[np.searchsorted(node_pixels, second)] == node_of[i]
            ):
                continue
            path[count] = start
            path[count + 1] = second
            count = _follow(image, skeleton, steps_to, path, count + 2)
            edge_nodes[edges, 0] = node_of[i]
            edge_nodes[edges, 1] = node_of[np.searchsorted(node_pixels, path[count - 1])]
            edges += 1
            offsets[edges] = count
    for i in range(len(pixels)):
        if image[pixels[i]] != PATH:
            continue
        image[pixels[i]] = NODE
        path[count] = pixels[i]
        for k in range(8):
            if links[i] >> k & 1:
                path[count + 1] = pixels[i] + steps_to[k]
                break
        count = _follow(image, skeleton, steps_to, path, count + 2)
        rings[n_rings] = pixels[i]
        edge_nodes[edges] = n_nodes + n_rings
        n_rings += 1
        edges += 1
        offsets[edges] = count
    return edge_nodes[:edges].copy(), offsets[: edges + 1].copy(), path[:count].copy(), rings[:n_rings].copy()


@compiled
def _near_edge(pixels: Pixels, shape: tuple[int, int], probability: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(K,) bool: pixels within EDGE_PX of the raster's edge or of nodata."""
    height, width = shape
    near = np.zeros(len(pixels), np.bool_)
    for i in range(len(pixels)):
        row, col = pixels[i] // width, pixels[i] % width
        near[i] = min(row, col, height - 1 - row, width - 1 - col) < EDGE_PX
        if not probability.size:
            continue
        for r in range(max(0, row - EDGE_PX), min(height, row + EDGE_PX + 1)):
            for c in range(max(0, col - EDGE_PX), min(width, col + EDGE_PX + 1)):
                near[i] = near[i] or probability[r, c] == NODATA
    return near
