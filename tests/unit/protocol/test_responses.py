"""Responses: which call each ends, and how; whatever a peer sends, no caller waits for ever."""

from __future__ import annotations

import pytest

from farcall._protocol.messages import Error
from farcall._protocol.state import OutgoingCall
from tests.unit.protocol.pair import ProtocolPair, Told, make_hello


def answer(pair: ProtocolPair, members: str) -> tuple[OutgoingCall, list[Told]]:
    """Make a call from the client and let these members come back with its id."""
    call = pair.client.call("add")
    return call, pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},{members}}}')


@pytest.mark.parametrize("result", ["5", "null", "{ }", '"\u00e9"', "1e400"])
def test_a_result_ends_its_call(pair: ProtocolPair, result: str) -> None:
    """A result is passed on as it was written, for the codec to read."""
    call, told = answer(pair, f'"result":{result},"more":1')

    assert told == [("result", call, result.encode())]
    assert len(pair.client.protocol.outgoing) == 0


def test_an_error_ends_its_call(pair: ProtocolPair) -> None:
    """An error is passed on with its code, its message and the text of its data."""
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
def test_any_value_may_be_an_error(
    plain: ProtocolPair, error: str, code: int, message: str, data: bytes | None
) -> None:
    """JavaScript peers send whatever was thrown: a text, a number, an object of any shape."""
    call, told = answer(plain, f'"error":{error}')

    assert told == [("error", call, Error(code, message, data))]


@pytest.mark.parametrize(
    "error", ['{"code":NaN}', '{"code":1e400}', '{"message":"\\udc00","data":1e}', "9" * 5_000]
)
def test_an_error_that_cannot_be_read_ends_its_call(plain: ProtocolPair, error: str) -> None:
    """An error that cannot be read ends its call as an unreadable response."""
    call, told = answer(plain, f'"error":{error}')

    ((what, whose, _),) = told
    assert (what, whose) == ("unreadable", call)


def test_an_error_of_null_is_none(plain: ProtocolPair) -> None:
    """An error of null beside a result is ignored: JSON-RPC 1.0 sends both members."""
    call, told = answer(plain, '"result":5,"error":null')

    assert told == [("result", call, b"5")]


def test_an_error_goes_before_a_result(plain: ProtocolPair) -> None:
    """A response with an error and a result is an error."""
    call, told = answer(plain, '"result":5,"error":{"code":1,"message":"m"}')

    assert told == [("error", call, Error(1, "m", None))]


@pytest.mark.parametrize("members", ['"more":1', '"error":null'])
def test_a_missing_result_of_a_plain_peer_is_null(plain: ProtocolPair, members: str) -> None:
    """JavaScript leaves `undefined` out, so a plain response without a result is null."""
    call, told = answer(plain, members)

    assert told == [("result", call, b"null")]


@pytest.mark.parametrize("members", ['"more":1', '"error":null'])
def test_a_missing_result_of_a_farcall_peer_ends_the_call(pair: ProtocolPair, members: str) -> None:
    """A farcall response without result and error is unreadable."""
    call, told = answer(pair, members)

    assert told == [("unreadable", call, "neither a result nor an error")]


@pytest.mark.parametrize("id", ["1.0", "1e0", "10E-1"])
def test_an_id_is_compared_by_its_value(plain: ProtocolPair, id: str) -> None:
    """A peer that reads numbers as floats may write 1 as 1.0."""
    call = plain.client.call("add")

    told = plain.client.receive(f'{{"jsonrpc":"2.0","id":{id},"result":5}}')

    assert told == [("result", call, b"5")]


def test_an_id_may_come_back_escaped(pair: ProtocolPair) -> None:
    """An id is the same text however it is escaped."""
    call = pair.server.call("add")

    told = pair.server.receive('{"jsonrpc":"2.0","id":"\\u0073\\u0031","result":5}')

    assert told == [("result", call, b"5")]


