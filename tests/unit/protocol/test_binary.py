"""Items that are bytes, in binary frames: the feature ``binary``."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farcall._json import UnreadableText
from farcall._protocol.binary import (
    BINARY_MARK,
    FEATURE,
    FEATURES,
    Blob,
    binary_items,
    read_binary,
)
from tests.unit.protocol.pair import ProtocolPair, make_hello


@pytest.fixture
def pair() -> ProtocolPair:
    """Two peers that both have the feature."""
    return ProtocolPair.greeted(make_hello(features=FEATURES), make_hello(features=FEATURES))


@given(values=st.lists(st.binary(max_size=50), max_size=5), seq=st.integers(0, 2**53))
def test_values_come_out_as_they_went_in(values: list[bytes], seq: int) -> None:
    """Any bytes survive the round trip, JSON or not."""
    read = read_binary(binary_items(b'"s1"', seq, values))

    assert (bytes(read.id), read.seq) == (b'"s1"', seq)  # type: ignore[arg-type]  # it has an id
    assert list(read.values) == [Blob(value) for value in values]
    assert [bytes(value) for value in read.values] == values
    assert [len(value) for value in read.values] == [len(value) for value in values]


def test_a_frame_is_a_mark_a_length_a_head_and_the_values() -> None:
    """A binary frame has exactly the bytes that the protocol gives it."""
    frame = binary_items(b"7", 41, [b"\x00\xff", b"abc"])

    head = b'{"id":7,"seq":41,"sizes":[2,3]}'
    assert frame == b"\x00" + b"\x00\x00\x00\x1f" + head + b"\x00\xffabc"


def test_items_of_a_call_may_be_binary(pair: ProtocolPair) -> None:
    """Binary and JSON items share one sequence and one credit."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1")
    pair.server.items(incoming, b"\xff\x00", b"", is_binary=True)

    assert [frame.startswith(BINARY_MARK) for frame in pair.server.sent] == [False, True]
    assert pair.to_client() == [
        ("items", outgoing, [b"1"], None, 0),
        ("items", outgoing, [Blob(b"\xff\x00"), Blob(b"")], None, 0),
    ]
    assert outgoing.credit is not None
    assert outgoing.credit.received_bytes == 3


def test_items_of_an_upload_may_be_binary(pair: ProtocolPair) -> None:
    """Binary and JSON items of an upload share one sequence and one credit."""
    outgoing, incoming = pair.upload()

    pair.client.send(pair.client.protocol.upload_items(outgoing, [b"{{{"], is_binary=True))

    assert pair.to_server() == [("upload items", incoming, [Blob(b"{{{")])]


@pytest.mark.parametrize(
    "frame",
    [
        b"\0",
        b"\0\0\0\0\x02{",
        b"\0\xff\xff\xff\xff{}",
        b"\0\0\0\0\x02{}",
        b'\0\0\0\0\x1b{"id":7,"seq":0,"sizes":[1]}',
        b'\0\0\0\0\x1b{"id":7,"seq":0,"sizes":[1]}ab',
        b'\0\0\0\0\x1c{"id":7,"seq":0,"sizes":[-1]}',
        b'\0\0\0\0\x1c{"id":7,"seq":-1,"sizes":[0]}',
        b'\0\0\0\0\x14{"seq":0,"sizes":[]}',
        b'\0\0\0\0\x1b{"id":9,"seq":0,"sizes":[1]}a',
        b'\0\0\0\0\x1b{"id":2,"seq":1,"sizes":[1]}a',
        b'\0\0\0\0\x1d{"id":"\xff","seq":0,"sizes":[1]}a',
    ],
)
def test_a_binary_frame_that_cannot_be_right_ends_the_link(
    pair: ProtocolPair, frame: bytes
) -> None:
    """A malformed head, or wrong sizes in it, are a violation."""
    pair.stream()

    ((what, code, _),) = pair.client.receive(frame)

    assert (what, code) == ("violation", 1002)


def test_items_in_a_frame_of_text_are_no_json(pair: ProtocolPair) -> None:
    """A text frame that begins like a binary one is not read as one."""
    outgoing, _ = pair.stream()
    frame = binary_items(outgoing.id, 0, [b"a"])

    ((what, *_),) = pair.client.receive(frame.decode())

    assert what == "violation"


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Any bytes are read, or raise UnreadableText."""
    with contextlib.suppress(UnreadableText):
        read_binary(b"\0" + data)


@given(st.binary(max_size=40), st.sampled_from([b"", b"7", b'"u1"', b'"\xff"', b"{}"]))
def test_any_binary_frame_is_told(data: bytes, id: bytes) -> None:
    """Whatever binary frame arrives, nothing is raised."""
    pair = ProtocolPair.greeted(make_hello(features=FEATURES), make_hello(features=FEATURES))
    head = b'{"id":%b,"seq":0,"sizes":[%d]}' % (id, len(data))

    pair.client.receive(BINARY_MARK + len(head).to_bytes(4, "big") + head + data)
    pair.server.receive(BINARY_MARK + data)


@pytest.mark.parametrize(("client", "server"), [((), FEATURES), (FEATURES, ()), ((), ())])
def test_without_the_feature_on_both_sides_such_a_frame_is_no_json(
    client: tuple[str, ...], server: tuple[str, ...]
) -> None:
    """Without the feature a binary frame is a text that cannot be read."""
    pair = ProtocolPair.greeted(make_hello(features=client), make_hello(features=server))
    assert not pair.client.protocol.has_feature(FEATURE)
    assert not pair.server.protocol.has_feature(FEATURE)

    ((what, *_),) = pair.client.receive(binary_items(b"7", 0, [b"a"]))

    assert what == "violation"
