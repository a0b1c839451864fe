"""Checks of a contract that came as a document, before it becomes Python code.

The contract of a class has passed the rules of declaration. A document can hold anything, and a
stub is written from its names.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from farcall._contract.algebra import named_in, parts_of
from farcall._contract.form_reading import MAX_NAME, BadDocument
from farcall._contract.identifiers import is_attribute_name
from farcall._contract.source_checks import is_default_source
from farcall._contract.spec import (
    ArgumentSpec,
    Default,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MethodSpec,
    NewTypeSpec,
    Parameter,
    RecordSpec,
    Ref,
    ServiceSpec,
    SignalSpec,
    TypeSpec,
    ViaOf,
)
from farcall.errors import FARCALL_CODES, PROTOCOL_CODES, ApplicationError, ErrorCode

_ROLES: Final = ("positional", "either", "keyword")


def check_contract(spec: ServiceSpec, path: str) -> None:
    """Check all parts of a contract.

    Raises:
        BadDocument: a name cannot be used or is there twice, a type is not defined, a default is
            not a literal, or a new type contains itself.
    """
    definitions = {each.name: each for each in spec.definitions}
    checks = _Checks(definitions, path)
    checks.service(spec)
    for index, definition in enumerate(spec.definitions):
        checks.at(f"definitions[{index}]").definition(definition)
    for index, method in enumerate(spec.methods):
        checks.at(f"methods[{index}]").method(method)
    for index, signal in enumerate(spec.signals):
        checks.at(f"signals[{index}]").signal(signal)


class _Checks(Struct, frozen=True):
    definitions: Mapping[str, Definition]
    path: str
    parameters: tuple[str, ...] = ()
    """The type variables of the record in hand."""

    def at(self, part: str) -> _Checks:
        return replace(self, path=f"{self.path}.{part}")

    def bad(self, part: str, problem: str) -> BadDocument:
        return BadDocument(f"{self.path}.{part}" if part else self.path, problem)

    # The parts of a contract

    def service(self, spec: ServiceSpec) -> None:
        self.text("name", spec.name)
        self.identifier("class_name", spec.class_name)
        self.unique("definitions", (each.name for each in spec.definitions))
        members: tuple[MethodSpec | SignalSpec, ...] = (*spec.methods, *spec.signals)
        self.unique("methods", (each.name for each in members))
        self.unique("methods", (each.wire_name for each in members))

    def method(self, spec: MethodSpec) -> None:
        self.member(spec)
        self.unique("arguments", (each.name for each in spec.arguments))
        for index, argument in enumerate(spec.arguments):
            self.at(f"arguments[{index}]").argument(argument)
        self.order(spec.arguments)
        self.type("result", spec.result)
        if spec.started is not None:
            self.type("started", spec.started)
        for name in spec.raises:
            self.error("raises", name)
        if spec.max_seconds is not None and not 0 < spec.max_seconds < math.inf:
            raise self.bad("max_seconds", "expected a number above 0")
        if spec.max_concurrent is not None and spec.max_concurrent < 1:
            raise self.bad("max_concurrent", "expected a number from 1 up")
        if spec.stream and (spec.oneway or spec.started is not None):
            raise self.bad("stream", "a stream cannot be one-way, nor a remote task")

    def member(self, spec: MethodSpec | SignalSpec) -> None:
        self.identifier("name", spec.name)
        if spec.name.startswith("_"):
            raise self.bad("name", "the name of a member cannot begin with an underscore")
        self.text("wire_name", spec.wire_name)
        for role in spec.access.roles:
            self.text("access.roles", role)

    def argument(self, spec: ArgumentSpec) -> None:
        self.identifier("name", spec.name)
        self.type("type", spec.type)
        self.default(spec.default)
        if spec.upload and spec.default is not None:
            raise self.bad("default", "an upload has no default")

    def order(self, arguments: Iterable[ArgumentSpec]) -> None:
        """Check that Python would take a function with these parameters."""
        roles = [_ROLES.index(each.role) for each in arguments]
        if roles != sorted(roles):
            raise self.bad("arguments", "expected positional ones first, keyword ones last")
        self.defaults_last(
            "arguments", [each.default for each in arguments if each.role != "keyword"]
        )

    def signal(self, spec: SignalSpec) -> None:
        self.member(spec)
        self.type("value", spec.value)
        if (spec.key is None) != (spec.key_type is None):
            raise self.bad("key_type", "expected together with key")
        if spec.key is not None and spec.key_type is not None:
            self.text("key", spec.key)
            self.type("key_type", spec.key_type)

    def definition(self, spec: Definition) -> None:
        self.identifier("name", spec.name)
        match spec:
            case RecordSpec():
                replace(self, parameters=spec.parameters).record(spec)
            case EnumSpec():
                self.enum(spec)
            case NewTypeSpec():
                self.type("target", spec.target)
                self.ends(spec)

    def record(self, spec: RecordSpec) -> None:
        for name in spec.parameters:
            self.identifier("parameters", name)
        self.unique("parameters", spec.parameters)
        self.unique("fields", (each.name for each in spec.fields))
        self.unique("fields", (each.attribute or each.name for each in spec.fields))
        for index, field in enumerate(spec.fields):
            self.at(f"fields[{index}]").field(field, spec)
        if spec.kind != "typeddict":
            required = [each.default for each in spec.fields if not each.keyword_only]
            self.defaults_last("fields", required)
        self.code(spec)
        if spec.base is not None:
            self.error("base", spec.base)
            self.bases_end(spec)

    def field(self, spec: FieldSpec, record: RecordSpec) -> None:
        if record.kind == "typeddict":
            self.text("name", spec.name)
        else:
            self.identifier("name", spec.name)
            if spec.name in _taken_names(record):
                raise self.bad("name", f"{spec.name} has another meaning in such a record")
        if spec.attribute is not None:
            self.identifier("attribute", spec.attribute)
        self.type("type", spec.type)
        self.default(spec.default)

    def code(self, spec: RecordSpec) -> None:
        if (spec.kind == "error") != (spec.code is not None):
            raise self.bad("code", "expected for errors, and for no other record")
        if spec.code in {ErrorCode.GROUP, *PROTOCOL_CODES, *FARCALL_CODES}:
            raise self.bad("code", "the code is reserved")

    def enum(self, spec: EnumSpec) -> None:
        names = [name for name, _ in spec.members]
        aliases = [name for name, _ in spec.aliases]
        self.unique("members", [*names, *aliases])
        self.unique("members", (f"{type(value).__name__} {value}" for _, value in spec.members))
        for name in (*names, *aliases):
            self.text("members", name)
        kind = {"IntEnum": (int,), "StrEnum": (str,), "Enum": (int, str)}[spec.base]
        if not spec.members or any(type(value) not in kind for _, value in spec.members):
            raise self.bad("members", f"expected at least one, with values that {spec.base} has")
        if any(target not in names for _, target in spec.aliases):
            raise self.bad("aliases", "expected names of members")

    # What they are made of

    def identifier(self, part: str, name: str) -> None:
        if not is_attribute_name(name) or len(name) > MAX_NAME:
            raise self.bad(part, f"expected a Python name of at most {MAX_NAME} characters")

    def text(self, part: str, text: str) -> None:
        if len(text) > MAX_NAME:
            raise self.bad(part, f"expected a text of at most {MAX_NAME} characters")

    def unique(self, part: str, names: Iterable[str]) -> None:
        for name, count in Counter(names).items():
            if count > 1:
                raise self.bad(part, f"{name!r} is there {count} times")

    def defaults_last(self, part: str, defaults: Iterable[Default | None]) -> None:
        has_default = False
        for default in defaults:
            if default is None and has_default:
                raise self.bad(part, "one without a default stands after one with a default")
            has_default = has_default or default is not None

    def default(self, default: Default | None) -> None:
        if default is None or default.source is None:
            return
        if not is_default_source(default.source, self.definitions):
            raise self.bad("default", "expected a literal")

    def error(self, part: str, name: str) -> None:
        found = self.definitions.get(name)
        if not isinstance(found, RecordSpec) or found.kind != "error" or found.parameters:
            raise self.bad(part, f"{name!r} is not a declared error")

    def type(self, part: str, spec: TypeSpec) -> None:
        for problem in self.problems(spec):
            raise self.bad(part, problem)

    def problems(self, spec: TypeSpec) -> Iterator[str]:
        """Report names in a type that are not defined, or used in a wrong way."""
        match spec:
            case Ref(name, arguments):
                yield from self.reference_problems(name, len(arguments))
            case Parameter(name) if name not in self.parameters:
                yield f"{name!r} is not a type variable of this record"
            case ViaOf(name) if not is_attribute_name(name) or len(name) > MAX_NAME:
                yield f"expected a Python name of at most {MAX_NAME} characters"
            case LiteralOf(values):
                yield from self.value_problems(values)
            case _:
                pass
        for part in parts_of(spec):
            yield from self.problems(part)

    def reference_problems(self, name: str, count: int) -> Iterator[str]:
        found = self.definitions.get(name)
        if found is None:
            yield f"{name!r} is not defined"
        elif count != len(found.parameters if isinstance(found, RecordSpec) else ()):
            yield f"{name} takes another number of arguments"

    def value_problems(self, values: Iterable[object]) -> Iterator[str]:
        for value in values:
            if isinstance(value, EnumMember):
                enum = self.definitions.get(value.enum)
                names = dict(enum.members) if isinstance(enum, EnumSpec) else {}
                if value.name not in names or not is_attribute_name(value.name):
                    yield f"{value.enum}.{value.name} is not a member of a defined enum"

    def ends(self, spec: NewTypeSpec) -> None:
        """Check that a new type does not contain itself, other than in a record."""
        waiting, seen = [spec.target], {spec.name}
        while waiting:
            for name in named_in(waiting.pop()):
                if name == spec.name:
                    raise self.bad("target", f"{name} contains itself")
                found = self.definitions.get(name)
                if isinstance(found, NewTypeSpec) and name not in seen:
                    seen.add(name)
                    waiting.append(found.target)

    def bases_end(self, spec: RecordSpec) -> None:
        seen, base = {spec.name}, spec.base
        while base is not None:
            if base in seen:
                raise self.bad("base", f"{base} derives from itself")
            seen.add(base)
            found = self.definitions.get(base)
            base = found.base if isinstance(found, RecordSpec) else None


def _taken_names(record: RecordSpec) -> frozenset[str]:
    """Name the attributes that a field of a record would hide."""
    if record.kind == "error":
        return frozenset(dir(ApplicationError)) | {"self"}
    return frozenset({"self"}) if record.kind == "attrs" else frozenset()
