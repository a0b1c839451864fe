"""Endpoints: a parsed function with its contract and its codecs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from farcall._codec import OMIT, Arguments, Codec, ErrorCodec, Json, codec_of
from farcall._contract.definitions import Definitions
from farcall._contract.describe import describe
from farcall._contract.literals import literal_source
from farcall._contract.spec import (
    ArgumentSpec,
    Default,
    MethodSpec,
    RecordSpec,
    Scalar,
    TypeSpec,
    UnsupportedType,
)
from farcall._declare.annotations import Scope
from farcall._declare.functions import ParsedFunction, ParsedParameter, read_function
from farcall._declare.marks import Marks
from farcall._declare.mistakes import Mistakes
from farcall._declare.names import check_python_name
from farcall._declare.rules import Rule
from farcall._declare.sites import Site
from farcall.errors import ApplicationError, EncodeError


class Method(Struct, frozen=True, eq=False):
    """An endpoint: its contract, its codecs, and how to call it."""

    spec: MethodSpec
    attribute: str
    """The handler is ``getattr(instance, attribute)``."""
    arguments: Arguments
    result: Codec[Any]
    errors: ErrorCodec
    is_async: bool
    """Whether calls are awaited; a plain ``def`` runs inline, or in a thread."""
    in_thread: bool = False
    ordered: bool = False
    """Whether the calls of one connection run one at a time."""
    is_stream: bool = False
    """Whether it is an async generator; then `result` is the codec of one item."""
    uploads: Mapping[str, Codec[Any]] = field(default_factory=dict[str, Codec[Any]])
    """By parameter that is an async iterable, the codec of one item."""
    started: Codec[Any] | None = None
    """The codec of the value passed to ``task_status.started()``; None if it is no remote task."""


def endpoint_of(
    parsed: ParsedFunction, wire_name: str, definitions: Definitions, *, protected: bool = False
) -> Method:
    """Make an endpoint, and define the types that it names.

    Args:
        parsed: The parsed function.
        wire_name: Its whole name.
        definitions: Of the service; takes the types.
        protected: Whether its class is protected.

    Raises:
        DeclarationError: A type in it cannot cross the wire, or its options contradict it.
    """
    parameters = parsed.parameters
    spec = replace(
        _described(parsed, definitions),
        wire_name=wire_name,
        access=parsed.marks.access.within(protected=protected),
    )
    if spec.oneway:
        _check_oneway(spec, parsed.site)
    # Among the arguments, an upload is a reference to its stream, of any JSON form.
    arguments = (replace(each, annotation=Json) if each.is_upload else each for each in parameters)
    return Method(
        spec=spec,
        attribute=parsed.attribute,
        arguments=Arguments(arguments),
        result=codec_of(parsed.result),
        errors=ErrorCodec(parsed.marks.raises),
        is_async=parsed.is_async,
        in_thread=parsed.marks.in_thread,
        ordered=parsed.marks.ordered,
        is_stream=parsed.is_stream,
        uploads={each.name: codec_of(each.annotation) for each in parameters if each.is_upload},
        started=None if parsed.started is None else codec_of(parsed.started),
    )


def _described(parsed: ParsedFunction, definitions: Definitions) -> MethodSpec:
    """Describe a function; the error lists all that is wrong with its types."""
    mistakes, site = Mistakes(), parsed.site
    types = [(parsed.result, "an item" if parsed.is_stream else "the result")]
    if parsed.started is not None:
        types.append((parsed.started, "the value of task_status"))
    arguments = mistakes.each(lambda each: _argument(each, site, definitions), parsed.parameters)
    described_ = mistakes.each(lambda each: described(each[0], definitions, site, each[1]), types)
    raises = mistakes.each(lambda each: _error(each, site, definitions), parsed.marks.raises)
    mistakes.each(lambda each: _check_upload(each, parsed), parsed.parameters)
    mistakes.check()
    return MethodSpec(
        name=parsed.attribute,
        wire_name=parsed.attribute,
        arguments=tuple(arguments),
        result=described_[0],
        raises=tuple(raises),
        oneway=parsed.marks.oneway,
        started=None if parsed.started is None else described_[1],
        inline=not parsed.is_async,
        doc=parsed.doc,
        stream=parsed.is_stream,
        max_seconds=parsed.marks.max_seconds,
        max_concurrent=parsed.marks.max_concurrent,
    )


def method_of(
    function: Callable[..., Any],
    wire_name: str,
    raises: Iterable[type[ApplicationError]] = (),
    *,
    oneway: bool = False,
    stream: bool = False,
    definitions: Definitions | None = None,
) -> Method:
    """Read a method of a stub, by the rules for the methods of a service.

    `definitions` takes the types that it names.

    Raises:
        DeclarationError: The function cannot be an endpoint.
    """
    marks = Marks("stream" if stream else "method", raises=tuple(raises), oneway=oneway)
    mistakes = Mistakes()
    parsed = read_function(function, function.__name__, marks, Scope({}), mistakes)
    mistakes.check()
    # In a class Python renames a parameter ``__x``; a plain function of a service keeps it.
    owner = function.__qualname__.split(".")[-2:][0]
    prefix = f"_{owner.lstrip('_')}__"
    parameters = tuple(
        replace(each, name=f"__{each.name.removeprefix(prefix)}")
        if each.name.startswith(prefix)
        else each
        for each in parsed.parameters
    )
    known = Definitions() if definitions is None else definitions
    return endpoint_of(replace(parsed, parameters=parameters), wire_name, known)


def described(annotation: Any, definitions: Definitions, site: Site, part: str) -> TypeSpec:
    """Describe the type of an annotation for the contract.

    Raises:
        DeclarationError: Its values cannot cross the wire.
    """
    try:
        spec = describe(annotation, definitions)
    except UnsupportedType as exc:
        raise site.unsupported(exc, Rule.UNSUPPORTED_TYPE, part) from exc
    _check_names(definitions, site)
    return spec


def _check_names(definitions: Definitions, site: Site) -> None:
    for name, definition in definitions.items():
        check_python_name(name, site, "a type")
        if isinstance(definition, RecordSpec):
            for variable in definition.parameters:
                check_python_name(variable, site, f"a type variable of {name}")


def _argument(parameter: ParsedParameter, site: Site, definitions: Definitions) -> ArgumentSpec:
    prefix = "an item of " if parameter.is_upload else ""
    part = f"{prefix}parameter {parameter.name!r}"
    type_ = described(parameter.annotation, definitions, site, part)
    if parameter.is_upload:
        return ArgumentSpec(parameter.name, type_, parameter.role, upload=True)
    if not parameter.has_default:
        return ArgumentSpec(parameter.name, type_, parameter.role)
    if parameter.default is not OMIT:
        _check_default(parameter, site)
    default = Default(literal_source(parameter.default, definitions))
    return ArgumentSpec(parameter.name, type_, parameter.role, default)


def _check_default(parameter: ParsedParameter, site: Site) -> None:
    try:
        codec_of(parameter.annotation).encode(parameter.default)
    except EncodeError as exc:
        reason = str(exc).removesuffix(" @ value")
        problem = f"the default of parameter {parameter.name!r} has the wrong type: {reason}"
        hint = "`| None`" if parameter.default is None else "the type of the default"
        fix = f"Add {hint} to the annotation, or change the default"
        raise site.error(Rule.BAD_DEFAULT, problem, fix) from exc


def _error(cls: type[ApplicationError], site: Site, definitions: Definitions) -> str:
    try:
        describe(cls, definitions)
    except UnsupportedType as exc:
        raise site.unsupported(exc, Rule.BAD_ERROR, f"raises= lists {cls.__name__}") from exc
    _check_names(definitions, site)
    return cls.__name__


def _check_upload(parameter: ParsedParameter, parsed: ParsedFunction) -> None:
    if parameter.is_upload and not (parsed.is_async or parsed.is_stream):
        raise parsed.site.error(
            Rule.UPLOAD_TO_DEF,
            f"the upload {parameter.name!r} needs `async for`, but this is a plain def",
            "Write an async def, or take a list",
        )


def _check_oneway(spec: MethodSpec, site: Site) -> None:
    for each in spec.arguments:
        if each.upload:
            raise site.error(
                Rule.ONEWAY_UPLOAD,
                f"the upload {each.name!r} ends with its call, but a one-way call ends at once",
                "Remove oneway=True, or take a list",
            )
    if spec.result != Scalar("none") or spec.raises:
        raise site.error(
            Rule.ONEWAY_ANSWERS,
            "a one-way method has no response, but this one has a result or raises=",
            "Return None and remove raises=, or remove oneway=True",
        )
