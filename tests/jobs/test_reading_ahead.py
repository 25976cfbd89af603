"""The next chunk is read while the last one is written, and nothing is lost or left behind."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import TYPE_CHECKING

import pytest

from jobs.reading_ahead import ahead

if TYPE_CHECKING:
    from collections.abc import Sequence


async def test_the_next_chunk_is_taken_during_the_step_that_waits() -> None:
    second = threading.Event()
    chunks = iter([[1], [2], []])

    def take() -> Sequence[int]:
        chunk = next(chunks)
        if chunk == [2]:
            second.set()
        return chunk

    async def step(chunk: Sequence[int]) -> bool:
        return chunk == [2] or await asyncio.to_thread(second.wait, 60)

    async with ahead(take) as taken:
        write = taken.during(step)
        assert [(chunk, await write(chunk)) async for chunk in taken] == [([1], True), ([2], True)]


async def test_what_no_step_began_to_take_is_taken_when_it_is_asked_for() -> None:
    chunks = iter([[1], [2], []])
    async with ahead(lambda: next(chunks)) as taken:
        assert [chunk async for chunk in taken] == [[1], [2]]


async def test_an_error_comes_after_what_was_read_before_it() -> None:
    chunks = [[1]]
    async with ahead(lambda: [chunks.pop()[0]]) as taken:
        assert await anext(taken) == [1]
        with pytest.raises(IndexError):
            await anext(taken)


async def test_no_thread_is_left_reading_when_the_block_fails() -> None:
    reading, ended = threading.Event(), threading.Event()
    chunks = iter([[1], [2]])

    def take() -> Sequence[int]:
        if (chunk := next(chunks)) == [2]:
            reading.set()
            threading.Event().wait(0.1)
            ended.set()
        return chunk

    async def fail() -> None:
        await asyncio.to_thread(reading.wait, 60)
        raise KeyError

    async def read() -> None:
        async with ahead(take) as taken:
            await anext(taken)
            await taken.during(fail)()

    with pytest.raises(KeyError):
        await read()
    assert ended.is_set()


async def test_what_was_given_before_is_freed_while_a_step_waits() -> None:
    class Chunk(list[int]):
        """A list that can be referred to weakly."""

    chunks = (Chunk(values) for values in ([1], [2], [3], []))
    alive: list[weakref.ref[Chunk]] = []

    async def step() -> int:
        await taken.beside(lambda: None)  # after what the thread has to do
        return sum(one() is not None for one in alive)

    async with ahead(lambda: next(chunks)) as taken:
        write, counts = taken.during(step), []
        async for chunk in taken:
            alive.append(weakref.ref(chunk))
            counts.append(await write())
    assert counts == [1, 1, 1]


async def test_other_work_is_done_before_more_is_taken() -> None:
    done: list[str] = []

    def take() -> Sequence[int]:
        done.append("taken")
        return [len(done)]

    async def step() -> None:
        await taken.beside(lambda: None)

    async with ahead(take) as taken:
        assert taken.upcoming() is None
        await anext(taken)
        work = taken.beside(lambda: done.append("other"))
        await taken.during(step, how_many=2)()
        await work
        assert done == ["taken", "other", "taken", "taken"]
        assert taken.upcoming() == [3]
        assert await anext(taken) == [3]
