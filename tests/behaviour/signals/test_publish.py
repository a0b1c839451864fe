"""Subscriptions on the server: values within a credit for farcall peers, events for plain ones."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
import trio
import trio.testing
from trio.testing import MockClock

from farcall import Limits, ReplyTooLarge, Signal, service
from farcall.testing import open_pair
from tests.ends import RawClient, raw_client
from tests.inside import census


@attrs.frozen
class Tick:
    symbol: str
    n: int


@service
class Feed:
    ticked: Signal[Tick] = Signal(key="symbol")
    texts: Signal[str] = Signal(retain=True)
    news: Signal[str] = Signal(broadcast=True)

    async def ask(self) -> int:
        return 42

    async def wait(self) -> None:
        await trio.sleep_forever()


HELLO = {"jsonrpc": "2.0", "id": 1, "method": "rpc.hello", "params": {"v": 1}}


def subscribe(
    id: int, signal: str, credit: list[int] | None = None, **params: Any
) -> dict[str, Any]:
    meta = {} if credit is None else {"meta": {"credit": credit}}
    request = {"jsonrpc": "2.0", "id": id, "method": "rpc.subscribe", **meta}
    return {**request, "params": {"signal": signal, **params}}


def flat(frames: list[Any]) -> list[Any]:
    return [part for frame in frames for part in (frame if isinstance(frame, list) else [frame])]


async def ask(client: RawClient, message: Any) -> list[Any]:
    return flat(await client.ask(message))


async def rest(client: RawClient) -> list[Any]:
    await trio.testing.wait_all_tasks_blocked()
    return flat(client.heard())


async def test_a_subscription_starts_brings_items_and_ends() -> None:
    """A subscription starts, sends values and ends after a cancel, all under its id."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        (started,) = await ask(client, subscribe(2, "Feed.ticked"))
        feed.ticked.emit(Tick("A", 1))
        feed.ticked.emit(Tick("B", 2))
        (items,) = await rest(client)
        cancel = {"jsonrpc": "2.0", "method": "rpc.cancel", "params": {"id": 2}}
        (end,) = await ask(client, cancel)
        feed.ticked.emit(Tick("C", 3))
        assert await rest(client) == []

    assert started["method"] == "rpc.started"
    assert started["params"]["id"] == 2
    assert started["params"]["value"]["resumed"] is False
    assert items["params"]["seq"] == 0
    assert items["params"]["values"] == [{"symbol": "A", "n": 1}, {"symbol": "B", "n": 2}]
    assert "missed" not in items["params"]
    assert (end["id"], end["error"]["code"]) == (2, -32800)


async def test_no_more_leaves_than_there_is_credit_for() -> None:
    """A subscription sends as many values as it has credit for."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        await ask(client, subscribe(2, "Feed.texts", credit=[2, 1000]))
        for text in "abcde":
            feed.texts.emit(text)
        (first,) = await rest(client)
        credit = {"id": 2, "items": 4, "bytes": 1000}
        (second,) = await ask(client, {"jsonrpc": "2.0", "method": "rpc.credit", "params": credit})

    assert first["params"]["values"] == ["a", "b"]
    assert second["params"]["values"] == ["c", "d"]
    assert second["params"]["seq"] == 2


async def test_bytes_are_counted_and_one_large_value_passes_alone() -> None:
    """A value larger than the window is sent alone when nothing else is in flight."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        await ask(client, subscribe(2, "Feed.texts", credit=[10, 10]))
        feed.texts.emit("abc")
        feed.texts.emit("x" * 50)
        (small,) = await rest(client)
        grant = {"jsonrpc": "2.0", "method": "rpc.credit"}
        (large,) = await ask(client, {**grant, "params": {"id": 2, "items": 11, "bytes": 15}})

    assert small["params"]["values"] == ["abc"]
    assert large["params"]["values"] == ["x" * 50]


async def test_a_slow_reader_is_told_what_it_missed() -> None:
    """A slow reader loses the oldest values and is told how many."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        await ask(client, subscribe(2, "Feed.texts", credit=[1, 1000]))
        for n in range(1 + 1024 + 5):
            feed.texts.emit(str(n))
            if n == 0:
                await rest(client)
        grant = {"id": 2, "items": 2, "bytes": 1000}
        (items,) = await ask(client, {"jsonrpc": "2.0", "method": "rpc.credit", "params": grant})

    assert items["params"]["missed"] == 5
    assert items["params"]["values"] == ["6"]


async def test_latest_keeps_one_value() -> None:
    """With `on_lag="latest"` a slow reader gets the newest value only."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        await ask(client, subscribe(2, "Feed.texts", credit=[1, 1000], on_lag="latest"))
        for text in "abc":
            feed.texts.emit(text)
        (items,) = await rest(client)

    assert items["params"]["values"] == ["c"]
    assert items["params"]["missed"] == 2


