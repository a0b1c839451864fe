"""Messages as text; no text takes long, or raises an unexpected error."""

from __future__ import annotations

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from farcall._json import DECODE_ERRORS, UnreadableText, is_too_deep
from farcall._limits import MAX_DEPTH, MAX_PARTS, MIN_DEPTH
from farcall._protocol.framing import (
    MOST_SHOWN,
    canonical_id,
    decode_message,
    decode_odd,
    find_response_id,
    join,
    read_text,
    shown,
    split,
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
    """A malformed array is refused as a whole."""
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
    """A frame of commas is refused before it becomes a gigabyte of parts."""
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
    """A message may nest 64 levels; brackets in strings do not count."""
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
    """The depth of a hostile text, such as a string without end, takes linear time."""
    text = ("[" * (MAX_DEPTH + 1) + end).encode()
    start = time.process_time()

    is_too_deep(text)

    # Measured: 0.01 s; and two minutes where the time grows with the square.
    assert time.process_time() - start < 2


@given(st.text(alphabet='[]{}"\\a', max_size=200))
def test_depth_is_that_of_the_brackets_outside_of_strings(text: str) -> None:
    """The fast measure of depth agrees with a character-by-character count."""
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
    """Known members are kept as they were written, others are skipped."""
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


@pytest.mark.parametrize("text", [b"1", b'"x"', b"null", b" [1] ", b"-0.5e-3"])
def test_json_that_is_no_object_is_told_from_no_json(text: bytes) -> None:
    """JSON that is not an object is distinguished from text that is not JSON."""
    with pytest.raises(DECODE_ERRORS):
        decode_message(text)
    assert decode_odd(text) is None


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
        b'{"id":1}\0',
        b"\xef\xbb\xbf{}",
        b"1e400",
        b"9" * 5_000,
    ],
)
def test_what_is_no_json_cannot_be_read(text: bytes) -> None:
    """A byte order mark, a NUL or a number out of range makes a text unreadable."""
    with pytest.raises(DECODE_ERRORS):
        decode_message(text)
    with pytest.raises(UnreadableText):
        decode_odd(text)


@given(st.binary(max_size=30) | st.text(max_size=30).map(str.encode))
def test_no_text_raises_anything_else(text: bytes) -> None:
    """Decoding any text raises only the expected errors."""
    with contextlib.suppress(*DECODE_ERRORS):
        decode_message(text)
    with contextlib.suppress(UnreadableText):
        split(text)
    with contextlib.suppress(UnreadableText):
        decode_odd(text)
    find_response_id(text)
    canonical_id(text, is_plain=True)


@pytest.mark.parametrize("text", [b"1", b"null", b"[]", b'"\\ud800"', b'"\xff"'])
def test_a_name_must_be_a_string(text: bytes) -> None:
    """A name that is not a valid string is refused."""
    with pytest.raises(UnreadableText):
        read_text(Raw(text))


def test_a_name_is_unescaped() -> None:
    """Escapes in a name are decoded, NUL included."""
    assert read_text(Raw(b'"a\\u0000\\ud83d\\ude00"')) == "a\0\U0001f600"


# Ids


@pytest.mark.parametrize(
    ("text", "id"),
    [
        (b'{"id":1,"result":NaN}', b"1"),
        (b'{"id":1,"result":[1,{"id":3,"x":[Infinity]}]}', b"1"),
        (b'{"result":[1,{"id":3,"x":-Infinity}],"id":1}', b"1"),
        (b' {"jsonrpc" : "2.0" , "result" : [NaN] , "id" : "s1" }', b'"s1"'),
        (b'{"id":1,"result":' + nested(200).encode() + b"}", b"1"),
        (b'{"id":1,"result":' + nested(100_000).encode() + b"}", b"1"),
        (b'{"result":' + nested(100_000).encode() + b',"id":1}', b"1"),
        (b'{"id":1,"result":"\xff"}', b"1"),
        (b'{"id":1,"result":"\\q"}', b"1"),
        (b'{"id":1,"result":"\\","x":"\x01","method":5}', b"1"),
        (b'{"id":1,"method":"add","result":NaN}', b"1"),
        (b'{"id":1,"error":{"code":NaN}}', b"1"),
        (b'{"jsonrpc":"2.0","id":1,"result":{"a":', b"1"),
        (b'{"jsonrpc":"2.0","id":1,"resu', b"1"),
        (b'{"id":7,"id":1.0,"result":NaN}', b"1.0"),
        (b'{"x":["id:","\\"id\\":3,"],"y":"{\\"id\\":3","id":1,"result":NaN}', b"1"),
        (b'{"x":"' + b'\\"id\\":3,' * 100 + b'","id":1,"result":NaN}', b"1"),
        (b"{" + b'"x":{"id":3},' * 100 + b'"id":1,"result":NaN}', b"1"),
        (b'{"id":"' + b"x" * 300 + b'","result":NaN}', None),
        (b'{"id":1,"method":"add","params":[NaN]}', None),
        (b'{"params":[NaN],"method":"add","id":1}', None),
        (b'{"result":[{"id":1,"x":NaN}]}', None),
        (b'{"id":{"id":1},"result":NaN}', None),
        (b'{"id":' + nested(100_000).encode() + b"}", None),
        (b'[{"id":1,"result":NaN}]', None),
        (b"{", None),
        (b"", None),
    ],
    ids=range(27),
)
def test_the_id_of_a_broken_response_is_found(text: bytes, id: bytes | None) -> None:
    """The id of a broken response is found: with NaN, bad escapes, or a missing end."""
    assert find_response_id(text) == id


