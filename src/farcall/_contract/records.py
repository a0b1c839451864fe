"""The fields of records: of attrs classes, dataclasses, typed dicts and named tuples."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import takewhile
from typing import (
    Annotated,
    Any,
    ClassVar,
    NotRequired,
    Required,
    TypeAlias,
    get_origin,
    get_type_hints,
)

import attrs
from msgspec import Struct

from farcall._contract.identifiers import is_python_name, python_name
from farcall._contract.notes import is_qualified
from farcall._contract.spec import RecordKind, UnsupportedType
from farcall.errors import ApplicationError

Hints: TypeAlias = Callable[[type], Mapping[str, Any]]


class Field(Struct, frozen=True):
    """A field of a record."""

    name: str
    """The name on the wire and in the constructor."""
    attribute: str
    """The attribute of a record. For ``_secret`` attrs names the argument ``secret``."""
    annotation: Any
    is_required: bool
    default: object
    """A value, an `attrs.Factory`, or `attrs.NOTHING` if there is none, or it is not known."""
    keyword_only: bool = False
    fault: UnsupportedType | None = None
    """Why it cannot cross."""

    @property
    def has_own_attribute(self) -> bool:
        """Whether the two names differ by more than underscores in front."""
        return self.attribute.lstrip("_") != self.name.lstrip("_")


def kind_of(cls: type[Any]) -> RecordKind | None:
    """Return the kind of record that a class is; None for other classes."""
    if issubclass(cls, ApplicationError):
        return "error"
    if attrs.has(cls):
        return "attrs"
    if dataclasses.is_dataclass(cls):
        return "dataclass"
    # Not `typing.is_typeddict`: the class of typing_extensions has a metaclass of its own.
    if type(cls).__name__ == "_TypedDictMeta":
        return "typeddict"
    return "namedtuple" if hasattr(cls, "_fields") and issubclass(cls, tuple) else None


def doc_of(cls: type) -> str | None:
    """Return the docstring of a class; None for one of a base, or one that Python wrote."""
    doc = vars(cls).get("__doc__")
    # dataclass and NamedTuple write a signature where there is no docstring.
    if doc is None or doc.startswith(f"{cls.__name__}("):
        return None
    return inspect.cleandoc(doc)


def read_fields(cls: type, hints_of: Hints | None = None) -> tuple[Field, ...]:
    """Read the fields of a record class.

    Args:
        cls: The class.
        hints_of: Reads its annotations; `resolve_hints` by default.

    Raises:
        UnsupportedType: the values of the fields do not make a record again.
    """
    hints = (hints_of or resolve_hints)(cls)
    _check_decorated(cls, hints)
    match kind_of(cls):
        case "typeddict":
            return tuple(_typeddict_fields(cls, hints))
        case "namedtuple":
            fields = tuple(_namedtuple_fields(cls, hints))
            _check_names(cls, fields)
            return fields
        case "error" if not attrs.has(cls):
            return _no_fields(cls)
        case "dataclass":
            fields = tuple(_dataclass_fields(cls, hints))
        case _:
            fields = tuple(_attrs_fields(cls, hints))
    _check_names(cls, fields)
    _check_constructor(cls, fields)
    if issubclass(cls, ApplicationError):
        _check_error_fields(cls, fields)
    return fields


def attribute_names(cls: type) -> dict[str, str]:
    """Return the attribute of each field of an attrs class, by its name on the wire."""
    if not attrs.has(cls):
        return {}
    return {field.alias or field.name: field.name for field in attrs.fields(cls)}


def resolve_hints(cls: type) -> dict[str, Any]:
    """Evaluate the annotations of a class.

    Raises:
        UnsupportedType: a name in them is not defined in its module.
    """
    try:
        return get_type_hints(cls, include_extras=True)
    except NameError as error:
        raise UnsupportedType(
            f"the name {error.name!r} in its annotations is not defined in {cls.__module__}",
            "define or import it at module level, outside `if TYPE_CHECKING`,"
            " or write a record of your own if the class is not yours",
            cls.__name__,
        ) from error
    except (TypeError, AttributeError, SyntaxError) as error:
        raise UnsupportedType(
            f"its annotations cannot be evaluated ({error})",
            "write types",
            cls.__name__,
        ) from error


def _attrs_fields(cls: type, hints: Mapping[str, Any]) -> Iterator[Field]:
    for field in attrs.fields(cls):
        if field.init:
            is_private = field.name.startswith("_") and field.alias_is_default
            to_send = f'attrs.field(alias="{field.alias}") to send it'
            yield Field(
                name=field.alias or field.name,
                attribute=field.name,
                annotation=hints.get(field.name, field.type or inspect.Parameter.empty),
                is_required=field.default is attrs.NOTHING,
                default=field.default,
                keyword_only=field.kw_only,
                fault=_private(cls, field.name, to_send) if is_private else None,
            )


def _dataclass_fields(cls: Any, hints: Mapping[str, Any]) -> Iterator[Field]:
    for field in dataclasses.fields(cls):
        if field.init:
            is_private = field.name.startswith("_")
            to_send = f"rename it to {field.name.lstrip('_') or 'value'} to send it"
            default = _dataclass_default(field)
            yield Field(
                name=field.name,
                attribute=field.name,
                annotation=hints[field.name],
                is_required=default is attrs.NOTHING,
                default=default,
                keyword_only=field.kw_only is True,
                fault=_private(cls, field.name, to_send) if is_private else None,
            )


def _dataclass_default(field: dataclasses.Field[Any]) -> object:
    if field.default_factory is not dataclasses.MISSING:
        return attrs.Factory(field.default_factory)
    return attrs.NOTHING if field.default is dataclasses.MISSING else field.default


def _typeddict_fields(cls: Any, hints: Mapping[str, Any]) -> Iterator[Field]:
    for name, hint in hints.items():
        annotation, is_required = _entry(hint, name in cls.__required_keys__)
        fault = _mangled(cls, name)
        yield Field(name, name, annotation, is_required, default=attrs.NOTHING, fault=fault)


def _entry(hint: Any, is_required: bool) -> tuple[Any, bool]:
    """Take `Required` and `NotRequired` off a hint, and tell whether its key is required.

    They stand in any order with notes and qualifiers.
    """
    notes: tuple[object, ...] = ()
    while True:
        origin = get_origin(hint)
        if origin is Annotated:
            notes += hint.__metadata__
            hint = hint.__origin__
        # `__required_keys__` is wrong for annotations that are strings.
        elif origin in (Required, NotRequired):
            is_required = origin is Required
            hint = hint.__args__[0]
        elif is_qualified(hint):
            hint = hint.__args__[0]
        else:
            return (Annotated[hint, *notes] if notes else hint), is_required


def _mangled(cls: type, name: str) -> UnsupportedType | None:
    """Refuse a key that begins with two underscores: in a class Python changes it."""
    own = f"_{cls.__name__.lstrip('_')}__"
    # Before Python 3.12 the bases of a typed dict are not known.
    of_base = re.match(r"_[A-Z][A-Za-z0-9]*__", name)
    prefix = own if name.startswith(own) else of_base.group() if of_base else None
    if prefix is None:
        return None
    plain = f"__{name.removeprefix(prefix)}"
    return UnsupportedType(
        f"Python changes the key {plain} to {name}, which would cross the wire",
        f'write {cls.__name__} = TypedDict("{cls.__name__}", {{"{plain}": ...}})',
        f"{cls.__name__}.{plain}",
        rule="private",
    )


def _namedtuple_fields(cls: Any, hints: Mapping[str, Any]) -> Iterator[Field]:
    defaults = cls._field_defaults
    for name in cls._fields:
        annotation = hints.get(name, inspect.Parameter.empty)
        default = defaults.get(name, attrs.NOTHING)
        yield Field(name, name, annotation, name not in defaults, default)


def _private(cls: type, name: str, to_send: str) -> UnsupportedType:
    field = "attrs.field" if attrs.has(cls) else "field"
    return UnsupportedType(
        "its name begins with an underscore, but it would cross the wire",
        f"write {field}(init=False) to keep it local, or {to_send}",
        f"{cls.__name__}.{name}",
        rule="private",
    )


def _no_fields(cls: type) -> tuple[Field, ...]:
    if cls.__init__ is not ApplicationError.__init__:  # type: ignore[misc]
        raise UnsupportedType(
            "it has its own constructor, so its fields are unknown",
            "make it an attrs class with @attrs.define",
            cls.__name__,
        )
    return ()


def _check_decorated(cls: type[Any], hints: Mapping[str, Any]) -> None:
    """Refuse fields that are only annotated: a subclass of a record needs the decorator as well."""
    if kind_of(cls) not in ("attrs", "dataclass", "error"):
        return
    undecorated = takewhile(lambda base: not _MADE.intersection(vars(base)), cls.__mro__)
    for name in (name for base in undecorated for name in inspect.get_annotations(base)):
        if get_origin(hints[name]) is not ClassVar and not hasattr(ApplicationError, name):
            decorator = "@dataclass" if dataclasses.is_dataclass(cls) else "@attrs.define"
            raise UnsupportedType(
                f"{name!r} is annotated but not a field",
                f"put {decorator} on the class",
                cls.__name__,
            )


_MADE = frozenset({"__attrs_attrs__", "__dataclass_fields__"})
"""Attributes that attrs and dataclass add to a class itself, and not to its subclasses."""


def _check_names(cls: type, fields: tuple[Field, ...]) -> None:
    """Refuse names that Python code cannot use, such as letters that it normalises."""
    for name in (name for field in fields for name in (field.attribute, field.name)):
        if not is_python_name(name):
            raise UnsupportedType(
                f"Python code cannot use {name!r} as the name of a field",
                f"rename it to {python_name(name)}",
                f"{cls.__name__}.{name}",
                rule="name",
            )


def _check_constructor(cls: type, fields: tuple[Field, ...]) -> None:
    # Catches `InitVar`, `init=False` and constructors written by hand.
    taken = set(inspect.signature(cls).parameters)
    if taken != {field.name for field in fields}:
        raise UnsupportedType(
            "its constructor takes other arguments than its fields",
            "let attrs or dataclass write the constructor, without InitVar",
            cls.__name__,
        )


def _check_error_fields(cls: type, fields: tuple[Field, ...]) -> None:
    for field in fields:
        if hasattr(ApplicationError, field.name):
            raise UnsupportedType(
                f"{field.name!r} is already an attribute of every error",
                "rename the field",
                cls.__name__,
            )
