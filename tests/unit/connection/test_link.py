"""One link as it begins and ends."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
import trio.testing
from trio.testing import MockClock

import farcall
from farcall import ConnectionState, Heartbeat, service
from farcall._calling.calls import LinkCaller
from farcall._connection.handler import Handler
from farcall._connection.link import Link
from farcall._protocol.messages import Hello, PeerLimits, goaway
from farcall._protocol.protocol import Protocol
from farcall._serving.dispatcher import Dispatcher
from farcall._serving.endpoints import Endpoints
from farcall._serving.options import LinkOptions
from farcall._transport.memory import MemoryTransport
from farcall.testing import memory_pair, open_pair
from tests.ends import read_now
from tests.unit.transport.suite import Recorder


@service
class Echo:
    async def say(self, text: str) -> str:
        return text


def make_handler(link: Link) -> Handler:
    return Dispatcher(
        link, LinkCaller(link, (), "warn", "a server"), Endpoints.of([]), LinkOptions()
    )


async def test_a_link_that_ends_before_the_hello_is_lost_at_once(autojump_clock: MockClock) -> None:
    """A hello on a link that has ended raises at once."""
    dialled, accepted = memory_pair()
    protocol = Protocol(Hello(v=1, limits=PeerLimits(2**20)), has_dialled=True)
    link = Link(dialled, protocol, make_handler, heartbeat=farcall.Heartbeat())
    accepted.cut()
    await link.run()

    with trio.fail_after(1), pytest.raises(farcall.ConnectionLost):
        await link.calls.greet()


async def test_a_link_that_hangs_up_takes_no_more_calls(autojump_clock: MockClock) -> None:
    """While it waits for the Close of the peer, a new call fails at once, as not sent."""
    async with open_pair(Echo()) as (session, connection):
        connection._link._transport.freeze()  # type: ignore[attr-defined]  # the memory pair's
        session._link.hang_up(1008, "enough")

        assert session.connection is not None
        assert session.connection.state is ConnectionState.CLOSING
        with trio.fail_after(1), pytest.raises(farcall.ConnectionLost, match="enough") as caught:
            await session.call("Echo.say", "late")
        assert not caught.value.sent


async def test_a_peer_that_goes_away_reopens_nothing(autojump_clock: MockClock) -> None:
    """A goaway of the peer does not change the state of a link that is closing."""
    async with open_pair(Echo()) as (session, _):
        session._link.hang_up(1008, "enough")
        assert session.connection is not None
        read_now(session.connection, goaway(1000, 0))

        assert session._link.state is ConnectionState.CLOSING


async def test_two_may_close_a_link_and_what_waits_is_sent_all_the_same(
    autojump_clock: MockClock,
) -> None:
    """A second `aclose` does not cut short what the first one still sends."""
    async with open_pair(Echo()) as (session, connection):
        server = connection._link
        server._transport.freeze()  # type: ignore[attr-defined]  # the memory pair's
        for n in range(300):  # more than the pipe holds
            await server.calls.notify(f"event{n}", b'["%b"]' % (b"x" * 1000))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.aclose)
            await trio.testing.wait_all_tasks_blocked()
            nursery.start_soon(server.aclose)
            await trio.testing.wait_all_tasks_blocked()
            server._transport.thaw()  # type: ignore[attr-defined]  # the memory pair's

        assert len(server.lanes) == 0
        assert session._link.close_reason is not None
        assert session._link.close_reason.code == 1000


class SlowLine(MemoryTransport):
    """A link on which each message takes a minute."""

    def send_now(self, frames: Sequence[bytes]) -> bool:
        self._late = [*frames]
        return False

    async def send_rest(self) -> None:
        await trio.sleep(60)
        super().send_now(self._late)
        await super().send_rest()


async def test_a_large_message_on_a_slow_line_is_no_silence(autojump_clock: MockClock) -> None:
    """The peer gets the message, and answers the ping that had to wait behind it."""
    dialled, accepted = memory_pair()
    inbound, outbound = dialled._inbound, dialled._outbound
    slow = SlowLine(dialled.endpoint, inbound, outbound, dialled._limits, is_client=True)
    protocol = Protocol(Hello(v=1, limits=PeerLimits(2**20)), has_dialled=True)
    link = Link(slow, protocol, make_handler, heartbeat=Heartbeat(jitter=0.0))
    heard = Recorder()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(accepted.run, heard)
        await nursery.start(link.run)
        await link.calls.notify("large", None)
        await trio.sleep(90)

        assert not link.is_closed
        assert await heard.next_frame() == '{"jsonrpc":"2.0","method":"large"}'
        nursery.cancel_scope.cancel()


async def test_a_cancelled_link_does_not_wait_for_a_peer_that_reads_nothing(
    autojump_clock: MockClock,
) -> None:
    """A cancelled link hangs up, which ends even what is sent under a shield."""
    dialled, accepted = memory_pair()
    protocol = Protocol(Hello(v=1, limits=PeerLimits(2**20)), has_dialled=False)
    link = Link(accepted, protocol, make_handler, heartbeat=Heartbeat())
    dialled.stop_reading()
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(link.run)
        for _ in range(3):  # more than the pipe holds
            await link.calls.notify("large", b'["%b"]' % (b"x" * 500_000))
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()

    assert trio.current_time() == began
