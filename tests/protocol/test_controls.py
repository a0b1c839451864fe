"""What farcall peers tell each other about calls in flight."""

from __future__ import annotations

import pytest

from farcall._protocol.credit import SendCredit, Window
from farcall._protocol.events import (
    CancelReceived,
    CreditReceived,
    GoawayReceived,
    ItemsReceived,
    RequestReceived,
    ResultReceived,
    StartedReceived,
    Stray,
    Violation,
)
from farcall._protocol.messages import Cancel, Credit, Goaway, Items, Started
from farcall._protocol.state import IncomingCall
from tests.protocol.pair import ProtocolPair
from tests.protocol.saying import called, refused, say


def test_a_request_opens_a_window(pair: ProtocolPair) -> None:
    """What the peer can take is known before the first item is sent."""
    _, call = pair.call("rpc.subscribe", b"{}", window=Window(1, 2))

    assert call.credit == SendCredit(Window(1, 2))


@pytest.mark.parametrize("meta", ["5", "null", '{"credit":5}', '{"credit":[0,0]}'])
def test_a_malformed_window_is_refused(pair: ProtocolPair, meta: str) -> None:
    """Whoever opens a window says how large it is."""
    event = say(pair.server, f'"id":7,"method":"rpc.subscribe","meta":{meta}')

    assert refused(event, -32600) == 7


@pytest.mark.parametrize("meta", ["5", '{"credit":5}', '{"credit":[1,1]}'])
def test_meta_of_a_plain_peer_means_nothing(plain: ProtocolPair, meta: str) -> None:
    """The member is unknown to JSON-RPC, so it may hold anything and has no effect."""
    assert called(plain.server, f'"id":7,"method":"add","meta":{meta}').credit is None


def test_a_stream_starts_once(pair: ProtocolPair) -> None:
    """The first `rpc.started` opens the stream, a second one ends the link."""
    outgoing, _ = pair.stream()

    (event,) = pair.client.receive(Started(outgoing.id, b"{}").render())

    assert event == Violation(1002, "rpc.started for id 2")


def test_a_task_starts_once(pair: ProtocolPair) -> None:
    """A call whose caller expects it may start as a stream does, and then ends with its result."""
    outgoing, request = pair.client.protocol.request("run", None, may_start=True)
    pair.client.send(request)
    incoming = called_by(pair)
    pair.server.send(pair.server.protocol.start(incoming, b"1"))

    assert pair.deliver_to_client() == [StartedReceived(outgoing, b"1")]

    (event,) = pair.client.receive(Started(outgoing.id, b"1").render())
    assert event == Violation(1002, "rpc.started for id 2")


def test_a_task_ends_with_its_result(pair: ProtocolPair) -> None:
    """Whether it has started or not."""
    for has_started in (True, False):
        outgoing, request = pair.client.protocol.request("run", None, may_start=True)
        pair.client.send(request)
        incoming = called_by(pair)
        if has_started:
            pair.server.send(pair.server.protocol.start(incoming, b"1"))
        pair.server.send(pair.server.protocol.respond(incoming, b"2"))

        assert pair.deliver_to_client()[-1] == ResultReceived(outgoing, b"2")


def test_a_task_brings_no_items(pair: ProtocolPair) -> None:
    """It opened no window for them."""
    outgoing, request = pair.client.protocol.request("run", None, may_start=True)
    pair.client.send(request)
    pair.server.send(pair.server.protocol.start(called_by(pair), b"1"))
    pair.deliver_to_client()

    (event,) = pair.client.receive(Items(outgoing.id, 0, [b"1"]).render())

    assert event == Violation(1002, "rpc.items for id 2")


def test_a_call_that_wants_no_start_has_none(pair: ProtocolPair) -> None:
    """Its caller would not know what to do with the value."""
    outgoing, _ = pair.call("add")

    (event,) = pair.client.receive(Started(outgoing.id, b"1").render())

    assert event == Violation(1002, "rpc.started for id 2")


def called_by(pair: ProtocolPair) -> IncomingCall:
    (event,) = pair.deliver_to_server()
    assert isinstance(event, RequestReceived)
    return event.call


