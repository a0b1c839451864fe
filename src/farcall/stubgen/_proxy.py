"""Write the proxy class of a service: a method for each endpoint, an attribute for each signal."""

from __future__ import annotations

from collections.abc import Iterator

from farcall._contract.spec import ArgumentSpec, MethodSpec, ServiceSpec, SignalSpec
from farcall.stubgen._annotations import annotation, inner_annotation
from farcall.stubgen._defaults import fitted
from farcall.stubgen._layout import (
    INDENT,
    Brackets,
    Layout,
    Value,
    call,
    joined,
    statement,
    subscript,
)
from farcall.stubgen._literals import docstring, expression, is_mutable, string
from farcall.stubgen._names import Names


def proxy(spec: ServiceSpec, digest: str, names: Names) -> str:
    """Write the proxy class.

    Args:
        spec: The service.
        digest: The digest of its contract, to compare with that of the server.
        names: The names of the module.
    """
    farcall = names.module("farcall")
    options = [f"service={string(spec.name)}", f"contract={string(digest)}"]
    header = joined(call(f"class {names.proxy}", [f"{farcall}.Proxy", *options]), ":")
    signals = [_signal(each, names) for each in spec.signals]
    methods = [_method(each, names) for each in spec.methods]
    doc = "\n".join(docstring(spec.doc, INDENT))
    blocks = [*([doc] if doc else []), *_paragraphs(signals), *methods]
    return f"{statement(header)}\n" + ("\n\n".join(blocks) or " " * INDENT + "pass")


def _paragraphs(signals: list[str]) -> list[str]:
    """Write signals without empty lines between them, unless one has a docstring."""
    if any("\n" in signal for signal in signals):
        return signals
    return ["\n".join(signals)] if signals else []


def _signal(spec: SignalSpec, names: Names) -> str:
    remote_signal = f"{names.module('farcall')}.RemoteSignal"
    types = [spec.value] if spec.key_type is None else [spec.value, spec.key_type]
    typed = subscript(remote_signal, [inner_annotation(each, names) for each in types])
    made = call(remote_signal, [string(spec.wire_name)])
    line = statement(joined(f"{spec.name}: ", typed, " = ", Value(made)), INDENT)
    return "\n".join([line, *docstring(_documented(spec), INDENT)])


def _method(spec: MethodSpec, names: Names) -> str:
    kind = "stream_endpoint" if spec.stream else "endpoint"
    decorator = call(f"@{names.module('farcall')}.{kind}", _options(spec, names))
    parameters = Brackets("(", tuple(_parameters(spec, names)), ")", breaks_first=True)
    if spec.stream:
        items = subscript(names.standard("AsyncIterator"), [inner_annotation(spec.result, names)])
        result = subscript(names.standard("AbstractAsyncContextManager"), [items])
    else:
        result = annotation(spec.result, names)
    define = "def" if spec.stream else "async def"
    signature = joined(f"{define} {spec.name}", parameters, " -> ", result, ":")
    return "\n".join(
        [
            statement(decorator, INDENT),
            statement(signature, INDENT),
            *docstring(_documented(spec), 2 * INDENT),
            " " * 2 * INDENT + "raise NotImplementedError",
        ]
    )


def _documented(spec: MethodSpec | SignalSpec) -> str | None:
    """Return the docstring, with the login that the member needs at its end."""
    if not spec.access.protected:
        return spec.doc
    roles = " or ".join(sorted(spec.access.roles))
    needed = f"Needs a login with the role {roles}." if roles else "Needs a login."
    return needed if spec.doc is None else f"{spec.doc}\n\n{needed}"


def _options(spec: MethodSpec, names: Names) -> Iterator[Layout]:
    yield string(spec.wire_name)
    if spec.raises:
        yield joined("raises=", Brackets("[", tuple(map(names.defined, spec.raises)), "]"))
    if spec.oneway:
        yield "oneway=True"


def _parameters(spec: MethodSpec, names: Names) -> Iterator[Layout]:
    """Write the parameters, with the ``/`` and the ``*`` that their roles need."""
    receiver = "self"
    while receiver in {each.name for each in spec.arguments}:
        receiver = f"_{receiver}"  # a plain function may have an argument called self
    yield receiver
    positional = [each for each in spec.arguments if each.role == "positional"]
    yield from (_parameter(each, names) for each in positional)
    if positional or receiver != "self":
        yield "/"
    yield from (_parameter(each, names) for each in spec.arguments if each.role == "either")
    keyword = [each for each in spec.arguments if each.role == "keyword"]
    if keyword or spec.started is not None:
        yield "*"
    yield from (_parameter(each, names) for each in keyword)
    if spec.started is not None:
        trio = names.module("trio")
        typed = subscript(f"{trio}.TaskStatus", [inner_annotation(spec.started, names)])
        yield joined("task_status: ", typed, f" = {trio}.TASK_STATUS_IGNORED")


def _parameter(spec: ArgumentSpec, names: Names) -> Layout:
    written = inner_annotation(spec.type, names)
    if spec.upload:
        written = subscript(names.standard("AsyncIterable"), [written])
    typed = joined(f"{spec.name}: ", written)
    if spec.default is None:
        return typed
    node = fitted(spec.default, spec.type, names.definitions)
    if node is None or is_mutable(node, names):
        default: Layout = f"{names.module('farcall')}.OMIT"
    else:
        default = expression(node, names)
    return joined(typed, " = ", default)
