"""The retained values of a signal."""

from __future__ import annotations

from farcall._signals.buffer import MAX_BYTES, MAX_ITEMS, Buffer, Entry
from farcall._signals.state import Retained


def entry(key: str | None, value: object, *, size: int = 1) -> Entry:
    return Entry(b"." * size, value, None if key is None else key.encode())


def values(retained: Retained, key: bytes | None = None) -> list[object]:
    return [each.value for each in retained.get(key)]


def test_nothing_yet() -> None:
    """Before the first value nothing is retained, with or without a key."""
    assert values(Retained()) == values(Retained(), b"A") == []


def test_last_value() -> None:
    """Without keys only the last value is retained."""
    retained = Retained()
    retained.add(entry(None, 1))
    retained.add(entry(None, 2))

    assert (values(retained), retained.size) == ([2], 1)


def test_last_value_of_a_key() -> None:
    """With a key, the last value of that key is returned."""
    retained = Retained()
    for key, value in [("A", 1), ("B", 2), ("A", 3)]:
        retained.add(entry(key, value))

    assert (values(retained, b"A"), values(retained, b"C")) == ([3], [])


def test_all_keys_oldest_first() -> None:
    """Without a key, the last values of all keys are returned in the order they were emitted."""
    retained = Retained()
    for key, value in [("A", 1), ("B", 2), ("A", 3)]:
        retained.add(entry(key, value))

    assert values(retained) == [2, 3]


def test_key_bound() -> None:
    """The 1,024 keys emitted last are retained; one more drops the oldest."""
    retained = Retained()
    for number in range(MAX_ITEMS):
        retained.add(entry(str(number), number))
    retained.add(entry("0", "again"))
    assert len(values(retained)) == MAX_ITEMS

    retained.add(entry("new", "new"))

    assert values(retained) == [*range(2, MAX_ITEMS), "again", "new"]


def test_byte_bound() -> None:
    """Values of 1 MiB in all are retained; one more byte drops the oldest."""
    retained = Retained()
    retained.add(entry("A", 1))
    retained.add(entry("B", 2, size=MAX_BYTES - 1))
    assert (values(retained), retained.size) == ([1, 2], MAX_BYTES)

    retained.add(entry("C", 3))

    assert (values(retained), retained.size) == ([2, 3], MAX_BYTES)


def test_newest_is_always_kept() -> None:
    """A value larger than 1 MiB is retained alone."""
    retained = Retained()
    retained.add(entry("A", 1))
    retained.add(entry("B", 2, size=MAX_BYTES + 1))

    assert values(retained) == [2]


def test_all_that_is_kept_fits_a_buffer() -> None:
    """All retained values fit into the buffer of a new subscriber."""
    retained = Retained()
    for number in range(MAX_ITEMS + 10):
        retained.add(entry(str(number), number, size=MAX_BYTES // MAX_ITEMS))
    buffer = Buffer(wake=lambda: None)
    for each in retained.get(None):
        buffer.push(each)

    assert (len(buffer), buffer.missed) == (MAX_ITEMS, 0)