def test_items_come_in_order(pair: ProtocolPair) -> None:
    """Values are handed on as they were written, with their cursor and what was missed."""
    outgoing, incoming = pair.stream()
    pair.server.send(
        pair.server.protocol.items(incoming, [b"1", b"[ ]"]),
        pair.server.protocol.items(incoming, [], cursor="c"),
        pair.server.protocol.items(incoming, [b"3"], missed=None),
    )

    assert pair.deliver_to_client() == [
        ItemsReceived(outgoing, [b"1", b"[ ]"], None, 0),
        ItemsReceived(outgoing, [], "c", 0),
        ItemsReceived(outgoing, [b"3"], None, None),
    ]


def test_a_cursor_may_follow_a_large_item(pair: ProtocolPair) -> None:
    """An empty batch needs no credit, which a large item has overdrawn."""
    _, incoming = pair.stream(Window(4, 10))
    pair.server.send(
        pair.server.protocol.items(incoming, [b"1" * 100]),
        pair.server.protocol.items(incoming, [], cursor="c"),
    )

    assert [type(event) for event in pair.deliver_to_client()] == [ItemsReceived] * 2


@pytest.mark.parametrize("seq", [0, 2, 2**53])
def test_items_out_of_order_are_a_violation(pair: ProtocolPair, seq: int) -> None:
    """A gap, or a repetition, is nothing a reader could repair."""
    outgoing, incoming = pair.stream()
    pair.server.send(pair.server.protocol.items(incoming, [b"1"]))
    pair.deliver_to_client()

    (event,) = pair.client.receive(Items(outgoing.id, seq, [b"2"]).render())

    assert event == Violation(1002, f"rpc.items with seq {seq} where 1 was due")


def test_items_beyond_the_credit_are_a_violation(pair: ProtocolPair) -> None:
    """A sender that ignores flow control is not read any further."""
    outgoing, _ = pair.stream(Window(2, 100))

    (event,) = pair.client.receive(Items(outgoing.id, 0, [b"1"] * 3).render())

    assert event == Violation(1002, "rpc.items beyond the credit of its stream")


def test_items_before_the_start_are_a_violation(pair: ProtocolPair) -> None:
    """A stream begins with `rpc.started`."""
    outgoing, _ = pair.call("rpc.subscribe", b"{}", window=Window())

    (event,) = pair.client.receive(Items(outgoing.id, 0, [b"1"]).render())

    assert event == Violation(1002, "rpc.items for id 2")


@pytest.mark.parametrize("message", [Started(b"2", b"{}"), Items(b"2", 0, [b"1"])])
def test_nothing_follows_the_end_of_a_stream(pair: ProtocolPair, message: Started | Items) -> None:
    """The response ends id, stream and call together."""
    _, incoming = pair.stream()
    pair.server.send(pair.server.protocol.respond(incoming, b"null"))
    pair.deliver_to_client()

    (event,) = pair.client.receive(message.render())

    assert isinstance(event, Violation)


@pytest.mark.parametrize("message", [Started(b"2", b"{}"), Items(b"2", 0, [b"1"])])
def test_a_call_is_no_stream(pair: ProtocolPair, message: Started | Items) -> None:
    """A call that opened no window neither starts nor brings items."""
    pair.call()

    (event,) = pair.client.receive(message.render())

    assert isinstance(event, Violation)


@pytest.mark.parametrize("message", [Started(b"2", b"{}"), Items(b"2", 0, [b"1"])])
def test_a_call_in_the_queue_is_no_stream_yet(pair: ProtocolPair, message: Started | Items) -> None:
    """What the peer cannot have seen it cannot speak about."""
    pair.client.protocol.request("rpc.subscribe", b"{}", window=Window())

    (event,) = pair.client.receive(message.render())

    assert isinstance(event, Violation)


