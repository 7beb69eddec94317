from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.inference.picture import cut_reflected, reflect_index
from georoads.inference.tiles import WEIGHT, TilePlan, blend
from georoads.model.pixels import fill_invalid
from georoads.network.mask.runs import blocks

PLANS = st.tuples(st.integers(1, 300), st.integers(1, 300), st.integers(16, 64)).flatmap(
    lambda t: st.builds(TilePlan, st.just(t[0]), st.just(t[1]), st.just(t[2]), st.integers(0, t[2] // 2))
)


@settings(max_examples=60, deadline=None)
@given(PLANS)
def test_weights_sum_to_one_at_every_pixel(plan: TilePlan) -> None:
    total = np.zeros((plan.height, plan.width), dtype=np.uint32)
    for i in range(len(plan)):
        window = plan.window(i)
        inside = window.intersect(Window(0, 0, plan.height, plan.width))
        rows, cols = plan.weights(i)
        part = inside.relative_to(window).slices
        total[inside.slices] += (rows[:, None] * cols)[part]
    assert (total == WEIGHT * WEIGHT).all()


@settings(max_examples=40, deadline=None)
@given(PLANS, st.integers(0, 2**31))
def test_blending_tiles_of_one_picture_gives_the_picture(plan: TilePlan, seed: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (plan.height, plan.width)).astype(np.uint8)
    cut = partial(cut_reflected, picture[None], picture > 0)
    levels = {i: cut(plan.window(i))[0][0] for i in range(len(plan))}
    whole = Window(0, 0, plan.height, plan.width)
    assert (blend(plan, whole, levels) == picture).all()


def plainly_blended(
    plan: TilePlan, window: Window, levels: dict[int, NDArray[np.uint8]]
) -> NDArray[np.uint8]:
    """``blend``, tile by tile and pixel by pixel."""
    total = np.zeros((window.height, window.width), dtype=np.uint32)
    for index in range(len(plan)):
        square = plan.window(index)
        common = square.intersect(window)
        if not common.size:
            continue
        in_tile = common.relative_to(square).slices
        rows, cols = plan.weights(index)
        level = levels.get(index, np.full((plan.tile, plan.tile), 255, np.uint8))
        total[common.relative_to(window).slices] += level[in_tile] * (rows[:, None] * cols)[in_tile]
    return ((total + WEIGHT * WEIGHT // 2) // (WEIGHT * WEIGHT)).astype(np.uint8)


@settings(max_examples=60, deadline=None)
@given(PLANS, st.data())
def test_blending_by_stretches_is_blending_pixel_by_pixel(plan: TilePlan, data: st.DataObject) -> None:
    row, col = data.draw(st.integers(0, plan.height - 1)), data.draw(st.integers(0, plan.width - 1))
    window = Window(row, col, 90, 70).intersect(Window(0, 0, plan.height, plan.width))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**31)))
    shape = plan.tile, plan.tile
    levels = {
        i: rng.integers(0, 256, shape).astype(np.uint8) for i in plan.touching(window) if rng.random() < 0.8
    }
    assert (blend(plan, window, levels) == plainly_blended(plan, window, levels)).all()


@settings(max_examples=40, deadline=None)
@given(PLANS, st.data())
def test_around_a_window_the_plan_of_a_crop_blends_what_the_whole_plan_does(
    plan: TilePlan, data: st.DataObject
) -> None:
    row, col = data.draw(st.integers(0, plan.height - 1)), data.draw(st.integers(0, plan.width - 1))
    size = data.draw(st.integers(1, 80))
    whole = Window(0, 0, plan.height, plan.width)
    window = Window(row, col, size, size).intersect(whole)
    crop = plan.around(window)
    assert crop.intersect(whole) == crop
    assert window.intersect(crop) == window
    part = TilePlan(crop.height, crop.width, plan.tile, plan.overlap)

    def seen_at(square: Window) -> np.ndarray:
        """What a network that knows where it is would say of a tile."""
        seed = square.row * 1000 + square.col
        return np.random.default_rng(seed).integers(0, 255, (plan.tile, plan.tile)).astype(np.uint8)

    everywhere = {i: seen_at(plan.window(i)) for i in plan.touching(window)}
    here = {i: seen_at(part.window(i).moved(crop.row, crop.col)) for i in range(len(part))}
    expected = blend(plan, window, everywhere)
    assert (blend(part, window.relative_to(crop), here) == expected).all()


@settings(max_examples=30, deadline=None)
@given(PLANS)
def test_what_is_not_needed_any_more_is_in_no_later_tile(plan: TilePlan) -> None:
    for index in range(len(plan) - 1):
        row, col = plan.needed_from(index)
        gone = Window(0, 0, min(row, plan.height), min(col, plan.width))
        assert not any(plan.window(i).intersect(gone).size for i in range(index + 1, len(plan)))


def test_touching_names_exactly_the_tiles_that_share_pixels() -> None:
    plan = TilePlan(200, 170, 64, 16)
    for window in (Window(0, 0, 1, 1), Window(60, 60, 30, 30), Window(199, 169, 1, 1), Window(47, 48, 1, 1)):
        expected = [i for i in range(len(plan)) if plan.window(i).intersect(window).size]
        assert list(plan.touching(window)) == expected


def test_invalid_pixels_look_like_the_nearest_valid_one() -> None:
    rgb = np.arange(3 * 6 * 8, dtype=np.uint8).reshape(3, 6, 8)
    valid = np.zeros((6, 8), dtype=bool)
    valid[:, 3:5] = True
    filled = fill_invalid(rgb, valid)
    assert (filled[:, :, :3] == rgb[:, :, 3:4]).all()
    assert (filled[:, :, 5:] == rgb[:, :, 4:5]).all()
    assert (filled[:, :, 3:5] == rgb[:, :, 3:5]).all()
    assert fill_invalid(rgb, ~np.ones_like(valid)) is rgb


@given(st.integers(1, 400), st.integers(1, 400), st.data())
def test_tiles_on_empty_ground_are_told_by_rectangles(height: int, width: int, data: st.DataObject) -> None:
    plan = TilePlan(height, width, 32, 8)
    seeds = st.tuples(st.integers(0, height - 1), st.integers(0, width - 1))
    ground = np.zeros((height, width), np.bool_)
    for row, col in data.draw(st.lists(seeds, max_size=4)):
        ground[row, col] = True
    held = plan.tiles_where(lambda window: bool(ground[window.slices].any()))
    assert held.tolist() == [bool(ground[plan.window(i).slices].any()) for i in range(len(plan))]
    for window in blocks((height, width), 64):
        assert plan.meets(window, held) == bool(held[list(plan.touching(window))].any())


def test_empty_ground_is_asked_for_once() -> None:
    asked: list[Window] = []

    def holds(window: Window) -> bool:
        asked.append(window)
        return False

    assert not TilePlan(200_000, 200_000, 448, 128).tiles_where(holds).any()
    assert asked == [Window(0, 0, 200_000, 200_000)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_what_lies_beyond_the_picture_is_its_reflection(height: int, width: int, data: st.DataObject) -> None:
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = Window(row, col, data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70)))
    rgb = np.random.default_rng(height).integers(0, 256, (3, height, width)).astype(np.uint8)
    cut, seen = cut_reflected(rgb, rgb[0] > 100, window)
    rows, cols = (
        reflect_index(np.arange(begin, begin + length), size)
        for begin, length, size in ((row, window.height, height), (col, window.width, width))
    )
    expected = rgb[:, rows[:, None], cols]
    assert (cut == expected).all()
    assert (seen == (expected[0] > 100)).all()
