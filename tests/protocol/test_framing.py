"""From text to messages and back; no text, however odd, takes long or raises anything else."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from farcall._limits import MAX_DEPTH, MAX_PARTS, MIN_DEPTH
from farcall._protocol.framing import (
    DECODE_ERRORS,
    MOST_SHOWN,
    UnreadableText,
    canonical_id,
    decode_message,
    is_too_deep,
    join,
    read_text,
    salvage,
    shown,
    split,
    why_not_read,
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


# Arrays


def test_an_array_is_split() -> None:
    """An array is split into the texts of its messages."""
    assert split(b'\r\n\t [ {"id": 1} , 5,"x",[ ] ]') == [b'{"id": 1}', b"5", b'"x"', b"[ ]"]


def test_what_was_joined_is_split() -> None:
    """Splitting gives the messages that were joined."""
    assert join([b'{"id":1}', b"[2]"]) == b'[{"id":1},[2]]'
    assert split(join([b'{"id":1}', b"[2]"])) == [b'{"id":1}', b"[2]"]
    assert split(join([])) == []


@pytest.mark.parametrize("text", ["[1,", "[1 2]", "[1]x", "[tru]", "[", '["\\x"]', "[1]\0", "{}"])
def test_an_array_that_is_no_json_is_refused(text: str) -> None:
    """A broken array is refused as a whole, for nobody knows where its messages end."""
    with pytest.raises(UnreadableText):
        split(text.encode())


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ("[" + "0," * (MAX_PARTS - 1) + "0]", True),
        ("[" + "0," * MAX_PARTS + "0]", False),
        ('[{"a":[' + "0," * (2 * MAX_PARTS) + "0]}]", True),
        ('[{"a":"' + "," * (2 * MAX_PARTS) + '"},1]', True),
        ("[{}" + ",{},[1,2]" * MAX_PARTS + "]", False),
    ],
)
def test_an_array_is_counted_before_it_is_split(text: str, is_fine: bool) -> None:
    """A frame of nothing but commas must not become a gigabyte of small parts."""
    if is_fine:
        split(text.encode())
    else:
        with pytest.raises(UnreadableText, match="65536 messages"):
            split(text.encode())


# Depth


@pytest.mark.parametrize(
    ("text", "is_deep"),
    [
        ('{"x":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, False),
        ('{"x":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), True),
        (nested(MAX_DEPTH), False),
        (nested(MAX_DEPTH + 1), True),
        ("[" + "{}," * 1_000 + "{}]", False),
        ("[" + "{}," * 10_000 + "{}]", False),
        ('{"x":"' + "[" * 1_000 + '"}', False),
        ('{"x":"' + "[" * 10_000 + '"}', False),
        ('{"x":"\\"' + "[" * 1_000 + '"}', False),
        ('{"x":"\\\\"' + ',"y":[' * 70 + "]" * 70 + "}", True),
        ('{"x":"' + "-" * 5_000 + '","y":' + nested(MAX_DEPTH) + "}", True),
    ],
)
def test_depth_is_limited(text: str, is_deep: bool) -> None:
    """A message may nest 64 levels; brackets inside of strings are none."""
    assert is_too_deep(text.encode()) is is_deep


@pytest.mark.parametrize("most", range(MIN_DEPTH, 33))
def test_a_lowered_depth_counts_arrays_in_objects_as_two_levels(most: int) -> None:
    """An object that holds an array is two levels deep, wherever the limit is."""

    def alternating(levels: int) -> bytes:
        text = b"1"
        for level in range(levels):
            text = b"[%b]" % text if level % 2 else b'{"x":%b}' % text
        return b"[%b]" % b",".join([text] * 40)

    assert not is_too_deep(alternating(most - 1), most)
    assert is_too_deep(alternating(most), most)


@pytest.mark.parametrize(
    "end", ['"' + '\\"' * 100_000, '"' + "\\" * 100_001, '"a' * 100_001, "[]" * 100_000]
)
def test_depth_is_measured_in_linear_time(end: str) -> None:
    """A hostile text, as one string that never ends, costs no more than its length."""
    text = ("[" * (MAX_DEPTH + 1) + end).encode()
    start = time.process_time()

    is_too_deep(text)

    # Measured: 0.01 s; and two minutes where the time grows with the square.
    assert time.process_time() - start < 2


@given(st.text(alphabet='[]{}"\\a', max_size=200))
def test_depth_is_that_of_the_brackets_outside_of_strings(text: str) -> None:
    """The quick way to measure depth agrees with reading character by character."""
    depth = deepest = 0
    is_string = is_escaped = False
    for character in text:
        if is_string:
            is_string = is_escaped or character != '"'
            is_escaped = not is_escaped and character == "\\"
        elif character == '"':
            is_string = True
        else:
            depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(character, 0)
            deepest = max(deepest, depth)

    assert is_too_deep(text.encode(), deepest) is False
    assert deepest == 0 or is_too_deep(text.encode(), deepest - 1)


# Messages


def test_a_message_keeps_its_members_as_text() -> None:
    """Members that mean something are kept as they were written, others are skipped."""
    message = decode_message(b' {"id" : 1e0 , "params":[ 1 ], "more": {"id": 2}} ')

    assert isinstance(message.id, Raw)
    assert isinstance(message.params, Raw)
    assert (bytes(message.id), bytes(message.params)) == (b"1e0", b"[ 1 ]")
    assert message.method is UNSET


def test_the_last_of_two_equal_members_counts() -> None:
    """A member that comes twice has its last value, as in every common JSON parser."""
    message = decode_message(b'{"id":1,"id":2,"\\u0069d":3}')

    assert isinstance(message.id, Raw)
    assert bytes(message.id) == b"3"


def why(text: bytes) -> str | None:
    """Say why a text is not decoded."""
    with pytest.raises(DECODE_ERRORS) as caught:
        decode_message(text)
    return why_not_read(text, caught.value)


@pytest.mark.parametrize("text", [b"1", b'"x"', b"null", b" [1] ", b"-0.5e-3"])
def test_json_that_is_no_object_is_told_from_no_json(text: bytes) -> None:
    """What is JSON and no object can be read, and is no message."""
    assert why(text) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"\0",
        b"{",
        b"{}x",
        b"{'id':1}",
        b'{"id":01}',
        b'{"id":NaN}',
        b'{"id":"\x01"}',
        b'{"id":"\\ud800"}',
        b'{"id":1}\0',
        b"\xef\xbb\xbf{}",
        b"1e400",
        b"9" * 5_000,
    ],
)
def test_what_is_no_json_cannot_be_read(text: bytes) -> None:
    """Neither a byte order mark, nor NUL, nor a number beyond all bounds is JSON to us."""
    assert why(text)


@given(st.binary(max_size=30) | st.text(max_size=30).map(str.encode))
def test_no_text_raises_anything_else(text: bytes) -> None:
    """Whatever msgspec raises for a text is one of the errors that are expected."""
    with contextlib.suppress(*DECODE_ERRORS):
        decode_message(text)
    with contextlib.suppress(UnreadableText):
        split(text)
    salvage(text)
    canonical_id(text)


@pytest.mark.parametrize("text", [b"1", b"null", b"[]", b'"\\ud800"', b'"\xff"'])
def test_a_name_must_be_a_string(text: bytes) -> None:
    """What is no string, or none that Unicode knows, is refused."""
    with pytest.raises(UnreadableText):
        read_text(Raw(text))


def test_a_name_is_unescaped() -> None:
    """Escapes in a name mean what they stand for, NUL included."""
    assert read_text(Raw(b'"a\\u0000\\ud83d\\ude00"')) == "a\0\U0001f600"


# Ids


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (b'{"id":1,"result":"\\ud83d cut in half"}', b"1"),
        (b'{"id":1,"result":' + nested(200).encode() + b"}", b"1"),
        (b'{"id":1,"result":"\xff"}', b"1"),
    ],
)
def test_the_id_of_an_unreadable_message_can_be_told(text: bytes, id: bytes) -> None:
    """Half of an emoji, too many levels or stray bytes do not hide who is answered."""
    message = salvage(text)

    assert message is not None
    assert isinstance(message.id, Raw)
    assert bytes(message.id) == id


@pytest.mark.parametrize("text", ["", "{", '[{"id":1}]', '{"id":' + nested(100_000) + "}"])
def test_of_other_texts_nothing_can_be_told(text: str) -> None:
    """What is no object, or drives a parser to the end of its stack, is given up."""
    assert salvage(text.encode()) is None


@pytest.mark.parametrize(
    ("id", "canonical"),
    [
        (b"1", b"1"),
        (b"1.0", b"1"),
        (b"1e0", b"1"),
        (b"10E-1", b"1"),
        (b"1.5", b"1.5"),
        (b"1e300", b"1e300"),
        (b"1e400", b"1e400"),
        (b'"s1"', b'"s1"'),
        (b'"\\u0073\\u0031"', b'"s1"'),
        (b"null", b"null"),
        (b"true", b"true"),
        (b"{}", b"{}"),
    ],
)
def test_an_id_has_one_spelling(id: bytes, canonical: bytes) -> None:
    """Numbers and texts that were written anew are recognised; all else stays as it is."""
    assert canonical_id(id) == canonical


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Market.quote", "Market.quote"),
        ("caf\u00e9", "caf\u00e9"),
        ("x" * 10_000, "x" * MOST_SHOWN),
        ("a\nb\u202e", "'a\\nb\\u202e'"),
    ],
)
def test_what_a_peer_wrote_is_cut(text: str, result: str) -> None:
    """Neither a megabyte nor a line break of a peer gets into a log line."""
    assert shown(text) == result
