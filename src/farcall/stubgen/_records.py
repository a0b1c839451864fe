"""Write records: attrs classes, dataclasses, typed dictionaries, named tuples, errors."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from farcall._contract.algebra import named_in, walk
from farcall._contract.identifiers import is_attribute_name
from farcall._contract.spec import (
    ArrayOf,
    FieldSpec,
    MapOf,
    RecordSpec,
    Ref,
    Scalar,
    TypeSpec,
)
from farcall.errors import ErrorCode
from farcall.stubgen._annotations import annotation, inner_annotation
from farcall.stubgen._defaults import chosen, fitted, fitted_at_once
from farcall.stubgen._layout import (
    INDENT,
    Brackets,
    Layout,
    Parenthesized,
    Value,
    call,
    flat,
    joined,
    statement,
    subscript,
)
from farcall.stubgen._literals import (
    docstring,
    empty_factory,
    expression,
    is_mutable,
    is_opaque,
    string,
)
from farcall.stubgen._names import Names

_HIDDEN: Final = (
    f"{' ' * INDENT}def __repr__(self) -> str:",
    f"{' ' * 2 * INDENT}return object.__repr__(self)",
)
"""A repr without fields, for a named tuple: no option switches off the usual one."""

_BASES: Final = {"typeddict": "TypedDict", "namedtuple": "NamedTuple"}


def record(spec: RecordSpec, names: Names) -> Iterator[str]:
    """Write the definition of a record or of an error; some need two statements."""
    odd = [field for field in spec.fields if not is_attribute_name(field.name)]
    if spec.kind != "typeddict" or not odd:
        bases: list[Layout] = []
        if spec.kind == "error":
            bases = [spec.base or f"{names.module('farcall')}.ApplicationError"]
        elif spec.kind in _BASES:
            bases = [names.standard(_BASES[spec.kind])]
        yield _class(spec, bases, names)
    elif not spec.parameters:
        yield _functional(spec.name, spec.fields, names)
    else:
        base = names.base(spec.name)
        yield _functional(base, odd, names)
        rest = tuple(field for field in spec.fields if field not in odd)
        yield _class(replace(spec, fields=rest), [base], names)


def _class(spec: RecordSpec, bases: Sequence[Layout], names: Names) -> str:
    if spec.parameters:
        variables = map(names.variable, spec.parameters)
        bases = [*bases, subscript(names.standard("Generic"), variables)]
    name = f"class {spec.name}"
    header = statement(joined(call(name, bases) if bases else name, ":"))
    return "\n".join([*_decorators(spec, names), header, *_body(spec, names)])


def _decorators(spec: RecordSpec, names: Names) -> list[str]:
    if spec.kind in _BASES:
        return []
    if spec.kind == "dataclass":
        decorator = names.standard("dataclass")
        written = ["frozen=True"] * spec.frozen
    else:
        decorator = f"{names.module('attrs')}.{'frozen' if spec.frozen else 'define'}"
        written = []
    written += [] if spec.repr else ["repr=False"]
    written += [] if spec.eq else ["eq=False"]
    written += ["order=True"] * spec.ordered
    written += ["unsafe_hash=True"] * spec.unsafe_hash
    written += [] if spec.slots is None else [f"slots={spec.slots}"]
    written += ["kw_only=True"] * _all_keyword_only(spec)
    return [statement(call(f"@{decorator}", written) if written else f"@{decorator}")]


def _body(spec: RecordSpec, names: Names) -> list[str]:
    doc = docstring(spec.doc, INDENT)
    own = spec.fields
    code: int | None = ErrorCode.APPLICATION
    base = names.definitions.get(spec.base or "")
    if isinstance(base, RecordSpec):
        code = base.code
        # The fields of the base are inherited, unless a class could not put them in this order.
        if spec.fields[: len(base.fields)] == base.fields:
            own = spec.fields[len(base.fields) :]
    fields = [_field(each, spec, names) for each in own]
    if spec.code not in (None, code):
        # The annotation of `code` is inherited, and says that it is no field.
        fields.insert(0, f"{' ' * INDENT}code = {spec.code}")
    if spec.kind == "namedtuple" and not spec.repr:
        fields += [*([""] if fields else []), *_HIDDEN]
    if not fields:
        return doc or [" " * INDENT + "pass"]
    return [*doc, "", *fields] if doc else fields


def _field(field: FieldSpec, spec: RecordSpec, names: Names) -> str:
    if spec.kind == "typeddict":
        return statement(joined(field.name, ": ", _entry(field, names)), INDENT)
    typed = joined(field.attribute or field.name, ": ", annotation(field.type, names))
    value = _value(field, spec, names)
    return statement(typed if value is None else joined(typed, " = ", Value(value)), INDENT)


def _entry(field: FieldSpec, names: Names) -> Layout:
    """Write the type of an entry of a typed dictionary."""
    written = annotation(field.type, names)
    if field.default is None:
        return written
    bare = written.inner if isinstance(written, Parenthesized) else written
    return subscript(names.standard("NotRequired"), [bare])


def _value(field: FieldSpec, spec: RecordSpec, names: Names) -> Layout | None:
    """Write the text after the ``=`` of a field, if there is one."""
    if spec.kind == "namedtuple":
        node = fitted_at_once(field, names.definitions)
        return _default(node, names) if field.default else None
    options = _options(field, spec, names)
    if not options or list(options) == ["default"]:
        return options.get("default")
    written = [joined(f"{name}=", value) for name, value in options.items()]
    if spec.kind == "dataclass":
        return call(names.standard("field"), written)
    return call(f"{names.module('attrs')}.field", written)


def _options(field: FieldSpec, spec: RecordSpec, names: Names) -> dict[str, Layout]:
    """Return the arguments of the ``field(...)`` of a field; a default alone needs no call."""
    options: dict[str, Layout] = {}
    if field.default is not None:
        node = fitted(field.default, field.type, names.definitions)
        if node is not None and (is_mutable(node, names) or is_opaque(node, names)):
            name = "default_factory" if spec.kind == "dataclass" else "factory"
            options[name] = _factory(node, field.type, names)
        else:
            options["default"] = _default(node, names)
    if field.keyword_only and not _all_keyword_only(spec):
        options["kw_only"] = "True"
    options |= _uses(field, spec)
    # attrs strips underscores from the name of the argument.
    if spec.kind != "dataclass" and field.name != (field.attribute or field.name).lstrip("_"):
        options["alias"] = string(field.name)
    return options


def _uses(field: FieldSpec, spec: RecordSpec) -> dict[str, Layout]:
    """Return the arguments that keep a field out of the methods of its record."""
    use, eq = field.use, "compare" if spec.kind == "dataclass" else "eq"
    options: dict[str, Layout] = {} if use.repr else {"repr": "False"}
    if not use.eq:
        options[eq] = "False"
    elif not use.order:
        options["order"] = "False"
    return options if use.hash is None else {**options, "hash": str(use.hash)}


def _factory(node: ast.expr, spec: TypeSpec, names: Names) -> Layout:
    """Write the factory of a default, with the types that checkers cannot infer."""
    builtin = empty_factory(node)
    kind = chosen(node, spec, names.definitions)
    if builtin is None:
        return joined("lambda: ", expression(node, names))
    match kind:
        case Ref(name):
            return f"lambda: {names.defined(name)}()"
        case ArrayOf(_, item):
            arguments: list[TypeSpec] = [item]
        case MapOf(_, key, value):
            arguments = [key, value]
        case _:
            arguments = [Scalar("str"), Scalar("json")] if builtin == "dict" else [Scalar("json")]
    return subscript(names.builtin(builtin), [_evaluable(each, names) for each in arguments])


def _evaluable(spec: TypeSpec, names: Names) -> Layout:
    """Write a type that is evaluated at import; quoted if it names a class of the module."""
    written = inner_annotation(spec, names)
    is_defined_here = any(named_in(spec)) or any(each.alias for each in walk(spec))
    return string(flat(written)) if is_defined_here else written


def _default(node: ast.expr | None, names: Names) -> Layout:
    return f"{names.module('farcall')}.OMIT" if node is None else expression(node, names)


def _functional(name: str, fields: Sequence[FieldSpec], names: Names) -> str:
    """Write a typed dictionary with keys that cannot stand in a class body.

    Its types are evaluated at import, unlike annotations, so they are quoted.
    """
    entries = [
        joined(string(each.name), ": ", string(flat(_entry(each, names)))) for each in fields
    ]
    table = Brackets("{", tuple(entries), "}")
    return statement(joined(f"{name} = ", call(names.standard("TypedDict"), [string(name), table])))


def _all_keyword_only(spec: RecordSpec) -> bool:
    return bool(spec.fields) and all(each.keyword_only for each in spec.fields)
