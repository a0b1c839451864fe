"""What a connection is to its owner: a half that serves, and a half that calls.

Both ends of a link have both halves; which of them does anything is up to what is served there,
and to who calls whom.
"""

from __future__ import annotations

from collections.abc import Mapping

from farcall._caller import LinkCaller
from farcall._connection.link import Link
from farcall._dispatch import Dispatcher, Serving
from farcall._endpoints import Endpoints
from farcall._limits import Limits
from farcall._protocol.binary import FEATURES
from farcall._protocol.messages import Hello
from farcall._protocol.messages import Limits as PeerLimits
from farcall._protocol.state import IncomingCall


def greeting(limits: Limits, message: int, contracts: Mapping[str, str]) -> Hello:
    """Make the hello of one side.

    Args:
        limits: Of it.
        message: The largest message that it takes, in bytes.
        contracts: The digests of what it serves or calls, by the name of the service.
    """
    told = PeerLimits(
        message,
        limits.calls,
        limits.subscriptions,
        limits.bundle,
        limits.call_bytes,
    )
    return Hello(told, features=FEATURES, contracts=contracts)


class Peer:
    """The `Handler` of a link.

    Args:
        link: The link.
        caller: Calls the other side.
        endpoints: What is served to it.
        serving: How.
    """

    def __init__(
        self, link: Link, caller: LinkCaller, endpoints: Endpoints, serving: Serving
    ) -> None:
        self._link = link
        self.caller = caller
        self._dispatcher = Dispatcher(link, caller.connection, caller.identity, endpoints, serving)

    @property
    def is_busy(self) -> bool:
        """Whether calls of the other side are being served."""
        return self._dispatcher.is_busy

    def on_open(self) -> None:
        """Begin, on the side that was called up; the one that dialled waits for a hello."""
        if not self._link.protocol.has_dialled:
            self._dispatcher.on_open()

    def on_hello(self, _hello: Hello) -> None:
        """The other side is farcall."""
        self._dispatcher.on_hello()

    def on_request(self, call: IncomingCall) -> None:
        """Serve a call."""
        self._dispatcher.on_request(call)

    def on_notification(self, method: str, params: bytes | None, trace: str | None) -> None:
        """Serve a one-way call, or take it for an event: many plain servers send theirs so."""
        is_plain_server = self._link.protocol.has_dialled and not self._link.protocol.is_greeted
        if is_plain_server and not self._dispatcher.has_method(method):
            self.caller.subscriber.on_event(method, params)
        else:
            self._dispatcher.on_notification(method, params, trace)

    def on_cancel(self, call: IncomingCall, reason: str) -> None:
        """End a call that its caller does not want any more."""
        self._dispatcher.on_cancel(call, reason)

    def on_credit(self, call: IncomingCall) -> None:
        """Send what a stream holds back."""
        self._dispatcher.on_credit(call)

    def on_event(self, name: str, params: bytes | None) -> None:
        """Hand an event to those who have subscribed to it."""
        self.caller.subscriber.on_event(name, params)

    def on_draining(self) -> None:
        """End what would never end by itself."""
        self._dispatcher.on_draining()

    def on_grace_over(self) -> None:
        """Cancel what takes longer than a drain."""
        self._dispatcher.on_grace_over()

    def on_closed(self) -> None:
        """End everything."""
        self._dispatcher.on_closed()
        self.caller.subscriber.on_closed()
