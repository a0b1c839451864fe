"""Bundles of farcall peers, and batches of all others."""

from __future__ import annotations

import json

import pytest

from farcall._limits import DEFAULT_LIMITS
from tests.unit.protocol.pair import ProtocolPair, make_hello
from tests.unit.protocol.reply import refused, replied

MAX_BATCH = DEFAULT_LIMITS.batch


def test_a_bundle_is_read_in_order(pair: ProtocolPair) -> None:
    """The messages of a bundle are read in order, and each gets its own response."""
    told = pair.server.receive(
        '[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","id":7,"method":"b"},{"x":1},'
        '{"jsonrpc":"2.0","method":"c"}]'
    )
    first, second, third, fourth = told

    assert first == ("notification", "a", None, None)
    assert second[0] == "request"
    assert second[1].batch is None
    assert refused(third, -32600) is None
    assert fourth == ("notification", "c", None, None)


@pytest.mark.parametrize(
    "frame", ["[]", "[[]]", '[{"jsonrpc":"2.0","method":"a"},[{}]]', "[1]", "[null]", '[{},"x"]']
)
def test_a_bundle_of_anything_but_objects_is_a_violation(pair: ProtocolPair, frame: str) -> None:
    """A bundle with an element that is not an object has no effect."""
    (told,) = pair.server.receive(frame)

    assert told[:2] == ("violation", 1002)
    assert pair.server.receive('{"jsonrpc":"2.0","method":"a"}') == []


@pytest.mark.parametrize(("count", "is_fine"), [(3, True), (4, False)])
def test_a_bundle_holds_what_was_announced(count: int, is_fine: bool) -> None:
    """More messages than announced are a violation that names the limit."""
    pair = ProtocolPair.greeted(server=make_hello(bundle=3))
    messages = ",".join(['{"jsonrpc":"2.0","method":"a"}'] * count)
    told = pair.server.receive(f"[{messages}]")

    if is_fine:
        assert told == [("notification", "a", None, None)] * count
    else:
        assert told == [
            ("violation", 1008, "4 messages in a bundle of at most 3 (the limit bundle)")
        ]


def test_nothing_of_a_bundle_follows_a_violation(pair: ProtocolPair) -> None:
    """After a violation the rest of its bundle is ignored."""
    told = pair.server.receive(
        '[{"jsonrpc":"2.0","method":"rpc.items"},{"jsonrpc":"2.0","method":"a"}]'
    )

    assert [what for what, *_ in told] == ["violation"]


def test_nothing_of_a_batch_follows_a_violation(plain: ProtocolPair) -> None:
    """After a violation the rest of its array is ignored."""
    plain.client.greet()
    told = plain.client.receive(
        b'[{"jsonrpc":"2.0","id":1,"result":%b},{"jsonrpc":"2.0","method":"rpc.items"},'
        b'{"jsonrpc":"2.0","id":1,"method":"a"}]' % make_hello().render()
    )

    assert [what for what, *_ in told] == ["hello", "result", "violation"]


def test_a_batch_is_answered_at_once(plain: ProtocolPair) -> None:
    """The reply to a batch is sent after its last response, in the order of the requests."""
    told = plain.server.receive(
        '[{"jsonrpc":"2.0","id":1,"method":"a"},5,{"jsonrpc":"2.0","method":"n"},'
        '{"jsonrpc":"2.0","id":null,"method":"b"},{"jsonrpc":"2.0","id":3,"method":"rpc.x"}]'
    )
    (_, first), notification, (_, second) = told
    assert notification == ("notification", "n", None, None)
    assert not plain.server.sent

    assert plain.server.respond(second, b'"b"') == []
    (frame,) = plain.server.respond(first, b'"a"')

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
    """A batch of notifications gets no reply, not even an empty array."""
    frame = '[{"jsonrpc":"2.0","method":"a"},{"jsonrpc":"2.0","method":"b"}]'

    assert plain.server.receive(frame) == [
        ("notification", "a", None, None),
        ("notification", "b", None, None),
    ]
    assert not plain.server.sent


@pytest.mark.parametrize("is_greeted", [True, False])
def test_a_lone_surrogate_does_not_condemn_the_rest_of_an_array(is_greeted: bool) -> None:
    """A lone surrogate in one message does not affect the others."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    frame = r"""[{"jsonrpc":"2.0","id":1,"method":"a"},
        {"jsonrpc":"2.0","id":2,"method":"b","params":["\ud83d"]},
        {"jsonrpc":"2.0","id":3,"method":"c"}]"""

    told = pair.server.receive(frame)

    assert [(what, call.id, call.params) for what, call in told] == [
        ("request", b"1", None),
        ("request", b"2", rb'["\ud83d"]'),
        ("request", b"3", None),
    ]


def test_a_batch_of_faults_is_answered_at_once(plain: ProtocolPair) -> None:
    """A batch without valid calls gets its reply when it has been read."""
    (told,) = plain.server.receive('[1,[],{"id":2},[[{}]]]')

    assert [answer["id"] for answer in replied(told)] == [None, None, 2, None]
    assert {answer["error"]["code"] for answer in replied(told)} == {-32600}


def test_an_empty_batch_is_refused(plain: ProtocolPair) -> None:
    """An empty batch gets one error object, not an array."""
    (told,) = plain.server.receive(" [ ] ")

    assert refused(told, -32600) is None


def test_an_id_twice_in_a_batch_is_refused(plain: ProtocolPair) -> None:
    """The second request with the same id gets an error of its own in the reply."""
    request = '{"jsonrpc":"2.0","id":1,"method":"a"}'
    (told,) = plain.server.receive(f"[{request},{request}]")
    assert told[0] == "request"

    (frame,) = plain.server.respond(told[1], b"5")

    first, second = json.loads(frame)
    assert (first["id"], first["result"]) == (1, 5)
    assert (second["id"], second["error"]["code"]) == (None, -32600)


def test_a_call_in_a_batch_can_be_cancelled(plain: ProtocolPair) -> None:
    """A cancelled call in a batch still gets its response in the reply."""
    (told,) = plain.server.receive('[{"jsonrpc":"2.0","id":1,"method":"a"}]')
    assert told[0] == "request"

    cancel = plain.server.say('"method":"$/cancelRequest","params":{"id":1}')

    assert cancel == ("cancel", told[1], "caller")
    assert told[1].id in plain.server.protocol.incoming


@pytest.mark.parametrize(("count", "is_fine"), [(MAX_BATCH, True), (MAX_BATCH + 1, False)])
def test_a_batch_is_limited(plain: ProtocolPair, count: int, is_fine: bool) -> None:
    """A batch of a thousand messages is read; with one more, none takes effect."""
    requests = [f'{{"jsonrpc":"2.0","id":{n},"method":"a"}}' for n in range(count)]
    told = plain.server.receive(f"[{','.join(requests)}]")

    if is_fine:
        assert len(plain.server.protocol.incoming) == len(told) == MAX_BATCH
    else:
        assert replied(told[0]) == {
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
    """A client counts a batch that is too large as a stray."""
    (told,) = plain.client.receive(f"[{'1,' * MAX_BATCH}1]")

    assert told == ("stray", "a batch of 1001 messages")