def test_an_abandoned_stream_is_read_in_silence(pair: ProtocolPair) -> None:
    """What was on its way when the caller left is checked, and dropped."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window(2, 100))
    pair.client.protocol.abandon(outgoing)
    pair.server.send(
        pair.server.protocol.start(incoming, b"{}"),
        pair.server.protocol.items(incoming, [b"1", b"2"]),
    )

    assert pair.deliver_to_client() == []

    (event,) = pair.client.receive(Items(outgoing.id, 2, [b"3"]).render())
    assert event == Violation(1002, "rpc.items beyond the credit of its stream")


def test_credit_gives_room(pair: ProtocolPair) -> None:
    """The sender is told when it may send more."""
    outgoing, incoming = pair.stream(Window(2, 100))
    pair.client.send(Credit(outgoing.id, 3, 101))

    assert pair.deliver_to_server() == [CreditReceived(incoming)]
    assert incoming.credit is not None
    assert incoming.credit.items_left == 3


@pytest.mark.parametrize("credit", [Credit(b"2", 2, 100), Credit(b"9", 50, 500)])
def test_credit_that_gives_nothing_is_ignored(pair: ProtocolPair, credit: Credit) -> None:
    """Old totals, and those of a stream that has ended meanwhile, are no fault."""
    pair.stream(Window(2, 100))
    pair.client.send(credit)

    assert pair.deliver_to_server() == []


def test_credit_for_a_call_is_ignored(pair: ProtocolPair) -> None:
    """A call that opened no window has no use for credit."""
    outgoing, _ = pair.call()
    pair.client.send(Credit(outgoing.id, 2**53, 2**53))

    assert pair.deliver_to_server() == []


@pytest.mark.parametrize("peer", ["pair", "plain"])
def test_a_cancel_reaches_its_call(peer: str, request: pytest.FixtureRequest) -> None:
    """The call is told, and stays in flight until it is answered."""
    pair: ProtocolPair = request.getfixturevalue(peer)
    _, incoming = pair.call()
    id = incoming.id.decode()

    event = say(pair.server, f'"method":"$/cancelRequest","params":{{"id":{id}}}')

    assert event == CancelReceived(incoming, "caller")
    assert incoming in list(pair.server.protocol.incoming)


def test_a_cancel_has_a_reason(pair: ProtocolPair) -> None:
    """Between farcall peers a cancel says why."""
    outgoing, incoming = pair.call()
    pair.client.send(Cancel(outgoing.id, "deadline"))

    assert pair.deliver_to_server() == [CancelReceived(incoming, "deadline")]


@pytest.mark.parametrize("method", ["rpc.cancel", "$/cancelRequest"])
def test_a_cancel_that_crossed_the_answer_is_ignored(pair: ProtocolPair, method: str) -> None:
    """When the call has been answered already, there is nothing left to do."""
    frame = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"id":7}}}}'

    assert pair.server.receive(frame) == []


@pytest.mark.parametrize("params", ["", ',"params":[1]', ',"params":{}', ',"params":{"x":1}'])
def test_a_foreign_cancel_may_be_malformed(pair: ProtocolPair, params: str) -> None:
    """`$/cancelRequest` is not our word, so nothing follows from a wrong one."""
    assert isinstance(say(pair.server, f'"method":"$/cancelRequest"{params}'), Stray)


@pytest.mark.parametrize(
    "method", ["rpc.cancel", "rpc.credit", "rpc.items", "rpc.started", "rpc.goaway"]
)
@pytest.mark.parametrize("params", ["null", "[]", '{"id":1,"grace_ms":-1,"seq":-1,"reason":1}'])
def test_a_malformed_word_of_our_own_is_a_violation(
    pair: ProtocolPair, method: str, params: str
) -> None:
    """A farcall peer that says these things says them right."""
    event = say(pair.server, f'"method":"{method}","params":{params}')

    assert isinstance(event, Violation)
    assert event.code == 1002
    assert event.problem.startswith(method)


def test_a_goaway_is_heard(pair: ProtocolPair) -> None:
    """The peer is about to close, and says how long it waits."""
    pair.server.send(Goaway(10_000, 500))

    assert pair.deliver_to_client() == [GoawayReceived(10_000, 500)]


def test_a_violation_fits_into_a_close_frame(pair: ProtocolPair) -> None:
    """Of an id as large as a message, what is reported stays short."""
    id = f'"{"x" * 100_000}"'.encode()

    for message in (Started(id, b"1"), Items(id, 0, [])):
        (event,) = ProtocolPair.greeted().client.receive(message.render())
        assert isinstance(event, Violation)
        assert len(event.problem) <= 123


def test_a_message_with_a_null_id_holds_nothing(pair: ProtocolPair) -> None:
    """Null names no call, in what is said about calls either."""
    called(pair.server, '"id":null,"method":"rpc.subscribe","meta":{"credit":[1,1]}')
    pair.client.send(Cancel(b"null", "caller"), Credit(b"null", 5, 5))

    assert pair.deliver_to_server() == []


def test_a_start_is_told_with_its_value(pair: ProtocolPair) -> None:
    """The value of `rpc.started` is handed on as it was written."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window())
    pair.server.send(pair.server.protocol.start(incoming, b'{"cursor": 1}'))

    assert pair.deliver_to_client() == [StartedReceived(outgoing, b'{"cursor": 1}')]
