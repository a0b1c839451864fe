"""Slow steps of handlers, found by timing each of them under ``debug=True``.

A step is the code between two waits. One that computes or blocks for long stops every other task of
the process, and no deadline can end it. Instruments of Trio would slow down all tasks of the user,
so a handler's coroutine is driven here: its first step directly, because most handlers have no
other, and the rest by an awaitable in between. That costs a few microseconds for each wait, too
much for every server.
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
"""Over this a step is slow; long enough that a busy CPU rarely causes it."""

_slow: Counter[str] = Counter()
"""The slow steps of each method, until the log has one."""


async def timed(handler: Coroutine[Any, Any, T], name: str, source: object) -> T:
    """Await a handler, and warn at the second slow step of its method: a busy CPU may cause one.

    Args:
        handler: The coroutine.
        name: Of the method.
        source: The coroutine or generator whose line is logged; by default `handler`.
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

    Trio shows the stack of a task by following ``cr_await``, so handlers remain visible there.
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
        if self._waits_for is not None:  # the first step's
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
        "%s blocked all other tasks for %.0f ms, for the second time, before %s; do such work in a"
        " thread with trio.to_thread.run_sync, or await between its parts (logged once)%s",
        name,
        seconds * 1000,
        _place(source),
        stack,
    )


def _place(source: object) -> str:
    """Name the line at which a handler waits."""
    frame: FrameType | None = None
    if isinstance(source, CoroutineType):
        frame = source.cr_frame
    elif isinstance(source, AsyncGeneratorType):
        frame = source.ag_frame
    if frame is None:
        return "its end"
    return f"the await at {frame.f_code.co_filename}:{frame.f_lineno}"


class Watchdog:
    """A thread that takes the stack of a handler during a slow step.

    It runs while a link of a server with ``debug=True`` is open.
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
        self._users += 1
        if self._thread is None:
            self._is_over = threading.Event()
            watch = threading.Thread(target=self._run, name="farcall watchdog", daemon=True)
            self._thread = watch
            watch.start()

    def close(self) -> None:
        """Undo one `open`; the last one ends the thread, and waits for it."""
        self._users -= 1
        if self._users == 0 and self._thread is not None:
            self._is_over.set()
            self._thread.join()
            self._thread = None

    def begin(self) -> None:
        """Begin a step of the current thread."""
        self.stack, self._thread_of_step = "", threading.get_ident()
        self._began = perf_counter()

    def end(self) -> None:
        self._began = None

    def _run(self) -> None:
        while not self._is_over.wait(SLOW_SECONDS / 2):
            began = self._began
            if began is not None and not self.stack and perf_counter() - began > SLOW_SECONDS:
                frame = sys._current_frames().get(self._thread_of_step)
                self.stack = "".join(traceback.format_stack(frame)).rstrip()


watchdog = Watchdog()
