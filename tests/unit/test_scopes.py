"""Calls of a task with more cancel scopes around it than Python lets Trio ask."""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

import farcall
from farcall import current_call, service
from farcall._scopes import effective_deadline
from farcall.testing import open_pair

SCOPES = 3 * sys.getrecursionlimit()


@service
class Clerk:
    """Knows when its calls end."""

    def __init__(self) -> None:
        self.deadline = 0.0

    async def add(self, left: int, right: int) -> int:
        return left + right

    async def rest(self) -> None:
        self.deadline = current_call().deadline
        await trio.sleep_forever()


async def test_the_deadline_of_the_outermost_scope(autojump_clock: MockClock) -> None:
    """The earliest deadline is found under any number of scopes."""
    with trio.CancelScope(deadline=7), ExitStack() as stack:
        for _ in range(SCOPES):
            stack.enter_context(trio.CancelScope())
        await trio.lowlevel.checkpoint()
        with pytest.raises(RecursionError):
            trio.current_effective_deadline()

        assert effective_deadline() == 7


SCOPE = st.tuples(
    st.one_of(st.just(math.inf), st.integers(1, 20)),
    st.booleans(),
    st.sampled_from([False] * 5 + [True]),
)


@given(scopes=st.lists(SCOPE, max_size=6))
def test_the_deadline_is_that_of_trio(scopes: list[tuple[float, bool, bool]]) -> None:
    """With shields, deadlines and cancelled scopes in any order, it is what Trio says."""

    async def compare() -> None:
        with ExitStack() as stack:
            for deadline, shield, is_cancelled in scopes:
                scope = stack.enter_context(trio.CancelScope(deadline=deadline, shield=shield))
                if is_cancelled:
                    scope.cancel()
            assert effective_deadline() == trio.current_effective_deadline()

    trio.run(compare, clock=MockClock())


async def test_another_trio_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Trio has no such private names, its own function is called."""
    monkeypatch.setattr("farcall._scopes.trio.lowlevel.current_task", object)

    assert effective_deadline() == math.inf


async def test_a_call_under_many_scopes(autojump_clock: MockClock) -> None:
    """Calls work inside of thousands of scopes, such as those of connections opened in a stack."""
    clerk = Clerk()
    async with open_pair(clerk, Clerk) as (proxy, _), open_pair(clerk) as (session, _):
        with trio.CancelScope(deadline=7) as outer, ExitStack() as stack:
            for _ in range(SCOPES):
                stack.enter_context(trio.CancelScope())
            assert await proxy.add(1, 2) == 3
            await session.call("Clerk.rest")

        assert outer.cancelled_caught
        assert clerk.deadline == pytest.approx(7)


async def test_a_connection_under_many_scopes(autojump_clock: MockClock) -> None:
    """A connection opens, fails and closes there as well."""
    with ExitStack() as stack:
        for _ in range(SCOPES):
            stack.enter_context(trio.CancelScope())
        async with open_pair(Clerk()) as (session, _):
            with pytest.raises(farcall.MethodNotFound):
                await session.call("Clerk.nothing")
