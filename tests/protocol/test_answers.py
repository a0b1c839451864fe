"""Which call an answer ends, and how; no answer of a peer leaves its caller waiting."""

from __future__ import annotations

import pytest

from farcall._protocol.messages import Error
from farcall._protocol.state import OutgoingCall
from tests.protocol.pair import ProtocolPair, Told, make_hello


def answer(pair: ProtocolPair, members: str) -> tuple[OutgoingCall, list[Told]]:
    """Make a call from the client and let these members come back with its id."""
    call = pair.client.call("add")
    return call, pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},{members}}}')


@pytest.mark.parametrize("result", ["5", "null", "{ }", '"\u00e9"', "1e400"])
def test_a_result_ends_its_call(pair: ProtocolPair, result: str) -> None:
    """A result is handed on as it was written; the codec reads it."""
    call, told = answer(pair, f'"result":{result},"more":1')

    assert told == [("result", call, result.encode())]
    assert len(pair.client.protocol.outgoing) == 0


def test_an_error_ends_its_call(pair: ProtocolPair) -> None:
    """An error is handed on with its code, its message and the text of its data."""
    call, told = answer(
        pair, '"error":{"code":1,"message":"no","data":{"code": "No"},"more":1},"more":1'
    )

    assert told == [("error", call, Error(1, "no", b'{"code": "No"}'))]


@pytest.mark.parametrize(
    ("error", "code", "message", "data"),
    [
        ('{"code":-32601,"message":"Method not found"}', -32601, "Method not found", None),
        ('{"code":-32000,"message":"TypeError","data":"x"}', -32000, "TypeError", b'"x"'),
        ('{"code":1,"message":"m","data":null}', 1, "m", None),
        ('"just text"', -32000, "just text", None),
        ("5", -32000, "the peer gave no message", b"5"),
        ("[1]", -32000, "the peer gave no message", b"[1]"),
        ('{"why":"x"}', -32000, "the peer gave no message", b'{"why":"x"}'),
        ('{"code":7,"data":1}', 7, "the peer gave no message", b"1"),
        ('{"code":true,"message":"m"}', -32000, "m", None),
        ('{"code":false,"message":"m"}', -32000, "m", None),
        ('{"code":"E_NO","message":"m"}', -32000, "m", None),
        ('{"code":1.5,"message":"m"}', -32000, "m", None),
        ("false", -32000, "the peer gave no message", b"false"),
    ],
)
def test_whatever_stands_for_an_error_is_one(
    plain: ProtocolPair, error: str, code: int, message: str, data: bytes | None
) -> None:
    """JavaScript peers send what was thrown: a text, a number, an object of any shape."""
    call, told = answer(plain, f'"error":{error}')

    assert told == [("error", call, Error(code, message, data))]


@pytest.mark.parametrize(
    "error", ['"\\ud800 half"', '{"code":1e400}', '{"message":"\\udc00"}', "9" * 5_000]
)
def test_an_error_that_cannot_be_read_ends_its_call(plain: ProtocolPair, error: str) -> None:
    """Where not even the error can be told, the caller is."""
    call, told = answer(plain, f'"error":{error}')

    ((what, whose, _),) = told
    assert (what, whose) == ("unreadable", call)


def test_an_error_of_null_is_none(plain: ProtocolPair) -> None:
    """Peers of JSON-RPC 1.0 always send both members."""
    call, told = answer(plain, '"result":5,"error":null')

    assert told == [("result", call, b"5")]


def test_an_error_goes_before_a_result(plain: ProtocolPair) -> None:
    """Whoever sends both says that something went wrong."""
    call, told = answer(plain, '"result":5,"error":{"code":1,"message":"m"}')

    assert told == [("error", call, Error(1, "m", None))]


@pytest.mark.parametrize("members", ['"more":1', '"error":null'])
def test_a_missing_result_of_a_plain_peer_is_null(plain: ProtocolPair, members: str) -> None:
    """JavaScript leaves `undefined` out, so a method that returns nothing has no result."""
    call, told = answer(plain, members)

    assert told == [("result", call, b"null")]


@pytest.mark.parametrize("members", ['"more":1', '"error":null'])
def test_a_missing_result_of_a_farcall_peer_ends_the_call(pair: ProtocolPair, members: str) -> None:
    """A farcall peer sends a result or an error; anything else is no answer."""
    call, told = answer(pair, members)

    assert told == [("unreadable", call, "neither a result nor an error")]


@pytest.mark.parametrize("id", ["1.0", "1e0", "10E-1"])
def test_an_id_is_compared_by_its_value(plain: ProtocolPair, id: str) -> None:
    """A peer that reads numbers as floats may write ours another way."""
    call = plain.client.call("add")

    told = plain.client.receive(f'{{"jsonrpc":"2.0","id":{id},"result":5}}')

    assert told == [("result", call, b"5")]


def test_an_id_may_come_back_escaped(pair: ProtocolPair) -> None:
    """A text is the same however it is escaped."""
    call = pair.server.call("add")

    told = pair.server.receive('{"jsonrpc":"2.0","id":"\\u0073\\u0031","result":5}')

    assert told == [("result", call, b"5")]


@pytest.mark.parametrize("id", ["3", '"1"', "1.5", "-1", "{}", "true", "1e400", '"\U0001f600"'])
def test_an_answer_to_nobody_is_counted(pair: ProtocolPair, id: str) -> None:
    """An id that is not in flight ends nothing."""
    pair.client.call("add")

    (told,) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{id},"result":5}}')

    assert told[0] == "stray"
    assert len(pair.client.protocol.outgoing) == 1


