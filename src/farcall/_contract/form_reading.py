"""Contracts read from the forms that `forms` writes, of a source that is not trusted.

This checks the shape: the types of members, the length of lists, the depth of types. `validity`
checks the rest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import chain
from types import NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from msgspec import NODEFAULT, Struct
from msgspec.structs import replace

from farcall._contract.forms import SORT, SORTS, defaults_of
from farcall._contract.identifiers import has_lone_surrogate
from farcall._contract.scalars import SCALARS
from farcall._contract.spec import (
    ArrayOf,
    Definition,
    EnumMember,
    LiteralOf,
    LiteralValue,
    MapOf,
    Parameter,
    Ref,
    Scalar,
    TupleOf,
    TypeSpec,
    UnionOf,
    ViaOf,
)
from farcall._json import is_array, is_object

MAX_NAME: Final = 256
"""Characters of a name."""
MAX_PARTS: Final = 4096
"""Items of each list: services, methods, fields and so on."""

MAX_LEVELS: Final = 64
"""Levels of a type, as many as those of a JSON text."""

S = TypeVar("S", bound=Struct)


class BadDocument(ValueError):
    """A document does not describe services.

    Args:
        path: The place of the fault, such as ``services[0].methods[2].name``.
        problem: What is wrong there.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(path, problem)
        self.path = path
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.problem} @ {self.path}" if self.path else self.problem


def read_form(cls: type[S], form: object, path: str) -> S:
    """Read a part of a contract, and ignore unknown members.

    Args:
        cls: `ServiceSpec`, or another class of `spec`.
        form: JSON data.
        path: The place of the form, for messages.

    Raises:
        BadDocument: the form is not one of such a part.
    """
    if not is_object(form):
        raise BadDocument(path, "expected an object")
    members: dict[str, Any] = {}
    hints = _hints(cls)
    for name, default in defaults_of(cls).items():
        inside = f"{path}.{name}"
        if name in form:
            members[name] = _value(hints[name], form[name], inside)
        elif default is NODEFAULT:
            raise BadDocument(inside, "missing")
    return cls(**members)


@cache
def _hints(cls: Any) -> Mapping[str, Any]:
    return get_type_hints(cls)


def _value(annotation: Any, form: object, path: str) -> Any:
    """Read the value of a member, by its annotation in `spec`."""
    arguments, origin = get_args(annotation), get_origin(annotation)
    if origin in (Union, UnionType):
        return _one_of(arguments, form, path)
    if origin is Literal:
        if type(form) is str and form in arguments:
            return form
        raise BadDocument(path, f"expected {_listed(arguments)}")
    if origin is frozenset:
        return frozenset(_several(arguments[0], form, path))
    if origin is tuple and arguments[1:] == (...,):
        return tuple(_several(arguments[0], form, path))
    if origin is tuple:
        parts = _list(form, path, len(arguments))
        return tuple(
            _value(each, part, f"{path}[{index}]")
            for index, (each, part) in enumerate(zip(arguments, parts, strict=True))
        )
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return read_form(annotation, form, path)
    if annotation is str:
        return _text(form, path)
    if type(form) is annotation:
        return form
    raise BadDocument(path, f"expected {annotation.__name__}")


def _one_of(members: Sequence[Any], form: object, path: str) -> Any:
    if form is None and NoneType in members:
        return None
    others = tuple(each for each in members if each is not NoneType)
    if set(others) == set(get_args(TypeSpec)):
        return _type(form, path, MAX_LEVELS)
    if set(others) == set(get_args(Definition)):
        return _definition(form, path)
    if len(others) == 1:
        return _value(others[0], form, path)
    if type(form) in others:
        return _text(form, path) if isinstance(form, str) else form
    raise BadDocument(path, f"expected {_listed(each.__name__ for each in others)}")


def _definition(form: object, path: str) -> Definition:
    sort = form.get(SORT) if is_object(form) else None
    if type(sort) is not str or sort not in SORTS:
        raise BadDocument(f"{path}.{SORT}", f"expected {_listed(SORTS)}")
    return read_form(SORTS[sort], form, path)


def _several(annotation: Any, form: object, path: str) -> list[Any]:
    parts = enumerate(_list(form, path))
    return [_value(annotation, part, f"{path}[{index}]") for index, part in parts]


def _list(form: object, path: str, length: int | None = None) -> list[Any]:
    if not is_array(form) or (length is not None and len(form) != length):
        raise BadDocument(path, "expected a list" if length is None else f"expected {length} items")
    if len(form) > MAX_PARTS:
        raise BadDocument(path, f"expected at most {MAX_PARTS} items")
    return form


