"""A remote task of the peer while it is served: it tells when it has started, and runs on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import trio

from farcall._codec import Codec
from farcall._connection.responses import StartEncodeError
from farcall._failures import without
from farcall._serving.calls import NO_DEADLINE, Runner


class TaskRunner(Runner):
    """Runs a method that is declared as a remote task."""

    async def handle(self) -> object:
        """Run the handler with a status that tells the caller of its start."""
        served = self._served
        self._once.check()
        self._once.is_done = served.uploads is not None
        args, kwargs = served.decode()
        codec = served.endpoint.method.started
        assert codec is not None
        status = ServedStatus(codec, self._on_started)
        try:
            with served.guard():
                handler = served.endpoint.function(*args, **kwargs, task_status=status)
                return await served.timed(handler)
        finally:
            status.end()

    def _on_started(self, value: bytes) -> None:
        """Tell the caller; from now on the task runs until it ends, or its caller's nursery does.

        A task that is to end already says nothing, as one of Trio's does: its caller's start has
        failed, and only its end is waited for.
        """
        served = self._served
        scope = served.scope
        assert scope is not None
        if scope.cancel_called:
            return
        if served.wants_answer:
            served.call.start(value)
        self._once.is_done = True
        served.deadline = NO_DEADLINE
        scope.deadline = served.context.deadline = NO_DEADLINE.at

    def failure(self, exc: BaseException) -> BaseException:
        """Answer a start that was too large as such a result: its caller chose limit and id."""
        # It may come in a group, of the handler's nursery.
        if without(exc, StartEncodeError) is not None:
            return exc
        return self._served.too_large(self._served.call.excess(0))


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
