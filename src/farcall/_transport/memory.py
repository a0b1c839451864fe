"""A link in memory: two transports in one process that behave like a WebSocket.

Each direction is a `_Pipe`, which stands for two socket buffers and the wire between them. A frame
is in it whole or not at all, so none can be torn. As with a socket, a full pipe makes the sender
wait, and a Close frame queues behind what was sent before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar, assert_never

import attrs
import trio
from msgspec.structs import replace

from farcall._limits import DEFAULT_LIMITS, Limits, MessageLimit, check_limits, message_limit
from farcall._nursery import ends_program
from farcall._principal import Principal
from farcall._protocol.skipped import END_BYTES, SKIPPED_TIMES, Skipped
from farcall._transport.transport import (
    ABORTED,
    HUNG_UP,
    CloseReason,
    Endpoint,
    Receiver,
    awaiting_close,
    logger,
    ping_bucket,
    stalled,
    too_big,
    too_many_pings,
)
from farcall._usage.home import check_trio
from farcall._usage.live import Live
from farcall._usage.options import (
    check_instance,
    check_int,
    check_text,
    check_text_mapping,
    optional,
    wrong_value,
)
from farcall.errors import CloseCode

DEFAULT_WINDOW: Final = 64 * 1024
"""Bytes that fit into one direction before a sender waits; about as much as a new socket has."""


def memory_pair(
    *,
    path: str = "/",
    query: str = "",
    headers: Mapping[str, str] | None = None,
    principal: Principal | None = None,
    limits: Limits = DEFAULT_LIMITS,
    window: int = DEFAULT_WINDOW,
) -> tuple[MemoryTransport, MemoryTransport]:
    """Make both ends of a link, the one that dialled first.

    Args:
        path: The path that the first end asked for.
        query: The query of that path.
        headers: Those that the first end sent, with names in lower case.
        principal: The first end, as the second one knows it.
        limits: What each end may cost the other, as for a client and a server over WebSocket.
            There are no fragments, and no incomplete messages.
        window: Bytes that fit into one direction before a sender waits.

    Raises:
        TypeError: an argument is of another type; names it.
        ValueError: the path does not begin with a slash, or the window is less than a byte.
    """
    check_text("path=", path, write='"/"')
    if not path.startswith("/"):
        raise wrong_value("path=", "a path that begins with a slash", path, repr(f"/{path}"))
    check_text("query=", query, may_be_empty=True)
    optional(check_text_mapping)("headers=", headers, write='headers={"x-name": "value"}')
    optional(check_instance)("principal=", principal, kind=Principal, takes="a farcall.Principal")
    check_limits("limits=", limits)
    check_int("window=", window, least=1)
    check_trio("farcall.testing.memory_pair")
    there, back = _Pipe(window), _Pipe(window)
    dialled = Endpoint(local="memory", peer="memory", path=path, query=query)
    accepted = replace(dialled, headers=headers or {}, principal=principal)
    return (
        MemoryTransport(dialled, back, there, limits, is_client=True),
        MemoryTransport(accepted, there, back, limits, is_client=False),
    )


@attrs.frozen
class _Frame:
    data: bytes
    is_text: bool = True


@attrs.frozen
class _Ping:
    payload: bytes


@attrs.frozen
class _Pong:
    payload: bytes


@attrs.frozen
class _Close:
    code: int
    reason: str


@attrs.frozen
class _End:
    """The end of file of a socket."""


T = TypeVar("T")
_Item: TypeAlias = _Frame | _Ping | _Pong | _Close | _End


@attrs.define(eq=False)
class _Pipe:
    """One direction of a link."""

    window: int
    is_frozen: bool = False
    _items: deque[_Item] = attrs.field(factory=deque[_Item])
    _held: int = 0
    _readers: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)
    _writers: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    def is_writable(self) -> bool:
        return self._held <= self.window

    async def wait_taken(self) -> None:
        """Wait until the reader has taken something, or `release` is called."""
        await self._writers.park()

    def release(self) -> None:
        self._writers.unpark_all()

    def put(self, item: _Item) -> None:
        if isinstance(item, _Frame):
            self._held += len(item.data)
        self._items.append(item)
        self._readers.unpark_all()

    async def take(self) -> list[_Item]:
        """Wait for an item, and take all that are there."""
        await trio.lowlevel.checkpoint()
        while self.is_frozen or not self._items:
            await self._readers.park()
        return self._drain()

    def _drain(self) -> list[_Item]:
        items = list(self._items)
        self._items.clear()
        self._held = 0
        self.release()
        return items

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False
        self._readers.unpark_all()

    def cut(self) -> None:
        self._drain()
        self.put(_End())
        self.thaw()


class MemoryTransport(Live):
    """One end of a link in memory: a `Transport`, with methods for what networks do in tests.

    Make it with `memory_pair`, inside of `trio.run`.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        inbound: _Pipe,
        outbound: _Pipe,
        limits: Limits,
        *,
        is_client: bool,
    ) -> None:
        self._endpoint = endpoint
        self._inbound = inbound
        self._outbound = outbound
        self._limits = limits
        self._message_limit = message_limit(limits, is_client=is_client)
        self._received_at = trio.current_time()
        self._ping_tokens = ping_bucket(limits, self._received_at)
        self._link = trio.CancelScope()
        self._ended = False
        self._idle = trio.Event()
        self._idle.set()
        self._waiting: deque[_Item] = deque()
        self._reason: CloseReason | None = None

    def __repr__(self) -> str:
        state = "open" if self._reason is None else str(self._reason)
        return f"<MemoryTransport {self._endpoint.path} {state}>"

    @property
    def endpoint(self) -> Endpoint:
        """Both ends of the link."""
        return self._endpoint

    @property
    def received_at(self) -> float:
        """The time of the last message, on Trio's clock."""
        return self._received_at

    def limit_messages(self, limit: MessageLimit) -> None:
        """Change the limit of incoming messages; see `Transport.limit_messages`."""
        self._message_limit = limit

    async def run(self, receiver: Receiver) -> CloseReason:
        """Read until the link ends; see `Transport.run`."""
        self._idle = trio.Event()
        try:
            with self._link:
                while True:
                    receiver.on_pause()
                    for item in await self._inbound.take():
                        self._received_at = trio.current_time()
                        self._handle(item, receiver)
        finally:
            receiver.on_pause()
            self._idle.set()
        return self._hang_up(HUNG_UP)

    def send_now(self, frames: Sequence[bytes]) -> bool:
        """Send without waiting; see `Transport.send_now`."""
        return self._put([_Frame(each, is_text=not each.startswith(b"\0")) for each in frames])

    def ping_now(self, payload: bytes) -> bool:
        """Send a ping without waiting; see `Transport.ping_now`."""
        return self._put([_Ping(payload)])

    async def send_rest(self) -> None:
        """Wait until everything has been sent; see `Transport.send_rest`."""
        with trio.CancelScope(shield=True):
            await self._drain()
        if self._reason is not None:
            raise trio.BrokenResourceError(str(self._reason))

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Send a Close frame, wait for the other, hang up; see `Transport.aclose`."""
        if self._reason is None:
            self._send_close(CloseReason(code, reason, remote=False))
            try:
                with awaiting_close(self._endpoint.peer, self._limits.close_seconds):
                    await self._drain()
                    await self._idle.wait()
            finally:
                self._hang_up(ABORTED)
        await trio.lowlevel.checkpoint()

    def abort(self) -> None:
        """Hang up without a Close frame; see `Transport.abort`."""
        self._hang_up(ABORTED)

    def send_binary(self, frame: bytes) -> bool:
        """Send a binary message, as `send_now` does, whatever it begins with."""
        return self._put([_Frame(frame, is_text=False)])

    def freeze(self) -> None:
        """Let nothing arrive at either end any more, without notice: a half-open link."""
        self._inbound.freeze()
        self._outbound.freeze()

    def thaw(self) -> None:
        """Deliver what was sent while the link was frozen, and all that follows."""
        self._inbound.thaw()
        self._outbound.thaw()

    def stop_reading(self) -> None:
        """Read nothing, so that the link fills and the sender has to wait."""
        self._inbound.freeze()

    def go_on_reading(self) -> None:
        """Read what has come since `stop_reading`, and all that follows."""
        self._inbound.thaw()

    def cut(self) -> None:
        """End the link for both ends at once, and lose what is on its way."""
        self._inbound.cut()
        self._outbound.cut()

    def _put(self, items: Sequence[_Item]) -> bool:
        """Put as much into the link as fits, and queue the rest; return False if there is any."""
        if self._reason is not None:
            return False
        for item in items:
            if self._waiting or not self._outbound.is_writable():
                self._waiting.append(item)
            else:
                self._outbound.put(item)
        return not self._waiting

    async def _drain(self) -> None:
        """Put what waits into the link as room comes, until nothing waits or the link ends."""
        while self._waiting:
            await self._wait_writable()
            if self._waiting:  # it may have ended, or another task may have been here
                self._outbound.put(self._waiting.popleft())

    async def _wait_writable(self) -> None:
        while not (self._ended or self._outbound.is_writable()):
            with trio.move_on_after(self._limits.stall_seconds) as patience:
                await self._outbound.wait_taken()
            if patience.cancelled_caught:
                self._hang_up(stalled(self._limits.stall_seconds))

    def _handle(self, item: _Item, receiver: Receiver) -> None:
        match item:
            case _End():
                self._hang_up(HUNG_UP)
            case _Close(code, reason):
                self._hang_up(CloseReason(code, reason))
            case _ if self._reason is not None:
                pass  # the link is ending
            case _Frame():
                self._handle_frame(item, receiver)
            case _Pong(payload):
                self._give(receiver.on_pong, payload)
            case _Ping() if not self._ping_tokens.take(self._received_at):
                self._refuse(CloseCode.POLICY, too_many_pings(self._limits))
            case _Ping(payload):
                if not self._put([_Pong(payload)]):
                    receiver.on_rest()
            case _:
                assert_never(item)

    def _handle_frame(self, frame: _Frame, receiver: Receiver) -> None:
        limit, data = self._message_limit, frame.data
        is_large = len(data) > limit.size
        if is_large and not self._may_skip(data, receiver):
            self._refuse(CloseCode.TOO_BIG, too_big(limit))
        elif frame.is_text and (problem := _fault_of_text(data)):
            self._refuse(CloseCode.INVALID_TEXT, problem)
        elif is_large:
            self._give(receiver.on_skipped, Skipped.of(data, limit))
        else:
            self._give(receiver.on_text if frame.is_text else receiver.on_binary, data)

    def _may_skip(self, data: bytes, receiver: Receiver) -> bool:
        is_near = len(data) <= SKIPPED_TIMES * self._message_limit.size
        return is_near and receiver.may_skip(data[:END_BYTES])

    def _give(self, callback: Callable[[T], None], payload: T) -> None:
        try:
            callback(payload)
        except BaseException as exc:  # a bug of ours must not look like a fault of the network
            if ends_program(exc):
                raise
            logger.exception("the receiver of a transport failed")
            self._refuse(CloseCode.INTERNAL, "internal error")

    def _refuse(self, code: CloseCode, reason: str) -> None:
        closing = CloseReason(code, reason, remote=False)
        self._waiting.clear()
        self._send_close(closing)
        self._hang_up(closing)

    def _send_close(self, closing: CloseReason) -> None:
        """Send a Close frame after everything else; nothing follows it."""
        self._reason = closing
        frame = _Close(closing.code, closing.reason)
        if self._waiting:
            self._waiting.append(frame)
        else:
            self._outbound.put(frame)

    def _hang_up(self, reason: CloseReason) -> CloseReason:
        """End the link, for `reason` if it has none yet; return its reason."""
        if self._reason is None:
            self._reason = reason
        if not self._ended:
            self._ended = True
            self._waiting.clear()
            self._outbound.put(_End())
            self._outbound.release()
            self._link.cancel()
        return self._reason


def _fault_of_text(data: bytes) -> str | None:
    try:
        data.decode()
    except UnicodeDecodeError as exc:
        return str(exc)
    return None
