"""What cattrs writes: one function for each record, with the hooks of its fields in it.

The functions here are its generators, given fields as the contract has them rather than a class
to read. What they make takes for granted that it is given an object, or an instance of the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from itertools import takewhile
from typing import Annotated, Any, NotRequired, TypeAlias, TypedDict

import attrs
from cattrs import BaseConverter, gen, override
from cattrs.gen import typeddicts

from farcall._codec.shape import OMIT, Read, Write

Structure: TypeAlias = Callable[[Any, Any], Any]
"""A hook that reads, of cattrs' own form: the second argument is the type."""

# Their types are not told in full.
_attribute: Any = attrs.Attribute
_generators: Any = gen
_table_generators: Any = typeddicts
_typeddict: Any = TypedDict


@attrs.frozen
class Field:
    """One member of an object."""

    name: str
    attribute: str
    """Where a Python record keeps it."""
    type: object
    """What the converter knows its hooks by."""
    is_required: bool


def converter_of(
    read: Callable[[Any], Read], write: Callable[[Any], Write], *, is_detailed: bool
) -> BaseConverter:
    """Make a converter with strict hooks.

    It knows types by what stands for them, and that is never a class: for some classes cattrs
    has hooks of its own, which come first and are not strict.

    Args:
        read: Gives the hook that reads, for whatever stands for a type.
        write: Gives the hook that writes.
        is_detailed: Whether the functions written with it tell every fault.
    """
    converter = BaseConverter(detailed_validation=is_detailed)
    converter.register_structure_hook_factory(_is_type, read)
    converter.register_unstructure_hook_factory(_is_type, write)
    return converter


def _is_type(_: object) -> bool:
    return True


def structure_class(
    cls: type, fields: Sequence[Field], converter: BaseConverter, *, refuses_unknown: bool
) -> Read:
    """Write the function that reads an object and calls a class with its members."""
    structure: Read = _generators.make_dict_structure_fn_from_attrs(
        _arguments(cls, fields),
        _with_name(cls),
        converter,
        # These go into the name of the function, no further.
        {variable.__name__: Any for variable in getattr(cls, "__parameters__", ())},
        _cattrs_forbid_extra_keys=refuses_unknown,
        _cattrs_use_alias=True,
    )
    return structure


def unstructure_class(cls: type, fields: Sequence[Field], converter: BaseConverter) -> Write:
    """Write the function that makes an object of an instance.

    It leaves out what is `OMIT` by default, as a stub has it; where `OMIT` stands for any other
    default no hook takes it, and it fails.
    """
    unstructure: Write = _generators.make_dict_unstructure_fn_from_attrs(
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
    """Write the function that copies an object and reads the members in it."""
    structure: Structure = _table_generators.make_dict_structure_fn(
        _table_class(fields, converter),
        converter,
        _cattrs_forbid_extra_keys=refuses_unknown,
    )
    return structure


def unstructure_table(fields: Sequence[Field], converter: BaseConverter) -> Write:
    """Write the function that copies a dict and writes the members in it; it fails on `OMIT`."""
    unstructure: Write = _table_generators.make_dict_unstructure_fn(
        _table_class(fields, converter), converter
    )
    return unstructure


def _with_name(cls: type) -> Callable[..., Any]:
    """Give a class, or what calls it, with a name that a function may have."""
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
            # A default tells cattrs that it may be absent, no more.
            attrs.NOTHING if field.is_required else None,
            by_name=field.name not in by_position,
        )
        for field in fields
    ]


def _by_position(cls: type, fields: Sequence[Field]) -> set[str]:
    """Tell what may be given by position, which is faster.

    A constructor written by hand may have an order of its own.
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
    # An error without fields may take anything; what it takes is then no matter.
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
    """Make a `TypedDict` of which cattrs reads the keys, and the hook of each."""
    return _typeddict("Table", {field.name: _item(field, converter) for field in fields})


def _item(field: Field, converter: BaseConverter) -> Any:
    hooks = override(
        struct_hook=converter.get_structure_hook(field.type, cache_result=False),
        unstruct_hook=converter.get_unstructure_hook(field.type, cache_result=False),
    )
    annotation: Any = Annotated[Any, hooks]
    return annotation if field.is_required else NotRequired[annotation]
