"""A service as frozen data, without Python classes.

It is made from a decorated class. Its hash is compared at hello, the stub generator renders it, and
the description of a service is written from it. Types are a small closed algebra (`TypeSpec`). A
named type (a record, an enum, a new type) stands in it as a `Ref`, and is defined once, in
`ServiceSpec.definitions`; so types can be recursive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

from msgspec import Struct

from farcall._contract.scalars import ScalarName


class _Type(Struct, frozen=True, eq=False, kw_only=True):
    alias: str | None = None
    """The type alias that source has for it. Not part of the contract."""

    def compared(self) -> tuple[object, ...]:
        """Return the fields that tell whether two types are equal: those of the contract."""
        positional: tuple[str, ...] = type(self).__match_args__
        return tuple(getattr(self, name) for name in positional)

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.compared() == self.compared()

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.compared())


class Scalar(_Type, frozen=True):
    """A type without parts; ``json`` is any JSON value."""

    name: ScalarName


class EnumMember(Struct, frozen=True):
    """A member of an enum in a `LiteralOf`."""

    enum: str
    name: str


LiteralValue: TypeAlias = None | bool | int | str | bytes | EnumMember


class LiteralOf(_Type, frozen=True):
    """One of a few values."""

    values: tuple[LiteralValue, ...]
    """Compared with their types: ``Literal[1]`` differs from ``Literal[True]``."""

    def compared(self) -> tuple[object, ...]:
        return tuple((type(value), value) for value in self.values)


class ArrayOf(_Type, frozen=True):
    """Any number of items of one type; ``tuple`` stands for ``tuple[T, ...]``."""

    kind: Literal["list", "tuple", "set", "frozenset", "sequence"]
    item: TypeSpec


class TupleOf(_Type, frozen=True):
    """A fixed number of items, each of its own type."""

    items: tuple[TypeSpec, ...]


class MapOf(_Type, frozen=True):
    """A JSON object used as a table; the keys are text, or the digits of integers."""

    kind: Literal["dict", "mapping"]
    key: TypeSpec
    value: TypeSpec


class UnionOf(_Type, frozen=True):
    """One of several types that differ in JSON, in the declared order."""

    members: tuple[TypeSpec, ...]
    written: tuple[TypeSpec, ...] = ()
    """The members, a union with an alias being one of them; empty if none is such a union.
    Not part of the contract."""

    def compared(self) -> tuple[object, ...]:
        return (self.members,)


class Ref(_Type, frozen=True):
    """A named type, defined in `ServiceSpec.definitions`, with arguments if it is generic."""

    name: str
    arguments: tuple[TypeSpec, ...] = ()


class Place(Struct, frozen=True):
    """A name that Python code can import."""

    module: str
    name: str
    """With dots for a name in a class."""


class Imports(Struct, frozen=True):
    """What a stub imports for a class that crosses as another type."""

    cls: Place
    module: str | None
    """The module that registers the class; None for an annotation with `farcall.Via`."""
    encode: Place | None = None
    decode: Place | None = None


class ViaOf(_Type, frozen=True):
    """A class of the user, whose values cross as another type."""

    name: str
    """The name of the class."""
    wire: TypeSpec
    """The type by which they cross: without named types, so that a reader needs no other."""
    imports: Imports | None = None
    """None if a stub cannot import it, and has the type on the wire. Not part of the contract, and
    compared nevertheless: classes of one name can be converted by other functions."""


class Parameter(_Type, frozen=True):
    """A type variable of the generic record that is being defined."""

    name: str


TypeSpec: TypeAlias = (
    Scalar | LiteralOf | ArrayOf | TupleOf | MapOf | UnionOf | Ref | ViaOf | Parameter
)


class Default(Struct, frozen=True):
    """The value of a field or an argument that is left out."""

    source: str | None
    """A Python literal such as ``1``, ``(1, 2)``, ``Color.RED``, ``uuid.UUID("...")`` or
    ``Point(x=1)``; None for a value without one, for which a stub has ``farcall.OMIT``. A field
    with a factory (`list`, `dict`, `set` or a record class) has ``[]``, ``{}``, ``set()`` or
    ``Config()``."""


class FieldUse(Struct, frozen=True):
    """Which methods of a record look at a field. Not part of the contract."""

    repr: bool = True
    eq: bool = True
    order: bool = True
    """False for a field that is compared by ``==`` and not by ``<``."""
    hash: bool | None = None
    """None if the hash is of the compared fields, or the record has no hash."""


class FieldSpec(Struct, frozen=True):
    """One field of a record."""

    name: str
    """The name on the wire, and of the argument of the constructor."""
    type: TypeSpec
    default: Default | None = None
    """None for a required field."""
    keyword_only: bool = False
    attribute: str | None = None
    """The attribute of a record that holds it, if its name differs from that of the argument."""
    use: FieldUse = FieldUse()


RecordKind: TypeAlias = Literal["attrs", "dataclass", "typeddict", "namedtuple", "error"]
"""What made a record; ``error`` is a declared `ApplicationError`."""


class RecordSpec(Struct, frozen=True):
    """A class with fields."""

    name: str
    kind: RecordKind
    fields: tuple[FieldSpec, ...]
    parameters: tuple[str, ...] = ()
    """The type variables of a generic record."""
    frozen: bool = False
    code: int | None = None
    """The JSON-RPC code of an error; None for every other kind."""
    doc: str | None = None
    base: str | None = None
    """The declared base class of an error, so that ``except`` catches both. Not part of the
    contract: an error crosses under its own name, with all of its fields."""
    ordered: bool = False
    """Whether ``<`` compares two records."""
    slots: bool | None = None
    """Whether it has slots; None for the default of its decorator."""
    repr: bool = True
    """Whether its repr shows fields."""
    eq: bool = True
    """Whether ``==`` compares fields rather than identities."""
    unsafe_hash: bool = False
    """Whether it has a hash of fields that can change."""


class EnumSpec(Struct, frozen=True):
    """An enum; its members cross as their values."""

    name: str
    base: Literal["Enum", "IntEnum", "StrEnum"]
    """``IntEnum`` and ``StrEnum`` also stand for enums that mix in `int` or `str` themselves."""
    members: tuple[tuple[str, int | str], ...]
    doc: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    """Other names, each with the name of its member. Not part of the contract: values cross."""
    mixed: bool = False
    """Whether it is written as ``class E(str, Enum)``, whose members show as ``E.A`` rather than as
    their values. Not part of the contract."""


class NewTypeSpec(Struct, frozen=True):
    """A `typing.NewType`, which crosses as its target."""

    name: str
    target: TypeSpec


Definition: TypeAlias = RecordSpec | EnumSpec | NewTypeSpec


Role: TypeAlias = Literal["positional", "either", "keyword"]
"""How an argument is passed: by position alone, either way, or by name alone."""


class ArgumentSpec(Struct, frozen=True):
    """One argument of a method."""

    name: str
    type: TypeSpec
    role: Role
    default: Default | None = None
    """None for a required argument."""
    upload: bool = False
    """Whether it is a stream of values of the type."""


class Access(Struct, frozen=True):
    """The login and the roles that a member needs. Not part of the contract."""

    protected: bool = False
    """Whether the caller must be logged in."""
    roles: frozenset[str] = frozenset()
    """The caller must have one of these roles; empty for any caller."""


OPEN = Access()
"""For every caller."""


class MethodSpec(Struct, frozen=True):
    """One endpoint."""

    name: str
    """The Python name of the member."""
    wire_name: str
    """The name on the wire, such as ``Market.quote``."""
    arguments: tuple[ArgumentSpec, ...]
    result: TypeSpec
    """The type of the result; of an item, if the method is a stream."""
    raises: tuple[str, ...] = ()
    """The names of the declared errors, each defined in `ServiceSpec.definitions`."""
    oneway: bool = False
    started: TypeSpec | None = None
    """The type of the value with which a remote task starts; None for other methods."""
    inline: bool = False
    """Whether it is a plain ``def``. Not part of the contract: callers cannot tell."""
    access: Access = OPEN
    doc: str | None = None
    stream: bool = False
    """Whether it answers with items instead of one result."""
    max_seconds: int | float | None = None
    """How long a call may take. Not part of the contract."""
    max_concurrent: int | None = None
    """How many calls may run at a time. Not part of the contract."""


class Delivery(Struct, frozen=True, kw_only=True):
    """Options of a signal that its subscribers notice. Each is a flag, and part of the contract."""

    retain: bool = False
    """Whether a new subscriber gets the last value."""
    broadcast: bool = False
    """Whether plain peers get the values without asking."""

    def flags(self) -> dict[str, Any]:  # Any: so that they can be passed beside other options
        """Return the options by name."""
        return {name: getattr(self, name) for name in Delivery.__struct_fields__}


class SignalSpec(Delivery, frozen=True):
    """One event."""

    name: str
    wire_name: str
    value: TypeSpec
    key: str | None = None
    """The field by which subscribers can filter."""
    key_type: TypeSpec | None = None
    access: Access = OPEN
    doc: str | None = None


class ServiceSpec(Struct, frozen=True):
    """The contract of one service."""

    name: str
    """The name of the service on the wire; empty for one with bare names."""
    class_name: str
    """The Python name of the class, which names the stub."""
    methods: tuple[MethodSpec, ...]
    signals: tuple[SignalSpec, ...]
    definitions: tuple[Definition, ...]
    """Every named type that is used, sorted by name."""
    doc: str | None = None


TypeRule: TypeAlias = Literal["type", "private", "constraint", "name"]
"""The rule that a type breaks: it must have a form in JSON, have no private field, set no limits to
its values, and have fields whose names Python code can use."""


class UnsupportedType(Exception):
    """Values of a type cannot cross the wire.

    `farcall._declare` turns it into a numbered error that names the declaration.

    Args:
        problem: Why not, such as ``"list has no item type"``.
        fix: What to write instead.
        path: The part of the type, such as ``"Order.items"``; empty for the type itself.
        rule: The rule that it breaks.
    """

    def __init__(self, problem: str, fix: str, path: str = "", *, rule: TypeRule = "type") -> None:
        super().__init__(problem, fix, path)
        self.problem = problem
        self.fix = fix
        self.path = path
        self.rule: TypeRule = rule
        self.others: tuple[UnsupportedType, ...] = ()
        """Further faults of the same type."""

    def __str__(self) -> str:
        text = f"{self.problem}; {self.fix}"
        return f"{self.path}: {text}" if self.path else text


def check_faults(faults: Iterable[UnsupportedType]) -> None:
    """Raise the first fault of a type, with the others in `UnsupportedType.others`.

    Raises:
        UnsupportedType: there is a fault.
    """
    every = [each for fault in faults for each in (fault, *fault.others)]
    if every:
        for each in every:
            each.others = ()
        every[0].others = tuple(every[1:])
        raise every[0]
