"""Reading requests, notifications, events, and invalid messages."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from farcall._limits import DEFAULT_LIMITS
from tests.unit.protocol.pair import ProtocolPair, Told
from tests.unit.protocol.reply import refused, replied

MAX_ID_BYTES = DEFAULT_LIMITS.request_id

# Requests


def test_a_request_is_a_call(plain: ProtocolPair) -> None:
    """A request is in flight as soon as it is read."""
    call = plain.server.called('"id":7,"method":"add","params":[1, 2],"more":1')

    assert (call.id, call.method, call.params) == (b"7", "add", b"[1, 2]")
    assert plain.server.protocol.incoming.get(b"7") is call


@pytest.mark.parametrize("method", ["__listMethods", "$/x", "rpc", "rpcx", "", "a b", "\\u0000"])
def test_a_method_may_have_any_name(plain: ProtocolPair, method: str) -> None:
    """A method may have any name; the server decides whether it exists."""
    assert plain.server.called(f'"id":7,"method":"{method}"').method == json.loads(f'"{method}"')


@pytest.mark.parametrize(
    "id",
    [
        "0",
        "-1",
        "1.5",
        "1e0",
        "-0",
        "1e400",
        "9" * MAX_ID_BYTES,
        '""',
        '"a"',
        '"\\u0061\\n\\ud83d\\ude00"',
        f'"{"x" * (MAX_ID_BYTES - 2)}"',
        "null",
    ],
)
def test_an_id_is_echoed(plain: ProtocolPair, id: str) -> None:
    """An id is a string, a number or null, and is returned byte for byte."""
    call = plain.server.called(f'"id" : {id} ,"method":"add"')

    assert plain.server.respond(call, b"3") == [
        f'{{"jsonrpc":"2.0","id":{id},"result":3}}'.encode()
    ]


@pytest.mark.parametrize(
    "id",
    ["true", "false", "{}", "[1]", "9" * (MAX_ID_BYTES + 1), f'"{"x" * (MAX_ID_BYTES - 1)}"'],
)
def test_an_id_of_another_kind_is_refused(plain: ProtocolPair, id: str) -> None:
    """A request with an invalid id, or one that is too long, gets an error with the id null."""
    assert refused(plain.server.say(f'"id":{id},"method":"add"'), -32600) is None


def test_an_id_in_flight_is_refused(plain: ProtocolPair) -> None:
    """A second call with an id in flight gets an error with the id null."""
    call = plain.server.called('"id":7,"method":"add"')

    assert refused(plain.server.say('"id":7,"method":"add"'), -32600) is None
    assert plain.server.protocol.incoming.get(b"7") is call


def test_an_id_may_be_used_again(plain: ProtocolPair) -> None:
    """A settled id is free."""
    first = plain.server.called('"id":7,"method":"add"')
    plain.server.protocol.respond(first, b"3")

    assert plain.server.called('"id":7,"method":"add"') is not first


def test_calls_with_a_null_id_do_not_meet(plain: ProtocolPair) -> None:
    """Any number of calls with the id null may be in flight."""
    first = plain.server.called('"id":null,"method":"add"')
    second = plain.server.called('"id":null,"method":"add"')

    assert plain.server.respond(second, b"2") == [b'{"jsonrpc":"2.0","id":null,"result":2}']
    assert plain.server.respond(first, b"1") == [b'{"jsonrpc":"2.0","id":null,"result":1}']


@pytest.mark.parametrize(
    "message",
    [
        '{"id":7,"method":"add"}',
        '{"jsonrpc":"1.0","id":7,"method":"add"}',
        '{"jsonrpc":2.0,"id":7,"method":"add"}',
        '{"jsonrpc":null,"id":7,"method":"add"}',
        '{"jsonrpc":"2.0","id":7}',
        '{"jsonrpc":"2.0","id":7,"method":1}',
        '{"jsonrpc":"2.0","id":7,"method":null}',
        '{"jsonrpc":"2.0","id":7,"method":["add"]}',
        '{"jsonrpc":"2.0","id":7,"method":"add","params":1}',
        '{"jsonrpc":"2.0","id":7,"method":"add","params":"12"}',
        '{"jsonrpc":"2.0","id":7,"method":"add","params":false}',
    ],
)
def test_what_is_no_request_is_refused(plain: ProtocolPair, message: str) -> None:
    """An invalid request gets an error with its id."""
    (told,) = plain.server.receive(message)

    assert refused(told, -32600) == 7
    assert len(plain.server.protocol.incoming) == 0


@pytest.mark.parametrize(
    "message",
    [
        "1",
        '"x"',
        "null",
        "{}",
        '{"foo":"boo"}',
        '{"jsonrpc":"2.0","method":1,"params":"bar"}',
        '{"jsonrpc":"2.0","method":"x","params":5}',
        '{"notification":"ticked","params":[]}',
    ],
)
def test_what_has_no_id_is_refused_with_null(plain: ProtocolPair, message: str) -> None:
    """An invalid message without an id gets an error with the id null."""
    (told,) = plain.server.receive(message)

    assert refused(told, -32600) is None


@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_request_with_a_lone_surrogate_is_a_call(is_greeted: bool) -> None:
    """A lone surrogate among the arguments is left to the codec."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    call = pair.server.called(r'"id":7,"method":"add","params":["\ud83d"]')

    assert (call.id, call.method, call.params) == (b"7", "add", rb'["\ud83d"]')


