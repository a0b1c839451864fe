"""What each message means: requests, notifications, events, and what no peer should send."""

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
    """A request is in flight from the moment it is read."""
    call = plain.server.called('"id":7,"method":"add","params":[1, 2],"more":1')

    assert (call.id, call.method, call.params) == (b"7", "add", b"[1, 2]")
    assert plain.server.protocol.incoming.get(b"7") is call


@pytest.mark.parametrize("method", ["__listMethods", "$/x", "rpc", "rpcx", "", "a b", "\\u0000"])
def test_a_method_may_have_any_name(plain: ProtocolPair, method: str) -> None:
    """Whether there is such a method is for the service to say."""
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
    """An id is a string, a number or null, and comes back byte for byte."""
    call = plain.server.called(f'"id" : {id} ,"method":"add"')

    assert plain.server.respond(call, b"3") == [
        f'{{"jsonrpc":"2.0","id":{id},"result":3}}'.encode()
    ]


@pytest.mark.parametrize(
    "id",
    ["true", "false", "{}", "[1]", "9" * (MAX_ID_BYTES + 1), f'"{"x" * (MAX_ID_BYTES - 1)}"'],
)
def test_an_id_of_another_kind_is_refused(plain: ProtocolPair, id: str) -> None:
    """What cannot be an id, or is too long to keep, is answered with the id null."""
    assert refused(plain.server.say(f'"id":{id},"method":"add"'), -32600) is None


def test_an_id_in_flight_is_refused(plain: ProtocolPair) -> None:
    """A second call with the same id is answered with null, for the id is the first one's."""
    call = plain.server.called('"id":7,"method":"add"')

    assert refused(plain.server.say('"id":7,"method":"add"'), -32600) is None
    assert plain.server.protocol.incoming.get(b"7") is call


def test_an_id_may_be_used_again(plain: ProtocolPair) -> None:
    """A settled id is free."""
    first = plain.server.called('"id":7,"method":"add"')
    plain.server.protocol.respond(first, b"3")

    assert plain.server.called('"id":7,"method":"add"') is not first


def test_calls_with_a_null_id_do_not_meet(plain: ProtocolPair) -> None:
    """Null names no call, so any number of them may be under way."""
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
    """A fault is answered with the id of the message that has it."""
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
    """Where there is no id, the answer has null."""
    (told,) = plain.server.receive(message)

    assert refused(told, -32600) is None


@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_request_with_a_lone_surrogate_is_a_call(is_greeted: bool) -> None:
    """Half of an emoji among the arguments is refused by who knows their types, for that call."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    call = pair.server.called(r'"id":7,"method":"add","params":["\ud83d"]')

    assert (call.id, call.method, call.params) == (b"7", "add", rb'["\ud83d"]')


@pytest.mark.parametrize("name", [r'"\ud83d"', "1e400"])
def test_a_method_whose_name_cannot_be_read_is_refused(plain: ProtocolPair, name: str) -> None:
    """For that call alone."""
    told = plain.server.say(f'"id":7,"method":{name}')

    assert refused(told, -32600) == 7
    assert replied(told)["error"]["data"] == "Invalid method name"


def test_a_refusal_tells_why(plain: ProtocolPair) -> None:
    """The data says what is wrong, in the words of rpc-websockets where it has some."""
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
    """The side that accepted the connection says so, with the id null."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    (told,) = pair.server.receive(frame)

    assert refused(told, -32700) is None


def test_a_text_nested_too_deep_is_answered(plain: ProtocolPair) -> None:
    """The limit is named in the error it causes."""
    told = plain.server.say(f'"id":7,"method":"x","params":{"[" * 64 + "]" * 64}')

    assert refused(told, -32700) is None
    assert "limit depth" in replied(told)["error"]["data"]


@pytest.mark.parametrize(
    "frame", ["", "{", "5", "{}", "[]", "[1]", '{"jsonrpc":"2.0","id":7,"method":1}', "[{},"]
)
def test_the_side_that_dialled_tells_nobody(plain: ProtocolPair, frame: str) -> None:
    """A plain server that says strange things is not answered, and goes on."""
    (told,) = plain.client.receive(frame)

    assert told[0] == "stray"
    assert not plain.client.sent


