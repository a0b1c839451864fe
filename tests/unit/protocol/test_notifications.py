"""What farcall peers tell each other about calls in flight."""

from __future__ import annotations

import pytest

from farcall._protocol.credit import SendCredit, Window
from farcall._protocol.messages import cancel, credit, goaway, items, started
from tests.unit.protocol.pair import ProtocolPair
from tests.unit.protocol.reply import refused


def test_a_request_opens_a_window(pair: ProtocolPair) -> None:
    """What the peer can take is known before the first item is sent."""
    _, call = pair.call("rpc.subscribe", b"{}", window=Window(1, 2))

    assert call.credit == SendCredit(Window(1, 2))


@pytest.mark.parametrize("meta", ["5", "null", '{"credit":5}', '{"credit":[0,0]}'])
def test_a_malformed_window_is_refused(pair: ProtocolPair, meta: str) -> None:
    """Whoever opens a window says how large it is."""
    told = pair.server.say(f'"id":7,"method":"rpc.subscribe","meta":{meta}')

    assert refused(told, -32600) == 7


@pytest.mark.parametrize("meta", ["5", '{"credit":5}', '{"credit":[1,1]}'])
def test_meta_of_a_plain_peer_means_nothing(plain: ProtocolPair, meta: str) -> None:
    """The member is unknown to JSON-RPC, so it may hold anything and has no effect."""
    assert plain.server.called(f'"id":7,"method":"add","meta":{meta}').credit is None


# rpc.started


def test_a_start_is_told_with_its_value(pair: ProtocolPair) -> None:
    """The value of `rpc.started` is handed on as it was written."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window())
    pair.server.start(incoming, b'{"cursor": 1}')

    assert pair.to_client() == [("started", outgoing, b'{"cursor": 1}')]


def test_a_stream_starts_once(pair: ProtocolPair) -> None:
    """The first `rpc.started` opens the stream, a second one ends the link."""
    outgoing, _ = pair.stream()

    assert pair.client.receive(started(outgoing.id, b"{}")) == [
        ("violation", 1002, "rpc.started for id 2")
    ]


def test_a_task_starts_once(pair: ProtocolPair) -> None:
    """A call whose caller expects it may start as a stream does."""
    outgoing, incoming = pair.call("run", may_start=True)
    pair.server.start(incoming, b"1")
    assert pair.to_client() == [("started", outgoing, b"1")]

    assert pair.client.receive(started(outgoing.id, b"1")) == [
        ("violation", 1002, "rpc.started for id 2")
    ]


@pytest.mark.parametrize("has_started", [True, False])
def test_a_task_ends_with_its_result(pair: ProtocolPair, has_started: bool) -> None:
    """Whether it has started or not."""
    outgoing, incoming = pair.call("run", may_start=True)
    if has_started:
        pair.server.start(incoming, b"1")
    pair.server.respond(incoming, b"2")

    assert pair.to_client()[-1] == ("result", outgoing, b"2")


def test_a_task_brings_no_items(pair: ProtocolPair) -> None:
    """It opened no window for them."""
    outgoing, incoming = pair.call("run", may_start=True)
    pair.server.start(incoming, b"1")
    pair.to_client()

    assert pair.client.receive(items(outgoing.id, 0, [b"1"])) == [
        ("violation", 1002, "rpc.items for id 2")
    ]


def test_a_call_that_wants_no_start_has_none(pair: ProtocolPair) -> None:
    """Its caller would not know what to do with the value."""
    outgoing, _ = pair.call("add")

    assert pair.client.receive(started(outgoing.id, b"1")) == [
        ("violation", 1002, "rpc.started for id 2")
    ]


# rpc.items


def test_items_come_in_order(pair: ProtocolPair) -> None:
    """Values are handed on as they were written, with their cursor and what was missed."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1", b"[ ]")
    pair.server.items(incoming, cursor="c")
    pair.server.items(incoming, b"3", missed=None)

    assert pair.to_client() == [
        ("items", outgoing, [b"1", b"[ ]"], None, 0),
        ("items", outgoing, [], "c", 0),
        ("items", outgoing, [b"3"], None, None),
    ]