@pytest.mark.parametrize("name", [r'"\ud83d"', "1e400"])
def test_a_method_whose_name_cannot_be_read_is_refused(plain: ProtocolPair, name: str) -> None:
    """A request whose method cannot be read gets an error with its id."""
    told = plain.server.say(f'"id":7,"method":{name}')

    assert refused(told, -32600) == 7
    assert replied(told)["error"]["data"] == "Invalid method name"


def test_a_refusal_tells_why(plain: ProtocolPair) -> None:
    """The data of an error says what is wrong, in the words of rpc-websockets if it has some."""
    assert replied(plain.server.say('"id":7,"method":1'))["error"] == {
        "code": -32600,
        "message": "Invalid Request",
        "data": "Invalid method name",
    }


@pytest.mark.parametrize(
    "frame", ["", " ", "\0", "{", "\ufeff{}", '{"method":"\\q"}', b"\xff", "[1,"]
)
@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_text_that_cannot_be_read_is_answered(frame: str | bytes, is_greeted: bool) -> None:
    """The side that accepted responds to an unreadable text, with the id null."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    (told,) = pair.server.receive(frame)

    assert refused(told, -32700) is None


def test_a_text_nested_too_deep_is_answered(plain: ProtocolPair) -> None:
    """The error of a text that nests too deep names the limit."""
    told = plain.server.say(f'"id":7,"method":"x","params":{"[" * 64 + "]" * 64}')

    assert refused(told, -32700) is None
    assert "limit depth" in replied(told)["error"]["data"]


@pytest.mark.parametrize(
    "frame", ["", "{", "5", "{}", "[]", "[1]", '{"jsonrpc":"2.0","id":7,"method":1}', "[{},"]
)
def test_the_side_that_dialled_does_not_respond(plain: ProtocolPair, frame: str) -> None:
    """Invalid messages of a plain server are counted, and get no response."""
    (told,) = plain.client.receive(frame)

    assert told[0] == "stray"
    assert not plain.client.sent


@pytest.mark.parametrize("frame", ["", "{", "5", "{}", '{"jsonrpc":"2.0","id":7,"method":1}'])
def test_an_unreadable_text_ends_the_link_to_a_farcall_server(
    pair: ProtocolPair, frame: str
) -> None:
    """An unreadable text of a farcall server, maybe a response, is a violation."""
    (told,) = pair.client.receive(frame)

    assert told[:2] == ("violation", 1002)


def test_a_server_may_call_too(pair: ProtocolPair) -> None:
    """Both sides may call; the ids of the two directions are independent."""
    pair.client.call("add")
    call = pair.client.called('"id":2,"method":"add"')

    assert call.id == b"2"
    assert len(pair.client.protocol.outgoing) == 1


# Names under rpc.


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off", "rpc.login", "rpc.discover"])
def test_a_plain_peer_may_call_these(plain: ProtocolPair, method: str) -> None:
    """The reserved methods of rpc-websockets and OpenRPC are passed on as calls."""
    assert plain.server.called(f'"id":1,"method":"{method}","params":["x"]').method == method


@pytest.mark.parametrize(
    "method",
    ["rpc.subscribe", "rpc.cancel", "rpc.items", "rpc.ping", "rpc.", "rpc.listMethods"],
)
def test_a_plain_peer_may_call_no_other(plain: ProtocolPair, method: str) -> None:
    """Before a hello other names under rpc. are not found."""
    assert refused(plain.server.say(f'"id":1,"method":"{method}"'), -32601) == 1


@pytest.mark.parametrize("method", ["rpc.subscribe", "rpc.login", "rpc.discover"])
def test_a_farcall_peer_may_call_these(pair: ProtocolPair, method: str) -> None:
    """After a hello the reserved methods of farcall are passed on as calls."""
    assert pair.server.called(f'"id":1,"method":"{method}"').method == method


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off", "rpc.cancel", "rpc.x"])
def test_a_farcall_peer_may_call_no_other(pair: ProtocolPair, method: str) -> None:
    """After a hello the reserved methods of plain peers are not found."""
    assert refused(pair.server.say(f'"id":1,"method":"{method}"'), -32601) == 1


# Notifications and events


@pytest.mark.parametrize(
    ("members", "params"),
    [
        ('"method":"log"', None),
        ('"method":"log","params":null', None),
        ('"method":"log","params":[ ]', b"[ ]"),
        ('"method":"log","params":{"a":1},"more":1', b'{"a":1}'),
    ],
)
@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_notification_is_not_answered(
    members: str, params: bytes | None, is_greeted: bool
) -> None:
    """A notification gets no response; its params may be null, as rpc-websockets sends."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    assert pair.server.say(members) == ("notification", "log", params, None)
    assert len(pair.server.protocol.incoming) == 0


