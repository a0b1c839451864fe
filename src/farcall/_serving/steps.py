"""How long handlers hold up everything else: with ``debug=True`` each step of them is timed.

A step is what a handler does between two waits. One that takes long, for it computes or blocks,
stops every other task of the process, and no deadline can end it. A task of Trio cannot be watched
from outside without slowing down all tasks of the user, so a handler's coroutine is driven here,
which costs a few microseconds for each wait: too much for every server.

its first step directly, for most handlers have no other, and the rest by an awaitable in between.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator
from time import perf_counter
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any, Final, TypeVar, cast

T = TypeVar("T")
logger = logging.getLogger("farcall")

SLOW_SECONDS: Final = 0.05
"""A step that takes longer holds up everybody; long enough not to blame a busy CPU."""

_slow: Counter[str] = Counter()
"""How many slow steps of each method there were, up to the one that was logged."""


async def timed(handler: Coroutine[Any, Any, T], name: str, source: object) -> T:
    """Await a handler, and warn at the second slow step of a method: one may be a busy machine.

    Args:
        handler: To run.
        name: Of the method.
        source: Whose line is told; by default that of `handler`.
    """
    if not isinstance(handler, CoroutineType):
        return await handler
    watchdog.begin()
    began = perf_counter()
    try:
        waits_for = handler.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    finally:
        took = perf_counter() - began
        if took > SLOW_SECONDS:
            _note_slow(name, took, source or handler)
        watchdog.end()
    return await _Steps(handler, waits_for, name, source or handler)


class _Steps(Awaitable[T]):
    """The steps of a handler after its first, each timed.

    A task of Trio shows its stack by following ``cr_await``; so a handler that hangs can be found.
    """

    def __init__(
        self,
        handler: CoroutineType[Any, Any, T],
        waits_for: object,
        name: str,
        source: object,
    ) -> None:
        self._handler = handler
        self._waits_for: tuple[object] | None = (waits_for,)
        self._name = name
        self._source = source

    @property
    def cr_frame(self) -> FrameType | None:
        return self._handler.cr_frame

    @property
    def cr_await(self) -> object:
        return self._handler.cr_await

    def __await__(self) -> Generator[Any, Any, T]:
        return cast("Generator[Any, Any, T]", self)

    def __next__(self) -> object:
        return self.send(None)

    def send(self, value: object) -> object:
        if self._waits_for is not None:  # for what the first step has come to wait for
            (first,), self._waits_for = self._waits_for, None
            return first
        return self._take(self._handler.send, value)

    def throw(self, exc: BaseException, *_more: object) -> object:
        return self._take(self._handler.throw, exc)

    def close(self) -> None:
        self._handler.close()

    def _take(self, step: Callable[[Any], object], value: object) -> object:
        watchdog.begin()
        began = perf_counter()
        try:
            return step(value)
        finally:
            took = perf_counter() - began
            if took > SLOW_SECONDS:
                _note_slow(self._name, took, self._source)
            watchdog.end()


def _note_slow(name: str, seconds: float, source: object) -> None:
    if _slow[name] >= 2:
        return
    _slow[name] += 1
    if _slow[name] < 2:
        return
    stack = f"\n{watchdog.stack}" if watchdog.stack else ""
    logger.warning(
        "%s held up everything else for %.0f ms, for the second time, before %s; do such work in a"
        " thread, by trio.to_thread.run_sync, or wait now and then (logged once)%s",
        name,
        seconds * 1000,
        _place(source),
        stack,
    )


def _place(source: object) -> str:
    """Say where a handler waits now."""
    frame: FrameType | None = None
    if isinstance(source, CoroutineType):
        frame = source.cr_frame
    elif isinstance(source, AsyncGeneratorType):
        frame = source.ag_frame
    if frame is None:
        return "its end"
    return f"the await at {frame.f_code.co_filename}:{frame.f_lineno}"


class Watchdog:
    """A thread that looks at the stack of a handler in the middle of a slow step.

    It runs as long as a link of a server with ``debug=True`` is open.
    """

    def __init__(self) -> None:
        self.stack = ""
        """Of the current step, if it is slow."""
        self._users = 0
        self._began: float | None = None
        self._thread_of_step = 0
        self._is_over = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Watch from now on."""
        self._users += 1
        if self._thread is None:
            self._is_over = threading.Event()
            watch = threading.Thread(target=self._run, name="farcall watchdog", daemon=True)
            self._thread = watch
            watch.start()

    def close(self) -> None:
        """Undo one `open`; the last one ends the thread, which is quick to do so."""
        self._users -= 1
        if self._users == 0 and self._thread is not None:
            self._is_over.set()
            self._thread.join()
            self._thread = None

    def begin(self) -> None:
        """Watch a step of the current thread."""
        self.stack, self._thread_of_step = "", threading.get_ident()
        self._began = perf_counter()

    def end(self) -> None:
        """Watch no more, until the next step."""
        self._began = None

    def _run(self) -> None:
        while not self._is_over.wait(SLOW_SECONDS / 2):
            began = self._began
            if began is not None and not self.stack and perf_counter() - began > SLOW_SECONDS:
                frame = sys._current_frames().get(self._thread_of_step)
                self.stack = "".join(traceback.format_stack(frame)).rstrip()


watchdog = Watchdog()
"""Of this process."""
