"""The bounded buffer of one subscription."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Batch, Buffer, Entry, Missed, OnLag

POLICIES: tuple[OnLag, ...] = ("raise", "drop_oldest", "latest")


class Bell:
    """Count how often a buffer wakes whoever takes."""

    def __init__(self) -> None:
        self.rings = 0

    def __call__(self) -> None:
        self.rings += 1


def make_buffer(
    on_lag: OnLag = "raise", *, max_items: int = 3, max_bytes: int = 100, wake: Bell | None = None
) -> Buffer:
    return Buffer(on_lag=on_lag, wake=wake or Bell(), max_items=max_items, max_bytes=max_bytes)


def entry(value: object, *, size: int = 1, missed: Missed = 0) -> Entry:
    return Entry(b"." * size, value, missed=missed)


def push(buffer: Buffer, *values: object, size: int = 1) -> None:
    for value in values:
        buffer.push(entry(value, size=size))


def values(batch: Batch) -> list[object]:
    return [each.value for each in batch.entries]


def taken(
    buffer: Buffer, max_items: int = MAX_ITEMS, max_bytes: int = MAX_BYTES
) -> tuple[list[object], Missed]:
    batch = buffer.take(max_items, max_bytes)
    return values(batch), batch.missed


def test_order() -> None:
    """Values are taken in the order in which they were pushed."""
    buffer = make_buffer()
    push(buffer, 1, 2, 3)

    assert values(buffer.take()) == [1, 2, 3]
    assert buffer.take() == Batch()


def test_values_that_come_together_wake_once() -> None:
    """The reader is woken by the last value of several."""
    bell = Bell()
    buffer = make_buffer(wake=bell)
    buffer.push(entry(1), more=True)
    assert bell.rings == 0

    buffer.push(entry(2))
    assert bell.rings == 1
    assert values(buffer.take()) == [1, 2]


def test_defaults() -> None:
    """A buffer that nobody configures holds 1,024 values and 1 MiB."""
    buffer = Buffer(wake=Bell())

    assert (buffer.on_lag, buffer.max_items, buffer.max_bytes) == ("raise", 1024, 1024 * 1024)
    assert (buffer.max_items, buffer.max_bytes) == (MAX_ITEMS, MAX_BYTES)


def test_unknown_policy() -> None:
    """A policy that does not exist is refused at once."""
    problem = "on_lag= takes 'raise', 'drop_oldest' or 'latest', not 'newest'"
    with pytest.raises(ValueError, match=problem):
        make_buffer("newest")  # type: ignore[arg-type]


@pytest.mark.parametrize("on_lag", ["raise", "drop_oldest"])
def test_item_bound(on_lag: OnLag) -> None:
    """The buffer holds `max_items` values; one more drops the oldest."""
    buffer = make_buffer(on_lag, max_items=3)
    push(buffer, 1, 2, 3)
    assert (len(buffer), buffer.missed) == (3, 0)

    push(buffer, 4)

    assert taken(buffer) == ([2, 3, 4], 1)


@pytest.mark.parametrize("on_lag", ["raise", "drop_oldest"])
def test_byte_bound(on_lag: OnLag) -> None:
    """The buffer holds `max_bytes` bytes; one more drops the oldest value."""
    buffer = make_buffer(on_lag, max_bytes=100)
    push(buffer, 1, 2, size=50)
    assert (buffer.size, buffer.missed) == (100, 0)

    push(buffer, 3)

    assert buffer.size == 51
    assert taken(buffer) == ([2, 3], 1)


def test_large_value_waits_alone() -> None:
    """A value larger than the whole buffer drops all others, and is dropped by the next one."""
    buffer = make_buffer(max_bytes=100)
    push(buffer, 1, 2)
    push(buffer, 3, size=101)
    assert (len(buffer), buffer.size, buffer.missed) == (1, 101, 2)

    push(buffer, 4)

    assert taken(buffer) == ([4], 3)


def test_latest() -> None:
    """Under ``latest`` one value waits, and those that it replaced are counted."""
    buffer = make_buffer("latest", max_items=3)
    push(buffer, 1, 2, 3)

    assert taken(buffer) == ([3], 2)


def test_count_is_told_once() -> None:
    """The count of missing values is reported once, with the batch that follows the gap."""
    buffer = make_buffer(max_items=2)
    push(buffer, 1, 2, 3)

    assert buffer.take(1).missed == 1
    assert buffer.take(1).missed == 0


def test_take_up_to_items() -> None:
    """No more values are taken than were asked for."""
    buffer = make_buffer()
    push(buffer, 1, 2, 3)

    assert values(buffer.take(2)) == [1, 2]
    assert values(buffer.take(0)) == []
    assert values(buffer.take(2)) == [3]


def test_take_up_to_bytes() -> None:
    """Values are taken as long as all of them together fit."""
    buffer = make_buffer()
    push(buffer, 1, 2, 3, size=10)

    assert values(buffer.take(3, 29)) == [1, 2]
    assert values(buffer.take(3, 10)) == [3]
    assert buffer.size == 0


def test_take_leaves_what_does_not_fit() -> None:
    """A value that is larger than the credit waits, with its count, until more is given."""
    buffer = make_buffer(max_items=1)
    push(buffer, 1, 2, size=10)

    assert buffer.take(1, 9) == Batch()
    assert (buffer.next_size, buffer.missed) == (10, 1)
    assert taken(buffer, 1, buffer.next_size) == ([2], 1)
    assert buffer.next_size == 0


def test_take_stops_where_the_sender_dropped() -> None:
    """A batch ends where values are missing, so that its count precedes its first value."""
    buffer = make_buffer(max_items=4)
    buffer.push(entry(3, missed=2))
    buffer.push(entry(4))
    buffer.push(entry(10, missed=5))

    assert taken(buffer) == ([3, 4], 2)
    assert taken(buffer) == ([10], 5)


def test_losses_add_up() -> None:
    """Values dropped by the sender and here are missing at one place, and counted together."""
    buffer = make_buffer(max_items=2)
    buffer.push(entry(2, missed=1))
    buffer.push(entry(6, missed=3))
    buffer.push(entry(7))

    assert taken(buffer) == ([6, 7], 1 + 1 + 3)


def test_unknown_loss() -> None:
    """A loss of unknown size stays unknown, whatever is added to it."""
    buffer = make_buffer(max_items=1)
    buffer.push(entry(2, missed=None))
    push(buffer, 3)

    assert taken(buffer) == ([3], None)


def test_take_missed() -> None:
    """The count can be taken before the value, and is then 0."""
    buffer = make_buffer(max_items=1)
    push(buffer, 1, 2)

    assert buffer.take_missed() == 1
    assert taken(buffer) == ([2], 0)


def test_push_wakes() -> None:
    """Each push wakes the reader, after the value was added."""
    seen: list[int] = []
    buffer = Buffer(wake=lambda: seen.append(len(buffer)), max_items=2)
    push(buffer, 1, 2, 3)

    assert seen == [1, 2, 2]


def test_is_ready() -> None:
    """A buffer is ready while a value waits, ended or not."""
    buffer = make_buffer()
    seen = [buffer.is_ready]
    push(buffer, 1)
    buffer.end()
    seen.append(buffer.is_ready)
    buffer.take()
    seen.append(buffer.is_ready)

    assert seen == [False, True, False]


def test_end() -> None:
    """After the end nothing can be pushed, and what waited can still be taken."""
    bell = Bell()
    buffer = make_buffer(wake=bell)
    push(buffer, 1)
    buffer.end(OSError("gone"))
    push(buffer, 2)

    assert bell.rings == 2
    assert buffer.is_ended
    assert values(buffer.take()) == [1]


def test_first_end_counts() -> None:
    """A second end changes nothing."""
    bell = Bell()
    buffer = make_buffer(wake=bell)
    buffer.end(first := OSError("first"))
    buffer.end(OSError("second"))

    assert (buffer.error, bell.rings) == (first, 1)


def test_discard() -> None:
    """Discarded values do not count as missed."""
    buffer = make_buffer()
    push(buffer, 1, 2, 3, 4)
    buffer.discard(lambda each: each.value in (2, 4))

    assert (len(buffer), buffer.size) == (1, 1)
    assert taken(buffer) == ([3], 1)


def test_close() -> None:
    """Closing drops what waits, with its count and error, and wakes the reader."""
    bell = Bell()
    buffer = make_buffer(max_items=1, wake=bell)
    push(buffer, 1, 2)
    buffer.end(OSError("gone"))
    buffer.close()

    assert taken(buffer) == ([], 0)
    assert (buffer.size, buffer.missed, buffer.is_ended, buffer.error) == (0, 0, True, None)
    assert bell.rings == 4


pushes = st.tuples(st.just("push"), st.integers(1, 60), st.integers(0, 2))
takes = st.tuples(st.just("take"), st.integers(0, 5), st.integers(0, 120))


@given(steps=st.lists(pushes | takes), on_lag=st.sampled_from(POLICIES))
def test_nothing_is_lost_in_silence(steps: list[tuple[str, int, int]], on_lag: OnLag) -> None:
    """Pushed and taken in any order, values come in order, and lost ones are counted."""
    buffer = make_buffer(on_lag, max_items=4, max_bytes=100)
    emitted, told = 0, 0
    emptied = [("take", MAX_ITEMS, MAX_BYTES)] * len(steps)
    for step, first, second in [*steps, *emptied]:
        if step == "push":
            emitted += second + 1
            buffer.push(entry(emitted, size=first, missed=second))
            assert len(buffer) <= 4
            assert buffer.size <= 100 or len(buffer) == 1
        else:
            batch = buffer.take(first, second)
            told = told_with(batch, told, max_items=first, max_bytes=second)
    assert (told, buffer.size, buffer.missed) == (emitted, 0, 0)


def told_with(batch: Batch, told: int, *, max_items: int, max_bytes: int) -> int:
    """Check that `batch` goes on where the last one ended, and say where it ends itself."""
    assert batch.missed is not None
    start = told + batch.missed + 1
    assert values(batch) == list(range(start, start + len(batch.entries)))
    assert len(batch.entries) <= max_items
    assert sum(each.size for each in batch.entries) <= max_bytes
    return told + batch.missed + len(batch.entries)
