"""One function as it is written, its types resolved: what any endpoint begins with."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Sequence
from inspect import Parameter as Declared
from typing import Any, Final, get_origin

import attrs

from farcall._contract.spec import Role
from farcall._declare.annotations import Scope
from farcall._declare.marks import Marks, not_yet
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_function
from farcall._declare.status import STATUS, StatusParameter, is_status, read_status
from farcall.errors import DeclarationError

_ROLES: Final[dict[Any, Role]] = {
    Declared.POSITIONAL_ONLY: "positional",
    Declared.POSITIONAL_OR_KEYWORD: "either",
    Declared.KEYWORD_ONLY: "keyword",
}
_STREAMS = (AsyncIterable, AsyncIterator, AsyncGenerator)


@attrs.frozen(eq=False)
class ReadParameter:
    """One parameter of a function."""

    name: str
    role: Role
    annotation: Any
    default: object = Declared.empty

    @property
    def has_default(self) -> bool:
        """Say whether it may be left out."""
        return self.default is not Declared.empty


@attrs.frozen(eq=False)
class Reading:
    """A function before it is an endpoint of some service.

    Types are resolved where the function is written, once; a subclass makes its own endpoints
    out of what its bases have read.
    """

    attribute: str
    site: Site
    marks: Marks
    parameters: tuple[ReadParameter, ...]
    result: Any
    is_async: bool
    doc: str | None
    status: StatusParameter | None = None
    """Set for a remote task; not one of the parameters, for callers pass nothing by it."""

    @property
    def chosen_name(self) -> str | None:
        """The whole name on the wire that its declaration asks for; None for the usual one."""
        return self.marks.name


def read_function(
    function: Callable[..., Any],
    attribute: str,
    marks: Marks,
    scope: Scope,
    *,
    has_self: bool = True,
) -> Reading:
    """Read a function that is to be an endpoint, or to run in the background.

    Args:
        function: What is called in the end.
        attribute: The name of the member.
        marks: What its decorator said.
        scope: Where the names in its annotations are looked up.
        has_self: Whether the first parameter is ``self``.

    Raises:
        DeclarationError: the function cannot be that.
    """
    reader = _Reader(function, scope, site_of_function(function))
    return reader.read(attribute, marks, has_self=has_self)


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether a call is to be awaited; a plain wrapper around an async function counts."""
    return any(map(inspect.iscoroutinefunction, (function, inspect.unwrap(function))))


def takes_anything(function: Callable[..., Any]) -> bool:
    """Say whether a function has ``*args`` or ``**kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    return any(each.kind not in _ROLES for each in parameters)


@attrs.frozen
class _Reader:
    function: Callable[..., Any]
    scope: Scope
    site: Site

    def read(self, attribute: str, marks: Marks, *, has_self: bool) -> Reading:
        self._refuse_generator()
        signature = inspect.signature(self.function)
        declared = list(signature.parameters.values())
        parameters = [
            (each, self._annotation(each))
            for each in (self._without_self(declared) if has_self else declared)
        ]
        statuses = [pair for pair in parameters if is_status(*pair)]
        return Reading(
            attribute,
            self.site,
            marks,
            tuple(self._parameter(*pair) for pair in parameters if pair not in statuses),
            self._result(signature.return_annotation),
            is_async(self.function),
            inspect.cleandoc(self.function.__doc__) if self.function.__doc__ else None,
            self._status(statuses, marks),
        )

    def _refuse_generator(self) -> None:
        function = inspect.unwrap(self.function)
        if inspect.isasyncgenfunction(function) or inspect.isgeneratorfunction(function):
            raise self._generator("it yields")

    def _generator(self, problem: str) -> DeclarationError:
        fix = "Return a list, or emit the values on a Signal"
        return self.site.error(Rule.GENERATOR, f"{problem}, and an endpoint returns once", fix)

    def _without_self(self, declared: Sequence[Declared]) -> Sequence[Declared]:
        if not declared or not _is_self(declared[0]):
            raise self.site.error(
                Rule.NO_SELF,
                "its first parameter is not self",
                "Put self first; a function without it goes into farcall.functions(...)",
            )
        return declared[1:]

    def _status(
        self, found: Sequence[tuple[Declared, Any]], marks: Marks
    ) -> StatusParameter | None:
        statuses = [
            read_status(
                declared,
                annotation,
                self.site,
                is_async=is_async(self.function),
                oneway=marks.oneway,
            )
            for declared, annotation in found
        ]
        return statuses[0] if statuses else None

    def _annotation(self, declared: Declared) -> Any:
        self._check_kind(declared)
        what = f"parameter {declared.name!r}"
        example = "trio.TaskStatus[None]" if declared.name == STATUS else "str"
        return self._resolved(declared.annotation, what, f"`{declared.name}: {example}`")

    def _parameter(self, declared: Declared, annotation: Any) -> ReadParameter:
        if (get_origin(annotation) or annotation) in _STREAMS:
            raise not_yet(self.site, Rule.UPLOAD_LATER)
        return ReadParameter(declared.name, _ROLES[declared.kind], annotation, declared.default)

    def _check_kind(self, declared: Declared) -> None:
        if declared.kind not in _ROLES:
            raise self.site.error(
                Rule.VARIADIC,
                f"{_starred(declared)} takes any number of arguments, which no contract can list",
                f"Take one list or dict instead, as in `{declared.name}: {_collection(declared)}`",
            )

    def _result(self, annotation: object) -> Any:
        resolved = self._resolved(annotation, "the result", "`-> None` or `-> str`")
        if (get_origin(resolved) or resolved) in _STREAMS:
            raise self._generator("its result is an async iterator")
        return resolved

    def _resolved(self, annotation: object, what: str, example: str) -> Any:
        if annotation is inspect.Signature.empty:
            problem = f"{what} has no annotation"
            fix = f"Annotate it, as in {example}"
            raise self.site.error(Rule.MISSING_ANNOTATION, problem, fix)
        return self.scope.resolve(annotation, self.function, self.site, what)


def _is_self(declared: Declared) -> bool:
    has_position = declared.kind in (Declared.POSITIONAL_ONLY, Declared.POSITIONAL_OR_KEYWORD)
    return has_position and (declared.name == "self" or declared.name.startswith("_"))


def _starred(declared: Declared) -> str:
    return ("*" if declared.kind is Declared.VAR_POSITIONAL else "**") + declared.name


def _collection(declared: Declared) -> str:
    return "list[str]" if declared.kind is Declared.VAR_POSITIONAL else "dict[str, str]"
