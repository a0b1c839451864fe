"""A few seconds of the fuzzer, and tests of the fuzzer itself."""

from __future__ import annotations

import json
import socket
from base64 import b64encode
from hashlib import sha1

import attrs
import pytest
import trio

from tests.fuzz.attack import Heard
from tests.fuzz.broken import Broken
from tests.fuzz.cases import KINDS, Case, Script
from tests.fuzz.ground import Ground, open_ground
from tests.fuzz.oracle import Judge
from tests.fuzz.said import GREETED, HELLO, TLS, UPGRADE
from tests.fuzz.sent import read_frames
from tests.fuzz.stock import MORE_BLOCKS, Memory, Stock
from tests.unit.transport.websocket.sockets import (
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    close_frame,
    frame,
)

CASES = 15
"""Of each kind, one after another: a third of a second."""


@pytest.mark.parametrize("kind", KINDS)
async def test_other_clients_are_served(kind: str) -> None:
    """Other clients are served whatever a hostile peer sends, and nothing is left behind."""
    async with open_ground() as ground:
        for seed in range(CASES):
            await ground.meet(Case(kind, seed))


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_repeats_a_case(kind: str) -> None:
    """A seed repeats a case."""
    assert Case(kind, 1).script() == Case(kind, 1).script() != Case(kind, 2).script()


async def test_a_task_that_stays_is_found() -> None:
    """The fuzzer finds a task that is left behind."""
    async with trio.open_nursery() as nursery, open_ground() as ground:
        await ground.meet(Case("http", 0))
        nursery.start_soon(trio.sleep_forever)
        with pytest.raises(AssertionError, match="has stayed"):
            await quickly(ground)
        nursery.cancel_scope.cancel()


async def quickly(ground: Ground) -> None:
    """Run another case, with little patience for clean-up."""
    ground.patience = 0.1
    await ground.meet(Case("http", 1))


async def test_descriptors_are_counted() -> None:
    """The fuzzer counts open descriptors."""
    before = Stock.now()
    with socket.socket():
        assert Stock.now() == attrs.evolve(before, descriptors=before.descriptors + 1)


def test_memory_that_stays_is_found() -> None:
    """The fuzzer finds memory that is not released."""
    before = Memory.now()
    kept = [object() for _ in range(2 * MORE_BLOCKS)]
    with pytest.raises(AssertionError, match="blocks of memory more"):
        Memory.now().check(before)
    del kept
    Memory.now().check(before)


TOKEN = b64encode(sha1(b"A" * 22 + b"==258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
OPENED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: " + TOKEN + b"\r\n\r\n"
)
QUESTION = frame(TEXT, b'{"jsonrpc":"2.0","id":1,"method":"fuzz.add","params":[1,2]}')
ANSWER = b'{"jsonrpc":"2.0","id":1,"result":3}'
LARGE_CALL = b'{"jsonrpc":"2.0","method":"fuzz.add","params":["%b"],"id":777}' % (b"x" * 2**20)
LARGE_REFUSED = b'{"jsonrpc":"2.0","id":777,"error":{"code":-32600,"message":"Invalid Request"}}'


def told(text: bytes) -> bytes:
    return frame(TEXT, text, masked=False)


def closed(code: int) -> bytes:
    return close_frame(code, masked=False)


def check(
    said: bytes, *sent: bytes, is_right: bool = False, has_hung_up: bool = False, tls: bool = False
) -> None:
    pieces = [b"".join(sent)] if tls else [UPGRADE, b"".join(sent)]
    judge = Judge(Script(pieces, "close", is_tls=tls, is_right=is_right))
    heard = Heard(said, has_hung_up)
    judge.check(heard)
    if not judge.is_answered(heard):
        raise Broken("that was not all")


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (OPENED, []),
        (OPENED + told(ANSWER), [QUESTION]),
        (OPENED + frame(PONG, b"?", masked=False), [frame(PING, b"?")]),
        (OPENED + frame(PONG, masked=False) * 60 + closed(1008), [frame(PING)] * 61),
        (OPENED + closed(1002), [frame(3)]),
        (OPENED + closed(1007), [frame(TEXT, b"\xff")]),
        (OPENED + closed(1009), [frame(TEXT, bytes(2**20 + 1))]),
        (OPENED + told(LARGE_REFUSED), [frame(TEXT, LARGE_CALL)]),
        (OPENED + closed(1000), [close_frame(1000)]),
        (OPENED + closed(1002), [close_frame(1005)]),
    ],
)
def test_right_answers_are_accepted(said: bytes, sent: list[bytes]) -> None:
    """The fuzzer accepts right answers."""
    check(said, *sent, is_right=True)


