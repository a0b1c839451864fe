"""What a connection tells the layer above, in the reader's task.

Nothing here awaits: the reader never waits for anybody. What takes time is started as a task of
the connection.
"""

from __future__ import annotations

from typing import Protocol

from farcall._connection.responses import Request
from farcall._protocol.messages import Hello


class Handler(Protocol):
    """The receiver of what the peer asks and says; none of its methods blocks or raises."""

    @property
    def is_busy(self) -> bool:
        """Whether calls of the peer are being served."""
        ...

    def on_open(self) -> None:
        """The link is open: it can send."""

    def on_hello(self, hello: Hello, /) -> None:
        """The peer has greeted, or has answered our greeting."""

    def on_request(self, request: Request, /) -> None:
        """The peer calls; answer once, by `Request.respond` or `Request.fail`."""

    def on_notification(self, method: str, params: bytes | None, trace: str | None, /) -> None:
        """The peer calls and wants no answer."""

    def on_event(self, name: str, params: bytes | None, /) -> None:
        """A plain peer emits an event."""

    def on_draining(self) -> None:
        """This side will close once the calls under way have ended; no new ones are to begin."""

    def on_grace_over(self) -> None:
        """The calls under way have had their time; they are to end now."""

    def on_closed(self) -> None:
        """The link has ended, or is about to; nothing can be sent any more.

        It may come twice, and in the middle of whatever holds memory.
        """
