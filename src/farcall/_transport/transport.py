"""The seam below a connection: messages over something that has two ends.

A connection knows no sockets; it speaks to a `Transport`. There are two: WebSocket, and the pair in
memory, on which the same tests run under virtual time. What both enforce stands here as well, the
token bucket for pings among it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

import attrs
import trio

from farcall._limits import Limits, MessageLimit
from farcall._principal import Principal
from farcall._protocol.skipped import Skipped
from farcall.errors import CloseCode


# Validating on assignment would send every change of a counter through Python code: none here.
@attrs.define(eq=False, on_setattr=attrs.setters.NO_OP)
class TokenBucket:
    """So many at once, and then so many a second.

    Args:
        per_second: Tokens that come back.
        burst: Tokens that it holds; it is full at first.
        at: The time of that.
    """

    _per_second: float
    _burst: int
    _at: float
    _tokens: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tokens = self._burst

    def take(self, now: float) -> bool:
        """Take a token, and tell whether there was one."""
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


@attrs.frozen
class CloseReason:
    """How a link ended."""

    code: int
    """A WebSocket close code (RFC 6455, section 7.4); 1006 for an end without a Close frame."""
    reason: str
    remote: bool = True
    """Whether the peer, or the network, ended it first."""

    def __str__(self) -> str:
        who = "the peer" if self.remote else "this side"
        detail = f": {self.reason}" if self.reason else ""
        return f"closed by {who} with {self.code}{detail}"


HUNG_UP: Final = CloseReason(ABNORMAL_CLOSURE, "the link ended without a Close frame")
ABORTED: Final = CloseReason(ABNORMAL_CLOSURE, "hung up without a Close frame", remote=False)


def stalled(seconds: float) -> CloseReason:
    """Say why a link to a peer that takes no bytes was hung up.

    The peer is not told: a frame has begun, and nothing but its rest may follow.
    """
    problem = f"no byte was taken for {seconds:g} s (the limit stall_seconds)"
    return CloseReason(CloseCode.SLOW_CONSUMER, problem, remote=False)


@contextmanager
def awaiting_close(peer: str, seconds: float) -> Iterator[None]:
    """Give a block the time that a peer has for its answer to our Close frame.

    Out of time, the block is left, and the log is told of the peer that is to be hung up on.
    """
    with trio.move_on_after(seconds) as patience:
        yield
    if patience.cancelled_caught:
        logger.debug("%s: no answer to a Close in %g s (the limit close_seconds)", peer, seconds)


def ping_bucket(limits: Limits, now: float) -> TokenBucket:
    """Make the bucket from which each ping of the peer takes a token."""
    return TokenBucket(limits.pings_per_second, limits.ping_burst, now)


def too_many_pings(limits: Limits) -> str:
    """Say in a Close frame what pings were too many."""
    most = f"{limits.ping_burst} pings at once, or {limits.pings_per_second:g} a second"
    return f"more than {most} (the limits ping_burst and pings_per_second)"


def too_big(limit: MessageLimit) -> str:
    """Say in a Close frame which limit a message was over."""
    return f"a message was larger than {limit.size} bytes (the limit {limit.name})"


@attrs.frozen
class Endpoint:
    """What the handshake told about a link; frozen once it is open."""

    local: str
    """``host:port`` of this side, or a path, or ``memory``."""
    peer: str
    """The same for the other side."""
    path: str = "/"
    """The path that was asked for, without its query."""
    query: str = ""
    headers: Mapping[str, str] = attrs.field(factory=dict[str, str])
    """The header fields that the peer sent, names in lower case."""
    principal: Principal | None = None
    """Whom ``authenticate`` took the peer for."""


class Receiver(Protocol):
    """What a transport calls, in the task of its reader; nothing here awaits or raises."""

    def on_text(self, text: bytes) -> None:
        """Take one whole message of text, which is valid UTF-8."""

    def on_binary(self, data: bytes) -> None:
        """Take one whole binary message."""

    def may_skip(self, start: bytes) -> bool:
        """Tell whether to skip a message over the limit; one that is not ends the link with 1009.

        Args:
            start: How the message begins.
        """
        ...

    def on_skipped(self, message: Skipped) -> None:
        """Take the ends of a message over the limit that has come and was not kept."""

    def on_incomplete(self, size: int) -> None:
        """Note how many bytes are kept of a message whose end has not come; 0 when it has."""

    def on_pong(self, payload: bytes) -> None:
        """Take the answer to a ping."""

    def on_rest(self) -> None:
        """Have another task wait in `Transport.send_rest`: a pong has found no room.

        The reader does not wait for it. A peer that waits for room in its turn would read nothing
        meanwhile, and both would wait for ever.
        """

    def on_pause(self) -> None:
        """Do what waits for the end of reading: nothing more is here for now.

        The reader calls it before it waits for bytes, before others have their turn, and when it
        ends. So what `on_text` put off is never put off for long.
        """


class Transport(Protocol):
    """One link, already open. One task runs it; the methods that do not wait are anybody's.

    What is sent leaves in the order in which it was given, pongs and Close frames included.
    """

    @property
    def endpoint(self) -> Endpoint:
        """Tell who is at both ends."""
        ...

    @property
    def received_at(self) -> float:
        """Tell when the last byte came, on Trio's clock; the heartbeat watches it."""
        ...

    def limit_messages(self, limit: MessageLimit) -> None:
        """Take messages of another size from now on."""
        ...

    async def run(self, receiver: Receiver) -> CloseReason:
        """Read until the link ends, giving each message to `receiver`, and say how it ended.

        It answers pings and the peer's Close by itself, and raises for no peer's fault. After
        `aclose` was called the receiver hears nothing more but `on_pause`.

        One task calls it, once. Cancelled, it leaves the link to be aborted; until then the link
        can still send.
        """
        ...

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send each of `frames` as one message, all in one write where it can be, without waiting.

        They are text, but for those that begin with a NUL byte, as no JSON does: these are binary.

        Any task may call it, the reader in a method of its receiver too, and while another one
        waits in `send_rest`. What the link does not take at once it keeps, and nothing is lost.

        Returns:
            Whether all has left. If not, `send_rest` is due; give nothing more before it is done,
            for nothing bounds what the link keeps.
        """
        ...

    def ping_now(self, payload: bytes) -> bool:
        """Send a ping, under the rules of `send_now`; the pong goes to `Receiver.on_pong`."""
        ...

    async def send_rest(self) -> None:
        """Wait until all that was given has left.

        Any number of tasks may call it. Cancelled, it goes on: the link is never left in the
        middle of a frame.

        Raises:
            trio.BrokenResourceError: the link has ended, or is ending, or took no byte for
                `Limits.stall_seconds` (it is aborted then); what was given counts as sent.
        """
        ...

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Say goodbye with a Close frame and wait for the peer's, then hang up.

        It takes `Limits.close_seconds` at most.

        Any task may call it; a second call returns at once. Cancelled, it hangs up without waiting.
        """
        ...

    def abort(self) -> None:
        """Hang up at once, without a goodbye; `run` and `send_rest` end soon after.

        Any task may call it, the reader in a method of its receiver too.
        """
        ...