@pytest.mark.parametrize("id", ["1", "2"])
def test_a_plain_peer_may_answer_with_the_text_of_a_number(plain: ProtocolPair, id: str) -> None:
    """A plain peer may turn the id 1 into "1"."""
    calls = {each.id: each for each in (plain.client.call(), plain.client.call())}

    told = plain.client.receive(f'{{"jsonrpc":"2.0","id":"{id}","result":5}}')

    assert told == [("result", calls[id.encode()], b"5")]


NOBODYS = ["3", '"3"', "1.5", "-1", "{}", "true", "1e400", '"\U0001f600"']


@pytest.mark.parametrize("id", NOBODYS)
def test_a_stray_response_is_counted(plain: ProtocolPair, id: str) -> None:
    """A plain peer's response to an id that is not in flight is a stray."""
    plain.client.call("add")

    ((what, _),) = plain.client.receive(f'{{"jsonrpc":"2.0","id":{id},"result":5}}')

    assert what == "stray"
    assert len(plain.client.protocol.outgoing) == 1


@pytest.mark.parametrize("id", [*NOBODYS, '"2"'])
def test_a_stray_response_ends_a_farcall_link(pair: ProtocolPair, id: str) -> None:
    """A farcall peer's response to an id that is not in flight is a violation."""
    pair.client.call("add")

    ((what, code, problem),) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{id},"result":5}}')

    assert (what, code) == ("violation", 1002)
    assert problem.endswith(", which is not in flight")


@pytest.mark.parametrize("is_greeted", [True, False])
@pytest.mark.parametrize("outcome", ['"result":5', '"error":{"code":1,"message":"no"}'])
def test_an_answer_may_repeat_the_method(is_greeted: bool, outcome: str) -> None:
    """A message with a result or an error is a response, whatever else it has."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    call, told = answer(pair, f'"method":"add","params":[1],{outcome}')

    assert [(what, whose) for what, whose, _ in told] == [
        ("result" if "result" in outcome else "error", call)
    ]


def test_a_message_with_a_result_is_not_a_request(plain: ProtocolPair) -> None:
    """A stray message with a result and a method is not served."""
    told = plain.server.receive('{"jsonrpc":"2.0","id":7,"method":"add","result":null}')

    assert [what for what, *_ in told] == ["stray"]
    assert not plain.server.sent


def test_a_stray_response_does_not_fill_the_log(plain: ProtocolPair) -> None:
    """Of a stray id as large as a message, the start is logged."""
    (told,) = plain.client.receive(f'{{"id":"{"x" * 100_000}","result":5}}')

    assert told[0] == "stray"
    assert len(told[1]) < 100


@pytest.mark.parametrize(("is_greeted", "what"), [(True, "violation"), (False, "stray")])
def test_a_second_response_is_a_stray(is_greeted: bool, what: str) -> None:
    """A second response to one id is a stray."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    call, _ = answer(pair, '"result":5')

    (told,) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},"result":6}}')

    assert told[0] == what


@pytest.mark.parametrize(("is_greeted", "what"), [(True, "violation"), (False, "stray")])
def test_an_answer_cannot_come_before_its_call(is_greeted: bool, what: str) -> None:
    """A response to a call in the queue, whose id a peer may guess, is a stray."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    call = pair.client.make()

    (told,) = pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},"result":5}}')
    pair.client.send(call)

    assert told[0] == what
    assert call.id in pair.client.protocol.outgoing


def test_the_answer_to_an_abandoned_call_frees_its_id(pair: ProtocolPair) -> None:
    """The response to an abandoned call frees its id and is dropped."""
    call = pair.client.call("add")
    pair.client.protocol.abandon(call)

    assert pair.client.receive(f'{{"jsonrpc":"2.0","id":{call.id.decode()},"result":5}}') == []
    assert len(pair.client.protocol.outgoing) == 0


@pytest.mark.parametrize("members", ['"id":null,', ""])
def test_an_answer_without_an_id_ends_a_farcall_link(pair: ProtocolPair, members: str) -> None:
    """A response without an id is a violation: an unknown call would wait for ever."""
    told = pair.client.receive(f'{{"jsonrpc":"2.0",{members}"error":{{"code":-32700}}}}')

    assert told == [("violation", 1002, "a response without an id")]


def unclaimed(pair: ProtocolPair, code: int) -> list[Told]:
    """Let an error come back whose id is null."""
    error = f'{{"code":{code},"message":"m"}}'
    return pair.client.receive(f'{{"jsonrpc":"2.0","id":null,"error":{error}}}')


@pytest.mark.parametrize("members", ['"id":null,', ""])
@pytest.mark.parametrize("outcome", ['"error":null', '"result":5', '"result":null,"error":null'])
def test_a_result_without_an_id_is_counted(plain: ProtocolPair, members: str, outcome: str) -> None:
    """A plain peer's result without an id is a stray; some respond to notifications."""
    plain.client.call()

    assert plain.client.receive(f'{{"jsonrpc":"2.0",{members}{outcome}}}') == [
        ("stray", "a response without an id")
    ]
    assert len(plain.client.protocol.outgoing) == 1