async def test_a_key_filters_at_the_server() -> None:
    """A subscription with a key gets only the values of that key."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        await ask(client, subscribe(2, "Feed.ticked", key="B"))
        feed.ticked.emit(Tick("A", 1))
        feed.ticked.emit(Tick("B", 2))
        (items,) = await rest(client)

    assert items["params"]["values"] == [{"symbol": "B", "n": 2}]


async def test_a_wrong_subscription_is_refused() -> None:
    """A subscription with an unknown signal, key, member or policy is refused."""
    async with raw_client(Feed()) as client:
        await ask(client, HELLO)
        (unknown,) = await ask(client, subscribe(2, "Feed.never"))
        (wrong_key,) = await ask(client, subscribe(3, "Feed.ticked", key=7))
        (no_key,) = await ask(client, subscribe(4, "Feed.texts", key="a"))
        (member,) = await ask(client, subscribe(5, "Feed.texts", speed=1))
        (policy,) = await ask(client, subscribe(6, "Feed.texts", on_lag="cry"))

    assert unknown["error"]["code"] == -32601
    refused = [wrong_key, no_key, member, policy]
    assert [answer["error"]["code"] for answer in refused] == [-32602] * 4
    assert wrong_key["error"]["data"]["errors"][0]["path"] == "params.key"


async def test_a_retained_value_is_handed_to_a_new_subscriber() -> None:
    """A new subscriber gets the last retained value at once."""
    feed = Feed()
    feed.texts.emit("old")
    feed.texts.emit("last")
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        _, items = await ask(client, subscribe(2, "Feed.texts"))

    assert items["params"]["values"] == ["last"]


async def test_an_unknown_cursor_is_a_gap() -> None:
    """A subscription since an unknown cursor is told of a gap of unknown size."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        (first,) = await ask(client, subscribe(2, "Feed.ticked"))
        here = first["params"]["value"]["cursor"]
        (same,) = await ask(client, subscribe(3, "Feed.ticked", since=here))
        (other,) = await ask(client, subscribe(4, "Feed.ticked", since="elsewhere"))

    assert same["params"]["value"] == {"cursor": here, "resumed": True, "missed": 0}
    assert other["params"]["value"] == {"cursor": here, "resumed": False, "missed": None}


async def test_a_value_that_no_message_can_hold_ends_its_subscription_alone() -> None:
    """A value over the peer's limit ends its subscription only."""
    feed = Feed()
    async with raw_client(feed) as client:
        small = {**HELLO, "params": {"v": 1, "limits": {"message": 4096}}}
        await ask(client, small)
        await ask(client, subscribe(2, "Feed.texts"))
        feed.texts.emit("x" * 5000)
        (end,) = await rest(client)
        (answer,) = await ask(client, {"jsonrpc": "2.0", "id": 3, "method": "Feed.ask"})

    assert (end["id"], end["error"]["code"]) == (2, -32008)
    assert answer["result"] == 42


async def test_nothing_is_kept_of_a_subscription_that_its_server_ended() -> None:
    """A server forgets a subscription that it has ended."""
    feed = Feed()
    feed.texts.emit("x" * 5000)  # retained
    async with raw_client(feed) as client:
        await ask(client, {**HELLO, "params": {"v": 1, "limits": {"message": 4096}}})
        await ask(client, subscribe(2, "Feed.news"))
        for id in range(3, 12):
            (_started, end) = await ask(client, subscribe(id, "Feed.texts"))
            assert end["error"]["code"] == -32008

        assert census(client.host.links)["server: subscriptions served"] == 1


async def test_a_server_that_drains_takes_no_subscriptions(autojump_clock: MockClock) -> None:
    """A draining server refuses a subscription."""
    async with raw_client(Feed()) as client:
        await ask(client, HELLO)
        (link,) = client.host.links
        async with trio.open_nursery() as nursery:
            await ask(client, {"jsonrpc": "2.0", "id": 2, "method": "Feed.wait"})
            nursery.start_soon(link.drain, 10)
            await trio.testing.wait_all_tasks_blocked()
            (_goaway, end) = await ask(client, subscribe(3, "Feed.texts"))

    assert end["error"]["code"] == -32001


