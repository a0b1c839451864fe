"""Telling the members of a union apart in JSON, decided when the union is declared.

JSON has seven forms. Each member claims forms, or some values of a form, and no two members claim
the same. All records claim objects; they differ by ``type``, or by required fields that no other
record has.
"""

from __future__ import annotations

from base64 import b64encode
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias, TypeGuard

from msgspec import Struct

from farcall._contract.algebra import fields_of, target
from farcall._contract.labels import label
from farcall._contract.scalars import SCALARS, JsonForm
from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    EnumSpec,
    FieldSpec,
    LiteralOf,
    LiteralValue,
    RecordSpec,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    UnsupportedType,
    ViaOf,
)

Constant: TypeAlias = "None | bool | int | str"
Forms: TypeAlias = Mapping[JsonForm, frozenset[Constant] | None]
"""The forms of a type in JSON, each with its values; None for all values of the form."""

Named: TypeAlias = Mapping[str, Definition]

TAG = "type"
"""The member of an object that names the record in a union."""

_FORM_OF: Mapping[type, JsonForm] = {
    type(None): "null", bool: "boolean", int: "integer", str: "string",
}  # fmt: skip


class RecordChoice(Struct, frozen=True):
    """How the records of a union are told apart; each is given by its place among them."""

    tags: Mapping[str, int]
    """By the value of ``type``."""
    adds_tag: bool
    """Whether writing adds ``type``. If not, it is a field of the records, or absent."""
    unique: Mapping[str, int]
    """By a required field of this record alone."""
    fallback: int | None
    """The only record without a unique field, for objects that have no such field."""


class Choice(Struct, frozen=True):
    """How the members of a union are told apart."""

    others: tuple[TypeSpec, ...]
    """The members other than records."""
    claims: Mapping[JsonForm, tuple[TypeSpec, ...]]
    """The members that claim a form; several only if each claims some values of it."""
    records: tuple[Ref, ...]
    """The records, which claim all objects."""
    among_records: RecordChoice | None
    """How several records are told apart."""


def choose(union: UnionOf, definitions: Named) -> Choice:
    """Decide how to tell the members of a union apart.

    Raises:
        UnsupportedType: two of them look the same.
    """
    plain = [target(member, definitions) for member in union.members]
    records = tuple(member for member in plain if _is_record(member, definitions))
    others = tuple(
        member
        for member, its_target in zip(union.members, plain, strict=True)
        if its_target not in records
    )
    _check_disjoint([*others, *records[:1]], definitions)
    among = choose_record(records, definitions) if len(records) > 1 else None
    return Choice(others, _claims(others, definitions), records, among)


def choose_record(records: Sequence[Ref], definitions: Named) -> RecordChoice:
    """Decide how to tell records apart.

    Raises:
        UnsupportedType: two of them look the same.
    """
    name, count = Counter(record.name for record in records).most_common(1)[0]
    if count > 1:
        raise UnsupportedType(
            f"{name} is in the union more than once, with different arguments",
            "keep one of them, or wrap each in a record",
        )
    members = [_Member.of(record, definitions) for record in records]
    if tags := _own_tags(members):
        return RecordChoice(tags, adds_tag=False, unique={}, fallback=None)
    is_free = not any(member.tag for member in members)
    unique = _unique_fields(members)
    without = [i for i in range(len(records)) if i not in unique.values()]
    tables = [member for member in members if member.is_table]
    if len(without) > 1 and (not is_free or len(tables) > 1):
        raise _not_apart(members, is_free)
    return RecordChoice(
        tags={record.name: i for i, record in enumerate(records)} if is_free else {},
        adds_tag=is_free,
        unique=unique,
        fallback=without[0] if len(without) == 1 else None,
    )


def json_forms(spec: TypeSpec, definitions: Named) -> Forms:
    """Return the forms that the values of a type have in JSON."""
    match target(spec, definitions):
        case Scalar(name):
            return dict.fromkeys(SCALARS[name].forms)
        case LiteralOf(values):
            return _constant_forms(constant(value, definitions) for value in values)
        case ArrayOf() | TupleOf():
            return {"array": None}
        case ViaOf(_, wire):
            return json_forms(wire, definitions)
        case UnionOf(members):
            return _merged(json_forms(member, definitions) for member in members)
        case Ref(name) if isinstance(enum := definitions[name], EnumSpec):
            return _constant_forms(value for _, value in enum.members)
        case _:
            return {"object": None}


def key_form(spec: TypeSpec, definitions: Named) -> JsonForm | None:
    """Return the form of a type whose values can be the keys of a table; None for any other type.

    An integer is a key as the text of its digits.
    """
    forms = tuple(json_forms(spec, definitions))
    return forms[0] if forms in (("string",), ("integer",)) else None


def constant(value: LiteralValue, definitions: Named) -> Constant:
    """Return the value of a literal as it is in JSON."""
    match value:
        case bytes():
            return b64encode(value).decode()
        case EnumMember(enum, name):
            spec = definitions[enum]
            assert isinstance(spec, EnumSpec)
            return dict(spec.members)[name]
        case _:
            return value


