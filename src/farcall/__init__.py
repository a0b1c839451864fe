"""Typed remote procedure calls and live signals over WebSocket, for Trio.

Decorate a class with `service` and hand an object of it to `serve`; `connect` to it from
elsewhere, call its methods through a generated proxy, and iterate over its `Signal` attributes.
"""

from __future__ import annotations

from farcall._access import Authenticate, Credentials, Principal
from farcall._audience import Room, User, room, user
from farcall._call import (
    CallContext,
    CallKind,
    Connection,
    current_call,
)
from farcall._client import connect
from farcall._codec import OMIT, Json
from farcall._connection.heartbeat import Heartbeat
from farcall._connection.statistics import ConnectionState, ConnectionStatistics
from farcall._declare import background, functions, local, method, service, stream
from farcall._host import ServerStatistics
from farcall._intercept import Interceptor, Proceed
from farcall._limits import Limits
from farcall._proxy import BoundRemoteSignal, Proxy, RemoteSignal, endpoint, stream_endpoint
from farcall._server import Server, serve
from farcall._session import Session, SessionState
from farcall._signals import BoundSignal, Signal, Subscription
from farcall.errors import (
    ApplicationError,
    Busy,
    ConnectFailed,
    ConnectionLost,
    ContractMismatch,
    DeadlineExceeded,
    DeclarationError,
    EncodeError,
    FarcallError,
    Forbidden,
    InternalError,
    InvalidArguments,
    InvalidResult,
    MethodNotFound,
    NotSupported,
    RemoteCancelled,
    ReplyTooLarge,
    RpcError,
    ShuttingDown,
    SignalGap,
    SignalLagged,
    Unauthorized,
)

__all__ = [
    "OMIT",
    "ApplicationError",
    "Authenticate",
    "BoundRemoteSignal",
    "BoundSignal",
    "Busy",
    "CallContext",
    "CallKind",
    "ConnectFailed",
    "Connection",
    "ConnectionLost",
    "ConnectionState",
    "ConnectionStatistics",
    "ContractMismatch",
    "Credentials",
    "DeadlineExceeded",
    "DeclarationError",
    "EncodeError",
    "FarcallError",
    "Forbidden",
    "Heartbeat",
    "Interceptor",
    "InternalError",
    "InvalidArguments",
    "InvalidResult",
    "Json",
    "Limits",
    "MethodNotFound",
    "NotSupported",
    "Principal",
    "Proceed",
    "Proxy",
    "RemoteCancelled",
    "RemoteSignal",
    "ReplyTooLarge",
    "Room",
    "RpcError",
    "Server",
    "ServerStatistics",
    "Session",
    "SessionState",
    "ShuttingDown",
    "Signal",
    "SignalGap",
    "SignalLagged",
    "Subscription",
    "Unauthorized",
    "User",
    "background",
    "connect",
    "current_call",
    "endpoint",
    "functions",
    "local",
    "method",
    "room",
    "serve",
    "service",
    "stream",
    "stream_endpoint",
    "user",
]
