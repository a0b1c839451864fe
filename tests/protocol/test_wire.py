"""From text to envelopes and back; no text, however odd, takes long or raises anything else."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, Raw

from farcall._limits import MAX_DEPTH, MAX_PARTS
from farcall._protocol.wire import (
    UnreadableText,
    canonical_id,
    is_too_deep,
    pack,
    read_envelope,
    read_frame,
    read_text,
    salvage,
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def test_an_object_is_one_message() -> None:
    """A frame that holds an object is that message, its text untouched."""
    frame = read_frame(' {"id": 1} ')

    assert (frame.messages, frame.is_array) == ([b' {"id": 1} '], False)


def test_an_array_is_split() -> None:
    """A frame that holds an array is split into the texts of its messages."""
    frame = read_frame('\r\n\t [ {"id": 1} , 5,"x",[ ] ]')

    assert (frame.messages, frame.is_array) == ([b'{"id": 1}', b"5", b'"x"', b"[ ]"], True)


def test_binary_is_read_like_text() -> None:
    """Binary that holds UTF-8 means the same as text."""
    assert read_frame(b'"\xc3\xa9"') == read_frame('"\u00e9"')


@pytest.mark.parametrize("frame", [b'{"id":"\xff"}', b"\xc3", '{"id":"\ud800"}'])
def test_what_is_no_utf8_is_refused(frame: str | bytes) -> None:
    """Bytes that are no UTF-8, and text that cannot become it, are unreadable."""
    with pytest.raises(UnreadableText, match="not UTF-8"):
        read_frame(frame)


@pytest.mark.parametrize("text", ["[1,", "[1 2]", "[1]x", "[tru]", "[", '["\\x"]', "[1]\0"])
def test_an_array_that_is_no_json_is_refused(text: str) -> None:
    """A broken array is refused as a whole, for nobody knows where its messages end."""
    with pytest.raises(UnreadableText):
        read_frame(text)


@pytest.mark.parametrize(
    ("text", "is_fine"),
    [
        ('{"x":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH, True),
        ('{"x":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1), False),
        (nested(MAX_DEPTH + 1), True),  # the array around a bundle or a batch does not count
        (nested(MAX_DEPTH + 2), False),
        ("[" + "{}," * 1_000 + "{}]", True),
        ('{"x":"' + "[" * 1_000 + '"}', True),
        ('{"x":"\\"' + "[" * 1_000 + '"}', True),
        ('{"x":"\\\\"' + ',"y":[' * 70 + "]" * 70 + "}", False),
    ],
)
def test_depth_is_limited(text: str, is_fine: bool) -> None:
    """A message may nest 64 levels; brackets inside of strings are none."""
    if is_fine:
        read_frame(text)
    else:
        with pytest.raises(UnreadableText, match="64 levels"):
            read_frame(text)


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
        assert read_frame(text).is_array
    else:
        with pytest.raises(UnreadableText, match="65536 messages"):
            read_frame(text)


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


def test_an_envelope_keeps_its_members_as_text() -> None:
    """Members that mean something are kept as they were written, others are skipped."""
    envelope = read_envelope(b' {"id" : 1e0 , "params":[ 1 ], "more": {"id": 2}} ')

    assert envelope is not None
    assert isinstance(envelope.id, Raw)
    assert isinstance(envelope.params, Raw)
    assert (bytes(envelope.id), bytes(envelope.params)) == (b"1e0", b"[ 1 ]")
    assert envelope.method is UNSET


def test_the_last_of_two_equal_members_counts() -> None:
    """A member that comes twice has its last value, as in every common JSON parser."""
    envelope = read_envelope(b'{"id":1,"id":2,"\\u0069d":3}')

    assert envelope is not None
    assert isinstance(envelope.id, Raw)
    assert bytes(envelope.id) == b"3"


@pytest.mark.parametrize("text", [b"1", b'"x"', b"null", b" [1] ", b"-0.5e-3"])
def test_json_that_is_no_object_has_no_envelope(text: bytes) -> None:
    """What is JSON and no object is told apart from what is no JSON."""
    assert read_envelope(text) is None


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
def test_what_is_no_json_has_no_envelope(text: bytes) -> None:
    """Neither a byte order mark, nor NUL, nor a number beyond all bounds is JSON to us."""
    with pytest.raises(UnreadableText):
        read_envelope(text)


@pytest.mark.parametrize("text", [b"1", b"null", b"[]", b'"\\ud800"', b'"\xff"'])
def test_a_name_must_be_a_string(text: bytes) -> None:
    """What is no string, or none that Unicode knows, is refused."""
    with pytest.raises(UnreadableText):
        read_text(Raw(text))


def test_a_name_is_unescaped() -> None:
    """Escapes in a name mean what they stand for, NUL included."""
    assert read_text(Raw(b'"a\\u0000\\ud83d\\ude00"')) == "a\0\U0001f600"


@pytest.mark.parametrize(
    ("frame", "id"),
    [
        ('{"id":1,"result":"\\ud83d cut in half"}', b"1"),
        ('{"id":1,"result":' + nested(200) + "}", b"1"),
        (b'{"id":1,"result":"\xff"}', b"1"),
        ('{"id":1,"result":"\ud800"}', b"1"),
    ],
)
def test_the_id_of_an_unreadable_message_can_be_told(frame: str | bytes, id: bytes) -> None:
    """Half of an emoji, too many levels or stray bytes do not hide who is answered."""
    envelope = salvage(frame)

    assert envelope is not None
    assert isinstance(envelope.id, Raw)
    assert bytes(envelope.id) == id


@pytest.mark.parametrize("frame", ["", "{", '[{"id":1}]', '{"id":' + nested(100_000) + "}"])
def test_of_other_texts_nothing_can_be_told(frame: str) -> None:
    """What is no object, or drives a parser to the end of its stack, is given up."""
    assert salvage(frame) is None


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


def packed(*texts: bytes, most: int = 256, max_bytes: int = 100) -> list[bytes]:
    return pack([(text, False) for text in texts], most=most, max_bytes=max_bytes)


def test_a_single_message_is_no_bundle() -> None:
    """One message goes as it is; no message makes no frame."""
    assert packed(b"{}") == [b"{}"]
    assert packed() == []


def test_messages_are_joined() -> None:
    """Messages that wait at the same time share one frame."""
    assert packed(b"{}", b"1", b"{}") == [b"[{},1,{}]"]


@pytest.mark.parametrize(
    ("count", "frames"),
    [(3, [b"[0,0,0]"]), (4, [b"[0,0,0]", b"0"]), (6, [b"[0,0,0]", b"[0,0,0]"])],
)
def test_a_bundle_holds_a_number_of_messages(count: int, frames: list[bytes]) -> None:
    """The announced number is filled, and not passed."""
    assert packed(*[b"0"] * count, most=3) == frames


def test_a_peer_that_takes_bundles_of_one_gets_none() -> None:
    """Whoever announces one message a bundle gets each in its own frame."""
    assert packed(b"0", b"0", most=1) == [b"0", b"0"]


@pytest.mark.parametrize(
    ("size", "frames"), [(14, [20]), (15, [3, 15])], ids=["fits", "a byte too large"]
)
def test_a_bundle_has_a_size(size: int, frames: list[int]) -> None:
    """A bundle may have exactly the largest size, its brackets and commas counted."""
    assert [len(frame) for frame in packed(b"000", b"1" * size, max_bytes=20)] == frames


def test_a_larger_message_goes_alone() -> None:
    """A message above the size of bundles has a frame of its own, and the order is kept."""
    assert packed(b"0", b"1" * 200, b"2", b"3") == [b"0", b"1" * 200, b"[2,3]"]


def test_a_message_that_must_be_alone_is() -> None:
    """What must not share its frame splits the bundle; the order is kept."""
    texts = [(b"0", False), (b"1", False), (b"2", True), (b"3", False), (b"4", False)]

    assert pack(texts, most=256, max_bytes=100) == [b"[0,1]", b"2", b"[3,4]"]


@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=30),
    st.integers(1, 5),
    st.integers(1, 60),
)
def test_packing_loses_nothing(sizes: list[tuple[int, bool]], most: int, max_bytes: int) -> None:
    """Whatever is packed comes out in its order, and each bundle keeps both limits."""
    texts = [(str(10**size).encode(), is_alone) for size, is_alone in sizes]
    frames = pack(texts, most=most, max_bytes=max_bytes)
    bundles = [json.loads(frame) for frame in frames]
    messages = [each if isinstance(each, list) else [each] for each in bundles]

    assert [number for bundle in messages for number in bundle] == [int(text) for text, _ in texts]
    assert all(len(bundle) <= most for bundle in messages)
    assert all(len(frame) <= max_bytes for frame in frames if frame.startswith(b"["))
