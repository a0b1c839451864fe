"""Python's annotations as the types of `spec`, or the reason why one cannot cross the wire.

These types cross:

- the scalar types in `scalars`;
- enums whose values are int or str, and `Literal`;
- list, tuple, set, frozenset, `Sequence`; dict and `Mapping` with keys that are text or integers
  in JSON;
- records: attrs classes, dataclasses, `TypedDict`, `NamedTuple`, declared errors. Each is a JSON
  object of its fields, `NamedTuple` too: an object names its parts, and can grow;
- `NewType`, generic and recursive records; `Annotated`, `Final` and `ReadOnly` of a type are that
  type, but notes that limit its values are refused;
- optionals, and unions whose members differ in JSON (of ``int | float`` the text 1 is an int, 1.5 a
  float);
- classes with `farcall.register_type`, or with `farcall.Via` in an `Annotated`;
- `Any`, `object` and `farcall.Json`: any JSON value.
"""

from __future__ import annotations

import collections
import inspect
import types
import typing
from collections import abc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, Flag, ReprEnum
from pathlib import Path, PosixPath, PurePath, PureWindowsPath, WindowsPath
from typing import Any, Generic, Literal, NewType, TypeVar, Union, cast, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from farcall._contract.algebra import union_of, walk
from farcall._contract.check import check
from farcall._contract.definitions import Definitions
from farcall._contract.identifiers import has_lone_surrogate, is_attribute_name
from farcall._contract.labels import spelled
from farcall._contract.literals import default_source
from farcall._contract.notes import AliasName, check_notes, is_bare_qualifier, unwrapped
from farcall._contract.own_types import OwnType, is_via, registered
from farcall._contract.records import (
    Field,
    doc_of,
    kind_of,
    read_fields,
)
from farcall._contract.scalars import scalar_of
from farcall._contract.spec import (
    ArrayOf,
    Default,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    LiteralValue,
    MapOf,
    NewTypeSpec,
    Parameter,
    RecordKind,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnsupportedType,
    ViaOf,
    check_faults,
)
from farcall._contract.traits import (
    chosen_slots,
    has_unsafe_hash,
    is_compared,
    is_frozen,
    is_ordered,
    is_shown,
    use_of,
)
from farcall.errors import FARCALL_CODES, PROTOCOL_CODES, ErrorCode

_ARRAYS: Mapping[Any, Literal["list", "set", "frozenset", "sequence"]] = {
    list: "list",
    set: "set",
    frozenset: "frozenset",
    Sequence: "sequence",
}
_MAPS: Mapping[Any, Literal["dict", "mapping"]] = {dict: "dict", Mapping: "mapping"}
_CONTAINERS = (*_ARRAYS, *_MAPS, tuple)

_FIXES: Mapping[Any, str] = {
    abc.Iterable: "use list[...]",
    abc.Collection: "use list[...]",
    abc.MutableSequence: "use list[...]",
    collections.deque: "use list[...]",
    abc.Set: "use frozenset[...]",
    abc.MutableSet: "use set[...]",
    abc.MutableMapping: "use dict[...]",
    collections.OrderedDict: "use dict[...]",
    collections.defaultdict: "use dict[...]",
    bytearray: "use bytes",
    memoryview: "use bytes",
    any: "use Any",
    **dict.fromkeys(
        (PurePath, Path, PosixPath, PureWindowsPath, WindowsPath), "use pathlib.PurePosixPath"
    ),
    **dict.fromkeys(
        (abc.AsyncIterable, abc.AsyncIterator, abc.AsyncGenerator),
        "use AsyncIterable[...] as the whole annotation of a parameter, or list[...]",
    ),
}


def describe(annotation: object, definitions: Definitions) -> TypeSpec:
    """Describe a resolved annotation, and add every type that it names to `definitions`.

    Raises:
        UnsupportedType: its values cannot cross the wire.
    """
    with definitions.undone_on_failure():
        try:
            spec = _Scope(definitions).describe(annotation)
        except RecursionError as error:
            raise UnsupportedType(
                "a type alias contains itself", "use a record for the recursion"
            ) from error
        check(spec, definitions)
    return spec


_NOT_GENERIC = "write a concrete type: a service cannot be generic"


