"""One function as it is written, its types resolved: what any endpoint begins with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from inspect import Parameter as Declared
from typing import Any, Final

import attrs

from farcall._contract.spec import Role, UnsupportedType
from farcall._declare.annotations import UPLOADS, Scope, is_iterator, item_type
from farcall._declare.marks import Marks
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import check_python_name
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_function
from farcall._declare.tasks import STATUS, StatusParameter, is_status, read_status
from farcall.errors import DeclarationError

_ROLES: Final[dict[Any, Role]] = {
    Declared.POSITIONAL_ONLY: "positional",
    Declared.POSITIONAL_OR_KEYWORD: "either",
    Declared.KEYWORD_ONLY: "keyword",
}


@attrs.frozen(eq=False)
class ReadParameter:
    """One parameter of a function."""

    name: str
    role: Role
    annotation: Any
    """Its type; of an upload, that of one item."""
    default: object = Declared.empty
    is_upload: bool = False

    @property
    def has_default(self) -> bool:
        """Say whether it may be left out."""
        return self.default is not Declared.empty


@attrs.frozen(eq=False)
class ParsedFunction:
    """A function before it is an endpoint of some service.

    Types are resolved where the function is written, once; a subclass makes its own endpoints
    out of what its bases have read.
    """

    attribute: str
    site: Site
    marks: Marks
    parameters: tuple[ReadParameter, ...]
    result: Any
    """What is returned; of a stream, one item."""
    is_async: bool
    doc: str | None
    status: StatusParameter | None = None
    """Set for a remote task; not one of the parameters, for callers pass nothing by it."""

    @property
    def chosen_name(self) -> str | None:
        """The whole name on the wire that its declaration asks for; None for the usual one."""
        return self.marks.name

    @property
    def is_stream(self) -> bool:
        """Whether it answers with items, one after the other."""
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
    """Read a function that is to be an endpoint, or to run in the background.

    Args:
        function: What is called in the end.
        attribute: The name of the member.
        marks: What its decorator said.
        scope: Where the names in its annotations are looked up.
        mistakes: Takes what is wrong with its parameters and its result.
        has_self: Whether the first parameter is ``self``.

    Returns:
        What is right of it, which is all of it where no mistake was noted.

    Raises:
        DeclarationError: the function cannot be that at all.
    """
    reader = _Reader(function, scope, site_of_function(function), mistakes)
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
    mistakes: Mistakes

    def read(self, attribute: str, marks: Marks, *, has_self: bool) -> ParsedFunction:
        is_stream = marks.kind == "stream"
        if not is_stream:
            self._refuse_generator()
        signature = inspect.signature(self.function)
        declared: Sequence[Declared] = list(signature.parameters.values())
        if has_self:
            with self.mistakes.noted():
                declared = self._without_self(declared)
        parameters = self.mistakes.each(self._annotated, declared)
        statuses = [pair for pair in parameters if is_status(*pair)]
        others = [pair for pair in parameters if pair not in statuses]
        results = self.mistakes.each(
            lambda annotation: self._result(annotation, is_stream), [signature.return_annotation]
        )
        found = self.mistakes.each(lambda pair: self._status(*pair, marks), statuses)
        return ParsedFunction(
            attribute,
            self.site,
            marks,
            tuple(self.mistakes.each(lambda pair: self._parameter(*pair), others)),
            results[0] if results else None,
            is_stream or is_async(self.function),
            inspect.cleandoc(self.function.__doc__) if self.function.__doc__ else None,
            found[0] if found else None,
        )

    def _refuse_generator(self) -> None:
        function = inspect.unwrap(self.function)
        if inspect.isasyncgenfunction(function):
            raise self._generator("it yields", "Decorate it with @stream, or return a list")
        if inspect.isgeneratorfunction(function):
            fix = "Make it async and decorate it with @stream, or return a list"
            raise self._generator("it yields", fix)

    def _generator(self, problem: str, fix: str) -> DeclarationError:
        return self.site.error(Rule.GENERATOR, f"{problem}, and an endpoint returns once", fix)

    def _without_self(self, declared: Sequence[Declared]) -> Sequence[Declared]:
        if not declared or not _is_self(declared[0]):
            raise self.site.error(
                Rule.NO_SELF,
                "its first parameter is not self",
                "Put self first; a function without it goes into farcall.functions(...)",
            )
        return declared[1:]

    def _status(self, declared: Declared, annotation: Any, marks: Marks) -> StatusParameter:
        is_async_ = is_async(self.function)
        return read_status(declared, annotation, self.site, marks, is_async=is_async_)

    def _annotated(self, declared: Declared) -> tuple[Declared, Any]:
        self._check_kind(declared)
        what = f"parameter {declared.name!r}"
        example = "trio.TaskStatus[None]" if declared.name == STATUS else "str"
        resolved = self._resolved(declared.annotation, what, f"`{declared.name}: {example}`")
        return declared, resolved

    def _parameter(self, declared: Declared, annotation: Any) -> ReadParameter:
        if is_iterator(annotation, UPLOADS):
            return self._upload(declared, annotation)
        return ReadParameter(declared.name, _ROLES[declared.kind], annotation, declared.default)

    def _upload(self, declared: Declared, annotation: Any) -> ReadParameter:
        item = self._item_type(annotation, f"the upload {declared.name!r}")
        if item is None:
            raise self.site.error(
                Rule.NO_ITEM_TYPE,
                f"nothing says which items the upload {declared.name!r} has",
                f"Write `{declared.name}: AsyncIterable[str]`, with their type",
            )
        if declared.default is not Declared.empty:
            raise self.site.error(
                Rule.UPLOAD_DEFAULT,
                f"the upload {declared.name!r} has a default, and callers always send one",
                "Leave the default out; callers without items pass an iterable that has none",
            )
        return ReadParameter(declared.name, _ROLES[declared.kind], item, is_upload=True)

    def _check_kind(self, declared: Declared) -> None:
        check_python_name(declared.name, self.site, "a parameter")
        if declared.kind not in _ROLES:
            raise self.site.error(
                Rule.VARIADIC,
                f"{_starred(declared)} takes any number of arguments, which no contract can list",
                f"Take one list or dict instead, as in `{declared.name}: {_collection(declared)}`",
            )

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
                "nothing says which items the stream has",
                "Write `-> AsyncIterator[str]`, with their type",
            )
        return item

    def _item_type(self, annotation: object, what: str) -> Any:
        try:
            return item_type(annotation)
        except UnsupportedType as exc:
            raise self.site.unsupported(exc, Rule.UNSUPPORTED_TYPE, what) from exc

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
