"""The decorators of members: `@method`, `@local`, `@background`.

A decorator puts its options on the function, as `Marks`, and returns the function. The class
decorator reads them. Options that are wrong in themselves raise here, where the line is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from functools import cached_property, singledispatchmethod
from inspect import iscoroutinefunction, unwrap
from types import FunctionType
from typing import Any, Literal, TypeVar, cast, overload

from msgspec import Struct

from farcall._declare.access import NOT_GIVEN, DeclaredAccess, read_access
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_function, site_of_object
from farcall._usage.options import check_flag, check_int, check_seconds, optional
from farcall.errors import ApplicationError

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")
"""A member that may not be callable itself, such as a `functools.singledispatchmethod`."""

_ATTRIBUTE = "__farcall_marks__"


class Marks(Struct, frozen=True):
    """The decorator of a member, and its options."""

    kind: Literal["method", "stream", "local", "background"] = "method"
    name: str | None = None
    raises: tuple[type[ApplicationError], ...] = ()
    oneway: bool = False
    in_thread: bool = False
    ordered: bool = False
    access: DeclaredAccess = NOT_GIVEN
    max_seconds: float | None = None
    max_concurrent: int | None = None


def marks_of(member: object) -> Marks | None:
    """Return the marks of a member; None if it has no decorator."""
    found = getattr(function_within(member), _ATTRIBUTE, None)
    return found if isinstance(found, Marks) else None


def function_within(member: object) -> object:
    """Return the function inside of a `staticmethod`, a property and the like."""
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
    max_seconds: float | None = None,
    max_concurrent: int | None = None,
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
    max_seconds: float | None = None,
    max_concurrent: int | None = None,
) -> Any:
    """Set options of an endpoint. Public methods of a service are endpoints without it, too.

    Args:
        function: The method, if the decorator is used without parentheses.
        name: The whole name on the wire, in place of ``Service.member``.
        raises: The errors that cross the wire as themselves, with their fields.
        oneway: Whether callers send a notification and get no response.
        protected: Whether callers must have logged in; False opens a method of a protected class.
            By default the class decides.
        roles: Callers must have one of these roles, given by their login.
        thread: Whether a plain ``def`` runs in a worker thread. It is not cancelled there, but can
            call ``trio.from_thread.check_cancelled``.
        ordered: Whether the calls of one connection run one at a time, in the order in which they
            were sent. Calls of other methods start in that order, and run concurrently.
        idempotent: Not available yet.
        max_seconds: Seconds after which a call is cancelled, if that is sooner than
            ``max_call_seconds=`` of the server and the deadline of the caller.
        max_concurrent: How many calls of all peers may run at a time. Over it a call is refused
            with `Busy`, and a one-way call is dropped.

    Returns:
        The function itself, or a decorator that returns it.

    Raises:
        DeclarationError: An option is wrong, or not available yet.
        TypeError: An option has another type, such as a flag that is neither True nor False.
        ValueError: `max_seconds` is not above 0, or `max_concurrent` is less than 1.

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
    optional(check_seconds)("max_seconds=", max_seconds, may_be_infinite=False)
    optional(check_int)("max_concurrent=", max_concurrent, least=1)

    def mark(function: F) -> F:
        site = site_to_mark(function, "@method")
        if idempotent:
            raise not_yet(site, Rule.IDEMPOTENT_LATER)
        if thread and iscoroutinefunction(unwrap(function)):
            raise site.error(
                Rule.THREAD_OF_ASYNC,
                "thread=True needs a plain def, but this is an async def",
                "Remove thread=True, or write a plain def",
            )
        marks = Marks(
            "method",
            name,
            errors_listed(site, raises),
            oneway=oneway,
            in_thread=thread,
            ordered=ordered,
            access=read_access(site, protected, roles),
            max_seconds=max_seconds,
            max_concurrent=max_concurrent,
        )
        return attach_marks(function, site, marks)

    return mark if function is None else mark(function)