@pytest.mark.parametrize(
    ("is_greeted", "member", "trace"),
    [
        (True, '"00-a-b-01"', "00-a-b-01"),
        (True, "7", None),
        (True, f'"{"a" * 300}"', None),
        (False, '"00-a-b-01"', None),
    ],
)
def test_a_notification_may_belong_to_a_span(
    is_greeted: bool, member: str, trace: str | None
) -> None:
    """A farcall notification may carry a span; a plain peer's member is ignored."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    heard = pair.server.say(f'"method":"log","traceparent":{member}')

    assert heard == ("notification", "log", None, trace)


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off", "rpc.login", "ping"])
def test_a_plain_peer_may_notify_of_these(plain: ProtocolPair, method: str) -> None:
    """Reserved methods that may be called may be notified as well."""
    assert plain.server.say(f'"method":"{method}"') == ("notification", method, None, None)


@pytest.mark.parametrize(
    "method", ["rpc.items", "rpc.credit", "rpc.cancel", "rpc.started", "rpc.goaway", "rpc.x"]
)
def test_control_messages_of_a_plain_peer_are_dropped(plain: ProtocolPair, method: str) -> None:
    """Before a hello control messages are counted and dropped."""
    told = plain.server.say(f'"method":"{method}","params":{{"id":1}}')

    assert told == ("stray", f"a notification {method}")


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off"])
def test_a_farcall_peer_cannot_subscribe_by_notification(pair: ProtocolPair, method: str) -> None:
    """After a hello the names of rpc-websockets have no meaning."""
    told = pair.server.say(f'"method":"{method}","params":["Market.ticked"]')

    assert told == ("stray", f"a notification {method}")


def test_an_unknown_control_message_is_a_stray(pair: ProtocolPair) -> None:
    """An unknown control message is a stray, whose name is shortened in the log."""
    told = pair.server.say(f'"method":"rpc.{"x" * 10_000}"')

    assert told[0] == "stray"
    assert len(told[1]) < 100


@pytest.mark.parametrize(
    ("message", "event"),
    [
        ('{"notification":"ticked","params":[1,"a"]}', ("event", "ticked", b'[1,"a"]')),
        ('{"notification":"ticked","params":{"a":1}}', ("event", "ticked", b'{"a":1}')),
        ('{"notification":"ticked","params":null}', ("event", "ticked", None)),
        ('{"notification":"ticked"}', ("event", "ticked", None)),
        (
            '{"jsonrpc":"2.0","method":"ticked","notification":"ticked","params":[1]}',
            ("event", "ticked", b"[1]"),
        ),
        (
            '{"jsonrpc":"2.0","method":"ticked","params":[1]}',
            ("notification", "ticked", b"[1]", None),
        ),
    ],
)
def test_an_event_reaches_the_side_that_dialled(
    plain: ProtocolPair, message: str, event: Told
) -> None:
    """A client gets the events of rpc-websockets and of farcall servers."""
    assert plain.client.receive(message) == [event]


@pytest.mark.parametrize("members", ['"notification":5', '"notification":"x","params":"abc"'])
def test_an_event_that_is_none_is_counted(plain: ProtocolPair, members: str) -> None:
    """An event without a name, or with invalid params, is dropped."""
    assert plain.client.say(members)[0] == "stray"


def test_events_do_not_come_to_a_server(plain: ProtocolPair) -> None:
    """On the side that accepted, a member `notification` is ignored."""
    told = plain.server.say('"method":"log","notification":"x"')

    assert told == ("notification", "log", None, None)


def test_two_events_in_one_frame(plain: ProtocolPair) -> None:
    """A plain server may send its events as a batch."""
    assert plain.client.receive('[{"notification":"a"},{"notification":"b"}]') == [
        ("event", "a", None),
        ("event", "b", None),
    ]


LARGE = "x" * 500_000
CALL = '{"jsonrpc":"2.0","id":"7","method":"wait","params":["a"]'


@pytest.mark.parametrize(
    "frame",
    [
        f'{CALL},"more":"{LARGE}"}}',
        f'[{CALL}}},{{"jsonrpc":"2.0","method":"x","params":["{LARGE}"]}}]',
    ],
)
def test_a_call_does_not_hold_its_message(plain: ProtocolPair, frame: str) -> None:
    """A call holds copies of its id and params, not the whole message."""
    encoded = frame.encode()
    tracemalloc.start()
    try:
        told = plain.server.receive(bytes(bytearray(encoded)))
        what, call = told[0]
        assert what == "request"
        assert (call.id, call.params) == (b'"7"', b'["a"]')
        plain.server.told.clear()
        del told
        # A call is a few hundred bytes, and this test needs some itself.
        assert tracemalloc.get_traced_memory()[0] < 50_000
    finally:
        tracemalloc.stop()
