"""The first request on a connection, read within limits."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import Final

import h11
import trio
from msgspec import Struct

from farcall._limits import Limits
from farcall._transport.http.origin import Authority
from farcall._transport.http.response import Rejection

TOO_LARGE: Final = 431
"""RFC 6585, section 5: Request Header Fields Too Large; used for the first line as well."""

_BARE_LINE_END: Final = re.compile(rb"(?<!\r)\n")
_FOLDED_LINE: Final = re.compile(rb"\n[ \t]")

_ABSOLUTE: Final = re.compile(
    r"(?:https?|wss?)://(?P<authority>[^/?#]*)(?P<path>/[^?#]*)?(?P<query>\?[^#]*)?", re.IGNORECASE
)
"""RFC 9112, section 3.2.2. Clients that take us for a proxy send it, some of them with ws."""


class Request(Struct, frozen=True):
    """The head of a request; its body, if there is one, is never read."""

    method: str
    target: str
    """Path and query, as sent."""
    version: str
    """The version of HTTP, such as ``1.1``."""
    fields: Sequence[tuple[bytes, bytes]]
    """The header fields in their order, names in lower case."""
    early: bytes = b""
    """Bytes after its blank line that were read with it."""

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """What stands after the question mark; it may be secret."""
        return self.target.partition("?")[2]

    @property
    def headers(self) -> Mapping[str, str]:
        """The fields by their names in lower case."""
        return readable(self.fields)

    @property
    def wants_websocket(self) -> bool:
        """Whether it asks for an upgrade to WebSocket (RFC 6455, section 4.2.1)."""
        protocols = self.headers.get("upgrade", "").split(",")
        return "websocket" in [protocol.strip().lower() for protocol in protocols]


async def read_request(stream: trio.abc.ReceiveStream, limits: Limits) -> Request:
    """Read the first request of a connection.

    Raises:
        Rejection: it is malformed, or over a limit.
        trio.BrokenResourceError: the peer has hung up.

    Cancellation:
        What was read is lost, so hang up.
    """
    protocol = h11.Connection(h11.SERVER, max_incomplete_event_size=limits.head)
    head = bytearray()
    while True:
        data = await stream.receive_some()
        if not data:
            raise trio.BrokenResourceError("the peer hung up before its request was complete")
        head += data
        event = _next_event(protocol, bytes(data), limits)
        if isinstance(event, h11.Request):
            early, _ = protocol.trailing_data
            del head[len(head) - len(early) :]
            _check_size(head, event, limits)
            if (problem := ambiguity(head)) is not None:
                raise Rejection(400, f"this port speaks HTTP: {problem}")
            return _request(event, early)


def _next_event(protocol: h11.Connection, data: bytes, limits: Limits) -> object:
    try:
        protocol.receive_data(data)
        return protocol.next_event()
    except h11.RemoteProtocolError as exc:
        if exc.error_status_hint == TOO_LARGE:
            raise _too_large(f"{limits.head} bytes", "head") from None
        # After a colon, h11 quotes what it has read: up to 16 KiB, with the query.
        problem = str(exc).partition(":")[0]
        raise Rejection(exc.error_status_hint, f"this port speaks HTTP: {problem}") from None


def _check_size(head: bytearray, event: h11.Request, limits: Limits) -> None:
    # h11 itself enforces the limit only while a request is incomplete.
    if len(head) > limits.head:
        raise _too_large(f"{limits.head} bytes", "head")
    if any(len(line.rstrip(b"\r")) > limits.header_line for line in head.split(b"\n")):
        raise _too_large(f"{limits.header_line} bytes in a line", "header_line")
    if len(list(event.headers)) > limits.headers:
        raise _too_large(f"{limits.headers} headers", "headers")


def _too_large(most: str, limit: str) -> Rejection:
    return Rejection(TOO_LARGE, f"a request has more than {most} (the limit {limit})")


def ambiguity(head: bytes | bytearray) -> str | None:
    """Return what two readers of a head may understand differently, if anything.

    h11 takes a line feed for a line end, and joins folded lines, as RFC 9112 (sections 2.2 and 5.2)
    allows. A proxy that does neither may pass on a header that it has not seen, or the head of
    another request.
    """
    if _BARE_LINE_END.search(head):
        return "a line ends without a carriage return"
    if _FOLDED_LINE.search(head):
        return "a header continues on a second line"
    return None


def _request(event: h11.Request, early: bytes) -> Request:
    target = event.target.decode("ascii")  # h11 refuses all other bytes
    fields = list(event.headers)
    if not target.startswith("/"):
        target, fields = _origin_form(target, fields)
    if "#" in target:
        raise Rejection(400, "the target of a request must not have a fragment")
    method, version = event.method.decode("ascii"), event.http_version.decode("ascii")
    return Request(method, target, version, fields, early)


def _origin_form(
    target: str, fields: Sequence[tuple[bytes, bytes]]
) -> tuple[str, list[tuple[bytes, bytes]]]:
    """Split a URL that stands in the place of a path into its path and its host.

    The host of the URL replaces the header Host (RFC 9112, section 3.2.2): all checks of Host have
    to see the one that counts.
    """
    found = _ABSOLUTE.fullmatch(target)
    if found is None or Authority.parse(found["authority"]) is None:
        raise Rejection(400, "the target of a request must be a path, such as /, or a URL")
    others = [field for field in fields if field[0] != b"host"]
    host = (b"host", found["authority"].encode("ascii"))
    return (found["path"] or "/") + (found["query"] or ""), [host, *others]


def readable(fields: Sequence[tuple[bytes, bytes]]) -> Mapping[str, str]:
    """Decode header fields, and join repeated ones (RFC 9110, section 5.3)."""
    found: dict[str, str] = {}
    for raw_name, raw_value in fields:
        # Connections stay, with the same few names.
        name, value = sys.intern(raw_name.decode("latin-1").lower()), raw_value.decode("latin-1")
        separator = "; " if name == "cookie" else ", "
        found[name] = f"{found[name]}{separator}{value}" if name in found else value
    return found
