"""The body of a decorated class: what of it goes on the wire, and what is a mistake."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator, Mapping
from functools import cached_property
from types import FunctionType, MemberDescriptorType
from typing import Any, NewType, TypeAlias, get_origin

import attrs

from farcall._declare.annotations import Scope, without_class_var
from farcall._declare.functions import ParsedFunction, read_function, takes_anything
from farcall._declare.marks import Marks, function_within, marks_of
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import check_python_name
from farcall._declare.rules import Rule
from farcall._declare.signals import SignalReading, read_signal
from farcall._declare.sites import site_of_attribute
from farcall._declare.streams import check_stream
from farcall._signals import Signal

Member: TypeAlias = ParsedFunction | SignalReading


def read_body(cls: type[Any], scope: Scope, mistakes: Mistakes) -> dict[str, Member]:
    """Read the endpoints, signals and background tasks that are written in a class.

    Args:
        cls: The class.
        scope: Where the names in its annotations are looked up.
        mistakes: Takes what looks like one of these and cannot be one.
    """
    body = _Body(cls, scope, mistakes)
    body.check_signals()
    found = mistakes.each(lambda each: (each[0], body.read(*each)), vars(cls).items())
    return {name: member for name, member in found if member is not None}


def check_background(reading: ParsedFunction) -> None:
    """Refuse a background task that nobody could start, or whose result nobody would see.

    Raises:
        DeclarationError: it is a plain ``def``, has parameters or a result.
    """
    takes_something = reading.parameters or reading.status is not None
    if not reading.is_async or takes_something or reading.result not in (None, type(None)):
        raise reading.site.error(
            Rule.BAD_BACKGROUND,
            "a background task is started by the server, which gives it nothing and gets nothing",
            f"Write `async def {reading.attribute}(self) -> None`",
        )


@attrs.frozen
class _Body:
    cls: type[Any]
    scope: Scope
    mistakes: Mistakes

    def read(self, attribute: str, value: object) -> Member | None:
        marks = self._marks(attribute)
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
        """Refuse signals that are fields of each object, and those that were never made."""
        names = self._annotated_signals() + _signals_among(dict(_fields_of(self.cls)))
        self.mistakes.each(self._check_signal, dict.fromkeys(names + self._uncalled()))

    def _check_signal(self, attribute: str) -> None:
        site = site_of_attribute(self.cls, attribute)
        if attribute in dict(_fields_of(self.cls)):
            raise site.error(
                Rule.SIGNAL_IS_FIELD,
                f"{_maker_of_fields(self.cls)} makes a field of this signal",
                f"Write `{attribute}: ClassVar[Signal[...]] = Signal()`",
            )
        if not isinstance(vars(self.cls).get(attribute), Signal):
            raise site.error(
                Rule.SIGNAL_WITHOUT_VALUE,
                "it is meant as a signal, and its value is none",
                f"Write `{attribute}: Signal[float] = Signal()`, with the type of its values",
            )

    def _annotated_signals(self) -> list[str]:
        annotations = inspect.get_annotations(self.cls).items()
        found = self.mistakes.each(lambda each: (each[0], self._is_signal(*each)), annotations)
        return [name for name, is_signal in found if is_signal]

    def _uncalled(self) -> list[str]:
        return [name for name, value in vars(self.cls).items() if _bare(value) is Signal]

    def _is_signal(self, attribute: str, written: object) -> bool:
        # Other annotations may name what only type checkers see, and are none of our business.
        if "Signal" not in str(written):
            return False
        site = site_of_attribute(self.cls, attribute)
        annotation = self.scope.resolve(written, self.cls, site, "the signal")
        return _bare(without_class_var(annotation)) is Signal

    def _marks(self, attribute: str) -> Marks:
        """Give the marks of a member, or else those of what it overrides.

        What was kept off the wire, or promised to callers, stays so until somebody says otherwise.
        """
        bodies = [vars(base) for base in self.cls.__mro__]
        written = (marks_of(body[attribute]) for body in bodies if attribute in body)
        found = [marks for marks in written if marks is not None]
        if not found:
            return Marks()
        # A second @method for another option does not open what needs a login.
        said = (marks.access for marks in found if marks.access.is_given)
        return attrs.evolve(found[0], access=next(said, found[0].access))

    def _is_endpoint(self, attribute: str, value: object) -> bool:
        """Say whether a public member is meant to be called, and so has to be an endpoint."""
        if attribute in dict(_fields_of(self.cls)) or isinstance(value, type | NewType):
            return False
        is_alias = get_origin(value) is not None
        return _is_method_like(value) or (callable(value) and not is_alias)

    def _read_function(self, attribute: str, value: object, marks: Marks) -> ParsedFunction:
        if not isinstance(value, FunctionType) or _is_lambda(value):
            kind = "lambda" if _is_lambda(value) else type(value).__name__
            raise site_of_attribute(self.cls, attribute).error(
                Rule.NO_FUNCTION,
                f"a public {kind} cannot be an endpoint",
                f"Write a method in its place, or keep it off the wire {_way_off(value)}",
            )
        if value.__name__ != attribute and takes_anything(value):
            raise site_of_attribute(self.cls, attribute).error(
                Rule.VARIADIC,
                f"a decorator put {value.__name__} in its place, which takes any arguments",
                "Put @functools.wraps(...) there, which tells the parameters of the method",
            )
        if marks.kind == "stream":
            check_stream(value, site_of_attribute(self.cls, attribute))
        before = self.mistakes.count
        reading = read_function(value, attribute, marks, self.scope, self.mistakes)
        if marks.kind == "background" and self.mistakes.count == before:
            check_background(reading)
        return reading

    def _check_name(self, attribute: str, what: str, keeps: str) -> None:
        check_python_name(attribute, site_of_attribute(self.cls, attribute), what, keeps)

    def _check_private(self, attribute: str, value: object) -> None:
        marks = marks_of(value)
        if isinstance(value, Signal) or (marks is not None and marks.kind in ("method", "stream")):
            raise site_of_attribute(self.cls, attribute).error(
                Rule.PRIVATE_MEMBER,
                "a name with a leading underscore stays off the wire",
                f"Call it {attribute.strip('_')}, or take the declaration away",
            )


def _way_off(value: object) -> str:
    is_function = isinstance(function_within(value), FunctionType)
    return "with @local" if is_function else "with an underscore before its name"


def _is_lambda(value: object) -> bool:
    return isinstance(value, FunctionType) and not value.__name__.isidentifier()


_ATTRIBUTES = (property, cached_property, MemberDescriptorType)
"""Descriptors that stand for a value: nobody expects to call these over the wire."""


def _is_method_like(value: object) -> bool:
    """Say whether a value is a descriptor, which may give a method: `singledispatchmethod`, say."""
    return hasattr(type(value), "__get__") and not isinstance(value, _ATTRIBUTES)


def _fields_of(cls: type[Any]) -> Iterator[tuple[str, object]]:
    """Give the fields of attrs classes and dataclasses, with their defaults."""
    if attrs.has(cls):
        yield from ((field.name, field.default) for field in attrs.fields(cls))
    elif dataclasses.is_dataclass(cls):
        yield from ((field.name, field.default) for field in dataclasses.fields(cls))


def _bare(alias: object) -> object:
    """Give ``Signal`` for ``Signal[float]``."""
    return get_origin(alias) or alias


def _signals_among(fields: Mapping[str, object]) -> list[str]:
    return [name for name, default in fields.items() if isinstance(default, Signal)]


def _maker_of_fields(cls: type[Any]) -> str:
    return "attrs" if attrs.has(cls) else "dataclass"
