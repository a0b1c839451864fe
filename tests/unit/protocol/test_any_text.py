"""Whatever a peer sends, the protocol never raises, and its tables stay consistent."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farcall._protocol.credit import Window
from farcall._protocol.framing import join
from farcall._protocol.messages import (
    END,
    Error,
    cancel,
    credit,
    credit_meta,
    error_response,
    event,
    goaway,
    items,
    notification,
    request,
    response,
    started,
    upload_end,
)
from farcall._protocol.state import ENDED
from tests.unit.protocol.pair import Peer, ProtocolPair, Told, make_hello

WORDS = [
    "2.0",
    "rpc.hello",
    "rpc.on",
    "rpc.subscribe",
    "rpc.cancel",
    "rpc.credit",
    "rpc.started",
    "rpc.items",
    "rpc.end",
    "rpc.goaway",
    "$/cancelRequest",
    "add",
    "s1",
    "u1",
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

TEXTS = [
    request(b"7", "add", b"[1,2]", END, None),
    notification("log", b'{"a":1}', None),
    request(b"1", "rpc.hello", make_hello().render(), END, None),
    request(b"8", "rpc.subscribe", b'{"signal":"a"}', credit_meta(2, 10), None),
    response(b"2", b"5"),
    response(b'"s1"', b"[]"),
    error_response(b"2", Error(1, "no", b'{"code":"No"}')),
    started(b"3", b"{}"),
    items(b"3", 0, [b"1", b"2"], "c", None),
    items(b'"u1"', 0, [b"1"], is_upload=True),
    credit(b"7", 5, 500),
    credit(b'"u1"', 5, 500, is_upload=True),
    upload_end(b'"u1"', Error(1, "no")),
    cancel(b"7", "caller"),
    goaway(1, 2),
    event("ticked", b"1"),
]
"""What peers do say."""
PIECES = [b'"', b"\\", b"\\ud800", b"{", b"[", b"]", b",", b"null", b"1e400", *TEXTS]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Take what a peer does say, and spoil it in a place or two."""
    text = draw(st.sampled_from([*TEXTS, join(TEXTS)]))
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
    """Make a pair with calls and uploads of every kind in flight on both sides."""
    pair = ProtocolPair.of(is_greeted=is_greeted)
    for peer in (pair.client, pair.server):
        peer.call("add")
        peer.call("rpc.subscribe", b"{}", window=Window(2, 10))
        peer.protocol.abandon(peer.call("left", window=Window(2, 10)))
        peer.make("queued")
        peer.protocol.uploads.send()
        peer.protocol.uploads.receive(b'"u1"')
    return pair


def check_tables(peer: Peer) -> None:
    """Whatever was read, each table holds calls under their own ids, none of them settled."""
    protocol = peer.protocol
    for table in (protocol.outgoing, protocol.incoming):
        assert all(call.id == id and call.stage is not ENDED for id, call in table.items())
    assert protocol.outgoing_size == sum(call.size for call in protocol.outgoing.values())
    subscriptions = [each for each in protocol.incoming.values() if each.method == "rpc.subscribe"]
    assert protocol.incoming_subscriptions == len(subscriptions)


def is_violation(told: Told) -> bool:
    return bool(told[0] == "violation")


@pytest.mark.parametrize("is_greeted", [True, False])
@pytest.mark.parametrize("side", ["client", "server"])
@given(st.lists(frames, min_size=1, max_size=4))
@settings(max_examples=60)
def test_any_text_is_told(side: str, is_greeted: bool, said: list[str | bytes]) -> None:
    """Whatever text arrives, nothing is raised, and replies can be sent."""
    pair = busy(is_greeted=is_greeted)
    peer: Peer = getattr(pair, side)
    peer.sent.clear()
    was_broken = False
    for frame in said:
        told = peer.receive(_as_sent(frame))
        assert not (was_broken and told)
        assert not any(map(is_violation, told[:-1]))
        was_broken = was_broken or any(map(is_violation, told))
        check_tables(peer)
    for text in peer.sent:
        json.loads(text)


@given(st.lists(frames, min_size=1, max_size=4))
@settings(max_examples=60)
def test_every_call_made_of_any_text_can_be_answered(said: list[str | bytes]) -> None:
    """Each request gets one response, after which the table is empty."""
    peer = ProtocolPair().server
    for frame in said:
        peer.receive(_as_sent(frame))
    for what, *rest in peer.told:
        if what == "request":
            peer.respond(rest[0])

    assert len(peer.protocol.incoming) == peer.protocol.batched == 0
    for text in peer.sent:
        json.loads(text)


def _as_sent(frame: str | bytes) -> bytes:
    """Write a frame as bytes; half of a surrogate pair becomes what is no UTF-8."""
    return frame.encode(errors="surrogatepass") if isinstance(frame, str) else frame
