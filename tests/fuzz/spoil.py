"""Spoil correct data in a place or two, the same way for the same seed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, Final

INTERESTING: Final[Sequence[Any]] = (
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e300),
    *(2**31, 2**53 + 1, 2**64, -(2**63), 10**400),
    *("", "2.0", "s1", "\0", "\u202e", "\ud800", "x" * 300, "rpc.", "rpc.hello", "__proto__"),
    *([], {}, [[]], [None], {"": None}, {"$stream": "u1"}),
)
"""Values at some edge: of a type, of a length, or of the meaning of a name."""

UNWRITABLE: Final = (
    b"1e400",
    b"NaN",
    b"-",
    b"01",
    b'"\\u12"',
    b'"\xff"',
    b"\xef\xbb\xbf",
    b"[" * 70,
)
"""Invalid JSON to put in the place of a value."""

_HOLE: Final = "<<hole>>"


def spoil_bytes(random: Random, data: bytes, pieces: Sequence[bytes]) -> bytes:
    """Change up to four places: insert, remove, repeat, reverse or replace bytes."""
    for _ in range(random.randint(1, 4)):
        start = random.randint(0, len(data))
        end = min(len(data), start + random.choice((1, 1, 2, 8, 64)))
        here = data[start:end]
        data = data[:start] + random.choice(_EDITS)(random, here, pieces) + data[end:]
    return data


_EDITS: Final[Sequence[Callable[[Random, bytes, Sequence[bytes]], bytes]]] = (
    lambda random, _, __: random.randbytes(1),
    lambda random, here, _: random.randbytes(random.randint(1, 4)) + here,
    lambda random, here, pieces: random.choice(pieces) + here,
    lambda random, _, pieces: random.choice(pieces),
    lambda _, here, __: here * 2,
    lambda _, here, __: here[::-1],
    lambda _, __, ___: b"",
)


def spoil_json(random: Random, value: Any) -> bytes:
    """Change a message somewhere inside, and now and then write it as invalid JSON."""
    hole = random.choice(UNWRITABLE) if random.random() < 0.2 else None
    for _ in range(random.randint(1, 2)):
        value = _changed(random, value, _HOLE if hole is not None else random.choice(INTERESTING))
    text = json.dumps(value).encode()
    return text if hole is None else text.replace(json.dumps(_HOLE).encode(), hole)


def _changed(random: Random, value: Any, new: Any) -> Any:
    if isinstance(value, dict) and value and random.random() < 0.9:
        return _changed_member(random, dict(value), new)
    if isinstance(value, list) and value and random.random() < 0.8:
        place = random.randrange(len(value))
        return [*value[:place], _changed(random, value[place], new), *value[place + 1 :]]
    return new


def _changed_member(random: Random, members: dict[str, Any], new: Any) -> dict[str, Any]:
    name = random.choice(list(members))
    match random.randint(0, 4):
        case 0:
            del members[name]
        case 1:
            members[random.choice(("id", "meta", "extra", "result", "params", "notification"))] = (
                new
            )
        case _:
            members[name] = _changed(random, members[name], new)
    return members


def in_pieces(random: Random, data: bytes) -> list[bytes]:
    """Cut data as a network might."""
    cuts = sorted(random.randint(0, len(data)) for _ in range(random.choice((0, 0, 1, 3))))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]
