"""Finding the id of a message over the limit, of which only both ends are in memory.

Theory of operation. A caller must not wait for ever because its message was too large, and clients
write the id first or last. So the top level of the object is read from its first byte forwards, and
from its last byte backwards, as far as the text is here. Either scan starts outside of every string
and bracket, so it never takes a text in a string, or a nested member, for a member of the message.
A text that is not JSON may get a response under a wrong id, which harms only its sender.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Final

import msgspec
from msgspec import Raw, Struct

from farcall._json import UnreadableText, decode
from farcall._limits import MessageLimit
from farcall._protocol.framing import read_text
from farcall._protocol.messages import Error, error_response
from farcall._protocol.reading import end_unreadable
from farcall._protocol.state import ProtocolState
from farcall.errors import ErrorCode

END_BYTES: Final = 4096
"""In memory of either end: an id of 256 bytes, a method, and some members beside them."""
SKIPPED_TIMES: Final = 16
"""How many times the limit a skipped message may have: 16 MiB in a server, as farcall's own client
takes. Each byte that is skipped costs the time of one that is read."""

_SPACE: Final = b" \t\r\n"
_NOT_HERE: Final = b""
"""Stands for a value that is an array, an object, or not complete."""
_FORWARD = re.compile(
    rb'[ \t\r\n]*+("[^"\\]*+(?:\\.[^"\\]*+)*+"|[^][{},:" \t\r\n]++|[][{},:])', re.DOTALL
)
# Of a reversed text. A quote within a string has a backslash before it, and the quote that opens
# one has not: before that stands a bracket, a comma, a colon or white space.
_BACKWARD = re.compile(
    rb'[ \t\r\n]*+("[^"]*+(?:"\\[^"]*+)*+"(?=[^\\])|[^][{},:" \t\r\n]++|[][{},:])', re.DOTALL
)
_anything = msgspec.json.Decoder(object)


class Skipped(Struct):
    """The ends of a message over the limit."""

    limit: MessageLimit
    head: bytes
    tail: bytes
    size: int
    """Of the message so far, in bytes."""

    @classmethod
    def of(cls, data: bytes | bytearray, limit: MessageLimit) -> Skipped:
        """Keep the ends of the bytes that have come so far."""
        return cls(limit, bytes(data[:END_BYTES]), bytes(data[-END_BYTES:]), len(data))

    def add(self, piece: bytes | bytearray) -> None:
        """Take the next piece."""
        if len(self.head) < END_BYTES:
            self.head += piece[: END_BYTES - len(self.head)]
        self.tail = bytes((self.tail + piece)[-END_BYTES:])
        self.size += len(piece)

    @property
    def held(self) -> int:
        """Bytes in memory."""
        return len(self.head) + len(self.tail)


def is_worth_skipping(state: ProtocolState, start: bytes) -> bool:
    """Tell whether a message over the limit that begins so may be a call, or a response.

    A farcall peer knows the limit, and a batch has no id.
    """
    return not state.is_greeted and start.lstrip(_SPACE)[:1] == b"{"


def read_skipped(state: ProtocolState, message: Skipped, problem: str) -> bool:
    """End the call that a message over the limit makes, or responds to; tell if there is one."""
    members = find_members(message)
    id = members.get("id", b"")
    if not 0 < len(id) <= state.limits.request_id or not _is_id(id):
        return False
    has_outcome = "result" in members or "error" in members
    if has_outcome or "method" not in members:
        call = state.call_awaiting(id)
        if call is not None:
            end_unreadable(state, call, problem)
            return True
    # A farcall peer that greets learns the reason from the close code.
    is_hello = members.get("method") == b'"rpc.hello"'
    if has_outcome or is_hello or state.has_dialled or id in state.incoming:
        return False
    data = {"limit": message.limit.name, "bytes": message.limit.size}
    error = Error.of(ErrorCode.INVALID_REQUEST, data)
    state.listener.on_reply(error_response(id, error))
    return True


def find_members(message: Skipped) -> dict[str, bytes]:
    """Find the members of the object, with the text of each value that is complete.

    Of two members of one name the last counts.
    """
    found: dict[str, bytes] = {}
    if message.head.lstrip(_SPACE)[:1] != b"{" or message.tail.rstrip(_SPACE)[-1:] != b"}":
        return found
    at_start = list(_members(_tokens(_FORWARD, message.head), b"{[", b"}]"))
    for member, _ in at_start:
        _add(found, member)
    if message.size <= len(message.head):
        return found
    if any(is_over for _, is_over in at_start):  # an object ends with its last byte
        return {}
    at_end = list(_members(_tokens(_BACKWARD, message.tail[::-1]), b"}]", b"{["))
    if not any(is_over for _, is_over in at_end):  # and begins with its first one
        for member, _ in reversed(at_end):
            if len(member) == 3:
                _add(found, [token[::-1] for token in reversed(member)])
    return found


def _add(found: dict[str, bytes], member: list[bytes]) -> None:
    """Add a member, also one whose value is not complete."""
    match member:
        case [name, b":", *value]:
            with suppress(UnreadableText):  # not a name
                found[read_text(Raw(name))] = value[0] if len(value) == 1 else _NOT_HERE
        case _:
            pass


def _tokens(pattern: re.Pattern[bytes], text: bytes) -> Iterator[bytes]:
    """Yield the tokens of a text, up to one that is invalid or incomplete."""
    match = pattern.match(text)
    while match is not None:
        yield match[1]
        match = pattern.match(text, match.end())


def _members(
    tokens: Iterable[bytes], opening: bytes, closing: bytes
) -> Iterator[tuple[list[bytes], bool]]:
    """Yield the tokens of each member at the top level, and whether the object ends with it.

    A nested value is one token, `_NOT_HERE`. If the tokens end before the object does, the last
    member has at most its name and its colon, which are certain.
    """
    depth = 0
    member: list[bytes] = []
    for token in tokens:
        depth += (token in opening) - (token in closing)
        if depth == 0:
            yield member, True
            return
        if depth == 1 and token == b",":
            yield member, False
            member = []
        elif depth == 1 and token not in opening:
            member.append(_NOT_HERE if token in closing else token)
    yield member[:2], False


def _is_id(text: bytes) -> bool:
    """Tell whether a text may be the id of a call: a JSON string or number."""
    try:
        value = decode(_anything, text)
    except UnreadableText:
        return False
    return isinstance(value, str | int | float) and not isinstance(value, bool)