def test_a_cursor_may_follow_a_large_item(pair: ProtocolPair) -> None:
    """An empty batch needs no credit, which a large item has overdrawn."""
    outgoing, incoming = pair.stream(Window(4, 10))
    pair.server.items(incoming, b"1" * 100)
    pair.server.items(incoming, cursor="c")

    assert pair.to_client() == [
        ("items", outgoing, [b"1" * 100], None, 0),
        ("items", outgoing, [], "c", 0),
    ]


@pytest.mark.parametrize("seq", [0, 2, 2**53])
def test_items_out_of_order_are_a_violation(pair: ProtocolPair, seq: int) -> None:
    """A gap, or a repetition, is nothing a reader could repair."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1")
    pair.to_client()

    assert pair.client.receive(items(outgoing.id, seq, [b"2"])) == [
        ("violation", 1002, f"rpc.items with seq {seq} where 1 was due")
    ]


def test_items_beyond_the_credit_are_a_violation(pair: ProtocolPair) -> None:
    """A sender that ignores flow control is not read any further."""
    outgoing, _ = pair.stream(Window(2, 100))

    assert pair.client.receive(items(outgoing.id, 0, [b"1"] * 3)) == [
        ("violation", 1002, "rpc.items beyond the credit of its stream")
    ]


def test_items_before_the_start_are_a_violation(pair: ProtocolPair) -> None:
    """A stream begins with `rpc.started`."""
    outgoing, _ = pair.call("rpc.subscribe", b"{}", window=Window())

    assert pair.client.receive(items(outgoing.id, 0, [b"1"])) == [
        ("violation", 1002, "rpc.items for id 2")
    ]


OF_A_STREAM = pytest.mark.parametrize("message", [started(b"2", b"{}"), items(b"2", 0, [b"1"])])


@OF_A_STREAM
def test_nothing_follows_the_end_of_a_stream(pair: ProtocolPair, message: bytes) -> None:
    """The response ends id, stream and call together."""
    _, incoming = pair.stream()
    pair.server.respond(incoming)
    pair.to_client()

    ((what, code, _),) = pair.client.receive(message)

    assert (what, code) == ("violation", 1002)


@OF_A_STREAM
def test_a_call_is_no_stream(pair: ProtocolPair, message: bytes) -> None:
    """A call that opened no window neither starts nor brings items."""
    pair.call()

    ((what, code, _),) = pair.client.receive(message)

    assert (what, code) == ("violation", 1002)


@OF_A_STREAM
def test_a_call_in_the_queue_is_no_stream_yet(pair: ProtocolPair, message: bytes) -> None:
    """What the peer cannot have seen it cannot speak about."""
    pair.client.make("rpc.subscribe", b"{}", window=Window())

    ((what, code, _),) = pair.client.receive(message)

    assert (what, code) == ("violation", 1002)


def test_an_abandoned_stream_is_read_in_silence(pair: ProtocolPair) -> None:
    """What was on its way when the caller left is checked, and dropped."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window(2, 100))
    pair.client.protocol.abandon(outgoing)
    pair.server.start(incoming)
    pair.server.items(incoming, b"1", b"2")

    assert pair.to_client() == []

    assert pair.client.receive(items(outgoing.id, 2, [b"3"])) == [
        ("violation", 1002, "rpc.items beyond the credit of its stream")
    ]


# rpc.credit


def test_credit_gives_room(pair: ProtocolPair) -> None:
    """The sender is told when it may send more."""
    outgoing, incoming = pair.stream(Window(2, 100))
    pair.client.send(credit(outgoing.id, 3, 101))

    assert pair.to_server() == [("credit", incoming)]
    assert incoming.credit is not None
    assert incoming.credit.items_left == 3


@pytest.mark.parametrize("message", [credit(b"2", 2, 100), credit(b"9", 50, 500)])
def test_credit_that_gives_nothing_is_ignored(pair: ProtocolPair, message: bytes) -> None:
    """Old totals, and those of a stream that has ended meanwhile, are no fault."""
    pair.stream(Window(2, 100))
    pair.client.send(message)

    assert pair.to_server() == []


