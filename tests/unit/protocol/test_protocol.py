"""The commands of one peer: calling, responding, streaming, and the end."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from farcall._limits import DEFAULT_LIMITS, MIN_DEPTH
from farcall._protocol.credit import DEFAULT_WINDOW, Window
from farcall._protocol.messages import (
    END,
    TIMEOUT_ROOM,
    Error,
    cancel,
    credit,
    request,
    response,
)
from farcall._protocol.protocol import Protocol
from farcall._protocol.state import ENDED, IncomingCall, LocalProtocolError
from farcall.errors import EncodeError, ErrorCode
from tests.unit.protocol.pair import MESSAGE_LIMIT, ProtocolPair, make_hello, use

DEFAULT_MESSAGE_OUT = DEFAULT_LIMITS.message_out
CANCELLED = Error.of(ErrorCode.CANCELLED)
SHALLOW = attrs.evolve(DEFAULT_LIMITS, depth=MIN_DEPTH)
"""With the usual limit of depth the codec has looked already."""


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def error_of(text: bytes | None) -> Any:
    assert text is not None
    return json.loads(text)["error"]


# Calling


def test_a_call_makes_the_round_trip(pair: ProtocolPair) -> None:
    """After a request and its response both tables are empty."""
    outgoing, incoming = pair.call("add", b"[1,2]")
    assert (incoming.method, incoming.params) == ("add", b"[1,2]")

    pair.server.respond(incoming, b"3")

    assert pair.to_client() == [("result", outgoing, b"3")]
    assert len(pair.client.protocol.outgoing) == len(pair.server.protocol.incoming) == 0


def test_an_error_makes_the_round_trip(pair: ProtocolPair) -> None:
    """An error arrives with its code, its message and its data."""
    outgoing, incoming = pair.call()
    error = Error(1, "no", b'{"code":"No"}')

    pair.server.fail(incoming, error)

    assert pair.to_client() == [("error", outgoing, error)]


def test_each_side_numbers_its_calls(plain: ProtocolPair) -> None:
    """The side that dialled counts from 1, the other from "s1"."""
    assert [plain.client.call("a").id for _ in range(2)] == [b"1", b"2"]
    assert [plain.server.call("a").id for _ in range(2)] == [b'"s1"', b'"s2"']


def test_a_call_is_sent_when_the_writer_takes_it(pair: ProtocolPair) -> None:
    """A call in the queue is in flight, and not sent."""
    call = pair.client.make()
    assert pair.client.protocol.outgoing == {call.id: call}
    assert not call.was_sent

    pair.client.send(call)

    assert call.was_sent


def test_a_call_is_not_sent_twice(pair: ProtocolPair) -> None:
    """Taking a call again gives no message."""
    call = pair.client.call()

    assert pair.client.send(call) == []


def test_a_call_in_the_queue_can_be_withdrawn(pair: ProtocolPair) -> None:
    """A withdrawn call is settled, and never sent."""
    call = pair.client.make()

    pair.client.protocol.withdraw(call)

    assert call.stage is ENDED
    assert len(pair.client.protocol.outgoing) == 0
    assert pair.client.send(call) == []


def test_a_call_that_was_sent_cannot_be_withdrawn(pair: ProtocolPair) -> None:
    """Withdrawing a call that was sent raises LocalProtocolError."""
    call = pair.client.call()

    with pytest.raises(LocalProtocolError, match="in OPEN"):
        pair.client.protocol.withdraw(call)


def test_a_call_in_the_queue_cannot_be_abandoned(pair: ProtocolPair) -> None:
    """Abandoning a call in the queue raises LocalProtocolError."""
    call = pair.client.make()

    with pytest.raises(LocalProtocolError, match="in QUEUED"):
        pair.client.protocol.abandon(call)


def test_an_abandoned_call_counts_until_it_is_answered(pair: ProtocolPair) -> None:
    """An abandoned call is in flight until its response, for the peer may be at work."""
    outgoing, incoming = pair.call()
    pair.client.protocol.abandon(outgoing)
    assert len(pair.client.protocol.outgoing) == 1

    pair.server.respond(incoming, b"3")

    assert pair.to_client() == []
    assert len(pair.client.protocol.outgoing) == 0


@pytest.mark.parametrize("now", [10.0, 10.5])
def test_a_call_whose_time_is_up_is_not_sent(pair: ProtocolPair, now: float) -> None:
    """A call whose deadline has passed expires instead of being sent."""
    call = pair.client.make(deadline=10.0)

    assert pair.client.send(call, now=now) == []

    assert pair.client.told[-1] == ("expired", call)
    pair.client.protocol.withdraw(call)


def test_a_deadline_does_not_travel_to_a_plain_peer(plain: ProtocolPair) -> None:
    """A plain peer gets no timeout; the caller's own clock ends the call."""
    call = plain.client.make(deadline=10.0, traceparent="00-a-b-01")

    assert plain.client.send(call, now=99.0) == [b'{"jsonrpc":"2.0","id":1,"method":"add"}']


