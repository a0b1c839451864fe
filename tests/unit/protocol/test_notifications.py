"""Control messages of farcall peers."""

from __future__ import annotations

import pytest

from farcall._protocol.credit import SendCredit, Window
from farcall._protocol.messages import cancel, credit, goaway, items, started
from tests.unit.protocol.pair import ProtocolPair
from tests.unit.protocol.reply import refused


def test_a_request_opens_a_window(pair: ProtocolPair) -> None:
    """The window of a stream is known before its first item."""
    _, call = pair.call("rpc.subscribe", b"{}", window=Window(1, 2))

    assert call.credit == SendCredit(Window(1, 2))


@pytest.mark.parametrize("meta", ["5", "null", '{"credit":5}', '{"credit":[0,0]}'])
def test_a_malformed_window_is_refused(pair: ProtocolPair, meta: str) -> None:
    """A window without both counts is refused."""
    told = pair.server.say(f'"id":7,"method":"rpc.subscribe","meta":{meta}')

    assert refused(told, -32600) == 7


@pytest.mark.parametrize("meta", ["5", '{"credit":5}', '{"credit":[1,1]}'])
def test_meta_of_a_plain_peer_means_nothing(plain: ProtocolPair, meta: str) -> None:
    """A plain peer's `meta` may hold anything, and has no effect."""
    assert plain.server.called(f'"id":7,"method":"add","meta":{meta}').credit is None


# rpc.started


def test_a_start_is_told_with_its_value(pair: ProtocolPair) -> None:
    """The value of `rpc.started` is passed on as it was written."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window())
    pair.server.start(incoming, b'{"cursor": 1}')

    assert pair.to_client() == [("started", outgoing, b'{"cursor": 1}')]


def test_a_stream_starts_once(pair: ProtocolPair) -> None:
    """The first `rpc.started` opens the stream, a second one is a violation."""
    outgoing, _ = pair.stream()

    assert pair.client.receive(started(outgoing.id, b"{}")) == [
        ("violation", 1002, "rpc.started for id 2, which cannot start")
    ]


def test_a_task_starts_once(pair: ProtocolPair) -> None:
    """A remote task starts as a stream does, once."""
    outgoing, incoming = pair.call("run", may_start=True)
    pair.server.start(incoming, b"1")
    assert pair.to_client() == [("started", outgoing, b"1")]

    assert pair.client.receive(started(outgoing.id, b"1")) == [
        ("violation", 1002, "rpc.started for id 2, which cannot start")
    ]


@pytest.mark.parametrize("has_started", [True, False])
def test_a_task_ends_with_its_result(pair: ProtocolPair, has_started: bool) -> None:
    """A remote task may end before or after its start."""
    outgoing, incoming = pair.call("run", may_start=True)
    if has_started:
        pair.server.start(incoming, b"1")
    pair.server.respond(incoming, b"2")

    assert pair.to_client()[-1] == ("result", outgoing, b"2")


def test_a_task_brings_no_items(pair: ProtocolPair) -> None:
    """Items for a remote task are a violation: it has no window."""
    outgoing, incoming = pair.call("run", may_start=True)
    pair.server.start(incoming, b"1")
    pair.to_client()

    assert pair.client.receive(items(outgoing.id, 0, [b"1"])) == [
        ("violation", 1002, "rpc.items for id 2, which is not a started stream")
    ]


def test_a_call_that_wants_no_start_has_none(pair: ProtocolPair) -> None:
    """`rpc.started` for an ordinary call is a violation."""
    outgoing, _ = pair.call("add")

    assert pair.client.receive(started(outgoing.id, b"1")) == [
        ("violation", 1002, "rpc.started for id 2, which cannot start")
    ]


# rpc.items


def test_items_come_in_order(pair: ProtocolPair) -> None:
    """Values are passed on as they were written, with the cursor and the missed count."""
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
    """A message without values needs no credit, even after a large item."""
    outgoing, incoming = pair.stream(Window(4, 10))
    pair.server.items(incoming, b"1" * 100)
    pair.server.items(incoming, cursor="c")

    assert pair.to_client() == [
        ("items", outgoing, [b"1" * 100], None, 0),
        ("items", outgoing, [], "c", 0),
    ]


@pytest.mark.parametrize("seq", [0, 2, 2**53])
def test_items_out_of_order_are_a_violation(pair: ProtocolPair, seq: int) -> None:
    """A gap or a repetition in the sequence is a violation."""
    outgoing, incoming = pair.stream()
    pair.server.items(incoming, b"1")
    pair.to_client()

    assert pair.client.receive(items(outgoing.id, seq, [b"2"])) == [
        ("violation", 1002, f"rpc.items with seq {seq}, expected 1")
    ]


def test_items_beyond_the_credit_are_a_violation(pair: ProtocolPair) -> None:
    """Items beyond the credit are a violation."""
    outgoing, _ = pair.stream(Window(2, 100))

    assert pair.client.receive(items(outgoing.id, 0, [b"1"] * 3)) == [
        ("violation", 1002, "rpc.items beyond the credit of its stream")
    ]


def test_items_before_the_start_are_a_violation(pair: ProtocolPair) -> None:
    """Items before `rpc.started` are a violation."""
    outgoing, _ = pair.call("rpc.subscribe", b"{}", window=Window())

    assert pair.client.receive(items(outgoing.id, 0, [b"1"])) == [
        ("violation", 1002, "rpc.items for id 2, which is not a started stream")
    ]


OF_A_STREAM = pytest.mark.parametrize("message", [started(b"2", b"{}"), items(b"2", 0, [b"1"])])


@OF_A_STREAM
def test_nothing_follows_the_end_of_a_stream(pair: ProtocolPair, message: bytes) -> None:
    """Items after the response are a violation."""
    _, incoming = pair.stream()
    pair.server.respond(incoming)
    pair.to_client()

    ((what, code, _),) = pair.client.receive(message)

    assert (what, code) == ("violation", 1002)


@OF_A_STREAM
def test_a_call_is_no_stream(pair: ProtocolPair, message: bytes) -> None:
    """A start, or items, for a call without a window are a violation."""
    pair.call()

    ((what, code, _),) = pair.client.receive(message)

    assert (what, code) == ("violation", 1002)


@OF_A_STREAM
def test_a_call_in_the_queue_is_no_stream_yet(pair: ProtocolPair, message: bytes) -> None:
    """A start, or items, for a call that was not sent are a violation."""
    pair.client.make("rpc.subscribe", b"{}", window=Window())

    ((what, code, _),) = pair.client.receive(message)

    assert (what, code) == ("violation", 1002)


def test_an_abandoned_stream_is_read_in_silence(pair: ProtocolPair) -> None:
    """Items of an abandoned stream are checked, and dropped."""
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
    """Credit that gives room is passed to the sender."""
    outgoing, incoming = pair.stream(Window(2, 100))
    pair.client.send(credit(outgoing.id, 3, 101))

    assert pair.to_server() == [("credit", incoming)]
    assert incoming.credit is not None
    assert incoming.credit.items_left == 3


@pytest.mark.parametrize("message", [credit(b"2", 2, 100), credit(b"9", 50, 500)])
def test_credit_that_gives_nothing_is_ignored(pair: ProtocolPair, message: bytes) -> None:
    """Old totals, and credit for a stream that has ended, are ignored."""
    pair.stream(Window(2, 100))
    pair.client.send(message)

    assert pair.to_server() == []


def test_credit_for_a_call_is_ignored(pair: ProtocolPair) -> None:
    """Credit for a call without a window is ignored."""
    outgoing, _ = pair.call()
    pair.client.send(credit(outgoing.id, 2**53, 2**53))

    assert pair.to_server() == []


def test_credit_of_a_call_that_nobody_serves_yet_counts(pair: ProtocolPair) -> None:
    """Credit may come before a task serves the stream."""
    outgoing, incoming = pair.call("rpc.subscribe", b"{}", window=Window(2, 100))
    incoming.owner = None
    pair.client.send(credit(outgoing.id, 3, 101), cancel(outgoing.id, "caller"))

    assert pair.to_server() == []
    assert pair.server.protocol.send_credit(incoming).items_left == 3


# rpc.cancel, and what others call it


@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_cancel_reaches_its_call(is_greeted: bool) -> None:
    """A cancel reaches the owner of its call, which stays in flight until its response."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    _, incoming = pair.call()
    id = incoming.id.decode()

    told = pair.server.say(f'"method":"$/cancelRequest","params":{{"id":{id}}}')

    assert told == ("cancel", incoming, "caller")
    assert pair.server.protocol.incoming == {incoming.id: incoming}


