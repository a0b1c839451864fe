"""The commands of one peer: calling, answering, streaming, and what leaves in which frame."""

from __future__ import annotations

import json
from typing import Any

import pytest

from farcall._limits import DEFAULT_LIMITS
from farcall._protocol.core import MAX_TAKEN, Protocol
from farcall._protocol.credit import DEFAULT_WINDOW, Window
from farcall._protocol.events import (
    CancelReceived,
    ErrorReceived,
    ItemsReceived,
    RequestReceived,
    ResultReceived,
    StartedReceived,
    Violation,
)
from farcall._protocol.messages import (
    Cancel,
    Credit,
    Error,
    ErrorResponse,
    Event,
    Message,
    Request,
    Response,
)
from farcall._protocol.state import IncomingCall, LocalProtocolError, Stage
from farcall._protocol.wire import BUNDLE_BYTES
from farcall.errors import EncodeError, ErrorCode
from tests.protocol.pair import MESSAGE_LIMIT, ProtocolPair, make_hello

DEFAULT_MESSAGE_OUT = DEFAULT_LIMITS.message_out

CANCELLED = Error.of(ErrorCode.CANCELLED)


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


def error_of(message: Message | None) -> Any:
    assert isinstance(message, ErrorResponse)
    return json.loads(message.render())["error"]


# Calling


def test_a_call_makes_the_round_trip(pair: ProtocolPair) -> None:
    """A request, its response, and both tables are empty again."""
    outgoing, incoming = pair.call("add", b"[1,2]")
    assert (incoming.method, incoming.params) == ("add", b"[1,2]")

    pair.server.send(pair.server.protocol.respond(incoming, b"3"))

    assert pair.deliver_to_client() == [ResultReceived(outgoing, b"3")]
    assert len(pair.client.protocol.outgoing) == len(pair.server.protocol.incoming) == 0


def test_an_error_makes_the_round_trip(pair: ProtocolPair) -> None:
    """An error comes with its code, its message and its data."""
    outgoing, incoming = pair.call()

    pair.server.send(pair.server.protocol.fail(incoming, Error(1, "no", b'{"code":"No"}')))

    assert pair.deliver_to_client() == [ErrorReceived(outgoing, 1, "no", b'{"code":"No"}')]


def test_each_side_numbers_its_calls(plain: ProtocolPair) -> None:
    """Who dialled counts from 1 up, who accepted from "s1"."""
    assert [plain.client.call("a").id for _ in range(2)] == [b"1", b"2"]
    assert [plain.server.call("a").id for _ in range(2)] == [b'"s1"', b'"s2"']


def test_a_call_is_sent_when_the_writer_takes_it(pair: ProtocolPair) -> None:
    """Between making a call and rendering its message it is in flight, and not sent."""
    call, request = pair.client.protocol.request("add", None)
    assert call in list(pair.client.protocol.outgoing)
    assert not call.was_sent

    pair.client.protocol.render(request)

    assert call.was_sent


def test_a_call_is_not_sent_twice(pair: ProtocolPair) -> None:
    """Calls are at most once; a second try is a defect of this side."""
    _, request = pair.client.protocol.request("add", None)
    pair.client.protocol.render(request)

    with pytest.raises(LocalProtocolError):
        pair.client.protocol.render(request)


def test_a_call_in_the_queue_can_be_withdrawn(pair: ProtocolPair) -> None:
    """The peer never hears of it, and the id is settled."""
    call, _ = pair.client.protocol.request("add", None)

    pair.client.protocol.withdraw(call)

    assert call.stage is Stage.ENDED
    assert len(pair.client.protocol.outgoing) == 0


def test_a_call_that_was_sent_cannot_be_withdrawn(pair: ProtocolPair) -> None:
    """From there on only the peer knows its outcome."""
    call = pair.client.call("add")

    with pytest.raises(LocalProtocolError):
        pair.client.protocol.withdraw(call)


