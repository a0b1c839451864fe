"""A remote task of the peer while it is served: it reports that it has started, and runs on."""

from __future__ import annotations

from collections.abc import Callable

import trio

from farcall._codec import Codec
from farcall._connection.responses import StartEncodeError
from farcall._failures import without
from farcall._serving.calls import Runner
from farcall._serving.deadline import NO_DEADLINE


class TaskRunner(Runner):
    """Runs a method with ``task_status``."""

    async def handle(self) -> object:
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
        """Report the start; from now on the task runs until it ends, or its caller's nursery does.

        A task that was cancelled reports nothing, as in Trio: its caller's ``start`` has failed and
        only waits for its end.
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
        """Answer a start value that was too large like such a result."""
        # The handler's nursery may have put it into a group.
        if without(exc, StartEncodeError) is not None:
            return exc
        return self._served.too_large(self._served.call.excess(0))


class ServedStatus(trio.TaskStatus[object]):
    """The ``task_status`` of a handler.

    Args:
        codec: Of the value.
        report: Sends the encoded value; raises `EncodeError` if it is too large.
    """

    def __init__(self, codec: Codec[object], report: Callable[[bytes], None]) -> None:
        self._codec = codec
        self._report = report
        self._is_started = self._is_ended = False

    def started(self, value: object = None) -> None:
        """Report to the caller that the task has started.

        Args:
            value: Returned by ``nursery.start`` of the caller.

        Raises:
            EncodeError: the value is not of its type, or is too large.
            RuntimeError: it was called before, or the task has ended.
        """
        if self._is_started:
            raise RuntimeError("called 'started' twice on the same task status")
        if self._is_ended:
            raise RuntimeError("called 'started' after the remote task had ended")
        self._report(self._codec.encode(value, at="started"))
        self._is_started = True

    def end(self) -> None:
        """Note that the task has ended: `started` then raises."""
        self._is_ended = True
