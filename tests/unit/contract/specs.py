"""Contracts for the tests of this folder: a small one, and random ones of Hypothesis."""

from __future__ import annotations

from typing import Any, get_args

from hypothesis import strategies as st
from msgspec.structs import replace

from farcall._contract.scalars import ScalarName
from farcall._contract.spec import (
    Access,
    ArgumentSpec,
    ArrayOf,
    Default,
    Definition,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    MapOf,
    MethodSpec,
    NewTypeSpec,
    RecordSpec,
    Ref,
    Role,
    Scalar,
    ServiceSpec,
    SignalSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
    ViaOf,
)

INT, STR, FLOAT, NONE = Scalar("int"), Scalar("str"), Scalar("float"), Scalar("none")
GIVEN = Default("1")


def argument(name: str, type_: TypeSpec = INT, **changes: Any) -> ArgumentSpec:
    return replace(ArgumentSpec(name, type_, "either"), **changes)


def method(name: str, *arguments: ArgumentSpec, **changes: Any) -> MethodSpec:
    return replace(MethodSpec(name, f"Market.{name}", arguments, NONE), **changes)


def signal(name: str, value: TypeSpec = INT, **changes: Any) -> SignalSpec:
    return replace(SignalSpec(name, f"Market.{name}", value), **changes)


def record(name: str, *fields: FieldSpec, **changes: Any) -> RecordSpec:
    return replace(RecordSpec(name, "attrs", fields), **changes)


def market(*parts: MethodSpec | SignalSpec | Definition, name: str = "Market") -> ServiceSpec:
    return ServiceSpec(
        name,
        "Market",
        tuple(part for part in parts if isinstance(part, MethodSpec)),
        tuple(part for part in parts if isinstance(part, SignalSpec)),
        tuple(part for part in parts if not isinstance(part, MethodSpec | SignalSpec)),
    )


_DEFINED = ("A", "B", "C")
_names = st.sampled_from(["a", "b", "c"])
_scalars = st.builds(Scalar, st.sampled_from(get_args(ScalarName)))
_literals = st.lists(st.sampled_from([None, True, 1, "1", b"1"]), min_size=1, max_size=2)
_leaves = st.one_of(
    _scalars,
    st.builds(lambda values: LiteralOf(tuple(values)), _literals),
    st.builds(Ref, st.sampled_from(_DEFINED)),
    st.builds(ViaOf, st.sampled_from(_DEFINED), _scalars),
)


def _extended(parts: st.SearchStrategy[TypeSpec]) -> st.SearchStrategy[TypeSpec]:
    some = st.lists(parts, min_size=1, max_size=2).map(tuple)
    kinds = st.sampled_from(["list", "tuple", "set", "frozenset", "sequence"])
    return st.one_of(
        st.builds(ArrayOf, kinds, parts),
        st.builds(TupleOf, some),
        st.builds(UnionOf, some),
        st.builds(MapOf, st.sampled_from(["dict", "mapping"]), st.sampled_from([STR, INT]), parts),
    )


types: st.SearchStrategy[TypeSpec] = st.recursive(_leaves, _extended, max_leaves=3)
_defaults = st.none() | st.builds(Default, st.sampled_from([None, "1", "2"]))


@st.composite
def _arguments(draw: st.DrawFn) -> tuple[ArgumentSpec, ...]:
    names = draw(st.lists(_names, unique=True, max_size=3))
    roles = sorted(draw(st.lists(st.integers(0, 2), min_size=3, max_size=3)))
    kinds: tuple[Role, ...] = ("positional", "either", "keyword")
    return tuple(
        ArgumentSpec(name, draw(types), kinds[role], draw(_defaults), draw(st.booleans()))
        for name, role in zip(names, roles, strict=False)
    )


def _unique(parts: st.SearchStrategy[Any], key: str) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(parts, unique_by=lambda part: getattr(part, key), max_size=2).map(tuple)


_docs = st.none() | st.just("doc")
_access = st.builds(Access, st.booleans(), st.frozensets(st.sampled_from(["trader", "admin"])))
_methods = st.builds(
    MethodSpec,
    _names,
    _names,
    _arguments(),
    types,
    raises=st.lists(st.sampled_from(_DEFINED), unique=True, max_size=2).map(tuple),
    oneway=st.booleans(),
    started=st.none() | types,
    inline=st.booleans(),
    access=_access,
    max_seconds=st.none() | st.sampled_from([1, 0.5]),
    max_concurrent=st.none() | st.integers(1, 9),
    doc=_docs,
    stream=st.booleans(),
)


@st.composite
def _signals(draw: st.DrawFn) -> SignalSpec:
    key = draw(st.none() | _names)
    return SignalSpec(
        draw(_names),
        draw(_names),
        draw(types),
        key,
        None if key is None else draw(_scalars),
        draw(_access),
        draw(_docs),
        retain=draw(st.booleans()),
        broadcast=draw(st.booleans()),
    )


def _definition(name: str) -> st.SearchStrategy[Definition]:
    fields = st.builds(FieldSpec, _names, types, _defaults, st.booleans())
    values = st.dictionaries(_names, st.sampled_from([1, 2, "1"]), min_size=1, max_size=2)
    kinds = st.sampled_from(["attrs", "dataclass", "typeddict", "namedtuple", "error"])
    return st.one_of(
        st.builds(
            RecordSpec,
            st.just(name),
            kinds,
            _unique(fields, "name"),
            st.sampled_from([(), ("T",)]),
            st.booleans(),
            st.none() | st.integers(1, 2),
        ),
        st.builds(
            EnumSpec,
            st.just(name),
            st.sampled_from(["Enum", "IntEnum", "StrEnum"]),
            values.map(lambda members: tuple(members.items())),
        ),
        # A new type stands for a plain one: what names itself in a circle means nothing.
        st.builds(NewTypeSpec, st.just(name), _scalars),
    )


services = st.builds(
    ServiceSpec,
    st.sampled_from(["Market", "Shop"]),
    st.just("Market"),
    _unique(_methods, "wire_name"),
    _unique(_signals(), "wire_name"),
    st.tuples(*map(_definition, _DEFINED)),
)
"""Random contracts with few names, so that two of them have much in common."""


@st.composite
def releases(draw: st.DrawFn) -> tuple[ServiceSpec, ServiceSpec]:
    """Draw a contract and the next one, in which some parts are new, others only moved."""
    old, other = draw(services), draw(services)
    parts = ("name", "methods", "signals", "definitions")
    new = {part: getattr(other, part) for part in parts if draw(st.booleans())}
    moved = replace(old, methods=old.methods[::-1], definitions=old.definitions[::-1])
    return old, replace(moved, **new)