def test_the_deadline_of_a_stream_does_not_travel(pair: ProtocolPair) -> None:
    """A stream may outlast its deadline in a shield, so it has no timeout."""
    call = pair.client.make(window=Window(1, 2), deadline=10.0)

    (text,) = pair.client.send(call, now=99.0)

    assert json.loads(text)["meta"] == {"credit": [1, 2]}


def test_a_request_carries_its_span(pair: ProtocolPair) -> None:
    """A request may carry a span, beside a window or a timeout."""
    _, stream = pair.call("a"), pair.client.make(window=Window(1, 2), traceparent="00-s")
    call = pair.client.make(deadline=10.0, traceparent="00-c")

    said = [json.loads(text) for text in pair.client.send(stream, call, now=9.0)]

    assert [(each["traceparent"], each["meta"]) for each in said] == [
        ("00-s", {"credit": [1, 2]}),
        ("00-c", {"timeout": 1000}),
    ]


def test_a_notification_is_in_no_table(plain: ProtocolPair) -> None:
    """A notification is not in flight."""
    text = plain.client.protocol.notify("log", b"[1]", traceparent="00-a-b-01")

    assert len(plain.client.protocol.outgoing) == 0
    assert text == b'{"jsonrpc":"2.0","method":"log","params":[1]}'


def test_a_notification_carries_its_span(pair: ProtocolPair) -> None:
    """A notification to a farcall peer may carry a span."""
    pair.client.send(pair.client.protocol.notify("log", None, traceparent="00-a-b-01"))

    assert pair.to_server() == [("notification", "log", None, "00-a-b-01")]


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (1, False)])
def test_a_request_has_the_size_that_the_peer_takes(excess: int, is_fine: bool) -> None:
    """A larger request raises EncodeError that names the limit; nothing is sent."""
    pair = ProtocolPair.greeted(server=make_hello(message=100))
    envelope = len(request(b"2", "add", b'""', END, None))
    params = b'"%b"' % (b"x" * (100 - envelope + excess))

    if is_fine:
        (frame,) = pair.client.send(pair.client.make("add", params))
        assert len(frame) == 100
    else:
        with pytest.raises(EncodeError, match=r"has 101 bytes; .* 100 .*limit message"):
            pair.client.make("add", params)
        with pytest.raises(EncodeError):
            pair.client.protocol.notify("add", params + b" " * 20)
        assert len(pair.client.protocol.outgoing) == 0
        assert pair.client.protocol.outgoing_size == 0


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (1, False)])
def test_a_request_has_room_for_its_timeout(excess: int, is_fine: bool) -> None:
    """The size of a request counts the longest timeout, which is added later."""
    pair = ProtocolPair.greeted(server=make_hello(message=200))
    room = 200 - TIMEOUT_ROOM - len(request(b"2", "add", b"", b"", None))
    params = b'"%b"' % (b"x" * (room - 2 + excess))

    if is_fine:
        (frame,) = pair.client.send(pair.client.make("add", params, deadline=2.0**60))
        assert len(frame) == 200
    else:
        with pytest.raises(EncodeError, match="has 201 bytes"):
            pair.client.make("add", params, deadline=1.0)


def test_a_plain_peer_takes_what_our_own_client_would(plain: ProtocolPair) -> None:
    """A message to a peer that announced no limit may have 16 MiB."""
    assert plain.client.protocol.message_limit == DEFAULT_MESSAGE_OUT
    with pytest.raises(EncodeError, match=r"\(the limit message_out\)"):
        plain.client.make("add", b'["%b"]' % (b"x" * DEFAULT_MESSAGE_OUT))

    plain.greet()

    assert plain.client.protocol.message_limit == MESSAGE_LIMIT


