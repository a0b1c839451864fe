"""The seam above a link: the methods that it calls on the layer that serves the peer.

The reader calls them and never waits, so none of them blocks. Whatever takes time is started as a
task of the link.
"""

from __future__ import annotations

from typing import Protocol

from farcall._connection.responses import Request
from farcall._protocol.messages import Hello


class Handler(Protocol):
    """Takes the calls and messages of the peer; no method blocks or raises."""

    @property
    def is_busy(self) -> bool:
        """Whether calls of the peer are in flight."""
        ...

    def on_open(self) -> None:
        """The link is open and can send."""

    def on_hello(self, hello: Hello, /) -> None:
        """The peer has said hello, or has answered ours."""

    def on_request(self, request: Request, /) -> None:
        """The peer calls a method; respond once, by `Request.respond` or `Request.fail`."""

    def on_notification(self, method: str, params: bytes | None, trace: str | None, /) -> None:
        """The peer calls a method and wants no response."""

    def on_event(self, name: str, params: bytes | None, /) -> None:
        """A plain peer emits an event."""

    def on_draining(self) -> None:
        """This side closes once the calls in flight have ended; begin no new ones."""

    def on_grace_over(self) -> None:
        """The time of the calls in flight is up; end them now."""

    def on_closed(self) -> None:
        """The link has ended or is ending; nothing can be sent any more.

        It may be called twice, and in the middle of anything that charges memory.
        """
