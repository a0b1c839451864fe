"""What ``async with`` opens: a connection, a stream, a subscription."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeVar

T_co = TypeVar("T_co", covariant=True)


class Opening(AbstractAsyncContextManager[T_co]):
    """A context manager that says how it is used where it is awaited or iterated over.

    Args:
        manager: Opens and closes.
        advice: What it is, and what to write.
    """

    __slots__ = ("_advice", "_manager")

    def __init__(self, manager: AbstractAsyncContextManager[T_co], advice: str) -> None:
        self._manager = manager
        self._advice = advice

    async def __aenter__(self) -> T_co:
        return await self._manager.__aenter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> bool | None:
        return await self._manager.__aexit__(kind, exc, traceback)

    # Type checkers find such a mistake because these are missing, so they are hidden from them.
    if not TYPE_CHECKING:

        def _refuse(self, *_: object) -> NoReturn:
            raise TypeError(self._advice)

        __aiter__ = __iter__ = __await__ = __enter__ = _refuse

        def __exit__(self, *_: object) -> None:
            """Be there: ``with`` looks for it before it enters."""


class Openable:
    """What gives an `Opening` when it is asked for one, and says so where it is used as one.

    A subclass has `_advice`: what it is, and what to write.
    """

    __slots__ = ()

    if not TYPE_CHECKING:

        def _refuse(self, *_: object) -> NoReturn:
            raise TypeError(self._advice)

        __aiter__ = __iter__ = __await__ = __enter__ = __aenter__ = __call__ = _refuse

        def __exit__(self, *_: object) -> None:
            """Be there: ``with`` looks for it before it enters."""

        async def __aexit__(self, *_: object) -> None:
            """Be there, likewise."""


def advice_on_stream(name: str, call: str) -> str:
    """Say how a stream is read."""
    return f"{name} is a stream: write `async with {call} as items:`, and iterate over items"


def advice_on_signal(name: str) -> str:
    """Say how a signal is listened to."""
    call = f"...{name.rpartition('.')[2]}.subscribe()"
    return f"{name} is a signal: write `async with {call} as values:`, and iterate over values"
