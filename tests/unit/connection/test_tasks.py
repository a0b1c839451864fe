"""The tasks of a link: none before they are needed, and all end with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from farcall import Connection, service
from farcall._connection.link import Link
from farcall.testing import open_pair
from tests.inside import links_of
from tests.unit.connection.system import system_tasks


@service
class Clerk:
    """Takes its time."""

    async def rest(self, seconds: float) -> None:
        await trio.sleep(seconds)


@asynccontextmanager
async def served() -> AsyncIterator[tuple[Clerk, Connection]]:
    """Open a pair; give the proxy of the client, and the server's end."""
    async with open_pair(Clerk(), Clerk) as (clerk, connection):
        yield clerk, connection


def link_of(connection: Connection) -> Link:
    (link,) = links_of(connection)
    return link


async def test_an_idle_link_has_its_reader_alone(autojump_clock: MockClock) -> None:
    """A link that was greeted, and pinged, has started no task."""
    async with served() as (_, connection):
        link = link_of(connection)
        await trio.sleep(100)

        assert link.holder is None
        assert link._nursery is not None
        assert not link._nursery.child_tasks


async def test_a_handler_gets_a_task_and_leaves_nothing(autojump_clock: MockClock) -> None:
    """The nursery of handlers begins with the first of them, and ends when the link is silent."""
    async with served() as (clerk, connection):
        link = link_of(connection)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(clerk.rest, 1)
            nursery.start_soon(clerk.rest, 2)
            await wait_all_tasks_blocked()
            holder = link.holder
            assert holder is not None
        await clerk.rest(1)
        assert link.holder is holder
        await trio.sleep(60)

        assert link_of(connection).holder is None
        await clerk.rest(1)


async def test_the_pings_of_the_peer_are_enough(autojump_clock: MockClock) -> None:
    """The nursery of handlers ends also on a link whose peer always pings first."""
    async with open_pair(Clerk()) as (session, connection):
        await session.call("Clerk.rest", 1)
        assert link_of(connection).holder is not None
        for _ in range(6):
            await trio.sleep(10)
            await session.ping()

        assert link_of(connection).holder is None


async def test_a_handler_that_outlasts_the_silence_goes_on(autojump_clock: MockClock) -> None:
    """Pings leave the nursery alone while a handler runs in it."""
    async with served() as (clerk, connection):
        await clerk.rest(300)

        assert link_of(connection).holder is not None


async def test_a_task_that_is_started_before_its_link_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It begins when the link does."""
    begun: list[Link] = []

    async def begin(link: Link) -> None:
        assert not link.is_closed
        begun.append(link)

    def make(link: Link, *args: object, **keywords: object) -> None:
        original(link, *args, **keywords)  # type: ignore[arg-type]
        link.start_soon(begin, link)

    original = Link.__init__
    monkeypatch.setattr(Link, "__init__", make)
    async with served() as (_, connection):
        await wait_all_tasks_blocked()

        assert link_of(connection) in begun


async def test_all_links_share_two_tasks() -> None:
    """One task flushes all links of a Trio run, and one has their heartbeats."""
    async with served(), served():
        await wait_all_tasks_blocked()

        assert len(system_tasks("farcall heartbeat")) == 1
        assert len(system_tasks("farcall flusher")) == 1
    await wait_all_tasks_blocked()
    assert system_tasks("farcall heartbeat") == []
