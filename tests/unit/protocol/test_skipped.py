"""What is told of a message over the limit from its two ends, against a real parser of JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from farcall._limits import MessageLimit
from farcall._protocol.skipped import END_BYTES, Skipped, find_members

MARKS = st.text(st.sampled_from('"\\{}[],: \tid7é\x1f'), max_size=12)
"""Texts that look like JSON, and have to be escaped."""
NAMES = st.sampled_from(["id", "method", "params", "result", 'x"id', "x\\", ',"id":7}', "idé", ""])
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | MARKS
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
LARGE = st.sampled_from(
    [
        "x" * 9000,
        "\\" * 5000,
        '"' * 5000,
        '{"id":7},' * 1000,
        ["x", {"id": 7}] * 1000,
        [{"id": 7, "": []}] * 1000,
        {"id": 7, "x": "y" * 9000},
    ]
)
WRITERS = st.sampled_from(
    [
        json.dumps,
        lambda value: json.dumps(value, separators=(",", ":")),
        lambda value: json.dumps(value, ensure_ascii=False, indent=3),
    ]
)


def skipped(text: bytes, piece: int) -> Skipped:
    """Have a text come in pieces, the first of which is over the limit already."""
    message = Skipped.of(text[:piece], MessageLimit(1))
    for at in range(piece, len(text), piece):
        message.add(text[at : at + piece])
    return message


@given(
    before=st.dictionaries(NAMES, VALUES, max_size=4),
    large=LARGE,
    after=st.dictionaries(NAMES, VALUES, max_size=4),
    write=WRITERS,
    piece=st.sampled_from([1, 7, 1000, 5000, 10**6]),
    where=st.sampled_from(["params", "result", "other"]),
)
@example({"id": 1}, "x" * 9000, {}, json.dumps, 1, "params")
@example({}, "x" * 9000, {"id": 1}, json.dumps, 1, "params")
def test_what_is_found_is_what_a_parser_reads(
    before: Any, large: Any, after: Any, write: Any, piece: int, where: str
) -> None:
    """Each member that is found is at the top level, with the value a parser reads."""
    members = {**before, where: large, **after}
    text = write(members).encode()
    found = find_members(skipped(text, piece))
    assert found.keys() <= members.keys()
    for name, raw in found.items():
        if raw:
            assert json.loads(raw) == members[name]


@given(before=st.booleans(), large=LARGE, write=WRITERS, id=st.integers() | MARKS)
def test_an_id_at_either_end_is_found(before: bool, large: Any, write: Any, id: int | str) -> None:
    """The id is found first or last, whatever the other members are."""
    first = {"jsonrpc": "2.0", "id": id, "method": "m", "params": large}
    last = {"jsonrpc": "2.0", "method": "m", "params": large, "id": id}
    found = find_members(skipped(write(first if before else last).encode(), 1000))
    assert json.loads(found["id"]) == id
    assert json.loads(found["method"]) == "m"


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_any_bytes(start: bytes, end: bytes) -> None:
    """Any bytes that are not JSON raise nothing."""
    find_members(skipped(b'{"' + start + b"x" * 2 * END_BYTES + end + b"}", 1000))


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":1}%b{"id":2}',
        b'{"id":1,"x":"%b","y":{"id":2}',
        b'[{"id":1,"x":"%b","id":2}]',
        b'{"x":"%b","id":2}]',
        b'"%b,"id":2}',
    ],
)
def test_what_is_no_object_has_no_members(text: bytes) -> None:
    """Two objects, an array, or mismatched brackets have no members."""
    found = find_members(skipped(text % (b"x" * 9000), 1000))
    assert found.get("id") in (None, b"1") if text.startswith(b'{"id":1,') else not found


def test_the_last_of_two_equal_members_counts() -> None:
    """As it does in a message that is read."""
    text = b'{"id":1,"params":"%b","i\\u0064":2}' % (b"x" * 9000)
    assert find_members(skipped(text, 1000))["id"] == b"2"
