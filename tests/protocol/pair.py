"""Two cores and the network between them, so that each step of a test is one line."""

from __future__ import annotations

from collections import deque

import attrs

from farcall._protocol.core import Protocol
from farcall._protocol.credit import DEFAULT_WINDOW, Window
from farcall._protocol.events import (
    HelloReceived,
    ProtocolEvent,
    Reply,
    RequestReceived,
    StartedReceived,
)
from farcall._protocol.messages import Hello, Limits, Message
from farcall._protocol.state import IncomingCall, OutgoingCall

MESSAGE_LIMIT = 1024 * 1024


def make_hello(
    *,
    message: int = MESSAGE_LIMIT,
    bundle: int = 256,
    v: int = 1,
    features: tuple[str, ...] = (),
) -> Hello:
    return Hello(Limits(message, bundle=bundle), v, features, {"Market": "8f1c0a"})


@attrs.define(eq=False)
class Peer:
    """One core, and the frames that it has sent and the other side has not read."""

    protocol: Protocol
    sent: deque[bytes] = attrs.field(factory=deque[bytes])

    def send(self, *messages: Message | None) -> list[bytes]:
        """Let the writer take messages, and give the frames they went into."""
        frames = self.protocol.frames([each for each in messages if each is not None])
        self.sent.extend(frames)
        return frames

    def call(
        self, method: str, params: bytes | None = None, *, window: Window | None = None
    ) -> OutgoingCall:
        """Make a call and send it."""
        call, request = self.protocol.request(method, params, window=window)
        self.send(request)
        return call

    def receive(self, frame: str | bytes) -> list[ProtocolEvent]:
        """Read one frame, and send what the core itself answers."""
        events: list[ProtocolEvent] = []
        for event in self.protocol.receive(frame):
            events.append(event)
            if isinstance(event, Reply):
                self.send(event.message)
            elif isinstance(event, HelloReceived):
                self.send(event.answer)
        return events


class ProtocolPair:
    """A client that has dialled, and its server.

    Args:
        client: The greeting of the side that dials.
        server: The greeting of the other side.
    """

    def __init__(self, client: Hello | None = None, server: Hello | None = None) -> None:
        self.client = Peer(Protocol(client or make_hello(), has_dialled=True))
        self.server = Peer(Protocol(server or make_hello(), has_dialled=False))

    @classmethod
    def greeted(cls, client: Hello | None = None, server: Hello | None = None) -> ProtocolPair:
        """Make a pair that has said hello."""
        pair = cls(client, server)
        pair.greet()
        return pair

    def greet(self) -> None:
        """Say hello from both sides."""
        self.client.send(self.client.protocol.hello())
        self.deliver_to_server()
        self.deliver_to_client()

    def deliver_to_server(self) -> list[ProtocolEvent]:
        """Let the server read all that the client has sent."""
        return _deliver(self.client, self.server)

    def deliver_to_client(self) -> list[ProtocolEvent]:
        """Let the client read all that the server has sent."""
        return _deliver(self.server, self.client)

    def call(
        self, method: str = "add", params: bytes | None = None, *, window: Window | None = None
    ) -> tuple[OutgoingCall, IncomingCall]:
        """Make a call from the client, and give both its ends."""
        outgoing = self.client.call(method, params, window=window)
        (event,) = self.deliver_to_server()
        assert isinstance(event, RequestReceived)
        return outgoing, event.call

    def stream(self, window: Window = DEFAULT_WINDOW) -> tuple[OutgoingCall, IncomingCall]:
        """Open a stream from the client, let the server start it, and give both its ends."""
        outgoing, incoming = self.call("rpc.subscribe", b"{}", window=window)
        self.server.send(self.server.protocol.start(incoming, b"{}"))
        assert self.deliver_to_client() == [StartedReceived(outgoing, b"{}")]
        return outgoing, incoming


def _deliver(sender: Peer, receiver: Peer) -> list[ProtocolEvent]:
    events: list[ProtocolEvent] = []
    while sender.sent:
        events += receiver.receive(sender.sent.popleft())
    return events
