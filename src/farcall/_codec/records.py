"""Objects with fields: records, errors, and the arguments of a call.

Functions that cattrs generates read and write them. This module checks that JSON data is an object
and that an instance is of its class, and reports faults with their paths.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from linecache import getline
from traceback import walk_tb
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from farcall._codec.faults import MAX_FAULTS, Fault, Mismatch, member, mismatch, refused
from farcall._codec.generated import (
    Field,
    Structure,
    structure_class,
    structure_table,
    unstructure_class,
    unstructure_table,
)
from farcall._codec.shape import OMIT, Read, Write, class_of
from farcall._contract.records import attribute_names

if TYPE_CHECKING:
    from cattrs import BaseConverter, ClassValidationError

MAX_MESSAGE = 200
"""Characters of a validator's message that reach the peer; it may contain the value."""


class Record(Struct, frozen=True, eq=False):
    """The shape of a record, which is an object in JSON; the class of a TypedDict is `dict`."""

    label: str
    cls: type
    read: Read
    write: Write

    def fits(self, value: object) -> bool:
        return isinstance(value, self.cls)


class Fields(Struct, frozen=True):
    """The members of one kind of object."""

    fields: Sequence[Field]
    converter: BaseConverter
    """Has the hooks of their types."""
    refuses_unknown: bool
    noun: str = "field"
    path_of: Callable[[str], str] = member
    """Writes the path of a member in the object."""

    @property
    def names(self) -> frozenset[str]:
        return frozenset(field.name for field in self.fields)

    @property
    def is_detailed(self) -> bool:
        """Whether functions made of them report every fault, with its path."""
        return self.converter.detailed_validation

    @property
    def names_unknown(self) -> bool:
        """Whether cattrs looks for unknown members, of which it makes a set.

        `_guarded` takes half the time if only their presence counts.
        """
        return self.is_detailed and self.refuses_unknown


def class_record(label: str, cls: type, fields: Fields) -> Record:
    """Make the shape of a class that is called with its fields.

    An instance of a subclass crosses as the declared class.
    """
    if fields.is_detailed:
        write = _one_by_one(fields, getattr)
    else:
        write = unstructure_class(cls, fields.fields, fields.converter)
    return Record(
        label,
        cls,
        _class_reader(label, cls, fields),
        _checked(label, cls, write),
    )


def table_record(label: str, fields: Fields) -> Record:
    """Make the shape of a `TypedDict`, whose values are plain dicts."""
    names, write = fields.names, members_writer(fields)

    def write_known(table: dict[Any, Any]) -> Any:
        if names.issuperset(table):
            return write(table)
        raise Mismatch(_unknown(fields, table))

    return Record(label, dict, members_reader(label, fields), _checked(label, dict, write_known))


def members_reader(label: str, fields: Fields) -> Read:
    """Make the function that reads the members of an object into a dict."""
    structure = structure_table(
        fields.fields, fields.converter, refuses_unknown=fields.names_unknown
    )
    if not fields.refuses_unknown:
        structure = _of_known_parts(fields.names, structure)
    return _guarded(label, fields, structure)


def members_writer(fields: Fields) -> Write:
    """Make the function that writes the members of a dict that has no others."""
    if fields.is_detailed:
        return _one_by_one(fields, dict[str, Any].get)
    return unstructure_table(fields.fields, fields.converter)


def _class_reader(label: str, cls: type, fields: Fields) -> Read:
    structure = structure_class(
        cls, fields.fields, fields.converter, refuses_unknown=fields.names_unknown
    )
    is_bare = not fields.is_detailed and not fields.refuses_unknown
    if is_bare and any(field.is_required for field in fields.fields):
        return structure  # it looks for a key, so it fails for other data than an object
    return _guarded(label, fields, structure)


def _guarded(label: str, fields: Fields, structure: Structure) -> Read:
    """Check that data is an object before `structure` takes it for one."""
    names = fields.names
    if fields.is_detailed:
        structure = _with_faults(label, fields, structure)

    def read(data: Any, _: object = None) -> Any:
        if type(data) is dict:
            return structure(data, None)
        raise mismatch(f"expected {label}")

    def read_known(data: Any, _: object = None) -> Any:
        if type(data) is dict and names.issuperset(data):  # pyright: ignore[reportUnknownArgumentType]
            return structure(data, None)
        raise mismatch(f"expected {label}")

    return read_known if fields.refuses_unknown and not fields.is_detailed else read


