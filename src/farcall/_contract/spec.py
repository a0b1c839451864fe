"""A service as frozen data: names, kinds, types. Nothing here knows a Python class.

The same data is made from a decorated class, is hashed and compared at hello, is what the stub
generator renders, and what a description of the service is written from. Types are a small
closed algebra (`TypeSpec`); whatever has a name (records, enums, new types) stands in it as a
`Ref` and is defined once, in `ServiceSpec.definitions`, which is what makes recursion possible.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, TypeAlias

import attrs

from farcall._contract.scalars import ScalarName


@attrs.frozen
class _Type:
    alias: str | None = attrs.field(default=None, eq=False, kw_only=True)
    """The name of the type alias by which it is written. Not part of the contract."""


@attrs.frozen
class Scalar(_Type):
    """A type that has no parts; ``json`` is any JSON value."""

    name: ScalarName


@attrs.frozen
class EnumMember:
    """A member of an enum inside of a `LiteralOf`."""

    enum: str
    name: str


LiteralValue: TypeAlias = None | bool | int | str | bytes | EnumMember


def _with_types(values: tuple[LiteralValue, ...]) -> tuple[tuple[type, LiteralValue], ...]:
    return tuple((type(value), value) for value in values)


@attrs.frozen
class LiteralOf(_Type):
    """One of some values, told apart by type and value."""

    values: tuple[LiteralValue, ...] = attrs.field(eq=_with_types)
    """Compared with their types, for ``Literal[1]`` is not ``Literal[True]``."""


@attrs.frozen
class ArrayOf(_Type):
    """Any number of items of one type; ``tuple`` stands for ``tuple[T, ...]``."""

    kind: Literal["list", "tuple", "set", "frozenset", "sequence"]
    item: TypeSpec


@attrs.frozen
class TupleOf(_Type):
    """A fixed number of items, each of its own type."""

    items: tuple[TypeSpec, ...]


@attrs.frozen
class MapOf(_Type):
    """A JSON object used as a table; the keys are text-like."""

    kind: Literal["dict", "mapping"]
    key: TypeSpec
    value: TypeSpec


@attrs.frozen
class UnionOf(_Type):
    """One of several types whose JSON forms can be told apart, in the order declared."""

    members: tuple[TypeSpec, ...]
    written: tuple[TypeSpec, ...] = attrs.field(default=(), eq=False, kw_only=True)
    """The members with those unions whole that have an alias; empty where there are none."""


@attrs.frozen
class Ref(_Type):
    """A named type, defined in `ServiceSpec.definitions`, with arguments if it is generic."""

    name: str
    arguments: tuple[TypeSpec, ...] = ()


@attrs.frozen
class Parameter(_Type):
    """A type variable of the generic record that is being defined."""

    name: str


TypeSpec: TypeAlias = Scalar | LiteralOf | ArrayOf | TupleOf | MapOf | UnionOf | Ref | Parameter


@attrs.frozen
class Default:
    """What a field or an argument is when it is left out."""

    source: str | None
    """A Python literal such as ``1``, ``(1, 2)``, ``Color.RED``, ``uuid.UUID("...")`` or
    ``Point(x=1)``, or None where the value has none (a stub writes ``farcall.OMIT``). A field whose
    default is made anew for each record by `list`, `dict`, `set` or a record class has ``[]``,
    ``{}``, ``set()`` or ``Config()``."""


@attrs.frozen
class FieldUse:
    """Which methods of a record look at a field. Not part of the contract."""

    repr: bool = True
    eq: bool = True
    order: bool = True
    """False for a field that is compared by ``==`` and not by ``<``."""
    hash: bool | None = None
    """None where the hash is of the fields that are compared, or there is none."""


@attrs.frozen
class FieldSpec:
    """One field of a record."""

    name: str
    """The name on the wire, which is also the name of the argument of the constructor."""
    type: TypeSpec
    default: Default | None = None
    """None for a field that must be there."""
    keyword_only: bool = False
    attribute: str | None = None
    """Where a record keeps it, if that was given another name than the argument."""
    use: FieldUse = FieldUse()


@attrs.frozen
class RecordSpec:
    """A class with fields; ``error`` is a declared `ApplicationError`."""

    name: str
    kind: Literal["attrs", "dataclass", "typeddict", "namedtuple", "error"]
    fields: tuple[FieldSpec, ...]
    parameters: tuple[str, ...] = ()
    """The type variables of a generic record."""
    frozen: bool = False
    code: int | None = None
    """The JSON-RPC code of an error; None for every other kind."""
    doc: str | None = None
    base: str | None = None
    """The declared error from which an error derives, so that ``except`` finds both. Not part of
    the contract: an error crosses under its own name, with all of its fields."""
    ordered: bool = False
    """Whether ``<`` compares two of them."""
    slots: bool | None = None
    """Whether it has them, where that is not what its decorator does by itself."""
    repr: bool = True
    """Whether its repr shows fields."""
    eq: bool = True
    """Whether ``==`` compares fields, and not identities."""
    unsafe_hash: bool = False
    """Whether it has a hash of its fields although they may change."""


@attrs.frozen
class EnumSpec:
    """An enum; its members cross as their values."""

    name: str
    base: Literal["Enum", "IntEnum", "StrEnum"]
    """``IntEnum`` and ``StrEnum`` also stand for enums that mix in `int` or `str` themselves."""
    members: tuple[tuple[str, int | str], ...]
    doc: str | None = None
    aliases: tuple[tuple[str, str], ...] = ()
    """Second names, each with that of its member. Not part of the contract: values cross."""
    mixed: bool = False
    """Whether it is written as ``class E(str, Enum)``, whose members show as ``E.A`` and not as
    their values. Not part of the contract."""


@attrs.frozen
class NewTypeSpec:
    """A `typing.NewType`; it crosses as what it stands for."""

    name: str
    target: TypeSpec


Definition: TypeAlias = RecordSpec | EnumSpec | NewTypeSpec


Role: TypeAlias = Literal["positional", "either", "keyword"]
"""How an argument may be given: by position alone, either way, or by its name alone."""


@attrs.frozen
class ArgumentSpec:
    """One argument of a method."""

    name: str
    type: TypeSpec
    role: Role
    default: Default | None = None
    """None for an argument that must be given."""
    upload: bool = False
    """Whether it is a stream of values, of which `type` is one."""


@attrs.frozen
class Access:
    """Who may use a member. Not part of the contract: it may change under a caller's feet."""

    protected: bool = False
    """Whether a login is needed."""
    roles: frozenset[str] = frozenset()
    """One of these is needed, where there are any."""