def test_a_call_in_the_queue_cannot_be_abandoned(pair: ProtocolPair) -> None:
    """Nothing is to be waited for; it is withdrawn instead."""
    call, _ = pair.client.protocol.request("add", None)

    with pytest.raises(LocalProtocolError):
        pair.client.protocol.abandon(call)


def test_an_abandoned_call_counts_until_it_is_answered(pair: ProtocolPair) -> None:
    """The peer may still be working on it."""
    outgoing, incoming = pair.call()
    pair.client.protocol.abandon(outgoing)
    assert len(pair.client.protocol.outgoing) == 1

    pair.server.send(pair.server.protocol.respond(incoming, b"3"))

    assert pair.deliver_to_client() == []
    assert len(pair.client.protocol.outgoing) == 0


def test_a_notification_is_in_no_table(plain: ProtocolPair) -> None:
    """What expects no answer is not in flight."""
    plain.client.send(plain.client.protocol.notify("log", b"[1]", traceparent="00-a-b-01"))

    assert len(plain.client.protocol.outgoing) == 0
    assert plain.client.sent.popleft() == b'{"jsonrpc":"2.0","method":"log","params":[1]}'


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (1, False)])
def test_a_request_has_the_size_that_the_peer_takes(excess: int, is_fine: bool) -> None:
    """A larger one is refused before anything is sent, and the limit is named."""
    pair = ProtocolPair.greeted(server=make_hello(message=100))
    envelope = len(Request("add", b'""', b"2").render())
    params = b'"%b"' % (b"x" * (100 - envelope + excess))

    if is_fine:
        (frame,) = pair.client.send(pair.client.protocol.request("add", params)[1])
        assert len(frame) == 100
    else:
        with pytest.raises(EncodeError, match=r"has 101 bytes; .* 100 .*limit message"):
            pair.client.protocol.request("add", params)
        with pytest.raises(EncodeError):
            pair.client.protocol.notify("add", params + b" " * 20)
        assert len(pair.client.protocol.outgoing) == 0


def test_a_plain_peer_takes_what_our_own_client_would(plain: ProtocolPair) -> None:
    """A peer that announced nothing gets up to 16 MiB."""
    assert plain.client.protocol.message_limit == DEFAULT_MESSAGE_OUT
    plain.greet()
    assert plain.client.protocol.message_limit == MESSAGE_LIMIT


@pytest.mark.parametrize(("depth", "is_fine"), [(63, True), (64, False)])
def test_a_request_nests_as_deep_as_the_peer_reads(
    pair: ProtocolPair, depth: int, is_fine: bool
) -> None:
    """The envelope is one level; whatever passes here is read at the other end."""
    if is_fine:
        _, incoming = pair.call("add", nested(depth))
        assert incoming.params == nested(depth)
    else:
        with pytest.raises(EncodeError, match="limit depth"):
            pair.client.protocol.request("add", nested(depth))


def test_a_name_that_is_no_text_is_refused(pair: ProtocolPair) -> None:
    """A method's name is the caller's; what JSON cannot hold is the caller's error."""
    with pytest.raises(EncodeError):
        pair.client.protocol.request("\ud800", None)
    with pytest.raises(EncodeError):
        pair.client.protocol.notify("\ud800", None)


def test_a_protocol_tells_what_it_greets_with() -> None:
    """Its own greeting is there from the beginning, the peer's when it has come."""
    protocol = Protocol(make_hello(), has_dialled=True)

    assert protocol.own == make_hello()
    assert protocol.peer is None


# Cancelling


def test_a_cancel_is_answered(pair: ProtocolPair) -> None:
    """A cancelled call still ends with exactly one response."""
    outgoing, incoming = pair.call()
    pair.client.send(pair.client.protocol.cancel(outgoing, "caller"))

    assert pair.deliver_to_server() == [CancelReceived(incoming, "caller")]

    pair.server.send(pair.server.protocol.fail(incoming, CANCELLED))

    assert pair.deliver_to_client() == [ErrorReceived(outgoing, -32800, "Cancelled", None)]
    assert pair.deliver_to_client() == []


