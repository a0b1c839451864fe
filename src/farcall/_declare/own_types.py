"""`register_type`: a class that crosses the wire as another type."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TypeVar

from farcall._contract.describe import is_known_type, wire_type
from farcall._contract.own_types import OwnType, Via, is_used, register, registered
from farcall._contract.spec import UnsupportedType
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_caller

T = TypeVar("T")
W = TypeVar("W")


def register_type(
    cls: type[T], wire: type[W], *, encode: Callable[[T], W], decode: Callable[[W], T]
) -> None:
    """Let values of a class cross the wire as another type, in all services of this process.

    Call it in the body of a module, before a service names the class. Stubs import this module, and
    the class from its own. Use `Via` for one annotation alone.

    Args:
        cls: The class. Its generic forms, such as ``Array[float]``, cross in the same way.
        wire: The type on the wire, such as `str`, ``dict[str, int]`` or ``tuple[int, str]``. It is
            part of the contract.
        encode: Makes a value of the type on the wire.
        decode: Makes a value of the class. If it raises, the caller gets the error -32602 with the
            path; of exceptions the caller sees only the message of a ValueError.

    Raises:
        DeclarationError: The class is registered in another way, a service names it already, or
            farcall has a form for it.

    >>> class Color:
    ...     def __init__(self, text: str) -> None:
    ...         self.red, self.green, self.blue = bytes.fromhex(text.removeprefix("#"))
    ...     def __str__(self) -> str:
    ...         return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"
    >>> register_type(Color, str, encode=str, decode=Color)
    """
    site = site_of_caller(f"register_type({getattr(cls, '__name__', cls)})")
    via = Via(wire, encode=encode, decode=decode)
    _check_class(cls, site)
    module: str = sys._getframe(1).f_globals["__name__"]
    own = OwnType(cls, via, module)
    known = registered(cls)
    if known is not None and own.agrees(known):
        return  # the module is imported again, under another name
    if known is not None:
        raise site.error(
            Rule.BAD_REGISTRATION,
            f"{cls.__name__} is registered already, by {known.module}",
            "Register it once, or use farcall.Via in the annotations that differ",
        )
    if is_used(cls):
        raise site.error(
            Rule.BAD_REGISTRATION,
            f"a service names {cls.__name__} already, and has its contract",
            "Register it before the class of the service, best where the type is defined",
        )
    try:
        wire_type(wire)
    except UnsupportedType as exc:
        raise site.unsupported(exc, Rule.BAD_REGISTRATION, "the type on the wire") from exc
    register(own)


def _check_class(cls: object, site: Site) -> None:
    if not isinstance(cls, type):
        raise site.error(
            Rule.BAD_REGISTRATION,
            f"{cls} is not a class",
            "Register a class; its generic forms cross in the same way",
        )
    if is_known_type(cls):
        raise site.error(
            Rule.BAD_REGISTRATION,
            f"farcall has a form for {cls.__name__}",
            f"Use Annotated[{cls.__name__}, farcall.Via(...)] where it should cross in another one",
        )
    if issubclass(cls, BaseException):
        raise site.error(
            Rule.BAD_REGISTRATION,
            f"{cls.__name__} is an exception, and these cross with their fields",
            "Derive it from farcall.ApplicationError, and list it in raises=",
        )