# Plain peers


async def test_a_value_that_no_event_can_hold_closes_a_plain_peer() -> None:
    """An event over the limit closes a plain peer, because it cannot be told of a gap."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, on("Feed.texts"))
        feed.texts.emit("x" * 16 * 2**20)
        await trio.testing.wait_all_tasks_blocked()

        assert client.reason is not None
        assert client.reason.code == 1011
        assert repr(feed.texts) == "<signal Feed.texts: 0 subscribers>"


def on(*names: str, id: int = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": "rpc.on", "params": list(names)}


def off(*names: str, id: int = 2) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": "rpc.off", "params": list(names)}


async def test_a_plain_peer_names_its_events() -> None:
    """A plain peer subscribes by names, each with its own answer."""
    feed = Feed()
    async with raw_client(feed) as client:
        (answer,) = await ask(client, on("Feed.texts", "Feed.never"))
        (again,) = await ask(client, on("Feed.texts"))
        feed.texts.emit("a")
        (event,) = await rest(client)
        (left,) = await ask(client, off("Feed.texts", "Feed.ticked", "Feed.never"))
        feed.texts.emit("b")
        assert await rest(client) == []

    assert answer["result"] == {"Feed.texts": "ok", "Feed.never": "provided event invalid"}
    assert again["result"] == {"Feed.texts": "socket has already been subscribed to event"}
    name = "Feed.texts"
    assert event == {"jsonrpc": "2.0", "method": name, "notification": name, "params": ["a"]}
    assert left["result"] == {
        "Feed.texts": "ok",
        "Feed.ticked": "not subscribed",
        "Feed.never": "provided event invalid",
    }


async def test_an_event_does_not_overtake_the_answer_that_promises_it() -> None:
    """An event is sent only after the response that subscribes to it."""
    feed = Feed()
    async with raw_client(feed) as client:
        await client.send([b'{"jsonrpc":"2.0","id":1,"method":"rpc.on","params":["Feed.ticked"]}'])
        while "0 subscribers" in repr(feed.ticked) and not (frames := client.heard()):
            feed.ticked.emit(Tick("A", 1))
            await trio.lowlevel.checkpoint()
        frames = frames or await rest(client)

    assert frames[0]["result"] == {"Feed.ticked": "ok"}


async def test_wrong_event_lists_are_refused() -> None:
    """`rpc.on` and `rpc.off` refuse parameters that are not a list of names."""
    async with raw_client(Feed()) as client:
        (none,) = await ask(client, {"jsonrpc": "2.0", "id": 1, "method": "rpc.on"})
        (wrong,) = await ask(client, {**on(), "params": {"a": 1}})
        (numbers,) = await ask(client, {**off(), "params": [1]})

    assert none["error"] == {"code": -32000, "message": "Event not provided"}
    assert wrong["error"]["code"] == numbers["error"]["code"] == -32602


async def test_on_and_off_work_as_notifications() -> None:
    """`rpc.on` and `rpc.off` work as notifications."""
    feed = Feed()
    async with raw_client(feed) as client:
        quiet = {"jsonrpc": "2.0", "method": "rpc.on", "params": ["Feed.texts"]}
        assert await ask(client, quiet) == []
        feed.texts.emit("a")
        assert len(await rest(client)) == 1
        assert await ask(client, {**quiet, "method": "rpc.off"}) == []
        feed.texts.emit("b")
        assert await ask(client, {**quiet, "params": {"a": 1}}) == []
        assert await rest(client) == []


async def test_on_in_a_batch_is_answered_with_the_batch() -> None:
    """`rpc.on` in a batch is answered with the batch."""
    feed = Feed()
    async with raw_client(feed) as client:
        ((first, second),) = await client.ask([on("Feed.texts"), on("Feed.ticked", id=2)])
        feed.texts.emit("a")
        assert len(await rest(client)) == 1

    assert first["result"] == {"Feed.texts": "ok"}
    assert second["result"] == {"Feed.ticked": "ok"}


async def test_a_broadcast_reaches_plain_peers_that_did_not_ask() -> None:
    """A broadcast reaches plain peers without a subscription, and no farcall peer."""
    feed = Feed()
    async with raw_client(feed) as client:
        feed.news.emit("a")
        assert [event["params"] for event in await rest(client)] == [["a"]]
        (answer,) = await ask(client, on("Feed.news"))
        assert answer["result"] == {"Feed.news": "ok"}
        feed.news.emit("b")
        assert [event["params"] for event in await rest(client)] == [["b"]]

    async with raw_client(feed) as client:
        await ask(client, HELLO)
        feed.news.emit("c")
        assert await rest(client) == []


async def test_a_plain_peer_that_does_not_read_is_closed_with_1013() -> None:
    """A plain peer that does not read is closed with 1013."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, on("Feed.texts"))
        for n in range(1026):
            feed.texts.emit(str(n))
        await trio.testing.wait_all_tasks_blocked()

        assert client.reason is not None
        assert client.reason.code == 1013
        assert repr(feed.texts) == "<signal Feed.texts: 0 subscribers>"


