"""What each message looks like, and that a peer reads it as it was meant."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from farcall._protocol.credit import Window
from farcall._protocol.events import (
    CancelReceived,
    CreditReceived,
    ErrorReceived,
    EventReceived,
    GoawayReceived,
    ItemsReceived,
    NotificationReceived,
    ProtocolEvent,
    RequestReceived,
    ResultReceived,
    StartedReceived,
)
from farcall._protocol.messages import (
    MESSAGES,
    BatchReply,
    Cancel,
    Credit,
    Error,
    ErrorResponse,
    Event,
    Goaway,
    Hello,
    Items,
    Limits,
    Message,
    Request,
    Response,
    Started,
)
from farcall._protocol.state import IncomingCall, OutgoingCall
from farcall.errors import ErrorCode
from tests.protocol.pair import ProtocolPair

ROWS: list[tuple[Message, str]] = [
    (Request("add", b"[1,2]", b"7"), '"id":7,"method":"add","params":[1,2]'),
    (Request("add", b'{"a":1}', b'"s1"'), '"id":"s1","method":"add","params":{"a":1}'),
    (Request("now", None, b"7"), '"id":7,"method":"now"'),
    (Request("log", b"[]"), '"method":"log","params":[]'),
    (
        Request("rpc.subscribe", b"{}", b"7", Window()),
        '"id":7,"method":"rpc.subscribe","params":{},"meta":{"credit":[32,262144]}',
    ),
    (
        Request("add", None, b"7", deadline=1.5, traceparent="00-a-b-01"),
        '"id":7,"method":"add","traceparent":"00-a-b-01","meta":{"timeout":1500}',
    ),
    (
        Request("history", None, b"7", Window(2, 10), deadline=0.0),
        '"id":7,"method":"history","meta":{"timeout":0,"credit":[2,10]}',
    ),
    (Request('"\u00e9\n'), '"method":"\\"\u00e9\\n"'),
    (Response(b"7", b'{"price":1.5}'), '"id":7,"result":{"price":1.5}'),
    (Response(b'"a"', b"null", is_alone=True), '"id":"a","result":null'),
    (
        ErrorResponse(b"7", Error(1, "no such symbol", b'{"code":"Unknown"}')),
        '"id":7,"error":{"code":1,"message":"no such symbol","data":{"code":"Unknown"}}',
    ),
    (
        ErrorResponse(b"null", Error.of(ErrorCode.PARSE_ERROR)),
        '"id":null,"error":{"code":-32700,"message":"Parse error"}',
    ),
    (Started(b"7", b"{}"), '"method":"rpc.started","params":{"id":7,"value":{}}'),
    (Items(b"7", 0, [b"1"]), '"method":"rpc.items","params":{"id":7,"seq":0,"values":[1]}'),
    (Items(b"7", 41, []), '"method":"rpc.items","params":{"id":7,"seq":41,"values":[]}'),
    (
        Items(b"7", 41, [b"1", b'"x"'], "5b0c.43", 3),
        '"method":"rpc.items","params":'
        '{"id":7,"seq":41,"values":[1,"x"],"cursor":"5b0c.43","missed":3}',
    ),
    (
        Items(b"7", 41, [b"1"], missed=None),
        '"method":"rpc.items","params":{"id":7,"seq":41,"values":[1],"missed":null}',
    ),
    (
        Credit(b"7", 96, 786_432),
        '"method":"rpc.credit","params":{"id":7,"items":96,"bytes":786432}',
    ),
    (Cancel(b"7", "caller"), '"method":"rpc.cancel","params":{"id":7,"reason":"caller"}'),
    (
        Goaway(10_000, 500),
        '"method":"rpc.goaway","params":{"grace_ms":10000,"reconnect_after_ms":500}',
    ),
    (
        Event("ticked", b'{"a":1}'),
        '"method":"ticked","notification":"ticked","params":[{"a":1}]',
    ),
]


@pytest.mark.parametrize(("message", "members"), ROWS, ids=lambda part: str(part)[:40])
def test_a_message_is_written(message: Message, members: str) -> None:
    """Each message has exactly the text that the protocol gives it."""
    text = f'{{"jsonrpc":"2.0",{members}}}'

    assert message.render().decode() == text
    assert json.loads(text)["jsonrpc"] == "2.0"


@pytest.mark.parametrize(
    ("now", "timeout"), [(7.0, 3000), (9.9991, 1), (9.9989, 2), (10.5, 0), (-(2.0**60), 2**53)]
)
def test_a_timeout_is_what_is_left_when_the_request_leaves_rounded_up(
    now: float, timeout: int
) -> None:
    """The milliseconds from `now` to the deadline; never less than none, or more than JSON can."""
    text = Request("add", None, b"7", deadline=10.0).render(now)

    assert json.loads(text)["meta"] == {"timeout": timeout}


def test_a_batch_reply_is_an_array() -> None:
    """The answers to a batch leave as one array, in their order."""
    assert BatchReply([b'{"id":1}', b'{"id":2}']).render() == b'[{"id":1},{"id":2}]'


def test_a_hello_names_what_its_side_takes() -> None:
    """A hello carries the version, the features, the contracts and the limits."""
    hello = Hello(Limits(1000, 2, 3, 4), 1, ("zip",), {"Market": "8f1c0a"})

    assert json.loads(hello.render()) == {
        "v": 1,
        "features": ["zip"],
        "contracts": {"Market": "8f1c0a"},
        "limits": {"message": 1000, "calls": 2, "subscriptions": 3, "bundle": 4},
    }
    assert json.loads(Hello(Limits(1000, call_bytes=9)).render())["limits"]["call_bytes"] == 9


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, b'{"code":-32603,"message":"Internal error"}'),
        ({"id": "x"}, b'{"code":-32603,"message":"Internal error","data":{"id":"x"}}'),
        ([], b'{"code":-32603,"message":"Internal error","data":[]}'),
    ],
)
def test_an_error_of_the_protocol_has_its_own_wording(data: Any, text: bytes) -> None:
    """The message belongs to the code; data is left out where there is none."""
    assert Error.of(ErrorCode.INTERNAL_ERROR, data).render() == text


def test_a_message_of_an_error_may_hold_what_json_cannot() -> None:
    """Half of a surrogate pair, which undecodable file names have in Python, is replaced."""
    text = Error(1, "no file \udcff").render()

    assert msgspec.json.decode(text)["message"] == "no file ?"


def test_each_code_has_its_wording() -> None:
    """Every code that the protocol itself sends has a message."""
    assert set(MESSAGES) == set(ErrorCode) - {ErrorCode.APPLICATION, ErrorCode.GROUP}


def read_by_client(message: Message, more: str = "") -> tuple[OutgoingCall, list[ProtocolEvent]]:
    """Let a client with a started stream, whose id is 7, read a message."""
    pair = ProtocolPair.greeted()
    while (call := pair.client.call("rpc.subscribe", window=Window())).id != b"7":
        pass
    pair.client.receive(Started(b"7", b"{}").render())
    text = message.render().decode()
    return call, pair.client.receive(text[:-1] + more + "}")


def read_by_server(message: Message, more: str = "") -> tuple[IncomingCall, list[ProtocolEvent]]:
    """Let a server with a stream under way, whose id is 7, read a message."""
    pair = ProtocolPair.greeted()
    (event,) = pair.server.receive(Request("rpc.subscribe", b"{}", b"7", Window(1, 1)).render())
    assert isinstance(event, RequestReceived)
    text = message.render().decode()
    return event.call, pair.server.receive(text[:-1] + more + "}")


UNKNOWN = ["", ',"more":{"id":8,"x":[1]},"":null']

TO_CLIENT: list[tuple[Message, Callable[[OutgoingCall], ProtocolEvent]]] = [
    (Response(b"7", b"[1]"), lambda call: ResultReceived(call, b"[1]")),
    (
        ErrorResponse(b"7", Error(1, "no", b'{"code":"No"}')),
        lambda call: ErrorReceived(call, 1, "no", b'{"code":"No"}'),
    ),
    (
        Items(b"7", 0, [b"1", b'"x"'], "c", 3),
        lambda call: ItemsReceived(call, [b"1", b'"x"'], "c", 3),
    ),
    (Items(b"7", 0, [b"1"]), lambda call: ItemsReceived(call, [b"1"], None, 0)),
    (Items(b"7", 0, [b"1"], missed=None), lambda call: ItemsReceived(call, [b"1"], None, None)),
    (Goaway(1, 2), lambda call: GoawayReceived(1, 2)),
    (Event("ticked", b"1"), lambda call: EventReceived("ticked", b"[1]")),
    (Request("log", b"[1]"), lambda call: NotificationReceived("log", b"[1]")),
    (Request("a", traceparent="00-a"), lambda call: NotificationReceived("a", None, "00-a")),
]


@pytest.mark.parametrize("more", UNKNOWN)
@pytest.mark.parametrize(("message", "event"), TO_CLIENT, ids=lambda part: type(part).__name__)
def test_a_message_to_the_side_that_dialled_is_read(
    message: Message, event: Callable[[OutgoingCall], ProtocolEvent], more: str
) -> None:
    """What was written is read, with members that nobody knows as well."""
    call, events = read_by_client(message, more)

    assert events == [event(call)]


TO_SERVER: list[tuple[Message, Callable[[IncomingCall], ProtocolEvent]]] = [
    (Cancel(b"7", "deadline"), lambda call: CancelReceived(call, "deadline")),
    (Credit(b"7", 2, 2), CreditReceived),
    (Request('"\u00e9\n', None), lambda call: NotificationReceived('"\u00e9\n', None)),
]


@pytest.mark.parametrize("more", UNKNOWN)
@pytest.mark.parametrize(("message", "event"), TO_SERVER, ids=lambda part: type(part).__name__)
def test_a_message_to_the_side_that_accepted_is_read(
    message: Message, event: Callable[[IncomingCall], ProtocolEvent], more: str
) -> None:
    """What was written is read, with members that nobody knows as well."""
    call, events = read_by_server(message, more)

    assert events == [event(call)]


@pytest.mark.parametrize("more", UNKNOWN)
@pytest.mark.parametrize(
    "request_",
    [
        Request("add", b"[1,2]", b"8"),
        Request("add", None, b'"\\u0038"'),
        Request("rpc.subscribe", b"{}", b"8", Window(3, 4), deadline=5.0),
    ],
)
def test_a_request_is_read(request_: Request, more: str) -> None:
    """A request becomes a call with the same id, method, params, window and timeout."""
    _, (event,) = read_by_server(request_, more)

    assert isinstance(event, RequestReceived)
    call = event.call
    assert (call.id, call.method, call.params) == (request_.id, request_.method, request_.params)
    assert call.credit == (None if request_.window is None else request_.window.for_sender())
    assert call.timeout == (None if request_.deadline is None else 5000)


@pytest.mark.parametrize("more", UNKNOWN)
def test_a_start_is_read(more: str) -> None:
    """A stream starts with the value that was written."""
    pair = ProtocolPair.greeted()
    call = pair.client.call("rpc.subscribe", window=Window())
    text = Started(call.id, b'{"cursor":"c"}').render().decode()

    assert pair.client.receive(text[:-1] + more + "}") == [StartedReceived(call, b'{"cursor":"c"}')]


def test_a_batch_reply_is_read() -> None:
    """Each answer of a batch ends its own call."""
    pair = ProtocolPair()
    first, second = pair.client.call("a"), pair.client.call("b")
    reply = BatchReply([Response(b"2", b"5").render(), Response(b"1", b"6").render()])

    assert pair.client.receive(reply.render()) == [
        ResultReceived(second, b"5"),
        ResultReceived(first, b"6"),
    ]
