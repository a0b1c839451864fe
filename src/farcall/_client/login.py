"""Logging in: after the hello, and again after a login has expired."""

from __future__ import annotations

import attrs
import trio

from farcall._codec import encode_untyped
from farcall._connection.call import RemoteFailure
from farcall._connection.link import Link
from farcall._failures import error_of
from farcall.errors import ConnectFailed, ConnectionLost, ErrorCode, InvalidResult


@attrs.frozen(eq=False)
class ClientLogin:
    """The login of one session."""

    link: Link
    """To the server."""
    url: str
    """Of the server, for errors."""
    usual: object = attrs.field(repr=False)
    """The login given to `connect`, or None."""
    seconds: float
    """Within which the server must respond."""

    async def perform(self, login: object = None) -> None:
        """Log in.

        Args:
            login: As for `connect`; None for the usual one.

        Raises:
            ConnectFailed: the server refuses the login, knows no logins, does not respond, or hangs
                up.
            EncodeError: `login` cannot cross the wire.
            ValueError: there is no login.
        """
        if login is None:
            login = self.usual
        if login is None:
            raise ValueError("there is no login: pass one to login(...) or to connect(login=...)")
        values = login
        if not isinstance(login, dict | list | tuple):
            values = [login]
        result = await self._call(encode_untyped(values))
        # rpc-websockets lets a server respond with any value; only this one means yes.
        if result != b"true":
            raise ConnectFailed(f"{self.url} refused the login")

    async def _call(self, params: bytes) -> bytes:
        try:
            with trio.fail_after(self.seconds):
                return await self.link.calls.call("rpc.login", params)
        except RemoteFailure as failure:
            why = "the server knows no logins"
            if failure.code != ErrorCode.METHOD_NOT_FOUND:
                why = str(error_of(failure, is_plain=not self.link.protocol.is_greeted))
            raise ConnectFailed(f"{self.url}: the login failed: {why}") from None
        except trio.TooSlowError:
            problem = (
                f"no response to the login in {self.seconds:g} s (the limit handshake_seconds)"
            )
            raise ConnectFailed(f"{self.url}: {problem}") from None
        except InvalidResult:
            raise ConnectFailed(f"{self.url}: the response to the login is malformed") from None
        except ConnectionLost as error:
            reason = self.link.close_reason
            problem = f"{self.url} ended the connection at the login"
            raise ConnectFailed(problem, code=None if reason is None else reason.code) from error
