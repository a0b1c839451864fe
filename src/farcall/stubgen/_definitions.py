"""Write everything that has a name, in an order in which Python can run it."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from farcall._contract.identifiers import is_python_name
from farcall._contract.reach import named_in
from farcall._contract.spec import Definition, EnumSpec, FieldSpec, NewTypeSpec, RecordSpec
from farcall.stubgen._annotations import inner_annotation
from farcall.stubgen._defaults import fitted
from farcall.stubgen._layout import INDENT, Brackets, call, joined, statement
from farcall.stubgen._literals import constant, docstring, string
from farcall.stubgen._names import Names
from farcall.stubgen._records import record


def in_order(definitions: Sequence[Definition]) -> list[Definition]:
    """Sort for the reader: enums, new types, records, errors, each by name.

    What is evaluated when the module is imported comes before what needs it, however: the target
    of a new type, the enums and new types that defaults are made of, the base of an error.
    Annotations wait, so records may refer to each other in circles.
    """
    table = {each.name: each for each in definitions}
    placed: dict[str, Definition] = {}

    def place(definition: Definition) -> None:
        for name in sorted(_needed_first(definition, table) - placed.keys()):
            place(table[name])
        placed.setdefault(definition.name, definition)

    for each in sorted(definitions, key=_rank):
        place(each)
    return list(placed.values())


def define(spec: Definition, names: Names) -> Iterator[str]:
    """Write one definition, and its second name if it needs one."""
    match spec:
        case EnumSpec():
            yield _enum(spec, names)
        case NewTypeSpec():
            yield _new_type(spec, names)
        case RecordSpec():
            yield from record(spec, names)
        case _:
            assert_never(spec)
    alias = names.alias(spec.name)
    if alias is not None:
        yield f"{alias} = {spec.name}"


def _rank(spec: Definition) -> tuple[int, str]:
    if isinstance(spec, RecordSpec):
        return 3 if spec.kind == "error" else 2, spec.name
    return 0 if isinstance(spec, EnumSpec) else 1, spec.name


def _needed_first(spec: Definition, table: Mapping[str, Definition]) -> set[str]:
    match spec:
        case NewTypeSpec():
            return set(named_in(spec.target))
        case RecordSpec():
            names = {name for field in spec.fields for name in _names_in_default(field, table)}
            return (names if spec.base is None else names | {spec.base}) & table.keys()
        case _:
            return set()


def _names_in_default(field: FieldSpec, table: Mapping[str, Definition]) -> Iterator[str]:
    node = fitted(field.default, field.type, table) if field.default else None
    nodes = ast.walk(node) if node else ()
    return (each.id for each in nodes if isinstance(each, ast.Name))


def _new_type(spec: NewTypeSpec, names: Names) -> str:
    target = inner_annotation(spec.target, names)
    made = call(names.standard("NewType"), [string(spec.name), target])
    return statement(joined(f"{spec.name} = ", made))


def _enum(spec: EnumSpec, names: Names) -> str:
    base = names.standard(spec.base)
    values = dict(spec.members)
    values |= {alias: values[member] for alias, member in spec.aliases}
    if not all(map(_is_member_name, values)):
        pairs = [joined(string(name), ": ", constant(value)) for name, value in values.items()]
        made = call(base, [string(spec.name), Brackets("{", tuple(pairs), "}")])
        return statement(joined(f"{spec.name} = ", made))
    doc = docstring(spec.doc, INDENT)
    members = [f"{' ' * INDENT}{name} = {constant(value)}" for name, value in spec.members]
    members += [f"{' ' * INDENT}{alias} = {member}" for alias, member in spec.aliases]
    body = [*doc, "", *members] if doc else members
    return "\n".join([f"class {spec.name}({base}):", *body])


def _is_member_name(name: str) -> bool:
    return is_python_name(name) and not name.startswith("_")
