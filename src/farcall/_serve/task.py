"""A remote task of the peer while it is served: it tells when it has started, and runs on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import trio

from farcall._call import Connection
from farcall._codec import Codec
from farcall._connection.link import Link
from farcall._endpoints import Endpoint
from farcall._failures import without
from farcall._intercept import proceeded_twice
from farcall._protocol.messages import Error, Started
from farcall._protocol.state import IncomingCall
from farcall._serve.call import Deadline, ServedCall
from farcall.errors import EncodeError


class ServedTask(ServedCall):
    """A call of a method that is declared as a remote task; see `ServedCall` for the arguments."""

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        call: IncomingCall | None,
        params: bytes | None,
        deadline: Deadline,
        *,
        link: Link,
        debug: bool = False,
    ) -> None:
        super().__init__(connection, endpoint, call, params, deadline, debug=debug)
        self._link = link
        self._has_started = False

    async def _handle(self) -> Any:
        if self._has_started or self._has_read:
            raise proceeded_twice(self.context)
        args, kwargs = self._decode()
        self._has_read = self._uploads is not None
        codec = self.endpoint.method.started
        assert codec is not None
        status = ServedStatus(codec, self._on_started)
        try:
            with self._guard():
                return await self.endpoint.function(*args, **kwargs, task_status=status)
        finally:
            status.end()

    def _on_started(self, value: bytes) -> None:
        """Tell the caller; from now on the task runs until it ends, or its caller's nursery does.

        A task that is to end already says nothing, as one of Trio's does: its caller's start has
        failed, and only its end is waited for.
        """
        if self._scope.cancel_called:
            return
        if self.call is not None:
            self._tell(self.call, value)
        self._has_started = True
        self._scope.deadline = self.context.deadline = math.inf

    def _tell(self, call: IncomingCall, value: bytes) -> None:
        try:
            self._link.answers.start(call, value)
        except EncodeError as exc:
            size = sum(map(len, Started(call.id, value).parts()))
            if size > self._link.protocol.message_limit:
                raise _UntakenEncodeError(str(exc)) from None
            raise

    def _failed(self, exc: BaseException) -> Error:
        """Answer a start that was too large as such a result: its caller chose limit and id."""
        if without(exc, _UntakenEncodeError) is None:
            protocol = self._link.protocol
            limit: dict[str, str | int] = {"limit": protocol.message_limit_name}
            limit["bytes"] = protocol.message_limit
            exc = self._too_large(limit)
        return super()._failed(exc)


class _UntakenEncodeError(EncodeError):
    """A start is larger than its caller takes; told from others, for it may come in a group."""


class ServedStatus(trio.TaskStatus[Any]):
    """What a handler calls `started` on.

    Args:
        codec: Of the value.
        tell: Takes the text of the value; raises `EncodeError` where it cannot cross.
    """

    def __init__(self, codec: Codec[Any], tell: Callable[[bytes], None]) -> None:
        self._codec = codec
        self._tell = tell
        self._is_started = self._is_ended = False

    def started(self, value: Any = None) -> None:
        """Tell the caller that the task has begun.

        Args:
            value: What ``nursery.start`` returns there.

        Raises:
            EncodeError: the value is not of its type, or cannot cross the wire.
            RuntimeError: it was called before, or the task has ended.
        """
        if self._is_started:
            raise RuntimeError("called 'started' twice on the same task status")
        if self._is_ended:
            raise RuntimeError("called 'started' after the remote task had ended")
        self._tell(self._codec.encode(value, at="started"))
        self._is_started = True

    def end(self) -> None:
        """Note that the task has ended; whoever still has this object can do nothing with it."""
        self._is_ended = True