def test_a_result_may_win_against_a_cancel(pair: ProtocolPair) -> None:
    """When both cross on the way, the call ends with its result."""
    outgoing, incoming = pair.call()
    pair.server.send(pair.server.protocol.respond(incoming, b"3"))
    pair.client.send(pair.client.protocol.cancel(outgoing, "caller"))

    assert pair.deliver_to_client() == [ResultReceived(outgoing, b"3")]
    assert pair.deliver_to_server() == []


def test_a_call_is_cancelled_once(pair: ProtocolPair) -> None:
    """Asking again says nothing new."""
    outgoing, _ = pair.call()

    assert pair.client.protocol.cancel(outgoing, "deadline") == Cancel(outgoing.id, "deadline")
    assert pair.client.protocol.cancel(outgoing, "caller") is None


def test_a_call_in_the_queue_is_not_cancelled(pair: ProtocolPair) -> None:
    """The peer has not heard of it; it is withdrawn."""
    call, _ = pair.client.protocol.request("add", None)

    assert pair.client.protocol.cancel(call, "caller") is None


def test_a_settled_call_is_not_cancelled(pair: ProtocolPair) -> None:
    """There is nothing left to end."""
    outgoing, incoming = pair.call()
    pair.server.send(pair.server.protocol.respond(incoming, b"3"))
    pair.deliver_to_client()

    assert pair.client.protocol.cancel(outgoing, "caller") is None


def test_an_abandoned_call_is_not_cancelled(pair: ProtocolPair) -> None:
    """Whoever gave up has asked before."""
    outgoing, _ = pair.call()
    pair.client.protocol.abandon(outgoing)

    assert pair.client.protocol.cancel(outgoing, "caller") is None


def test_a_plain_peer_cannot_be_asked_to_cancel(plain: ProtocolPair) -> None:
    """JSON-RPC has no word for it."""
    outgoing, _ = plain.call()

    assert plain.client.protocol.cancel(outgoing, "caller") is None


# Answering


def test_a_call_is_answered_once(pair: ProtocolPair) -> None:
    """A second answer is a defect of this side."""
    _, incoming = pair.call()
    pair.server.protocol.respond(incoming, b"3")

    with pytest.raises(LocalProtocolError):
        pair.server.protocol.respond(incoming, b"3")
    with pytest.raises(LocalProtocolError):
        pair.server.protocol.fail(incoming, CANCELLED)


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (7, False)])
def test_a_result_has_the_size_that_the_peer_takes(excess: int, is_fine: bool) -> None:
    """A larger one becomes -32008 for that call alone, with the limit named."""
    pair = ProtocolPair.greeted(client=make_hello(message=200))
    _, incoming = pair.call()
    envelope = len(Response(incoming.id, b'""').render())
    answer = pair.server.protocol.respond(incoming, b'"%b"' % (b"x" * (200 - envelope + excess)))

    if is_fine:
        assert answer is not None
        assert len(answer.render()) == 200
    else:
        assert error_of(answer) == {
            "code": -32008,
            "message": "Reply too large",
            "data": {"limit": "message", "bytes": 200, "excess": excess},
        }


def test_an_error_has_the_size_that_the_peer_takes() -> None:
    """Errors carry fields of the user, so they can be too large as well."""
    pair = ProtocolPair.greeted(client=make_hello(message=200))
    _, incoming = pair.call()

    answer = pair.server.protocol.fail(incoming, Error(1, "no", b'"%b"' % (b"x" * 200)))

    assert error_of(answer)["code"] == -32008


@pytest.mark.parametrize(("depth", "is_fine"), [(63, True), (64, False)])
def test_a_result_nests_as_deep_as_the_peer_reads(
    pair: ProtocolPair, depth: int, is_fine: bool
) -> None:
    """A deeper one becomes -32008, and the link lives."""
    outgoing, incoming = pair.call()
    answer = pair.server.protocol.respond(incoming, nested(depth))

    if is_fine:
        pair.server.send(answer)
        assert pair.deliver_to_client() == [ResultReceived(outgoing, nested(depth))]
    else:
        error = error_of(answer)
        assert (error["code"], error["data"]) == (-32008, {"limit": "depth", "most": 64})


