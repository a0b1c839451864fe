"""What a WebSocket speaks through: a socket, or TLS over one.

The socket stays at hand under TLS: to hang up at any time, and because it is there that bytes are
watched. Close frames say when a WebSocket ends, so neither side sends or expects ``close_notify``.
"""

from __future__ import annotations

import logging
import ssl
from typing import Final

import attrs
import trio

from farcall._http import Rejection
from farcall._websocket.wire import Wire
from farcall.errors import ConnectFailed

logger = logging.getLogger("farcall")

NOT_TLS: Final = frozenset({"HTTP_REQUEST", "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL"})
"""How OpenSSL calls what was said by a peer that does not speak TLS, or none of this age."""


NO_CERTIFICATE: Final = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
"""How it calls a client without one, where the context has ``verify_mode=ssl.CERT_REQUIRED``."""


MAY_ASK: Final = "it may ask for a TLS certificate of the client"
"""With TLS 1.3 a client has ended its handshake when the server finds out that it has none; and
Trio's SSLStream keeps to itself what OpenSSL would tell the peer."""


@attrs.frozen
class Line:
    """A stream, and the socket below it."""

    stream: trio.abc.Stream
    wire: Wire

    @classmethod
    def plain(cls, wire: Wire) -> Line:
        """Speak through the socket itself."""
        return cls(wire, wire)

    @property
    def is_secure(self) -> bool:
        """Whether there is TLS."""
        return self.stream is not self.wire


async def accept_tls(wire: Wire, context: ssl.SSLContext) -> Line:
    """Perform the server's half of a TLS handshake.

    Raises:
        Rejection: the peer spoke plain HTTP, and can be answered so.
        trio.BrokenResourceError: it came to nothing.
    """
    stream = trio.SSLStream(wire, context, server_side=True, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as exc:
        if _reason(exc) == "HTTP_REQUEST":
            raise Rejection(400, "this port speaks TLS; use https:// or wss://") from None
        _log_certificate(wire.peer, exc.__cause__)
        raise
    return Line(stream, wire)


def _log_certificate(peer: str, cause: BaseException | None) -> None:
    """Say what was wrong with the certificate of a client: it cannot tell a lack from a refusal."""
    match cause:
        case ssl.SSLCertVerificationError():
            logger.warning("%s: its TLS certificate was refused: %s", peer, cause.verify_message)
        case ssl.SSLError() if cause.reason == NO_CERTIFICATE:
            logger.warning("%s: has no TLS certificate, and the ssl_context asks for one", peer)
        case _:
            pass


async def dial_tls(wire: Wire, context: ssl.SSLContext, host: str) -> Line:
    """Perform the client's half of a TLS handshake.

    Args:
        wire: The socket.
        context: Says which certificates are good.
        host: The name, or address, that the certificate must be for.

    Raises:
        ConnectFailed: the server is not who it should be, or speaks no TLS.
        trio.BrokenResourceError: it hung up.
    """
    stream = trio.SSLStream(wire, context, server_hostname=host, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as exc:
        problem = _explain(exc.__cause__)
        if problem is None:
            raise
        raise ConnectFailed(problem) from exc.__cause__
    return Line(stream, wire)


def _explain(cause: BaseException | None) -> str | None:
    match cause:
        case ssl.SSLCertVerificationError():
            return f"its certificate was refused: {cause.verify_message}"
        case ssl.SSLEOFError():
            return f"the server hung up during the TLS handshake; {MAY_ASK}"
        case ssl.SSLError() if cause.reason in NOT_TLS:
            return f"it speaks no TLS ({cause.reason}); is it a plain port, ws://?"
        case ssl.SSLError():
            return f"the TLS handshake failed: {cause.reason or cause}"
        case _:
            return None


def _reason(error: BaseException) -> str | None:
    cause = error.__cause__
    return cause.reason if isinstance(cause, ssl.SSLError) else None
