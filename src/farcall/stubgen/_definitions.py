"""Write the definitions of a service, in an order in which Python can run them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, assert_never

from farcall._contract.algebra import named_in, walk
from farcall._contract.identifiers import is_python_name
from farcall._contract.spec import Definition, EnumSpec, FieldSpec, NewTypeSpec, RecordSpec
from farcall.stubgen._aliases import AliasSpec
from farcall.stubgen._annotations import inner_annotation, written_out
from farcall.stubgen._defaults import RecordCall, fitted_at_once
from farcall.stubgen._layout import (
    INDENT,
    Brackets,
    Parenthesized,
    Union,
    Value,
    call,
    joined,
    statement,
)
from farcall.stubgen._literals import constant, docstring, string
from farcall.stubgen._names import Names
from farcall.stubgen._records import record

Named: TypeAlias = Definition | AliasSpec


def in_order(definitions: Sequence[Named]) -> list[Named]:
    """Sort for the reader: enums, aliases and new types, records, errors; each kind by name.

    A definition that another one needs at import comes before it: the target of an alias or a new
    type, the enums and new types in defaults, the base of an error. Annotations are not evaluated,
    so records may refer to each other in cycles.
    """
    table = {each.name: each for each in definitions}
    placed: dict[str, Named] = {}
    waiting = set[str]()

    def place(definition: Named) -> None:
        waiting.add(definition.name)
        needed = set(_needed_first(definition, table)) & table.keys()
        for name in sorted(needed - placed.keys() - waiting):
            place(table[name])
        placed.setdefault(definition.name, definition)

    def rank(spec: Named) -> tuple[int, str]:
        if isinstance(spec, RecordSpec):
            return 3 if spec.kind == "error" else 2, spec.name
        return 0 if isinstance(spec, EnumSpec) else 1, spec.name

    for each in sorted(definitions, key=rank):
        place(each)
    return list(placed.values())


def define(spec: Named, names: Names) -> Iterator[str]:
    """Write one definition, unless it is imported, and its second name if it needs one."""
    if not names.is_imported(spec.name):
        yield from _written(spec, names)
    alias = names.alias(spec.name)
    if alias is not None:
        yield f"{alias} = {spec.name}"


def _written(spec: Named, names: Names) -> Iterator[str]:
    match spec:
        case AliasSpec(name, target):
            written = written_out(target, names)
            value = Parenthesized(written) if isinstance(written, Union) else Value(written)
            yield statement(joined(f"{name}: {names.standard('TypeAlias')} = ", value))
        case EnumSpec():
            yield _enum(spec, names)
        case NewTypeSpec(name, target):
            arguments = [string(name), inner_annotation(target, names)]
            made = call(names.standard("NewType"), arguments)
            yield statement(joined(f"{name} = ", made))
        case RecordSpec():
            yield from record(spec, names)
        case _:
            assert_never(spec)


def _needed_first(spec: Named, table: Mapping[str, Named]) -> Iterator[str]:
    match spec:
        case NewTypeSpec() | AliasSpec():
            yield from named_in(spec.target)
            aliases = (each.alias for each in walk(spec.target) if each.alias is not None)
            yield from (each for each in aliases if isinstance(table.get(each), AliasSpec))
        case RecordSpec():
            for field in spec.fields:
                yield from _names_in_default(field, spec, table)
            if spec.base is not None:
                yield spec.base
        case _:
            pass


def _names_in_default(
    field: FieldSpec, spec: RecordSpec, table: Mapping[str, Named]
) -> Iterator[str]:
    """Return the names in a default that is evaluated at import, and not by a factory later."""
    types = {name: each for name, each in table.items() if not isinstance(each, AliasSpec)}
    node = fitted_at_once(field, types)
    nodes = [] if node is None else list(ast.walk(node))
    if spec.kind != "namedtuple" and any(isinstance(each, RecordCall) for each in nodes):
        return iter(())
    return (each.id for each in nodes if isinstance(each, ast.Name))


def _enum(spec: EnumSpec, names: Names) -> str:
    if spec.mixed:
        bases = [names.builtin(_MIXED_IN[spec.base]), names.standard("Enum")]
    else:
        bases = [names.standard(spec.base)]
    values = dict(spec.members)
    values |= {alias: values[member] for alias, member in spec.aliases}
    if not all(is_python_name(name) and not name.startswith("_") for name in values):
        pairs = [joined(string(name), ": ", constant(value)) for name, value in values.items()]
        options = [f"type={each}" for each in bases[:-1]]
        made = call(bases[-1], [string(spec.name), Brackets("{", tuple(pairs), "}"), *options])
        return statement(joined(f"{spec.name} = ", made))
    doc = docstring(spec.doc, INDENT)
    members = [f"{' ' * INDENT}{name} = {constant(value)}" for name, value in spec.members]
    members += [f"{' ' * INDENT}{alias} = {member}" for alias, member in spec.aliases]
    body = [*doc, "", *members] if doc else members
    return "\n".join([f"class {spec.name}({', '.join(bases)}):", *body])


_MIXED_IN: Mapping[str, str] = {"IntEnum": "int", "StrEnum": "str"}
