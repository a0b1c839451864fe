"""What a decorator says about one member: `@method`, `@local`, `@background`.

A decorator only leaves a mark on its function and hands it back; the class decorator reads the
marks. What a mark says that is wrong in itself is refused right here, where the line is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import cached_property, singledispatchmethod
from inspect import iscoroutinefunction, unwrap
from types import FunctionType
from typing import Any, Literal, TypeGuard, TypeVar, cast, overload

import attrs

from farcall._declare.access import NOT_GIVEN, DeclaredAccess, read_access
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_function, site_of_object
from farcall._usage.options import check_flag, optional
from farcall.errors import ApplicationError

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")
"""A member that need not be callable by itself, such as a `functools.singledispatchmethod`."""

_ATTRIBUTE = "__farcall_marks__"


@attrs.frozen
class Marks:
    """What the decorator of a member said."""

    kind: Literal["method", "stream", "local", "background"] = "method"
    name: str | None = None
    raises: tuple[type[ApplicationError], ...] = ()
    oneway: bool = False
    in_thread: bool = False
    ordered: bool = False
    access: DeclaredAccess = NOT_GIVEN


def marks_of(member: object) -> Marks | None:
    """Read what a decorator left on a member, or None where there was none."""
    found = getattr(function_within(member), _ATTRIBUTE, None)
    return found if isinstance(found, Marks) else None


def function_within(member: object) -> object:
    """Give the function inside of a `staticmethod`, a property and the like."""
    match member:
        case property(fget=inner) | cached_property(func=inner) | singledispatchmethod(func=inner):
            return inner
        case _:
            return getattr(member, "__func__", member)


@overload
def method(function: F, /) -> F: ...
@overload
def method(
    *,
    name: str | None = None,
    raises: Iterable[type[ApplicationError]] = (),
    oneway: bool = False,
    protected: bool | None = None,
    roles: Set[str] = frozenset(),
    thread: bool = False,
    ordered: bool = False,
    idempotent: bool = False,
) -> Callable[[F], F]: ...
def method(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    raises: Iterable[type[ApplicationError]] = (),
    oneway: bool = False,
    protected: bool | None = None,
    roles: Set[str] = frozenset(),
    thread: bool = False,
    ordered: bool = False,
    idempotent: bool = False,
) -> Any:
    """Give an endpoint options; a public method of a service is one without this, too.

    Args:
        function: The method, where the decorator is used without parentheses.
        name: The whole name on the wire, in place of ``Service.member``.
        raises: The errors that cross the wire as themselves, with their fields.
        oneway: Whether callers send a notification and get no answer.
        protected: Whether callers must have logged in; False opens a method of a protected class.
            By default the class decides.
        roles: Of these callers must have one, which their login gave them.
        thread: Whether a plain ``def`` runs in a worker thread; it cannot be cancelled there,
            but may ask by ``trio.from_thread.check_cancelled``.
        ordered: Whether its calls of one connection run one at a time, in the order in which they
            were sent; others start in that order and run together.
        idempotent: Not there yet; refused.

    Returns:
        The function itself, or a decorator that returns it.

    Raises:
        DeclarationError: an option is wrong, or not there yet.
        TypeError: an option that is True or False is something else.

    >>> import attrs
    >>> from farcall import service
    >>> @attrs.define
    ... class SoldOut(ApplicationError):
    ...     sku: str
    >>> @service
    ... class Shop:
    ...     @method(raises=[SoldOut])
    ...     async def buy(self, sku: str) -> str:
    ...         raise SoldOut(sku)
    """
    flags = {"oneway=": oneway, "thread=": thread, "ordered=": ordered, "idempotent=": idempotent}
    for option, value in flags.items():
        check_flag(option, value)
    optional(check_flag)("protected=", protected)

    def mark(function: F) -> F:
        site = site_to_mark(function, "@method")
        if idempotent:
            raise not_yet(site, Rule.IDEMPOTENT_LATER)
        if thread and iscoroutinefunction(unwrap(function)):
            raise site.error(
                Rule.THREAD_OF_ASYNC,
                "thread=True is for a plain def, and this is async",
                "Leave out thread=True, or make it a plain def",
            )
        errors, access = errors_listed(site, raises), read_access(site, protected, roles)
        marks = Marks("method", name, errors, oneway, thread, ordered, access)
        return leave(function, site, marks)

    return mark if function is None else mark(function)


def local(function: M, /) -> M:
    """Keep a public method off the wire.

    Args:
        function: The method. A static or class method, or a `functools.singledispatchmethod`, may
            be marked as well.

    Returns:
        The same.

    Raises:
        DeclarationError: it is no function, or marked otherwise already.

    >>> from farcall import service
    >>> @service
    ... class Shop:
    ...     async def price(self, sku: str) -> float:
    ...         return 2.5
    ...     @local
    ...     async def refill(self) -> None: ...
    """
    return leave(function, site_to_mark(function, "@local"), Marks("local"))


def background(function: F, /) -> F:
    """Run an async method without parameters in the server's nursery while its service is served.

    Args:
        function: The method. What it raises ends the server, and comes out of `serve`; it may
            return early.

    Returns:
        The same.

    Raises:
        DeclarationError: it is no function, or marked otherwise already.

    Cancellation:
        The method is cancelled when its server ends.

    >>> import trio.testing
    >>> from farcall import service
    >>> from farcall.testing import open_pair
    >>> @service
    ... class Clock:
    ...     seconds = 0
    ...     async def read(self) -> int:
    ...         return self.seconds
    ...     @background
    ...     async def tick(self) -> None:
    ...         while True:
    ...             await trio.sleep(1)
    ...             self.seconds += 1
    >>> async def main() -> None:
    ...     async with open_pair(Clock(), Clock) as (clock, _):
    ...         await trio.sleep(60.5)
    ...         print(await clock.read())
    >>> trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    60
    """
    return leave(function, site_to_mark(function, "@background"), Marks("background"))


_LATER = {
    Rule.IDEMPOTENT_LATER: (
        "idempotent=",
        "Leave it out, and let callers repeat the call on ConnectionLost",
    ),
    Rule.HISTORY_LATER: ("history=", "Leave it out; retain=True keeps the last value"),
}


def not_yet(site: Site, rule: Rule) -> Exception:
    """Make the error for a part of farcall that is planned but not there.

    Such a part is refused rather than accepted without effect: a method that was declared
    idempotent must not stay without its second try.
    """
    what, instead = _LATER[rule]
    return site.error(rule, f"{what} is not part of this version of farcall", instead)


def site_to_mark(function: object, decorator: str) -> Site:
    """Point to what a decorator is to mark.

    Raises:
        DeclarationError: it is no function.
    """
    inner = function_within(function)
    if isinstance(inner, FunctionType):
        return site_of_function(inner)
    is_name = isinstance(inner, str) and decorator in ("@method", "@stream")
    raise site_of_object(inner).error(
        Rule.NO_FUNCTION,
        f"{decorator} is for functions written in a class, and this is no function",
        f"Write {decorator}(name={inner!r})" if is_name else "Write a def, and decorate that",
    )


def check_unmarked(function: object, site: Site, kind: str) -> None:
    """Refuse a second decorator.

    Raises:
        DeclarationError: there is a mark already.
    """
    present = marks_of(function)
    if present is not None:
        raise site.error(
            Rule.CONFLICTING_MARKS,
            f"@{kind} stands beside @{present.kind}",
            "Keep one of the two",
        )


def leave(function: M, site: Site, marks: Marks) -> M:
    """Leave marks on a function, and give it back.

    Raises:
        DeclarationError: there are some already.
    """
    check_unmarked(function, site, marks.kind)
    setattr(function_within(function), _ATTRIBUTE, marks)
    return function


def errors_listed(site: Site, raises: object) -> tuple[type[ApplicationError], ...]:
    """Check what ``raises=`` was given.

    Raises:
        DeclarationError: it is no list of classes derived from `ApplicationError`.
    """
    if isinstance(raises, type) or not isinstance(raises, Iterable):
        name = getattr(raises, "__name__", repr(raises))
        raise site.error(
            Rule.BAD_ERROR, "raises= takes a list of classes", f"Write raises=[{name}]"
        )
    listed = (_application_error(site, each) for each in cast("Iterable[object]", raises))
    return tuple(dict.fromkeys(listed))


def _is_derived(listed: object) -> TypeGuard[type[ApplicationError]]:
    is_class = isinstance(listed, type) and issubclass(listed, ApplicationError)
    return is_class and listed is not ApplicationError


def _application_error(site: Site, listed: object) -> type[ApplicationError]:
    if _is_derived(listed):
        return listed
    name = getattr(listed, "__name__", repr(listed))
    raise site.error(
        Rule.BAD_ERROR,
        f"raises= lists {name}, which is no class derived from ApplicationError",
        "Derive an attrs class from farcall.ApplicationError and raise that",
    )
