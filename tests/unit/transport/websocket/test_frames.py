"""Messages in one frame, beside the engine that reads and writes every kind."""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from types import ModuleType
from typing import TypeAlias

import pytest
import wsproto
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage

from farcall._transport.websocket.frames import (
    LARGE,
    SMALL_MASK,
    FrameReader,
    FrameWriter,
    find_mask,
    mask,
)
from farcall.errors import CloseCode
from tests.unit.transport.websocket.sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
)

LIMIT = 20_000
KEY = b"\x01\xfe\x00\x80"

Heard: TypeAlias = tuple[str, bytes]
"""What kind of thing came, and what it held."""

by_role = pytest.mark.parametrize("is_client", [False, True], ids=["a server", "a client"])


class Engine:
    """wsproto alone, and what it reads."""

    def __init__(self, *, is_client: bool) -> None:
        role = ConnectionType.CLIENT if is_client else ConnectionType.SERVER
        self._connection = Connection(role)
        self._kept = b""
        self.has_ended = False

    @property
    def is_idle(self) -> bool:
        """Whether it is between two messages."""
        decoder = self._connection._proto._frame_decoder
        is_between = decoder.header is None and not len(decoder.buffer)
        return is_between and self._connection._proto._message_decoder.opcode is None

    def read(self, data: bytes) -> Iterator[Heard]:
        """Return what more bytes contain; nothing after the end."""
        if self.has_ended:
            return
        self._connection.receive_data(data)
        for event in self._connection.events():
            yield from self._heard(event)

    def _heard(self, event: Event) -> Iterator[Heard]:
        match event:
            case TextMessage(data=data):
                yield from self._message("text", data.encode(), is_last=event.message_finished)
            case BytesMessage(data=data):
                yield from self._message("binary", bytes(data), is_last=event.message_finished)
            case Ping() | Pong():
                yield type(event).__name__, bytes(event.payload)
            case CloseConnection():
                self.has_ended = True
                # Why a text is none tells of the piece in which that was found, however it was cut.
                reason = "" if event.code == CloseCode.INVALID_TEXT else event.reason or ""
                yield f"close {int(event.code)}", reason.encode()
            case _:
                raise AssertionError(event)

    def _message(self, kind: str, piece: bytes, *, is_last: bool) -> Iterator[Heard]:
        self._kept += piece
        if is_last:
            whole, self._kept = self._kept, b""
            yield kind, whole


def by_engine(chunks: Sequence[bytes], *, is_client: bool) -> list[Heard]:
    """Return what the engine reads."""
    engine = Engine(is_client=is_client)
    return [heard for chunk in chunks for heard in engine.read(chunk)]


def by_both(chunks: Sequence[bytes], *, is_client: bool) -> list[Heard]:
    """Return what is read if a `FrameReader` stands before the engine."""
    reader = FrameReader(is_client=is_client, limit=LIMIT)
    engine = Engine(is_client=is_client)
    found: list[Heard] = []
    for chunk in chunks:
        rest = chunk
        if reader.missing or (engine.is_idle and not engine.has_ended):
            reader.feed(chunk)
            while (message := reader.next_message()) is not None:
                found.append(("binary" if reader.is_binary else "text", message))
            rest = reader.rest()
        if rest:
            found += engine.read(rest)
    return found