async def test_a_lost_link_leaves_every_signal() -> None:
    """A lost connection ends its subscriptions."""
    feed = Feed()
    async with raw_client(feed) as client:
        await ask(client, HELLO)
        await ask(client, subscribe(2, "Feed.texts"))
        assert repr(feed.texts) == "<signal Feed.texts: 1 subscribers>"

    assert repr(feed.texts) == "<signal Feed.texts: 0 subscribers>"


async def test_values_fit_into_small_messages() -> None:
    """A subscriber with a small message limit gets every value."""
    feed = Feed()
    async with open_pair(feed, limits=Limits(message=2048)) as (session, _):
        async with session.subscribe("Feed.texts") as texts:
            for _ in range(200):
                feed.texts.emit("x" * 400)

            for _ in range(200):
                assert await anext(texts) == "x" * 400


async def test_a_value_passes_whole_or_ends_its_subscription() -> None:
    """A value near the message limit arrives whole or ends its subscription."""
    feed, limit = Feed(), 1024
    refusals: list[ReplyTooLarge] = []
    async with open_pair(feed, limits=Limits(message=limit)) as (session, _):
        for size in range(limit - 200, limit):
            async with session.subscribe("Feed.ticked") as ticks:
                feed.ticked.emit(Tick("a", 1))
                feed.ticked.emit(Tick("b" * size, 2))
                assert (await anext(ticks))["n"] == 1
                try:
                    assert (await anext(ticks))["symbol"] == "b" * size
                except ReplyTooLarge as refusal:
                    refusals.append(refusal)
    assert 0 < len(refusals) < 200
    assert refusals[0].data == {"limit": "message", "bytes": limit}


@service(name="")
class Told:
    """A service that emits values while it handles a call."""

    one: Signal[int] = Signal()
    two: Signal[int] = Signal()
    three: Signal[int] = Signal()

    def __init__(self, values: int = 3) -> None:
        self.values = values

    def at_once(self) -> str:
        for n in range(self.values):
            for signal in (self.one, self.two, self.three):
                signal.emit(n)
        return "done"

    async def later(self) -> str:
        await trio.lowlevel.checkpoint()
        return self.at_once()


def order(messages: list[Any]) -> list[Any]:
    """Return the values and results in the order in which they came."""
    told: list[Any] = []
    for message in messages:
        if "notification" in message:
            told += message["params"]
        elif message.get("method") == "rpc.items":
            told += message["params"]["values"]
        elif "result" in message:
            told.append(message["result"])
    return told


@pytest.mark.parametrize("method", ["at_once", "later"])
@pytest.mark.parametrize("dialect", ["farcall", "plain"])
async def test_what_a_handler_emits_leaves_before_its_response(method: str, dialect: str) -> None:
    """Values that a handler emits are sent before its response."""
    async with raw_client(Told()) as client:
        if dialect == "farcall":
            await client.ask(HELLO)
            for id, signal in enumerate(("one", "two", "three"), 10):
                await ask(client, subscribe(id, signal))
        else:
            await client.ask(on("one", "two", "three"))
        for id in range(20, 24):
            await client.send_json({"jsonrpc": "2.0", "id": id, "method": method})
        told = order(await rest(client))

    assert len(told) == 4 * 10
    for call in range(1, 5):
        end = [place for place, each in enumerate(told) if each == "done"][call - 1]
        assert len([each for each in told[:end] if each != "done"]) >= call * 9


