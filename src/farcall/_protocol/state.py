"""The life of every id: one table of stages for calls and for streams, whoever asked.

The laws:

- An id settles exactly once; nothing of it is accepted or sent after that.
- *Taken by the writer* is the line between a call that may be withdrawn and one whose outcome
  only the peer knows.
- A call that its caller has abandoned stays in the table until it is answered: only then is the
  peer known to have no work left for it, and the id counts as in flight.

::

             take            start       ┌─┐ items
    QUEUED ────────► OPEN ────────► STARTED ◄┘     a peer's call begins OPEN
       │              │ │              │ │
       │ withdraw     │ └── abandon ───┼─┴──► ABANDONED ◄─┐ start, items
       ▼              ▼ end            ▼ end      │ end └─┘
     ENDED          ENDED            ENDED      ENDED
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum, auto
from typing import Generic, TypeVar

import attrs

from farcall._protocol.credit import ReceiveCredit, SendCredit
from farcall._protocol.messages import NULL_ID, RequestId

SUBSCRIBE = "rpc.subscribe"
"""The method whose calls are subscriptions."""


class Stage(Enum):
    """Where a call stands."""

    QUEUED = auto()
    OPEN = auto()
    STARTED = auto()
    ABANDONED = auto()
    ENDED = auto()


class Step(Enum):
    """What moves a call on."""

    TAKE = auto()
    WITHDRAW = auto()
    START = auto()
    ITEMS = auto()
    ABANDON = auto()
    END = auto()


TRANSITIONS: Mapping[tuple[Stage, Step], Stage] = {
    (Stage.QUEUED, Step.TAKE): Stage.OPEN,
    (Stage.QUEUED, Step.WITHDRAW): Stage.ENDED,
    (Stage.OPEN, Step.START): Stage.STARTED,
    (Stage.OPEN, Step.ABANDON): Stage.ABANDONED,
    (Stage.OPEN, Step.END): Stage.ENDED,
    (Stage.STARTED, Step.ITEMS): Stage.STARTED,
    (Stage.STARTED, Step.ABANDON): Stage.ABANDONED,
    (Stage.STARTED, Step.END): Stage.ENDED,
    (Stage.ABANDONED, Step.START): Stage.ABANDONED,
    (Stage.ABANDONED, Step.ITEMS): Stage.ABANDONED,
    (Stage.ABANDONED, Step.END): Stage.ENDED,
}


class LocalProtocolError(Exception):
    """This side asked for what the state of an id does not allow; a defect of the caller."""


@attrs.define(eq=False)
class _Call:
    id: RequestId
    method: str
    stage: Stage
    size: int = attrs.field(default=0, kw_only=True)
    """What the peer keeps of it, in bytes: its parameters; none of a subscription's."""
    seq: int = attrs.field(default=0, init=False)
    """How many items have crossed."""

    def can(self, step: Step) -> bool:
        """Tell whether the table knows this step from here."""
        return (self.stage, step) in TRANSITIONS

    def move(self, step: Step) -> None:
        """Take a step.

        Raises:
            LocalProtocolError: the table does not know it.
        """
        try:
            self.stage = TRANSITIONS[self.stage, step]
        except KeyError:
            problem = f"{step.name} of {self.method} (id {self.id!r}) in {self.stage.name}"
            raise LocalProtocolError(problem) from None


@attrs.define(eq=False)
class OutgoingCall(_Call):
    """A call that this side made."""

    stage: Stage = Stage.QUEUED
    credit: ReceiveCredit | None = None
    """Set for a stream call."""
    may_start: bool = False
    """Whether its caller expects it to tell of a start: a stream, or a remote task."""
    is_cancelled: bool = False
    """Whether the peer was asked to end it."""

    @property
    def was_sent(self) -> bool:
        """Whether the writer has taken it, so that the peer may have seen it."""
        return self.stage is not Stage.QUEUED


@attrs.define(eq=False)
class BatchAnswers:
    """The answers to one batch, in the order of its requests, until all are there."""

    answers: list[bytes] = attrs.field(factory=list[bytes])
    missing: int = 0
    size: int = 0
    """In bytes, of the answers that are there; the reply to the batch is one message."""
    is_read: bool = False
    """Whether every message of the batch has been looked at."""

    def reserve(self) -> int:
        """Keep a place for the answer to the next request."""
        self.answers.append(b"")
        self.missing += 1
        return len(self.answers) - 1

    def fill(self, place: int, answer: bytes) -> None:
        """Put an answer into its place."""
        self.answers[place] = answer
        self.missing -= 1
        self.size += len(answer) + 1

    def complete(self) -> list[bytes] | None:
        """Give all answers once none is missing; None before, and where there is none to give."""
        return self.answers if self.is_read and self.answers and not self.missing else None


@attrs.define(eq=False)
class IncomingCall(_Call):
    """A call that the peer made."""

    stage: Stage = Stage.OPEN
    params: bytes | None = None
    timeout: int | None = None
    """Milliseconds for which the caller will wait; None for as long as it takes."""
    traceparent: str | None = None
    credit: SendCredit | None = None
    """Set where the peer opened a window for a stream."""
    batch: BatchAnswers | None = None
    place: int = 0
    """Where its answer goes in the batch."""


CallT = TypeVar("CallT", bound=_Call)


class CallTable(Generic[CallT]):
    """The calls in flight in one direction, by id."""

    def __init__(self) -> None:
        self._calls: dict[RequestId, CallT] = {}
        self.subscriptions = 0
        """How many of them are subscriptions, which do not count as calls that are served."""
        self.size = 0
        """In bytes, of all of them."""

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[CallT]:
        return iter(tuple(self._calls.values()))

    def __contains__(self, id: object) -> bool:
        return id in self._calls

    def get(self, id: RequestId) -> CallT | None:
        """Look up a call in flight."""
        return self._calls.get(id)

    def insert(self, call: CallT) -> None:
        """Put a new call in. One with a null id cannot be addressed, so it is not kept."""
        if call.id != NULL_ID:
            self._calls[call.id] = call
            self.subscriptions += call.method == SUBSCRIBE
            self.size += call.size

    def end(self, call: CallT, step: Step = Step.END) -> None:
        """Settle a call and forget its id."""
        call.move(step)
        if self._calls.pop(call.id, None) is not None:
            self.subscriptions -= call.method == SUBSCRIBE
            self.size -= call.size

    def end_all(self) -> list[CallT]:
        """Forget every call, because the link has ended, and give them as they stood."""
        calls = list(self._calls.values())
        self._calls.clear()
        self.subscriptions = self.size = 0
        return calls
