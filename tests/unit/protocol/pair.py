"""Two peers and the network between them, so that each step of a test is one line."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import attrs

from farcall._limits import DEFAULT_LIMITS, Limits
from farcall._protocol import messages
from farcall._protocol.binary import Encoded
from farcall._protocol.credit import DEFAULT_WINDOW, Window
from farcall._protocol.framing import join
from farcall._protocol.messages import Error, Hello, PeerLimits
from farcall._protocol.protocol import Protocol
from farcall._protocol.state import (
    NEVER,
    IncomingCall,
    IncomingUpload,
    OutgoingCall,
    OutgoingUpload,
)

MESSAGE_LIMIT = 1024 * 1024

Told: TypeAlias = tuple[Any, ...]
"""What a protocol told, as it told it: ``("result", call, b"3")``, ``("violation", 1002, "why")``;
first what happened, then to which call, then the rest."""


def make_hello(
    *,
    message: int | None = MESSAGE_LIMIT,
    bundle: int = 256,
    v: int = 1,
    features: tuple[str, ...] = (),
) -> Hello:
    limits = PeerLimits(message, bundle=bundle)
    return Hello(v=v, limits=limits, features=features, contracts={"Market": "8f1c0a"})


def use(stream: OutgoingCall | IncomingUpload, size: int) -> bytes | None:
    """Read an item, and give the message with the credit that is due now, if any."""
    due: list[bool] = []
    credit = stream.credit
    assert credit is not None
    credit.on_due = due.append
    credit.use(size)
    is_upload = isinstance(stream, IncomingUpload)
    return messages.credit(stream.id, *credit.grant(), is_upload=is_upload) if due else None


class Call(OutgoingCall, eq=False):
    """A call that records its events."""

    hear: Callable[[Told], object] = print
    """Records it."""

    def __repr__(self) -> str:
        return f"<Call {self.id.decode()} of {self.method}, {self.stage}>"

    def on_result(self, result: bytes, /) -> None:
        self.hear(("result", self, result))

    def on_error(self, error: Error, /) -> None:
        self.hear(("error", self, error))

    def on_unreadable(self, problem: str, /) -> None:
        self.hear(("unreadable", self, problem))

    def on_started(self, value: bytes, /) -> None:
        self.hear(("started", self, value))

    def on_items(
        self, values: Sequence[Encoded], cursor: str | None, missed: int | None, /
    ) -> None:
        self.hear(("items", self, list(values), cursor, missed))

    def expire(self) -> None:
        self.hear(("expired", self))


@attrs.frozen(eq=False)
class Owner(messages.Owner):
    """Serves a call of the peer, and records its events."""

    call: IncomingCall
    hear: Callable[[Told], object]

    def cancel(self, reason: str, /) -> None:
        self.hear(("cancel", self.call, reason))

    def on_credit(self) -> None:
        self.hear(("credit", self.call))


@attrs.frozen(eq=False)
class Sender:
    """Sends an upload of this side."""

    upload: OutgoingUpload
    hear: Callable[[Told], object]

    def on_credit(self) -> None:
        self.hear(("upload credit", self.upload))

    def close(self) -> None:
        """The protocol does not call it."""
        raise AssertionError


@attrs.frozen(eq=False)
class Reader:
    """Reads an upload of the peer."""

    upload: IncomingUpload
    hear: Callable[[Told], object]

    def push(self, values: Sequence[Encoded], /) -> None:
        self.hear(("upload items", self.upload, list(values)))

    def on_end(self, error: Error | None, /) -> None:
        self.hear(("upload end", self.upload, error))

    def end(self, error: Exception, /) -> None:
        """The protocol does not call it."""
        raise AssertionError from error


class Peer:
    """One side, the messages it has sent that the other has not read, and what it was told.

    Args:
        own: How it greets.
        has_dialled: Whether it made the connection.
        limits: What it takes.
    """

    def __init__(self, own: Hello, *, has_dialled: bool, limits: Limits = DEFAULT_LIMITS) -> None:
        self.protocol = Protocol(own, has_dialled=has_dialled, limits=limits)
        self.protocol.listener = self
        self.sent: deque[bytes] = deque()
        self.told: list[Told] = []

    # What it does

    def send(self, *messages: bytes | OutgoingCall | None, now: float = 0.0) -> list[bytes]:
        """Let the writer take messages, and give those that leave, each in a frame of its own."""
        texts = [each.take(now) if isinstance(each, OutgoingCall) else each for each in messages]
        frames = [text for text in texts if text]
        self.sent.extend(frames)
        return frames

    def bundle(self, *messages: bytes | OutgoingCall | None) -> None:
        """Send messages in one frame."""
        count = len(self.send(*messages))
        self.sent.append(join([self.sent.pop() for _ in range(count)][::-1]))

    def make(
        self,
        method: str = "add",
        params: bytes | None = None,
        *,
        window: Window | None = None,
        deadline: float = NEVER,
        may_start: bool = False,
        traceparent: str | None = None,
    ) -> Call:
        """Make a call, whose message waits for the writer."""
        credit = None if window is None else window.for_receiver()
        call = Call(method, deadline=deadline, credit=credit, may_start=may_start, hear=self.hear)
        self.protocol.request(call, params, traceparent=traceparent)
        return call

    def call(
        self,
        method: str = "add",
        params: bytes | None = None,
        *,
        window: Window | None = None,
        may_start: bool = False,
    ) -> Call:
        """Make a call and send it."""
        call = self.make(method, params, window=window, may_start=may_start)
        self.send(call)
        return call

    def greet(self) -> Call:
        """Send a hello."""
        call = Call("rpc.hello", hear=self.hear)
        self.protocol.hello(call)
        self.send(call)
        return call

    def cancel(self, call: OutgoingCall, reason: str = "caller") -> None:
        self.send(self.protocol.cancel(call, reason))

    def respond(self, call: IncomingCall, result: bytes = b"null") -> list[bytes]:
        return self.send(self.protocol.respond(call, result))

    def fail(self, call: IncomingCall, error: Error) -> list[bytes]:
        return self.send(self.protocol.fail(call, error))

    def start(self, call: IncomingCall, value: bytes = b"{}") -> None:
        self.send(self.protocol.start(call, value))

    def items(
        self,
        call: IncomingCall,
        *values: bytes,
        cursor: str | None = None,
        missed: int | None = 0,
        is_binary: bool = False,
    ) -> None:
        make = self.protocol.items
        self.send(make(call, values, cursor=cursor, missed=missed, is_binary=is_binary))

    def receive(self, frame: str | bytes) -> list[Told]:
        """Read one frame as the reader of a link does, and return the events of it."""
        before = len(self.told)
        if isinstance(frame, str):
            self.protocol.receive(frame.encode())
        else:
            self.protocol.receive_binary(frame)
        return self.told[before:]

    def say(self, members: str) -> Told:
        """Read one JSON-RPC object with these members, and return the one event of it."""
        (told,) = self.receive(f'{{"jsonrpc":"2.0",{members}}}')
        return told

    def called(self, members: str) -> IncomingCall:
        """Read one request with these members, and give its call."""
        what, call = self.say(members)
        assert what == "request"
        assert isinstance(call, IncomingCall)
        return call

    # What it hears

    def hear(self, told: Told) -> None:
        """Record an event."""
        self.told.append(told)

    def on_reply(self, text: bytes, /) -> None:
        self.hear(("reply", text))
        self.send(text)

    def on_hello(self, hello: Hello, answer: bytes | None, /) -> None:
        self.hear(("hello", hello))
        self.send(answer)

    def on_request(self, call: IncomingCall, /) -> None:
        call.owner = Owner(call, self.hear)
        self.hear(("request", call))

    def on_notification(self, method: str, params: bytes | None, trace: str | None, /) -> None:
        self.hear(("notification", method, params, trace))

    def on_event(self, name: str, params: bytes | None, /) -> None:
        self.hear(("event", name, params))

    def on_goaway(self, grace_ms: int, reconnect_after_ms: int, /) -> None:
        self.hear(("goaway", grace_ms, reconnect_after_ms))

    def on_unclaimed(self, error: Error, /) -> None:
        self.hear(("unclaimed", error))

    def on_stray(self, problem: str, /) -> None:
        self.hear(("stray", problem))

    def on_violation(self, code: int, problem: str, /) -> None:
        self.hear(("violation", code, problem))


class ProtocolPair:
    """A client that has dialled, and its server.

    Args:
        client: The greeting of the side that dials.
        server: The greeting of the other side.
        limits: What both take.
    """

    def __init__(
        self,
        client: Hello | None = None,
        server: Hello | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self.client = Peer(client or make_hello(), has_dialled=True, limits=limits)
        self.server = Peer(server or make_hello(), has_dialled=False, limits=limits)

    @classmethod
    def of(cls, *, is_greeted: bool) -> ProtocolPair:
        """Make a pair that has said hello, or has not."""
        pair = cls()
        if is_greeted:
            pair.greet()
        return pair

    @classmethod
    def greeted(
        cls,
        client: Hello | None = None,
        server: Hello | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> ProtocolPair:
        """Make a pair that has said hello."""
        pair = cls(client, server, limits=limits)
        pair.greet()
        return pair

    def greet(self) -> None:
        """Say hello from both sides."""
        self.client.greet()
        self.to_server()
        self.to_client()

    def to_server(self) -> list[Told]:
        """Let the server read all that the client has sent, and return its events."""
        return _deliver(self.client, self.server)

    def to_client(self) -> list[Told]:
        """Let the client read all that the server has sent, and return its events."""
        return _deliver(self.server, self.client)

    def call(
        self,
        method: str = "add",
        params: bytes | None = None,
        *,
        window: Window | None = None,
        may_start: bool = False,
    ) -> tuple[Call, IncomingCall]:
        """Make a call from the client, and give both its ends."""
        outgoing = self.client.call(method, params, window=window, may_start=may_start)
        ((what, incoming),) = self.to_server()
        assert what == "request"
        return outgoing, incoming

    def stream(self, window: Window = DEFAULT_WINDOW) -> tuple[Call, IncomingCall]:
        """Open a stream from the client, let the server start it, and give both its ends."""
        outgoing, incoming = self.call("rpc.subscribe", b"{}", window=window)
        self.server.start(incoming)
        assert self.to_client() == [("started", outgoing, b"{}")]
        return outgoing, incoming

    def upload(self) -> tuple[OutgoingUpload, IncomingUpload]:
        """Open an upload from the client, and let the server know of it."""
        outgoing = self.client.protocol.uploads.send()
        incoming = self.server.protocol.uploads.receive(outgoing.id)
        assert incoming is not None
        outgoing.owner = Sender(outgoing, self.client.hear)
        incoming.owner = Reader(incoming, self.server.hear)
        return outgoing, incoming


def _deliver(sender: Peer, receiver: Peer) -> list[Told]:
    told: list[Told] = []
    while sender.sent:
        told += receiver.receive(sender.sent.popleft())
    return told