def test_a_stray_answer_does_not_fill_the_log(plain: ProtocolPair) -> None:
    """Of an id as large as a message, a line's worth is reported."""
    (told,) = plain.client.receive(f'{{"id":"{"x" * 100_000}","result":5}}')

    assert told[0] == "stray"
    assert len(told[1]) < 100


def test_a_second_answer_is_counted(pair: ProtocolPair) -> None:
    """An id settles once: what comes later for it belongs to nothing."""
    call, _ = answer(pair, '"result":5')

    (told,) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},"result":6}}')

    assert told[0] == "stray"


def test_an_answer_cannot_come_before_its_call(pair: ProtocolPair) -> None:
    """A peer that guesses the id of a call still in the queue does not end it."""
    call = pair.client.make()

    (told,) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},"result":5}}')
    pair.client.send(call)

    assert told[0] == "stray"
    assert call.id in pair.client.protocol.outgoing


def test_the_answer_to_an_abandoned_call_frees_its_id(pair: ProtocolPair) -> None:
    """Nobody waits for the answer, but it is due: then the peer has no work left for the id."""
    call = pair.client.call("add")
    pair.client.protocol.abandon(call)

    assert pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},"result":5}}') == []
    assert len(pair.client.protocol.outgoing) == 0


@pytest.mark.parametrize("members", ['"id":null,', ""])
def test_an_answer_without_an_id_ends_a_farcall_link(pair: ProtocolPair, members: str) -> None:
    """Some call will never be answered, and nobody knows which; the lost link ends it."""
    told = pair.client.receive(f'{{"jsonrpc":"2.0",{members}"error":{{"code":-32700}}}}')

    assert told == [("violation", 1002, "an answer without an id")]


@pytest.mark.parametrize("members", ['"id":null,', ""])
def test_an_answer_without_an_id_is_counted_with_others(plain: ProtocolPair, members: str) -> None:
    """Plain peers are known to answer notifications."""
    (told,) = plain.client.receive(f'{{"jsonrpc":"2.0",{members}"error":{{"code":-32601}}}}')

    assert told[0] == "stray"


TOO_DEEP = "[" * 65 + "]" * 65


@pytest.mark.parametrize("result", ['"\\ud83d cut"', TOO_DEEP])
@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_result_that_cannot_be_read_ends_its_call(result: str, is_greeted: bool) -> None:
    """Half of an emoji, or too many levels, is that caller's affair; the link lives."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    call, told = answer(pair, f'"result":{result}')

    ((what, whose, _),) = told
    assert (what, whose) == ("unreadable", call)
    assert len(pair.client.protocol.outgoing) == 0


def test_an_unreadable_result_of_an_abandoned_call_frees_its_id(pair: ProtocolPair) -> None:
    """Nobody waits for it, so it is counted; the link lives."""
    call = pair.client.call("add")
    pair.client.protocol.abandon(call)

    (told,) = pair.client.receive(f'{{"id":{call.id.decode()},"result":{TOO_DEEP}}}')

    assert told[0] == "stray"
    assert len(pair.client.protocol.outgoing) == 0


def test_an_unreadable_request_ends_no_call(pair: ProtocolPair) -> None:
    """The ids of both directions are independent, for what cannot be read as well."""
    call = pair.server.call("add")

    pair.server.receive(f'{{"id":{call.id.decode()},"method":"x","params":{TOO_DEEP}}}')

    assert call.id in pair.server.protocol.outgoing


def test_a_hello_is_answered_with_one(plain: ProtocolPair) -> None:
    """With the answer the dialect is farcall's."""
    call = plain.client.greet()

    told = plain.client.receive(b'{"jsonrpc":"2.0","id":1,"result":%b}' % make_hello().render())

    assert told == [("hello", make_hello()), ("result", call, b"null")]
    assert plain.client.protocol.peer == make_hello()


def hello_answered(pair: ProtocolPair, members: str) -> list[Told]:
    """Greet, and let these members come back."""
    pair.client.greet()
    return pair.client.receive(f'{{"jsonrpc":"2.0","id":1,{members}}}')


def test_an_error_as_the_answer_to_a_hello_means_the_plain_dialect(plain: ProtocolPair) -> None:
    """Any error does; it comes as the error of the call that carried the hello."""
    told = hello_answered(plain, '"error":{"code":-32601,"message":"Method not found"}')

    call = plain.client.protocol.hello_call
    assert call is not None
    assert told == [("error", call, Error(-32601, "Method not found", None))]
    assert not plain.client.protocol.is_greeted


@pytest.mark.parametrize(
    "members",
    [
        '"result":null',
        '"result":"ok"',
        '"result":{}',
        '"result":{"v":2}',
        '"result":{"v":1,"limits":{"message":-1}}',
        f'"result":{TOO_DEEP}',
    ],
)
def test_an_answer_that_is_no_greeting_is_unreadable(plain: ProtocolPair, members: str) -> None:
    """A server that answers anything to anything, or a version never offered, is no farcall."""
    (told,) = hello_answered(plain, members)

    assert told[0] == "unreadable"
    assert told[1] is plain.client.protocol.hello_call
    assert not plain.client.protocol.is_greeted


def test_a_hello_that_nobody_waits_for_changes_nothing(plain: ProtocolPair) -> None:
    """Whoever gave up waiting for the answer has decided what the connection is."""
    plain.client.greet()
    call = plain.client.protocol.hello_call
    assert call is not None
    plain.client.protocol.abandon(call)

    plain.to_server()

    assert plain.to_client() == []
    assert not plain.client.protocol.is_greeted