@pytest.mark.parametrize(("depth", "is_fine"), [(MIN_DEPTH - 1, True), (MIN_DEPTH, False)])
def test_a_request_nests_as_deep_as_the_peer_reads(depth: int, is_fine: bool) -> None:
    """A request may nest as deep as the peer reads, its envelope included."""
    pair = ProtocolPair.greeted(limits=SHALLOW)

    if is_fine:
        _, incoming = pair.call("add", nested(depth))
        assert incoming.params == nested(depth)
    else:
        with pytest.raises(EncodeError, match=r"8 levels \(the limit depth\)"):
            pair.client.make("add", nested(depth))
        with pytest.raises(EncodeError, match="limit depth"):
            pair.client.protocol.notify("add", nested(depth))


def test_a_name_that_is_no_text_is_refused(pair: ProtocolPair) -> None:
    """A method name that JSON cannot hold raises EncodeError."""
    with pytest.raises(EncodeError):
        pair.client.make("\ud800")
    with pytest.raises(EncodeError):
        pair.client.protocol.notify("\ud800", None)
    assert len(pair.client.protocol.outgoing) == 0


def test_a_protocol_tells_what_it_greets_with() -> None:
    """A protocol has its own greeting from the start, the peer's after the hello."""
    protocol = Protocol(make_hello(), has_dialled=True)

    assert protocol.own == make_hello()
    assert protocol.peer is None


# Cancelling


def test_a_cancel_is_answered(pair: ProtocolPair) -> None:
    """A cancelled call still ends with exactly one response."""
    outgoing, incoming = pair.call()
    pair.client.cancel(outgoing)

    assert pair.to_server() == [("cancel", incoming, "caller")]

    pair.server.fail(incoming, CANCELLED)

    assert pair.to_client() == [("error", outgoing, CANCELLED)]
    assert pair.to_client() == []


def test_a_result_may_win_against_a_cancel(pair: ProtocolPair) -> None:
    """If a result and a cancel cross, the call ends with its result."""
    outgoing, incoming = pair.call()
    pair.server.respond(incoming, b"3")
    pair.client.cancel(outgoing)

    assert pair.to_client() == [("result", outgoing, b"3")]
    assert pair.to_server() == []


def test_a_call_is_cancelled_once(pair: ProtocolPair) -> None:
    """A second cancel sends nothing."""
    outgoing, _ = pair.call()

    assert pair.client.protocol.cancel(outgoing, "deadline") == cancel(outgoing.id, "deadline")
    assert pair.client.protocol.cancel(outgoing, "caller") is None


def test_a_call_in_the_queue_is_not_cancelled(pair: ProtocolPair) -> None:
    """A call in the queue is not cancelled at the peer; it is withdrawn."""
    assert pair.client.protocol.cancel(pair.client.make(), "caller") is None


def test_a_settled_call_is_not_cancelled(pair: ProtocolPair) -> None:
    """Cancelling a settled call sends nothing."""
    outgoing, incoming = pair.call()
    pair.server.respond(incoming)
    pair.to_client()

    assert pair.client.protocol.cancel(outgoing, "caller") is None


def test_an_abandoned_call_is_not_cancelled(pair: ProtocolPair) -> None:
    """Cancelling an abandoned call sends nothing."""
    outgoing, _ = pair.call()
    pair.client.protocol.abandon(outgoing)

    assert pair.client.protocol.cancel(outgoing, "caller") is None


def test_a_plain_peer_cannot_be_asked_to_cancel(plain: ProtocolPair) -> None:
    """A plain peer gets no cancel: JSON-RPC 2.0 has none."""
    outgoing, _ = plain.call()

    assert plain.client.protocol.cancel(outgoing, "caller") is None


# Answering


def test_a_call_is_answered_once(pair: ProtocolPair) -> None:
    """A second response raises LocalProtocolError."""
    _, incoming = pair.call()
    pair.server.respond(incoming, b"3")

    with pytest.raises(LocalProtocolError, match="in ENDED"):
        pair.server.respond(incoming, b"3")
    with pytest.raises(LocalProtocolError, match="in ENDED"):
        pair.server.fail(incoming, CANCELLED)


def test_a_call_with_a_null_id_is_answered_once(plain: ProtocolPair) -> None:
    """A call with the id null is in no table, and ends once."""
    call = plain.server.called('"id":null,"method":"add"')
    assert len(plain.server.protocol.incoming) == 0

    assert plain.server.respond(call, b"3") == [b'{"jsonrpc":"2.0","id":null,"result":3}']

    with pytest.raises(LocalProtocolError):
        plain.server.respond(call, b"3")


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (7, False)])
def test_a_result_has_the_size_that_the_peer_takes(excess: int, is_fine: bool) -> None:
    """A larger result becomes -32008 for that call, with the limit named."""
    pair = ProtocolPair.greeted(client=make_hello(message=200))
    _, incoming = pair.call()
    envelope = len(response(incoming.id, b'""'))
    answer = pair.server.protocol.respond(incoming, b'"%b"' % (b"x" * (200 - envelope + excess)))

    if is_fine:
        assert answer is not None
        assert len(answer) == 200
    else:
        assert error_of(answer) == {
            "code": -32008,
            "message": "Reply too large",
            "data": {"limit": "message", "bytes": 200, "excess": excess},
        }