HTTP = b"HTTP/1.1 404 Not Found\r\nConnection: close\r\nContent-Length: "


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        (b"", []),
        (b"SSH-2.0\r\n", []),
        (b"HTTP/1.1 500 Internal Server Error\r\n\r\n", []),
        (HTTP + b"3\r\n\r\nfour", []),
        (HTTP + b"3\r\n\r\n", []),
        (OPENED.replace(TOKEN, TOKEN[::-1]), []),
        (OPENED[:-2] + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n", []),
        (OPENED + frame(TEXT, b"{}"), []),
        (OPENED + told(b"{}")[:-1], []),
        (OPENED + frame(TEXT, b"{}", fin=False, masked=False), []),
        (OPENED + frame(3, masked=False), []),
        (OPENED + frame(CLOSE, bytes(126), masked=False), []),
        # frames that are unexpected or missing
        (OPENED + closed(1011), []),
        (OPENED + closed(1002), []),
        (OPENED + closed(1000) * 2, [close_frame(1000)]),
        (OPENED, [close_frame(1000)]),
        (OPENED, [frame(3)]),
        (OPENED + closed(1007), [frame(3)]),
        (OPENED + closed(1002), [frame(PING, b"?"), frame(3)]),
        (OPENED + frame(PONG, b"!", masked=False), [frame(PING, b"?")]),
        (OPENED + closed(1000), [frame(PING), close_frame(1000)]),
        (OPENED + frame(PONG, masked=False) * 61, [frame(PING)] * 61),
        (OPENED + frame(PONG, masked=False) * 60, [frame(PING)] * 61),
        (OPENED + frame(PONG, masked=False) * 59 + closed(1008), [frame(PING)] * 61),
        (OPENED + frame(PONG, masked=False) * 60 + closed(1008), [frame(PING)] * 60),
        # messages
        (OPENED + told(ANSWER), []),
        (OPENED + told(ANSWER) * 2, [QUESTION]),
        (OPENED, [QUESTION]),
        (OPENED + told(ANSWER.replace(b"3", b"4")), [QUESTION]),
        (OPENED + told(ANSWER.replace(b"2.0", b"1.0")), [QUESTION]),
        (OPENED + told(ANSWER.replace(b"3", b"NaN")), [QUESTION]),
        (OPENED + told(b'{"jsonrpc":"2.0","id":1}'), [QUESTION]),
        (OPENED + told(b'{"jsonrpc":"2.0","id":1,"result":3,"error":{}}'), [QUESTION]),
        (OPENED + told(b'{"jsonrpc":"2.0","id":1,"result":3,"more":1}'), [QUESTION]),
        (OPENED + told(b'{"jsonrpc":"2.0","id":1,"method":"a","result":3}'), [QUESTION]),
        (
            OPENED + told(b'{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"x"}}'),
            [QUESTION],
        ),
        (OPENED + told(b'{"jsonrpc":"2.0","method":"rpc.goaway","params":{}}'), []),
        (
            OPENED + told(b'{"jsonrpc":"2.0","method":"fuzz.hidden","notification":"fuzz.hidden"}'),
            [],
        ),
    ],
)
def test_wrong_or_missing_answers_are_found(said: bytes, sent: list[bytes]) -> None:
    """The fuzzer finds wrong and missing answers."""
    with pytest.raises(Broken):
        check(said, *sent, is_right=True)