def test_a_cancel_has_a_reason(pair: ProtocolPair) -> None:
    """A cancel of a farcall peer has a reason."""
    outgoing, incoming = pair.call()
    pair.client.send(cancel(outgoing.id, "deadline"))

    assert pair.to_server() == [("cancel", incoming, "deadline")]


@pytest.mark.parametrize("method", ["rpc.cancel", "$/cancelRequest"])
def test_a_cancel_that_crossed_the_answer_is_ignored(pair: ProtocolPair, method: str) -> None:
    """A cancel of a call that has ended is ignored."""
    frame = f'{{"jsonrpc":"2.0","method":"{method}","params":{{"id":7}}}}'

    assert pair.server.receive(frame) == []


@pytest.mark.parametrize("params", ["", ',"params":[1]', ',"params":{}', ',"params":{"x":1}'])
def test_a_foreign_cancel_may_be_malformed(pair: ProtocolPair, params: str) -> None:
    """A malformed `$/cancelRequest` is a stray."""
    assert pair.server.say(f'"method":"$/cancelRequest"{params}')[0] == "stray"


# All of them


@pytest.mark.parametrize(
    "method", ["rpc.cancel", "rpc.credit", "rpc.items", "rpc.started", "rpc.end", "rpc.goaway"]
)
@pytest.mark.parametrize("params", ["null", "[]", '{"id":1,"grace_ms":-1,"seq":-1,"reason":1}'])
def test_a_malformed_control_message_is_a_violation(
    pair: ProtocolPair, method: str, params: str
) -> None:
    """A malformed control message of a farcall peer is a violation."""
    what, code, problem = pair.server.say(f'"method":"{method}","params":{params}')

    assert (what, code) == ("violation", 1002)
    assert problem.startswith(method)


def test_a_goaway_is_heard(pair: ProtocolPair) -> None:
    """A goaway is passed on with its two times."""
    pair.server.send(goaway(10_000, 500))

    assert pair.to_client() == [("goaway", 10_000, 500)]


LONG_ID = b'"%b"' % (b"x" * 100_000)


@pytest.mark.parametrize("message", [started(LONG_ID, b"1"), items(LONG_ID, 0, [])], ids=len)
def test_a_violation_fits_into_a_close_frame(pair: ProtocolPair, message: bytes) -> None:
    """A violation shows the start of a long id."""
    ((what, _, problem),) = pair.client.receive(message)

    assert what == "violation"
    assert len(problem) <= 123


def test_a_control_message_with_a_null_id_is_ignored(pair: ProtocolPair) -> None:
    """A control message with the id null names no call."""
    pair.server.called('"id":null,"method":"rpc.subscribe","meta":{"credit":[1,1]}')
    pair.client.send(cancel(b"null", "caller"), credit(b"null", 5, 5))

    assert pair.to_server() == []
