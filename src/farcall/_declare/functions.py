"""A function, parsed: its options, its parameters and its result, with their types resolved."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, Final

from msgspec import Struct

from farcall._contract.spec import Role, UnsupportedType
from farcall._declare.annotations import UPLOADS, Scope, is_iterator, item_type
from farcall._declare.marks import Marks
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import check_python_name
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_function
from farcall._declare.tasks import STATUS, is_status, read_status
from farcall.errors import DeclarationError

_ROLES: Final[dict[Any, Role]] = {
    inspect.Parameter.POSITIONAL_ONLY: "positional",
    inspect.Parameter.POSITIONAL_OR_KEYWORD: "either",
    inspect.Parameter.KEYWORD_ONLY: "keyword",
}
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class ParsedParameter(Struct, frozen=True, eq=False):
    """One parameter of a function."""

    name: str
    role: Role
    annotation: Any
    """Its type; for an upload, that of one item."""
    default: object = inspect.Parameter.empty
    is_upload: bool = False

    @property
    def has_default(self) -> bool:
        return self.default is not inspect.Parameter.empty


class ParsedFunction(Struct, frozen=True, eq=False):
    """A function before it becomes an endpoint of a service.

    Its types are resolved once, in the class that defines it; subclasses make their own endpoints
    from it.
    """

    attribute: str
    site: Site
    marks: Marks
    parameters: tuple[ParsedParameter, ...]
    result: Any
    """The type that it returns; for a stream, that of one item."""
    is_async: bool
    doc: str | None
    started: Any = None
    """The type that a remote task passes to ``task_status.started()``; None for other functions."""

    @property
    def chosen_name(self) -> str | None:
        """The whole name on the wire that its declaration asks for; None for the usual one."""
        return self.marks.name

    @property
    def is_stream(self) -> bool:
        return self.marks.kind == "stream"


def read_function(
    function: Callable[..., Any],
    attribute: str,
    marks: Marks,
    scope: Scope,
    mistakes: Mistakes,
    *,
    has_self: bool = True,
) -> ParsedFunction:
    """Parse a function that is to be an endpoint or a background task.

    Args:
        function: The function.
        attribute: The name of the member.
        marks: The options of its decorator.
        scope: Resolves the names in its annotations.
        mistakes: Notes mistakes in its parameters and its result.
        has_self: Whether the first parameter is ``self``.

    Returns:
        The function, without the parameters that have mistakes.

    Raises:
        DeclarationError: The function is a generator, which no endpoint can be.
    """
    reader = _Reader(function, scope, site_of_function(function), mistakes)
    return reader.read(attribute, marks, has_self=has_self)


def is_async(function: Callable[..., Any]) -> bool:
    """Say whether calls are awaited; a plain wrapper around an async function counts as async."""
    return any(map(inspect.iscoroutinefunction, (function, inspect.unwrap(function))))


def takes_anything(function: Callable[..., Any]) -> bool:
    """Say whether a function has ``*args`` or ``**kwargs``."""
    parameters = inspect.signature(function).parameters.values()
    return any(each.kind not in _ROLES for each in parameters)


class _Reader(Struct, frozen=True):
    function: Callable[..., Any]
    scope: Scope
    site: Site
    mistakes: Mistakes

    def read(self, attribute: str, marks: Marks, *, has_self: bool) -> ParsedFunction:
        is_stream = marks.kind == "stream"
        if not is_stream:
            self._refuse_generator()
        signature = inspect.signature(self.function)
        declared: Sequence[inspect.Parameter] = list(signature.parameters.values())
        if has_self:
            with self.mistakes.noted():
                declared = self._without_self(declared)
        annotated = self.mistakes.each(self._annotated, declared)
        result = None
        with self.mistakes.noted():
            result = self._result(signature.return_annotation, is_stream)
        is_async_ = is_async(self.function)
        statuses = self.mistakes.each(
            lambda pair: read_status(*pair, self.site, marks, is_async=is_async_),
            [pair for pair in annotated if is_status(*pair)],
        )
        parameters = self.mistakes.each(
            lambda pair: self._parameter(*pair),
            [pair for pair in annotated if not is_status(*pair)],
        )
        return ParsedFunction(
            attribute=attribute,
            site=self.site,
            marks=marks,
            parameters=tuple(parameters),
            result=result,
            is_async=is_stream or is_async_,
            doc=inspect.cleandoc(self.function.__doc__) if self.function.__doc__ else None,
            started=statuses[0] if statuses else None,
        )

    def _refuse_generator(self) -> None:
        function = inspect.unwrap(self.function)
        if inspect.isasyncgenfunction(function):
            raise self._generator("it yields", "Decorate it with @stream, or return a list")
        if inspect.isgeneratorfunction(function):
            fix = "Make it async and decorate it with @stream, or return a list"
            raise self._generator("it yields", fix)

    def _generator(self, problem: str, fix: str) -> DeclarationError:
        return self.site.error(
            Rule.GENERATOR, f"{problem}, but an endpoint returns one result", fix
        )

    def _without_self(self, declared: Sequence[inspect.Parameter]) -> Sequence[inspect.Parameter]:
        match declared:
            case [inspect.Parameter(name=name, kind=kind), *others] if kind in _POSITIONAL and (
                name == "self" or name.startswith("_")
            ):
                return others
            case _:
                raise self.site.error(
                    Rule.NO_SELF,
                    "its first parameter is not self",
                    "Put self first, or pass the function to farcall.functions(...)",
                )

    def _annotated(self, declared: inspect.Parameter) -> tuple[inspect.Parameter, Any]:
        check_python_name(declared.name, self.site, "a parameter")
        if declared.kind not in _ROLES:
            is_list = declared.kind is inspect.Parameter.VAR_POSITIONAL
            stars, collection = ("*", "list[str]") if is_list else ("**", "dict[str, str]")
            raise self.site.error(
                Rule.VARIADIC,
                f"{stars}{declared.name} takes any arguments, but a contract lists each argument",
                f"Take one parameter instead, as in `{declared.name}: {collection}`",
            )
        part = f"parameter {declared.name!r}"
        example = "trio.TaskStatus[None]" if declared.name == STATUS else "str"
        resolved = self._resolved(declared.annotation, part, f"`{declared.name}: {example}`")
        return declared, resolved

    def _parameter(self, declared: inspect.Parameter, annotation: Any) -> ParsedParameter:
        if is_iterator(annotation, UPLOADS):
            return self._upload(declared, annotation)
        return ParsedParameter(declared.name, _ROLES[declared.kind], annotation, declared.default)

    def _upload(self, declared: inspect.Parameter, annotation: Any) -> ParsedParameter:
        item = self._item_type(annotation, f"the upload {declared.name!r}")
        if item is None:
            raise self.site.error(
                Rule.NO_ITEM_TYPE,
                f"the upload {declared.name!r} has no item type",
                f"Write `{declared.name}: AsyncIterable[str]`, with the item type",
            )
        if declared.default is not inspect.Parameter.empty:
            raise self.site.error(
                Rule.UPLOAD_DEFAULT,
                f"the upload {declared.name!r} has a default, but callers always pass an upload",
                "Remove the default; a caller without items passes an empty iterable",
            )
        return ParsedParameter(declared.name, _ROLES[declared.kind], item, is_upload=True)

    def _result(self, annotation: object, is_stream: bool) -> Any:
        if is_stream:
            return self._item(annotation)
        resolved = self._resolved(annotation, "the result", "`-> None` or `-> str`")
        if is_iterator(resolved):
            fix = "Write an async generator and decorate it with @stream, or return a list"
            raise self._generator("its result is an async iterator", fix)
        return resolved

    def _item(self, annotation: object) -> Any:
        resolved = self._resolved(annotation, "the result", "`-> AsyncIterator[str]`")
        item = self._item_type(resolved, "the result")
        if item is None:
            raise self.site.error(
                Rule.NO_ITEM_TYPE,
                "the stream has no item type",
                "Write `-> AsyncIterator[str]`, with the item type",
            )
        return item

    def _item_type(self, annotation: object, part: str) -> Any:
        try:
            return item_type(annotation)
        except UnsupportedType as exc:
            raise self.site.unsupported(exc, Rule.UNSUPPORTED_TYPE, part) from exc

    def _resolved(self, annotation: object, part: str, example: str) -> Any:
        if annotation is inspect.Signature.empty:
            problem = f"{part} has no annotation"
            fix = f"Annotate it, as in {example}"
            raise self.site.error(Rule.MISSING_ANNOTATION, problem, fix)
        return self.scope.resolve(annotation, self.function, self.site, part)
