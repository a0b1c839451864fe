"""The TLS handshake on a guarded socket, from either side, and what its errors mean."""

from __future__ import annotations

import logging
import ssl
from typing import Final, TypeAlias

import trio

from farcall._transport.http import Rejection
from farcall._transport.websocket.socket import GuardedSocket
from farcall.errors import ConnectFailed

logger: Final = logging.getLogger("farcall")

NOT_TLS: Final = frozenset({"HTTP_REQUEST", "WRONG_VERSION_NUMBER", "UNSUPPORTED_PROTOCOL"})
"""OpenSSL's reasons for a peer that speaks no TLS, or an outdated version."""

NO_CERTIFICATE: Final = "PEER_DID_NOT_RETURN_A_CERTIFICATE"
"""Its reason for a client without one, if the context has ``verify_mode=ssl.CERT_REQUIRED``."""

MAY_ASK: Final = "it may ask for a TLS certificate of the client"
"""With TLS 1.3 the server learns that the client has none after the client's handshake has ended;
and Trio's SSLStream does not send the alert of OpenSSL."""

ByteStream: TypeAlias = GuardedSocket | trio.SSLStream[GuardedSocket]
"""A socket, or TLS on one."""


def socket_below(stream: ByteStream) -> GuardedSocket:
    return stream.transport_stream if isinstance(stream, trio.SSLStream) else stream


async def accept_tls(sock: GuardedSocket, context: ssl.SSLContext) -> trio.SSLStream[GuardedSocket]:
    """Perform the server's half of a TLS handshake.

    Raises:
        Rejection: the peer speaks plain HTTP, and can get a response in it.
        trio.BrokenResourceError: the handshake failed.
    """
    stream = trio.SSLStream(sock, context, server_side=True, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as exc:
        if _reason(exc) == "HTTP_REQUEST":
            raise Rejection(400, "this port speaks TLS; use https:// or wss://") from None
        _log_certificate(sock.peer, exc.__cause__)
        raise
    return stream


def _log_certificate(peer: str, cause: BaseException | None) -> None:
    """Log what is wrong with the certificate of a client, which does not learn it itself."""
    match cause:
        case ssl.SSLCertVerificationError():
            logger.warning("%s: its TLS certificate was refused: %s", peer, cause.verify_message)
        case ssl.SSLError() if cause.reason == NO_CERTIFICATE:
            logger.warning("%s: has no TLS certificate, and the ssl_context asks for one", peer)
        case _:
            pass


async def dial_tls(
    sock: GuardedSocket, context: ssl.SSLContext, host: str
) -> trio.SSLStream[GuardedSocket]:
    """Perform the client's half of a TLS handshake.

    Args:
        sock: The socket.
        context: Decides which certificates are valid.
        host: The name, or address, that the certificate must be for.

    Raises:
        ConnectFailed: the certificate is not valid for `host`, or the server speaks no TLS.
        trio.BrokenResourceError: it hung up.
    """
    stream = trio.SSLStream(sock, context, server_hostname=host, https_compatible=True)
    try:
        await stream.do_handshake()
    except trio.BrokenResourceError as exc:
        problem = _explain(exc.__cause__)
        if problem is None:
            raise
        raise ConnectFailed(problem) from exc.__cause__
    return stream


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
