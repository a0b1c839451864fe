"""Checks that farcall is used in Trio, and in the thread of the run that an object belongs to."""

from __future__ import annotations

import sys
from threading import current_thread, get_ident, main_thread

from trio.lowlevel import in_trio_run, in_trio_task


def check_trio(name: str) -> None:
    """Check that Trio runs here.

    Raises:
        RuntimeError: It does not; the message says what to write instead.
    """
    if not in_trio_task():
        raise not_in_trio(name)


def check_may_start(name: str) -> None:
    """Check that a function may start Trio here, and receive signals.

    Raises:
        RuntimeError: Trio or asyncio runs already, or this is not the main thread.
    """
    if in_trio_run():
        raise RuntimeError(
            f"{name} starts Trio, which runs already: write"
            " `async with farcall.open_server(...) as server:`"
        )
    if _is_asyncio():
        raise RuntimeError(f"{name} starts Trio, but this is asyncio: call it outside of asyncio")
    if current_thread() is not main_thread():
        raise RuntimeError(
            f"{name} receives signals, which only the main thread can: in another one write"
            " trio.run(main), and in main `async with farcall.open_server(...) as server:`"
        )


def not_in_trio(name: str) -> RuntimeError:
    """Make the error for something that was started outside of Trio."""
    if _is_asyncio():
        return RuntimeError(
            f"{name} needs Trio, but this is asyncio: write trio.run(main)"
            " instead of asyncio.run(main())"
        )
    return RuntimeError(
        f"{name} needs Trio, but no Trio runs here: write trio.run(main), or, in a thread started"
        " by trio.to_thread.run_sync, trio.from_thread.run(...)"
    )


def _is_asyncio() -> bool:
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


class Home:
    """The thread of the Trio run that an object belongs to."""

    __slots__ = ("thread",)

    def __init__(self) -> None:
        self.thread = get_ident()

    def check(self, name: str, instead: str) -> None:
        """Check that this is the thread: another one would corrupt the state of the run.

        Args:
            name: The function that was called.
            instead: What to call in another thread.

        Raises:
            RuntimeError: This is another thread.
        """
        if get_ident() != self.thread:
            raise elsewhere(name, instead)


def elsewhere(name: str, instead: str) -> RuntimeError:
    """Make the error for something that was called in another thread."""
    return RuntimeError(
        f"{name} can be used only in the thread of its Trio run; in another thread call {instead}"
    )