def check_constants(spec: LiteralOf, definitions: Named) -> None:
    """Check that the values of a literal differ in JSON.

    Raises:
        UnsupportedType: two are the same there, such as ``b"a"`` and ``"YQ=="``.
    """
    constants = [constant(value, definitions) for value in spec.values]
    if len({(type(each), each) for each in constants}) < len(constants):
        raise UnsupportedType(f"two of {label(spec)} look the same in JSON", "remove one of them")


def _constant_forms(constants: Iterator[Constant]) -> Forms:
    found: defaultdict[JsonForm, set[Constant]] = defaultdict(set)
    for each in constants:
        found[_FORM_OF[type(each)]].add(each)
    return {form: frozenset(values) for form, values in found.items()}


def _merged(parts: Iterator[Forms]) -> Forms:
    merged: dict[JsonForm, frozenset[Constant] | None] = {}
    for part in parts:
        for form, values in part.items():
            known = merged.get(form, frozenset())
            merged[form] = None if known is None or values is None else known | values
    return merged


def _claims(
    members: Sequence[TypeSpec], definitions: Named
) -> Mapping[JsonForm, tuple[TypeSpec, ...]]:
    claims: defaultdict[JsonForm, tuple[TypeSpec, ...]] = defaultdict(tuple)
    for member in members:
        for form in _forms_beside(member, members, definitions):
            claims[form] += (member,)
    return dict(claims)


def _forms_beside(member: TypeSpec, members: Sequence[TypeSpec], definitions: Named) -> Forms:
    forms = dict(json_forms(member, definitions))
    if member == Scalar("float") and Scalar("int") in members:
        del forms["integer"]  # in `int | float` the text 1 is an int, 1.5 a float
    return forms


def _check_disjoint(members: Sequence[TypeSpec], definitions: Named) -> None:
    for one, other in combinations(members, 2):
        forms = _forms_beside(one, members, definitions)
        others = _forms_beside(other, members, definitions)
        for form in forms.keys() & others.keys():
            values, other_values = forms[form], others[form]
            if values is None or other_values is None or values & other_values:
                raise UnsupportedType(
                    f"{label(one)} and {label(other)} look the same in JSON",
                    "keep one of them, or wrap each in a record",
                )


def _is_record(spec: TypeSpec, definitions: Named) -> TypeGuard[Ref]:
    return isinstance(spec, Ref) and isinstance(definitions[spec.name], RecordSpec)


class _Member(Struct, frozen=True):
    """A record of a union."""

    name: str
    is_table: bool
    """Whether it is a dict, which has no class of its own."""
    fields: Mapping[str, FieldSpec]
    texts: tuple[str, ...]
    """The values of its ``type``; empty unless these are a few texts."""

    @staticmethod
    def of(ref: Ref, definitions: Named) -> _Member:
        record = definitions[ref.name]
        assert isinstance(record, RecordSpec)
        fields = {field.name: field for field in fields_of(record, ref.arguments)}
        texts = _texts(fields[TAG].type, definitions) if TAG in fields else ()
        return _Member(ref.name, record.kind == "typeddict", fields, texts)

    @property
    def tag(self) -> FieldSpec | None:
        return self.fields.get(TAG)

    @property
    def may_lack_tag(self) -> bool:
        """Whether it can be written without its ``type``.

        A field with a default is always written, unless a stub cannot repeat the default and has
        `OMIT` in its place. A dict may lack a key that is not required.
        """
        default = None if self.tag is None else self.tag.default
        return default is not None and (self.is_table or default.source is None)


def _own_tags(members: Sequence[_Member]) -> dict[str, int]:
    """Return the texts of the records' own ``type`` fields, if these tell them apart."""
    tags: dict[str, int] = {}
    for i, member in enumerate(members):
        if not member.texts or member.may_lack_tag or not tags.keys().isdisjoint(member.texts):
            return {}
        tags.update(dict.fromkeys(member.texts, i))
    return tags


def _texts(spec: TypeSpec, definitions: Named) -> tuple[str, ...]:
    forms = json_forms(spec, definitions)
    texts = forms.get("string")
    if len(forms) > 1 or texts is None:
        return ()
    return tuple(sorted(text for text in texts if isinstance(text, str)))


def _unique_fields(members: Sequence[_Member]) -> dict[str, int]:
    counts = Counter(name for member in members for name in member.fields)
    return {
        name: i
        for i, member in enumerate(members)
        for name, field in member.fields.items()
        if counts[name] == 1 and field.default is None
    }


def _not_apart(members: Sequence[_Member], is_free: bool) -> UnsupportedType:
    names = " and ".join(member.name for member in members)
    if is_free:
        return UnsupportedType(
            f"{names} are plain dicts that cannot be told apart when they are written",
            "give each a required key that no other has, or `type: Literal[...]`",
        )
    for member in members:
        if member.texts and member.may_lack_tag:
            return UnsupportedType(
                f"{names} cannot be told apart: {TAG!r} of {member.name} may be left out",
                "make it a required key"
                if member.is_table
                else "remove its default, or use its only value as the default",
            )
    return UnsupportedType(
        f"{names} cannot be told apart by {TAG!r}, which is one of their fields",
        "rename it, or make it a Literal with another string in each record",
    )
