"""Context managers that explain their use: of connections, streams and subscriptions."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, TypeVar

T_co = TypeVar("T_co", covariant=True)


class _Explained:
    """Raises its `_advice` when it is iterated over, awaited or entered by ``with``."""

    __slots__ = ()

    # Type checkers report these mistakes because the methods are missing: hide them.
    if not TYPE_CHECKING:

        def _refuse(self, *_: object) -> NoReturn:
            raise TypeError(self._advice)

        __aiter__ = __iter__ = __await__ = __enter__ = _refuse

        def __exit__(self, *_: object) -> None:
            """Exist: ``with`` looks it up before it enters."""


class Opening(_Explained, AbstractAsyncContextManager[T_co]):
    """A context manager that, awaited or iterated over, raises an error that says how to use it.

    Args:
        manager: The context manager itself.
        advice: The text of the error: what it is, and what to write.
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


class Openable(_Explained):
    """An object with a method that returns an `Opening`, often used as if it were one.

    A subclass has `_advice`, as `Opening` has.
    """

    __slots__ = ()

    if not TYPE_CHECKING:
        __aenter__ = __call__ = _Explained._refuse

        async def __aexit__(self, *_: object) -> None:
            """Exist, for ``async with``."""


def advice_on_stream(name: str, call: str) -> str:
    """Say how to read a stream."""
    return f"{name} is a stream: write `async with {call} as items:`, and iterate over items"


def advice_on_signal(name: str) -> str:
    """Say how to subscribe to a signal."""
    call = f"...{name.rpartition('.')[2]}.subscribe()"
    return f"{name} is a signal: write `async with {call} as values:`, and iterate over values"