def test_deep_messages_may_share_a_frame(pair: ProtocolPair) -> None:
    """A message cannot know that it will be bundled, so the array around it is no level."""
    calls = [pair.call() for _ in range(2)]
    pair.server.send(*(pair.server.protocol.respond(incoming, nested(63)) for _, incoming in calls))

    assert len(pair.server.sent) == 1
    assert pair.deliver_to_client() == [
        ResultReceived(outgoing, nested(63)) for outgoing, _ in calls
    ]


def test_the_reply_to_a_batch_is_one_message(plain: ProtocolPair) -> None:
    """The answers to a batch share the limit; those that find no room become -32008."""
    events = plain.server.receive(
        b"[%b]" % b",".join(b'{"jsonrpc":"2.0","id":%d,"method":"a"}' % n for n in range(3))
    )
    calls = [event.call for event in events if isinstance(event, RequestReceived)]
    half = b'"%b"' % (b"x" * (DEFAULT_MESSAGE_OUT // 2))
    for call in calls[:2]:
        assert plain.server.protocol.respond(call, half) is None
    (frame,) = plain.server.send(plain.server.protocol.respond(calls[2], b"1"))

    answers = json.loads(frame)
    assert ["result" in answer for answer in answers] == [True, False, True]
    assert answers[1]["error"]["code"] == -32008
    assert len(frame) < DEFAULT_MESSAGE_OUT


# Streams


def test_a_stream_makes_the_round_trip(pair: ProtocolPair) -> None:
    """Started, items, and the response that ends id, stream and call."""
    outgoing, incoming = pair.stream()
    pair.server.send(
        pair.server.protocol.items(incoming, [b"1", b"2"], cursor="c", missed=5),
        pair.server.protocol.respond(incoming, b"null"),
    )

    assert pair.deliver_to_client() == [
        ItemsReceived(outgoing, [b"1", b"2"], "c", 5),
        ResultReceived(outgoing, b"null"),
    ]
    assert len(pair.client.protocol.outgoing) == len(pair.server.protocol.incoming) == 0


def test_a_stream_starts_once(pair: ProtocolPair) -> None:
    """A second start is a defect of this side."""
    _, incoming = pair.stream()

    with pytest.raises(LocalProtocolError):
        pair.server.protocol.start(incoming, b"{}")


def test_items_follow_the_start(pair: ProtocolPair) -> None:
    """Items of a stream that has not started are a defect of this side."""
    _, incoming = pair.call("rpc.subscribe", b"{}", window=Window())

    with pytest.raises(LocalProtocolError):
        pair.server.protocol.items(incoming, [b"1"])


def test_no_items_follow_the_end(pair: ProtocolPair) -> None:
    """Items of a stream that has been answered are a defect of this side."""
    _, incoming = pair.stream()
    pair.server.protocol.respond(incoming, b"null")

    with pytest.raises(LocalProtocolError):
        pair.server.protocol.items(incoming, [b"1"])


def test_items_spend_credit(pair: ProtocolPair) -> None:
    """What may be sent is known after each message, in both units."""
    _, incoming = pair.stream(Window(4, 100))
    pair.server.protocol.items(incoming, [b"1", b"22"])

    credit = pair.server.protocol.send_credit(incoming)

    assert (credit.items_left, credit.bytes_left) == (2, 97)


def test_a_stream_without_a_window_has_the_usual_one(pair: ProtocolPair) -> None:
    """A peer that named no window gets the one of the protocol."""
    _, incoming = pair.call("rpc.subscribe", b"{}")
    credit = pair.server.protocol.send_credit(incoming)

    assert credit.window == DEFAULT_WINDOW
    assert pair.server.protocol.send_credit(incoming) is credit


def test_consuming_gives_credit(pair: ProtocolPair) -> None:
    """The receiver tells the sender as it takes values, and the sender may go on."""
    outgoing, incoming = pair.stream(Window(2, 100))
    pair.server.send(pair.server.protocol.items(incoming, [b"1", b"2"]))
    pair.deliver_to_client()
    assert pair.server.protocol.send_credit(incoming).items_left == 0

    credit = pair.client.protocol.consume(outgoing, 1)
    pair.client.send(credit)
    pair.deliver_to_server()

    assert credit == Credit(outgoing.id, 3, 101)
    assert pair.server.protocol.send_credit(incoming).items_left == 1


def test_no_credit_is_given_before_it_is_due(pair: ProtocolPair) -> None:
    """Credit is worth a message when half of the window is free."""
    outgoing, incoming = pair.stream(Window(4, 100))
    pair.server.send(pair.server.protocol.items(incoming, [b"1"] * 4))
    pair.deliver_to_client()

    assert pair.client.protocol.consume(outgoing, 1) is None
    assert pair.client.protocol.consume(outgoing, 1) is not None


def test_no_credit_is_given_for_a_stream_that_has_ended(pair: ProtocolPair) -> None:
    """Values that are still in the buffer may be taken after the end; nobody needs to know."""
    outgoing, incoming = pair.stream()
    pair.server.send(
        pair.server.protocol.items(incoming, [b"1"]),
        pair.server.protocol.respond(incoming, b"null"),
    )
    pair.deliver_to_client()

    assert pair.client.protocol.consume(outgoing, 1) is None


def test_no_credit_is_given_for_an_abandoned_stream(pair: ProtocolPair) -> None:
    """A stream that nobody reads runs dry."""
    outgoing, _ = pair.stream(Window(1, 1))
    pair.client.protocol.abandon(outgoing)

    assert pair.client.protocol.consume(outgoing, 1) is None


def test_a_call_without_a_window_has_no_credit(pair: ProtocolPair) -> None:
    """Only streams are flow-controlled."""
    outgoing, _ = pair.call()

    assert pair.client.protocol.consume(outgoing, 1) is None


def test_a_stream_can_be_cancelled_before_it_starts(pair: ProtocolPair) -> None:
    """What crosses the cancel on its way is fine, and the answer ends it."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window())
    pair.client.send(pair.client.protocol.cancel(outgoing, "caller"))
    pair.server.send(pair.server.protocol.start(incoming, b"{}"))
    pair.deliver_to_server()
    pair.server.send(pair.server.protocol.fail(incoming, CANCELLED))

    assert pair.deliver_to_client() == [
        StartedReceived(outgoing, b"{}"),
        ErrorReceived(outgoing, -32800, "Cancelled", None),
    ]


# Writing


def test_a_plain_peer_gets_each_message_in_its_own_frame(plain: ProtocolPair) -> None:
    """Most JSON-RPC clients read no arrays."""
    assert len(plain.server.send(Event("a", b"1"), Event("b", b"2"))) == 2


def test_messages_to_a_farcall_peer_are_joined(pair: ProtocolPair) -> None:
    """What waits at the same time leaves in one frame."""
    (frame,) = pair.client.send(Request("a"), Request("b"))

    assert [each["method"] for each in json.loads(frame)] == ["a", "b"]


@pytest.mark.parametrize(
    ("client", "server", "frames"), [(256, 2, [2, 2, 1]), (3, 256, [3, 2]), (256, 256, [5])]
)
def test_a_bundle_holds_what_the_peer_announced(
    client: int, server: int, frames: list[int]
) -> None:
    """A bundle has no more messages than either side takes."""
    pair = ProtocolPair.greeted(make_hello(bundle=client), make_hello(bundle=server))
    sent = pair.client.send(*[Request("a")] * 5)

    assert [len(json.loads(frame)) if frame[:1] == b"[" else 1 for frame in sent] == frames


def test_a_bundle_is_no_larger_than_the_peer_reads() -> None:
    """A peer that takes small messages gets small bundles."""
    pair = ProtocolPair.greeted(server=make_hello(message=200))
    frames = pair.client.send(*[Request("a", b"[1]")] * 20)

    assert max(map(len, frames)) <= 200
    assert sum(frame.count(b"method") for frame in frames) == 20


def test_the_writer_takes_no_more_messages_than_it_can_send_soon(pair: ProtocolPair) -> None:
    """What is left in the queue may still change, or be withdrawn."""
    waiting = iter([Request("a")] * (MAX_TAKEN + 1))
    pair.client.protocol.frames(waiting)

    assert list(waiting) == [Request("a")]


def test_the_writer_takes_no_more_bytes_than_it_can_send_soon(pair: ProtocolPair) -> None:
    """A large message ends what is taken at once."""
    large = Request("a", b'["%b"]' % (b"x" * BUNDLE_BYTES))
    waiting = iter([Request("b"), large, Request("c")])

    assert len(pair.client.protocol.frames(waiting)) == 2
    assert list(waiting) == [Request("c")]


def test_a_message_of_a_withdrawn_call_changes_nothing(pair: ProtocolPair) -> None:
    """The queue is the owner's; a message that it forgot to drop settles no id again."""
    call, request = pair.client.protocol.request("add", None)
    pair.client.protocol.withdraw(call)

    pair.client.protocol.render(request)

    assert call.stage is Stage.ENDED


# The end


def test_a_lost_link_gives_the_open_calls(pair: ProtocolPair) -> None:
    """Whether each was sent decides whether it is safe to repeat."""
    sent = pair.client.call("a")
    queued, _ = pair.client.protocol.request("b", None)

    calls = pair.client.protocol.cut()

    assert [(call, call.was_sent) for call in calls] == [(sent, True), (queued, False)]
    assert len(pair.client.protocol.outgoing) == 0


def test_a_lost_link_forgets_the_calls_of_the_peer(pair: ProtocolPair) -> None:
    """Nobody is left who could be answered; a handler that ends late does no harm."""
    _, incoming = pair.call()

    assert pair.server.protocol.cut() == []

    assert len(pair.server.protocol.incoming) == 0
    pair.server.protocol.respond(incoming, b"3")


def test_nothing_is_read_from_a_lost_link(pair: ProtocolPair) -> None:
    """A frame that was under way means nothing any more."""
    pair.client.call("a")
    pair.server.protocol.cut()

    assert pair.deliver_to_server() == []


def test_nothing_is_read_after_a_violation(pair: ProtocolPair) -> None:
    """The link is about to be closed; what else the peer says has no effect."""
    (event,) = pair.server.receive("[]")
    assert isinstance(event, Violation)

    assert pair.server.receive('{"jsonrpc":"2.0","id":1,"method":"a"}') == []
    assert len(pair.server.protocol.incoming) == 0


def test_a_call_of_the_peer_knows_its_window(pair: ProtocolPair) -> None:
    """The layer above tells a stream call by its credit, and needs not ask twice."""
    incoming = IncomingCall(b"1", "rpc.subscribe", credit=Window(1, 2).for_sender())

    assert pair.server.protocol.send_credit(incoming).window == Window(1, 2)


@pytest.mark.parametrize(("excess", "is_fine"), [(0, True), (1, False)])
def test_the_reply_to_a_batch_may_fill_a_message(
    plain: ProtocolPair, excess: int, is_fine: bool
) -> None:
    """Brackets and commas count."""
    events = plain.server.receive(
        b"[%b]" % b",".join(b'{"jsonrpc":"2.0","id":%d,"method":"a"}' % n for n in range(2))
    )
    first, second = [event.call for event in events if isinstance(event, RequestReceived)]
    assert plain.server.protocol.respond(first, b"1") is None
    around = sum(len(Response(call.id, b"").render()) for call in (first, second)) + len("[1,]")
    text = b'"%b"' % (b"x" * (DEFAULT_MESSAGE_OUT - around - 2 + excess))
    (frame,) = plain.server.send(plain.server.protocol.respond(second, text))

    assert (len(frame) == DEFAULT_MESSAGE_OUT) is is_fine
    assert len(frame) <= DEFAULT_MESSAGE_OUT
