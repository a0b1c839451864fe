"""The methods that attrs or dataclass made for a record: repr, comparison, order and hash.

They do not cross the wire, and are not part of the contract. A stub repeats them: a field that the
service keeps out of the repr is a secret at the client as well, and sets hold the same records.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import attrs

from farcall._contract.spec import (
    ArrayOf,
    FieldUse,
    LiteralOf,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
)

_AnyField: TypeAlias = "attrs.Attribute[Any] | dataclasses.Field[Any]"


def is_frozen(cls: type[Any]) -> bool:
    """Tell whether a record was declared frozen."""
    if attrs.has(cls):
        return _properties(cls).is_frozen
    parameters = getattr(cls, "__dataclass_params__", None)
    return parameters is not None and parameters.frozen


def is_ordered(cls: type[Any]) -> bool:
    """Tell whether attrs or dataclass made the comparisons of a record."""
    if attrs.has(cls):
        return _properties(cls).added_ordering
    parameters = getattr(cls, "__dataclass_params__", None)
    return parameters is not None and parameters.order


def chosen_slots(cls: type[Any]) -> bool | None:
    """Tell whether a record has slots; None for the default of its decorator."""
    if attrs.has(cls):
        return None if _properties(cls).is_slotted else False
    return True if dataclasses.is_dataclass(cls) and "__slots__" in vars(cls) else None


def is_shown(cls: type[Any]) -> bool:
    """Tell whether the repr of a record shows fields; one written by hand can hide some.

    Errors count as shown: their message shows fields as well, so `FieldUse.repr` tells for each.
    """
    return issubclass(cls, dict | BaseException) or _maker(cls, "__repr__") is not None


def is_compared(cls: type[Any]) -> bool:
    """Tell whether records with equal fields are equal. Errors count, and have no equality."""
    return issubclass(cls, BaseException) or _owner(cls, "__eq__") is not object


def has_unsafe_hash(cls: type[Any]) -> bool:
    """Tell whether a record has a hash of fields that can change."""
    return _is_decorated(cls) and is_compared(cls) and not is_frozen(cls) and _has_hash(cls)


def use_of(cls: type[Any], attribute: str, spec: TypeSpec) -> FieldUse:
    """Tell which methods of a record look at a field.

    Args:
        cls: The class.
        attribute: The attribute that holds the field.
        spec: The type of the field. A hash written by hand can be of any fields; this takes it for
            one of all hashable fields.
    """
    is_hidden = issubclass(cls, BaseException) and _maker(cls, "__repr__") is None
    is_shown_ = not is_hidden and _counts(cls, "__repr__", attribute)
    if not _is_decorated(cls) or not is_compared(cls):
        return FieldUse(repr=is_shown_)
    eq = _counts(cls, "__eq__", attribute)
    order = eq and (not is_ordered(cls) or _counts(cls, "__lt__", attribute))
    made = _maker(cls, "__hash__") is not None
    hashed = _counts(cls, "__hash__", attribute) if made else eq and _is_hashable(spec)
    return FieldUse(is_shown_, eq, order, hashed if _has_hash(cls) and hashed != eq else None)


def hashed_fields(cls: type[Any]) -> frozenset[str]:
    """Name the fields in the hash of a record; empty for a hash written by hand."""
    if _owner(cls, "__hash__") is tuple:
        return frozenset(cls._fields)
    maker = _maker(cls, "__hash__")
    if maker is None:
        return frozenset()
    fields = _fields(maker)
    return frozenset(
        getattr(each, "alias", None) or name
        for name, each in fields.items()
        if _counts(cls, "__hash__", name)
    )


def _is_decorated(cls: type[Any]) -> bool:
    """Tell whether attrs or dataclass makes comparisons and hashes; for errors they make none."""
    is_record = attrs.has(cls) or dataclasses.is_dataclass(cls)
    return is_record and not issubclass(cls, BaseException)


def _has_hash(cls: type[Any]) -> bool:
    return cls.__hash__ is not None


def _properties(cls: type[Any]) -> attrs.ClassProps:
    """Return the options of a class in attrs, or of the base that attrs made."""
    return attrs.inspect(next(each for each in cls.__mro__ if "__attrs_props__" in vars(each)))


_MADE: Final = ("_make_order.<locals>.", "__create_fn__.<locals>.", "namedtuple.<locals>.")
"""Beginnings of the qualified names of functions that attrs, dataclass and `NamedTuple` make."""


def _maker(cls: type[Any], method: str) -> type[Any] | None:
    """Return the class for which a method of `cls` was made; None if it was written by hand."""
    owner = _owner(cls, method)
    code = getattr(inspect.unwrap(vars(owner)[method]), "__code__", None)
    if code is None:
        return None
    is_made = code.co_filename.startswith("<attrs ") or code.co_qualname.startswith(_MADE)
    return owner if is_made else None


def _owner(cls: type[Any], method: str) -> type[Any]:
    return next(each for each in cls.__mro__ if method in vars(each))


def _fields(cls: type[Any]) -> Mapping[str, _AnyField]:
    found: tuple[_AnyField, ...] = ()
    if attrs.has(cls):
        found = attrs.fields(cls)
    elif dataclasses.is_dataclass(cls):
        found = dataclasses.fields(cls)
    return {each.name: each for each in found}


def _counts(cls: type[Any], method: str, attribute: str) -> bool:
    """Tell whether a method looks at a field; one written by hand can look at any."""
    maker = _maker(cls, method)
    fields = dict[str, _AnyField]() if maker is None else _fields(maker)
    if not fields:
        return True
    if attribute not in fields:  # the method is that of a base without the field
        return False
    field = fields[attribute]
    if method == "__repr__":
        return field.repr is True  # a function of the author can hide it
    in_eq = field.compare if isinstance(field, dataclasses.Field) else bool(field.eq)
    if method == "__hash__":
        return in_eq if field.hash is None else field.hash
    if method == "__lt__" and not isinstance(field, dataclasses.Field):
        return bool(field.order)
    return in_eq


def _is_hashable(spec: TypeSpec) -> bool:
    """Tell whether all values of a type have a hash."""
    match spec:
        case Scalar(name):
            return name != "json"
        case LiteralOf():
            return True
        case ArrayOf("tuple" | "frozenset", item):
            return _is_hashable(item)
        case TupleOf(parts) | UnionOf(parts):
            return all(map(_is_hashable, parts))
        case _:
            return False