def test_credit_for_a_call_is_ignored(pair: ProtocolPair) -> None:
    """A call that opened no window has no use for credit."""
    outgoing, _ = pair.call()
    pair.client.send(credit(outgoing.id, 2**53, 2**53))

    assert pair.to_server() == []


def test_credit_of_a_call_that_nobody_serves_yet_counts(pair: ProtocolPair) -> None:
    """It may come before a task has begun to serve the stream."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window(2, 100))
    incoming.owner = None
    pair.client.send(credit(outgoing.id, 3, 101), cancel(outgoing.id, "caller"))

    assert pair.to_server() == []
    assert pair.server.protocol.send_credit(incoming).items_left == 3


# rpc.cancel, and what others call it


@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_cancel_reaches_its_call(is_greeted: bool) -> None:
    """The call is told, and stays in flight until it is answered."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    _, incoming = pair.call()
    id = incoming.id.decode()

    told = pair.server.say(f'"method":"$/cancelRequest","params":{{"id":{id}}}')

    assert told == ("cancel", incoming, "caller")
    assert pair.server.protocol.incoming == {incoming.id: incoming}


def test_a_cancel_has_a_reason(pair: ProtocolPair) -> None:
    """Between farcall peers a cancel says why."""
    outgoing, incoming = pair.call()
    pair.client.send(cancel(outgoing.id, "deadline"))

    assert pair.to_server() == [("cancel", incoming, "deadline")]


@pytest.mark.parametrize("method", ["rpc.cancel", "$/cancelRequest"])
def test_a_cancel_that_crossed_the_answer_is_ignored(pair: ProtocolPair, method: str) -> None:
    """When the call has been answered already, there is nothing left to do."""
    frame = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"id":7}}}}'

    assert pair.server.receive(frame) == []


@pytest.mark.parametrize("params", ["", ',"params":[1]', ',"params":{}', ',"params":{"x":1}'])
def test_a_foreign_cancel_may_be_malformed(pair: ProtocolPair, params: str) -> None:
    """`$/cancelRequest` is not our word, so nothing follows from a wrong one."""
    assert pair.server.say(f'"method":"$/cancelRequest"{params}')[0] == "stray"


# All of them


@pytest.mark.parametrize(
    "method", ["rpc.cancel", "rpc.credit", "rpc.items", "rpc.started", "rpc.end", "rpc.goaway"]
)
@pytest.mark.parametrize("params", ["null", "[]", '{"id":1,"grace_ms":-1,"seq":-1,"reason":1}'])
def test_a_malformed_word_of_our_own_is_a_violation(
    pair: ProtocolPair, method: str, params: str
) -> None:
    """A farcall peer that says these things says them right."""
    what, code, problem = pair.server.say(f'"method":"{method}","params":{params}')

    assert (what, code) == ("violation", 1002)
    assert problem.startswith(method)


def test_a_goaway_is_heard(pair: ProtocolPair) -> None:
    """The peer is about to close, and says how long it waits."""
    pair.server.send(goaway(10_000, 500))

    assert pair.to_client() == [("goaway", 10_000, 500)]


LONG_ID = b'"%b"' % (b"x" * 100_000)


@pytest.mark.parametrize("message", [started(LONG_ID, b"1"), items(LONG_ID, 0, [])], ids=len)
def test_a_violation_fits_into_a_close_frame(pair: ProtocolPair, message: bytes) -> None:
    """Of an id as large as a message, what is reported stays short."""
    ((what, _, problem),) = pair.client.receive(message)

    assert what == "violation"
    assert len(problem) <= 123


def test_a_message_with_a_null_id_holds_nothing(pair: ProtocolPair) -> None:
    """Null names no call, in what is said about calls either."""
    pair.server.called('"id":null,"method":"rpc.subscribe","meta":{"credit":[1,1]}')
    pair.client.send(cancel(b"null", "caller"), credit(b"null", 5, 5))

    assert pair.to_server() == []
