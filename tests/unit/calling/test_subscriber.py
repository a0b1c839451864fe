"""Subscribing as a client, to farcall servers and to plain ones."""

from __future__ import annotations

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

import farcall
from farcall import Signal, service
from farcall._transport.memory import MemoryTransport
from farcall.testing import open_pair
from tests.ends import KINDS, Kind, open_client, wait_until
from tests.patience import PATIENCE


@attrs.frozen
class Tick:
    symbol: str
    n: int


@service
class Feed:
    ticked: Signal[Tick] = Signal(key="symbol")
    texts: Signal[str] = Signal()
    last: Signal[str] = Signal(retain=True)

    async def ask(self) -> int:
        return 42


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    found: Kind = request.param
    return found


async def test_values_come_in_order_and_of_their_type(kind: Kind) -> None:
    """More values than the window arrive in order, with their type."""
    feed = Feed()
    async with open_client(kind, feed, Feed) as proxy, proxy.ticked.subscribe() as ticks:
        for n in range(100):
            feed.ticked.emit(Tick("A", n))
        with trio.fail_after(PATIENCE):
            assert [await anext(ticks) for _ in range(100)] == [Tick("A", n) for n in range(100)]


async def test_leaving_ends_the_subscription_at_the_server(kind: Kind) -> None:
    """After the block nothing is in flight on either side."""
    feed = Feed()
    async with open_client(kind, feed) as session:
        async with session.subscribe("Feed.texts"):
            assert feed.texts._state.subscribers == 1

        assert feed.texts._state.subscribers == 0
        assert session.statistics().calls_out == 0


async def test_a_cancelled_subscriber_leaves_as_well(kind: Kind) -> None:
    """A subscriber that is cancelled while it waits still ends its subscription."""
    feed = Feed()
    async with open_client(kind, feed) as session:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_listen, session)
            await wait_until(lambda: feed.texts._state.subscribers == 1)
            await trio.testing.wait_all_tasks_blocked(0.01)
            nursery.cancel_scope.cancel()

        assert feed.texts._state.subscribers == 0
        assert session.statistics().calls_out == 0


async def test_a_key_selects_at_the_server() -> None:
    """The server sends only values with the key of the subscriber."""
    feed = Feed()
    async with open_pair(feed, Feed) as (proxy, _), proxy.ticked.subscribe(key="B") as ticks:
        feed.ticked.emit(Tick("A", 1))
        feed.ticked.emit(Tick("B", 2))

        assert await anext(ticks) == Tick("B", 2)


async def test_a_slow_subscriber_is_told_and_goes_on() -> None:
    """SignalLagged says how many values are missing, at their place."""
    feed = Feed()
    async with open_pair(feed) as (session, _), session.subscribe("Feed.texts") as texts:
        for n in range(32):  # the window
            feed.texts.emit(str(n))
        await trio.testing.wait_all_tasks_blocked()
        for n in range(32, 32 + 1024 + 3):
            feed.texts.emit(str(n))

        assert [await anext(texts) for _ in range(32)] == [str(n) for n in range(32)]
        with pytest.raises(farcall.SignalLagged) as lagged:
            await anext(texts)
        assert lagged.value.missed == texts.missed == 3
        assert await anext(texts) == "35"


async def test_latest_gives_the_newest_value() -> None:
    """With "latest" at most one value is on its way, and one in the buffer."""
    feed = Feed()
    async with open_pair(feed) as (session, _):
        async with session.subscribe("Feed.texts", on_lag="latest") as texts:
            feed.texts.emit("0")
            await trio.testing.wait_all_tasks_blocked()
            for n in range(1, 10):
                feed.texts.emit(str(n))

            assert [await anext(texts), await anext(texts)] == ["0", "9"]
            assert texts.missed == 8


async def test_a_subscriber_that_does_not_read_slows_nobody(kind: Kind) -> None:
    """Other calls and subscribers of the same connection go on."""
    feed = Feed()
    async with open_client(kind, feed) as session:
        async with session.subscribe("Feed.texts"), session.subscribe("Feed.texts") as texts:
            for n in range(200):
                feed.texts.emit(str(n))
                assert await anext(texts) == str(n)

            assert await session.call("Feed.ask") == 42


async def test_an_unknown_signal_is_refused(kind: Kind) -> None:
    """Subscribing to an unknown signal raises MethodNotFound before the block."""
    async with open_client(kind, Feed()) as session:
        with pytest.raises(farcall.MethodNotFound):
            async with session.subscribe("Feed.never"):
                pass


async def test_a_value_of_another_type_is_an_error_of_its_own() -> None:
    """A value of a wrong type raises InvalidResult, and the iteration goes on."""
    feed = Feed()
    async with open_pair(feed) as (session, _):
        async with session.subscribe("Feed.ticked", returns=int) as numbers:
            feed.ticked.emit(Tick("A", 1))
            with pytest.raises(farcall.InvalidResult, match=r"Feed\.ticked: expected int @ value"):
                await anext(numbers)


