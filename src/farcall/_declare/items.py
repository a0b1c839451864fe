"""The annotations of streams and uploads, and the type of the items in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, get_args, get_origin

from farcall._contract.notes import check_notes, unwrapped

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