@pytest.mark.parametrize("code", [-32700, -32600, -32601, -32000, 7])
def test_an_error_without_an_id_answers_the_hello(plain: ProtocolPair, code: int) -> None:
    """An error without an id ends the hello if no other call is in flight."""
    call = plain.client.greet()

    assert unclaimed(plain, code) == [("error", call, Error(code, "m"))]
    assert not plain.client.protocol.outgoing


@pytest.mark.parametrize("code", [-32700, -32600])
def test_an_error_without_an_id_ends_the_one_call_in_flight(plain: ProtocolPair, code: int) -> None:
    """An error for an unreadable request ends the only call that was sent."""
    call = plain.client.call()
    plain.client.make()

    assert unclaimed(plain, code) == [("error", call, Error(code, "m"))]
    assert len(plain.client.protocol.outgoing) == 1


@pytest.mark.parametrize("code", [-32601, -32603, -32000, 7])
def test_another_error_without_an_id_ends_no_call(plain: ProtocolPair, code: int) -> None:
    """rpc-websockets sends -32601 without an id for unknown notifications."""
    plain.client.call()

    assert unclaimed(plain, code) == [("unclaimed", Error(code, "m"))]
    assert len(plain.client.protocol.outgoing) == 1


@pytest.mark.parametrize("count", [0, 2])
def test_an_error_without_an_id_cannot_choose_among_calls(plain: ProtocolPair, count: int) -> None:
    """An error without an id, with none or several calls in flight, is reported."""
    for _ in range(count):
        plain.client.call()

    assert unclaimed(plain, -32700) == [("unclaimed", Error(-32700, "m"))]
    assert len(plain.client.protocol.outgoing) == count


def test_an_error_without_an_id_frees_an_abandoned_call(plain: ProtocolPair) -> None:
    """An error without an id frees the id of the only call, an abandoned one."""
    plain.client.protocol.abandon(plain.client.call())

    assert unclaimed(plain, -32700) == []
    assert not plain.client.protocol.outgoing


# Answers that cannot be read

TOO_DEEP = "[" * 65 + "]" * 65


@pytest.mark.parametrize(
    "result", ["NaN", "[-Infinity]", '"\\q"', '"\x01"', "[1", "nul", "1e", "'x'", TOO_DEEP]
)
@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_result_that_cannot_be_read_ends_its_call(result: str, is_greeted: bool) -> None:
    """A result that is not JSON, or nests too deep, ends its call; the link lives."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    call, told = answer(pair, f'"result":{result}')

    ((what, whose, _),) = told
    assert (what, whose) == ("unreadable", call)
    assert len(pair.client.protocol.outgoing) == 0


@pytest.mark.parametrize("is_greeted", [True, False])
@pytest.mark.parametrize(
    "frame",
    [
        b'{"jsonrpc":"2.0","id":%b,"result":"\xff"}',
        b'{"jsonrpc":"2.0","id":%b,"result":{"a":[1,',
        b'{"jsonrpc":"2.0","id":%b,"resu',
        b'{"jsonrpc":"2.0","result":[NaN,{"id":99}],"id":%b}',
        b'{"id":%b,"method":"add","error":{"code":NaN}}',
    ],
)
def test_a_broken_answer_ends_its_call(is_greeted: bool, frame: bytes) -> None:
    """A response with stray bytes, or cut in half, ends its call if its id is found."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    call = pair.client.call()

    ((what, whose, _),) = pair.client.receive(frame % call.id)

    assert (what, whose) == ("unreadable", call)
    assert not pair.client.protocol.outgoing


