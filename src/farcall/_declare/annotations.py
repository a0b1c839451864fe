"""Annotations, resolved to types, and the item types of streams and uploads."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from inspect import unwrap
from typing import Any, ClassVar, Final, get_args, get_origin

from msgspec import Struct

from farcall._contract.notes import check_notes, unwrapped
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_attribute


class Scope(Struct, frozen=True):
    """The names that annotations of one class may use in addition to those of its module.

    Under ``from __future__ import annotations`` names are resolved after the class is made. Python
    then looks in the module; the author may have meant a name of the function around the class, or
    of the class itself.
    """

    nearby: Mapping[str, object]

    @staticmethod
    def inside(owner: type[Any], around: Mapping[str, object]) -> Scope:
        """Add the types in a class. Its other members do not count: a method may be called list."""
        types = {name: each for name, each in vars(owner).items() if isinstance(each, type)}
        return Scope({**around, **types})

    def resolve(self, annotation: object, owner: object, site: Site, part: str) -> Any:
        """Turn an annotation of `owner` (a function or class) into a type.

        Raises:
            DeclarationError: A name in it is not defined, or it is not a Python expression.
        """
        holder = type("Holder", (), {"__annotations__": {"it": annotation}})
        if isinstance(owner, type):
            names: dict[str, Any] = dict(vars(sys.modules[owner.__module__]))
        else:
            names = getattr(unwrap(owner) if callable(owner) else owner, "__globals__", {})
        try:
            return typing.get_type_hints(holder, names, self.nearby, include_extras=True)["it"]
        except NameError as exc:
            raise site.error(
                Rule.UNRESOLVED_ANNOTATION,
                f"the annotation of {part} uses {exc.name!r}, which is not defined",
                f"Define or import {exc.name} at module level, outside `if TYPE_CHECKING`",
            ) from exc
        except Exception as exc:  # an annotation is any expression and may raise anything
            raise site.error(
                Rule.UNRESOLVED_ANNOTATION,
                f"the annotation of {part} cannot be evaluated ({exc})",
                "Write a type",
            ) from exc


def resolved_hints(cls: type[Any]) -> dict[str, Any]:
    """Resolve the annotations of a class, such as a stub, and its bases.

    Raises:
        DeclarationError: A name in one is not defined.
    """
    return {
        attribute: Scope.inside(base, {}).resolve(
            annotation, base, site_of_attribute(base, attribute), attribute
        )
        for base in reversed(cls.__mro__)
        for attribute, annotation in inspect.get_annotations(base).items()
    }


def names_around(depth: int) -> Mapping[str, object]:
    """Return the local names of the function `depth` frames above; none for a module."""
    frame = sys._getframe(depth + 1)
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def without_class_var(annotation: object) -> object:
    """Return ``T`` for ``ClassVar[T]`` and ``Final[T]``."""
    while get_origin(annotation) in (ClassVar, Final):
        (annotation,) = get_args(annotation)
    return annotation


UPLOADS: Final = (AsyncIterable, AsyncIterator)
"""The annotations of an upload. Callers pass any async iterable, so a handler cannot ask for more,
such as a generator."""

_STREAMS: Final = (*UPLOADS, AsyncGenerator)


def is_iterator(annotation: Any, kinds: Collection[type] = _STREAMS) -> bool:
    """Say whether an annotation stands for items that come one by one."""
    plain, _ = unwrapped(annotation)
    return (get_origin(plain) or plain) in kinds


def item_type(annotation: Any) -> Any:
    """Return ``T`` for ``AsyncIterator[T]`` and the like.

    A context manager around one, by which a stub writes a stream, counts as well.

    Returns:
        The type, or None if the annotation names none.

    Raises:
        UnsupportedType: An `Annotated` note limits the number of items.
    """
    plain, notes = unwrapped(annotation)
    check_notes(notes)
    if get_origin(plain) is AbstractAsyncContextManager:
        plain, _ = unwrapped(get_args(plain)[0])
    parts = get_args(plain)
    if not parts or not is_iterator(plain):
        return None
    # `get_args` does not turn the None of ``AsyncIterator[None]`` into its type.
    return type(None) if parts[0] is None else parts[0]
