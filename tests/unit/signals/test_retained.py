"""The values that a new subscriber gets at once."""

from __future__ import annotations

from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Buffer, Entry
from farcall._signals.state import Retained


def entry(key: str | None, value: object, *, size: int = 1) -> Entry:
    return Entry(b"." * size, value, None if key is None else key.encode())


def kept(retained: Retained, key: bytes | None = None) -> list[object]:
    return [each.value for each in retained.of(key)]


def test_nothing_yet() -> None:
    """Before the first value nothing is kept, with or without a key."""
    assert kept(Retained()) == kept(Retained(), b"A") == []


def test_last_value() -> None:
    """Without keys the last value is kept, and no other."""
    retained = Retained()
    retained.keep(entry(None, 1))
    retained.keep(entry(None, 2))

    assert (kept(retained), retained.size) == ([2], 1)


def test_last_value_of_a_key() -> None:
    """With a key the last value of that key is given."""
    retained = Retained()
    for key, value in [("A", 1), ("B", 2), ("A", 3)]:
        retained.keep(entry(key, value))

    assert (kept(retained, b"A"), kept(retained, b"C")) == ([3], [])


def test_all_keys_oldest_first() -> None:
    """Without a key the last values of all keys are given, in the order they were emitted."""
    retained = Retained()
    for key, value in [("A", 1), ("B", 2), ("A", 3)]:
        retained.keep(entry(key, value))

    assert kept(retained) == [2, 3]


def test_key_bound() -> None:
    """The 1,024 keys emitted last are kept; one more drops the one emitted longest ago."""
    retained = Retained()
    for number in range(MAX_ITEMS):
        retained.keep(entry(str(number), number))
    retained.keep(entry("0", "again"))
    assert len(kept(retained)) == MAX_ITEMS

    retained.keep(entry("new", "new"))

    assert kept(retained) == [*range(2, MAX_ITEMS), "again", "new"]


def test_byte_bound() -> None:
    """Values of 1 MiB in all are kept; one more byte drops the oldest."""
    retained = Retained()
    retained.keep(entry("A", 1))
    retained.keep(entry("B", 2, size=MAX_BYTES - 1))
    assert (kept(retained), retained.size) == ([1, 2], MAX_BYTES)

    retained.keep(entry("C", 3))

    assert (kept(retained), retained.size) == ([2, 3], MAX_BYTES)


def test_newest_is_always_kept() -> None:
    """A value larger than all the room is kept alone, as it is what a subscriber needs."""
    retained = Retained()
    retained.keep(entry("A", 1))
    retained.keep(entry("B", 2, size=MAX_BYTES + 1))

    assert kept(retained) == [2]


def test_all_that_is_kept_fits_a_buffer() -> None:
    """A new subscriber misses nothing of what is kept: the bounds are those of its buffer."""
    retained = Retained()
    for number in range(MAX_ITEMS + 10):
        retained.keep(entry(str(number), number, size=MAX_BYTES // MAX_ITEMS))
    buffer = Buffer(wake=lambda: None)
    for each in retained.of(None):
        buffer.push(each)

    assert (len(buffer), buffer.missed) == (MAX_ITEMS, 0)