def is_known_type(cls: type) -> bool:
    """Tell whether farcall has a form for the values of a class."""
    return scalar_of(cls) is not None or cls in _CONTAINERS


def wire_type(annotation: object) -> TypeSpec:
    """Describe the type by which values of a class of one's own cross.

    Raises:
        UnsupportedType: it cannot cross, or it names a type.
    """
    definitions = Definitions()
    spec = describe(annotation, definitions)
    if definitions or any(isinstance(each, ViaOf) for each in walk(spec)):
        raise UnsupportedType(
            f"{spelled(spec)} is not plain JSON",
            "use str, int, float or bool, or a list, tuple or dict of these",
        )
    return spec


class _Scope(Struct, frozen=True):
    """The place of an annotation: the type variables that it can use, and the path for messages."""

    definitions: Definitions
    variables: Mapping[Any, TypeSpec] = msgspec.field(default_factory=dict[Any, TypeSpec])
    path: str = ""

    def describe(self, annotation: Any) -> TypeSpec:
        annotation, notes = unwrapped(annotation)
        check_notes(notes, self.path)
        via = next(filter(is_via, notes), None)
        own = registered(get_origin(annotation) or annotation)
        if via is not None:
            own = OwnType(self._class_beside(annotation), via)
        spec = self._bare_type(annotation) if own is None else self._own_type(own)
        alias = next((each.name for each in notes if isinstance(each, AliasName)), None)
        return spec if alias is None else replace(spec, alias=alias)

    def _own_type(self, own: OwnType) -> TypeSpec:
        name = own.cls.__name__
        try:
            wire = wire_type(own.via.wire)
        except UnsupportedType as fault:
            problem = f"the type by which {name} crosses: {fault.problem}"
            raise self._unsupported(problem, fault.fix) from fault
        spec = ViaOf(name, wire, own.imports())
        if self.definitions.convert(spec, own).agrees(own):
            return spec
        raise self._unsupported(
            f"{name} crosses as {spelled(wire)} in two ways that look the same",
            "use functions of a module in farcall.Via, which have names",
        )

    def _class_beside(self, annotation: Any) -> type:
        cls = get_origin(annotation) or annotation
        if isinstance(cls, type) and cls is not types.UnionType:
            return cls
        raise self._unsupported(
            f"farcall.Via stands beside {inspect.formatannotation(annotation)}, which is no class",
            "write Annotated[..., Via(...)] with a class",
        )

    def _bare_type(self, annotation: Any) -> TypeSpec:
        if annotation is None:
            return Scalar("none")
        if isinstance(annotation, type):
            if annotation in _CONTAINERS:
                raise self._bare(annotation)
            scalar = scalar_of(object if annotation is Any else annotation)
            return self._named(annotation) if scalar is None else Scalar(scalar.name)
        if isinstance(annotation, TypeVar):
            return self._variable(annotation)
        if isinstance(annotation, NewType):
            return self._new_type(annotation)
        if get_origin(annotation) is Literal:
            return LiteralOf(tuple(map(self._literal, get_args(annotation))))
        if get_origin(annotation) in (Union, types.UnionType):
            return union_of(map(self.describe, get_args(annotation)))
        return self._collection(annotation) or self._named(annotation)

    def _variable(self, variable: TypeVar) -> TypeSpec:
        if variable in self.variables:
            return self.variables[variable]
        raise self._unsupported(
            f"the type variable {variable.__name__} is not bound here",
            "write a concrete type" if self.path else _NOT_GENERIC,
        )

    def _new_type(self, new_type: NewType) -> TypeSpec:
        name = new_type.__name__
        if self._claim(name, new_type):
            target = self.describe(new_type.__supertype__)
            self.definitions.define(NewTypeSpec(name, target))
        return Ref(name)

    def _literal(self, value: object) -> LiteralValue:
        if isinstance(value, Enum):
            self._named(type(value))
            return self._member(value)
        if isinstance(value, str):
            self._check_text(value)
        if value is None or type(value) in (bool, int, str, bytes):
            return cast("LiteralValue", value)
        raise self._unsupported(
            f"{value!r} cannot be used in a Literal", "use None, bool, int, str, bytes or Enum"
        )

    def _member(self, value: Enum) -> EnumMember:
        name = type(value).__name__
        if is_attribute_name(value.name):
            return EnumMember(name, value.name)
        raise self._unsupported(
            f"{name}[{value.name!r}] has no name that a Literal can write after a dot",
            f"rename the member, or use {name} itself",
        )

    def _check_text(self, text: str) -> None:
        if has_lone_surrogate(text):
            raise self._unsupported(
                f"{text!r} contains a lone surrogate, which UTF-8 cannot encode",
                "use another text",
            )

    def _collection(self, annotation: Any) -> TypeSpec | None:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin not in _CONTAINERS:
            return None
        if not arguments and annotation != tuple[()]:
            raise self._bare(origin)
        if origin in _ARRAYS:
            return ArrayOf(_ARRAYS[origin], self.describe(arguments[0]))
        if origin in _MAPS:
            return MapOf(_MAPS[origin], *map(self.describe, arguments))
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return ArrayOf("tuple", self.describe(arguments[0]))
        return TupleOf(tuple(map(self.describe, arguments)))

    def _named(self, annotation: Any) -> TypeSpec:
        cls: Any = get_origin(annotation) or annotation
        if not inspect.isclass(cls):
            raise self._no_such_type(annotation)
        if issubclass(cls, Enum):
            return self._enum(cls)
        if kind := kind_of(cls):
            return self._record(cls, kind, get_args(annotation))
        raise self._no_such_type(annotation)

    def _enum(self, cls: type[Enum]) -> TypeSpec:
        if self._claim(cls.__name__, cls):
            if issubclass(cls, Flag) or not len(cls):
                problem = "is a Flag" if issubclass(cls, Flag) else "has no members"
                raise self._unsupported(
                    f"{cls.__name__} {problem}", "use an Enum whose values are int or str"
                )
            named = cls.__members__.items()
            self.definitions.define(
                EnumSpec(
                    cls.__name__,
                    _base(cls),
                    members=tuple((member.name, self._value(member)) for member in cls),
                    doc=doc_of(cls),
                    aliases=tuple((n, member.name) for n, member in named if n != member.name),
                    mixed=issubclass(cls, int | str) and not issubclass(cls, ReprEnum),
                )
            )
        return Ref(cls.__name__)

    def _value(self, member: Enum) -> int | str:
        value = member.value
        if isinstance(value, str):
            self._check_text(value)
        if type(value) is int or type(value) is str:
            return value
        raise self._unsupported(
            f"{type(member).__name__}.{member.name} has a value that is neither int nor str",
            "use an Enum whose values are int or str",
        )

    def _record(self, cls: Any, kind: RecordKind, arguments: Sequence[Any]) -> TypeSpec:
        parameters = getattr(cls, "__parameters__", ())
        if len(parameters) != len(arguments):
            names = ", ".join(each.__name__ for each in parameters)
            raise self._unsupported(
                f"{cls.__name__} is generic", f"write {cls.__name__}[...] with types for {names}"
            )
        if self._claim(cls.__name__, cls):
            self.definitions.define(self._define_record(cls, kind, parameters))
        return Ref(cls.__name__, tuple(map(self.describe, arguments)))

    def _define_record(self, cls: Any, kind: RecordKind, parameters: Sequence[Any]) -> RecordSpec:
        own = {variable: Parameter(variable.__name__) for variable in parameters}
        scope = replace(self, variables=own, path=cls.__name__)
        scope = replace(scope, variables=scope._with_bases(cls))
        return RecordSpec(
            name=cls.__name__,
            kind=kind,
            fields=scope._fields(read_fields(cls, self.definitions.hints), cls),
            parameters=tuple(variable.__name__ for variable in parameters),
            frozen=is_frozen(cls),
            code=self._code(cls.__name__, cls.code) if kind == "error" else None,
            doc=doc_of(cls),
            ordered=is_ordered(cls),
            slots=chosen_slots(cls),
            repr=is_shown(cls),
            eq=is_compared(cls),
            unsafe_hash=has_unsafe_hash(cls),
        )

    def _with_bases(self, cls: type) -> Mapping[Any, TypeSpec]:
        """Return the type variables, with those of generic bases."""
        variables = dict(self.variables)
        for variable, argument in _base_arguments(cls):
            scope = replace(self, variables=variables)
            spec = scope.describe(argument)
            if variables.setdefault(variable, spec) != spec:
                raise self._unsupported(
                    f"the type variable {variable.__name__} has two meanings, one in a base class",
                    "use another name in one of them",
                )
        return variables

    def _fields(self, fields: Iterable[Field], cls: type[Any]) -> tuple[FieldSpec, ...]:
        described: list[FieldSpec] = []
        faults: list[UnsupportedType] = []
        for field in fields:
            try:
                described.append(self._field(field, cls))
            except UnsupportedType as fault:
                faults.append(fault)
        check_faults(faults)
        return tuple(described)

    def _field(self, field: Field, cls: type[Any]) -> FieldSpec:
        if field.fault is not None:
            raise field.fault
        scope = replace(self, path=f"{self.path}.{field.name}")
        scope._check_text(field.name)
        if field.annotation is inspect.Parameter.empty:
            raise scope._unsupported("it has no type", "annotate it")
        type_ = scope.describe(field.annotation)
        return FieldSpec(
            field.name,
            type_,
            None if field.is_required else Default(default_source(field, self.definitions)),
            field.keyword_only,
            field.attribute if field.has_own_attribute else None,
            use_of(cls, field.attribute, type_),
        )

    def _code(self, name: str, code: object) -> int:
        taken = {ErrorCode.GROUP, *PROTOCOL_CODES, *FARCALL_CODES}
        if not isinstance(code, int) or isinstance(code, bool) or code in taken:
            reserved = ", ".join(map(str, sorted(FARCALL_CODES, reverse=True)))
            raise self._unsupported(
                f"{name}.code is {code!r}",
                f"choose an int other than 2, -32700, -32606 to -32600, {reserved}",
            )
        return int(code)

    def _claim(self, name: str, cls: object) -> bool:
        """Tell whether a name is new. It must not stand for another type."""
        known = self.definitions.claim(name, cls)
        if known is cls:
            return False
        if known is None:
            return True
        raise self._unsupported(
            f"two types are named {name}: {_home(known)} and {_home(cls)}",
            "rename one of them",
        )

    def _bare(self, cls: type) -> UnsupportedType:
        name = cls.__name__
        arguments = "str, Any" if cls in _MAPS else "Any, ..." if cls is tuple else "Any"
        return self._unsupported(
            f"{name} has no item type",
            f"write {name}[{arguments}] if it can hold anything",
        )

    def _no_such_type(self, annotation: object) -> UnsupportedType:
        if isinstance(annotation, types.ModuleType):
            return self._unsupported(f"{annotation.__name__} is a module", "name a class in it")
        if is_bare_qualifier(annotation):
            name = str(annotation).rpartition(".")[2]
            return self._unsupported(f"{name} has no type", f"write {name}[...]")
        named, fix = get_origin(annotation) or annotation, "use an attrs class with fields that can"
        return self._unsupported(
            f"{inspect.formatannotation(annotation)} cannot cross the wire",
            _FIXES.get(named, fix) if isinstance(named, abc.Hashable) else fix,
        )

    def _unsupported(self, problem: str, fix: str) -> UnsupportedType:
        return UnsupportedType(problem, fix, self.path)


def _base_arguments(cls: type) -> Iterator[tuple[Any, Any]]:
    for base in vars(cls).get("__orig_bases__", cls.__bases__):
        origin: Any = get_origin(base)
        if origin not in (None, Generic, typing.Protocol):
            yield from zip(origin.__parameters__, get_args(base), strict=True)
        parent: Any = origin or base
        if inspect.isclass(parent):  # `TypedDict` is a function
            yield from _base_arguments(parent)


def _base(cls: type[Enum]) -> Literal["Enum", "IntEnum", "StrEnum"]:
    if issubclass(cls, int):
        return "IntEnum"
    return "StrEnum" if issubclass(cls, str) else "Enum"


def _home(cls: Any) -> str:
    return f"{cls.__module__}.{getattr(cls, '__qualname__', cls.__name__)}"
