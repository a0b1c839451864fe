"""How much fits into one message of items: reckoned once for each stream, not at each item.

A message of items is made when the writer takes it, and nobody is there any more to be told that
it is too large. So whoever puts an item asks first whether it fits, whatever its number will be.
"""

from __future__ import annotations

from typing import Final

from farcall._protocol.messages import BinaryItems, Items, RequestId

LAST_SEQ: Final = 2**53
"""Where JavaScript's integers end: no number of an item is longer."""

ITEM_OVERHEAD: Final = 8
"""More than the second and each further item of a message adds to its own bytes: a comma, and in a
binary frame the digits of its size. What is joined is small; an item of 10 MB has no company."""


def items_room(
    limit: int,
    id: RequestId,
    *,
    is_binary: bool = False,
    is_upload: bool = False,
    cursor: str | None = None,
) -> int:
    """Give the bytes of values that fit into one message of items.

    Args:
        limit: The largest message that the peer takes, in bytes.
        id: Of the call, or of the upload.
        is_binary: Whether it is a binary frame.
        is_upload: Whether `id` is that of an upload.
        cursor: None where the messages carry none; else one as long as any of them, and a count
            of missed values may stand beside it.

    Returns:
        The size of the largest item; of several, each takes `ITEM_OVERHEAD` more. It is negative
        where a peer takes no items at all.
    """
    if is_binary:
        digits = len(str(limit))
        return limit - digits - len(BinaryItems(id, LAST_SEQ, (), is_upload).render())
    missed = 0 if cursor is None else LAST_SEQ
    return limit - len(Items(id, LAST_SEQ, (), cursor, missed, is_upload).render())
