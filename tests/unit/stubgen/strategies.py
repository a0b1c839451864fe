"""Random contracts with unusual names, types and texts."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from inspect import cleandoc
from keyword import iskeyword
from typing import Literal, TypeVar, get_args

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy
from msgspec.structs import replace

from farcall._contract.algebra import union_of
from farcall._contract.literals import literal_source
from farcall._contract.scalars import ScalarName
from farcall._contract.spec import (
    ArgumentSpec,
    ArrayOf,
    Default,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    FieldUse,
    LiteralOf,
    LiteralValue,
    MapOf,
    MethodSpec,
    NewTypeSpec,
    Parameter,
    RecordKind,
    RecordSpec,
    Ref,
    Scalar,
    ServiceSpec,
    SignalSpec,
    TupleOf,
    TypeSpec,
    UnionOf,
)
from farcall.errors import ApplicationError

AWKWARD = ("int", "list", "date", "field", "attrs", "farcall", "builtins", "typing", "Quote", "T")
"""Names that a generated module has other uses for."""

X = TypeVar("X")

Base = Literal["Enum", "IntEnum", "StrEnum"]

LETTERS = "abcdefghijklmnopqrstuvwxyz"

texts = st.text("aé\"'\\\n\t {}\u3000日\u0301\x00", max_size=12) | st.text("word ", max_size=90)
docs = st.none() | texts.map(cleandoc)
members = st.sampled_from(AWKWARD) | st.text(LETTERS, min_size=1, max_size=30)
names = members.filter(lambda name: not iskeyword(name))
keys = names | st.sampled_from(["class", "content-type", "a b", "1", "__x", 'say "hi"'])
awkward_classes = st.sampled_from(["Literal", "UUID", "T", "date", "Quote", "attrs", "TypeVar"])
class_names = awkward_classes | st.text(LETTERS, min_size=6, max_size=40).map(str.capitalize)

scalars = st.sampled_from(get_args(ScalarName)).map(Scalar)
atoms = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    st.binary(max_size=8),
)
hashables = st.recursive(
    atoms,
    lambda inner: st.lists(inner, max_size=5).map(tuple) | st.frozensets(inner, max_size=4),
    max_leaves=8,
)
values = st.recursive(
    hashables,
    lambda inner: st.one_of(
        st.lists(inner, max_size=8),
        st.dictionaries(hashables, inner, max_size=5),
        st.sets(hashables, max_size=5),
    ),
    max_leaves=12,
)


NUMBER = Scalar("int")
numbers = st.integers(0, 9)
constants = st.none() | st.booleans() | st.integers(-9, 9999) | texts | st.binary(max_size=9)
members_of_enums = numbers.map(lambda number: EnumMember("", str(number)))
literals = st.lists(constants | members_of_enums, min_size=1, max_size=9).map(tuple)


def _with_alias(spec: TypeSpec, alias: str | None) -> TypeSpec:
    return replace(spec, alias=alias)


def _containers(unnamed: SearchStrategy[TypeSpec]) -> SearchStrategy[TypeSpec]:
    inner = st.builds(_with_alias, unnamed, st.none() | st.none() | class_names)
    several = st.lists(inner, min_size=2, max_size=4).map(tuple)
    return st.one_of(
        st.builds(ArrayOf, st.sampled_from(["list", "tuple", "frozenset", "sequence"]), inner),
        st.builds(MapOf, st.sampled_from(["dict", "mapping"]), inner, inner),
        st.lists(inner, max_size=3).map(lambda items: TupleOf(tuple(items))),
        several.map(UnionOf),
        st.builds(Ref, numbers.map(str), several),
    )


shapes = st.recursive(
    st.one_of(
        scalars,
        literals.map(LiteralOf),
        st.builds(Ref, numbers.map(str)),
        st.builds(Parameter, numbers.map(str)),
    ),
    _containers,
    max_leaves=6,
)
"""Types in which numbers stand for the names of what is defined, which `Scope.settle` replaces."""
named = st.builds(Ref, numbers.map(str))

sources = st.just("None") | values.map(literal_source)
defaults = st.sampled_from([None, "fitting"]) | st.just("fitting") | st.builds(Default, sources)
"""None, or any at all, or the word for one of the type, which `Scope.default` replaces."""

SCALARS: Mapping[ScalarName, SearchStrategy[str | None]] = {
    "none": st.just("None"),
    "bool": st.sampled_from(["True", "False"]),
    "int": st.integers(-(10**9), 10**9).map(literal_source),
    "float": st.floats(allow_nan=False, allow_infinity=False).map(literal_source),
    "str": texts.map(literal_source),
    "bytes": st.binary(max_size=8).map(literal_source),
    "json": values.map(literal_source),
    "decimal": st.decimals(allow_nan=False, allow_infinity=False).map(literal_source),
    "timedelta": st.timedeltas().map(literal_source),
    "date": st.dates().map(literal_source),
    "time": st.times().map(literal_source),
    "uuid": st.uuids().map(literal_source),
}


def source_of(spec: TypeSpec, known: Mapping[str, Definition]) -> SearchStrategy[str | None]:
    """Make literals of a type, None for one that has none."""
    match spec:
        case Scalar(name):
            return SCALARS.get(name, st.none())
        case LiteralOf(each):
            return st.sampled_from(each).map(_source)
        case ArrayOf(kind, item):
            items = st.lists(source_of(item, known), max_size=3)
            return items.map(lambda sources: _collected(kind, sources))
        case TupleOf(types):
            parts = st.tuples(*(source_of(each, known) for each in types))
            return parts.map(lambda sources: _collected("tuple", sources))
        case MapOf(_, key, value):
            pair = st.tuples(source_of(key, known), source_of(value, known))
            return st.lists(pair, max_size=3).map(_table)
        case UnionOf(types):
            return st.one_of([source_of(each, known) for each in types])
        case Ref(name, ()):
            return _source_of_named(known[name], known)
        case _:
            return st.none()


def _source_of_named(
    spec: Definition, known: Mapping[str, Definition]
) -> SearchStrategy[str | None]:
    match spec:
        case NewTypeSpec(target=target):
            return source_of(target, known)
        case EnumSpec():
            return st.sampled_from([*map(_source, members_of([spec])), None])
        case RecordSpec(name):
            return st.sampled_from([None, f"{name}()"])


def _source(value: LiteralValue) -> str | None:
    if isinstance(value, EnumMember):
        return f"{value.enum}.{value.name}"
    return literal_source(value)


def _collected(kind: str, sources: Sequence[str | None]) -> str | None:
    if None in sources:
        return None
    inner = "".join(f"{each}, " for each in sources)
    once = "".join(f"{each}, " for each in dict.fromkeys(sources) if _is_hashable(each))
    match kind:
        case "tuple":
            return f"({inner})"
        case "frozenset":
            return f"frozenset({{{once}}})" if once else "frozenset()"
        case _:
            return f"[{inner}]"


def _is_hashable(source: str | None) -> bool:
    nodes = ast.walk(ast.parse(source or "None", mode="eval"))
    return not any(isinstance(node, ast.List | ast.Dict) for node in nodes)


def _table(pairs: Sequence[tuple[str | None, str | None]]) -> str | None:
    if None in (each for pair in pairs for each in pair):
        return None
    pairs = [(key, value) for key, value in pairs if _is_hashable(key)]
    return "{" + ", ".join(f"{key}: {value}" for key, value in dict(pairs).items()) + "}"


@attrs.frozen
class Scope:
    """What a type may refer to."""

    plain: tuple[str, ...] = ()
    """Definitions that take no arguments."""
    generic: tuple[tuple[str, int], ...] = ()
    """Those that do, each with their number."""
    members: tuple[EnumMember, ...] = ()
    parameters: tuple[str, ...] = ()
    known: Mapping[str, Definition] = attrs.field(factory=dict[str, Definition])
    """Those definitions that a default may be of."""
    makes_after: str = ""
    """Only records whose names come after this one are among the defaults."""

    def settle(self, shape: TypeSpec) -> TypeSpec:
        """Put names for the numbers in a shape."""
        settled = self._settled(shape)
        return settled if shape.alias is None else replace(settled, alias=shape.alias)

    def _settled(self, shape: TypeSpec) -> TypeSpec:
        match shape:
            case Ref(number, ()):
                return Ref(_pick(self.plain, number)) if self.plain else NUMBER
            case Ref(number, arguments):
                return self._generic(number, arguments)
            case Parameter(number):
                return Parameter(_pick(self.parameters, number)) if self.parameters else NUMBER
            case LiteralOf(values):
                return LiteralOf(tuple(self._constant(value) for value in values))
            case ArrayOf(kind, item):
                return ArrayOf(kind, self.settle(item))
            case MapOf(kind, key, value):
                return MapOf(kind, self.settle(key), self.settle(value))
            case TupleOf(items):
                return TupleOf(tuple(map(self.settle, items)))
            case UnionOf(items):
                return union_of(map(self.settle, items))
            case _:
                return shape

    def default(self, draw: DrawFn, spec: TypeSpec) -> Default | None:
        """Make a default, often one of the type."""
        drawn = draw(defaults)
        if isinstance(drawn, str):
            source = draw(source_of(spec, self.known))
            return Default(None if self._makes_other_record(source) else source)
        return drawn

    def _makes_other_record(self, source: str | None) -> bool:
        records = {name for name, each in self.known.items() if isinstance(each, RecordSpec)}
        names = {name for name in records if name <= self.makes_after}
        nodes = ast.walk(ast.parse(source or "None", mode="eval"))
        return any(isinstance(node, ast.Name) and node.id in names for node in nodes)

    def _generic(self, number: str, arguments: tuple[TypeSpec, ...]) -> TypeSpec:
        if not self.generic:
            return self.settle(arguments[0])
        name, count = _pick(self.generic, number)
        # A variable inside of an argument would let the arguments grow without end.
        inside = attrs.evolve(self, parameters=())
        return Ref(
            name,
            tuple(
                self.settle(each) if isinstance(each, Parameter) else inside.settle(each)
                for each in arguments[:count]
            ),
        )

    def _constant(self, value: LiteralValue) -> LiteralValue:
        if not isinstance(value, EnumMember):
            return value
        return _pick(self.members, value.name) if self.members else None


def _pick(choices: Sequence[X], number: str) -> X:
    return choices[int(number) % len(choices)]


def _subclassable(spec: TypeSpec) -> TypeSpec:
    """Make a type of which there may be a new one, unlike enums and typed dictionaries."""
    match spec:
        case Scalar("none" | "json") | LiteralOf() | UnionOf() | Parameter() | Ref():
            return TupleOf((spec,))
        case _:
            return spec


def members_of(enums: Sequence[EnumSpec]) -> tuple[EnumMember, ...]:
    """List the members that can be written with a dot, also inside of another class."""
    return tuple(
        EnumMember(enum.name, name)
        for enum in enums
        for name, _ in enum.members
        if name.isidentifier() and not iskeyword(name) and not name.startswith("_")
    )


@st.composite
def enums(draw: DrawFn, name: str) -> EnumSpec:
    """Make enums, some with members that cannot stand in a class body."""
    member_names = draw(st.lists(keys, min_size=1, max_size=4, unique=True))
    base: Base = draw(st.sampled_from(get_args(Base)))
    kinds = {"Enum": texts | st.integers(), "IntEnum": st.integers(), "StrEnum": texts}
    count = len(member_names)
    values = draw(st.lists(kinds[base], min_size=count, max_size=count, unique=True))
    members = tuple(zip(member_names, values, strict=True))
    mixed = base != "Enum" and draw(st.booleans())
    return EnumSpec(name, base, members, draw(docs), mixed=mixed)


@st.composite
def records(draw: DrawFn, name: str, parameters: Sequence[str], scope: Scope) -> RecordSpec:
    """Make records of each kind."""
    kind: RecordKind = draw(st.sampled_from(get_args(RecordKind)))
    odd_keys = kind == "typeddict" and not parameters
    field_names = draw(st.lists(keys if odd_keys else names, max_size=4, unique=True))
    inside = attrs.evolve(scope, parameters=tuple(parameters))
    # No record is made of itself; and the defaults of a named tuple are there before it is.
    inside = attrs.evolve(inside, makes_after="zz" if kind == "namedtuple" else name)
    can_be_keyword = kind in ("attrs", "dataclass", "error")
    if kind == "error":  # such a field would be refused when it is declared
        field_names = [each for each in field_names if not hasattr(ApplicationError, each)]
    types = {each: inside.settle(draw(named | shapes)) for each in field_names}
    is_compared = kind in ("attrs", "dataclass")
    eq = not is_compared or draw(st.booleans())
    fields = [
        FieldSpec(
            each,
            spec,
            inside.default(draw, spec),
            can_be_keyword and draw(st.booleans()),
            use=draw(_uses(kind, eq)),
        )
        for each, spec in types.items()
    ]
    return RecordSpec(
        name,
        kind,
        # As Python wants them; those with a default last.
        tuple(sorted(fields, key=lambda field: field.default is not None)),
        tuple(parameters),
        frozen=is_compared and draw(st.booleans()),
        code=draw(st.integers(3, 9)) if kind == "error" else None,
        doc=draw(docs),
        ordered=is_compared and eq and draw(st.booleans()),
        slots=draw(st.sampled_from([None, kind == "dataclass"])) if is_compared else None,
        repr=kind in ("typeddict", "error") or draw(st.booleans()),
        eq=eq,
        unsafe_hash=is_compared and eq and draw(st.booleans()),
    )


def _uses(kind: RecordKind, eq: bool) -> SearchStrategy[FieldUse]:
    """Make what the methods of a record look at; without an equality of fields, only the repr."""
    shown = st.booleans() if kind in ("attrs", "dataclass", "error") else st.just(True)
    if kind not in ("attrs", "dataclass") or not eq:
        return st.builds(FieldUse, shown)
    order = st.booleans() if kind == "attrs" else st.just(True)
    uses = st.builds(FieldUse, shown, st.booleans(), order, st.sampled_from([None, True, False]))
    return uses.map(lambda use: replace(use, order=use.order and use.eq))


@st.composite
def arguments(draw: DrawFn, scope: Scope) -> tuple[ArgumentSpec, ...]:
    """Make the arguments of a method, in an order that Python takes."""
    argument_names = draw(st.lists(names | st.just("self"), max_size=5, unique=True))
    types = {name: scope.settle(draw(named | shapes)) for name in argument_names}
    drawn = [
        ArgumentSpec(
            name,
            spec,
            draw(st.sampled_from(["positional", "either", "keyword"])),
            scope.default(draw, spec),
        )
        for name, spec in types.items()
    ]
    drawn = [replace(each, upload=each.default is None and draw(st.booleans())) for each in drawn]
    roles = ["positional", "either", "keyword"]
    positional = [each for each in drawn if each.role != "keyword"]
    required = {each.name for each in positional if each.default is None}
    ordered = sorted(drawn, key=lambda each: (roles.index(each.role), each.name not in required))
    return tuple(_legal(ordered))


def _legal(ordered: list[ArgumentSpec]) -> list[ArgumentSpec]:
    """Give a default to what follows an argument that has one."""
    seen = False
    for number, each in enumerate(ordered):
        if each.role != "keyword":
            seen = seen or each.default is not None
            if seen and each.default is None:
                ordered[number] = replace(each, default=Default("None"), upload=False)
    return ordered


@st.composite
def services(draw: DrawFn) -> ServiceSpec:
    """Make contracts."""
    defined = draw(st.lists(class_names, min_size=1, max_size=6, unique=True))
    cuts = sorted(draw(st.lists(st.integers(0, len(defined)), min_size=3, max_size=3)))
    enum_names, new_names = defined[: cuts[0]], defined[cuts[0] : cuts[1]]
    plain_names, generic_names = defined[cuts[1] : cuts[2]], defined[cuts[2] :]
    parameters = {name: draw(_parameters()) for name in generic_names}
    all_enums = tuple(draw(enums(name)) for name in enum_names)
    scope = Scope(
        plain=(*enum_names, *new_names, *plain_names),
        generic=tuple((name, len(parameters[name])) for name in generic_names),
        members=members_of(all_enums),
    )
    # A new type may stand for whatever has been defined before it.
    below = attrs.evolve(scope, plain=(*enum_names, *plain_names))
    new_types = [NewTypeSpec(name, _subclassable(below.settle(draw(shapes)))) for name in new_names]
    named: list[Definition] = [*all_enums, *new_types]
    later = [RecordSpec(name, "attrs", ()) for name in (*plain_names, *generic_names)]
    scope = attrs.evolve(scope, known={each.name: each for each in (*named, *later)})
    plain = [draw(records(name, (), scope)) for name in plain_names]
    generic = [draw(records(name, parameters[name], scope)) for name in generic_names]
    definitions = [*named, *plain, *generic]
    definitions.sort(key=lambda each: each.name)
    errors = [each.name for each in plain if each.kind == "error"]
    methods, signals = draw(_members(scope, errors))
    class_name = draw(class_names)
    return ServiceSpec(
        draw(st.sampled_from([class_name, "", "calc"])),
        class_name,
        methods,
        signals,
        tuple(definitions),
        draw(docs),
    )


def _parameters() -> SearchStrategy[tuple[str, ...]]:
    variables = st.sampled_from(["T", "K", "Quote", "Value", "int"])
    return st.lists(variables, min_size=1, max_size=2, unique=True).map(tuple)


@st.composite
def _members(
    draw: DrawFn, scope: Scope, errors: Sequence[str]
) -> tuple[tuple[MethodSpec, ...], tuple[SignalSpec, ...]]:
    member_names = draw(st.lists(names, max_size=5, unique=True))
    cut = draw(st.integers(0, len(member_names)))
    raised = st.lists(st.sampled_from(errors), unique=True) if errors else st.just([])
    methods = [
        MethodSpec(
            name=name,
            wire_name=f"Service.{name}",
            arguments=draw(arguments(scope)),
            result=scope.settle(draw(shapes)),
            raises=tuple(draw(raised)),
            oneway=draw(st.booleans()),
            started=draw(st.none() | shapes.map(scope.settle)),
            doc=draw(docs),
        )
        for name in member_names[:cut]
    ]
    # Neither a remote task nor what sends no answer is a stream.
    streams = [each for each in methods if each.started is None and not each.oneway]
    methods = [replace(each, stream=each in streams and draw(st.booleans())) for each in methods]
    signals = [
        SignalSpec(name, f"Service.{name}", scope.settle(draw(shapes)), doc=draw(docs))
        for name in member_names[cut:]
    ]
    return tuple(methods), tuple(signals)