def test_an_error_has_the_size_that_the_peer_takes() -> None:
    """A larger error becomes -32008 for that call, with the limit named."""
    pair = ProtocolPair.greeted(client=make_hello(message=200))
    _, incoming = pair.call()

    answer = pair.server.protocol.fail(incoming, Error(1, "no", b'"%b"' % (b"x" * 200)))

    assert error_of(answer)["code"] == -32008


@pytest.mark.parametrize(("depth", "is_fine"), [(MIN_DEPTH - 1, True), (MIN_DEPTH, False)])
def test_a_result_nests_as_deep_as_the_peer_reads(depth: int, is_fine: bool) -> None:
    """A deeper result becomes -32008, and the link lives."""
    pair = ProtocolPair.greeted(limits=SHALLOW)
    outgoing, incoming = pair.call()
    answer = pair.server.protocol.respond(incoming, nested(depth))

    if is_fine:
        pair.server.send(answer)
        assert pair.to_client() == [("result", outgoing, nested(depth))]
    else:
        error = error_of(answer)
        assert (error["code"], error["data"]) == (-32008, {"limit": "depth", "most": MIN_DEPTH})


def test_deep_messages_may_share_a_frame(pair: ProtocolPair) -> None:
    """The array of a bundle does not count as a level of its messages."""
    calls = [pair.call() for _ in range(2)]
    pair.server.bundle(*(pair.server.protocol.respond(each, nested(63)) for _, each in calls))

    assert len(pair.server.sent) == 1
    assert pair.to_client() == [("result", outgoing, nested(63)) for outgoing, _ in calls]


def batch_of(pair: ProtocolPair, count: int) -> list[IncomingCall]:
    """Let the server read a batch, and give its calls."""
    requests = [f'{{"jsonrpc":"2.0","id":{number},"method":"a"}}' for number in range(count)]
    return [call for _, call in pair.server.receive(f"[{','.join(requests)}]")]


def test_the_reply_to_a_batch_is_one_message(plain: ProtocolPair) -> None:
    """The responses of a batch share the limit; those beyond it become -32008."""
    first, second, third = batch_of(plain, 3)
    half = b'"%b"' % (b"x" * (DEFAULT_MESSAGE_OUT // 2))
    assert plain.server.respond(first, half) == plain.server.respond(second, half) == []
    (frame,) = plain.server.respond(third, b"1")

    answers = json.loads(frame)
    assert ["result" in answer for answer in answers] == [True, False, True]
    assert answers[1]["error"]["code"] == -32008
    assert len(frame) < DEFAULT_MESSAGE_OUT


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (1, False)])
def test_the_reply_to_a_batch_may_fill_a_message(
    plain: ProtocolPair, excess: int, is_fine: bool
) -> None:
    """The size of a reply counts its brackets and commas."""
    first, second = batch_of(plain, 2)
    assert plain.server.protocol.respond(first, b"1") is None
    around = sum(len(response(call.id, b"")) for call in (first, second)) + len("[1,]")
    text = b'"%b"' % (b"x" * (DEFAULT_MESSAGE_OUT - around - 2 + excess))
    (frame,) = plain.server.respond(second, text)

    assert (len(frame) == DEFAULT_MESSAGE_OUT) is is_fine
    assert len(frame) <= DEFAULT_MESSAGE_OUT


def test_answers_that_wait_for_their_batch_are_counted(plain: ProtocolPair) -> None:
    """Responses that wait for their batch count until the reply is sent."""
    first, second = batch_of(plain, 2)
    plain.server.respond(first, b"1")
    assert plain.server.protocol.batched == len(response(first.id, b"1")) + 1

    plain.server.respond(second, b"2")

    assert plain.server.protocol.batched == 0


# Streams