def test_a_peer_has_to_wait() -> None:
    """The fuzzer finds a server that reads bytes sent with the request as frames."""
    early = Script([UPGRADE + QUESTION], "close")
    with pytest.raises(Broken, match="did not wait"):
        Judge(early).check(Heard(OPENED + told(ANSWER), has_hung_up=False))


def test_a_websocket_ends_with_a_close_frame() -> None:
    """The fuzzer finds a server that hangs up without a Close frame."""
    check(OPENED + closed(1002), frame(3), has_hung_up=True)
    with pytest.raises(Broken, match="without a Close frame"):
        check(OPENED, has_hung_up=True)


RECORD = b"\x16\x03\x03\x00\x02hi"


def test_a_server_with_tls_sends_records_only() -> None:
    """The fuzzer accepts TLS records only, from a server with TLS."""
    check(RECORD + b"\x15\x03\x03\x00\x02no", TLS, tls=True, is_right=True)
    for said in (RECORD[:-1], b"\x50" + RECORD[1:], OPENED, b"HTTP/1.1 400 Bad Request\r\n\r\n"):
        with pytest.raises(Broken):
            check(said, TLS, tls=True)
    with pytest.raises(Broken):
        check(b"", TLS, tls=True, is_right=True)


def started(id: int) -> bytes:
    return b'{"jsonrpc":"2.0","method":"rpc.started","params":{"id":%d,"value":null}}' % id


def items(id: int, seq: int) -> bytes:
    members = b'{"id":%d,"seq":%d,"values":[1]}' % (id, seq)
    return b'{"jsonrpc":"2.0","method":"rpc.items","params":%b}' % members


@pytest.mark.parametrize(
    ("texts", "is_right"),
    [
        ([started(70), items(70, 0), items(70, 1)], True),
        ([started(70), started(70)], False),
        ([items(70, 0)], False),
        ([started(70), items(70, 1)], False),
        ([started(70), items(70, 0), items(70, 0)], False),
    ],
)
def test_items_are_counted(texts: list[bytes], is_right: bool) -> None:
    """The fuzzer finds items of a stream that are missing or repeated."""
    (call,) = (each for each in GREETED if isinstance(each, dict) and each.get("id") == 70)
    said = OPENED + b"".join(map(told, texts))
    sent = [frame(TEXT, json.dumps(each).encode()) for each in (HELLO, call)]
    if is_right:
        check(said, *sent)
    else:
        with pytest.raises(Broken):
            check(said, *sent)


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([frame(CONTINUATION, b"x")], 1002),
        ([frame(TEXT, fin=False), frame(TEXT)], 1002),
        ([frame(PING, fin=False)], 1002),
        ([frame(PING, bytes(126))], 1002),
        ([frame(TEXT, masked=False)], 1002),
        ([b"\xc1\x80" + bytes(4)], 1002),
        ([b"\x81\xfe\x00\x05" + bytes(9)], 1002),
        ([frame(CLOSE, b"x")], 1002),
        ([frame(TEXT, b"\xc3", fin=False), frame(CONTINUATION, b"x")], 1007),
        ([frame(TEXT, b"\xc3")], 1007),
        ([frame(TEXT, fin=False), *[frame(CONTINUATION, fin=False)] * 1024], 1008),
        ([frame(PING)] * 61, 1008),
    ],
)
def test_a_second_reading_of_frames(frames: list[bytes], code: int) -> None:
    """The second reading of frames finds those that break RFC 6455 or a limit."""
    assert read_frames(b"".join(frames)).codes == {code}


def test_a_second_reading_of_messages() -> None:
    """The second reading joins fragments, with pings in between."""
    frames = [frame(TEXT, b"a", fin=False), frame(PING, b"?"), frame(CONTINUATION, b"b")]
    masked = b"\x81\x81\x01\x02\x03\x04" + bytes([ord("c") ^ 1])

    sent = read_frames(b"".join(frames) + masked + frame(TEXT, b"torn")[:-1])

    assert (sent.messages, sent.pings) == ([b"ab", b"c"], [b"?"])
    assert (sent.codes, sent.is_torn) == (frozenset(), True)
