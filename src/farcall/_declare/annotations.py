"""Annotations as written, turned into the types they name, those of stream and upload items too."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from inspect import unwrap
from typing import Any, ClassVar, Final, get_args, get_origin

import attrs

from farcall._contract.notes import check_notes, unwrapped
from farcall._declare.rules import Rule
from farcall._declare.sites import Site, site_of_attribute


@attrs.frozen
class Scope:
    """Where the names in the annotations of one class are looked up.

    Under ``from __future__ import annotations`` they are looked up late, when the class is
    there: in its module, as Python does, and beyond that in the function around the class and in
    the class itself, where their names stood when they were written.
    """

    nearby: Mapping[str, object]

    @staticmethod
    def inside(owner: type[Any], around: Mapping[str, object]) -> Scope:
        """Look in the class as well; a *method* called ``list`` does not hide the type."""
        inside = {name: each for name, each in vars(owner).items() if isinstance(each, type)}
        return Scope({**around, **inside})

    def resolve(self, annotation: object, owner: object, site: Site, what: str) -> Any:
        """Turn an annotation of `owner` (a function or class) into a type.

        Raises:
            DeclarationError: a name in it is not defined, or it is no Python expression.
        """
        holder = type("Holder", (), {"__annotations__": {"it": annotation}})
        names = _names_of_module(owner)
        try:
            return typing.get_type_hints(holder, names, self.nearby, include_extras=True)["it"]
        except NameError as exc:
            raise site.error(
                Rule.UNRESOLVED_ANNOTATION,
                f"the annotation of {what} names {exc.name!r}, which is not defined",
                f"Define or import {exc.name} in the module, outside of `if TYPE_CHECKING`",
            ) from exc
        except Exception as exc:  # an annotation is any expression and may raise anything
            raise site.error(
                Rule.UNRESOLVED_ANNOTATION,
                f"the annotation of {what} cannot be evaluated ({exc})",
                "Write a type there",
            ) from exc


def resolved_hints(cls: type[Any]) -> dict[str, Any]:
    """Resolve the annotations of a class and its bases, as those of a stub.

    Raises:
        DeclarationError: a name in one is not defined.
    """
    return {
        attribute: Scope.inside(base, {}).resolve(
            annotation, base, site_of_attribute(base, attribute), attribute
        )
        for base in reversed(cls.__mro__)
        for attribute, annotation in inspect.get_annotations(base).items()
    }


def names_around(depth: int) -> Mapping[str, object]:
    """Collect the local names of the function `depth` frames above; none for a module."""
    frame = sys._getframe(depth + 1)
    return {} if frame.f_locals is frame.f_globals else dict(frame.f_locals)


def without_class_var(annotation: object) -> object:
    """Give ``T`` for ``ClassVar[T]`` and ``Final[T]``."""
    while get_origin(annotation) in (ClassVar, Final):
        (annotation,) = get_args(annotation)
    return annotation


def _names_of_module(owner: object) -> dict[str, Any]:
    if isinstance(owner, type):
        return dict(vars(sys.modules[owner.__module__]))
    inner = unwrap(owner) if callable(owner) else owner
    return getattr(inner, "__globals__", {})


UPLOADS: Final = (AsyncIterable, AsyncIterator)
"""As what a parameter may be annotated: callers pass anything to iterate over, so nothing that
does more can be asked for."""

_STREAMS: Final = (*UPLOADS, AsyncGenerator)


def is_iterator(annotation: Any, kinds: Collection[type] = _STREAMS) -> bool:
    """Say whether an annotation means items that come one after the other."""
    plain, _ = unwrapped(annotation)
    return (get_origin(plain) or plain) in kinds


def item_type(annotation: Any) -> Any:
    """Give ``T`` for ``AsyncIterator[T]`` and its kin, and for a context manager that gives one.

    The latter is how a stub writes a stream.

    Returns:
        The type, or None where the annotation names none.

    Raises:
        UnsupportedType: a note limits how many items there may be.
    """
    plain, notes = unwrapped(annotation)
    check_notes(notes)
    if get_origin(plain) is AbstractAsyncContextManager:
        plain, _ = unwrapped(get_args(plain)[0])
    parts = get_args(plain)
    if not parts or not is_iterator(plain):
        return None
    # ``AsyncIterator[None]`` keeps None as it is written.
    return type(None) if parts[0] is None else parts[0]