def test_a_stream_makes_the_round_trip(pair: ProtocolPair) -> None:
    """A stream has a start, items, and a response, after which both tables are empty."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1", b"2", cursor="c", missed=5)
    pair.server.respond(incoming)

    assert pair.to_client() == [
        ("items", outgoing, [b"1", b"2"], "c", 5),
        ("result", outgoing, b"null"),
    ]
    assert len(pair.client.protocol.outgoing) == len(pair.server.protocol.incoming) == 0


def test_the_answer_to_a_stream_counts_its_items(pair: ProtocolPair) -> None:
    """The response to a stream counts its items, so that lost ones are noticed."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1", b"2")
    pair.server.items(incoming, b"3")
    lost = pair.server.sent.pop()
    (text,) = pair.server.respond(incoming)

    assert text == b'{"jsonrpc":"2.0","id":2,"result":null,"seq":3}'
    assert pair.to_client() == [
        ("items", outgoing, [b"1", b"2"], None, 0),
        ("violation", 1002, "the response to id 2 counts 3 items where 2 came"),
    ]
    assert lost


def test_the_error_of_a_stream_counts_its_items(pair: ProtocolPair) -> None:
    """An error counts the items as well, also one for a result that is too large."""
    _, incoming = pair.stream()
    pair.server.items(incoming, b"1")
    (text,) = pair.server.fail(incoming, Error(1, "x" * MESSAGE_LIMIT))

    assert json.loads(text)["error"]["code"] == -32008
    assert json.loads(text)["seq"] == 1


def test_the_count_of_items_is_part_of_the_size_of_an_answer() -> None:
    """The count of items is part of the size of a response."""
    pair = ProtocolPair.greeted(client=make_hello(message=200))
    _, incoming = pair.stream()
    room = 200 - len(response(incoming.id, b'""')) - len(',"seq":0')

    answer = pair.server.protocol.respond(incoming, b'"%b"' % (b"x" * room))

    assert answer is not None
    assert len(answer) == 200


def test_the_answer_to_an_abandoned_stream_counts_as_well(pair: ProtocolPair) -> None:
    """The count in the response to an abandoned stream is checked as well."""
    outgoing, incoming = pair.stream()
    pair.client.protocol.abandon(outgoing)
    pair.server.items(incoming, b"1")
    pair.server.respond(incoming)

    assert pair.to_client() == []


@pytest.mark.parametrize("members", ["", ',"seq":2'])
def test_a_stream_whose_items_are_not_counted_is_believed(pair: ProtocolPair, members: str) -> None:
    """A response without a count, as of an earlier version, is accepted."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1", b"2")
    pair.to_client()

    told = pair.client.receive(f'{{"jsonrpc":"2.0","id":2,"result":null{members}}}')

    assert told == [("result", outgoing, b"null")]


@pytest.mark.parametrize("seq", ["0", "3", "2.0", '"2"', "null", "true", "1" * 5_000])
def test_a_wrong_count_ends_the_link(pair: ProtocolPair, seq: str) -> None:
    """A wrong count of items is a violation, whose text is short."""
    _, incoming = pair.stream()
    pair.server.items(incoming, b"1", b"2")
    pair.to_client()

    told = pair.client.receive(f'{{"jsonrpc":"2.0","id":2,"result":null,"seq":{seq}}}')

    ((what, code, problem),) = told
    assert (what, code) == ("violation", 1002)
    assert len(problem) <= 123


def test_the_answer_to_a_call_counts_nothing(pair: ProtocolPair) -> None:
    """Responses to calls, remote tasks and streams that did not start have no count."""
    _, call = pair.call()
    _, task = pair.call("run", may_start=True)
    pair.server.start(task)
    _, stream = pair.call("rpc.subscribe", window=Window())

    texts = [*pair.server.respond(call), *pair.server.respond(task), *pair.server.respond(stream)]

    assert [b"seq" in text for text in texts] == [False, False, False]


def test_a_count_of_a_plain_peer_means_nothing(plain: ProtocolPair) -> None:
    """A plain peer's member `seq` is ignored."""
    call = plain.client.call()

    assert plain.client.receive('{"jsonrpc":"2.0","id":1,"result":5,"seq":9}') == [
        ("result", call, b"5")
    ]


def test_a_stream_is_started_once(pair: ProtocolPair) -> None:
    """Starting a stream twice raises LocalProtocolError."""
    _, incoming = pair.stream()

    with pytest.raises(LocalProtocolError, match="in STARTED"):
        pair.server.start(incoming)


def test_items_follow_the_start(pair: ProtocolPair) -> None:
    """Sending items before the start raises LocalProtocolError."""
    _, incoming = pair.call("rpc.subscribe", b"{}", window=Window())

    with pytest.raises(LocalProtocolError, match="in OPEN"):
        pair.server.items(incoming, b"1")