def split(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut bytes into chunks."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[a:b] for a, b in pairwise(places) if a < b]


def written(opcode: int, payload: bytes, *, fin: bool, is_masked: bool) -> bytes:
    """Write a frame with a mask that changes its payload."""
    plain = frame(opcode, payload, fin=fin, masked=is_masked)
    if not is_masked:
        return plain
    head = len(plain) - len(payload) - len(KEY)
    return plain[:head] + KEY + mask(payload, KEY)


texts = st.one_of(
    st.text(max_size=40).map(str.encode),
    st.integers(0, 70_000).map(lambda size: b"x" * size),
    st.integers(0, 10_000).map(lambda size: "ü".encode() * size),
    st.sampled_from([b"\xff", b"\xc3", b"\xed\xa0\x80", b"\0", b"x" * 5_000 + b"\xff"]),
)


@st.composite
def some_frames(draw: st.DrawFn, *, is_masked: bool) -> bytes:
    """Frames of every kind, most of them valid."""
    kinds = [TEXT] * 5 + [BINARY] * 2 + [CONTINUATION, PING, PONG, CLOSE, 3]
    opcode = draw(st.sampled_from(kinds))
    fin = draw(st.sampled_from([True] * 5 + [False]))
    is_control = opcode >= CLOSE
    payload = draw(st.binary(max_size=125)) if is_control else draw(texts)
    wrong = draw(st.integers(0, 30))
    data = written(opcode, payload, fin=fin, is_masked=is_masked ^ (wrong == 1))
    if wrong == 2:
        data = bytes([data[0] | 0x40]) + data[1:]
    return data


def streams(*, is_masked: bool) -> st.SearchStrategy[bytes]:
    """What a peer may send: frames, perhaps broken off, or any bytes."""
    several = st.lists(some_frames(is_masked=is_masked), max_size=8).map(b"".join)
    broken = st.tuples(several, st.binary(max_size=20)).map(b"".join)
    return st.one_of(several, broken, st.binary(max_size=60))


cuts = st.lists(st.integers(0, 100_000), max_size=12)


def agrees(stream: bytes, places: Sequence[int], *, is_client: bool) -> None:
    chunks = split(stream, places)
    whole = by_engine([stream], is_client=is_client)

    assert by_both([stream], is_client=is_client) == whole
    assert by_both(chunks, is_client=is_client) == whole


@given(streams(is_masked=True), cuts)
def test_a_server_hears_what_the_engine_hears(stream: bytes, places: list[int]) -> None:
    """Whatever a client sends, in any pieces, is read as by the engine alone."""
    agrees(stream, places, is_client=False)


@given(streams(is_masked=False), cuts)
def test_a_client_hears_what_the_engine_hears(stream: bytes, places: list[int]) -> None:
    """Whatever a server sends is read as by the engine alone."""
    agrees(stream, places, is_client=True)


@by_role
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, LARGE, 0xFFFF, 0x10000, 0x10001])
def test_each_cut(size: int, is_client: bool) -> None:
    """A frame may be cut anywhere in its head, and anywhere around its end."""
    text = written(TEXT, b"x" * size, fin=True, is_masked=not is_client)
    stream = text + written(PING, b"", fin=True, is_masked=not is_client) + text
    places = [*range(16), *range(len(text) - 3, len(text) + 16), len(stream) - 1]
    for place in places:
        agrees(stream, [place], is_client=is_client)


def read_all(
    data: bytes, *, is_client: bool = True, limit: int = LIMIT
) -> tuple[list[bytes], bytes]:
    """Return the messages of one chunk, and what is left for the engine."""
    reader = FrameReader(is_client=is_client, limit=limit)
    reader.feed(data)
    found = list(iter(reader.next_message, None))
    return found, reader.rest()


@by_role
def test_whole_frames_of_text_are_taken_out(is_client: bool) -> None:
    """Whole text frames are taken one after another, and the engine gets nothing."""
    said = [b"{}", b"", "grün".encode(), b"x" * 200, b"x" * LIMIT, b"\0"]
    data = b"".join(written(TEXT, each, fin=True, is_masked=not is_client) for each in said)

    assert read_all(data, is_client=is_client) == (said, b"")


@by_role
@pytest.mark.parametrize("size", [3, LARGE], ids=["small", "large"])
def test_whole_binary_frames_are_taken_out(size: int, is_client: bool) -> None:
    """A binary message need not be UTF-8, and `is_binary` tells it from a text."""
    said = [("binary", b"\xff" * size), ("text", b"{}"), ("binary", b"")]
    opcodes = {"binary": BINARY, "text": TEXT}
    data = b"".join(
        written(opcodes[kind], payload, fin=True, is_masked=not is_client) for kind, payload in said
    )
    reader = FrameReader(is_client=is_client, limit=LIMIT)
    reader.feed(data)
    found: list[Heard] = []
    while (message := reader.next_message()) is not None:
        found.append(("binary" if reader.is_binary else "text", message))

    assert found == said
    assert reader.rest() == b""


