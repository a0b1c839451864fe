"""The rules of RFC 6455 for frames, section by section, against a server and against a client.

The peer sends bytes, in one piece or each by itself. The Autobahn|Testsuite covers the same ground
from outside; see docs/conformance.md.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from itertools import pairwise
from typing import TypeAlias

import attrs
import pytest
import trio

from farcall import Limits
from farcall._transport.transport import CloseReason
from farcall._transport.websocket import WebSocketTransport
from tests.unit.transport.suite import End, running
from tests.unit.transport.websocket import sockets
from tests.unit.transport.websocket.sockets import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Raw,
    open_raw_client,
    open_raw_server,
)

ROOMY = Limits(message=100_000)
NO_CODE = 1005
"""The code of a Close frame without one (section 7.4.1)."""

Open: TypeAlias = Callable[[Limits], AbstractAsyncContextManager[tuple[Raw, WebSocketTransport]]]


@attrs.define
class Peer:
    """A peer of bytes, and the end that it talks to."""

    raw: Raw
    end: End
    is_masked: bool
    """Whether its own frames are masked, as those of a client."""

    def frame(self, opcode: int, payload: bytes = b"", *, fin: bool = True) -> bytes:
        return sockets.frame(opcode, payload, fin=fin, masked=self.is_masked)

    async def send(self, *frames: bytes) -> None:
        await self.raw.send(*frames)

    async def send_slowly(self, data: bytes) -> None:
        """Send each byte by itself."""
        for place in range(len(data)):
            await self.raw.send(data[place : place + 1])
            await trio.lowlevel.checkpoint()

    async def expect(self, opcode: int, payload: bytes) -> None:
        """Read a frame, and compare it."""
        head = await self.raw.read(2)
        key = bytes(4) if self.is_masked else await self.raw.read(4)
        found = await self.raw.read(head[1] & 0x7F)

        assert head[0] == 0x80 | opcode
        assert (head[1] >= 0x80) != self.is_masked
        assert bytes(byte ^ key[place % 4] for place, byte in enumerate(found)) == payload

    async def read_close(self) -> int:
        """Read a Close frame, and return its code."""
        head = await self.raw.read(2)
        key = bytes(4) if self.is_masked else await self.raw.read(4)
        found = await self.raw.read(head[1] & 0x7F)

        assert head[0] == 0x80 | CLOSE
        return int.from_bytes(bytes(byte ^ key[place] for place, byte in enumerate(found[:2])))

    async def wait_ended(self) -> CloseReason:
        """Hang up, and return how the link ended."""
        # The connection "SHOULD be closed first by the server" (section 7.1.1).
        if self.is_masked:
            await self.raw.read_to_end()
        await self.raw.hang_up()
        return await self.end.wait_ended()


@pytest.fixture(params=[open_raw_client, open_raw_server], ids=["a server", "a client"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    """Talk to a server, as a client; then to a client, as a server."""
    opened: Open = request.param
    async with opening(opened) as made:
        yield made


@asynccontextmanager
async def opening(opened: Open) -> AsyncIterator[Peer]:
    async with opened(ROOMY) as (raw, transport):
        end = End(transport)
        async with running(end):
            yield Peer(raw, end, is_masked=opened is open_raw_client)


async def is_refused(peer: Peer, code: int, *frames: bytes) -> None:
    """Check that a peer is failed with `code`, and that nothing after that is heard."""
    await peer.send(*frames, peer.frame(TEXT, b"more"))

    assert await peer.read_close() == code
    reason = await peer.wait_ended()
    assert (reason.code, reason.remote) == (code, False)
    assert not peer.end.heard.has_frame()


# Section 5.2: the head of a frame


@pytest.mark.parametrize("bits", range(0x10, 0x80, 0x10))
@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
async def test_reserved_bits(peer: Peer, opcode: int, bits: int) -> None:
    """A frame with a reserved bit fails the connection, as no extension gives it a meaning."""
    await is_refused(peer, 1002, peer.frame(opcode | bits))


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
async def test_unknown_opcodes(peer: Peer, opcode: int) -> None:
    """A frame of an unknown kind fails the connection."""
    await is_refused(peer, 1002, peer.frame(opcode, b"x"))


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 0xFFFF, 0x10000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_sizes(peer: Peer, opcode: int, size: int) -> None:
    """A message of each form of size is heard, whole and in two pieces."""
    message = peer.frame(opcode, b"x" * size)
    half = len(message) // 2
    await peer.send(message)
    first = await peer.end.heard.next_frame()
    await peer.send(message[:half])
    await peer.send(message[half:])

    assert first == ("x" * size if opcode == TEXT else b"x" * size)
    assert await peer.end.heard.next_frame() == first


async def test_each_byte_by_itself(peer: Peer) -> None:
    """Frames may come one byte at a time."""
    await peer.send_slowly(peer.frame(TEXT, b"abc") + peer.frame(PING, b"1"))
    await peer.send_slowly(peer.frame(BINARY, b"\xff"))

    assert await peer.end.heard.next_frame() == "abc"
    await peer.expect(PONG, b"1")
    assert await peer.end.heard.next_frame() == b"\xff"


# Section 5.4: fragmentation


@pytest.mark.parametrize("cuts", [[], [0], [3], [1, 2, 3], [0, 0, 5, 5], list(range(6))])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_fragments(peer: Peer, opcode: int, cuts: Sequence[int]) -> None:
    """A message is heard whole however it is fragmented, with a ping in each gap."""
    places = [0, *cuts, 6]
    parts = [b"abcdef"[a:b] for a, b in pairwise(places)]
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        kind = CONTINUATION if number else opcode
        await peer.send(peer.frame(kind, part, fin=is_last), peer.frame(PING, b"%d" % number))
        await peer.expect(PONG, b"%d" % number)

    assert await peer.end.heard.next_frame() == ("abcdef" if opcode == TEXT else b"abcdef")


@pytest.mark.parametrize("fin", [True, False])
async def test_a_continuation_of_nothing(peer: Peer, fin: bool) -> None:
    """A continuation without a beginning fails the connection."""
    await is_refused(peer, 1002, peer.frame(CONTINUATION, b"x", fin=fin))


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_a_message_within_another(peer: Peer, opcode: int, fin: bool) -> None:
    """A message that begins before the last one has ended fails the connection."""
    begun = peer.frame(TEXT, b"x", fin=False)
    await is_refused(peer, 1002, begun, peer.frame(opcode, b"y", fin=fin))


# Section 5.5: control frames


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
async def test_control_frames_are_short_and_whole(peer: Peer, opcode: int) -> None:
    """A fragmented control frame fails the connection."""
    await is_refused(peer, 1002, peer.frame(opcode, fin=False))


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
async def test_long_control_frames(peer: Peer, opcode: int) -> None:
    """A control frame of more than 125 bytes fails the connection."""
    await is_refused(peer, 1002, peer.frame(opcode, b"\x03\xe8" + b"x" * 124))


@pytest.mark.parametrize("payload", [b"", b"x", bytes(range(125))])
async def test_pings(peer: Peer, payload: bytes) -> None:
    """A pong has the bytes of its ping, which need not be text."""
    await peer.send(peer.frame(PING, payload))

    await peer.expect(PONG, payload)


async def test_pings_are_answered_in_order(peer: Peer) -> None:
    """Ten pings at once get ten pongs."""
    await peer.send(*[peer.frame(PING, b"%d" % number) for number in range(10)])

    for number in range(10):
        await peer.expect(PONG, b"%d" % number)


async def test_an_unasked_pong(peer: Peer) -> None:
    """A pong that no ping has asked for gets no answer."""
    await peer.send(peer.frame(PONG, b"x"), peer.frame(PING, b"y"))

    await peer.expect(PONG, b"y")


# Sections 5.5.1 and 7.4: closing


@pytest.mark.parametrize(
    "code", [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999]
)
@pytest.mark.parametrize(
    "text", ["", "why", "x" * 123], ids=["no reason", "a reason", "a long one"]
)
async def test_close_codes(peer: Peer, code: int, text: str) -> None:
    """A Close frame is answered with its code, and its reason is noted."""
    await peer.send(peer.frame(CLOSE, code.to_bytes(2) + text.encode()))

    assert await peer.read_close() == code
    assert await peer.wait_ended() == CloseReason(code, text)


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999])
async def test_close_codes_that_are_never_sent(peer: Peer, code: int) -> None:
    """A reserved code fails the connection."""
    await is_refused(peer, 1002, peer.frame(CLOSE, code.to_bytes(2)))


async def test_a_close_without_a_code(peer: Peer) -> None:
    """A Close frame need not have a code."""
    await peer.send(peer.frame(CLOSE))
    await peer.raw.read(2)

    assert (await peer.wait_ended()).code == NO_CODE


async def test_half_a_close_code(peer: Peer) -> None:
    """A Close frame of one byte fails the connection."""
    await is_refused(peer, 1002, peer.frame(CLOSE, b"\x03"))


@pytest.mark.parametrize("odd", [b"\xff", b"\xce\xba\xed\xa0\x80", b"\xe2\x82"])
async def test_a_close_reason_that_is_no_text(peer: Peer, odd: bytes) -> None:
    """A reason that is not UTF-8 fails the connection."""
    await is_refused(peer, 1007, peer.frame(CLOSE, b"\x03\xe8" + odd))


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, CLOSE])
async def test_what_follows_a_close_is_ignored(peer: Peer, opcode: int) -> None:
    """After a Close frame nothing is heard, and nothing is answered."""
    close = peer.frame(CLOSE, b"\x03\xe8")
    await peer.send(close, peer.frame(opcode, b"\x03\xe9"))

    assert await peer.read_close() == 1000
    assert (await peer.wait_ended()).code == 1000
    assert not peer.end.heard.has_frame()


async def test_a_close_within_a_message(peer: Peer) -> None:
    """A Close frame between two fragments is answered; the message is dropped."""
    await peer.send(peer.frame(TEXT, b"x", fin=False), peer.frame(CLOSE, b"\x03\xe8"))

    assert await peer.read_close() == 1000
    assert not peer.end.heard.has_frame()


# Section 8.1: text is UTF-8

GOOD = [
    "\0",
    "\x7f\x80",
    "\u07ff\u0800",
    "κόσμε",
    "\ud7ff\ue000\ufffd",
    "\ufffe\uffff",
    "\U00010000",
    "\U0010ffff",
]
BAD = {
    "a continuation byte": b"\x80",
    "two of them": b"\xbf\x80",
    "a beginning alone": b"\xc3",
    "a beginning and a letter": b"\xe2\x82x",
    "an end that is missing": b"\xf0\x9f\x98",
    "two bytes for one": b"\xc0\xaf",
    "three bytes for one": b"\xe0\x80\xaf",
    "four bytes for one": b"\xf0\x80\x80\xaf",
    "a high surrogate": b"\xed\xa0\x80",
    "a low surrogate": b"\xed\xbf\xbf",
    "a pair of surrogates": b"\xed\xa0\x80\xed\xb0\x80",
    "a character too high": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "six bytes": b"\xfc\x84\x80\x80\x80\x80",
    "FE": b"\xfe",
    "FF": b"\xff",
}


@pytest.mark.parametrize("text", GOOD, ids=ascii)
async def test_text_cut_at_each_byte(peer: Peer, text: str) -> None:
    """A character may be cut by the end of a fragment, or of a piece of the network."""
    data = text.encode()
    for place in range(len(data) + 1):
        first = peer.frame(TEXT, data[:place], fin=False)
        await peer.send(first, peer.frame(CONTINUATION, data[place:]))
        assert await peer.end.heard.next_frame() == text
    for place in range(len(data)):
        whole = peer.frame(TEXT, data)
        cut = len(whole) - place
        await peer.send(whole[:cut])
        await peer.send(whole[cut:])
        assert await peer.end.heard.next_frame() == text


@pytest.mark.parametrize("odd", BAD.values(), ids=BAD)
@pytest.mark.parametrize("before", [b"", b"x" * 5000], ids=["alone", "after a long text"])
async def test_text_that_is_not_utf8(peer: Peer, before: bytes, odd: bytes) -> None:
    """A text that is not UTF-8 fails the connection."""
    await is_refused(peer, 1007, peer.frame(TEXT, "κ".encode() + before + odd))


@pytest.mark.parametrize("odd", BAD.values(), ids=BAD)
async def test_fragments_that_are_not_utf8(peer: Peer, odd: bytes) -> None:
    """So does one that shows it only when its fragments are joined."""
    first = peer.frame(TEXT, b"x" + odd[:1], fin=False)
    await is_refused(peer, 1007, first, peer.frame(CONTINUATION, odd[1:]))


async def test_binary_need_not_be_utf8(peer: Peer) -> None:
    """Binary messages hold any bytes, in fragments or not."""
    data = os.urandom(1000)
    await peer.send(peer.frame(BINARY, data))
    await peer.send(peer.frame(BINARY, data[:9], fin=False), peer.frame(CONTINUATION, data[9:]))

    assert await peer.end.heard.next_frame() == data
    assert await peer.end.heard.next_frame() == data