@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_result_with_a_lone_surrogate_is_handed_on(is_greeted: bool) -> None:
    """The codec takes lone surrogates from plain peers, and refuses them from others."""
    pair = ProtocolPair.of(is_greeted=is_greeted)

    call, told = answer(pair, r'"result":["\ud83d", "\\ud83d"]')

    assert told == [("result", call, rb'["\ud83d", "\\ud83d"]')]


def test_an_error_with_a_lone_surrogate_is_read_from_a_plain_peer(plain: ProtocolPair) -> None:
    """A plain peer's error may hold lone surrogates."""
    call, told = answer(plain, r'"error":{"code":1,"message":"no \udcff","data":["\ud83d"]}')

    assert told == [("error", call, Error(1, "no \udcff", rb'["\ud83d"]'))]


def test_the_last_of_two_results_counts(plain: ProtocolPair) -> None:
    """Of two members named result the last counts, as in every common JSON parser."""
    call, told = answer(plain, '"result":5,"result":6')

    assert told == [("result", call, b"6")]


def test_an_unreadable_result_of_an_abandoned_call_frees_its_id(pair: ProtocolPair) -> None:
    """It is a stray; the link lives."""
    call = pair.client.call("add")
    pair.client.protocol.abandon(call)

    (told,) = pair.client.receive(f'{{"id":{call.id.decode()},"result":{TOO_DEEP}}}')

    assert told[0] == "stray"
    assert len(pair.client.protocol.outgoing) == 0


def test_an_unreadable_request_ends_no_call(pair: ProtocolPair) -> None:
    """An unreadable request does not end a call of this side with the same id."""
    call = pair.server.call("add")

    pair.server.receive(f'{{"id":{call.id.decode()},"method":"x","params":{TOO_DEEP}}}')

    assert call.id in pair.server.protocol.outgoing


def test_a_hello_is_answered_with_one(plain: ProtocolPair) -> None:
    """A hello in response to a hello makes the dialect farcall's."""
    call = plain.client.greet()

    told = plain.client.receive(b'{"jsonrpc":"2.0","id":1,"result":%b}' % make_hello().render())

    assert told == [("hello", make_hello()), ("result", call, b"null")]
    assert plain.client.protocol.peer == make_hello()


def hello_answered(pair: ProtocolPair, members: str) -> list[Told]:
    """Greet, and let these members come back."""
    pair.client.greet()
    return pair.client.receive(f'{{"jsonrpc":"2.0","id":1,{members}}}')


def test_an_error_as_the_answer_to_a_hello_means_the_plain_dialect(plain: ProtocolPair) -> None:
    """Any error to a hello ends its call, and the dialect stays plain."""
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
    """A response to a hello without a valid greeting and version is unreadable."""
    (told,) = hello_answered(plain, members)

    assert told[0] == "unreadable"
    assert told[1] is plain.client.protocol.hello_call
    assert not plain.client.protocol.is_greeted


def test_the_response_to_an_abandoned_hello_changes_nothing(plain: ProtocolPair) -> None:
    """The response to an abandoned hello does not change the dialect."""
    plain.client.greet()
    call = plain.client.protocol.hello_call
    assert call is not None
    plain.client.protocol.abandon(call)

    plain.to_server()

    assert plain.to_client() == []
    assert not plain.client.protocol.is_greeted
