"""Overrides in undecorated classes: they must take the calls of the contract.

An undecorated subclass of a service is a second implementation of it, such as a fake for tests. An
undecorated mixin may stand before a decorated base. Their bodies are not read, so their overrides
must accept the same calls as the members that were read.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from functools import partial
from itertools import takewhile
from types import FunctionType
from typing import Any

from farcall._contract.spec import MethodSpec
from farcall._declare.functions import is_async
from farcall._declare.marks import Marks, marks_of
from farcall._declare.methods import Method
from farcall._declare.mistakes import Mistakes
from farcall._declare.rules import Rule
from farcall._declare.service import Service, is_declaration
from farcall._declare.signals import SignalEntry
from farcall._declare.sites import site_of_attribute
from farcall._declare.streams import is_stream
from farcall._declare.tasks import STATUS
from farcall.errors import DeclarationError


def check_overrides(service: Service, cls: type[Any], mistakes: Mistakes) -> None:
    """Check that the members of a class accept calls by the contract of `service`.

    Args:
        service: The contract.
        cls: The class.
        mistakes: Notes overrides that do not, and declarations without effect.
    """

    def check_method(method: Method) -> None:
        if not _takes_calls_of(method, inspect.getattr_static(cls, method.attribute)):
            fix = f"Write {_kind(method)} with the same arguments, or decorate the class"
            raise _changed(cls, method.attribute, "an endpoint but cannot be called like it", fix)

    def check_signal(entry: SignalEntry) -> None:
        if inspect.getattr_static(cls, entry.attribute) is not entry.signal:
            raise _changed(cls, entry.attribute, "a signal", "Give it another name")

    # The body of a decorated class itself was read, and its mistakes are noted.
    own: Mapping[str, object] = vars(cls) if cls is service.cls else {}
    methods = [each for each in service.methods.values() if each.attribute not in own]
    signals = [each for each in service.signals.values() if each.attribute not in own]
    for base in takewhile(lambda base: base is not service.cls, cls.__mro__):
        streams = {each.attribute for each in service.methods.values() if each.is_stream}
        mistakes.each(partial(_check_declaration, base, streams), vars(base))
    mistakes.each(check_method, methods)
    mistakes.each(check_signal, signals)


def _changed(cls: type[Any], attribute: str, overridden: str, fix: str) -> DeclarationError:
    owner = next(base for base in cls.__mro__ if attribute in vars(base))
    problem = f"it overrides {overridden}"
    return site_of_attribute(owner, attribute).error(Rule.CHANGED_MEMBER, problem, fix)


def _check_declaration(cls: type[Any], streams: Collection[str], attribute: str) -> None:
    value = vars(cls)[attribute]
    # An override of a stream needs the decorator, to be a context manager as well.
    is_override = attribute in streams and marks_of(value) == Marks("stream")
    if is_declaration(value) and not is_override:
        raise site_of_attribute(cls, attribute).error(
            Rule.LOST_MEMBER,
            f"{cls.__name__} is not decorated, so this declaration has no effect",
            f"Decorate {cls.__name__} with @service",
        )


def _takes_calls_of(method: Method, override: object) -> bool:
    if not isinstance(override, FunctionType) or not _is_alike(method, override):
        return False
    signature = inspect.signature(override)
    return all(_binds(signature, method.spec, is_full) for is_full in (True, False))


def _is_alike(method: Method, override: FunctionType) -> bool:
    """Say whether both return the same kind of result: a value, an awaitable or a stream."""
    if method.is_stream:
        return is_stream(override)
    return is_async(override) == method.is_async and not is_stream(override)


def _binds(signature: inspect.Signature, spec: MethodSpec, is_full: bool) -> bool:
    """Try a call with all arguments, or with the required ones. The value of each is its name."""
    given = [each for each in spec.arguments if is_full or each.default is None]
    by_position = [each.name for each in given if each.role != "keyword"]
    by_name = {each.name: each.name for each in given if each.role == "keyword"}
    if spec.started is not None:
        by_name[STATUS] = STATUS
    try:
        bound = signature.bind("self", *by_position, **by_name)
    except TypeError:
        return False
    # An argument that may also be given by name must have that name at its position.
    either = {each.name for each in given if each.role == "either"}
    return all(
        value == name
        for name, value in bound.arguments.items()
        if isinstance(value, str) and value in either
    )


def _kind(method: Method) -> str:
    if method.is_stream:
        return "a @stream"
    return "an async def" if method.is_async else "a plain def"
