"""The body of a decorated class: its endpoints, signals and background tasks."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType, MemberDescriptorType
from typing import Any, NewType, TypeAlias, get_origin

import attrs
from msgspec import Struct
from msgspec.structs import replace

from farcall._declare.annotations import Scope, without_class_var
from farcall._declare.functions import ParsedFunction, read_function, takes_anything
from farcall._declare.marks import Marks, function_within, marks_of
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import check_python_name
from farcall._declare.rules import Rule
from farcall._declare.signals import ParsedSignal, read_signal
from farcall._declare.sites import site_of_attribute
from farcall._declare.streams import check_stream
from farcall._signals import Signal

Member: TypeAlias = ParsedFunction | ParsedSignal


def read_body(cls: type[Any], scope: Scope, mistakes: Mistakes) -> dict[str, Member]:
    """Read the endpoints, signals and background tasks in the body of a class.

    Args:
        cls: The class.
        scope: Resolves the names in its annotations.
        mistakes: Notes members that look like one of these but cannot be one.
    """
    body = _Body(cls, scope, mistakes)
    body.check_signals()
    found = mistakes.each(lambda each: (each[0], body.read(*each)), vars(cls).items())
    return {name: member for name, member in found if member is not None}


def check_background(parsed: ParsedFunction) -> None:
    """Check that a background task can run without arguments and a result.

    Raises:
        DeclarationError: It is a plain ``def``, or has parameters or a result.
    """
    takes_something = parsed.parameters or parsed.started is not None
    if not parsed.is_async or takes_something or parsed.result not in (None, type(None)):
        raise parsed.site.error(
            Rule.BAD_BACKGROUND,
            "a background task takes no arguments and returns None, because the server starts it",
            f"Write `async def {parsed.attribute}(self) -> None`",
        )


class _Body(Struct, frozen=True):
    cls: type[Any]
    scope: Scope
    mistakes: Mistakes

    def read(self, attribute: str, value: object) -> Member | None:
        marks = self._marks_in_force(attribute)
        if attribute.startswith("_") and marks.kind != "background":
            self._check_private(attribute, value)
            return None
        if isinstance(value, Signal):
            self._check_name(attribute, "a signal", "Signal(name=...)")
            return read_signal(self.cls, attribute, value, self.scope)
        is_meant = marks_of(value) is not None or self._is_endpoint(attribute, value)
        if marks.kind == "local" or not is_meant:
            return None
        if marks.kind != "background":
            self._check_name(attribute, "a method", "@method(name=...)")
        return self._read_function(attribute, value, marks)

    def check_signals(self) -> None:
        """Check that no signal is a field of each object, or lacks its value."""
        annotations = inspect.get_annotations(self.cls).items()
        found = self.mistakes.each(lambda each: (each[0], self._is_signal(*each)), annotations)
        names = [name for name, is_signal in found if is_signal]
        names += [name for name, value in _fields_of(self.cls) if isinstance(value, Signal)]
        names += [name for name, value in vars(self.cls).items() if _bare(value) is Signal]
        self.mistakes.each(self._check_signal, dict.fromkeys(names))

    def _check_signal(self, attribute: str) -> None:
        site = site_of_attribute(self.cls, attribute)
        if attribute in dict(_fields_of(self.cls)):
            maker = "attrs" if attrs.has(self.cls) else "dataclass"
            raise site.error(
                Rule.SIGNAL_IS_FIELD,
                f"{maker} makes this signal a field, shared by all objects",
                f"Write `{attribute}: ClassVar[Signal[...]] = Signal()`",
            )
        if not isinstance(vars(self.cls).get(attribute), Signal):
            raise site.error(
                Rule.SIGNAL_WITHOUT_VALUE,
                "no Signal() is assigned to this signal",
                f"Write `{attribute}: Signal[float] = Signal()`, with the value type",
            )

    def _is_signal(self, attribute: str, written: object) -> bool:
        # Do not resolve other annotations: they may use names that only type checkers see.
        if "Signal" not in str(written):
            return False
        site = site_of_attribute(self.cls, attribute)
        annotation = self.scope.resolve(written, self.cls, site, "the signal")
        return _bare(without_class_var(annotation)) is Signal

    def _marks_in_force(self, attribute: str) -> Marks:
        """Return the marks of a member, or else those of the member that it overrides.

        A method that is local, or has options, stays so until an override has its own decorator.
        """
        bodies = [vars(base) for base in self.cls.__mro__]
        written = (marks_of(body[attribute]) for body in bodies if attribute in body)
        found = [marks for marks in written if marks is not None]
        if not found:
            return Marks()
        # An override with @method for another option still needs the login of the base.
        given = (marks.access for marks in found if marks.access.is_given)
        return replace(found[0], access=next(given, found[0].access))

    def _is_endpoint(self, attribute: str, value: object) -> bool:
        """Say whether a public member is meant to be called, and so must be an endpoint."""
        if attribute in dict(_fields_of(self.cls)) or isinstance(value, type | NewType):
            return False
        if callable(value) and get_origin(value) is None:
            return True
        # A descriptor may give a method, as `singledispatchmethod` does.
        return hasattr(type(value), "__get__") and not isinstance(value, _VALUES)

    def _read_function(self, attribute: str, value: object, marks: Marks) -> ParsedFunction:
        is_lambda = isinstance(value, FunctionType) and not value.__name__.isidentifier()
        if not isinstance(value, FunctionType) or is_lambda:
            kind = "lambda" if is_lambda else type(value).__name__
            is_function = isinstance(function_within(value), FunctionType)
            way = "with @local" if is_function else "with a leading underscore in its name"
            raise site_of_attribute(self.cls, attribute).error(
                Rule.NO_FUNCTION,
                f"a public {kind} cannot be an endpoint",
                f"Write a method instead, or keep it off the wire {way}",
            )
        if value.__name__ != attribute and takes_anything(value):
            raise site_of_attribute(self.cls, attribute).error(
                Rule.VARIADIC,
                f"a decorator replaced it by {value.__name__}, which takes any arguments",
                f"Decorate {value.__name__} with @functools.wraps(...), to keep the parameters",
            )
        if marks.kind == "stream":
            check_stream(value, site_of_attribute(self.cls, attribute))
        before = self.mistakes.count
        parsed = read_function(value, attribute, marks, self.scope, self.mistakes)
        if marks.kind == "background" and self.mistakes.count == before:
            check_background(parsed)
        return parsed

    def _check_name(self, attribute: str, kind: str, keeps: str) -> None:
        check_python_name(attribute, site_of_attribute(self.cls, attribute), kind, keeps)

    def _check_private(self, attribute: str, value: object) -> None:
        marks = marks_of(value)
        if isinstance(value, Signal) or (marks is not None and marks.kind in ("method", "stream")):
            raise site_of_attribute(self.cls, attribute).error(
                Rule.PRIVATE_MEMBER,
                "names with a leading underscore stay off the wire",
                f"Rename it to {attribute.strip('_')}, or remove the declaration",
            )


_VALUES = (property, cached_property, MemberDescriptorType)
"""Descriptors that give a value, and so are not meant as endpoints."""


def _fields_of(cls: type[Any]) -> Iterator[tuple[str, object]]:
    """Yield the fields of attrs classes and dataclasses, with their defaults."""
    if attrs.has(cls):
        yield from ((field.name, field.default) for field in attrs.fields(cls))
    elif dataclasses.is_dataclass(cls):
        yield from ((field.name, field.default) for field in dataclasses.fields(cls))


def _bare(alias: object) -> object:
    """Return ``Signal`` for ``Signal[float]``."""
    return get_origin(alias) or alias
