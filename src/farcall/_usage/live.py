"""Handles of something that lives in this process: a connection, a server, a subscription."""

from __future__ import annotations

from typing import NoReturn, TypeVar

LiveT = TypeVar("LiveT", bound="Live")


class Live:
    """The base of handles: a copy is the handle itself, and pickling raises.

    So records that hold a handle can be copied, and their copies share it.
    """

    __slots__ = ()

    def __copy__(self: LiveT) -> LiveT:
        return self

    def __deepcopy__(self: LiveT, _: object) -> LiveT:
        return self

    def __reduce_ex__(self, _: object) -> NoReturn:
        name = type(self).__name__
        raise TypeError(f"{name} cannot be pickled: it is a handle of something in this process")