FIRST = frame(TEXT, b"first", masked=False)


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param(frame(BINARY | 0x20, b"x", masked=False), id="binary with a reserved bit"),
        pytest.param(frame(TEXT, b"x", fin=False, masked=False), id="a fragment"),
        pytest.param(frame(CONTINUATION, b"x", masked=False), id="a continuation"),
        pytest.param(frame(PING, b"x", masked=False), id="a ping"),
        pytest.param(frame(PONG, b"x", masked=False), id="a pong"),
        pytest.param(close_frame(1000, masked=False), id="a close"),
        pytest.param(frame(TEXT | 0x40, b"x", masked=False), id="a reserved bit"),
        pytest.param(frame(TEXT, b"x"), id="a mask of a server"),
        pytest.param(frame(TEXT, b"\xff", masked=False), id="text that is none"),
        pytest.param(frame(TEXT, b"x" * (LIMIT + 1), masked=False), id="over the limit"),
        pytest.param(frame(PING, b"x", masked=False) + FIRST, id="a text after something odd"),
        pytest.param(frame(TEXT, b"x" * 100, masked=False)[:-1], id="a frame that has begun"),
        pytest.param(b"\x81", id="half a head"),
        pytest.param(b"\x81\x7e\x00", id="half a size"),
        pytest.param(b"\x81\x7e\x00\x7dx" + b"x" * 124, id="125 in two bytes"),
        pytest.param(struct.pack("!BBQ", 0x81, 127, 0xFFFF) + b"x" * 0xFFFF, id="eight for two"),
        pytest.param(struct.pack("!BBQ", 0x81, 127, 1 << 63) + b"x", id="a size without end"),
    ],
)
def test_from_what_is_odd_on_the_bytes_are_the_engines(odd: bytes) -> None:
    """From the first other byte on, the engine gets all bytes."""
    assert read_all(FIRST + odd) == ([b"first"], odd)


def test_a_client_that_does_not_mask() -> None:
    """A server leaves unmasked frames to the engine, which closes the link."""
    assert read_all(FIRST, is_client=False) == ([], FIRST)


def test_the_limit_itself_is_allowed() -> None:
    """The limit counts the bytes of the payload, and includes itself."""
    data = frame(TEXT, b"x" * 1000, masked=False)

    assert read_all(data, limit=1000) == ([b"x" * 1000], b"")
    assert read_all(data, limit=999) == ([], data)


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_a_large_frame_is_kept(opcode: int) -> None:
    """A large frame waits for its end, and `size` counts its payload."""
    data = frame(opcode, b"x" * LARGE, masked=False)
    reader = FrameReader(is_client=True, limit=LIMIT)
    seen: list[tuple[int, int]] = []
    for piece in (FIRST + data[:10], data[10:-1]):
        reader.feed(piece)
        list(iter(reader.next_message, None))
        assert reader.rest() == b""
        seen.append((reader.missing, reader.size))
    reader.feed(data[-1:] + FIRST)

    assert seen == [(LARGE - 6, 6), (1, LARGE - 1)]
    assert (reader.missing, reader.size) == (0, 0)
    assert reader.next_message() == b"x" * LARGE
    assert reader.is_binary == (opcode == BINARY)
    assert list(iter(reader.next_message, None)) == [b"first"]
    assert not reader.is_binary
    assert reader.rest() == b""


def test_a_large_frame_that_is_no_text_is_the_engines() -> None:
    """The engine gets a whole large frame that is not UTF-8, unchanged."""
    data = frame(TEXT, b"x" * LARGE + b"\xff", masked=False)
    reader = FrameReader(is_client=True, limit=LIMIT)
    reader.feed(data[:100])
    assert reader.rest() == b""
    reader.feed(data[100:] + FIRST)

    assert reader.next_message() is None
    assert reader.rest() == data + FIRST


@by_role
def test_dropping(is_client: bool) -> None:
    """After `drop` no byte of a large frame is held, and its end is still found."""
    data = written(TEXT, b"x" * LARGE, fin=True, is_masked=not is_client)
    after = written(PING, b"x", fin=True, is_masked=not is_client)
    reader = FrameReader(is_client=is_client, limit=LIMIT)
    reader.feed(data[:100])
    assert reader.rest() == b""
    reader.drop()
    for piece in (data[100:200], data[200:] + data[:50]):
        reader.feed(piece)
        assert reader.next_message() is None
        assert reader.rest() == b""
        assert reader.missing > 0
        assert reader.size == 0
    reader.feed(data[50:] + after)

    assert reader.next_message() is None
    assert reader.rest() == after
    assert reader.missing == 0


# Writing


@given(
    st.lists(st.one_of(st.text(max_size=300), st.sampled_from(["x" * 70_000, "ü" * 9])), max_size=5)
)
def test_an_engine_reads_what_is_written(given_texts: list[str]) -> None:
    """Either side writes frames that the engine of the other reads."""
    said = [text.encode() for text in given_texts if not text.startswith("\0")]
    for is_client in (True, False):
        data = FrameWriter(is_client=is_client).write(said)

        assert by_engine([data], is_client=not is_client) == [("text", text) for text in said]


