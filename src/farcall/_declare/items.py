"""The annotations of streams and uploads, and the type of the items in them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Collection
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, get_args, get_origin

from farcall._contract.types import without_notes

UPLOADS: Final = (AsyncIterable, AsyncIterator)
"""As what a parameter may be annotated: callers pass anything to iterate over, so nothing that
does more can be asked for."""

_STREAMS: Final = (*UPLOADS, AsyncGenerator)


def is_iterator(annotation: Any, kinds: Collection[type] = _STREAMS) -> bool:
    """Say whether an annotation means items that come one after the other."""
    plain = without_notes(annotation)
    return (get_origin(plain) or plain) in kinds


def item_type(annotation: Any) -> Any:
    """Give ``T`` for ``AsyncIterator[T]`` and its kin, and for a context manager that gives one.

    The latter is how a stub writes a stream.

    Returns:
        The type, or None where the annotation names none.
    """
    plain = without_notes(annotation)
    if get_origin(plain) is AbstractAsyncContextManager:
        plain = without_notes(get_args(plain)[0])
    parts = get_args(plain)
    return parts[0] if parts and is_iterator(plain) else None
