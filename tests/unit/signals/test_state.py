"""One signal of one object: subscribers, retained values, fan-out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import attrs
import pytest
import trio

from farcall._codec import Faults, codec_of
from farcall._signals.buffer import Buffer
from farcall._signals.state import SignalCodec, SignalKey, SignalOptions, SignalState
from farcall.errors import EncodeError


@attrs.frozen
class Quote:
    symbol: str
    price: float


class Row(TypedDict):
    items: int


def make_state(*, key: bool = False, retain: bool = False) -> SignalState[Quote]:
    codec = SignalCodec(codec_of(Quote), SignalKey("symbol", codec_of(str)) if key else None)
    return SignalState("Market.ticked", codec, SignalOptions(retain=retain))


def make_buffer(wake: Callable[[], object] = lambda: None) -> Buffer:
    return Buffer(wake=wake)


def attached(state: SignalState[Quote], key: str | None = None) -> Buffer:
    buffer = make_buffer()
    state.attach(buffer, None if key is None else state.key.encode(key))
    return buffer


def prices(buffer: Buffer) -> list[float]:
    return [each.value.price for each in buffer.take().entries]


async def test_everybody_gets_the_value() -> None:
    """A value goes to every buffer that is attached."""
    state = make_state()
    buffers = [attached(state), attached(state)]
    state.emit(Quote("A", 1.0))

    assert [prices(each) for each in buffers] == [[1.0], [1.0]]


async def test_one_encoding() -> None:
    """All subscribers share one entry, and so the bytes that were encoded once."""
    state = make_state()
    buffers = [attached(state), attached(state), attached(state)]
    state.emit(quote := Quote("A", 1.0))

    entries = [each.take().entries[0] for each in buffers]

    assert entries[0] is entries[1] is entries[2]
    assert (entries[0].encoded, entries[0].value) == (codec_of(Quote).encode(quote), quote)


async def test_slow_subscriber_slows_nobody() -> None:
    """A subscriber that never takes loses its own oldest values; the others lose none."""
    state = make_state()
    slow, quick = attached(state), attached(state)
    for number in range(1030):
        state.emit(Quote("A", number))
        assert prices(quick) == [number]

    assert (quick.missed, slow.missed, len(slow)) == (0, 6, 1024)


async def test_nobody_listens() -> None:
    """A value of the wrong type raises in the emitter, with or without subscribers."""
    state = make_state()

    with pytest.raises(EncodeError, match="str"):
        state.emit(Quote(3, 1.0))  # type: ignore[arg-type]


async def test_wrong_value_changes_nothing() -> None:
    """A value that cannot be encoded is neither sent nor retained, and takes no cursor."""
    state = make_state(retain=True)
    buffer, before = attached(state), state.cursor
    with pytest.raises(EncodeError):
        state.emit("A")  # type: ignore[arg-type]

    assert prices(buffer) == prices(attached(state)) == []
    assert state.cursor == before


async def test_key() -> None:
    """A subscriber with a key gets the values with that key; one without gets them all."""
    state = make_state(key=True)
    only_a, everything = attached(state, "A"), attached(state)
    state.emit(Quote("A", 1.0))
    state.emit(Quote("B", 2.0))

    assert prices(only_a) == [1.0]
    assert prices(everything) == [1.0, 2.0]


async def test_key_of_a_dict() -> None:
    """The key of a TypedDict is its item, even where dict has a method of that name."""
    codec = SignalCodec(codec_of(Row), SignalKey("items", codec_of(int)))
    state = SignalState[Row]("Table.changed", codec)
    state.attach(buffer := make_buffer(), state.key.encode(3))
    state.emit({"items": 4})
    state.emit({"items": 3})

    assert [each.value for each in buffer.take().entries] == [{"items": 3}]


async def test_remote_key_is_compared_by_value() -> None:
    """A peer may write its key in any JSON form: it is decoded and encoded again."""
    state = make_state(key=True)

    assert state.key.read(b'  "\\u0041"') == state.key.encode("A")


async def test_remote_key_of_wrong_type() -> None:
    """A peer's key of another type is refused; the error names its path in the request."""
    with pytest.raises(Faults) as caught:
        make_state(key=True).key.read(b"3")

    assert [each.path for each in caught.value.errors] == ["params.key"]


async def test_local_key_of_wrong_type() -> None:
    """A local key of another type is refused."""
    with pytest.raises(EncodeError, match="expected str, got int @ key"):
        make_state(key=True).key.encode(3)


@pytest.mark.parametrize(
    "ask", [lambda state: state.key.encode("A"), lambda state: state.key.read(b'"A"')]
)
async def test_no_key(ask: Callable[[SignalState[Quote]], bytes]) -> None:
    """A subscription with a key to a signal without one raises; the error names the fix."""
    with pytest.raises(TypeError, match=r"Market.ticked has no key: declare it with Signal\(key="):
        ask(make_state())


