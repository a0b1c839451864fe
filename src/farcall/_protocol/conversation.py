"""What both sides of a connection have agreed on and have in flight; everything else reads it."""

from __future__ import annotations

import attrs

from farcall._limits import ProtocolLimits
from farcall._protocol.events import Violation
from farcall._protocol.messages import BatchReply, Hello
from farcall._protocol.state import BatchAnswers, CallTable, IncomingCall, OutgoingCall
from farcall._protocol.uploads import Uploads
from farcall.errors import CloseCode

MOST_SHOWN = 40
"""Characters: a UUID fits, and a Close frame has room for 123 bytes (RFC 6455, section 5.5)."""


@attrs.define(eq=False)
class Conversation:
    """The state of a connection, as far as what was said goes."""

    own: Hello
    """The greeting of this side."""
    has_dialled: bool
    """Whether this side made the connection."""
    limits: ProtocolLimits
    """What this side takes, and gives, beside what its greeting says."""
    peer: Hello | None = None
    """The greeting of the other side; set from then on."""
    outgoing: CallTable[OutgoingCall] = attrs.field(factory=CallTable[OutgoingCall])
    incoming: CallTable[IncomingCall] = attrs.field(factory=CallTable[IncomingCall])
    uploads: Uploads = attrs.field(factory=Uploads)
    hello_call: OutgoingCall | None = None
    """The call that carries our hello, if we greeted."""
    has_received: bool = False
    """Whether the peer has said anything; a hello must come first."""
    batched: int = 0
    """The bytes of answers that wait for the other answers to their batch."""

    @property
    def is_greeted(self) -> bool:
        """Whether both sides have said hello: the dialect is farcall's."""
        return self.peer is not None

    def answer_batch(self, batch: BatchAnswers, place: int, answer: bytes) -> BatchReply | None:
        """Put an answer into its place, and give the reply once that was the last one."""
        before = batch.size
        batch.fill(place, answer)
        self.batched += batch.size - before
        return self.complete(batch)

    def complete(self, batch: BatchAnswers) -> BatchReply | None:
        """Give the reply to a batch once all answers are there; where there are any."""
        answers = batch.complete()
        if answers is None:
            return None
        self.batched -= batch.size
        return BatchReply(answers)

    def has_feature(self, name: str) -> bool:
        """Whether both sides have named a feature in their hello."""
        return self.peer is not None and name in self.peer.features and name in self.own.features


def shown(text: str) -> str:
    """Cut what a peer wrote down to what belongs into a log line, or a Close frame."""
    start = text[:MOST_SHOWN]
    return start if start.isprintable() else ascii(start)


def violation(problem: str, code: CloseCode = CloseCode.PROTOCOL_ERROR) -> Violation:
    """Make the event for a peer that breaks the protocol."""
    return Violation(int(code), problem)
