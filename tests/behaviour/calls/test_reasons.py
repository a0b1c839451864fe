"""A handler, its callees and the log learn why a handler ends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

import farcall
from farcall import current_call, service, stream
from farcall.testing import open_pair
from tests.ends import cut, drain, wait_until
from tests.inside import links_of
from tests.sweeps.sweep import ignore


@service(name="")
class Patient:
    """A service that records why each of its handlers ended."""

    def __init__(self, onward: farcall.Session | None = None) -> None:
        self.begun = False
        self.reasons: list[str | None] = []
        self.onward = onward

    async def hang(self) -> None:
        self.begun = True
        try:
            await trio.sleep_forever()
        finally:
            self.reasons.append(current_call().cancel_reason)

    @stream
    async def drip(self) -> AsyncIterator[int]:
        try:
            yield 1
            await trio.sleep_forever()
        finally:
            self.reasons.append(current_call().cancel_reason)

    async def pass_on(self) -> None:
        assert self.onward is not None
        async with self.onward.stream("drip") as values:
            async for _ in values:
                pass


async def test_a_server_that_is_cancelled_shuts_down(caplog: pytest.LogCaptureFixture) -> None:
    """Cancelling `serve` ends its handlers with the reason "shutdown"."""
    caplog.set_level(logging.DEBUG, "farcall")
    patient = Patient()
    async with trio.open_nursery() as clients, trio.open_nursery() as nursery:
        server: farcall.Server = await nursery.start(farcall.serve, patient, 0)

        async def call() -> None:
            async with farcall.connect(server.url) as session:
                await session.call("hang")

        clients.start_soon(ignore, call)
        await wait_until(lambda: patient.begun)
        nursery.cancel_scope.cancel()
    assert patient.reasons == ["shutdown"]
    assert "hang is cancelled (shutdown)" in caplog.text


async def test_a_link_that_is_cancelled_shuts_down(autojump_clock: MockClock) -> None:
    """Cancelling a link ends its handlers with the reason "shutdown"."""
    patient = Patient()
    async with open_pair(patient) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore, session.call, "hang")
            nursery.start_soon(ignore, read, session)
            await wait_all_tasks_blocked()
            (link,) = links_of(connection)
            assert link._nursery is not None
            link._nursery.cancel_scope.cancel()
    assert patient.reasons == ["shutdown", "shutdown"]


async def test_a_side_that_closes_shuts_down(autojump_clock: MockClock) -> None:
    """A side that closes its connection ends its handlers with the reason "shutdown"."""
    patient = Patient()
    async with open_pair(patient) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore, session.call, "hang")
            await wait_all_tasks_blocked()
            await connection.aclose()
    assert patient.reasons == ["shutdown"]


@pytest.mark.parametrize("how", ["close", "cut"])
async def test_a_peer_that_is_gone_has_disconnected(how: str, autojump_clock: MockClock) -> None:
    """A peer that closes or loses the connection ends handlers with the reason "disconnect"."""
    patient = Patient()
    async with open_pair(patient) as (session, _):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore, session.call, "hang")
            await wait_all_tasks_blocked()
            if how == "close":
                await session.connection.aclose()  # type: ignore[union-attr]
            else:
                cut(session)
    assert patient.reasons == ["disconnect"]


async def test_a_stream_that_runs_out_of_time_says_so(autojump_clock: MockClock) -> None:
    """A stream ends with the reason "deadline" or "caller", whichever ended it."""
    patient = Patient()
    async with open_pair(patient) as (session, _):
        with trio.move_on_after(1):
            await read(session)
        with trio.CancelScope() as scope:
            async with session.stream("drip") as values:
                await anext(values)
                scope.cancel()
                await anext(values)
        async with session.stream("drip") as values:
            await anext(values)
    assert patient.reasons == ["deadline", "caller", "caller"]


async def test_the_reason_of_a_cancellation_travels_along_streams(
    autojump_clock: MockClock,
) -> None:
    """The reason of a cancellation reaches a stream that the handler reads."""
    last = Patient()
    async with open_pair(last) as (onward, _), open_pair(Patient(onward)) as (session, connection):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(ignore, session.call, "pass_on")
            await wait_all_tasks_blocked()
            await drain(connection, 1)
    assert last.reasons == ["shutdown"]


async def read(session: farcall.Session) -> Any:
    async with session.stream("drip") as values:
        return [value async for value in values]