@by_role
def test_what_begins_with_nul_is_binary(is_client: bool) -> None:
    """A payload that begins with NUL is sent in a binary frame."""
    data = FrameWriter(is_client=is_client).write([b"\0\xff", b"text"])

    assert by_engine([data], is_client=not is_client) == [("binary", b"\0\xff"), ("text", b"text")]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 0xFFFF, 0x10000])
def test_sizes_are_written_in_the_fewest_bytes(size: int) -> None:
    """The frames of a server are, byte for byte, those of the specification."""
    payload = b"x" * size

    assert FrameWriter(is_client=False).write([payload]) == frame(TEXT, payload, masked=False)


def keys_of(data: bytes, count: int) -> list[bytes]:
    """Read the masking keys of frames of one byte."""
    return [data[number * 7 + 2 : number * 7 + 6] for number in range(count)]


def test_masks_are_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each frame has its own key from the system."""
    drawn: list[bytes] = []

    def urandom(size: int) -> bytes:
        drawn.append(b"".join(struct.pack("!I", len(drawn) * size + n) for n in range(size // 4)))
        return drawn[-1]

    monkeypatch.setattr(os, "urandom", urandom)
    keys = keys_of(FrameWriter(is_client=True).write([b"x"] * 1000), 1000)

    assert len(set(keys)) == 1000
    assert b"".join(drawn).startswith(b"".join(keys))


def test_masks_are_unpredictable() -> None:
    """Over 4,000 keys, each bit is set in about half of them."""
    writer = FrameWriter(is_client=True)
    keys = [int.from_bytes(key, "big") for key in keys_of(writer.write([b"x"] * 4000), 4000)]

    assert len(set(keys)) > 3990
    for bit in range(32):
        # Seven standard deviations.
        assert 1780 < sum(key >> bit & 1 for key in keys) < 2220


def test_two_writers_share_no_key() -> None:
    """The keys of one link reveal nothing about those of another."""
    one, two = (FrameWriter(is_client=True).write([b"x"] * 500) for _ in range(2))

    assert len({*keys_of(one, 500), *keys_of(two, 500)}) > 990


# Masking


@given(st.binary(max_size=50), st.binary(min_size=4, max_size=4))
@example(b"x" * SMALL_MASK, b"1234")
@example(b"x" * (SMALL_MASK + 1), b"1234")
@example(b"x" * (SMALL_MASK + 7), b"\0\xff\0\xff")
def test_masking(data: bytes, key: bytes) -> None:
    """Octet i is changed by octet i modulo 4 of the key, and masking twice changes nothing."""
    masked = mask(data, key)

    assert masked == bytes(byte ^ key[place % 4] for place, byte in enumerate(data))
    assert mask(masked, key) == data
    assert find_mask()(data, key) == masked


def test_both_masks_agree_on_each_size_and_place() -> None:
    """The mask in C and that in Python do the same, also with a part of a larger buffer."""
    data = os.urandom(400)
    for size in (*range(301), SMALL_MASK, SMALL_MASK + 1):
        for start in range(5):
            part = memoryview(data * 6)[start : start + size]
            assert find_mask()(part, KEY) == mask(part, KEY) == mask(bytes(part), KEY)


@pytest.fixture
def unchosen() -> Iterator[None]:
    find_mask.cache_clear()
    yield
    find_mask.cache_clear()


def test_the_mask_in_c_is_used_where_it_is_installed(
    monkeypatch: pytest.MonkeyPatch, unchosen: None
) -> None:
    """The mask of websockets is used, and looked for when the first link is made."""
    speedups = ModuleType("websockets.speedups")
    speedups.apply_mask = lambda data, _key: data[::-1]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "websockets", ModuleType("websockets"))
    monkeypatch.setitem(sys.modules, "websockets.speedups", speedups)

    assert FrameWriter(is_client=True).write([b"abc"]).endswith(b"cba")


def test_without_it_python_masks(monkeypatch: pytest.MonkeyPatch, unchosen: None) -> None:
    """Without websockets, or without its C, Python masks."""
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)

    assert find_mask() is mask


def test_what_is_used_of_wsproto() -> None:
    """The parts of wsproto that show whether it is between two messages have the expected shape."""
    protocol = wsproto.WSConnection(ConnectionType.SERVER)
    assert protocol.connection is None

    engine = Engine(is_client=False)
    seen = [engine.is_idle]
    last = frame(CONTINUATION)
    for piece in (b"\x01", b"\x81", b"\0\0\0\0", b"x", last[:3], last[3:]):
        list(engine.read(piece))
        seen.append(engine.is_idle)

    assert seen == [True, False, False, False, False, False, True]
