"""The seam below a link: messages over something that has two ends.

A link knows no sockets; it has a `Transport`. There are two: WebSocket, and the pair in memory, on
which the same tests run under virtual time. The limits that both enforce are here as well.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import attrs
import trio
from msgspec import Struct, field

from farcall._limits import Limits, MessageLimit
from farcall._principal import Principal
from farcall._protocol.skipped import Skipped
from farcall.errors import CloseCode


# Validating on assignment would send every change of a counter through Python code: none here.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class TokenBucket:
    """A token bucket: a burst at once, and then a steady rate.

    Args:
        per_second: Tokens that are added each second.
        burst: Tokens that fit in; it is full at first.
        at: The time at which it is made.
    """

    _per_second: float
    _burst: int
    _at: float
    _tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self._burst

    def take(self, now: float) -> bool:
        """Take a token; return False if there is none."""
        fresh = (now - self._at) * self._per_second
        self._tokens = min(self._burst, self._tokens + fresh)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


logger: Final = logging.getLogger("farcall.transport")

ABNORMAL_CLOSURE: Final = 1006
"""RFC 6455, section 7.1.5: the code of a link that ended without a Close frame; never sent."""


class CloseReason(Struct, frozen=True):
    """How a link ended."""

    code: int
    """A WebSocket close code (RFC 6455, section 7.4); 1006 for an end without a Close frame."""
    reason: str
    remote: bool = True
    """Whether the peer, or the network, ended it first."""

    def __str__(self) -> str:
        side = "the peer" if self.remote else "this side"
        detail = f": {self.reason}" if self.reason else ""
        return f"closed by {side} with {self.code}{detail}"


HUNG_UP: Final = CloseReason(ABNORMAL_CLOSURE, "the link ended without a Close frame")
ABORTED: Final = CloseReason(ABNORMAL_CLOSURE, "hung up without a Close frame", remote=False)


def stalled(seconds: float) -> CloseReason:
    """Return the reason of a link whose peer accepts no bytes.

    The peer does not get it: half of a frame was sent, and nothing but its rest may follow.
    """
    problem = f"no byte was taken for {seconds:g} s (the limit stall_seconds)"
    return CloseReason(CloseCode.SLOW_CONSUMER, problem, remote=False)


@contextmanager
def awaiting_close(peer: str, seconds: float) -> Iterator[None]:
    """Limit the time that a block waits for the peer's answer to our Close frame.

    When that is over, leave the block and log it; the caller hangs up.
    """
    with trio.move_on_after(seconds) as patience:
        yield
    if patience.cancelled_caught:
        logger.debug("%s: no answer to a Close in %g s (the limit close_seconds)", peer, seconds)


def ping_bucket(limits: Limits, now: float) -> TokenBucket:
    """Make the bucket that limits the pings of the peer."""
    return TokenBucket(limits.pings_per_second, limits.ping_burst, now)


def too_many_pings(limits: Limits) -> str:
    """Return the reason for a Close frame."""
    most = f"{limits.ping_burst} pings at once, or {limits.pings_per_second:g} a second"
    return f"more than {most} (the limits ping_burst and pings_per_second)"


def too_big(limit: MessageLimit) -> str:
    """Return the reason for a Close frame."""
    return f"a message was larger than {limit.size} bytes (the limit {limit.name})"


class Endpoint(Struct, frozen=True):
    """Both ends of a link, as the handshake has told them."""

    local: str
    """``host:port`` of this side, or a path, or ``memory``."""
    peer: str
    """The same for the other side."""
    path: str = "/"
    """The path that the client asked for, without its query."""
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """The header fields that the peer sent, with names in lower case."""
    principal: Principal | None = None
    """The principal that ``authenticate`` returned for the peer."""


class Receiver(Protocol):
    """Takes what a transport reads, in the task of its reader; no method blocks or raises."""

    def on_text(self, text: bytes) -> None:
        """Take one whole text message, which is valid UTF-8."""

    def on_binary(self, data: bytes) -> None:
        """Take one whole binary message."""

    def may_skip(self, start: bytes) -> bool:
        """Return whether to skip a message over the limit that begins so, not close with 1009."""
        ...

    def on_skipped(self, message: Skipped) -> None:
        """Take the beginning and the end of a message over the limit that was skipped."""

    def on_incomplete(self, size: int) -> None:
        """Note how many bytes of a message are held whose end has not come; 0 when it has."""

    def on_pong(self, payload: bytes) -> None:
        """Take the answer to a ping."""

    def on_rest(self) -> None:
        """Have another task wait in `Transport.send_rest`: a pong could not leave at once.

        The reader does not wait for that. If the peer waited for room as well, neither side would
        read, and both would wait for ever.
        """

    def on_pause(self) -> None:
        """Do what was put off until all that is here has been read.

        The reader calls it before it waits for bytes, before other tasks have their turn, and when
        it ends. So nothing is put off for long.
        """


class Transport(Protocol):
    """One link, already open. One task runs it; any task may call the methods that do not wait.

    Everything is sent in the order in which it was given, pongs and Close frames included.
    """

    @property
    def endpoint(self) -> Endpoint:
        """Both ends of the link."""
        ...

    @property
    def received_at(self) -> float:
        """The time of the last byte, on Trio's clock; the heartbeat watches it."""
        ...

    def limit_messages(self, limit: MessageLimit) -> None:
        """Change the limit of incoming messages, from the next one on."""
        ...

    async def run(self, receiver: Receiver) -> CloseReason:
        """Read until the link ends, give each message to `receiver`, and return how it ended.

        It answers pings and the peer's Close by itself, and raises nothing that a peer causes.
        After `aclose` was called, it calls `on_pause` alone.

        One task calls it, once. Cancelled, it does not hang up, and the link can still send; call
        `abort` then.
        """
        ...

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send each of `frames` as one message, in one write if possible, without waiting.

        They are text, except for those that begin with a NUL byte, as no JSON does: these are
        binary.

        Any task may call it, also the reader in a method of its receiver, and while another task
        waits in `send_rest`. What the link does not accept at once it queues.

        Returns:
            Whether all has been sent. If not, wait in `send_rest` before you send more, for
            nothing bounds this queue.
        """
        ...

    def ping_now(self, payload: bytes) -> bool:
        """Send a ping, under the rules of `send_now`; the pong goes to `Receiver.on_pong`."""
        ...

    async def send_rest(self) -> None:
        """Wait until everything has been sent.

        Any number of tasks may call it. A cancellation does not end it, for half of a frame may
        have been sent.

        Raises:
            trio.BrokenResourceError: the link has ended or is ending, or the peer accepted no byte
                for `Limits.stall_seconds` (which aborts it). What was given counts as sent.
        """
        ...

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Send a Close frame, wait for the peer's, and hang up, within `Limits.close_seconds`.

        Any task may call it; a second call returns at once. Cancelled, it hangs up without waiting.
        """
        ...

    def abort(self) -> None:
        """Hang up at once, without a Close frame; `run` and `send_rest` end soon after.

        Any task may call it, also the reader in a method of its receiver.
        """
        ...
