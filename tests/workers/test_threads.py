"""Work over threads: as map does, and no more of it under way than said."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from georoads.workers.threads import Room, Threads


@pytest.mark.parametrize("count", [1, 3])
def test_the_answers_come_in_the_items_order(count: int) -> None:
    def late_first(item: int) -> int:
        time.sleep(0.002 * (7 - item % 8))
        return item * item

    assert list(Threads(count)(late_first, range(40))) == [i * i for i in range(40)]


def test_several_threads_work_at_once() -> None:
    meeting = threading.Barrier(3)
    assert list(Threads(3)(lambda item: meeting.wait(10) >= 0, range(6))) == [True] * 6


def test_no_more_items_are_taken_than_the_threads_may_hold() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for i in range(100):
            taken.append(i)
            yield i

    answers = Threads(2)(str, items())
    assert isinstance(answers, Generator)
    assert next(answers) == "0"
    assert len(taken) == 4
    answers.close()


def test_an_error_ends_it_and_nothing_further_is_begun() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        if item == 5:
            raise ValueError("five")
        return item

    with pytest.raises(ValueError, match="five"):
        list(Threads(2)(work, range(1000)))
    assert len(begun) < 20


def test_who_needs_more_room_than_is_left_waits_until_it_is_given_back() -> None:
    room, order = Room(10), []
    first_is_in, first_may_go = Event(), Event()

    def take(name: str, size: int, may_go: Event | None = None) -> None:
        with room.take(size):
            order.append(name)
            first_is_in.set()
            if may_go is not None:
                may_go.wait(60)
                order.append(f"{name} goes")

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(take, "more than all", 25, first_may_go)  # alone, it may
        assert first_is_in.wait(60)
        second = pool.submit(take, "small", 4)
        third = pool.submit(take, "large", 10)
        time.sleep(0.02)
        assert order == ["more than all"]
        first_may_go.set()
        for one in (first, second, third):
            one.result(60)
    assert order[:2] == ["more than all", "more than all goes"]
    assert sorted(order[2:]) == ["large", "small"]
    assert room._taken == 0