@pytest.mark.parametrize("method", ["at_once", "later"])
async def test_a_response_does_not_wait_for_credit(method: str) -> None:
    """A response does not wait for values that lack credit."""
    async with raw_client(Told()) as client:
        await client.ask(HELLO)
        await ask(client, subscribe(10, "one", credit=[1, 1000]))
        told = order(await ask(client, {"jsonrpc": "2.0", "id": 20, "method": method}))
        assert told == [0, "done"]

        grant = {"id": 10, "items": 3, "bytes": 1000}
        credit = {"jsonrpc": "2.0", "method": "rpc.credit", "params": grant}
        assert order(await ask(client, credit)) == [1, 2]


async def test_values_do_not_starve_responses() -> None:
    """A response is sent before values that are emitted after it."""
    told = Told(values=1)
    async with raw_client(told) as client:
        await client.ask(on("one"))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_flood, told)
            answer = await ask(client, {"jsonrpc": "2.0", "id": 20, "method": "later"})
    values = order(answer)
    assert values.index("done") < values.index(499)


async def _flood(told: Told) -> None:
    for n in range(500):
        told.one.emit(n)
        await trio.lowlevel.checkpoint()


@attrs.define
class Basket:
    items: list[str]


@service(name="")
class Shop:
    packed: Signal[Basket] = Signal(retain=True)
    listed: Signal[dict[str, list[int]]] = Signal(retain=True)

    async def none(self) -> None:
        """Make the class usable as a proxy, which needs a method."""


async def test_subscribers_get_a_value_as_it_was_emitted() -> None:
    """Every subscriber gets a value as it was emitted, even if the object is changed later."""
    shop = Shop()
    async with open_pair(shop, Shop) as (proxy, _):
        async with (
            shop.packed.subscribe() as here,
            shop.packed.subscribe() as too,
            proxy.packed.subscribe() as there,
        ):
            basket = Basket(["tea"])
            shop.packed.emit(basket)
            basket.items.append("later")
            first = await anext(here)
            first.items.append("mine")

            assert await anext(too) == await anext(there) == Basket(["tea"])
            assert first == Basket(["tea", "mine"])


async def test_a_retained_value_is_the_same_here_and_over_the_wire() -> None:
    """A retained value stays as it was emitted, for local and remote subscribers."""
    shop = Shop()
    listed = {"a": [1]}
    shop.listed.emit(listed)
    listed["a"].append(2)
    async with open_pair(shop, Shop) as (proxy, _):
        for _time in range(2):
            async with shop.listed.subscribe() as here, proxy.listed.subscribe() as there:
                kept = await anext(here)
                assert kept == await anext(there) == {"a": [1]}
                kept["a"].append(3)


async def test_a_subscriber_that_takes_no_bytes_is_cut_off_with_a_line_in_the_log(
    caplog: pytest.LogCaptureFixture, autojump_clock: MockClock
) -> None:
    """A subscriber that takes no byte is closed with one warning that names the limit."""
    feed = Feed()
    async with raw_client(feed) as client:
        await client.ask(HELLO)
        await ask(client, subscribe(2, "Feed.texts", credit=[2**20, 2**40]))
        client.stop_reading()
        for _ in range(20):
            feed.texts.emit("x" * 100_000)
            await trio.sleep(1)

    (record,) = [each for each in caplog.records if each.levelname == "WARNING"]
    assert record.getMessage() == (
        "memory: cut off: no byte was taken for 10 s (the limit stall_seconds)"
    )


async def test_a_subscriber_that_keeps_up_sends_little_credit(autojump_clock: MockClock) -> None:
    """Credit for small values leaves four times a second, and not once for each value."""
    feed = Feed()
    async with open_pair(feed, Feed) as pair, pair.client.texts.subscribe() as texts:
        before = pair.connection.statistics().frames_in
        for number in range(40):
            feed.texts.emit(str(number))
            assert await anext(texts) == str(number)
            await trio.sleep(0.05)

        assert 4 <= pair.connection.statistics().frames_in - before <= 10


async def test_a_large_value_waits_for_late_credit_once(autojump_clock: MockClock) -> None:
    """The first value of over half a window may wait for credit; later ones do not."""
    feed = Feed()
    large = "x" * 250_000
    waits: list[float] = []
    async with open_pair(feed, Feed) as pair, pair.client.texts.subscribe() as texts:
        for _ in range(3):
            feed.texts.emit("a small one, and more than 12 KB of others" * 400)
            await anext(texts)
            began = trio.current_time()
            feed.texts.emit(large)
            assert await anext(texts) == large
            waits.append(trio.current_time() - began)

    assert 0 < waits[0] <= 0.25
    assert waits[1:] == [0, 0]