@pytest.mark.parametrize(
    "text",
    [
        b'{"id":1,' * 100_000,
        b'{"x":"' + b'\\"id\\":1,' * 100_000,
        b'{"' + b'"id":1,' * 100_000,
        b'{"id":"' * 100_000,
        b"{" * 1_000_000,
        b'{"id":1,"result":[' + b'"\\",' * 200_000,
    ],
    ids=range(6),
)
def test_the_id_of_a_response_is_found_in_linear_time(text: bytes) -> None:
    """Finding the id of a hostile text takes linear time."""
    start = time.process_time()

    find_response_id(text)

    # Measured: 0.1 s at most.
    assert time.process_time() - start < 2


@pytest.mark.parametrize(
    ("text", "params"),
    [
        (b'["\\ud83d"]', b'["\\ud83d"]'),
        (b'["\\uDE00", "\\ud83d\\ude00"]', b'["\\uDE00", "\\ud83d\\ude00"]'),
        (b'["\\\\ud83d","\\ud83d"]', b'["\\\\ud83d","\\ud83d"]'),
        (b'{"\\ud83d":1}', b'{"\\ud83d":1}'),
    ],
)
def test_a_message_with_a_lone_surrogate_is_decoded(text: bytes, params: bytes) -> None:
    """The parameters of such a message stay as they came; the codec refuses them."""
    message = decode_odd(b'{"jsonrpc":"2.0","id":7,"method":"a","params":%b}' % text)

    assert message is not None
    assert message.id == Raw(b"7")
    assert message.params == Raw(params)
    assert (message.jsonrpc, message.method) == ("2.0", "a")


@pytest.mark.parametrize("value", [b'"\\ud83d"', b"1e400", b"9" * 5_000])
def test_a_name_that_cannot_be_read_is_none(value: bytes) -> None:
    """A method that cannot be read is None, so the message is refused."""
    message = decode_odd(b'{"id":7,"method":%b,"notification":%b}' % (value, value))

    assert message is not None
    assert (message.method, message.notification) == (None, None)
    assert message.jsonrpc is UNSET


def test_a_message_with_a_lone_surrogate_does_not_condemn_the_others() -> None:
    """An array with such a message is split, with each part as it came."""
    parts = [b'{"id":1}', b'{"x":"\\ud83d\\\\"}', b'["\\ude00\\ud83d"]', b"5"]

    assert split(join(parts)) == parts
    with pytest.raises(UnreadableText, match="malformed"):
        split(b'["\\ud83d", 1 2]')


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
    """Rewritten numbers and texts are recognized; any other id stays as it is."""
    assert canonical_id(id, is_plain=False) == canonical


@pytest.mark.parametrize(
    ("id", "canonical"),
    [
        (b'"7"', b"7"),
        (b'"\\u0037"', b"7"),
        (b'"s1"', b'"s1"'),
        (b'"-7"', b'"-7"'),
        (b'"7.0"', b'"7.0"'),
        (b'""', b'""'),
        ('"\u0667"'.encode(), '"\u0667"'.encode()),
    ],
)
def test_a_plain_peer_may_make_text_of_a_number(id: bytes, canonical: bytes) -> None:
    """A plain peer may write the id 1 as "1"; a farcall peer may not."""
    assert canonical_id(id, is_plain=True) == canonical
    assert canonical_id(b'"7"', is_plain=False) == b'"7"'


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("Market.quote", "Market.quote"),
        ("caf\u00e9", "caf\u00e9"),
        ("x" * 10_000, "x" * MOST_SHOWN),
        ("a\nb\u202e", "'a\\nb\\u202e'"),
    ],
)
def test_texts_of_a_peer_are_shortened(text: str, result: str) -> None:
    """A peer's text is shortened in the log, and has no line breaks."""
    assert shown(text) == result
