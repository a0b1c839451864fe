"""Pings and pongs in bytes, beside wsproto."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import Event, Ping, Pong
from wsproto.utilities import ProtocolError

from farcall._transport.websocket import WebSocketTransport
from farcall._transport.websocket.control import PING, PONG, take_control, write_control
from tests.unit.transport.suite import End, running
from tests.unit.transport.websocket.sockets import TEXT, frame, open_raw_client

KINDS = {PING: Ping, PONG: Pong}


def by_wsproto(data: bytes, *, is_client: bool) -> Event | None:
    """Return the first event that wsproto reads."""
    engine = Connection(ConnectionType.CLIENT if is_client else ConnectionType.SERVER)
    try:
        engine.receive_data(data)
        return next(engine.events(), None)
    except ProtocolError:
        return None


@given(
    head=st.sampled_from([0x89, 0x8A, 0x09, 0xC9, 0x88, 0x81, 0x8B]),
    size=st.integers(0, 255),
    tail=st.binary(max_size=140),
    is_client=st.booleans(),
)
@example(head=0x89, size=0x80 | 125, tail=b"\1\2\3\4" + b"x" * 125, is_client=False)
@example(head=0x8A, size=126, tail=b"\0\1x", is_client=True)
def test_what_is_taken_is_what_wsproto_reads(
    head: int, size: int, tail: bytes, is_client: bool
) -> None:
    """Whatever is taken from the beginning of some bytes, wsproto reads there as well."""
    data = bytes((head, size)) + tail
    control = take_control(data, is_masked=not is_client)
    event = by_wsproto(data, is_client=is_client)
    if control is None:
        assert not isinstance(event, Ping | Pong)
    else:
        assert event == KINDS[control.opcode](payload=control.payload)
        assert data.endswith(control.rest)


@pytest.mark.parametrize("is_client", [True, False])
@pytest.mark.parametrize("opcode", [PING, PONG])
@given(payload=st.binary(max_size=125))
def test_what_is_written_is_read(opcode: int, is_client: bool, payload: bytes) -> None:
    """The other end reads what is written; only a client masks it."""
    data = write_control(opcode, payload, is_client=is_client)
    control = take_control(data + b"more", is_masked=is_client)

    assert control == (opcode, payload, b"more")
    assert by_wsproto(data, is_client=not is_client) == KINDS[opcode](payload=payload)


def test_half_a_frame_is_left_to_the_engine() -> None:
    """A frame that is not all here is not taken."""
    whole = frame(PING, b"payload")
    for end in range(len(whole)):
        assert take_control(whole[:end], is_masked=True) is None


async def test_an_idle_connection_has_no_engine() -> None:
    """Pings, pongs and whole texts are read without wsproto; pieces of a message are not."""
    async with open_raw_client() as (raw, server):
        end = End(server)
        async with running(end):
            await raw.send(frame(PING, b"1") + frame(TEXT, b"a") + frame(PONG, b"2"))
            await raw.expect(frame(PONG, b"1", masked=False))
            assert await end.heard.next_frame() == "a"
            assert not has_engine(server)
            await raw.send(frame(TEXT, b"b", fin=False) + frame(PING, b"3"))
            await raw.expect(frame(PONG, b"3", masked=False))
            assert has_engine(server)
            await raw.send(frame(0, b"c") + frame(PING, b"4") + frame(TEXT, b"d"))
            await raw.expect(frame(PONG, b"4", masked=False))

            assert [await end.heard.next_frame() for _ in range(2)] == ["bc", "d"]
            await raw.hang_up()


def has_engine(transport: WebSocketTransport) -> bool:
    return transport._connection._engine is not None