def test_no_items_follow_the_end(pair: ProtocolPair) -> None:
    """Sending items after the response raises LocalProtocolError."""
    _, incoming = pair.stream()
    pair.server.respond(incoming)

    with pytest.raises(LocalProtocolError, match="in ENDED"):
        pair.server.items(incoming, b"1")


def test_items_spend_credit(pair: ProtocolPair) -> None:
    """Each message of items spends credit, in both units."""
    _, incoming = pair.stream(Window(4, 100))
    pair.server.items(incoming, b"1", b"22")

    left = pair.server.protocol.send_credit(incoming)

    assert (left.items_left, left.bytes_left) == (2, 97)


def test_a_stream_without_a_window_has_the_usual_one(pair: ProtocolPair) -> None:
    """A stream call without a window gets the default one."""
    _, incoming = pair.call("rpc.subscribe", b"{}")
    given = pair.server.protocol.send_credit(incoming)

    assert given.window == DEFAULT_WINDOW
    assert pair.server.protocol.send_credit(incoming) is given


def test_a_call_of_the_peer_knows_its_window(pair: ProtocolPair) -> None:
    """A stream call of the peer is recognized by its credit."""
    incoming = IncomingCall(b"1", "rpc.subscribe", credit=Window(1, 2).for_sender())

    assert pair.server.protocol.send_credit(incoming).window == Window(1, 2)


def test_consuming_gives_credit(pair: ProtocolPair) -> None:
    """The receiver grants credit as it consumes, and the sender may go on."""
    outgoing, incoming = pair.stream(Window(2, 100))
    pair.server.items(incoming, b"1")
    pair.server.items(incoming, b"2")
    pair.to_client()
    assert pair.server.protocol.send_credit(incoming).items_left == 0

    given = use(outgoing, 1)
    pair.client.send(given)
    pair.to_server()

    assert given == credit(outgoing.id, 3, 101)
    assert pair.server.protocol.send_credit(incoming).items_left == 1


def test_no_credit_is_given_before_it_is_due(pair: ProtocolPair) -> None:
    """No credit is granted before half of the window is consumed."""
    outgoing, incoming = pair.stream(Window(5, 100))
    pair.server.items(incoming, b"1", b"1", b"1", b"1")
    pair.to_client()

    assert use(outgoing, 1) is None
    assert use(outgoing, 1) is None
    assert use(outgoing, 1) is not None


def test_a_stream_can_be_cancelled_before_it_starts(pair: ProtocolPair) -> None:
    """A start that crosses the cancel is accepted, and the response ends the call."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window())
    pair.client.cancel(outgoing)
    pair.server.start(incoming)
    pair.to_server()
    pair.server.fail(incoming, CANCELLED)

    assert pair.to_client() == [
        ("started", outgoing, b"{}"),
        ("error", outgoing, CANCELLED),
    ]


# The end


def test_a_lost_link_gives_the_open_calls(pair: ProtocolPair) -> None:
    """`cut` returns the open calls, each with whether it was sent."""
    sent, queued = pair.client.call("a"), pair.client.make("b")

    calls = pair.client.protocol.cut()

    assert [(call, call.was_sent) for call in calls] == [(sent, True), (queued, False)]
    assert len(pair.client.protocol.outgoing) == 0


def test_a_lost_link_forgets_the_calls_of_the_peer(pair: ProtocolPair) -> None:
    """After the end of the link a response to a call of the peer does no harm."""
    _, incoming = pair.call()

    assert pair.server.protocol.cut() == []

    assert len(pair.server.protocol.incoming) == 0
    pair.server.protocol.respond(incoming, b"3")


def test_nothing_is_read_from_a_lost_link(pair: ProtocolPair) -> None:
    """After the end of the link frames are ignored."""
    pair.client.call("a")
    pair.server.protocol.cut()

    assert pair.to_server() == []
    assert pair.server.receive(b"\xff") == []


@pytest.mark.parametrize("frame", ['{"jsonrpc":"2.0","id":1,"method":"a"}', b"\xff", "[]", "[{}]"])
def test_nothing_is_read_after_a_violation(pair: ProtocolPair, frame: str | bytes) -> None:
    """After a violation frames are ignored."""
    ((what, *_),) = pair.server.receive("[]")
    assert what == "violation"

    assert pair.server.receive(frame) == []
    assert len(pair.server.protocol.incoming) == 0
