"""How a client logs in: behind its hello, and again whenever its login has ended."""

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
    """What `connect` was given; None where that was nothing."""
    seconds: float
    """In which the server has to answer."""

    async def perform(self, login: object = None) -> None:
        """Log in, or say why that cannot be.

        Args:
            login: As for `connect`; None for the usual one.

        Raises:
            ConnectFailed: the server refuses the login, knows none, does not answer, or hangs up.
            EncodeError: `login` cannot cross the wire.
            ValueError: there is no login at all.
        """
        if login is None:
            login = self.usual
        if login is None:
            raise ValueError("there is no login: neither login(...) nor connect(login=) names one")
        answer = await self._ask(encode_untyped(_values(login)))
        # rpc-websockets lets a server answer anything; no other word than this one means yes.
        if answer != b"true":
            raise ConnectFailed(f"{self.url} refused the login")

    async def _ask(self, params: bytes) -> bytes:
        try:
            with trio.fail_after(self.seconds):
                return await self.link.calls.call("rpc.login", params)
        except RemoteFailure as failure:
            why = _why(failure, is_plain=not self.link.protocol.is_greeted)
            raise ConnectFailed(f"{self.url}: the login failed: {why}") from None
        except trio.TooSlowError:
            problem = f"no answer to the login in {self.seconds:g} s (the limit handshake_seconds)"
            raise ConnectFailed(f"{self.url}: {problem}") from None
        except InvalidResult:
            raise ConnectFailed(f"{self.url}: the answer to the login is malformed") from None
        except ConnectionLost as error:
            reason = self.link.close_reason
            problem = f"{self.url} ended the connection at the login"
            raise ConnectFailed(problem, code=None if reason is None else reason.code) from error


def _values(login: object) -> object:
    values: object = login
    if not isinstance(login, dict | list | tuple):
        values = [login]
    return values


def _why(failure: RemoteFailure, *, is_plain: bool) -> str:
    is_unknown = failure.code == ErrorCode.METHOD_NOT_FOUND
    if is_unknown:
        return "the server knows no logins"
    return str(error_of(failure, is_plain=is_plain))