OPEN = Access()
"""For everybody."""


@attrs.frozen
class MethodSpec:
    """One endpoint."""

    name: str
    """The Python name of the member."""
    wire_name: str
    """The name on the wire, such as ``Market.quote``."""
    arguments: tuple[ArgumentSpec, ...]
    result: TypeSpec
    """What is returned; of a stream, the type of one item."""
    raises: tuple[str, ...] = ()
    """The names of the declared errors, each defined in `ServiceSpec.definitions`."""
    oneway: bool = False
    started: TypeSpec | None = None
    """What a remote task tells when it has started; None for a method that is none."""
    inline: bool = False
    """Whether it is a plain ``def``. Not part of the contract: a caller cannot tell."""
    access: Access = OPEN
    doc: str | None = None
    stream: bool = False
    """Whether it answers with items, one after the other."""


@attrs.frozen(kw_only=True)
class Delivery:
    """Options of a signal that its subscribers notice. Each is a flag, and part of the contract."""

    retain: bool = False
    """Whether a new subscriber gets the last value."""
    broadcast: bool = False
    """Whether plain peers get the values without asking."""

    def flags(self) -> dict[str, Any]:  # Any: so that they can be passed beside other options
        """Give the options by name."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(Delivery)}


@attrs.frozen
class SignalSpec(Delivery):
    """One event."""

    name: str
    wire_name: str
    value: TypeSpec
    key: str | None = None
    """The field by which subscribers may filter."""
    key_type: TypeSpec | None = None
    access: Access = OPEN
    doc: str | None = None


@attrs.frozen
class ServiceSpec:
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


Kind: TypeAlias = Literal["type", "private", "constraint", "name"]
"""Why: the type has no form in JSON, it has a private field, it limits its values, or Python code
cannot use the name of a field."""


class UnsupportedType(Exception):
    """Say that values of a type cannot cross the wire.

    Whoever declares something turns it into a numbered error that names the place.

    Args:
        problem: Why not, such as ``"a list needs the type of its items"``.
        fix: What to write instead.
        path: Where inside of the type, such as ``"Order.items"``; empty for the type itself.
        kind: Which rule it breaks.
    """

    def __init__(self, problem: str, fix: str, path: str = "", *, kind: Kind = "type") -> None:
        super().__init__(problem, fix, path)
        self.problem = problem
        self.fix = fix
        self.path = path
        self.kind: Kind = kind
        self.others: tuple[UnsupportedType, ...] = ()
        """What else is wrong with the same type."""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.problem}; {self.fix}"


def check_faults(faults: Iterable[UnsupportedType]) -> None:
    """Raise everything that was found wrong with a type, as one error.

    Raises:
        UnsupportedType: there is something; it holds the others.
    """
    every = [each for fault in faults for each in (fault, *fault.others)]
    if every:
        for each in every:
            each.others = ()
        every[0].others = tuple(every[1:])
        raise every[0]
