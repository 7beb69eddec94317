"""Thinning: a road mask to a skeleton that is one pixel wide and has the mask's topology.

1. Erosion after Guo and Hall ("Parallel thinning with two-subiteration algorithms", 1989, A1): in each
   half-step, all pixels that its rule marks go at once. Unlike Zhang and Suen's it neither wipes out 2 x 2
   squares nor eats 2-pixel diagonals from their ends. Any of the marked pixels may as well stay: Ronse's
   conditions ("Minimal test patterns for connectivity preservation in parallel thinning algorithms", 1988)
   hold for every subset of a set for which they hold.
2. What is left thick is peeled from the four sides in turn, pixel by pixel, where a pixel is simple (its
   removal changes no component and no hole) and no line's end, until nothing can go.

Pixels given as anchors never go: they hold a road's line at the scene's edge, from which a plain
erosion would draw it back by half the road's width.

The mask is eroded in blocks, ``HALF_STEPS`` at a time. In a half-step a pixel looks one pixel far; so a block
that is painted with that many pixels around it is right after as many half-steps, whatever lies beyond. Wider
roads take several rounds: a block is eroded again unless the last two half-steps of a round left its pixels
and those around it as they were. Peeling goes through the skeleton's pixels only, all at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter

from georoads.compiled import compiled
from georoads.grid import Window
from georoads.network.mask.runs import Pixels, RowRuns, RunCollector, RunMask, blocks, first_run, runs_of
from georoads.network.skeleton.neighbours import (
    COUNT,
    EAST,
    ERODE_FIRST,
    ERODE_SECOND,
    NORTH,
    SIMPLE,
    SOUTH,
    WEST,
    Table,
    code_at,
    neighbour_steps,
)
from georoads.network.skeleton.skeleton import Skeleton, place_of
from georoads.network.types import BlockPlan

HALF_STEPS = 32
"""Half-steps per round, and the pixels around a block: roads up to about this width take one round."""


class Bare(NamedTuple):
    """Pixels of a flat image that have background beside them, as only those can be marked.

    Attributes:
        listed: (M,) int32, room for all pixels that may come to it.
        n: how many it holds.
        known: (H * W,) uint8, 1 where a pixel has come to the list or never may.
    """

    listed: NDArray[np.int32]
    n: int
    known: NDArray[np.uint8]


@dataclass(frozen=True)
class _Eroded:
    """The runs of a block after a round, and whether its last two half-steps removed a pixel of it."""

    runs: RowRuns
    changed: bool


def thin(mask: RunMask, anchors: Pixels, plan: BlockPlan) -> Skeleton:
    """The skeleton of a mask; see the module.

    Args:
        mask: the road mask.
        anchors: (K,) int64 ids (row * W + col), ascending, of road pixels to keep in any case.
        plan: the blocks, on which the result does not depend, and who erodes them.

    Returns:
        Same number of components (8-connected) and holes (4-connected) as the mask; apart from ends (one
        neighbour) and anchors no pixel can be removed without changing that.
    """
    skeleton = Skeleton.of(_erode(mask, anchors, plan))
    codes = skeleton.codes.copy()
    fixed = np.searchsorted(skeleton.pixels, anchors)
    stays = _peel(skeleton.pixels, codes, fixed, neighbour_steps(skeleton.shape[1]), SIMPLE, COUNT)
    return Skeleton(skeleton.shape, skeleton.pixels[stays], codes[stays])


def _erode(mask: RunMask, anchors: Pixels, plan: BlockPlan) -> RunMask:
    """Guo and Hall's two half-steps in turn until neither removes a pixel anywhere."""
    height, width = mask.shape
    block_px = plan.block_px
    changing = np.ones((-(-height // block_px), -(-width // block_px)), np.bool_)
    while changing.any():
        # What changed may go on changing, and reaches into the blocks around it.
        reach = -(-HALF_STEPS // block_px)
        active = maximum_filter(changing, 2 * reach + 1, mode="constant")
        changing = np.zeros_like(changing)
        collector = RunCollector(mask.shape)
        places = {w: (w.row // block_px, w.col // block_px) for w in blocks(mask.shape, block_px)}
        places = {window: block for window, block in places.items() if mask.any(window)}
        eroding = [window for window, block in places.items() if active[block]]
        eroded = iter(plan.parallel_map(partial(_erode_block, mask, anchors), eroding))
        for window, block in places.items():
            if active[block]:
                done = next(eroded)
                collector.add(window, done.runs)
                changing[block] = done.changed
            else:
                collector.add(window, mask.cut(window))
        mask = collector.mask()
    return mask


def _erode_block(mask: RunMask, anchors: Pixels, window: Window) -> _Eroded:
    """A block after ``HALF_STEPS``."""
    before = mask.cut(window)
    if not len(before.start):
        return _Eroded(before, False)
    # One pixel more than is right after that many half-steps: a frame of background, which needs no check.
    outer = window.pad(HALF_STEPS + 1)
    image = mask.paint(outer).view(np.uint8)
    image[[0, -1]] = image[:, [0, -1]] = 0
    bare = _find_bare(image, mask.runs, outer.row, outer.col, _places_in(outer, anchors, mask.shape[1]))
    offsets = neighbour_steps(outer.width)
    changed = _take_half_steps(image, bare, offsets, HALF_STEPS, ERODE_FIRST, ERODE_SECOND)
    inner = window.relative_to(outer)
    return _Eroded(runs_of(image[inner.slices].view(np.bool_), window.col), changed)


def _places_in(window: Window, pixels: Pixels, width: int) -> NDArray[np.int64]:
    """Those pixels that lie in the window, counted in its flat image."""
    first, last = np.searchsorted(pixels, (window.row * width, (window.row + window.height) * width))
    rows, cols = np.divmod(pixels[first:last], width)
    here = (cols >= window.col) & (cols < window.col + window.width)
    return np.asarray((rows[here] - window.row) * window.width + cols[here] - window.col)


@compiled
def _find_bare(
    image: NDArray[np.uint8], runs: RowRuns, top: int, left_col: int, anchors: NDArray[np.int64]
) -> Bare:
    """The road pixels of an image with this corner that have background beside them; anchors are never
    among them."""
    rows, start, stop = runs
    height, across = image.shape
    flat = image.reshape(-1)
    known = np.zeros_like(flat)
    for place in anchors:
        known[place] = 1
    listed = np.empty(flat.sum(), np.int32)
    n = 0
    # Only the runs inside the frame are looked at; places are counted in the flat image.
    left, right = left_col + 1, left_col + across - 1
    for row in range(max(top + 1, 0), min(top + height - 1, len(rows) - 1)):
        first = (row - top) * across - left_col
        for i in range(first_run(runs, row, left), rows[row + 1]):
            if start[i] >= right:
                break
            for pixel in range(first + max(start[i], left), first + min(stop[i], right)):
                if not known[pixel] and code_at(flat, pixel, across) != 255:
                    known[pixel] = 1
                    listed[n] = pixel
                    n += 1
    return Bare(listed, n, known)


@compiled
def _take_half_steps(
    image: NDArray[np.uint8],
    bare: Bare,
    offsets: NDArray[np.int64],
    count: int,
    first_rule: Table,
    second_rule: Table,
) -> bool:
    """Take ``count`` half-steps, an even number; True when the last two removed a pixel of the inner part.

    Around that part, in ``count + 1`` pixels from where the image is cut off, they may remove what in the
    whole mask would stay.
    """
    height, across = image.shape
    flat = image.reshape(-1)
    listed, n, known = bare
    marked = np.empty(len(listed), np.int32)
    frame = count + 1
    removed, before, late = 0, 0, 0
    for half in range(count):
        before, removed = removed, 0
        rule = first_rule if half % 2 == 0 else second_rule
        # Mark by the image as it is, so that all marked pixels go at once; the others stay on the list.
        stay = 0
        for i in range(n):
            pixel = listed[i]
            if rule[code_at(flat, pixel, across)]:
                marked[removed] = pixel
                removed += 1
            else:
                listed[stay] = pixel
                stay += 1
        for i in range(removed):
            flat[marked[i]] = 0
            if half >= count - 2:
                row, col = marked[i] // across, marked[i] % across
                late += frame <= row < height - frame and frame <= col < across - frame
        # Their neighbours now have background beside them.
        for i in range(removed):
            for k in range(8):
                pixel = marked[i] + offsets[k]
                if flat[pixel] and not known[pixel]:
                    known[pixel] = 1
                    listed[stay] = pixel
                    stay += 1
        n = stay
        if half > 0 and before + removed == 0:
            break  # neither of the two rules finds anything
    return late > 0


@compiled
def _peel(
    pixels: Pixels,
    codes: Table,
    fixed: NDArray[np.int64],
    offsets: NDArray[np.int64],
    simple: Table,
    count: Table,
) -> NDArray[np.bool_]:
    """Remove simple pixels that are no ends, one layer per side and round, until none is left.

    Returns (S,) bool, which pixels stay; ``codes`` is brought up to date in place.
    """
    stays = np.ones(len(pixels), np.bool_)
    held = np.zeros(len(pixels), np.bool_)
    held[fixed] = True
    changed = True
    while changed:
        changed = False
        for side in (NORTH, SOUTH, WEST, EAST):
            # Towards the open side, so that removing a pixel lays bare only pixels already visited.
            backwards = side in (NORTH, WEST)
            for step in range(len(pixels)):
                i = len(pixels) - 1 - step if backwards else step
                code = codes[i]
                # Only pixels with background on this side go, and no line's end.
                if not (simple[code] and count[code] > 1) or code >> side & 1 or held[i] or not stays[i]:
                    continue
                stays[i] = False
                changed = True
                # Its neighbours lose it from their codes; seen from there it lies the opposite way.
                for k in range(8):
                    if code >> k & 1:
                        codes[place_of(pixels, pixels[i] + offsets[k], i)] &= ~(1 << (k + 4) % 8)
    return stays