@pytest.mark.parametrize("frame", ["", "{", "5", "{}", '{"jsonrpc":"2.0","id":7,"method":1}'])
def test_a_farcall_server_that_cannot_be_read_is_left(pair: ProtocolPair, frame: str) -> None:
    """It might have meant an answer, and its caller must not wait for ever."""
    (told,) = pair.client.receive(frame)

    assert told[:2] == ("violation", 1002)


def test_a_server_may_call_too(pair: ProtocolPair) -> None:
    """Both ends may serve; the ids of the directions are independent."""
    pair.client.call("add")
    call = pair.client.called('"id":2,"method":"add"')

    assert call.id == b"2"
    assert len(pair.client.protocol.outgoing) == 1


# Names under rpc.


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off", "rpc.login", "rpc.discover"])
def test_a_plain_peer_may_call_these(plain: ProtocolPair, method: str) -> None:
    """The methods of rpc-websockets, and OpenRPC's, are calls like others."""
    assert plain.server.called(f'"id":1,"method":"{method}","params":["x"]').method == method


@pytest.mark.parametrize(
    "method",
    ["rpc.subscribe", "rpc.cancel", "rpc.items", "rpc.ping", "rpc.", "rpc.listMethods"],
)
def test_a_plain_peer_may_call_no_other(plain: ProtocolPair, method: str) -> None:
    """Without a hello all other names under rpc. are unknown."""
    assert refused(plain.server.say(f'"id":1,"method":"{method}"'), -32601) == 1


@pytest.mark.parametrize("method", ["rpc.subscribe", "rpc.login", "rpc.discover"])
def test_a_farcall_peer_may_call_these(pair: ProtocolPair, method: str) -> None:
    """After a hello, signals are subscribed to by stream calls."""
    assert pair.server.called(f'"id":1,"method":"{method}"').method == method


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off", "rpc.cancel", "rpc.x"])
def test_a_farcall_peer_may_call_no_other(pair: ProtocolPair, method: str) -> None:
    """After a hello, the ways of plain peers are not needed any more."""
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
    """What has no id is heard and not answered; rpc-websockets writes null for no params."""
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
    """As a request may; the member of a plain peer means something of its own, or nothing."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    heard = pair.server.say(f'"method":"log","traceparent":{member}')

    assert heard == ("notification", "log", None, trace)


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off", "rpc.login", "ping"])
def test_a_plain_peer_may_notify_of_these(plain: ProtocolPair, method: str) -> None:
    """What may be called may come without an id as well; what it means is not our affair."""
    assert plain.server.say(f'"method":"{method}"') == ("notification", method, None, None)


@pytest.mark.parametrize(
    "method", ["rpc.items", "rpc.credit", "rpc.cancel", "rpc.started", "rpc.goaway", "rpc.x"]
)
def test_a_plain_peer_says_nothing_about_streams(plain: ProtocolPair, method: str) -> None:
    """Without a hello, what farcall peers tell each other is counted and dropped."""
    told = plain.server.say(f'"method":"{method}","params":{{"id":1}}')

    assert told == ("stray", f"a notification {method}")


@pytest.mark.parametrize("method", ["rpc.on", "rpc.off"])
def test_a_farcall_peer_cannot_subscribe_by_notification(pair: ProtocolPair, method: str) -> None:
    """After a hello the names of rpc-websockets mean nothing, with or without an id."""
    told = pair.server.say(f'"method":"{method}","params":["Market.ticked"]')

    assert told == ("stray", f"a notification {method}")


def test_a_farcall_peer_may_say_what_is_not_known_yet(pair: ProtocolPair) -> None:
    """A later version may notify of more; the name is cut in the log."""
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
    """The events of rpc-websockets are no JSON-RPC; farcall's serve clients of both kinds."""
    assert plain.client.receive(message) == [event]


@pytest.mark.parametrize("members", ['"notification":5', '"notification":"x","params":"abc"'])
def test_an_event_that_is_none_is_counted(plain: ProtocolPair, members: str) -> None:
    """An event without a name, or with params of no kind, is dropped."""
    assert plain.client.say(members)[0] == "stray"


def test_events_do_not_come_to_a_server(plain: ProtocolPair) -> None:
    """To the side that accepted, a member `notification` is one of the unknown ones."""
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
def test_what_is_kept_of_a_call_does_not_keep_its_message(plain: ProtocolPair, frame: str) -> None:
    """A few bytes cut out of a text would hold all of it, as long as the call takes."""
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
