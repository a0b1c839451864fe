"""What a test lets one peer read, and what the core made of it."""

from __future__ import annotations

import json
from typing import Any

from farcall._protocol.events import ProtocolEvent, Reply, RequestReceived
from farcall._protocol.state import IncomingCall
from tests.protocol.pair import Peer


def say(peer: Peer, members: str) -> ProtocolEvent:
    """Let a peer read one JSON-RPC object, and give the one event it made."""
    (event,) = peer.receive(f'{{"jsonrpc":"2.0",{members}}}')
    return event


def called(peer: Peer, members: str) -> IncomingCall:
    event = say(peer, members)
    assert isinstance(event, RequestReceived)
    return event.call


def replied(event: ProtocolEvent) -> Any:
    """Give what the core answered by itself."""
    assert isinstance(event, Reply)
    return json.loads(event.message.render())


def refused(event: ProtocolEvent, code: int) -> Any:
    """Check that the core refused a message, and give the id it answered to."""
    reply = replied(event)
    assert reply["error"]["code"] == code
    return reply["id"]
