"""The buffers of one connection, and the one that drops when the pool is full."""

from __future__ import annotations

from farcall._quota import MemoryAccount, ProcessQuota
from farcall._signals.buffer import Buffer, Entry, OnLag
from farcall._signals.pool import VALUE_COST, BufferPool


class Connection:
    """Some buffers that share what a connection may hold."""

    def __init__(self, most: int) -> None:
        self.process = ProcessQuota()
        self.account = MemoryAccount(2**30, lambda: None, self.process)
        self.pool = BufferPool(most, self.account)

    def buffer(self, on_lag: OnLag = "raise") -> Buffer:
        return Buffer(on_lag=on_lag, wake=lambda: None, pool=self.pool)


def push(buffer: Buffer, *sizes: int) -> None:
    for size in sizes:
        buffer.push(Entry(b"." * size))


def sizes(buffer: Buffer) -> list[int]:
    return [entry.size for entry in buffer.take().entries]


def test_the_fullest_drops_its_oldest_value() -> None:
    """When a pool is full, its fullest buffer drops a value, not the buffer that was pushed to."""
    connection = Connection(100)
    full, other = connection.buffer(), connection.buffer()
    push(full, 30, 40)
    push(other, 30, 1)
    assert (full.missed, other.missed, connection.pool.size) == (0, 0, 101)

    push(other, 2)
    assert (full.missed, other.missed, connection.pool.size) == (1, 0, 73)
    assert full.is_crowded
    assert not other.is_crowded
    assert (sizes(other), other.missed) == ([30, 1, 2], 0)
    assert full.take().missed == 1


def test_a_value_that_comes_stays() -> None:
    """The value being pushed stays, even if it is larger than the pool."""
    connection = Connection(100)
    first, second, third = (connection.buffer() for _ in range(3))
    push(first, 60)
    push(second, 40)
    push(third, 500)
    assert [len(each) for each in (first, second, third)] == [1, 1, 1]

    push(first, 1)
    assert [len(each) for each in (first, second, third)] == [2, 1, 0]
    assert third.missed == 1
    push(third, 2)
    assert (third.take().missed, first.take().missed, connection.pool.size) == (1, 1, 40)


def test_the_last_value_of_a_buffer_may_go() -> None:
    """A pool may drop the last value of a buffer; the count stands before the next value."""
    connection = Connection(100)
    lost, other = connection.buffer("latest"), connection.buffer()
    push(lost, 90)
    push(other, 80)
    push(other, 1)
    assert (len(lost), lost.missed) == (0, 1)

    push(lost, 3)
    batch = lost.take()
    assert (batch.missed, [entry.size for entry in batch.entries]) == (1, [3])


def test_keys_are_not_dropped() -> None:
    """Keys take room from the values, and are never dropped to make room."""
    connection = Connection(100)
    assert connection.pool.has_room_for_key(100)
    connection.pool.charge_key(100)
    assert not connection.pool.has_room_for_key(1)

    buffer = connection.buffer()
    push(buffer, 10, 20)
    assert sizes(buffer) == [20]
    connection.pool.release_key(100)
    assert (connection.pool.size, connection.account.held) == (0, 0)


def test_all_of_it_is_counted_in_the_account() -> None:
    """Values count in the account until they are taken, dropped, discarded or closed."""
    connection = Connection(1000)
    first, second = connection.buffer(), connection.buffer("latest")
    push(first, 10, 20, 30)
    push(second, 40, 50)
    assert connection.account.held == 110 + 4 * VALUE_COST

    first.take(max_items=1)
    first.discard(lambda entry: entry.size == 20)
    assert connection.account.held == 80 + 2 * VALUE_COST
    first.close()
    first.close()
    push(first, 7)
    second.close()
    assert (connection.account.held, connection.pool.size) == (0, 0)


def test_a_buffer_that_was_left_loses_nothing() -> None:
    """A closed buffer is no longer part of its pool."""
    connection = Connection(10)
    left, other = connection.buffer(), connection.buffer()
    left.close()
    push(other, 10, 10, 10)

    assert (left.missed, sizes(other), connection.pool.size) == (0, [10, 10], 0)