async def test_retained() -> None:
    """A new subscriber gets the last value first."""
    state = make_state(retain=True)
    state.emit(Quote("A", 1.0))
    state.emit(Quote("B", 2.0))
    buffer = attached(state)
    state.emit(Quote("A", 3.0))

    assert prices(buffer) == [2.0, 3.0]


async def test_retained_by_key() -> None:
    """With a key a new subscriber gets the last value of its key, or of all keys."""
    state = make_state(key=True, retain=True)
    for symbol, price in [("A", 1.0), ("B", 2.0), ("A", 3.0)]:
        state.emit(Quote(symbol, price))

    assert prices(attached(state, "A")) == [3.0]
    assert prices(attached(state)) == [2.0, 3.0]


async def test_not_retained() -> None:
    """Without `retain` a new subscriber gets only values emitted later."""
    state = make_state()
    state.emit(Quote("A", 1.0))

    assert prices(attached(state)) == []


async def test_detach() -> None:
    """After detaching no value comes; detaching twice, or beside others, is harmless."""
    state = make_state()
    other = attached(state)
    detach = state.attach(buffer := make_buffer())
    detach()
    detach()
    state.emit(Quote("A", 1.0))

    assert (prices(buffer), prices(other)) == ([], [1.0])


async def test_keys_are_forgotten() -> None:
    """A key without subscribers takes no memory."""
    state = make_state(key=True)
    detach = state.attach(make_buffer(), b'"A"')
    assert state.subscribers == 1

    detach()

    assert state.subscribers == len(state._subscribed) == 0


async def test_leaving_during_fan_out() -> None:
    """A subscriber may leave, and make another one leave, while a value is being pushed."""
    state = make_state()
    leave: list[Callable[[], None]] = []

    def all_leave() -> None:
        while leave:
            leave.pop()()

    leave += [state.attach(make_buffer(all_leave)) for _ in range(3)]
    state.emit(Quote("A", 1.0))

    assert state.subscribers == 0


async def test_joining_during_fan_out() -> None:
    """A subscriber that comes while a retained value is being pushed gets it once."""
    state = make_state(retain=True)
    late = make_buffer()
    state.attach(make_buffer(lambda: state.attach(late)))
    state.emit(Quote("A", 1.0))

    assert prices(late) == [1.0]


async def test_cursor() -> None:
    """Each value has a cursor of its own, and the state's is that of the last one."""
    state = make_state()
    buffer, start = attached(state), state.cursor
    state.emit(Quote("A", 1.0))
    state.emit(Quote("A", 2.0))

    first, second = [each.cursor for each in buffer.take().entries]

    assert len({start, first, second}) == 3
    assert state.cursor == second


async def test_epoch() -> None:
    """The cursors of two states differ, so a restarted server is recognised."""
    assert make_state().cursor != make_state().cursor


async def test_undecorated() -> None:
    """Emitting into a signal of a class that is not a service raises; the error names @service."""
    state: SignalState[int] = SignalState("Market.ticked", None)

    with pytest.raises(TypeError, match="decorate its class with @service"):
        state.emit(3)


THREAD = r"Market.ticked can be used only in the thread .* trio.from_thread.run_sync\("


async def test_other_thread() -> None:
    """Emitting in a worker thread raises; the call that the error names works."""
    state = make_state()
    buffer, quote = attached(state), Quote("A", 1.0)

    with pytest.raises(RuntimeError, match=THREAD):
        await trio.to_thread.run_sync(state.emit, quote)
    await trio.to_thread.run_sync(lambda: trio.from_thread.run_sync(state.emit, quote))

    assert prices(buffer) == [1.0]


async def test_other_run() -> None:
    """Another Trio run in another thread may not emit while there are subscribers."""
    state = make_state()
    detach = state.attach(make_buffer())

    with pytest.raises(RuntimeError, match=THREAD):
        await trio.to_thread.run_sync(_run_elsewhere, state)
    detach()
    await trio.to_thread.run_sync(_run_elsewhere, state)


def _run_elsewhere(state: SignalState[Quote]) -> None:
    async def emit() -> None:
        state.emit(Quote("A", 1.0))

    trio.run(emit)


def test_no_run() -> None:
    """Emitting outside of Trio raises, even without subscribers."""
    with pytest.raises(RuntimeError, match=THREAD):
        make_state().emit(Quote("A", 1.0))


def test_no_subscribing_without_a_run() -> None:
    """Subscribing outside of Trio raises."""
    with pytest.raises(RuntimeError, match=THREAD):
        make_state().attach(make_buffer())
