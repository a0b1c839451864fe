"""Bundles of farcall peers, and batches of all others."""

from __future__ import annotations

import json

import pytest

from farcall._limits import DEFAULT_LIMITS
from farcall._protocol.events import (
    CancelReceived,
    NotificationReceived,
    RequestReceived,
    Stray,
    Violation,
)
from tests.protocol.pair import ProtocolPair, make_hello
from tests.protocol.saying import refused, replied, say

MAX_BATCH = DEFAULT_LIMITS.batch


def test_a_bundle_is_read_in_order(pair: ProtocolPair) -> None:
    """The messages of a bundle are independent, and each is answered by itself."""
    events = pair.server.receive(
        '[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","id":7,"method":"b"},{"x":1},'
        '{"jsonrpc":"2.0","method":"c"}]'
    )
    first, second, third, fourth = events

    assert first == NotificationReceived("a", None)
    assert isinstance(second, RequestReceived)
    assert second.call.batch is None
    assert refused(third, -32600) is None
    assert fourth == NotificationReceived("c", None)


@pytest.mark.parametrize(
    "frame", ["[]", "[[]]", '[{"jsonrpc":"2.0","method":"a"},[{}]]', "[1]", "[null]", '[{},"x"]']
)
def test_a_bundle_of_anything_but_objects_is_a_violation(pair: ProtocolPair, frame: str) -> None:
    """Nothing of such a bundle takes effect, and nothing after it is read."""
    (event,) = pair.server.receive(frame)

    assert isinstance(event, Violation)
    assert event.code == 1002
    assert pair.server.receive('{"jsonrpc":"2.0","method":"a"}') == []


@pytest.mark.parametrize(("count", "is_fine"), [(3, True), (4, False)])
def test_a_bundle_holds_what_was_announced(count: int, is_fine: bool) -> None:
    """More messages than this side announced are a violation of policy, and named."""
    pair = ProtocolPair.greeted(server=make_hello(bundle=3))
    messages = ",".join(['{"jsonrpc":"2.0","method":"a"}'] * count)
    events = pair.server.receive(f"[{messages}]")

    if is_fine:
        assert events == [NotificationReceived("a", None)] * count
    else:
        assert events == [Violation(1008, "4 messages in a bundle of at most 3 (the limit bundle)")]


def test_nothing_of_a_bundle_follows_a_violation(pair: ProtocolPair) -> None:
    """A violation is the last event of its frame."""
    events = pair.server.receive(
        '[{"jsonrpc":"2.0","method":"rpc.items"},{"jsonrpc":"2.0","method":"a"}]'
    )

    assert [type(event) for event in events] == [Violation]


def test_nothing_of_a_batch_follows_a_violation(plain: ProtocolPair) -> None:
    """A server that answers the hello in an array, and goes on wrongly, is heard no further."""
    plain.client.send(plain.client.protocol.hello())
    events = plain.client.receive(
        b'[{"jsonrpc":"2.0","id":1,"result":%b},{"jsonrpc":"2.0","method":"rpc.items"},'
        b'{"jsonrpc":"2.0","id":1,"method":"a"}]' % make_hello().render()
    )

    assert isinstance(events[-1], Violation)
    assert len(events) == 2


def test_a_batch_is_answered_at_once(plain: ProtocolPair) -> None:
    """The reply leaves when the last answer is there, in the order of the requests."""
    events = plain.server.receive(
        '[{"jsonrpc":"2.0","id":1,"method":"a"},5,{"jsonrpc":"2.0","method":"n"},'
        '{"jsonrpc":"2.0","id":null,"method":"b"},{"jsonrpc":"2.0","id":3,"method":"rpc.x"}]'
    )
    first, notification, second = events
    assert isinstance(first, RequestReceived)
    assert notification == NotificationReceived("n", None)
    assert isinstance(second, RequestReceived)
    assert not plain.server.sent

    assert plain.server.protocol.respond(second.call, b'"b"') is None
    (frame,) = plain.server.send(plain.server.protocol.respond(first.call, b'"a"'))

    answers = json.loads(frame)
    assert [answer["id"] for answer in answers] == [1, None, None, 3]
    assert [answer.get("result") for answer in answers] == ["a", None, "b", None]
    assert [answer.get("error", {}).get("code") for answer in answers] == [
        None,
        -32600,
        None,
        -32601,
    ]


def test_a_batch_of_notifications_is_not_answered(plain: ProtocolPair) -> None:
    """Nothing is sent, not even an empty array."""
    frame = '[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]'

    assert plain.server.receive(frame) == [
        NotificationReceived("a", None),
        NotificationReceived("b", None),
    ]
    assert not plain.server.sent


def test_a_batch_of_faults_is_answered_at_once(plain: ProtocolPair) -> None:
    """Where no handler is needed the reply is due when the batch is read."""
    (event,) = plain.server.receive('[1,[],{"id":2},[[{}]]]')

    assert [answer["id"] for answer in replied(event)] == [None, None, 2, None]
    assert {answer["error"]["code"] for answer in replied(event)} == {-32600}


def test_an_empty_batch_is_refused(plain: ProtocolPair) -> None:
    """The answer to an empty batch is one object, no array."""
    (event,) = plain.server.receive(" [ ] ")

    assert refused(event, -32600) is None


def test_an_id_twice_in_a_batch_is_refused(plain: ProtocolPair) -> None:
    """The second request of that id has its own place in the reply."""
    request = '{"jsonrpc":"2.0","id":1,"method":"a"}'
    (event,) = plain.server.receive(f"[{request},{request}]")
    assert isinstance(event, RequestReceived)

    (frame,) = plain.server.send(plain.server.protocol.respond(event.call, b"5"))

    first, second = json.loads(frame)
    assert (first["id"], first["result"]) == (1, 5)
    assert (second["id"], second["error"]["code"]) == (None, -32600)


def test_a_call_in_a_batch_can_be_cancelled(plain: ProtocolPair) -> None:
    """The cancel concerns that call; the batch waits for its answer as before."""
    (event,) = plain.server.receive('[{"jsonrpc":"2.0","id":1,"method":"a"}]')
    assert isinstance(event, RequestReceived)

    cancel = say(plain.server, '"method":"$/cancelRequest","params":{"id":1}')

    assert cancel == CancelReceived(event.call, "caller")
    assert event.call in list(plain.server.protocol.incoming)


@pytest.mark.parametrize(("count", "is_fine"), [(MAX_BATCH, True), (MAX_BATCH + 1, False)])
def test_a_batch_is_limited(plain: ProtocolPair, count: int, is_fine: bool) -> None:
    """A thousand messages are a batch; of one more, none takes effect."""
    requests = [f'{{"jsonrpc":"2.0","id":{n},"method":"a"}}' for n in range(count)]
    events = plain.server.receive(f"[{','.join(requests)}]")

    if is_fine:
        assert len(plain.server.protocol.incoming) == len(events) == MAX_BATCH
    else:
        assert replied(events[0]) == {
            "jsonrpc": "2.0",
            "id": None,
            "error": {
                "code": -32010,
                "message": "Batch too large",
                "data": {"limit": "batch", "most": MAX_BATCH},
            },
        }
        assert len(plain.server.protocol.incoming) == 0


def test_a_batch_too_large_is_not_answered_by_the_side_that_dialled(plain: ProtocolPair) -> None:
    """There is nobody to tell."""
    (event,) = plain.client.receive(f"[{'1,' * MAX_BATCH}1]")

    assert event == Stray("a batch of 1001 messages")