def _of_known_parts(names: frozenset[str], structure: Structure) -> Structure:
    # cattrs copies the unknown members of a table as well.
    def read(data: dict[str, Any], _: object) -> Any:
        if not names.issuperset(data):
            data = {name: part for name, part in data.items() if name in names}
        return structure(data, None)

    return read


def _with_faults(label: str, fields: Fields, structure: Structure) -> Structure:
    """Turn the errors of cattrs into faults."""
    from cattrs import ClassValidationError  # noqa: PLC0415 - it is imported when it is needed

    def read(data: dict[str, Any], _: object) -> Any:
        try:
            return structure(data, None)
        except ClassValidationError as error:
            raise Mismatch(_faults(label, fields, data, error)) from error

    return read


def _faults(
    label: str, fields: Fields, data: Mapping[str, Any], error: ClassValidationError
) -> list[Fault]:
    of_members, of_all = error.group_exceptions()
    faults: list[Fault] = []
    for exc, note in of_members:
        faults += _member_faults(fields.path_of, note.name, data, exc)
    if fields.refuses_unknown:
        faults += _unknown(fields, data)
    # cattrs calls the constructor only if it found no fault before.
    return faults or [Fault(_refused_path(exc, label), refusal(exc, label)) for exc in of_all]


def _member_faults(
    path_of: Callable[[str], str], name: str, data: Mapping[str, Any], exc: Exception
) -> list[Fault]:
    if name not in data:
        return [Fault(member(name), "missing")]
    if isinstance(exc, Mismatch):
        return exc.within(path_of(name)).faults
    raise exc


def _unknown(fields: Fields, data: Iterable[Any]) -> list[Fault]:
    """Report unknown members, at most `MAX_FAULTS`."""
    known = fields.names
    names = islice((name for name in data if name not in known), MAX_FAULTS)
    return [Fault(member(str(name)), f"unknown {fields.noun}") for name in names]


_CHECK = re.compile(r"__attr_(?:validator|converter)_(\w+)\(")
"""The call of a field's validator or converter in a constructor that attrs generates."""


def _refused_path(error: Exception, label: str) -> str:
    """Find the field whose validator or converter refused its value; empty for a whole record.

    The exception is the one that the user's function raised, so the field is known from the
    traceback alone: the constructor has a line for each field.
    """
    for frame, number in walk_tb(error.__traceback__):
        file, cls = frame.f_code.co_filename, class_of(frame.f_locals.get("self"))
        if file.startswith("<attrs generated") and cls.__name__ == label:
            found = _CHECK.search(getline(file, number))
            names = {name: alias for alias, name in attribute_names(cls).items()}
            return member(names[found[1]]) if found and found[1] in names else ""
    return ""


def refusal(error: Exception, label: str) -> str:
    """Tell the peer why a constructor refused; of exceptions only ValueError is meant for it."""
    if isinstance(error, ValueError) and error.args and isinstance(error.args[0], str):
        return error.args[0][:MAX_MESSAGE]
    return f"refused by {label}"


def _checked(label: str, cls: type, write: Write) -> Write:
    def write_instance(value: Any) -> Any:
        if isinstance(value, cls):
            return write(value)
        raise refused(label, value, [cls])

    return write_instance


def _one_by_one(fields: Fields, get: Callable[[Any, str, Any], Any]) -> Write:
    """Write each member by itself, which gives faults a path, and leave out each `OMIT`.

    cattrs generates no such function.
    """
    writers = [
        (each, fields.converter.get_unstructure_hook(each.type, cache_result=False))
        for each in fields.fields
    ]

    def write(value: Any) -> dict[str, Any]:
        written: dict[str, Any] = {}
        for field, write_member in writers:
            part = get(value, field.attribute, OMIT)
            if part is not OMIT:
                try:
                    written[field.name] = write_member(part)
                except Mismatch as fault:
                    raise fault.within(member(field.name)) from None
            elif field.is_required:
                raise mismatch("missing", member(field.name))
        return written

    return write
