"""`@service` and `functions`: make a class, or some functions, a service.

Types are resolved and rules checked when the class is made, so a wrong declaration is an error at
import and not at a later call.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any, TypeVar, overload

from farcall._contract.identifiers import is_python_name, python_name
from farcall._declare.annotations import Scope, names_around
from farcall._declare.functions import ParsedFunction, read_function
from farcall._declare.marks import Marks, marks_of
from farcall._declare.members import Member, read_body
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import check_python_name, checked_service_name
from farcall._declare.overrides import check_overrides
from farcall._declare.rules import Rule
from farcall._declare.service import Service, assemble, attach, declared_on
from farcall._declare.sites import Site, site_of_caller, site_of_class, site_of_object
from farcall._declare.streams import check_stream
from farcall._usage.options import check_flag, optional

C = TypeVar("C", bound=type[Any])


@overload
def service(cls: C, /) -> C: ...
@overload
def service(*, name: str | None = None, protected: bool | None = None) -> Callable[[C], C]: ...
def service(cls: Any = None, /, *, name: str | None = None, protected: bool | None = None) -> Any:
    """Make a class a service: its public methods are endpoints, its signals are events.

    Put it on top of all other class decorators.

    Args:
        cls: The class, if the decorator is used without parentheses.
        name: The name of the service, with which the names of its members begin on the wire. By
            default that of the class; empty for bare names.
        protected: Whether members need a login unless they say otherwise. By default they do if
            those of a decorated base do.

    Returns:
        The class itself, or a decorator that returns it.

    Raises:
        DeclarationError: A member breaks a rule; the error says where, and what to write instead.

    >>> import trio
    >>> from farcall.testing import open_pair
    >>> @service
    ... class Shop:
    ...     async def price(self, sku: str) -> float:
    ...         return 2.5
    >>> async def main() -> None:
    ...     async with open_pair(Shop(), Shop) as (shop, _):
    ...         print(await shop.price("A-1"))
    >>> trio.run(main)
    2.5
    """
    optional(check_flag)("protected=", protected)
    around = names_around(1)

    def declare(cls: object) -> object:
        if not isinstance(cls, type):
            named = f"Write @service(name={cls!r})"
            decorated = "Decorate the class, or pass functions to farcall.functions(...)"
            raise site_of_object(cls).error(
                Rule.NO_CLASS,
                f"@service decorates classes, got {type(cls).__name__}",
                named if isinstance(cls, str) else decorated,
            )
        _make_service(cls, name, protected, around)
        return cls

    return declare if cls is None else declare(cls)


def functions(*functions: Callable[..., object], name: str) -> object:
    """Make a service out of plain functions.

    Args:
        functions: The endpoints; `method` may give them options.
        name: The name of the service, with which the names of its functions begin on the wire;
            empty for bare names.

    Returns:
        A service object, to be served like any other.

    Raises:
        DeclarationError: A function breaks a rule; the error says where, and what to write instead.

    >>> def add(a: int, b: int) -> int:
    ...     return a + b
    >>> calculator = functions(add, name="calc")
    """
    scope, site = Scope(names_around(1)), site_of_caller("functions()")
    if not functions:
        raise site.error(Rule.NO_MEMBERS, "no functions were passed", "Pass at least one")
    mistakes, body = Mistakes(), dict[str, Member]()
    name = checked_service_name(name, site, mistakes)

    def read(function: Callable[..., object]) -> None:
        parsed = _read_plain(function, scope, mistakes)
        if parsed.attribute in body:
            problem = f"two of the functions are named {parsed.attribute}"
            raise parsed.site.error(Rule.TAKEN_NAME, problem, "Rename one of them")
        body[parsed.attribute] = parsed

    mistakes.each(read, functions)
    defined = [each for each in functions if isinstance(each, FunctionType)]
    members = {function.__name__: staticmethod(function) for function in defined}
    cls = type(_class_name(name), (), members)
    service = assemble(cls, name, body, site, mistakes)
    mistakes.check()
    attach(service)
    return cls()


def service_of(target: object) -> Service:
    """Return the service of a decorated class, or of an object of one.

    An undecorated subclass has the contract of its nearest decorated base.

    Raises:
        DeclarationError: There is none, or the subclass breaks the contract of that base.
    """
    cls = target if isinstance(target, type) else type(target)
    service = next(filter(None, map(declared_on, cls.__mro__)), None)
    if service is None:
        raise site_of_object(target if isinstance(target, FunctionType) else cls).error(
            Rule.NO_SERVICE,
            "this is not a service",
            "Decorate the class with @service, or pass functions to farcall.functions(...)",
        )
    if cls is not service.cls:
        mistakes = Mistakes()
        check_overrides(service, cls, mistakes)
        mistakes.check()
    return service


def service_of_object(target: object) -> Service:
    """Return the service of an object that is to be served.

    Raises:
        DeclarationError: It is not an object of a service, or it is the class itself.
    """
    if isinstance(target, type):
        raise site_of_class(target).error(
            Rule.NO_SERVICE,
            f"{target.__name__} is a class",
            f"Serve an instance: {target.__name__}()",
        )
    return service_of(target)


def _make_service(
    cls: type[Any], name: str | None, protected: bool | None, around: Mapping[str, object]
) -> None:
    site, mistakes = site_of_class(cls), Mistakes()
    with mistakes.noted():
        _check_no_container(cls, site)
    before = mistakes.count
    with mistakes.noted():
        check_python_name(cls.__name__, site, "a class", "@service(name=...)")
    if name is not None or mistakes.count == before:  # one error for a wrong name is enough
        name = checked_service_name(cls.__name__ if name is None else name, site, mistakes)
    body = read_body(cls, Scope.inside(cls, around), mistakes)
    service = assemble(cls, name or "", body, site, mistakes, protected=protected)
    check_overrides(service, cls, mistakes)
    mistakes.check()
    attach(service)


def _check_no_container(cls: type[Any], site: Site) -> None:
    """Check that `farcall.serve` will not take its objects for collections of services."""
    for container in (list, tuple, Mapping):
        if issubclass(cls, container):
            name = container.__name__.lower()
            raise site.error(
                Rule.SERVICE_IS_CONTAINER,
                f"a service cannot be a {name}, because farcall.serve() takes a {name} of services",
                f"Keep the {name} in an attribute",
            )


def _read_plain(function: object, scope: Scope, mistakes: Mistakes) -> ParsedFunction:
    if not isinstance(function, FunctionType) or not function.__name__.isidentifier():
        raise site_of_object(function).error(
            Rule.NO_FUNCTION,
            "only functions written with def can be endpoints",
            "Write a def that calls it",
        )
    name, site = function.__name__, site_of_object(function)
    if name.startswith("_"):
        raise site.error(
            Rule.PRIVATE_MEMBER,
            "names with a leading underscore stay off the wire",
            f"Rename it to {python_name(name)}, or do not pass it",
        )
    check_python_name(name, site, "a function", "@method(name=...)")
    marks = marks_of(function) or Marks()
    if marks.kind not in ("method", "stream"):
        raise site.error(
            Rule.CONFLICTING_MARKS,
            f"it is marked @{marks.kind}, but functions() makes it an endpoint",
            f"Remove @{marks.kind}, or do not pass it to functions()",
        )
    if marks.kind == "stream":
        check_stream(function, site)
    return read_function(function, name, marks, scope, mistakes, has_self=False)


def _class_name(name: str) -> str:
    """Make a class name out of that of a service; the stub is called by it."""
    words = re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", name))
    joined = "".join(word[0].upper() + word[1:] for word in words)
    names = (joined, f"Functions{joined}")
    return next((each for each in names if is_python_name(each)), "Functions")
