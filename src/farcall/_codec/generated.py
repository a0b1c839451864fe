"""Functions that cattrs generates: one for each record, with the hooks of its fields in it.

Its generators get the fields from the contract instead of reading a class. The functions they make
expect an object, or an instance of the class, and do not check that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from inspect import Parameter, signature
from itertools import takewhile
from typing import TYPE_CHECKING, Annotated, Any, NotRequired, TypeAlias, TypedDict

import attrs
from msgspec import Struct

from farcall._codec.shape import OMIT, Read, Write

if TYPE_CHECKING:
    from cattrs import BaseConverter

Structure: TypeAlias = Callable[[Any, Any], Any]
"""A hook that reads as cattrs calls it: the second argument is the type."""

# Their annotations are incomplete.
_attribute: Any = attrs.Attribute
_typeddict: Any = TypedDict


def _cattrs(module: str = "cattrs") -> Any:
    """Import cattrs when a type first needs it, for programs whose types all have mirrors do not.

    The annotations of its generators are incomplete.
    """
    return import_module(module)


class Field(Struct, frozen=True):
    """One member of an object."""

    name: str
    attribute: str
    """Where a Python record keeps it."""
    type: object
    """The key of its hooks in the converter."""
    is_required: bool


def converter_of(
    read: Callable[[Any], Read], write: Callable[[Any], Write], *, is_detailed: bool
) -> BaseConverter:
    """Make a converter with strict hooks.

    Its keys stand for types and are never classes: for some classes cattrs has hooks of its own,
    which come first and are not strict.

    Args:
        read: Returns the hook that reads, for the key of a type.
        write: Returns the hook that writes.
        is_detailed: Whether the generated functions report every fault.
    """
    converter: BaseConverter = _cattrs().BaseConverter(detailed_validation=is_detailed)
    converter.register_structure_hook_factory(lambda _: True, read)
    converter.register_unstructure_hook_factory(lambda _: True, write)
    return converter


def structure_class(
    cls: type, fields: Sequence[Field], converter: BaseConverter, *, refuses_unknown: bool
) -> Read:
    """Generate the function that reads an object and calls a class with its members."""
    structure: Read = _cattrs("cattrs.gen").make_dict_structure_fn_from_attrs(
        _arguments(cls, fields),
        _with_name(cls),
        converter,
        # These go into the name of the function alone.
        {variable.__name__: Any for variable in getattr(cls, "__parameters__", ())},
        _cattrs_forbid_extra_keys=refuses_unknown,
        _cattrs_use_alias=True,
    )
    return structure


def unstructure_class(cls: type, fields: Sequence[Field], converter: BaseConverter) -> Write:
    """Generate the function that makes an object of an instance.

    It leaves out a field that is `OMIT` if that is its default, as in a stub. It fails for `OMIT`
    in any other field, which no hook takes.
    """
    unstructure: Write = _cattrs("cattrs.gen").make_dict_unstructure_fn_from_attrs(
        _attributes(cls, fields),
        _with_name(cls),
        converter,
        _cattrs_omit_if_default=True,
        _cattrs_use_alias=True,
    )
    return unstructure


def structure_table(
    fields: Sequence[Field], converter: BaseConverter, *, refuses_unknown: bool
) -> Structure:
    """Generate the function that copies an object and reads the members in it."""
    structure: Structure = _cattrs("cattrs.gen.typeddicts").make_dict_structure_fn(
        _table_class(fields, converter),
        converter,
        _cattrs_forbid_extra_keys=refuses_unknown,
    )
    return structure


def unstructure_table(fields: Sequence[Field], converter: BaseConverter) -> Write:
    """Generate the function that copies a dict and writes its members; it fails on `OMIT`."""
    unstructure: Write = _cattrs("cattrs.gen.typeddicts").make_dict_unstructure_fn(
        _table_class(fields, converter), converter
    )
    return unstructure


def _with_name(cls: type) -> Callable[..., Any]:
    """Return a class, or a function that calls it, whose name a function can have."""
    if cls.__name__.isidentifier():
        return cls

    def construct(*args: Any, **kwargs: Any) -> Any:
        return cls(*args, **kwargs)

    return construct


def _arguments(cls: type, fields: Sequence[Field]) -> list[Any]:
    by_position = _by_position(cls, fields)
    return [
        _attribute_of(
            field,
            field.name,
            # To cattrs a default says only that the member may be absent.
            attrs.NOTHING if field.is_required else None,
            by_name=field.name not in by_position,
        )
        for field in fields
    ]


def _by_position(cls: type, fields: Sequence[Field]) -> set[str]:
    """Name the fields to pass by position, which is faster.

    A constructor written by hand may have another order.
    """
    positions = [
        each.name
        for each in _parameters(cls, fields).values()
        if each.kind != Parameter.KEYWORD_ONLY
    ]
    required = [field.name for field in fields if field.is_required]
    pairs = takewhile(lambda pair: pair[0] == pair[1], zip(required, positions, strict=False))
    return {name for name, _ in pairs}


def _attributes(cls: type, fields: Sequence[Field]) -> list[Any]:
    parameters = _parameters(cls, fields)
    return [
        _attribute_of(
            field,
            field.attribute,
            OMIT if parameters[field.name].default is OMIT else attrs.NOTHING,
        )
        for field in fields
    ]


def _parameters(cls: type, fields: Sequence[Field]) -> Mapping[str, Parameter]:
    # An error without fields may have any constructor.
    return signature(cls).parameters if fields else {}


def _attribute_of(field: Field, name: str, default: object, *, by_name: bool = False) -> Any:
    return _attribute(
        name,
        default,
        validator=None,
        repr=True,
        cmp=None,
        hash=None,
        init=True,
        inherited=False,
        type=field.type,
        kw_only=by_name,
        alias=field.name,
    )


def _table_class(fields: Sequence[Field], converter: BaseConverter) -> Any:
    """Make a `TypedDict` from which cattrs reads the keys and the hook of each."""
    return _typeddict("Table", {field.name: _item(field, converter) for field in fields})


def _item(field: Field, converter: BaseConverter) -> Any:
    hooks = _cattrs().override(
        struct_hook=converter.get_structure_hook(field.type, cache_result=False),
        unstruct_hook=converter.get_unstructure_hook(field.type, cache_result=False),
    )
    annotation: Any = Annotated[Any, hooks]
    return annotation if field.is_required else NotRequired[annotation]