def local(function: M, /) -> M:
    """Keep a public method off the wire.

    Args:
        function: The method. It may be a static or class method, or a
            `functools.singledispatchmethod`.

    Returns:
        The method itself.

    Raises:
        DeclarationError: It is not a function, or has another decorator of farcall.

    >>> from farcall import service
    >>> @service
    ... class Shop:
    ...     async def price(self, sku: str) -> float:
    ...         return 2.5
    ...     @local
    ...     async def refill(self) -> None: ...
    """
    return attach_marks(function, site_to_mark(function, "@local"), Marks("local"))


def background(function: F, /) -> F:
    """Run an async method without parameters in the server's nursery while its service is served.

    Args:
        function: The method. An exception that it raises ends the server, and comes out of
            `serve`; it may return early.

    Returns:
        The method itself.

    Raises:
        DeclarationError: It is not a function, or has another decorator of farcall.

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
    return attach_marks(function, site_to_mark(function, "@background"), Marks("background"))


_LATER = {
    Rule.IDEMPOTENT_LATER: (
        "idempotent=",
        "Remove it, and let callers repeat the call after ConnectionLost",
    ),
    Rule.HISTORY_LATER: ("history=", "Remove it; retain=True keeps the last value"),
}


def not_yet(site: Site, rule: Rule) -> Exception:
    """Make the error for an option that is planned but not available.

    It is not accepted without effect: the author of an idempotent method relies on the retry.
    """
    option, instead = _LATER[rule]
    return site.error(rule, f"this version of farcall does not support {option} yet", instead)


def site_to_mark(function: object, decorator: str) -> Site:
    """Return the place of the function that a decorator got.

    Raises:
        DeclarationError: It is not a function.
    """
    inner = function_within(function)
    if isinstance(inner, FunctionType):
        return site_of_function(inner)
    is_name = isinstance(inner, str) and decorator in ("@method", "@stream")
    raise site_of_object(inner).error(
        Rule.NO_FUNCTION,
        f"{decorator} decorates functions, got {type(inner).__name__}",
        f"Write {decorator}(name={inner!r})" if is_name else "Write a def and decorate it",
    )


def check_unmarked(function: object, site: Site, kind: str) -> None:
    """Check that a function has no other decorator of farcall.

    Raises:
        DeclarationError: It has one.
    """
    present = marks_of(function)
    if present is not None:
        raise site.error(
            Rule.CONFLICTING_MARKS,
            f"it has both @{kind} and @{present.kind}",
            "Keep one of them",
        )


def attach_marks(function: M, site: Site, marks: Marks) -> M:
    """Put marks on a function, and return it.

    Raises:
        DeclarationError: It has some already.
    """
    check_unmarked(function, site, marks.kind)
    setattr(function_within(function), _ATTRIBUTE, marks)
    return function


def errors_listed(site: Site, raises: object) -> tuple[type[ApplicationError], ...]:
    """Check ``raises=``.

    Raises:
        DeclarationError: It is not a list of classes derived from `ApplicationError`.
    """
    if isinstance(raises, type) or not isinstance(raises, Iterable):
        name = getattr(raises, "__name__", repr(raises))
        raise site.error(
            Rule.BAD_ERROR, f"raises= takes a list of classes, got {name}", f"Write raises=[{name}]"
        )
    errors: dict[type[ApplicationError], None] = {}
    for each in cast("Iterable[object]", raises):
        name = getattr(each, "__name__", repr(each))
        is_base = each is ApplicationError
        if isinstance(each, type) and issubclass(each, ApplicationError) and not is_base:
            errors[each] = None
        else:
            raise site.error(
                Rule.BAD_ERROR,
                f"raises= lists {name}, which is not derived from ApplicationError",
                "Derive an attrs class from farcall.ApplicationError, and raise that",
            )
    return tuple(errors)
