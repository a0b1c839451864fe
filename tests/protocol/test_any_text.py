"""Whatever a peer sends, the core answers with events: it never raises, and stays consistent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farcall._protocol.credit import Window
from farcall._protocol.events import RequestReceived, Violation
from farcall._protocol.messages import (
    Cancel,
    Credit,
    Error,
    ErrorResponse,
    Event,
    Goaway,
    Items,
    Message,
    Request,
    Response,
    Started,
)
from tests.protocol.pair import Peer, ProtocolPair, make_hello

WORDS = [
    "2.0",
    "rpc.hello",
    "rpc.on",
    "rpc.subscribe",
    "rpc.cancel",
    "rpc.credit",
    "rpc.started",
    "rpc.items",
    "rpc.goaway",
    "$/cancelRequest",
    "add",
    "s1",
    "\0",
    "\u202e",
]
MEMBERS = [
    *("jsonrpc", "id", "method", "params", "result", "error", "notification", "meta"),
    *("seq", "values", "cursor", "missed", "items", "bytes", "reason", "value", "credit"),
    *("v", "features", "contracts", "limits", "message", "code", "data", "grace_ms"),
]

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-2, 4)
    | st.sampled_from([2**53, 2**53 + 1, 10**30, 0.5, -0.0, 1.0])
    | st.sampled_from(WORDS)
    | st.text(max_size=3)
)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(MEMBERS), inner, max_size=5)
    ),
    max_leaves=12,
)
messages = st.builds(
    lambda head, rest: head | rest,
    st.sampled_from([{}, {"jsonrpc": "2.0"}, {"jsonrpc": "2.0", "id": 3}]),
    st.dictionaries(st.sampled_from(MEMBERS), values, max_size=5),
)

SPOKEN: list[Message] = [
    Request("add", b"[1,2]", b"7"),
    Request("log", b'{"a":1}'),
    Request("rpc.hello", make_hello().render(), b"1"),
    Request("rpc.subscribe", b'{"signal":"a"}', b"8", Window(2, 10)),
    Response(b"2", b"5"),
    Response(b'"s1"', b"[]"),
    ErrorResponse(b"2", Error(1, "no", b'{"code":"No"}')),
    Started(b"3", b"{}"),
    Items(b"3", 0, [b"1", b"2"], "c", None),
    Credit(b"7", 5, 500),
    Cancel(b"7", "caller"),
    Goaway(1, 2),
    Event("ticked", b"1"),
]
TEXTS = [message.render() for message in SPOKEN]


PIECES = [b'"', b"\\", b"\\ud800", b"{", b"[", b"]", b",", b"null", b"1e400", *TEXTS]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Take what a peer does say, and spoil it in a place or two."""
    text = draw(st.sampled_from([*TEXTS, b"[%b]" % b",".join(TEXTS)]))
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(text)))
        piece = draw(st.binary(max_size=3) | st.sampled_from(PIECES))
        text = text[:start] + piece + text[start + draw(st.integers(0, 6)) :]
    return text


frames: st.SearchStrategy[str | bytes] = (
    st.text(max_size=20)
    | st.text(alphabet=st.characters(categories=["Cs", "Nd", "Po"]), max_size=5)
    | st.binary(max_size=20)
    | st.sampled_from(TEXTS)
    | mutated()
    | values.map(json.dumps)
    | messages.map(json.dumps)
    | st.lists(messages | scalars, max_size=4).map(json.dumps)
)


def busy(*, is_greeted: bool) -> ProtocolPair:
    """Make a pair with calls of every kind in flight on both sides."""
    pair = ProtocolPair.greeted() if is_greeted else ProtocolPair()
    for peer in (pair.client, pair.server):
        peer.call("add")
        peer.call("rpc.subscribe", b"{}", window=Window(2, 10))
        peer.protocol.abandon(peer.call("left", window=Window(2, 10)))
        peer.protocol.request("queued", None)
    return pair


def check_tables(peer: Peer) -> None:
    """Whatever was read, each table holds calls under their own ids, none of them settled."""
    for table in (peer.protocol.outgoing, peer.protocol.incoming):
        assert all(table.get(call.id) is call for call in table)
        assert "ENDED" not in {call.stage.name for call in table}


@pytest.mark.parametrize("is_greeted", [True, False])
@pytest.mark.parametrize("side", ["client", "server"])
@given(st.lists(frames, min_size=1, max_size=4))
@settings(max_examples=60)
def test_any_text_makes_events(side: str, is_greeted: bool, said: list[str | bytes]) -> None:
    """On both sides, greeted or not: no frame raises, and what the core answers can be sent."""
    pair = busy(is_greeted=is_greeted)
    peer: Peer = getattr(pair, side)
    was_broken = False
    for frame in said:
        events = peer.receive(frame)
        assert not (was_broken and events)
        assert not [event for event in events[:-1] if isinstance(event, Violation)]
        was_broken = was_broken or any(isinstance(event, Violation) for event in events)
        check_tables(peer)
    for text in peer.sent:
        json.loads(text)


@given(st.lists(frames, min_size=1, max_size=4))
@settings(max_examples=60)
def test_every_call_made_of_any_text_can_be_answered(said: list[str | bytes]) -> None:
    """Each request is answered once, and nothing is left in the table."""
    peer = ProtocolPair().server
    events = [event for frame in said for event in peer.receive(frame)]
    for event in events:
        if isinstance(event, RequestReceived):
            peer.send(peer.protocol.respond(event.call, b"null"))

    assert len(peer.protocol.incoming) == 0
    for text in peer.sent:
        json.loads(text)