async def test_a_lost_link_ends_the_iteration(kind: Kind) -> None:
    """After the end of the link, iterating raises ConnectionLost."""
    feed = Feed()
    async with open_client(kind, feed) as session, session.subscribe("Feed.texts") as texts:
        session._link.abort(1006, "cut")
        with pytest.raises(farcall.ConnectionLost):
            await anext(texts)


async def test_subscribing_can_be_cancelled() -> None:
    """A subscription that is cancelled before its start leaves nothing behind."""
    feed = Feed()
    async with open_pair(feed) as (session, _):
        with trio.CancelScope() as scope:
            scope.cancel()
            async with session.subscribe("Feed.texts"):
                pass

        assert session.statistics().calls_out == 0
        assert await session.call("Feed.ask") == 42
        assert feed.texts._state.subscribers == 0


async def test_a_subscription_that_ends_as_it_begins_says_why() -> None:
    """An error in the same frame as the start is raised."""
    feed = Feed()
    feed.last.emit("x" * 17 * 2**20)  # more than the client takes
    async with open_pair(feed) as (session, _), session.subscribe("Feed.last") as texts:
        with pytest.raises(farcall.ReplyTooLarge):
            await anext(texts)


# Towards plain servers


async def test_a_plain_event_cancelled_during_rpc_on_is_unsubscribed(
    autojump_clock: MockClock,
) -> None:
    """A subscriber cancelled during `rpc.on` still sends `rpc.off`."""
    feed = Feed()
    async with open_pair(feed, dialect="plain") as (session, connection):
        transport = connection._link._transport
        assert isinstance(transport, MemoryTransport)
        transport.freeze()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_subscribe, session)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        transport.thaw()
        assert await session.call("Feed.ask") == 42

        assert feed.texts._state.subscribers == 0


async def _listen(session: farcall.Session) -> None:
    async with session.subscribe("Feed.texts") as texts:
        await anext(texts)


async def _subscribe(session: farcall.Session) -> None:
    async with session.subscribe("Feed.texts"):
        pass


async def test_a_lost_plain_link_takes_no_subscriber() -> None:
    """A lost link takes no new subscriber, though an old one is in its block."""
    async with open_pair(Feed(), dialect="plain") as (session, connection):
        async with session.subscribe("Feed.texts"):
            await connection.aclose()
            with trio.fail_after(PATIENCE), pytest.raises(farcall.ConnectionLost):
                async with session.subscribe("Feed.texts") as texts:
                    await anext(texts)


async def test_a_plain_servers_events_are_asked_for_once() -> None:
    """Several subscribers of one event share one `rpc.on` and one `rpc.off`."""
    feed = Feed()
    async with open_pair(feed, dialect="plain") as (session, _):
        async with session.subscribe("Feed.texts") as first:
            async with session.subscribe("Feed.texts") as second:
                assert feed.texts._state.subscribers == 1
                feed.texts.emit("a")
                assert await anext(first) == await anext(second) == "a"
            assert feed.texts._state.subscribers == 1
        await wait_until(lambda: feed.texts._state.subscribers == 0)


async def test_the_policies_hold_for_plain_servers_as_well() -> None:
    """The client buffers the events of a plain server by the policy of each subscriber."""
    feed = Feed()
    async with open_pair(feed, dialect="plain") as (session, _):
        async with session.subscribe("Feed.texts") as texts:
            for n in range(1030):
                feed.texts.emit(str(n))
                await trio.testing.wait_all_tasks_blocked()

            with pytest.raises(farcall.SignalLagged) as lagged:
                await anext(texts)
            assert lagged.value.missed == 6
            assert await anext(texts) == "6"


async def test_a_plain_server_knows_no_keys() -> None:
    """A key raises NotSupported at a plain server."""
    async with open_pair(Feed(), dialect="plain") as (session, _):
        with pytest.raises(farcall.NotSupported, match="no key"):
            session.subscribe("Feed.ticked", key="A")


async def test_a_plain_event_that_the_server_lacks_is_refused() -> None:
    """MethodNotFound names an event that the server does not have."""
    async with open_pair(Feed(), dialect="plain") as (session, _):
        with pytest.raises(farcall.MethodNotFound, match=r"no event 'Feed\.never'"):
            async with session.subscribe("Feed.never"):
                pass


async def test_a_lost_plain_link_ends_the_iteration() -> None:
    """After the end of a plain link, iterating raises ConnectionLost."""
    async with open_pair(Feed(), dialect="plain") as (session, connection):
        async with session.subscribe("Feed.texts") as texts:
            await connection.aclose()
            with pytest.raises(farcall.ConnectionLost):
                await anext(texts)