# Types


def _type(form: object, path: str, levels: int) -> TypeSpec:
    if levels == 0:
        raise BadDocument(path, f"a type nests deeper than {MAX_LEVELS} levels")
    if type(form) is str and form in SCALARS:
        return Scalar(SCALARS[form].name)
    if not is_array(form) or not form or type(form[0]) is not str or form[0] not in _PART_COUNTS:
        raise BadDocument(path, "expected a type")
    kind, *parts = _list(form, path)
    count = _PART_COUNTS[kind]
    if count is not None and len(parts) != count:
        raise BadDocument(path, f"expected {kind} with {count} parts")
    return _compound(kind, parts, path, levels - 1)


def _compound(kind: Any, parts: list[Any], path: str, levels: int) -> TypeSpec:
    match kind:
        case "dict" | "mapping":
            return MapOf(kind, *_types(parts, path, levels))
        case "items":
            return TupleOf(_types(parts, path, levels))
        case "union":
            return _union(parts, path, levels)
        case "alias":
            return _alias(parts, path, levels)
        case "ref":
            name, *arguments = parts or [None]
            return Ref(_text(name, f"{path}[1]"), _types(arguments, path, levels, first=2))
        case "via":
            return ViaOf(_text(parts[0], f"{path}[1]"), _type(parts[1], f"{path}[2]", levels))
        case "parameter":
            return Parameter(_text(parts[0], f"{path}[1]"))
        case "literal":
            return _literal(parts, path)
        case _:
            return ArrayOf(kind, _type(parts[0], f"{path}[1]", levels))


_PART_COUNTS: Final[Mapping[str, int | None]] = {
    **dict.fromkeys(("list", "tuple", "set", "frozenset", "sequence", "parameter"), 1),
    **dict.fromkeys(("dict", "mapping", "alias", "via"), 2),
    **dict.fromkeys(("items", "union", "ref", "literal")),
}
"""The number of parts of each kind of type with parts; None for any number."""


def _union(parts: list[Any], path: str, levels: int) -> TypeSpec:
    if not parts:
        raise BadDocument(path, "expected a union of at least one type")
    written = _types(parts, path, levels)
    if not any(isinstance(part, UnionOf) and part.alias is not None for part in written):
        return UnionOf(written)
    flat = (part.members if isinstance(part, UnionOf) else (part,) for part in written)
    members = tuple(dict.fromkeys(chain.from_iterable(flat)))
    if len(members) > MAX_PARTS:
        raise BadDocument(path, f"expected at most {MAX_PARTS} items")
    return UnionOf(members, written=written)


def _alias(parts: list[Any], path: str, levels: int) -> TypeSpec:
    name = _text(parts[0], f"{path}[1]")
    if len(name) > MAX_NAME:
        raise BadDocument(f"{path}[1]", f"expected a text of at most {MAX_NAME} characters")
    return replace(_type(parts[1], f"{path}[2]", levels), alias=name)


def _literal(parts: list[Any], path: str) -> TypeSpec:
    if not parts:
        raise BadDocument(path, "expected a literal of at least one value")
    indexed = enumerate(parts, start=1)
    return LiteralOf(tuple(_literal_value(part, f"{path}[{index}]") for index, part in indexed))


def _types(
    forms: Sequence[object], path: str, levels: int, *, first: int = 1
) -> tuple[TypeSpec, ...]:
    indexed = enumerate(forms, start=first)
    return tuple(_type(form, f"{path}[{index}]", levels) for index, form in indexed)


def _literal_value(form: object, path: str) -> LiteralValue:
    match form:
        case ["NoneType", None]:
            return None
        case ["bool", True]:
            return True
        case ["bool", False]:
            return False
        case ["int", int(value)] if type(value) is int:
            return value
        case ["str", str(value)]:
            return _text(value, path)
        case ["bytes", str(digits)]:
            return _bytes(digits, path)
        case ["member", str(enum), str(name)]:
            return EnumMember(_text(enum, path), _text(name, path))
        case _:
            raise BadDocument(path, "expected a value with its type")


def _bytes(digits: str, path: str) -> bytes:
    try:
        value = bytes.fromhex(digits)
    except ValueError:
        raise BadDocument(path, "expected hexadecimal digits") from None
    if value.hex() != digits:
        raise BadDocument(path, "expected hexadecimal digits")
    return value


def _text(form: object, path: str) -> str:
    if type(form) is not str:
        raise BadDocument(path, "expected str")
    if has_lone_surrogate(form):
        raise BadDocument(path, "expected str without lone surrogates")
    return form


def _listed(words: Any) -> str:
    return " | ".join(map(str, words))
